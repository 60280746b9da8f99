"""Cases of the kind `file`."""

from __future__ import annotations

import functools

from case import CANARY, Case, folder, link, text

from g8r.executor.fake_host import FakeHost, Invocation, Program, always
from g8r.host import Ran
from g8r.value import digest

case = functools.partial(Case, kind="file")

LARGE = "x" * 300_000
BINARY = b"\x00\x01\xff" * 10


def _refuse_bad(host: FakeHost, call: Invocation) -> Ran:
    """A validator that quotes the line it does not like, as real ones do."""
    candidate = call.argv[-1]
    assert host.stat(candidate).mode == 0o600  # type: ignore[union-attr]
    bad = [line for line in host.read(candidate).decode().splitlines() if line.startswith("bad")]
    return Ran(1, b"", f"{candidate}: no good: {bad[0]}\n".encode()) if bad else Ran(0, b"", b"")


def validator(host: FakeHost) -> None:
    host.programs["check"] = Program(_refuse_bad, reads=always)


def _no_candidate(host: FakeHost) -> None:
    assert not [name for name in host.list("/srv") if name.startswith(".g8r")]


CASES = [
    # content
    case(
        name="a new file",
        params={"path": "/srv/motd", "content": "hello\n"},
        verdict="create",
        after={"/srv/motd": text("hello\n")},
    ),
    case(
        name="a new file with all attributes",
        params={"path": "/srv/motd", "content": "hello\n", "mode": "640", "owner": "www-data", "group": "adm"},
        verdict="create",
        after={"/srv/motd": text("hello\n", 0o640, "www-data", "adm")},
    ),
    case(
        name="as wanted",
        params={"path": "/srv//app/../motd", "content": "hello\n", "mode": "0644"},
        before={"/srv/motd": text("hello\n")},
        verdict="unchanged",
        after={"/srv/motd": text("hello\n")},
    ),
    case(
        name="other content keeps the attributes",
        params={"path": "/srv/motd", "content": "new\n"},
        before={"/srv/motd": text("old\n", 0o600, "www-data", "adm")},
        verdict="update",
        after={"/srv/motd": text("new\n", 0o600, "www-data", "adm")},
    ),
    case(
        name="content that is empty is content",
        params={"path": "/srv/motd", "content": ""},
        before={"/srv/motd": text("old\n")},
        verdict="update",
        after={"/srv/motd": text("")},
    ),
    case(
        name="larger than a state carries",
        params={"path": "/srv/large", "content": LARGE},
        before={"/srv/large": text(LARGE + "y")},
        verdict="update",
        after={"/srv/large": text(LARGE)},
    ),
    case(
        name="text with a NUL",
        params={"path": "/srv/nul", "content": "a\x00b"},
        verdict="create",
        after={"/srv/nul": text("a\x00b")},
    ),
    case(
        name="a blob",
        params={"path": "/srv/blob", "source": digest(BINARY), "mode": "0600"},
        blobs={digest(BINARY): BINARY},
        verdict="create",
        after={"/srv/blob": text(BINARY, 0o600)},
    ),
    case(
        name="a blob that is there has another mode",
        params={"path": "/srv/blob", "source": digest(BINARY), "mode": "0600"},
        before={"/srv/blob": text(BINARY)},
        blobs={digest(BINARY): BINARY},
        verdict="update",
        after={"/srv/blob": text(BINARY, 0o600)},
    ),
    case(
        name="a blob that did not travel",
        params={"path": "/srv/blob", "source": digest(BINARY)},
        verdict="create",
        fails="did not travel",
        after={"/srv/blob": None},
    ),
    case(
        name="no text is replaced by text",
        params={"path": "/srv/blob", "content": "text\n"},
        before={"/srv/blob": text(BINARY)},
        verdict="update",
        after={"/srv/blob": text("text\n")},
    ),
    case(
        name="a secret",
        params={"path": "/srv/secret", "content": f"password={CANARY}\n", "mode": "0600"},
        before={"/srv/secret": text("password=old\n", 0o600)},
        sensitive=("content",),
        verdict="update",
        after={"/srv/secret": text(f"password={CANARY}\n", 0o600)},
    ),
    # attributes
    case(
        name="existence alone",
        params={"path": "/srv/empty"},
        verdict="create",
        after={"/srv/empty": text("")},
    ),
    case(
        name="existence alone leaves the content to others",
        params={"path": "/srv/motd", "mode": "0644"},
        before={"/srv/motd": text("whatever\n")},
        verdict="unchanged",
        after={"/srv/motd": text("whatever\n")},
    ),
    case(
        name="attributes alone",
        params={"path": "/srv/motd", "mode": "4755", "owner": "www-data", "group": "adm"},
        before={"/srv/motd": text("whatever\n")},
        verdict="update",
        after={"/srv/motd": text("whatever\n", 0o4755, "www-data", "adm")},
    ),
    case(
        name="an owner by id that is the owner",
        params={"path": "/srv/motd", "owner": "33", "group": "33"},
        before={"/srv/motd": text("x", 0o644, "www-data", "www-data")},
        verdict="unchanged",
    ),
    case(
        name="an owner by id",
        params={"path": "/srv/motd", "owner": "33", "group": "4"},
        before={"/srv/motd": text("x")},
        verdict="update",
        after={"/srv/motd": text("x", 0o644, "www-data", "adm")},
    ),
    case(
        name="an owner that is not there",
        params={"path": "/srv/motd", "content": "x", "owner": "nemo"},
        promised=frozenset({"user:nemo"}),
        verdict="create",
        fails='no user "nemo"',
        after={"/srv/motd": None},
    ),
    # absence
    case(
        name="absent, and gone",
        params={"path": "/srv/motd", "ensure": "absent"},
        verdict="unchanged",
    ),
    case(
        name="absent, and there",
        params={"path": "/srv/motd", "ensure": "absent"},
        before={"/srv/motd": text("old\n", 0o600, "www-data")},
        verdict="delete",
        after={"/srv/motd": None},
    ),
    case(
        name="absent, and a link: what it points at stays",
        params={"path": "/srv/motd", "ensure": "absent", "follow": True},
        before={"/srv/motd": link("real"), "/srv/real": text("x")},
        verdict="delete",
        after={"/srv/motd": None, "/srv/real": text("x")},
    ),
    case(
        name="absent, and a directory",
        params={"path": "/srv/motd", "ensure": "absent"},
        before={"/srv/motd/x": text("x")},
        verdict="blocked",
        says="set force = true to remove it",
        after={"/srv/motd/x": text("x")},
    ),
    case(
        name="absent, and a directory, by force",
        params={"path": "/srv/motd", "ensure": "absent", "force": True},
        before={"/srv/motd/x": text("x")},
        verdict="delete",
        after={"/srv/motd": None},
    ),
    # what is no file
    case(
        name="a directory in the way",
        params={"path": "/srv/motd", "content": "x"},
        before={"/srv/motd": folder()},
        verdict="blocked",
        says="/srv/motd is a directory",
        after={"/srv/motd": folder()},
    ),
    case(
        name="a directory in the way, by force",
        params={"path": "/srv/motd", "content": "x", "force": True},
        before={"/srv/motd/deep/file": text("y")},
        verdict="replace",
        says="a directory is in the way",
        after={"/srv/motd": text("x")},
    ),
    case(
        name="a link in the way",
        params={"path": "/srv/motd", "content": "x"},
        before={"/srv/motd": link("real"), "/srv/real": text("y")},
        verdict="blocked",
        says="set follow = true",
        after={"/srv/motd": link("real"), "/srv/real": text("y")},
    ),
    case(
        name="a link in the way, by force",
        params={"path": "/srv/motd", "content": "x", "force": True},
        before={"/srv/motd": link("real"), "/srv/real": text("y")},
        verdict="replace",
        after={"/srv/motd": text("x"), "/srv/real": text("y")},
    ),
    case(
        name="a link that is followed",
        params={"path": "/srv/motd", "content": "x", "follow": True},
        before={"/srv/motd": link("to/real"), "/srv/to/real": text("y", 0o600)},
        verdict="update",
        after={"/srv/motd": link("to/real"), "/srv/to/real": text("x", 0o600)},
    ),
    case(
        name="a link that is followed to nothing",
        params={"path": "/srv/motd", "content": "x", "follow": True},
        before={"/srv/motd": link("real")},
        verdict="create",
        after={"/srv/motd": link("real"), "/srv/real": text("x")},
    ),
    case(
        name="a link that is followed in circles",
        params={"path": "/srv/motd", "content": "x", "follow": True},
        before={"/srv/motd": link("motd")},
        verdict="blocked",
        says="cannot follow",
    ),
    # backup and validation
    case(
        name="a backup",
        params={"path": "/srv/motd", "content": "new\n", "backup": True},
        before={"/srv/motd": text("old\n", 0o600, "www-data", "adm")},
        verdict="update",
        says="the old content is kept as /srv/motd.g8r-",
        after={
            "/srv/motd": text("new\n", 0o600, "www-data", "adm"),
            "/srv/motd.g8r-" + digest(b"old\n")[7:15]: text("old\n", 0o600, "www-data", "adm"),
        },
    ),
    case(
        name="a backup of what goes",
        params={"path": "/srv/motd", "ensure": "absent", "backup": True},
        before={"/srv/motd": text("old\n")},
        verdict="delete",
        says="the old content is kept as /srv/motd.g8r-",
        after={"/srv/motd": None, "/srv/motd.g8r-" + digest(b"old\n")[7:15]: text("old\n")},
    ),
    case(
        name="content that its validator accepts",
        params={"path": "/srv/motd", "content": "good\n", "validate": ["check", "-f", "{}"]},
        arrange=validator,
        verdict="create",
        after={"/srv/motd": text("good\n")},
        check=_no_candidate,
    ),
    case(
        name="content that its validator refuses",
        params={"path": "/srv/motd", "content": "bad thing\n", "validate": ["check", "-f", "{}"]},
        before={"/srv/motd": text("old\n")},
        arrange=validator,
        verdict="update",
        fails="`check -f {}` refuses the new content of /srv/motd: /srv/motd: no good: bad thing",
        after={"/srv/motd": text("old\n")},
        check=_no_candidate,
    ),
    case(
        name="secret content that its validator refuses",
        params={"path": "/srv/motd", "content": f"bad {CANARY}\n", "validate": ["check", "-f", "{}"]},
        sensitive=("content",),
        arrange=validator,
        verdict="create",
        fails="may hold secrets",
        after={"/srv/motd": None},
        check=_no_candidate,
    ),
    case(
        name="a validator that is not there",
        params={"path": "/srv/motd", "content": "x", "validate": ["nowhere", "{}"]},
        verdict="create",
        fails="nowhere",
        after={"/srv/motd": None, "/srv/.g8r-motd": None},
    ),
    # without privilege
    case(
        name="not root, in a directory of one's own",
        params={"path": "/home/deploy/x", "content": "x"},
        before={},
        arrange=lambda host: host.place_directory("/home/deploy", owner="deploy", group="deploy"),
        user="deploy",
        verdict="create",
        after={"/home/deploy/x": text("x", 0o644, "deploy", "deploy")},
    ),
    case(
        name="not root, for another owner",
        params={"path": "/tmp/x", "content": "x", "owner": "www-data"},
        user="deploy",
        verdict="blocked",
        says="only root",
        after={"/tmp/x": None},
    ),
    case(
        name="not root, another's mode",
        params={"path": "/tmp/x", "mode": "0600"},
        before={"/tmp/x": text("x")},
        user="deploy",
        verdict="blocked",
        says="owned by root",
    ),
    case(
        name="not root, unreadable",
        params={"path": "/srv/x", "content": "x"},
        before={"/srv/x": text("y", 0o600)},
        user="deploy",
        verdict="blocked",
        says="permission denied while reading /srv/x: the agent runs as deploy",
    ),
    case(
        name="not root, in another's directory",
        params={"path": "/srv/x", "content": "x"},
        user="deploy",
        verdict="create",
        fails="permission denied",
        after={"/srv/x": None},
    ),
]
