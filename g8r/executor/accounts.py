"""/etc/passwd and /etc/group as text, parsed. Lines that are no accounts (comments, NIS markers, broken ones) are passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from g8r.host import Account, AccountGroup

_PASSWD_FIELDS = 7
_GROUP_FIELDS = 4


class Names(msgspec.Struct, frozen=True):
    """Who is known on a host, by name and by id. Of two lines with one name or one id the first counts, as in the C library."""

    accounts: Mapping[str, Account]
    groups: Mapping[str, AccountGroup]
    user_names: Mapping[int, str]
    group_names: Mapping[int, str]

    def owner(self, uid: int) -> str:
        """The name of a uid, or the decimal id without one."""
        return self.user_names.get(uid) or str(uid)

    def group(self, gid: int) -> str:
        return self.group_names.get(gid) or str(gid)

    def uid(self, owner: str) -> int | None:
        """The uid of a name or decimal id; None where nobody has the name."""
        account = self.accounts.get(owner)
        if account is not None:
            return account.uid
        return int(owner) if owner.isdecimal() else None

    def gid(self, group: str) -> int | None:
        found = self.groups.get(group)
        if found is not None:
            return found.gid
        return int(group) if group.isdecimal() else None

    def groups_of(self, name: str) -> frozenset[int]:
        """All gids of an account: its primary group and those that list it."""
        account = self.accounts.get(name)
        primary = {account.gid} if account else set()
        return frozenset(primary | {group.gid for group in self.groups.values() if name in group.members})


def parse(passwd: bytes, group: bytes) -> Names:
    groups: dict[str, AccountGroup] = {}
    for found in _groups(group):
        groups.setdefault(found.name, found)
    group_names: dict[int, str] = {}
    for found in groups.values():
        group_names.setdefault(found.gid, found.name)
    accounts: dict[str, Account] = {}
    user_names: dict[int, str] = {}
    for name, uid, gid, comment, home, shell in _accounts(passwd):
        account = Account(name, uid, gid, group_names.get(gid) or str(gid), comment, home, shell)
        accounts.setdefault(name, account)
        user_names.setdefault(uid, name)
    return Names(accounts, groups, user_names, group_names)


def _accounts(passwd: bytes) -> Iterator[tuple[str, int, int, str, str, str]]:
    for fields in _lines(passwd, _PASSWD_FIELDS):
        name, _password, uid, gid, comment, home, shell = fields
        if uid.isdecimal() and gid.isdecimal():
            yield name, int(uid), int(gid), comment, home, shell


def _groups(group: bytes) -> Iterator[AccountGroup]:
    for fields in _lines(group, _GROUP_FIELDS):
        name, _password, gid, members = fields
        if gid.isdecimal():
            yield AccountGroup(name, int(gid), tuple(member for member in members.split(",") if member))


def _lines(content: bytes, count: int) -> Iterator[list[str]]:
    for line in content.decode("utf-8", "replace").splitlines():
        fields = line.strip().split(":")
        if len(fields) == count and fields[0] and fields[0][0] not in "#+-":
            yield fields
