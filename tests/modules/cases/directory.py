"""Cases of the kind `directory`."""

from __future__ import annotations

import functools

from case import Case, Entry, folder, link, text

case = functools.partial(Case, kind="directory")

TREE = {
    "/srv/app": folder(0o755),
    "/srv/app/bin": folder(0o700),
    "/srv/app/bin/run": text("#!/bin/sh\n", 0o700),
    "/srv/app/a file": text("x", 0o600, "www-data", "adm"),
    "/srv/app/link": link("/etc/hostname"),
}


def settled(owner: str, group: str) -> dict[str, Entry]:
    return {
        "/srv/app": folder(0o750, owner, group),
        "/srv/app/bin": folder(0o750, owner, group),
        "/srv/app/bin/run": text("#!/bin/sh\n", 0o750, owner, group),
        "/srv/app/a file": text("x", 0o640, owner, group),
        "/srv/app/link": link("/etc/hostname"),
    }


CASES = [
    case(name="a new directory", params={"path": "/srv/app"}, verdict="create", after={"/srv/app": folder()}),
    case(
        name="a new directory with all attributes",
        params={"path": "/srv/app", "mode": "2770", "owner": "www-data", "group": "adm"},
        verdict="create",
        after={"/srv/app": folder(0o2770, "www-data", "adm")},
    ),
    case(
        name="below a directory with setgid the mode is as predicted",
        params={"path": "/srv/shared/app", "mode": "0755"},
        before={"/srv/shared": folder(0o2775, "root", "adm")},
        verdict="create",
        after={"/srv/shared/app": folder(0o755)},
    ),
    case(name="as it is", params={"path": "/srv/app"}, before={"/srv/app": folder(0o700, "mail", "adm")}, verdict="unchanged"),
    case(
        name="other attributes",
        params={"path": "/srv/app", "mode": "0750", "group": "adm"},
        before={"/srv/app/file": text("x"), "/srv/app": folder(0o700, "mail", "mail")},
        verdict="update",
        after={"/srv/app": folder(0o750, "mail", "adm"), "/srv/app/file": text("x")},
    ),
    case(
        name="without a parent",
        params={"path": "/srv/no/app"},
        promised=frozenset({"path:/srv/no"}),
        verdict="create",
        fails="/srv/no does not exist",
    ),
    # all below
    case(
        name="all below",
        params={"path": "/srv/app", "mode": "0750", "owner": "mail", "group": "mail", "recurse": True},
        before=TREE,
        verdict="update",
        after=settled("mail", "mail"),
    ),
    case(
        name="all below, owners by id",
        params={"path": "/srv/app", "mode": "0750", "owner": "8", "group": "8", "recurse": True},
        before=TREE,
        verdict="update",
        after=settled("mail", "mail"),
    ),
    case(
        name="all below is as wanted",
        params={"path": "/srv/app", "mode": "0750", "owner": "8", "group": "mail", "recurse": True},
        before=settled("mail", "mail"),
        verdict="unchanged",
    ),
    case(
        name="something below deviates",
        params={"path": "/srv/app", "file_mode": "0444", "recurse": True},
        before={"/srv/app/deep/x": text("x", 0o444), "/srv/app/y": text("y")},
        verdict="update",
        after={"/srv/app/deep/x": text("x", 0o444), "/srv/app/y": text("y", 0o444), "/srv/app/deep": folder()},
    ),
    # absence
    case(name="absent, and gone", params={"path": "/srv/app", "ensure": "absent"}, verdict="unchanged"),
    case(
        name="absent, and empty",
        params={"path": "/srv/app", "ensure": "absent"},
        before={"/srv/app": folder(0o700, "mail")},
        verdict="delete",
        after={"/srv/app": None},
    ),
    case(
        name="absent, and not empty",
        params={"path": "/srv/app", "ensure": "absent"},
        before={"/srv/app/x": text("x"), "/srv/app/y": text("x")},
        verdict="blocked",
        says="/srv/app is not empty (2 entries)",
        after={"/srv/app/x": text("x")},
    ),
    case(
        name="absent, and not empty, by force",
        params={"path": "/srv/app", "ensure": "absent", "force": True},
        before={"/srv/app/x": text("x"), "/srv/app/out": link("/srv/other"), "/srv/other/y": text("y")},
        verdict="delete",
        after={"/srv/app": None, "/srv/other/y": text("y")},
    ),
    case(
        name="absent, and a link",
        params={"path": "/srv/app", "ensure": "absent"},
        before={"/srv/app": link("/etc")},
        verdict="delete",
        after={"/srv/app": None, "/etc": folder()},
    ),
    case(
        name="absent, and a file",
        params={"path": "/srv/app", "ensure": "absent"},
        before={"/srv/app": text("x")},
        verdict="blocked",
        says="is a file, not a directory",
        after={"/srv/app": text("x")},
    ),
    # what is no directory
    case(
        name="a file in the way",
        params={"path": "/srv/app"},
        before={"/srv/app": text("x")},
        verdict="blocked",
        says="set force = true to replace it",
        after={"/srv/app": text("x")},
    ),
    case(
        name="a file in the way, by force",
        params={"path": "/srv/app", "force": True},
        before={"/srv/app": text("x")},
        verdict="replace",
        says="a file is in the way",
        after={"/srv/app": folder()},
    ),
    case(
        name="a link in the way",
        params={"path": "/srv/app"},
        before={"/srv/app": link("other"), "/srv/other": folder()},
        verdict="blocked",
        says="set follow = true",
    ),
    case(
        name="a link that is followed",
        params={"path": "/srv/app", "mode": "0700", "follow": True},
        before={"/srv/app": link("other"), "/srv/other": folder()},
        verdict="update",
        after={"/srv/app": link("other"), "/srv/other": folder(0o700)},
    ),
    # without privilege
    case(
        name="not root, another's directory",
        params={"path": "/srv/app", "mode": "0700"},
        before={"/srv/app": folder()},
        user="deploy",
        verdict="blocked",
        says="owned by root",
    ),
    case(
        name="not root, unreadable below",
        params={"path": "/srv/app", "owner": "deploy", "recurse": True},
        before={"/srv/app": folder(0o700)},
        user="deploy",
        verdict="blocked",
        says="permission denied",
    ),
]
