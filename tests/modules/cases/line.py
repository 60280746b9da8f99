"""Cases of the kind `line`."""

from __future__ import annotations

import functools

from case import CANARY, Case, folder, link, text
from cases.file import validator

from g8r.value import digest

case = functools.partial(Case, kind="line")

SSHD = "#Port 22\nPermitRootLogin yes\nMatch User git\n  AllowAgentForwarding no\n"


def one(before: str | bytes, after: str | bytes, /, **params: object) -> dict[str, object]:
    """A file that one line of changes."""
    return {
        "params": {"path": "/srv/conf", **params},
        "before": {"/srv/conf": text(before, 0o640, "mail", "adm")},
        "after": {"/srv/conf": text(after, 0o640, "mail", "adm")},
    }


CASES = [
    case(name="a new line", verdict="create", **one("a\n", "a\nb\n", line="b")),
    case(name="a new line after one without an end", verdict="create", leaves=("/srv/conf",), **one("a", "a\nb\n", line="b")),
    case(name="a new line in an empty file", verdict="create", **one("", "b\n", line="b")),
    case(name="a new line where ends are CRLF", verdict="create", **one("a\r\nc\r\n", "a\r\nb\r\nc\r\n", line="b", after="^a$")),
    case(name="a line that is there", verdict="unchanged", **one("a\nb\nc\n", "a\nb\nc\n", line="b")),
    case(name="a line that is there twice", verdict="unchanged", **one("b\nb\n", "b\nb\n", line="b")),
    case(
        name="a line that is there elsewhere stays",
        verdict="unchanged",
        **one("b\na\n", "b\na\n", line="b", after="^a$"),
    ),
    case(
        name="a line that its match finds",
        verdict="update",
        **one(SSHD, SSHD.replace("#Port 22", "Port 2222"), line="Port 2222", regex="^#?Port "),
    ),
    case(
        name="the last of several that match",
        verdict="update",
        **one("x=1\ny\nx=2\n", "x=1\ny\nx=3\n", line="x=3", regex="^x="),
    ),
    case(
        name="no line that matches",
        verdict="create",
        **one("y\n", "y\nx=3\n", line="x=3", regex="^x="),
    ),
    case(
        name="before the first that matches",
        verdict="create",
        **one(SSHD, SSHD.replace("Match", "UseDNS no\nMatch"), line="UseDNS no", before="^Match "),
    ),
    case(name="at the top", verdict="create", **one("a\nb\n", "c\na\nb\n", line="c", before="^")),
    case(name="after the last that matches", verdict="create", **one("a\na\nb\n", "a\na\nc\nb\n", line="c", after="^a$")),
    case(name="after what is not there", verdict="create", **one("a\nb\n", "a\nb\nc\n", line="c", after="^z$")),
    case(name="no UTF-8 stays", verdict="create", **one(b"\xff\xfe\nb\n", b"\xff\xfe\nb\nc\n", line="c")),
    case(name="no UTF-8 that matches too stays", verdict="update", **one(b"x\xff\nx2\n", b"x\xff\nx3\n", line="x3", regex="^x")),
    case(
        name="a match that does not match the line", verdict="blocked", says="does not match", **one("#p\n", "#p\n", line="p", regex="^#p$")
    ),
    # absence
    case(name="absent, and gone", verdict="unchanged", **one("a\n", "a\n", line="b", ensure="absent")),
    case(name="absent, and there twice", verdict="delete", **one("b\na\nb\n", "a\n", line="b", ensure="absent")),
    case(name="absent, all that match", verdict="delete", **one("b1\na\nb2", "a\n", regex="^b", ensure="absent")),
    case(name="absent, and nothing is left", verdict="delete", **one("b\n", "", line="b", ensure="absent")),
    case(
        name="absent, and no file",
        params={"path": "/srv/none", "line": "b", "ensure": "absent"},
        verdict="unchanged",
        after={"/srv/none": None},
    ),
    # the file
    case(
        name="no file, and create",
        params={"path": "/srv/none", "line": "b", "create": True},
        verdict="create",
        after={"/srv/none": text("b\n")},
    ),
    case(
        name="no file yet, though it was promised",
        params={"path": "/srv/none", "line": "b"},
        promised=frozenset({"path:/srv/none"}),
        verdict="create",
        fails="/srv/none is gone: set create = true",
        after={"/srv/none": None},
    ),
    case(
        name="a link",
        params={"path": "/srv/conf", "line": "b"},
        before={"/srv/conf": link("real"), "/srv/real": text("a\n")},
        verdict="blocked",
        says="set follow = true",
    ),
    case(
        name="a link that is followed",
        params={"path": "/srv/conf", "line": "b", "follow": True},
        before={"/srv/conf": link("real"), "/srv/real": text("a\n")},
        verdict="create",
        after={"/srv/conf": link("real"), "/srv/real": text("a\nb\n")},
    ),
    case(
        name="a directory",
        params={"path": "/srv/conf", "line": "b"},
        before={"/srv/conf": folder()},
        verdict="blocked",
        says="is a directory, so it has no lines",
    ),
    # backup, validation, secrets
    case(
        name="a backup",
        params={"path": "/srv/conf", "line": "b", "regex": "^[ab]$", "backup": True},
        before={"/srv/conf": text("a\n", 0o600, "mail", "adm")},
        verdict="update",
        says="is kept beside it",
        after={
            "/srv/conf": text("b\n", 0o600, "mail", "adm"),
            "/srv/conf.g8r-" + digest(b"a\n")[7:15]: text("a\n", 0o600, "mail", "adm"),
        },
    ),
    case(
        name="a line that its validator refuses",
        params={"path": "/srv/conf", "line": "bad", "validate": ["check", "{}"]},
        before={"/srv/conf": text("a\n")},
        arrange=validator,
        verdict="create",
        fails="no good: bad",
        after={"/srv/conf": text("a\n"), "/srv/.g8r-conf": None},
    ),
    case(
        name="a secret",
        params={"path": "/srv/conf", "line": f"password={CANARY}", "regex": "^password="},
        before={"/srv/conf": text("password=old\n", 0o600)},
        sensitive=("line",),
        verdict="update",
        after={"/srv/conf": text(f"password={CANARY}\n", 0o600)},
    ),
    case(
        name="a secret that its match does not match",
        params={"path": "/srv/conf", "line": f"password={CANARY}", "regex": "^token="},
        before={"/srv/conf": text("password=old\n", 0o600)},
        sensitive=("line",),
        verdict="blocked",
        says="does not match",
    ),
    case(
        name="a secret that its validator refuses",
        params={"path": "/srv/conf", "line": f"bad {CANARY}", "regex": "^bad ", "validate": ["check", "{}"]},
        before={"/srv/conf": text("a\n")},
        sensitive=("line",),
        arrange=validator,
        verdict="create",
        fails="may hold secrets",
        after={"/srv/conf": text("a\n")},
    ),
    case(
        name="not root, unreadable",
        params={"path": "/srv/conf", "line": "b"},
        before={"/srv/conf": text("a\n", 0o600)},
        user="deploy",
        verdict="blocked",
        says="permission denied",
    ),
]
