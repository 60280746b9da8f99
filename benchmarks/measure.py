"""Running one command and knowing what it took."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec


class BenchmarkError(Exception):
    """A command did not do its work, so that its time means nothing."""


class Command(msgspec.Struct, frozen=True):
    """What to run; `codes` are the exit codes that mean that it worked, and output that `never` is found in means that it did not."""

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str] = {}
    codes: tuple[int, ...] = (0,)
    never: str | None = None


class Taken(msgspec.Struct, frozen=True):
    """Wall-clock seconds of the whole process, the highest resident memory seen of it and its children together, and the processor
    seconds, user and system, of both.
    """

    seconds: float
    peak_bytes: int | None = None
    cpu_seconds: float = 0.0


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """That of this process, without what would keep python from using compiled modules or a peer from its own venv."""
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PYTHONUNBUFFERED", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in dropped} | dict(extra)


def run(command: Command, *, memory: bool = False) -> Taken:
    """Run to the end with the output in a file; BenchmarkError with its tail where it fails. `memory` watches it every 10 ms."""
    log = command.cwd / "output.log"
    os.sync()
    before = _cpu_seconds()
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=environment(_home(command.cwd) | command.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        watch = _Watch(process.pid) if memory else None
        code = process.wait()
        seconds = time.perf_counter() - started
    if code not in command.codes:
        tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
        message = f"{' '.join(_shortened(command.argv))} ended with {code}:\n{tail}"
        raise BenchmarkError(message)
    if command.never and (found := re.search(command.never, log.read_text("utf-8", "replace"))):
        message = f"{' '.join(_shortened(command.argv))} found something to do where nothing was: {found.group()}"
        raise BenchmarkError(message)
    return Taken(seconds, watch.stop() if watch else None, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    """What the children that have ended took of the processors, theirs included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _home(folder: Path) -> dict[str, str]:
    """What g8r remembers of this machine is kept in the folder of each command: as on a fresh machine, and nothing is left on this one."""
    return {"G8R_HOME": str(folder / "home")}


class _Watch:
    """Samples the resident memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while not self._done.wait(0.01):
            self._peak = max(self._peak, sum(_resident(pid) for pid in _tree(self._pid)))


def _tree(pid: int) -> list[int]:
    try:
        tasks = [task.name for task in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(word) for task in tasks for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []
    return [pid, *(below for child in children for below in _tree(child))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _shortened(argv: Sequence[str]) -> list[str]:
    return [Path(argv[0]).name, *(word if len(word) < 60 else word[:57] + "..." for word in argv[1:])]
