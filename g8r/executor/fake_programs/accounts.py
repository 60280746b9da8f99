"""useradd, usermod, userdel, groupadd, groupmod, groupdel, gpasswd, chpasswd: they edit the account files.

They refuse what those of Debian 12 refuse. Exit codes and words were taken from passwd 4.13:
3 bad argument, 4 number taken, 6 no such account, 8 still in use, 9 name taken.
"""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from g8r.executor.fake_host import FakeHost, Invocation, Program
from g8r.host import Ran

_EPOCH = dt.date(1970, 1, 1)
_FIRST, _LIMIT = 1000, 60000
_NAME = re.compile(r"^[a-z_][a-z0-9_-]*\$?$")


class Refused(Exception):  # noqa: N818 - the program refused; an exit code, not an error of ours
    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class _Files(msgspec.Struct):
    """The account files while a program works on them: lines as lists of fields, by name."""

    passwd: dict[str, list[str]]
    group: dict[str, list[str]]
    shadow: dict[str, list[str]]


def _load(host: FakeHost) -> _Files:
    def rows(path: str) -> dict[str, list[str]]:
        text = host.read(path).decode() if host.stat(path) else ""
        return {line.split(":")[0]: line.split(":") for line in text.splitlines() if line}

    return _Files(rows("/etc/passwd"), rows("/etc/group"), rows("/etc/shadow"))


def _save(host: FakeHost, files: _Files) -> None:
    for path, rows, mode in (("passwd", files.passwd, 0o644), ("group", files.group, 0o644), ("shadow", files.shadow, 0o640)):
        text = "".join(":".join(row) + "\n" for row in rows.values()).encode()
        if host.stat(f"/etc/{path}") is None or host.read(f"/etc/{path}") != text:
            host.write(f"/etc/{path}", text, mode=mode)


class _Arguments(msgspec.Struct, frozen=True):
    name: str
    flags: frozenset[str]
    values: Mapping[str, str]


def _parse(argv: Sequence[str], valued: frozenset[str]) -> _Arguments:
    """Long options, as g8r writes them; a value is a word of its own."""
    flags, values, names = set(), {}, []
    words = iter(argv[1:])
    for word in words:
        if word in valued:
            values[word] = next(words)
        elif word.startswith("-") and word != "--":
            flags.add(word)
        elif word != "--":
            names.append(word)
    if len(names) != 1:
        raise Refused(2, "no options" if not names else "too many arguments")
    return _Arguments(names[0], frozenset(flags), values)


def _program(act: Callable[[FakeHost, _Files, Invocation], None]) -> Callable[[FakeHost, Invocation], Ran]:
    def run(host: FakeHost, call: Invocation) -> Ran:
        name = posixpath.basename(call.argv[0])
        if not host.privileged:
            return Ran(1, b"", f"{name}: Permission denied.\n{name}: cannot lock /etc/passwd; try again later.\n".encode())
        files = _load(host)
        try:
            act(host, files, call)
        except Refused as refusal:
            return Ran(refusal.code, b"", f"{name}: {refusal}\n".encode())
        _save(host, files)
        return Ran(0, b"", b"")

    return run


# ---- groups -----------------------------------------------------------------------------------------------------------------


def _gids(files: _Files) -> set[int]:
    return {int(row[2]) for row in files.group.values()}


def _free(taken: set[int], *, system: bool) -> int:
    """As useradd chooses: people upwards from 1000, system accounts downwards from 999."""
    if system:
        return next(number for number in range(_FIRST - 1, 99, -1) if number not in taken)
    return max([_FIRST - 1, *(number for number in taken if _FIRST <= number < _LIMIT)]) + 1


def _find_group(files: _Files, group: str) -> str:
    for name, row in files.group.items():
        if group in {name, row[2]}:
            return name
    raise Refused(6, f"group '{group}' does not exist")


def _groupadd(_host: FakeHost, files: _Files, call: Invocation) -> None:
    given = _parse(call.argv, frozenset({"--gid", "-g"}))
    if not _NAME.match(given.name):
        raise Refused(3, f"'{given.name}' is not a valid group name")
    if given.name in files.group:
        raise Refused(9, f"group '{given.name}' already exists")
    number = int(given.values.get("--gid") or _free(_gids(files), system="--system" in given.flags))
    if number in _gids(files):
        raise Refused(4, f"GID '{number}' already exists")
    files.group[given.name] = [given.name, "x", str(number), ""]


def _groupmod(_host: FakeHost, files: _Files, call: Invocation) -> None:
    given = _parse(call.argv, frozenset({"--gid"}))
    row = files.group[_named(given.name, files.group, "group")]
    if given.values["--gid"] == row[2]:
        return
    if int(given.values["--gid"]) in _gids(files):
        raise Refused(4, f"GID '{given.values['--gid']}' already exists")
    for account in files.passwd.values():
        if account[3] == row[2]:
            account[3] = given.values["--gid"]
    row[2] = given.values["--gid"]


def _groupdel(_host: FakeHost, files: _Files, call: Invocation) -> None:
    name = _named(_parse(call.argv, frozenset()).name, files.group, "group")
    for account in files.passwd.values():
        if account[3] == files.group[name][2]:
            raise Refused(8, f"cannot remove the primary group of user '{account[0]}'")
    del files.group[name]


def _gpasswd(_host: FakeHost, files: _Files, call: Invocation) -> None:
    act, user, group = call.argv[1:4]
    members = _members(files, _named(group, files.group, "group"))
    if user not in files.passwd:
        raise Refused(3, f"user '{user}' does not exist")
    if act == "-d" and user not in members:
        raise Refused(3, f"user '{user}' is not a member of '{group}'")
    files.group[group][3] = ",".join([*(member for member in members if member != user), *([user] if act == "-a" else [])])


def _named(name: str, rows: Mapping[str, object], what: str) -> str:
    if name not in rows:
        raise Refused(6, f"{what} '{name}' does not exist")
    return name


def _members(files: _Files, group: str) -> list[str]:
    return [member for member in files.group[group][3].split(",") if member]


def _join(files: _Files, user: str, groups: str) -> None:
    """Make these all the supplementary groups of a user."""
    wanted = {_find_group(files, group) for group in groups.split(",") if group}
    for name, row in files.group.items():
        others = [member for member in _members(files, name) if member != user]
        there = user in _members(files, name)
        if there != (name in wanted):
            row[3] = ",".join([*others, user] if name in wanted else others)


# ---- users ------------------------------------------------------------------------------------------------------------------

_USER_VALUES = frozenset({"--uid", "--gid", "--groups", "--home-dir", "--home", "--shell", "--comment", "--expiredate"})


def _useradd(host: FakeHost, call: Invocation) -> Ran:
    if call.argv[1:] == ("-D",):
        return Ran(
            0, b"GROUP=100\nHOME=/home\nINACTIVE=-1\nEXPIRE=\nSHELL=/bin/sh\nSKEL=/etc/skel\nCREATE_MAIL_SPOOL=no\nLOG_INIT=yes\n", b""
        )
    return _program(_add_user)(host, call)


def _add_user(host: FakeHost, files: _Files, call: Invocation) -> None:
    given = _parse(call.argv, _USER_VALUES)
    name, system = given.name, "--system" in given.flags
    if not _NAME.match(name):
        raise Refused(3, f"invalid user name '{name}': use --badname to ignore")
    _check(given)
    if name in files.passwd:
        raise Refused(9, f"user '{name}' already exists")
    taken = {int(row[2]) for row in files.passwd.values()}
    uid = int(given.values.get("--uid") or _free(taken, system=system))
    if uid in taken:
        raise Refused(4, f"UID {uid} is not unique")
    if "--gid" in given.values:
        gid = files.group[_find_group(files, given.values["--gid"])][2]
    else:
        if name in files.group:
            raise Refused(9, f"group {name} exists - if you want to add this user to that group, use -g.")
        gid = str(uid if uid not in _gids(files) else _free(_gids(files), system=system))
        files.group[name] = [name, "x", gid, ""]
    home = given.values.get("--home-dir", f"/home/{name}")
    files.passwd[name] = [name, "x", str(uid), gid, given.values.get("--comment", ""), home, given.values.get("--shell", "/bin/sh")]
    files.shadow[name] = [name, "!", "20000", *(("", "", "") if system else ("0", "99999", "7")), "", _days(given.values), ""]
    _join(files, name, given.values.get("--groups", ""))
    _save(host, files)
    if "--create-home" in given.flags and host.stat(home) is None:
        _make_home(host, home, name)


def _make_home(host: FakeHost, home: str, name: str) -> None:
    host.place_directory(posixpath.dirname(home)) if host.stat(posixpath.dirname(home)) is None else None
    account = host.accounts()[name]
    host.make_directory(home, mode=0o755, owner=name, group=account.group)
    for skeleton in host.list("/etc/skel"):
        host.write(posixpath.join(home, skeleton), host.read(f"/etc/skel/{skeleton}"), mode=0o644, owner=name, group=account.group)


def _usermod(host: FakeHost, files: _Files, call: Invocation) -> None:
    given = _parse(call.argv, _USER_VALUES)
    row = files.passwd[_named(given.name, files.passwd, "user")]
    _check(given)
    secret = files.shadow.setdefault(given.name, [given.name, "!", "20000", "0", "99999", "7", "", "", ""])
    uid = given.values.get("--uid", row[2])
    if uid != row[2] and any(other[2] == uid for other in files.passwd.values()):
        raise Refused(4, f"UID '{uid}' already exists")
    if "--gid" in given.values:
        row[3] = files.group[_find_group(files, given.values["--gid"])][2]
    if "--groups" in given.values:
        _join(files, given.name, given.values["--groups"])
    old_home, row[2] = row[5], uid
    for option, place in (("--comment", 4), ("--home", 5), ("--shell", 6)):
        row[place] = given.values.get(option, row[place])
    if "--expiredate" in given.values:
        secret[7] = _days(given.values)
    if "--lock" in given.flags and not secret[1].startswith("!"):
        secret[1] = f"!{secret[1]}"
    if "--unlock" in given.flags and len(secret[1]) > 1:
        secret[1] = secret[1].removeprefix("!")
    if "--move-home" in given.flags and host.stat(old_home) is not None:
        _save(host, files)
        _move(host, old_home, row[5], given.name)


def _move(host: FakeHost, old: str, new: str, name: str) -> None:
    account = host.accounts()[name]
    host.make_directory(new, mode=0o755, owner=name, group=account.group)
    for entry in host.list(old):
        host.write(f"{new}/{entry}", host.read(f"{old}/{entry}"), mode=0o644, owner=name, group=account.group)
    host.remove_tree(old)


def _userdel(host: FakeHost, files: _Files, call: Invocation) -> None:
    given = _parse(call.argv, frozenset())
    row = files.passwd.pop(_named(given.name, files.passwd, "user"))
    files.shadow.pop(given.name, None)
    _join(files, given.name, "")
    own = files.group.get(given.name)
    if own is not None and own[2] == row[3] and not own[3] and all(other[3] != own[2] for other in files.passwd.values()):
        del files.group[given.name]
    if "--remove" in given.flags and host.stat(row[5]) is not None:
        host.remove_tree(row[5])


def _check(given: _Arguments) -> None:
    if ":" in given.values.get("--comment", ""):
        raise Refused(3, f"invalid comment '{given.values['--comment']}'")
    for option, what in (("--shell", "shell"), ("--home-dir", "home directory")):
        if not given.values.get(option, "/").startswith("/"):
            raise Refused(3, f"invalid {what} '{given.values[option]}'")


def _days(values: Mapping[str, str]) -> str:
    date = values.get("--expiredate", "")
    return str((dt.date.fromisoformat(date) - _EPOCH).days) if date else ""


def _chpasswd(_host: FakeHost, files: _Files, call: Invocation) -> None:
    if not {"-e", "--encrypted"} & set(call.argv):
        raise Refused(1, "this fake takes hashes only")
    for number, line in enumerate(call.stdin.decode().splitlines(), 1):
        name, _, hashed = line.partition(":")
        if name not in files.passwd:
            raise Refused(1, f"line {number}: user '{name}' does not exist")
        files.shadow[name][1] = hashed


def _asks(argv: Sequence[str]) -> bool:
    return tuple(argv[1:]) == ("-D",)


PROGRAMS: dict[str, Program] = {
    "useradd": Program(_useradd, reads=_asks),
    "usermod": Program(_program(_usermod)),
    "userdel": Program(_program(_userdel)),
    "groupadd": Program(_program(_groupadd)),
    "groupmod": Program(_program(_groupmod)),
    "groupdel": Program(_program(_groupdel)),
    "gpasswd": Program(_program(_gpasswd)),
    "chpasswd": Program(_program(_chpasswd)),
}
