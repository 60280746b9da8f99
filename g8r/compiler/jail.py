"""The kernel's part of confinement: starting a process that can open only the files it is given, and nothing of the network.

Landlock (Linux 5.13 and later, https://docs.kernel.org/userspace-api/landlock.html) needs no privileges and holds from the moment of
the start, through every exec and fork. It applies to a thread, and what a thread starts inherits it. So a thread of this process
confines itself, starts the child and ends; nothing runs between fork and exec, and no launcher stands in between (a Python one takes
15 ms, this takes less than one and the import of ctypes). A seccomp filter of that thread refuses sockets, io_uring (which can open
them) and reaching into other processes. What it does not do is hide that a file exists, or its size and times.

What is held where: files by Landlock 1; TCP by Landlock 4; signals to other processes and abstract sockets by Landlock 6; every kind of
socket by seccomp, on x86-64, AArch64 and RISC-V. `layer` says what there is, `g8r --version` shows it.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    import ctypes

T = TypeVar("T")

OFF: Final = "off"
"""What `G8R_JAIL` holds to do without the kernel; the scan of imports is strict then."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _MAKE_REG, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 14
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | 1 << 15
_FILE_RIGHTS: Final = ((1, (1 << 13) - 1), (2, 1 << 13), (3, _TRUNCATE), (5, 1 << 15))
"""The rights that each version of Landlock knows first: all of version 1, REFER, TRUNCATE, IOCTL_DEV."""
_TCP, _TCP_SINCE = 0b11, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _VERSION = 1, 1
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001
_X32: Final = 0x40000000
_SINCE_5: Final = (425, 438)
"""io_uring_setup and pidfd_getfd, of the same number everywhere."""
_GENERIC: Final = (198, 117, 270, 271, *_SINCE_5)
_MACHINES: Final = {
    "x86_64": (0xC000003E, (41, 101, 310, 311, *_SINCE_5)),
    "aarch64": (0xC00000B7, _GENERIC),
    "riscv64": (0xC00000F3, _GENERIC),
}
"""By machine: its name for seccomp; the numbers of socket, ptrace, process_vm_readv, process_vm_writev and of those above."""


class Jail(NamedTuple):  # and no Struct: `g8r --version` imports this, and no msgspec
    """What a process may do: read these files and folders, run these programs and libraries, list these folders, write in one folder."""

    read: tuple[Path, ...]
    run: tuple[Path, ...]
    look: tuple[Path, ...]
    write: Path


def landlock() -> int:
    """The version of the kernel's Landlock; 0 where there is none, or `G8R_JAIL` is off."""
    return 0 if os.environ.get("G8R_JAIL") == OFF else _landlock()


def layer() -> str:
    """What confines an evaluation here, for the user."""
    version = landlock()
    if version:
        return f"the kernel (Landlock {version}{', seccomp' if os.uname().machine in _MACHINES else ''})"
    why = "G8R_JAIL is off" if os.environ.get("G8R_JAIL") == OFF else "this kernel has no Landlock"
    return f"the check of its imports alone ({why})"


def start(jail: Jail, begin: Callable[[], T]) -> T:
    """What `begin` gives, or raises. The processes it starts are confined for good; this one is not.

    Raises OSError where the kernel refuses to confine. `landlock` must have said that it can.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def confined() -> None:
        try:
            _confine(jail)
            result.append(begin())
        except BaseException as broken:  # noqa: BLE001 raised again, in the thread of the caller
            failure.append(broken)

    thread = threading.Thread(target=confined, name="jail")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def runs_alone(program: Path) -> bool:
    """Whether a program is one binary, that runs without starting others: a script would need its interpreter, and who knows what."""
    with program.open("rb") as file:
        return file.read(4) == b"\x7fELF"


@cache
def _landlock() -> int:
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return _syscall(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def _confine(jail: Jail) -> None:
    """Confine this thread, for as long as it lives."""
    version = landlock()
    rights = sum(added for since, added in _FILE_RIGHTS if version >= since)
    attributes = struct.pack("=QQQ", rights, _TCP if version >= _TCP_SINCE else 0, _SCOPES if version >= _SCOPES_SINCE else 0)
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _TCP_SINCE else 8
    ruleset = _syscall(_CREATE_RULESET, attributes, size, 0)
    try:
        for path, allowed in _rules(jail):
            _allow(ruleset, path, allowed & rights)
        _prctl(_SET_NO_NEW_PRIVS, 1)
        _syscall(_RESTRICT_SELF, ruleset, 0, None)
    finally:
        os.close(ruleset)
    _refuse_calls()


def _rules(jail: Jail) -> Iterator[tuple[Path, int]]:
    for path in jail.read:
        yield path, _READ_FILE
    for path in jail.run:
        yield path, _READ_FILE | _READ_DIR | _EXECUTE
    for path in jail.look:
        yield path, _READ_DIR
    yield jail.write, _READ_FILE | _READ_DIR | _WRITE_FILE | _MAKE_REG | _TRUNCATE


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Allow something for a file, or for everything below a folder. What is not there needs no rule."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _OF_FILES
        _syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
    finally:
        os.close(opened)


def _refuse_calls() -> None:
    """Refuse sockets and the like with EPERM. Where seccomp cannot be had, Landlock alone must do."""
    if os.uname().machine not in _MACHINES:
        return
    machine, numbers = _MACHINES[os.uname().machine]
    program = b"".join(struct.pack("=HBBI", *step) for step in _program(machine, numbers))
    import ctypes  # noqa: PLC0415 2 ms that only a start pays

    kept = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    try:
        _prctl(_SET_SECCOMP, _SECCOMP_FILTER, filter_)
    except OSError:
        return


def _program(machine: int, numbers: Iterable[int]) -> Iterator[tuple[int, int, int, int]]:
    """The filter, as BPF: code, jump if true, jump if false, operand (linux/bpf_common.h). Another machine's calls are refused, all."""
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    yield load, 0, 0, 4
    yield equal, 1, 0, machine
    yield answer, 0, 0, _REFUSE
    yield load, 0, 0, 0
    yield at_least, 0, 1, _X32
    yield answer, 0, 0, _REFUSE
    for number in numbers:
        yield equal, 0, 1, number
        yield answer, 0, 0, _REFUSE
    yield answer, 0, 0, _ALLOW


@cache
def _libc() -> ctypes.CDLL:
    import ctypes  # noqa: PLC0415 2 ms that only a start pays

    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    """Raises OSError."""
    import ctypes  # noqa: PLC0415 loaded with the library

    wide = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    return _checked(_libc().syscall(ctypes.c_long(number), *wide))


def _prctl(option: int, argument: int, more: bytes | None = None) -> None:
    """Raises OSError."""
    import ctypes  # noqa: PLC0415 loaded with the library

    _checked(_libc().prctl(option, ctypes.c_ulong(argument), more, None, None))


def _checked(result: int) -> int:
    import ctypes  # noqa: PLC0415 loaded with the library

    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
