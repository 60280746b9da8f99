"""Cases of the kind `link`."""

from __future__ import annotations

import functools

from case import Case, folder, link, text

case = functools.partial(Case, kind="link")

CASES = [
    case(name="a new link", params={"path": "/srv/app", "target": "no/such"}, verdict="create", after={"/srv/app": link("no/such")}),
    case(
        name="a new link of somebody",
        params={"path": "/srv/app", "target": "/etc", "owner": "mail", "group": "8"},
        verdict="create",
        after={"/srv/app": link("/etc", "mail", "mail")},
    ),
    case(
        name="as wanted",
        params={"path": "/srv/app", "target": "/etc"},
        before={"/srv/app": link("/etc", "mail", "adm")},
        verdict="unchanged",
        after={"/srv/app": link("/etc", "mail", "adm")},
    ),
    case(
        name="another target keeps the owner",
        params={"path": "/srv/app", "target": "v2"},
        before={"/srv/app": link("v1", "mail", "adm"), "/srv/v1/x": text("x")},
        verdict="update",
        after={"/srv/app": link("v2", "mail", "adm"), "/srv/v1/x": text("x")},
    ),
    case(
        name="another owner, not of what it points at",
        params={"path": "/srv/app", "target": "v1", "owner": "mail"},
        before={"/srv/app": link("v1"), "/srv/v1": folder()},
        verdict="update",
        after={"/srv/app": link("v1", "mail", "root"), "/srv/v1": folder()},
    ),
    case(name="absent, and gone", params={"path": "/srv/app", "ensure": "absent"}, verdict="unchanged"),
    case(
        name="absent, and there",
        params={"path": "/srv/app", "ensure": "absent"},
        before={"/srv/app": link("v1", "mail"), "/srv/v1/x": text("x")},
        verdict="delete",
        after={"/srv/app": None, "/srv/v1/x": text("x")},
    ),
    case(
        name="absent, and a file",
        params={"path": "/srv/app", "ensure": "absent"},
        before={"/srv/app": text("x")},
        verdict="blocked",
        says="set force = true to remove it",
        after={"/srv/app": text("x")},
    ),
    case(
        name="absent, and a file, by force",
        params={"path": "/srv/app", "ensure": "absent", "force": True},
        before={"/srv/app": text("x")},
        verdict="delete",
        after={"/srv/app": None},
    ),
    case(
        name="a directory in the way",
        params={"path": "/srv/app", "target": "v1"},
        before={"/srv/app/x": text("x")},
        verdict="blocked",
        says="replace it with all that is in it",
        after={"/srv/app/x": text("x")},
    ),
    case(
        name="a directory in the way, by force",
        params={"path": "/srv/app", "target": "v1", "force": True},
        before={"/srv/app/x": text("x")},
        verdict="replace",
        says="a directory is in the way",
        after={"/srv/app": link("v1")},
    ),
    case(
        name="a file in the way, by force",
        params={"path": "/srv/app", "target": "v1", "force": True},
        before={"/srv/app": text("x")},
        verdict="replace",
        after={"/srv/app": link("v1")},
    ),
    case(
        name="not root, for another owner",
        params={"path": "/tmp/app", "target": "x", "owner": "mail"},
        user="deploy",
        verdict="blocked",
        says="only root",
    ),
    case(
        name="not root, another's link",
        params={"path": "/tmp/app", "target": "x", "owner": "deploy"},
        before={"/tmp/app": link("x")},
        user="deploy",
        verdict="blocked",
        says="owned by root",
    ),
    case(
        name="not root",
        params={"path": "/tmp/app", "target": "x"},
        user="deploy",
        verdict="create",
        after={"/tmp/app": link("x", "deploy", "deploy")},
    ),
]
