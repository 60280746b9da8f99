"""systemctl, journalctl and sleep: units are unit files in the tree, enabling is links, and what runs is the database `systemd`.

Answers as those of systemd 252 do, where g8r asks: a unit is `not-found`, `masked` or `loaded`; enabling a static unit works and does
nothing; masking a unit whose file is in /etc fails; a unit file that changed under a running unit makes NeedDaemonReload. A service
whose ExecStart is `false` fails right after its start; `true` ends with success. Unit files put `[Install]` where they can be enabled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec

from g8r.executor.fake_host import FakeHost, Invocation, Program, always
from g8r.host import Ran
from g8r.value import digest

_ETC, _LIB = "/etc/systemd/system", "/usr/lib/systemd/system"
_SUFFIXES = (".service", ".socket", ".timer", ".target", ".path", ".mount", ".slice")


class Runtime(msgspec.Struct, frozen=True):
    """A unit that systemd has in memory. `seen` is the digest of its file when that was last read; `log` what it wrote."""

    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    seen: str = ""
    starts: int = 0
    reloads: int = 0
    log: tuple[str, ...] = ()


class _Unit(msgspec.Struct, frozen=True):
    name: str
    path: str | None
    settings: Mapping[str, str]
    seen: str
    masked: bool
    enabled: bool


def runtimes(host: FakeHost) -> Mapping[str, Runtime]:
    """What runs: for tests, too."""
    return cast("Mapping[str, Runtime]", host.databases.get("systemd", {}))


def enable(host: FakeHost, name: str) -> None:
    """As `systemctl enable`: also what a package does when it is installed."""
    unit = _unit(host, name)
    for target in unit.settings.get("WantedBy", "").split():
        if host.stat(f"{_ETC}/{target}.wants") is None:
            host.make_directory(f"{_ETC}/{target}.wants", mode=0o755)
        host.make_link(f"{_ETC}/{target}.wants/{name}", _seen(str(unit.path)))


def disable(host: FakeHost, name: str) -> None:
    for link in _wants(host, name):
        host.remove(link)
        if not host.list(link.rpartition("/")[0]):
            host.remove(link.rpartition("/")[0])


def start(host: FakeHost, name: str) -> None:
    unit, was = _unit(host, name), _runtime(host, name)
    program = unit.settings.get("ExecStart", "").split(" ")[0].rpartition("/")[2]
    passing = unit.settings.get("Type") == "oneshot" and unit.settings.get("RemainAfterExit") != "yes"
    log = (*was.log, f"Started {name}.")
    if program == "false":
        log = (*log, f"{name}: Main process exited, code=exited, status=1/FAILURE", f"{name}: Failed with result 'exit-code'.")
        fresh = Runtime("failed", "failed", "exit-code")
    elif program == "true" and (passing or unit.settings.get("Type", "simple") == "simple"):
        fresh = Runtime("inactive", "dead")
    else:
        fresh = Runtime("active", "running")
    _store(host, name, msgspec.structs.replace(fresh, seen=unit.seen, starts=was.starts + 1, reloads=was.reloads, log=log))


def stop(host: FakeHost, name: str) -> None:
    was = _runtime(host, name)
    if was.active == "active":
        _store(host, name, msgspec.structs.replace(was, active="inactive", sub="dead", log=(*was.log, f"Stopped {name}.")))


def _store(host: FakeHost, name: str, runtime: Runtime) -> None:
    host.databases["systemd"] = {**runtimes(host), name: runtime}


def _runtime(host: FakeHost, name: str) -> Runtime:
    return runtimes(host).get(name, Runtime())


def _wants(host: FakeHost, name: str) -> list[str]:
    folders = [f"{_ETC}/{entry}" for entry in host.list(_ETC) if entry.endswith(".wants")]
    return [f"{folder}/{name}" for folder in folders if host.stat(f"{folder}/{name}") is not None]


def _unit(host: FakeHost, asked: str) -> _Unit:
    """A unit as its files say; an alias is a link beside the unit file."""
    masked, path, name = False, None, asked
    for folder in (_ETC, _LIB):
        there = host.stat(f"{folder}/{name}")
        if there is not None and there.type == "link" and there.target == "/dev/null":
            masked = True
            break
        if there is not None and there.type == "link":
            name = str(there.target).rpartition("/")[2]
            return _unit(host, name)
        if there is not None:
            path = f"{folder}/{name}"
            break
    content = host.read(path) if path else b""
    return _Unit(name, path, _settings(content.decode()), digest(content) if path else "", masked, bool(_wants(host, name)))


def _seen(path: str) -> str:
    """As systemd 252 of Debian 12 calls a unit file: it looks in /lib before /usr/lib, which are one."""
    return path.removeprefix("/usr") if path.startswith(_LIB) else path


def _settings(text: str) -> Mapping[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _show(host: FakeHost, call: Invocation) -> Ran:
    asked = next((word.partition("=")[2] for word in call.argv if word.startswith("--property=")), "").split(",")
    blocks: list[str] = []
    for name in _operands(call):
        if "@." in name or not name.endswith(_SUFFIXES):
            words = f"Failed to get properties: Unit name {name} is neither a valid invocation ID nor unit name.\n"
            return Ran(1, "\n".join(blocks).encode(), words.encode())
        shown = _properties(host, name)
        blocks.append("".join(f"{key}={value}\n" for key, value in shown.items() if key in asked))
    return Ran(0, "\n".join(blocks).encode(), b"")


def _properties(host: FakeHost, asked: str) -> dict[str, str]:
    unit = _unit(host, asked)
    runtime = _runtime(host, unit.name)
    load = "masked" if unit.masked else "loaded" if unit.path else "not-found"
    if unit.path and not unit.masked:
        state = ("enabled" if unit.enabled else "disabled") if "WantedBy" in unit.settings else "static"
    else:
        state = "masked" if unit.masked else ""
    stale = runtime.active == "active" and unit.path is not None and runtime.seen != unit.seen
    service = {"Type": unit.settings.get("Type", "simple")} if unit.path and unit.name.endswith(".service") else {}
    return {
        **service,
        **({"RemainAfterExit": unit.settings.get("RemainAfterExit", "no")} if service else {}),
        "Result": runtime.result,
        "Id": unit.name,
        "Names": unit.name,
        "LoadState": load,
        "FragmentPath": _seen(unit.path or ""),
        "ActiveState": runtime.active,
        "SubState": runtime.sub,
        "UnitFileState": state,
        "CanReload": "yes" if "ExecReload" in unit.settings else "no",
        "NeedDaemonReload": "yes" if stale else "no",
    }


def _operands(call: Invocation) -> list[str]:
    return [word for word in call.argv[2:] if not word.startswith("-")]


# ---- verbs ------------------------------------------------------------------------------------------------------------------


def _do_start(host: FakeHost, unit: _Unit) -> str:
    if unit.masked:
        return f"Failed to start {unit.name}: Unit {unit.name} is masked."
    if unit.path is None:
        return f"Failed to start {unit.name}: Unit {unit.name} not found."
    if _runtime(host, unit.name).active != "active":
        start(host, unit.name)
    oneshot = unit.settings.get("Type") in {"oneshot", "notify", "forking"}
    if oneshot and _runtime(host, unit.name).active == "failed":
        words = f"Job for {unit.name} failed because the control process exited with error code."
        return f'{words}\nSee "systemctl status {unit.name}" and "journalctl -xeu {unit.name}" for details.'
    return ""


def _do_stop(host: FakeHost, unit: _Unit) -> str:
    if unit.path is None and not unit.masked:
        return f"Failed to stop {unit.name}: Unit {unit.name} not loaded."
    stop(host, unit.name)
    return ""


def _do_enable(host: FakeHost, unit: _Unit) -> str:
    if unit.masked:
        return f"Failed to enable unit: Unit file {_ETC}/{unit.name} is masked."
    if unit.path is None:
        return f"Failed to enable unit: Unit file {unit.name} does not exist."
    enable(host, unit.name)
    return ""


def _do_disable(host: FakeHost, unit: _Unit) -> str:
    if unit.path is None and not unit.masked:
        return f"Failed to disable unit: Unit file {unit.name} does not exist."
    disable(host, unit.name)
    return ""


def _do_mask(host: FakeHost, unit: _Unit) -> str:
    if unit.path is not None and unit.path.startswith(_ETC):
        return f"Failed to mask unit: File {unit.path} already exists."
    host.make_link(f"{_ETC}/{unit.name}", "/dev/null")
    return ""


def _do_unmask(host: FakeHost, unit: _Unit) -> str:
    if unit.masked:
        host.remove(f"{_ETC}/{unit.name}")
    return ""


def _do_restart(host: FakeHost, unit: _Unit) -> str:
    if unit.path is None:
        return f"Failed to restart {unit.name}: Unit {unit.name} not found."
    if _runtime(host, unit.name).active == "active":
        stop(host, unit.name)
        start(host, unit.name)
    return ""


def _do_reload(host: FakeHost, unit: _Unit) -> str:
    was = _runtime(host, unit.name)
    if unit.path is None:
        return f"Failed to reload-or-try-restart {unit.name}: Unit {unit.name} not found."
    if "ExecReload" not in unit.settings:
        return _do_restart(host, unit)
    if was.active == "active" and unit.settings["ExecReload"].endswith("false"):
        return f'Job for {unit.name} failed.\nSee "systemctl status {unit.name}" and "journalctl -xeu {unit.name}" for details.'
    if was.active == "active":
        _store(host, unit.name, msgspec.structs.replace(was, reloads=was.reloads + 1))
    return ""


_VERBS: Mapping[str, Callable[[FakeHost, _Unit], str]] = {
    "start": _do_start,
    "stop": _do_stop,
    "enable": _do_enable,
    "disable": _do_disable,
    "mask": _do_mask,
    "unmask": _do_unmask,
    "try-restart": _do_restart,
    "try-reload-or-restart": _do_reload,
}


def _systemctl(host: FakeHost, call: Invocation) -> Ran:
    if host.facts().init != "systemd":
        words = "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\n"
        return Ran(1, b"", words.encode())
    return _show(host, call) if call.argv[1] == "show" else _change(host, call.argv[1], call)


def _change(host: FakeHost, verb: str, call: Invocation) -> Ran:
    if not host.privileged:
        return Ran(1, b"", f"Failed to {verb} unit: Interactive authentication required.\n".encode())
    if verb == "daemon-reload":
        for name, runtime in runtimes(host).items():
            _store(host, name, msgspec.structs.replace(runtime, seen=_unit(host, name).seen))
    elif verb not in _VERBS:
        return Ran(1, b"", f"Unknown command verb {verb}.\n".encode())
    for name in _operands(call):
        complaint = _VERBS[verb](host, _unit(host, name))
        if complaint:
            return Ran(5 if "not found" in complaint or "not loaded" in complaint else 1, b"", f"{complaint}\n".encode())
    return Ran(0, b"", b"")


def _journalctl(host: FakeHost, call: Invocation) -> Ran:
    unit = next((word.partition("=")[2] for word in call.argv if word.startswith("--unit=")), "")
    lines = _runtime(host, unit).log[-10:] or ("-- No entries --",)
    return Ran(0, "".join(f"{line}\n" for line in lines).encode(), b"")


def _sleep(_host: FakeHost, _call: Invocation) -> Ran:
    return Ran(0, b"", b"")


def _only_shows(argv: Sequence[str]) -> bool:
    return len(argv) > 1 and argv[1] == "show"


PROGRAMS: dict[str, Program] = {
    "systemctl": Program(_systemctl, reads=_only_shows),
    "journalctl": Program(_journalctl, reads=always),
    "sleep": Program(_sleep, reads=always),
}
