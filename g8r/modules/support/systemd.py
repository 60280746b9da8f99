"""systemd, as `systemctl` tells it: what units are, and acting on one with its failure in words.

Only `systemctl show` is parsed, the output that is made for it. Property names: org.freedesktop.systemd1(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from g8r.change import Failed
from g8r.host import Host, HostError, MissingProgramError
from g8r.modules.support.programs import said

_SUFFIXES: Final = (
    *(".service", ".socket", ".timer", ".target", ".path", ".mount"),
    *(".automount", ".swap", ".slice", ".scope", ".device"),
)
_PROPERTIES: Final = "Id,LoadState,FragmentPath,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Result,RemainAfterExit"
LOCAL_UNITS: Final = "/etc/systemd/system/"
"""Where the administrator's units are, and links that mask those of packages."""
_ENABLED: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("enabled", "linked-and-enabled"), True),
    **dict.fromkeys(("disabled", "linked", "enabled-runtime", "linked-runtime"), False),
}
_RUNNING: Final = ("active", "reloading")
_LOOKS: Final = 60
"""How often a unit that is still starting is looked at, half a second apart, beyond what systemctl itself has waited."""
_JOURNAL_LINES: Final = 10


class UnitStatus(msgspec.Struct, frozen=True):
    """A unit. `unit` is its real name where it was asked for by an alias; enabled is None where there is nothing to enable."""

    unit: str
    exists: bool
    path: str
    """Of its unit file."""
    masked: bool
    active: str
    enabled: bool | None
    stale: bool
    """Its file changed since systemd read it."""
    passing: bool
    """It does its work and ends: Type=oneshot without RemainAfterExit."""
    result: str

    @property
    def running(self) -> bool:
        return self.active in _RUNNING


def unit_name(name: str) -> str:
    """`nginx` as `nginx.service`; a name with another unit suffix stays."""
    return name if name.endswith(_SUFFIXES) else f"{name}.service"


def show(units: Sequence[str], host: Host) -> list[UnitStatus]:
    """The status of each, in the order asked, in one call. Raises HostError."""
    if not units:
        return []
    try:
        ran = host.run(("systemctl", "show", f"--property={_PROPERTIES}", "--", *units), changes=False)
    except MissingProgramError:
        message = "services need systemd, and there is no systemctl on this host: there is no systemd here"
        raise HostError(message) from None
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in ran.text.strip("\n").split("\n\n")]
    if len(blocks) != len(units) or not all("LoadState" in block for block in blocks):
        message = f"systemctl does not tell about {', '.join(units)}: {ran.complaint}"
        raise HostError(message)
    return [_status(block) for block in blocks]


def prepared(unit: str, host: Host) -> UnitStatus:
    """The status of a unit, after systemd was told to read its file again where that has changed."""
    status = show((unit,), host)[0]
    if not status.stale:
        return status
    ran = host.run(("systemctl", "daemon-reload"))
    if ran.code != 0:
        message = f"systemd cannot read its unit files again: {ran.complaint}"
        raise HostError(message)
    return show((unit,), host)[0]


def act(verb: str, unit: str, host: Host) -> Failed | None:
    """One verb of systemctl; None where it worked."""
    ran = host.run(("systemctl", verb, "--", unit))
    if ran.code == 0:
        return None
    lines = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if line and not line.startswith(("See ", "Created "))]
    reason = lines[0].removeprefix("Failed to ") if lines else ran.complaint
    journal = _journal(unit, host) if verb in {"start", "restart", "try-restart", "try-reload-or-restart", "stop"} else ""
    return Failed(_quoting(f"systemctl {verb} {unit}: {reason.rstrip('.')}", journal, unit), journal or said(ran))


def stays_up(unit: str, host: Host) -> Failed | None:
    """Look whether what was started stays so; None where it does. A program that dies at once does so within the first look."""
    host.run(("sleep", "0.3"), changes=False)
    status = show((unit,), host)[0]
    for _ in range(_LOOKS):
        if status.active != "activating":
            break
        host.run(("sleep", "0.5"), changes=False)
        status = show((unit,), host)[0]
    if status.running:
        return None
    if status.passing and status.result == "success":
        return Failed(
            f"{unit} did its work and ended (Type=oneshot), so it is never running: leave out running, or set RemainAfterExit=yes in it"
        )
    journal = _journal(unit, host)
    return Failed(_quoting(f"{unit} was started and is {status.active} now ({status.result})", journal, unit), journal)


def _status(block: Mapping[str, str]) -> UnitStatus:
    load, file_state = block["LoadState"], block.get("UnitFileState", "")
    masked = load == "masked"
    return UnitStatus(
        unit=block.get("Id", ""),
        exists=load != "not-found",
        path=block.get("FragmentPath", ""),
        masked=masked,
        active=block.get("ActiveState", ""),
        enabled=None if masked else _ENABLED.get(file_state),
        stale=block.get("NeedDaemonReload") == "yes",
        passing=block.get("Type") == "oneshot" and block.get("RemainAfterExit") != "yes",
        result=block.get("Result", ""),
    )


def _journal(unit: str, host: Host) -> str:
    """The last lines that the unit wrote; empty where there is no journal to read."""
    try:
        ran = host.run(("journalctl", f"--unit={unit}", f"--lines={_JOURNAL_LINES}", "--no-pager", "--output=cat"), changes=False)
    except HostError:
        return ""
    lines = [line for line in ran.text.splitlines() if line and not line.startswith("-- ")]
    return "\n".join(lines) if ran.code == 0 else ""


def _quoting(sentence: str, journal: str, unit: str) -> str:
    """The sentence with the last words of the unit itself; with what systemd says of it where it said nothing."""
    lines = journal.splitlines()
    own = [line for line in lines if not line.startswith((f"{unit}: ", "Start", "Stop", "Reload", "Failed to start", "Finished"))]
    return f"{sentence}; its journal ends: {' / '.join((own or lines)[-3:])}" if lines else sentence
