"""Kinds for these tests, with every shape of param that a kind may have."""

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from g8r.module import AbsolutePath, AccountName, AnyModule, Claims, Duration, Mode, Module, Params, Port, State, param


class FileParams(Params):
    path: Annotated[AbsolutePath, param("Where it lives on the host.", known=True)]
    content: Annotated[str | None, param('The whole text; "%{x}" and \\ stay.', sensitive=True)] = None
    source: Annotated[str | None, param("A file beside the stack.", source=True)] = None
    mode: Annotated[Mode | None, param("Permission bits.")] = None
    owner: Annotated[AccountName | None, param("Who owns it.", known=True)] = None
    backup: Annotated[bool, param("Keep the old one.")] = False
    ensure: Annotated[Literal["present", "absent"], param("Whether it is there.")] = "present"


class ServiceParams(Params):
    name: Annotated[str, param("The unit.", known=True)]
    running: Annotated[bool | None, param("Whether it runs.")] = None
    port: Annotated[Port | None, param("Where it listens.")] = None
    wait: Annotated[Duration | None, param("How long to wait.")] = None
    arguments: Annotated[tuple[str, ...] | None, param("What it is started with.")] = None
    environment: Annotated[dict[str, str] | None, param("Its environment.")] = None
    nice: Annotated[int, param("Its priority.")] = 0
    shell: Annotated[str, Meta(min_length=1), param("Its shell.")] = "sh"
    ports: Annotated[tuple[Port, ...], Meta(min_length=1), param("More ports.")] = (1,)
    extra: Annotated[Any, param("Anything.")] = None
    restart: Annotated[Literal["always", "never"] | bool, param("When it is restarted.")] = "always"


class NoState(State):
    pass


class _Toy(Module):
    summary = "A toy"
    State = NoState
    Outputs = NoState

    def identity(self, params):
        return ""

    def claims(self, params):
        return Claims()

    def read(self, wanted, host):
        return ()

    def diff(self, params, before, ahead):
        raise NotImplementedError

    def apply(self, work, host):
        raise NotImplementedError


class ToyFile(_Toy):
    kind = "file"
    Params = FileParams


class ToyService(_Toy):
    kind = "service"
    Params = ServiceParams
    natural = "name"
    triggers: ClassVar = {"reload_on": "reload", "restart_on": "restart"}
    becomes = True


KINDS: dict[str, AnyModule] = {"file": ToyFile(), "service": ToyService()}
