"""Kernel objects of booted machines: recorded before they are made, cleared when they are done with, by a later run if need be."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rootfs import cache

Process = tuple[int, str]
"""A process id with its start time, since ids are used again."""


class Record(NamedTuple):
    """What one machine or bridge holds of the kernel, and who answers for it."""

    name: str
    owner: Process
    nspawn: Process | None = None
    leader: Process | None = None
    cgroups: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    @classmethod
    def new(cls, name: str, *, cgroups: tuple[str, ...] = (), links: tuple[str, ...] = ()) -> Record:
        """A record of this process's, on disk."""
        own = identify(os.getpid())
        assert own is not None
        return cls(name, own, cgroups=cgroups, links=links).saved_with()

    def saved_with(self, **changes: object) -> Record:
        """The next record, on disk."""
        following = self._replace(**changes)  # type: ignore[arg-type]
        place = _folder() / f"{self.name}.json"
        part = place.with_suffix(".part")
        part.write_text(json.dumps(following._asdict()))
        part.rename(place)
        return following


def sweep() -> list[str]:
    """Clear what runs left behind whose process is gone; the names of what there was."""
    cleared = []
    for path in sorted(_folder().glob("*.json")):
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            record = Record(**json.loads(path.read_text()))
            if not _alive(record.owner):
                clear(record)
                cleared.append(record.name)
    return cleared


def clear(record: Record, reap: Callable[[], object] = lambda: None) -> None:
    """End the machine's processes and take its kernel objects away. What is gone already is fine.

    `reap` is how a parent waits for its nspawn: a process that nobody has waited for still keeps its cgroup.
    """
    if record.nspawn and _alive(record.nspawn):
        for child in _children(record.nspawn[0]):
            _kill(child)
        _await_end(record.nspawn, seconds=3)
        _kill(record.nspawn[0] if _alive(record.nspawn) else None)
    if record.leader and _alive(record.leader):
        _kill(record.leader[0])
    reap()
    for link in record.links:
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
    for cgroup in record.cgroups:
        _remove_cgroup(Path(cgroup))
    with contextlib.suppress(OSError):
        (Path("/run/systemd/nspawn/propagate") / record.name).rmdir()
    for path in (console_of(record), _folder() / f"{record.name}.json"):
        path.unlink(missing_ok=True)


def console_of(record: Record) -> Path:
    """Where the machine's console is written."""
    return _folder() / f"{record.name}.console"


def identify(pid: int) -> Process | None:
    """None where there is no such process."""
    try:
        return pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def leader_of(nspawn: int) -> int | None:
    """Process 1 of the machine that `nspawn` runs, once it is systemd."""
    for child in _children(nspawn):
        with contextlib.suppress(OSError, StopIteration):
            status = Path(f"/proc/{child}/status").read_text().splitlines()
            inner = next(line for line in status if line.startswith("NSpid:")).split()[-1]
            if inner == "1" and Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return child
    return None


def cgroups_for(name: str) -> list[Path]:
    """A cgroup for one machine in each hierarchy that systemd uses, beside this process's own, not made yet.

    Two systemds that share a cgroup, as two nspawns started from one shell do, count each other's processes as their own.
    """
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or controllers == "name=systemd":
            own[controllers] = path
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        options = kind.split()[2].split(",")
        hierarchy = "name=systemd" if "name=systemd" in options else "" if kind.startswith("cgroup2 ") else None
        if hierarchy in own:
            found.append(Path(place.split()[4]) / own[hierarchy].lstrip("/") / name)
    return found


def inside(cgroups: Sequence[Path], command: Sequence[str]) -> list[str]:
    """`command`, run in these cgroups."""
    for cgroup in cgroups:
        cgroup.mkdir(exist_ok=True)
    enter = 'for place; do shift; test "$place" = -- && break; echo $$ > "$place/cgroup.procs" || exit 1; done; exec "$@"'
    return ["/bin/sh", "-c", enter, "sh", *map(str, cgroups), "--", *command]


def _folder() -> Path:
    folder = cache() / "machines"
    folder.mkdir(exist_ok=True)
    return folder


def _alive(process: Sequence[object]) -> bool:
    pid, started = process
    return identify(int(str(pid))) == (pid, started) and not _zombie(int(str(pid)))


def _zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _kill(pid: int | None) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _await_end(process: Process, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _alive(process) and time.monotonic() < deadline:
        time.sleep(0.01)


def _remove_cgroup(cgroup: Path) -> None:
    """Processes leave a cgroup a moment after they are killed."""
    for _ in range(100):
        folders = sorted((Path(folder) for folder, _, _ in os.walk(cgroup)), reverse=True)
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if not cgroup.exists():
            return
        time.sleep(0.02)
