"""Who is known on this machine: /etc/passwd and /etc/group, read again when they change.

Whether they changed is looked up at most every FRESH seconds, but at once after `forget`, which is called after all that this agent does:
two thousand files have four thousand owners to be named.

Behind them stands the C library, for those who are known only there (LDAP and the like).
"""

from __future__ import annotations

import grp
import os
import pwd
import time
from typing import Final

import msgspec

from g8r.executor import refusals
from g8r.executor.accounts import Names, parse
from g8r.host import Account

_PASSWD = "/etc/passwd"  # noqa: S105 - a path
_GROUP = "/etc/group"

FRESH: Final = 0.005
"""Seconds; what another program adds meanwhile is seen by the next look."""

_Version = tuple[int, int, int]


class _Known(msgspec.Struct):
    """One reading of both files; the two dicts grow with what the C library is asked."""

    version: tuple[_Version, _Version]
    seen: float
    names: Names
    owners: dict[int, str]
    groups: dict[int, str]


class LocalNames:
    """Thread-safe: a reading is replaced as a whole, and its two dicts only ever gain what is true."""

    def __init__(self) -> None:
        self._known: _Known | None = None

    def forget(self) -> None:
        """Read again next time, though the files look the same: they may have been written twice within one tick of the clock."""
        self._known = None

    def names(self) -> Names:
        return self._current().names

    def account(self, name: str) -> Account | None:
        found = self.names().accounts.get(name)
        if found is not None:
            return found
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        uid, gid = entry.pw_uid, entry.pw_gid
        return Account(name, uid, gid, self.of_ids(uid, gid)[1], entry.pw_gecos, entry.pw_dir, entry.pw_shell)

    def of_ids(self, uid: int, gid: int) -> tuple[str, str]:
        """The names of an owner and a group, or their decimal ids."""
        known = self._current()
        owner = known.owners.get(uid)
        if owner is None:
            owner = known.owners[uid] = known.names.user_names.get(uid) or _library_owner(uid)
        group = known.groups.get(gid)
        if group is None:
            group = known.groups[gid] = known.names.group_names.get(gid) or _library_group(gid)
        return owner, group

    def ids(self, owner: str | None, group: str | None, kept: tuple[int, int]) -> tuple[int, int]:
        """The ids of an owner and a group; of those that are None, the one of `kept`."""
        if owner is None and group is None:
            return kept
        names = self._current().names
        uid, gid = kept
        if owner is not None:
            found = names.uid(owner)
            uid = _library_uid(owner) if found is None else found
        if group is not None:
            found = names.gid(group)
            gid = _library_gid(group) if found is None else found
        return uid, gid

    def _current(self) -> _Known:
        known, now = self._known, time.monotonic()
        if known is not None and now - known.seen < FRESH:
            return known
        version = (_version(_PASSWD), _version(_GROUP))
        if known is None or known.version != version:
            known = _Known(version, now, parse(_content(_PASSWD), _content(_GROUP)), {}, {})
            self._known = known
        known.seen = now
        return known


def _version(path: str) -> _Version:
    try:
        found = os.stat(path)  # noqa: PTH116 - in every call; a Path would cost more than the call
    except FileNotFoundError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return file.read()
    except FileNotFoundError:
        return b""


def _library_owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _library_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _library_uid(owner: str) -> int:
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise refusals.no_user(owner) from None


def _library_gid(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise refusals.no_group(group) from None
