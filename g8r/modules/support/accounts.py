"""Accounts: /etc/shadow as far as a State may know it, and the programs of the passwd package.

Format of /etc/shadow: shadow(5). A hash that begins with `!` is locked; nothing but `!` is no password at all. Days are
counted from 1970-01-01.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from g8r.change import Failed
from g8r.host import AccountGroup, Host, HostError
from g8r.modules.support.programs import failed
from g8r.value import digest

AccountNumber: TypeAlias = Annotated[int, Meta(ge=0, le=4294967294)]
"""A uid or gid; the largest 32 bit number means "none" to the kernel."""

_EPOCH: Final = dt.date(1970, 1, 1)


class Secret(msgspec.Struct, frozen=True):
    """A line of /etc/shadow: the hash without its lock, `""` where there is none; expires is a date or `never`."""

    hash: str
    locked: bool
    expires: str


NO_SHADOW: Final = Secret("", locked=False, expires="never")
"""Of a user without a line in /etc/shadow."""


def read_shadow(host: Host) -> Mapping[str, Secret] | None:
    """By name; None where this agent may not read it."""
    try:
        raw = host.read("/etc/shadow")
    except HostError:
        return None
    lines = (line.split(":") for line in raw.decode("utf-8", "replace").splitlines())
    return {fields[0]: _secret(fields) for fields in lines if len(fields) > _EXPIRES}


_EXPIRES: Final = 7


def _secret(fields: Sequence[str]) -> Secret:
    text, days = fields[1], fields[_EXPIRES]
    expires = (_EPOCH + dt.timedelta(days=int(days))).isoformat() if days.isdigit() else "never"
    return Secret(text.removeprefix("!"), text.startswith("!"), expires)


def digest_of_hash(text: str) -> str:
    """What a State holds of a password hash: nothing that could be tried against a log-in. No password, and `*`, are no secrets."""
    return text if text in {"", "*", "!"} else digest(text.encode())


def memberships(groups: Mapping[str, AccountGroup]) -> Mapping[str, tuple[str, ...]]:
    """The groups that list each user, sorted."""
    found: dict[str, list[str]] = {}
    for group in sorted(groups.values(), key=lambda group: group.name):
        for member in group.members:
            found.setdefault(member, []).append(group.name)
    return {name: tuple(listed) for name, listed in found.items()}


def default_shell(host: Host) -> str | None:
    """The shell that `useradd` gives; None where it does not tell."""
    try:
        ran = host.run(("useradd", "-D"), changes=False)
    except HostError:
        return None
    settings = dict(line.partition("=")[::2] for line in ran.text.splitlines())
    return settings.get("SHELL") or None


def run(argv: Sequence[str], host: Host) -> Failed | None:
    """A program that changes accounts; None where it worked."""
    ran = host.run(argv)
    return None if ran.code == 0 else failed(argv, ran, f"{argv[0]} failed")


def set_password(name: str, hashed: str, host: Host, *, locked: bool) -> Failed | None:
    """Put a hash, locked or not, in one step; it goes by stdin, so that no process list shows it."""
    ran = host.run(("chpasswd", "--encrypted"), stdin=f"{name}:{'!' if locked else ''}{hashed}\n".encode())
    return None if ran.code == 0 else Failed(f"chpasswd does not take the password hash of {name} (exit code {ran.code})")


def set_lock(name: str, host: Host, *, locked: bool) -> Failed | None:
    """Lock or unlock the password that is there. usermod exits 0 where there is none to unlock, so it is looked at again."""
    failure = run(("usermod", "--lock" if locked else "--unlock", name), host)
    if failure is not None or locked:
        return failure
    shadow = read_shadow(host) or {}
    if shadow.get(name, NO_SHADOW).locked:
        return Failed(f"{name} has no password that could be unlocked: give password, or leave out locked")
    return None
