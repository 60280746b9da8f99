"""Owners of leases: a process on a machine, as HOST:PID:START, so that a process that has died is known as dead at once."""

from __future__ import annotations

import os
import pathlib
import socket
from typing import Final

_START_FIELD: Final = 19
"""Of /proc/PID/stat, after the program's name: start time in clock ticks since boot (proc_pid_stat(5), field 22)."""
_DEAD: Final = ("Z", "X", "x")
"""States of processes that have ended and were not waited for yet."""


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid()) or 0}"


def alive(owner: str) -> bool:
    """Whether the owner may still be at work: True for any other machine's, which only its heartbeat tells about."""
    host, pid, start = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    if start == "0":
        return _answers(int(pid))
    return _started(int(pid)) == start


def _started(pid: int) -> str | None:
    try:
        line = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = line.rpartition(")")[2].split()
    return None if fields[0] in _DEAD else fields[_START_FIELD]


def _answers(pid: int) -> bool:
    """For machines without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
