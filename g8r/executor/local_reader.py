"""Reading the file system of this machine: the half of the Host port that never writes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from types import TracebackType

from g8r.executor import refusals, safe_path
from g8r.executor.local_names import LocalNames
from g8r.executor.safe_path import Descriptor
from g8r.host import FileType, Stat

_CHUNK = 1 << 20
_PAGE = 4096
# O_NONBLOCK: a pipe that nobody writes to must not hold the agent; it is refused right after.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = (FileNotFoundError, NotADirectoryError)
_TYPES: dict[int, FileType] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


class Saying:
    """A context that turns what the kernel refuses into a HostError: "no space left on device while writing /x"."""

    __slots__ = ("_doing", "_path", "_user")

    def __init__(self, doing: str, path: str, user: str) -> None:
        self._doing, self._path, self._user = doing, path, user

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            said = refusals.refusal(error.errno or 0, self._doing, self._path, self._user, os.strerror(error.errno or 0))
            raise said from error
        if isinstance(error, safe_path.PlantedLinkError):
            raise refusals.planted(self._doing, self._path, error.link) from error
        if isinstance(error, ValueError) and "\0" in self._path:
            raise refusals.refusal(errno.EINVAL, self._doing, repr(self._path), self._user, "a path holds no zero byte") from error


class LocalReader:
    def __init__(self) -> None:
        self._uid = os.geteuid()
        self._gid = os.getegid()
        self._names = LocalNames()
        self._user = self._names.of_ids(self._uid, self._gid)[0]

    def stat(self, path: str) -> Stat | None:
        with Saying("reading", path, self._user):
            try:
                with Descriptor(safe_path.open_path(path, os.O_PATH, self._uid)) as fd:
                    found = os.fstat(fd)
                    target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(found.st_mode) else None
            except _NOT_THERE:
                return None
            return self._stat(found, target)

    def look(self, path: str, limit: int) -> tuple[Stat, bytes | None] | None:
        """Of one file though its name may be given to another meanwhile, and with one walk along its path."""
        with Saying("reading", path, self._user):
            try:
                with Descriptor(safe_path.open_path(path, os.O_PATH, self._uid)) as fd:
                    found = os.fstat(fd)
                    content = None
                    if stat.S_ISREG(found.st_mode) and found.st_size <= limit:
                        with Descriptor(os.open(f"/proc/self/fd/{fd}", _READ & ~os.O_NOFOLLOW)) as readable:
                            content = _content(readable, found.st_size, None)
                    target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(found.st_mode) else None
            except _NOT_THERE:
                return None
            return self._stat(found, target), content

    def follow(self, path: str) -> Stat | None:
        with Saying("reading", path, self._user):
            try:
                with Descriptor(safe_path.open_followed(path, self._uid)) as fd:
                    return self._stat(os.fstat(fd), None)
            except _NOT_THERE:
                return None

    def read(self, path: str, limit: int | None = None) -> bytes:
        with Saying("reading", path, self._user), Descriptor(self._open_file(path)) as fd:
            return _content(fd, os.fstat(fd).st_size, limit)

    def checksum(self, path: str) -> str:
        with Saying("reading", path, self._user), Descriptor(self._open_file(path)) as fd:
            sha256 = hashlib.sha256()
            while chunk := os.read(fd, _CHUNK):
                sha256.update(chunk)
            return f"sha256:{sha256.hexdigest()}"

    def list(self, path: str) -> tuple[str, ...]:
        with (
            Saying("listing", path, self._user),
            Descriptor(safe_path.open_path(path, LISTED, self._uid)) as fd,
        ):
            return tuple(sorted(os.listdir(fd)))  # noqa: PTH208 - of a descriptor

    def _open_file(self, path: str) -> int:
        """A regular file, opened to be read."""
        fd = safe_path.open_path(path, _READ, self._uid)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise refusals.not_a_file(path)
        return fd

    def _stat(self, found: os.stat_result, target: str | None) -> Stat:
        mode = found.st_mode
        kind = _TYPES.get(stat.S_IFMT(mode), "other")
        owner, group = self._names.of_ids(found.st_uid, found.st_gid)
        return Stat(kind, mode & 0o7777, owner, group, found.st_size, target)


def _content(fd: int, size: int, limit: int | None) -> bytes:
    """All of a file, at most `limit` bytes; files of /proc say that their size is 0."""
    chunks: list[bytes] = []
    left = limit
    while left is None or left > 0:
        wanted = min(max(size + 1, _PAGE), _CHUNK)
        chunk = os.read(fd, wanted if left is None else min(wanted, left))
        if not chunk:
            break
        chunks.append(chunk)
        left = left if left is None else left - len(chunk)
        if 0 < size == len(chunk) < wanted:
            break
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
