"""What tests of applying share: commands that must not run twice, listeners that interfere, stores that die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet import Fleet

from g8r.event import StepStarted
from g8r.executor.fake_host import FakeHost, Invocation, Killed, Program
from g8r.executor.store_memory import MemoryStore
from g8r.host import Ran

NGINX = {
    "package": {"nginx": {}},
    "file": {"conf": {"path": "/etc/nginx/conf.d/site.conf", "content": "# site\n"}},
    "service": {"nginx": {"running": True, "enabled": True, "reload_on": ["file.conf"]}},
}
EVERY = {
    **NGINX,
    "file": {**NGINX["file"], "motd": {"path": "/etc/motd", "content": "hi\n", "owner": "deploy"}},
    "directory": {"app": {"path": "/srv/app", "owner": "deploy"}},
    "link": {"app": {"path": "/srv/current", "target": "/srv/app"}},
    "user": {"deploy": {}},
    "group": {"ops": {}},
    "line": {"x": {"path": "/etc/lines", "line": "x", "create": True}},
    "template": {"t": {"path": "/etc/t", "content": "{{ a }}\n", "vars": {"a": "b"}}},
    "command": {"once": {"argv": ["touch", "/srv/once"], "run": "once"}, "made": {"argv": ["touch", "/srv/made"], "creates": "/srv/made"}},
}


def file(path: str, content: str = "1\n", **more: object) -> dict[str, object]:
    return {"path": path, "content": content, **more}


def append(host: FakeHost, call: Invocation) -> Ran:
    """`append PATH TEXT`: what must not happen twice. Fails where PATH.fail exists."""
    path, text = call.argv[1:]
    if host.stat(f"{path}.fail") is not None:
        return Ran(1, b"", b"append: told to fail\n")
    old = host.read(path) if host.stat(path) is not None else b""
    host.write(path, old + text.encode(), mode=0o644)
    return Ran(0, b"appended\n", b"")


def fleet_with(**programs: Callable[[FakeHost, Invocation], Ran]) -> Fleet:
    fleet = Fleet()
    for name, act in {"append": append, **programs}.items():
        fleet.host.programs[name] = Program(act)
    return fleet


def once(path: str, text: str = "x", **more: object) -> dict[str, object]:
    return {"argv": ["append", path, text], "run": "once", **more}


class Listening(list[Any]):
    def __init__(self, listen: Callable[[Any], None]) -> None:
        super().__init__()
        self._listen = listen

    def append(self, event: Any) -> None:
        super().append(event)
        self._listen(event)


class Button:
    """What the user asks of the run: pressed by listening to its events."""

    def __init__(self) -> None:
        self.presses = 0

    @property
    def stopping(self) -> bool:
        return self.presses > 0

    @property
    def aborting(self) -> bool:
        return self.presses > 1


def kill_when(fleet: Fleet, moment: Callable[[str], bool]) -> None:
    """The agent is killed when a step starts for which `moment` holds."""

    def listen(event: Any) -> None:
        if isinstance(event, StepStarted) and moment(event.step.id):
            raise Killed

    fleet.events = Listening(listen)


class Mortal:
    """A store whose process dies at a call: before it is done, or after."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._dies: Callable[[str, Any], bool] = lambda _call, _arguments: False
        self._after = False

    def die_at(self, dies: Callable[[str, Any], bool], *, after: bool = False) -> None:
        self._dies, self._after = dies, after

    def live(self) -> None:
        self._dies = lambda _call, _arguments: False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in {"begin", "record", "finish", "edit", "abandon", "reopen"}:
            return found

        def call(*arguments: Any) -> Any:
            dies = self._dies(name, arguments)
            if dies and not self._after:
                raise Killed
            result = found(*arguments)
            if dies:
                raise Killed
            return result

        return call
