"""Directories opened so that nobody less privileged can lead the agent elsewhere.

Every component is opened from the directory before it, and a link is followed only if nobody but root and the agent's own user can have
put it there: both the link and the directory that holds it are theirs, and nobody else may write in that directory. `/var/run -> /run`
passes, a link in /tmp or in a user's home does not. What comes back is a descriptor: it stays the directory that was
walked, whatever is renamed meanwhile.

Where no link is on the way, openat2(2) with RESOLVE_NO_SYMLINKS walks it all in one call (Linux 5.6). Where there is one, or the kernel
or a sandbox does not have that call, the walk by hand decides.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable

_OPENAT2 = 437  # the same number on every architecture that Debian has
_AT_FDCWD = -100
_NO_LINKS = 0x04 | 0x02  # RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_ANYTHING = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLLOWED = 40  # links in one path, as in Linux
_OTHERS_WRITE = 0o022
_CERTAIN = {errno.ENOENT, errno.ENOTDIR, errno.EACCES}  # no link was met before these

_hows: dict[int, bytes] = {}

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
_syscall.restype = ctypes.c_long


class Descriptor:
    """A context that closes a descriptor in the end."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_error: object) -> None:
        os.close(self._fd)


class PlantedLinkError(Exception):
    """A link on the way could be someone else's. `link` is its path."""

    def __init__(self, link: str) -> None:
        super().__init__(link)
        self.link = link


def open_directory(path: str, uid: int) -> int:
    """A descriptor (O_PATH) of the directory at an absolute path, for an agent that runs as `uid`. The caller closes it.

    Raises OSError as open(2) does, and PlantedLinkError.
    """
    found = _open_without_links(path, _DIRECTORY)
    return _walk(path, uid, through_last=False) if found is None else found


def open_path(path: str, flags: int, uid: int) -> int:
    """A descriptor of what is at an absolute path, opened with `flags` of open(2), never through a link there."""
    found = _open_without_links(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    if found is not None:
        return found
    parent, _, name = path.rpartition("/")
    with Descriptor(open_directory(parent or "/", uid)) as directory:
        return os.open(name or ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)


def open_followed(path: str, uid: int) -> int:
    """A descriptor (O_PATH) of whatever a path finally names: links in the last component are followed whoever made them."""
    return _walk(path, uid, through_last=True)


def is_private(directory: os.stat_result, uid: int) -> bool:
    """Whether only root and `uid` can put anything into a directory."""
    return directory.st_uid in {0, uid} and not directory.st_mode & _OTHERS_WRITE


def _open_without_links(path: str, flags: int) -> int | None:
    """None where this call cannot tell."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise OSError(errno.EINVAL, "a path holds no zero byte", path)
    how = _hows.get(flags)
    if how is None:
        how = _hows[flags] = struct.pack("QQQ", flags, 0, _NO_LINKS)  # struct open_how
    found: int = _syscall(_OPENAT2, _AT_FDCWD, name, how, len(how))
    if found >= 0:
        return found
    number = ctypes.get_errno()
    if number in _CERTAIN:
        raise OSError(number, os.strerror(number), path)
    return None


class _Way:
    """The directories walked so far, the root first; what is opened is closed at the end, but for what `leave` hands out."""

    def __init__(self) -> None:
        self.fds = [os.open("/", _DIRECTORY)]
        self.names: list[str] = []

    @property
    def here(self) -> int:
        return self.fds[-1]

    def enter(self, fd: int, name: str) -> None:
        self.fds.append(fd)
        self.names.append(name)

    def up(self, levels: int = 1) -> None:
        for _ in range(min(levels, len(self.names))):
            os.close(self.fds.pop())
            self.names.pop()

    def to_root(self) -> None:
        self.up(len(self.names))

    def leave(self) -> int:
        return self.fds.pop()

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)

    def path(self, name: str) -> str:
        return "/" + "/".join([*self.names, name])


def _walk(path: str, uid: int, *, through_last: bool) -> int:
    way = _Way()
    try:
        pending, links = list(_reversed_parts(path)), 0
        while pending:
            part = pending.pop()
            if part == "..":
                way.up()
                continue
            last = through_last and not pending
            fd = _open_component(part, way.here, last=last)
            target = _target(fd)
            if target is None:
                way.enter(fd, part)
                continue
            try:
                links += 1
                if links > _FOLLOWED:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if not last and not _is_trusted(fd, way.here, uid):
                    raise PlantedLinkError(way.path(part))
            finally:
                os.close(fd)
            pending.extend(_reversed_parts(target))
            if target.startswith("/"):
                way.to_root()
        return way.leave()
    finally:
        way.close()


def _open_component(name: str, directory: int, *, last: bool) -> int:
    """A directory or a link (or, at the end, anything)."""
    if not last:
        try:
            return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)  # O_DIRECTORY wakes automounts
        except NotADirectoryError:
            pass
    fd = os.open(name, _ANYTHING, dir_fd=directory)
    kind = os.fstat(fd).st_mode
    if last or stat.S_ISLNK(kind) or stat.S_ISDIR(kind):
        return fd
    os.close(fd)
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)


def _target(fd: int) -> str | None:
    """Where a descriptor of a link points; None of anything else."""
    return os.readlink("", dir_fd=fd) if stat.S_ISLNK(os.fstat(fd).st_mode) else None


def _is_trusted(link: int, directory: int, uid: int) -> bool:
    return os.fstat(link).st_uid in {0, uid} and is_private(os.fstat(directory), uid)


def _reversed_parts(path: str) -> Iterable[str]:
    return (part for part in reversed(path.split("/")) if part not in {"", "."})
