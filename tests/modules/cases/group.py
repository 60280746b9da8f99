"""Cases of the kind `group`."""

from __future__ import annotations

import functools

from case import Case

from g8r.executor.fake_host import FakeHost

case = functools.partial(Case, kind="group")


def group(name: str, gid: int, members: str = "") -> functools.partial[None]:
    return functools.partial(_group, name, gid, members)


def _group(name: str, gid: int, members: str, host: FakeHost) -> None:
    host.place("/etc/group", host.read("/etc/group").decode() + f"{name}:x:{gid}:{members}\n")


def _number(expected: int, host: FakeHost) -> None:
    assert host.groups()["deploy"].gid == expected


CASES = [
    case(name="a new group", params={"name": "deploy"}, verdict="create", check=functools.partial(_number, 1000)),
    case(
        name="a new group with its number", params={"name": "deploy", "gid": 2000}, verdict="create", check=functools.partial(_number, 2000)
    ),
    case(name="a new system group", params={"name": "deploy", "system": True}, verdict="create", check=functools.partial(_number, 999)),
    case(name="as wanted", params={"name": "deploy", "gid": 2000}, arrange=group("deploy", 2000), verdict="unchanged"),
    case(name="any number will do", params={"name": "deploy", "system": True}, arrange=group("deploy", 2000), verdict="unchanged"),
    case(
        name="another number",
        params={"name": "deploy", "gid": 2000},
        arrange=group("deploy", 1500, "www-data"),
        verdict="update",
        says="files of group 1500 keep that number",
        check=functools.partial(_number, 2000),
    ),
    case(name="a number that is taken", params={"name": "deploy", "gid": 27}, verdict="create", fails="GID '27' already exists"),
    case(name="absent already", params={"name": "deploy", "ensure": "absent"}, verdict="unchanged"),
    case(name="to be absent", params={"name": "deploy", "ensure": "absent"}, arrange=group("deploy", 1500), verdict="delete"),
    case(
        name="to be absent and needed",
        params={"name": "www-data", "ensure": "absent"},
        verdict="delete",
        fails="cannot remove the primary group of user 'www-data'",
    ),
    case(name="without root", params={"name": "deploy"}, user="ada", verdict="blocked", says="only root may manage groups"),
    case(name="without root, as wanted", params={"name": "sudo"}, user="ada", verdict="unchanged"),
]
