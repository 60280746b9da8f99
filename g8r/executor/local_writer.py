"""Writing the file system of this machine.

A file or link is made under another name in the directory where it belongs, gets all that it must have, and is renamed. What a killed
run leaves behind is called `.g8r-DIGEST-RANDOM`, DIGEST being of the final name: the next write to the same path removes it.
Nothing is synced here. Whoever acknowledges a group of writes calls `sync` first ([A-durable]).
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import posixpath
import secrets
import stat
import threading
from collections.abc import Iterable
from contextlib import suppress

from g8r.executor import mounted, refusals, safe_path
from g8r.executor.local_reader import LISTED, LocalReader, Saying
from g8r.executor.safe_path import Descriptor

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LEFT = ".g8r-"
_SECURITY = "security.selinux"
_USER = "user."
_DEEPEST = 500
_ACCOUNTS = ("/etc/passwd", "/etc/group")

_libc = ctypes.CDLL(None, use_errno=True)


def sync(paths: Iterable[str]) -> None:
    """Make all writes to these paths outlast a power cut: one syncfs(2) for each file system that they are on."""
    synced: set[int] = set()
    for parent in sorted({posixpath.dirname(path) for path in paths}):
        fd = _nearest(parent)
        try:
            device = os.fstat(fd).st_dev
            if device not in synced and _libc.syncfs(fd) != 0:
                number = ctypes.get_errno()
                raise refusals.refusal(number, "syncing the file system of", parent, "root", os.strerror(number))
            synced.add(device)
        finally:
            os.close(fd)


def _nearest(directory: str) -> int:
    """The directory, or the nearest one above that is still there."""
    while True:
        try:
            return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            if directory == "/":
                raise
            directory = posixpath.dirname(directory)


class LocalWriter(LocalReader):
    def __init__(self) -> None:
        super().__init__()
        self._sweeping = threading.Lock()
        self._left: dict[tuple[int, int], dict[str, list[str]]] = {}
        """By directory (device, inode): what earlier runs left there, by digest; looked up once, before this one's first write."""

    def write(self, path: str, content: bytes, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        with Saying("writing", path, self._user), Descriptor(self._open_slot(path, "writing")) as directory:
            name = posixpath.basename(path)
            before = _lstat(name, directory)
            if before is not None and stat.S_ISDIR(before.st_mode):
                raise _os_error(errno.EISDIR)
            replaced = before if before is not None and stat.S_ISREG(before.st_mode) else None
            uid, gid = self._owners(owner, group, replaced)
            temporary = self._temporary(name, directory)
            # The owner-to-be may read it from fchown on, others from fchmod on; until then it is the agent's alone.
            fd = os.open(temporary, _CREATE, mode & 0o400 | 0o200, dir_fd=directory)
            try:
                with Descriptor(fd):
                    _fill(fd, content)
                    if replaced is not None:
                        _copy_context(name, directory, fd)
                    os.fchown(fd, uid, gid)
                    os.fchmod(fd, mode)
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                _discard(temporary, directory)
                raise
        self._changed(path)

    def make_directory(self, path: str, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        with Saying("making", path, self._user), Descriptor(self._open_slot(path, "making")) as directory:
            name = posixpath.basename(path)
            uid, gid = self._owners(owner, group, None)
            os.mkdir(name, 0o700, dir_fd=directory)
            try:
                with Descriptor(os.open(name, LISTED, dir_fd=directory)) as fd:
                    self._check_own(fd, path)
                    os.fchown(fd, uid, gid)
                    os.fchmod(fd, mode)
            except BaseException:
                with suppress(OSError):
                    os.rmdir(name, dir_fd=directory)
                raise

    def make_link(self, path: str, target: str, *, owner: str | None = None, group: str | None = None) -> None:
        with Saying("linking", path, self._user), Descriptor(self._open_slot(path, "linking")) as directory:
            name = posixpath.basename(path)
            uid, gid = self._owners(owner, group, None)
            temporary = self._temporary(name, directory)
            os.symlink(target, temporary, dir_fd=directory)
            try:
                with Descriptor(os.open(temporary, _LOOK, dir_fd=directory)) as fd:
                    self._check_own(fd, path)
                    _chown(fd, uid, gid)
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                _discard(temporary, directory)
                raise
        self._changed(path)

    def set_attributes(self, path: str, *, mode: int | None = None, owner: str | None = None, group: str | None = None) -> None:
        with (
            Saying("setting the attributes of", path, self._user),
            Descriptor(safe_path.open_path(path, _LOOK, self._uid)) as fd,
        ):
            before = os.fstat(fd)
            self._check_alone(before, path)
            is_link = stat.S_ISLNK(before.st_mode)
            if mode is not None and is_link:
                raise refusals.link_mode(path)
            _chown(fd, *self._owners(owner, group, before))
            wanted = stat.S_IMODE(before.st_mode) if mode is None else mode
            # chown takes setuid and setgid away; what was not asked for stays as it was.
            if not is_link and stat.S_IMODE(os.fstat(fd).st_mode) != wanted:
                os.chmod(_itself(fd), wanted)  # noqa: PTH101 - a descriptor
        self._changed(path)

    def remove(self, path: str) -> None:
        _check_not_root(path)
        with (
            Saying("removing", path, self._user),
            suppress(FileNotFoundError, NotADirectoryError),
            Descriptor(self._open_parent(path)) as directory,
        ):
            name = posixpath.basename(path)
            if stat.S_ISDIR(os.lstat(name, dir_fd=directory).st_mode):
                os.rmdir(name, dir_fd=directory)
            else:
                os.unlink(name, dir_fd=directory)
        self._changed(path)

    def remove_tree(self, path: str) -> None:
        _check_not_root(path)
        with Saying("removing", path, self._user):
            try:
                directory = self._open_parent(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            with Descriptor(directory):
                name = posixpath.basename(path)
                if _lstat(name, directory) is None:
                    return
                with Descriptor(os.open(name, LISTED, dir_fd=directory)) as fd:
                    mounted.check_none_below(fd)
                    _empty(fd, os.fstat(fd).st_dev, path)
                os.rmdir(name, dir_fd=directory)
        self._changed(path)

    # ---- within --------------------------------------------------------------------------------------------------------------

    def _open_slot(self, path: str, doing: str) -> int:
        """The directory to put something in."""
        if path == "/":
            raise _os_error(errno.EISDIR)
        try:
            return self._open_parent(path)
        except FileNotFoundError:
            raise refusals.no_parent(doing, path, posixpath.dirname(path)) from None

    def _open_parent(self, path: str) -> int:
        return safe_path.open_directory(posixpath.dirname(path), self._uid)

    def _owners(self, owner: str | None, group: str | None, before: os.stat_result | None) -> tuple[int, int]:
        """The ids that a path is to have: those given, else those that it has, else the agent's."""
        kept = (before.st_uid, before.st_gid) if before is not None else (self._uid, self._gid)
        return self._names.ids(owner, group, kept)

    def _temporary(self, name: str, directory: int) -> str:
        """A name that nobody can foresee, for what will be called `name`; what a killed run left under such a name is removed."""
        digest = hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()
        for stale in self._leftovers(directory).pop(digest, ()):
            _discard(stale, directory)
        return f"{_LEFT}{digest}-{secrets.token_hex(8)}"

    def _leftovers(self, directory: int) -> dict[str, list[str]]:
        found = os.fstat(directory)
        key = (found.st_dev, found.st_ino)
        known = self._left.get(key)
        if known is None:
            with self._sweeping:  # nobody writes in a directory before it was looked through, so what is found is not in use here
                known = self._left.get(key)
                if known is None:
                    known = self._left[key] = _leftovers(directory)
        return known

    def _check_own(self, fd: int, path: str) -> None:
        """What was just made is still what is there: in a directory of someone else they might have changed it for another."""
        if os.fstat(fd).st_uid != self._uid:
            raise refusals.swapped(path)

    def _check_alone(self, found: os.stat_result, path: str) -> None:
        """A hard link that others could have made is another name of a file that may be none of theirs."""
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            with Descriptor(self._open_parent(path)) as directory:
                if not safe_path.is_private(os.fstat(directory), self._uid):
                    raise refusals.hard_linked(path)

    def _changed(self, path: str) -> None:
        if path in _ACCOUNTS:
            self._names.forget()


def _check_not_root(path: str) -> None:
    if path == "/":
        raise refusals.root_removal()


def _lstat(name: str, directory: int) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return None


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _itself(fd: int) -> str:
    """A path that is the very file of a descriptor (O_PATH ones take no fchmod)."""
    return f"/proc/self/fd/{fd}"


def _chown(fd: int, uid: int, gid: int) -> None:
    found = os.fstat(fd)
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.chown(_itself(fd), uid, gid)


def _fill(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _copy_context(name: str, directory: int, fd: int) -> None:
    """Give the new file what the replaced one had for SELinux and for users. Capabilities and ACLs are of the old content: not."""
    old = f"{_itself(directory)}/{name}"
    try:
        attributes = os.listxattr(old, follow_symlinks=False)
    except OSError:  # a file system without them
        return
    for attribute in attributes:
        if attribute == _SECURITY or attribute.startswith(_USER):
            os.setxattr(fd, attribute, os.getxattr(old, attribute, follow_symlinks=False))


def _discard(name: str, directory: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=directory)


def _leftovers(directory: int) -> dict[str, list[str]]:
    left: dict[str, list[str]] = {}
    try:
        with Descriptor(os.open(".", LISTED, dir_fd=directory)) as fd:
            names = os.listdir(fd)  # noqa: PTH208 - of a descriptor
    except PermissionError:  # may be written but not listed
        names = []
    for name in names:
        if name.startswith(_LEFT):
            left.setdefault(name.removeprefix(_LEFT).partition("-")[0], []).append(name)
    return left


def _empty(directory: int, device: int, path: str, depth: int = 0) -> None:
    """Remove all in a directory."""
    if depth > _DEEPEST:
        raise refusals.too_deep(path)
    with os.scandir(directory) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=directory)
            continue
        below = f"{path}/{name}"
        with Descriptor(os.open(name, LISTED, dir_fd=directory)) as fd:
            if os.fstat(fd).st_dev != device:
                raise refusals.mounted(below)
            _empty(fd, device, below, depth + 1)
        os.rmdir(name, dir_fd=directory)
