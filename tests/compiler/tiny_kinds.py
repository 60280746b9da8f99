"""Small kinds for the tests of the graph, and a few words to build stacks with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from g8r.address import Address
from g8r.claim import Claims, account_claims, normal_path, parent_claim
from g8r.compiler.compile import Compiled, compile_stack
from g8r.compiler.sources import SourceError
from g8r.diagnostics import Diagnostic, Severity
from g8r.module import AbsolutePath, AnyModule, Mode, Module, Params, Port, Problem, State, param
from g8r.stack import HostEntry, Meta, Stack, Task
from g8r.value import Document, Value


class NoState(State):
    pass


class _Tiny(Module[Any, Any]):
    summary = "For tests"
    State: ClassVar[type[Any]] = NoState
    Outputs: ClassVar[type[Any]] = NoState

    def read(self, wanted, host):
        raise NotImplementedError

    def diff(self, params, before, ahead):
        raise NotImplementedError

    def apply(self, work, host):
        raise NotImplementedError


class FileParams(Params):
    path: Annotated[AbsolutePath, param("Where.", known=True)]
    content: Annotated[str | None, param("What.")] = None
    source: Annotated[str | None, param("From where.", source=True, known=True)] = None
    mode: Annotated[Mode | None, param("Bits.")] = None
    owner: Annotated[str | None, param("Whose.", known=True)] = None
    password: Annotated[str | None, param("Secret.", sensitive=True)] = None
    backup: Annotated[bool, param("Keep the old one.")] = False
    ensure: Annotated[str, param("There or not.", known=True)] = "present"


class FileOutputs(msgspec.Struct):
    path: str
    content: str | None
    checksum: str | None
    size: int
    mode: str
    password: str | None


class File(_Tiny):
    kind = "file"
    Params: ClassVar[type[Any]] = FileParams
    Outputs: ClassVar[type[Any]] = FileOutputs

    def validate(self, params, triggers):
        if params.content == "forbidden":
            return (Problem("the content is forbidden", "Write something else.", "content"),)
        return ()

    def identity(self, params):
        return normal_path(params.path)

    def claims(self, params):
        path = normal_path(params.path)
        return Claims((f"path:{path}",), parent_claim(path) + account_claims(params.owner, None), removes=params.ensure == "absent")


class ServiceParams(Params):
    name: Annotated[str, param("The unit.", known=True)]
    port: Annotated[Port | None, param("Where it listens.")] = None
    backends: Annotated[tuple[str, ...], param("Whom it asks.")] = ()
    anything: Annotated[Any, param("Anything.")] = None
    environment: Annotated[dict[str, str] | None, param("Its environment.")] = None


class ServiceOutputs(msgspec.Struct):
    unit: str
    port: int | None
    running: bool
    listeners: tuple[str, ...]
    settings: dict[str, str]


class Service(_Tiny):
    kind = "service"
    Params: ClassVar[type[Any]] = ServiceParams
    Outputs: ClassVar[type[Any]] = ServiceOutputs
    natural = "name"
    triggers: ClassVar[Mapping[str, str]] = {"reload_on": "reload", "restart_on": "restart"}

    def identity(self, params):
        return params.name

    def claims(self, params):
        return Claims((), (f"unit:{params.name}.service",))


class PackageParams(Params):
    name: Annotated[str, param("Which.", known=True)]
    version: Annotated[str | None, param("Which one.")] = None


class PackageOutputs(msgspec.Struct):
    version: str


class Package(_Tiny):
    kind = "package"
    Params: ClassVar[type[Any]] = PackageParams
    Outputs: ClassVar[type[Any]] = PackageOutputs
    natural = "name"

    def identity(self, params):
        return params.name

    def claims(self, params):
        return Claims((f"package:{params.name}",), locks=("lock:dpkg",))


class ThingParams(Params):
    name: Annotated[str, param("Which.", known=True)]
    provides: Annotated[tuple[str, ...], param("Claims.", known=True)] = ()
    requires: Annotated[tuple[str, ...], param("Claims.", known=True)] = ()
    excludes: Annotated[tuple[str, ...], param("Claims.", known=True)] = ()
    follows: Annotated[tuple[str, ...], param("Claims.", known=True)] = ()
    removes: Annotated[bool, param("Takes away.", known=True)] = False
    text: Annotated[str, param("Any text.")] = ""


class ThingOutputs(msgspec.Struct):
    text: str


class Thing(_Tiny):
    """Claims whatever it is told to."""

    kind = "thing"
    Params: ClassVar[type[Any]] = ThingParams
    Outputs: ClassVar[type[Any]] = ThingOutputs
    natural = "name"

    def identity(self, params):
        return params.name

    def claims(self, params):
        return Claims(params.provides, params.requires, (), params.excludes, params.removes, params.follows)


_KINDS: dict[str, AnyModule] = {"file": File(), "service": Service(), "package": Package(), "thing": Thing()}


def kinds(kind: str) -> AnyModule:
    return _KINDS[kind]


# ---- words --------------------------------------------------------------------------------------------------------------------


def task(name: str, params: Document | None = None, **meta: Any) -> Task:
    """`task("file.a", {...}, needs=("file.b",))`."""
    kind, _, rest = name.partition(".")
    return Task(kind, rest, params or {}, Meta(**meta))


def a_file(name: str, path: str, **more: Value) -> Task:
    return task(f"file.{name}", {"path": path, **more})


def hosts(*names: str, **more: HostEntry) -> dict[str, HostEntry]:
    return {**{name: HostEntry() for name in names}, **more}


def stack(*tasks: Task, **more: Any) -> Stack:
    return Stack("site", tasks, **more)


def no_source(path: str) -> bytes:
    summary = f'there is no source "{path}"'
    raise SourceError(summary, "None in this test.")


def compiled(*tasks: Task, facts: Mapping[str, Document] | None = None, read_source=no_source, **more: Any) -> Compiled:
    return compile_stack(stack(*tasks, **more), facts or {}, read_source, kinds)


def good(*tasks: Task, **more: Any) -> Compiled:
    """Compiles, and has nothing to say."""
    found = compiled(*tasks, **more)
    assert found.diagnostics == ()
    return found


def only(found: Compiled, severity: Severity = Severity.ERROR) -> Diagnostic:
    """Its one diagnostic."""
    assert len(found.diagnostics) == 1, found.diagnostics
    assert found.diagnostics[0].severity is severity
    return found.diagnostics[0]


def codes(found: Compiled) -> list[str]:
    return [diagnostic.code for diagnostic in found.diagnostics]


def at(text: str) -> Address:
    host, _, name = text.rpartition("/")
    kind, _, rest = name.partition(".")
    return Address(host or "localhost", kind, rest)


def order(found: Compiled) -> list[str]:
    return [str(address).removeprefix("localhost/") for address in found.graph.tasks]


def edges(found: Compiled, name: str) -> list[str]:
    """`file.a needs`, `web1/file.b reference @{...}`, soft ones with a `~`."""
    return [
        f"{'~' if edge.soft else ''}{str(edge.before).removeprefix('localhost/')} {edge.reason} {edge.note}".strip()
        for edge in found.graph.tasks[at(name)].edges
    ]
