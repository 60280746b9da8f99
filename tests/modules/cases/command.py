"""Cases of the kind `command`."""

from __future__ import annotations

import functools

from case import CANARY, Case, text

from g8r.executor.fake_host import FakeHost, Invocation, Program, always
from g8r.host import Ran

case = functools.partial(Case, kind="command")


def _consume(host: FakeHost, call: Invocation) -> Ran:
    """Writes down what it was given."""
    host.write(f"/srv/consumed-{call.argv[1]}", call.stdin + call.env.get("TOKEN", "").encode() + call.cwd.encode(), mode=0o600)
    return Ran(3 if call.argv[-1:] == ("three",) else 0, b"", b"")


def consumer(host: FakeHost) -> None:
    host.programs["consume"] = Program(_consume)


def _complain(_host: FakeHost, call: Invocation) -> Ran:
    return Ran(4, b"half done\n", b"no good: " + call.stdin)


def complainer(host: FakeHost) -> None:
    host.programs["complain"] = Program(_complain, reads=always)


def _ran(host: FakeHost) -> None:
    assert ("run", ("touch", "/srv/x10")) in host.calls


CASES = [
    case(
        name="what it makes is missing",
        params={"name": "t1", "argv": ["touch", "/srv/x1"], "creates": "/srv/x1"},
        verdict="run",
        after={"/srv/x1": text("")},
    ),
    case(
        name="what it makes is there",
        params={"name": "t2", "argv": ["touch", "/srv/x2"], "creates": "/srv//x2"},
        before={"/srv/x2": text("old")},
        verdict="unchanged",
        after={"/srv/x2": text("old")},
    ),
    case(
        name="it does not make what it should",
        params={"name": "t3", "argv": ["touch", "/srv/y"], "creates": "/srv/x3"},
        verdict="run",
        fails="it succeeded, but /srv/x3 does not exist: it would run on every apply",
    ),
    case(
        name="unless fails",
        params={"name": "t4", "argv": ["touch", "/srv/x4"], "unless": ["test", "-e", "/srv/x4"]},
        verdict="run",
        after={"/srv/x4": text("")},
    ),
    case(
        name="unless succeeds",
        params={"name": "t5", "argv": ["touch", "/srv/x5"], "unless": ["test", "-e", "/etc/passwd"]},
        verdict="unchanged",
        after={"/srv/x5": None},
    ),
    case(
        name="only_if succeeds",
        params={"name": "t6", "argv": ["rm", "/srv/x6"], "only_if": ["test", "-e", "/srv/x6"]},
        before={"/srv/x6": text("")},
        verdict="run",
        after={"/srv/x6": None},
    ),
    case(
        name="only_if fails",
        params={"name": "t7", "argv": ["touch", "/srv/x7"], "only_if": ["test", "-e", "/srv/x7"]},
        verdict="unchanged",
        after={"/srv/x7": None},
    ),
    case(
        name="all guards must agree",
        params={"name": "t8", "argv": ["touch", "/srv/x8"], "creates": "/srv/x8", "only_if": ["false"]},
        verdict="unchanged",
        after={"/srv/x8": None},
    ),
    case(
        name="a guard that is not there",
        params={"name": "t9", "argv": ["touch", "/srv/x9"], "unless": ["nonesuch"]},
        verdict="blocked",
        says="whether it is due cannot be told",
    ),
    case(
        name="once",
        params={"name": "t10", "argv": ["touch", "/srv/x10"], "run": "once"},
        verdict="run",
        after={"/srv/x10": text("")},
        check=_ran,
    ),
    case(
        name="once, if only",
        params={"name": "t11", "argv": ["touch", "/srv/x11"], "run": "once", "only_if": ["false"]},
        verdict="unchanged",
        after={"/srv/x11": None},
    ),
    case(
        name="always",
        params={"name": "t12", "argv": ["touch", "/srv/x12"], "run": "always"},
        verdict="run",
        repeats=True,
        after={"/srv/x12": text("")},
    ),
    case(
        name="only when others change", params={"name": "t13", "argv": ["touch", "/srv/x13"]}, verdict="unchanged", after={"/srv/x13": None}
    ),
    case(
        name="it gets what it needs",
        params={"name": "t14", "argv": ["consume", "t14"], "stdin": "in ", "env": {"TOKEN": "t "}, "cwd": "/srv", "run": "once"},
        arrange=consumer,
        verdict="run",
        after={"/srv/consumed-t14": text("in t /srv", 0o600)},
    ),
    case(
        name="another exit code is fine, too",
        params={"name": "t15", "argv": ["consume", "t15", "three"], "creates": "/srv/consumed-t15", "ok_codes": [0, 3]},
        arrange=consumer,
        verdict="run",
    ),
    case(name="it fails", params={"name": "t16", "argv": ["false"], "run": "once"}, verdict="run", fails="false failed with exit code 1"),
    case(name="there is no such program", params={"name": "t17", "argv": ["nonesuch"], "run": "once"}, verdict="run", fails="nonesuch"),
    case(
        name="a secret on its standard input",
        params={"name": "t18", "argv": ["cat"], "stdin": CANARY, "run": "once"},
        verdict="run",
        sensitive=("stdin",),
    ),
    case(
        name="it complains of a secret",
        params={"name": "t19", "argv": ["complain"], "stdin": CANARY, "run": "once"},
        arrange=complainer,
        verdict="run",
        sensitive=("stdin",),
        fails="may hold secrets and is not shown",
    ),
    case(
        name="a secret in its environment",
        params={"name": "t20", "argv": ["consume", "t20"], "env": {"TOKEN": CANARY}, "run": "once"},
        arrange=consumer,
        verdict="run",
        sensitive=("env",),
    ),
    case(
        name="a secret where everybody could read it",
        params={"name": "t21", "argv": ["echo", CANARY], "run": "once"},
        verdict="run",
        sensitive=("argv",),
        fails="argv holds a secret",
    ),
]
