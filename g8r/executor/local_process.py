"""One program, run to its end, with nothing inherited but what is given here.

It gets a session of its own, so that a Ctrl-C at the agent's terminal is not meant for it, and so that its children can be found when
its time is up. Its end is when the program itself ends: a child that lives on and holds its output open is not waited for.
A child that made a session of its own on purpose (a daemon) outlives even the time limit.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial

import msgspec

from g8r.executor import refusals
from g8r.host import Ran

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

KEPT = 8 << 20  # bytes of each stream; what comes after is read and dropped
_CHUNK = 1 << 16
_LAST = 1 << 20  # what a pipe can hold at most: more than that was not written by a program that has ended
_GRACE = 2.0  # seconds between the request to end and the kill
_POLL = 0.02  # seconds, where the kernel has no pidfd
_UMASK = 0o022
_SIGNALLED = 128  # what a shell adds to the number of the signal


_running: dict[int, subprocess.Popen[bytes]] = {}


def abort() -> None:
    """End every program that runs now, with its children: the user wants to stop at once."""
    for process in list(_running.values()):
        _kill(process)


class Identity(msgspec.Struct, frozen=True):
    """The user that a program runs as; without a uid it stays the agent's own, with the agent's groups."""

    name: str
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None


def run(argv: Sequence[str], stdin: bytes, env: Mapping[str, str], cwd: str, identity: Identity, timeout: float | None) -> Ran:
    """Raises MissingProgramError, TimedOutError, or HostError where it could not be started."""
    process = _start(argv, stdin, env, cwd, identity)
    _running[process.pid] = process
    try:
        watch = _Watch(process, stdin)
        watch.until_end(argv[0], timeout)
        return Ran(_code(process.wait()), bytes(watch.stdout), bytes(watch.stderr))
    except BaseException:  # time is up, or the agent is told to stop: nothing is left running
        _kill(process)
        raise
    finally:
        _running.pop(process.pid, None)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _start(argv: Sequence[str], stdin: bytes, env: Mapping[str, str], cwd: str, identity: Identity) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - an argv, never a shell
            argv,
            bufsize=0,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
            umask=_UMASK,
            user=identity.uid,
            group=identity.gid,
            extra_groups=identity.groups,
        )
    except FileNotFoundError as error:
        if error.filename == cwd and error.filename != argv[0]:
            raise refusals.no_directory_to_run_in(argv[0], cwd) from error
        raise refusals.no_program(argv[0]) from error
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            raise refusals.not_a_program(argv[0]) from error
        raise refusals.refusal(error.errno or 0, "running", argv[0], identity.name, os.strerror(error.errno or 0)) from error


class _Watch:
    """The streams of a running program: fed, read and bounded, until it ends."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes) -> None:
        self._process = process
        self._rest = memoryview(stdin)
        self.stdout = bytearray()
        self.stderr = bytearray()

    def until_end(self, program: str, timeout: float | None) -> None:
        """Raises TimedOutError where the time is up first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as selector, ExitStack() as held:
            pause = self._watch_end(selector, held)
            self._watch_streams(selector)
            while not _has_ended(self._process):
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise refusals.timed_out(program, timeout or 0)
                for key, _events in selector.select(min((wait for wait in (left, pause) if wait is not None), default=None)):
                    goes_on: Callable[[], bool] = key.data
                    if not goes_on():
                        selector.unregister(key.fd)
                        self._close_if_fed(key.fd)
        self._drain()

    def _watch_end(self, selector: selectors.BaseSelector, held: ExitStack) -> float | None:
        """Wake up when the program ends; without a pidfd, look every so many seconds."""
        try:
            fd = os.pidfd_open(self._process.pid)
        except OSError:
            return _POLL
        held.callback(os.close, fd)
        selector.register(fd, selectors.EVENT_READ, lambda: True)
        return None

    def _watch_streams(self, selector: selectors.BaseSelector) -> None:
        for stream, kept in ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream.fileno(), selectors.EVENT_READ, partial(_take, stream.fileno(), kept))
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
            selector.register(self._process.stdin.fileno(), selectors.EVENT_WRITE, self._feed)

    def _feed(self) -> bool:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return False
        try:
            self._rest = self._rest[os.write(stdin.fileno(), self._rest[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            self._rest = self._rest[:0]
        return bool(self._rest)

    def _close_if_fed(self, fd: int) -> None:
        """The program reads to the end of its input: close it as soon as all is written."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed and stdin.fileno() == fd:
            stdin.close()

    def _drain(self) -> None:
        """What the program wrote just before it ended."""
        for stream, kept in ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr)):
            for _ in range(_LAST // _CHUNK):
                if stream is None or not _take(stream.fileno(), kept, waits=False):
                    break


def _take(fd: int, kept: bytearray, *, waits: bool = True) -> bool:
    """Read what there is; whether to come again (`waits`: also where there is nothing at the moment)."""
    try:
        chunk = os.read(fd, _CHUNK)
    except BlockingIOError:
        return waits
    kept += chunk[: max(0, KEPT - len(kept))]
    return bool(chunk)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it is over; its number stays its own until it is waited for, so that it can still be signalled."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ask the program and all in its session to end, then make them."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal_session(process.pid, number)
        deadline = time.monotonic() + _GRACE
        while not _has_ended(process) and time.monotonic() < deadline:
            time.sleep(_POLL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)


def _signal_session(leader: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
    for member in _session(leader):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(member, number)


def _session(leader: int) -> list[int]:
    """The processes of a session that have left its first process group."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - beside os.kill
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - a file of the kernel
                # pid (name) state ppid pgrp session ...; the name may hold anything
                _state, _parent, group, session = file.read().rpartition(b")")[2].split()[:4]
                if int(session) == leader and int(group) != leader:
                    found.append(int(name))
    return found


def _code(returned: int) -> int:
    return returned if returned >= 0 else _SIGNALLED - returned
