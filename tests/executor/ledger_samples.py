"""Nouns for tests of stores, short to write."""

from __future__ import annotations

from g8r.address import Address
from g8r.catalog import Exactly
from g8r.claim import Claims
from g8r.diagnostics import Span
from g8r.outcome import Changed
from g8r.plan import Plan, Reason, Step
from g8r.stack import Lifecycle, Retry
from g8r.state import Ended, Intent, Owed, Recorded, Resource, ResourceKey, Run

NOW = "2026-03-01T12:00:00Z"
STACK = ("web", "default")


def key(name, host="web1", kind="file"):
    return ResourceKey(host, kind, f"/srv/{name}")


def address(name, host="web1", kind="file"):
    return Address(host, kind, name)


def resource(name, content="hello\n", host="web1", **more):
    document = {"path": f"/srv/{name}", "content": content, "mode": "0644", "size": len(content)}
    return Resource(
        key(name, host), address(name, host), created=True, version=1, params=document, state={**document, "owner": None}, **more
    )  # fmt: skip


def rich_resource(name):
    """Every field set."""
    return resource(
        name,
        outputs={"path": f"/srv/{name}", "big": 2**70, "ratio": 0.25, "deep": [{"x": [None, True]}]},
        original={"mode": "0600"},
        sensitive=("content",),
        needs=("web1/directory.srv",),
        claims=Claims((f"path:/srv/{name}",), ("path:/srv",), ("lock:srv",), (), removes=True),
        triggers={"reload": ("web1/service.nginx",)},
        lifecycle=Lifecycle(prevent_destroy=True, ignore_changes=("mode",), on_remove="restore"),
        pulled_in=("libx",),
        run="r0",
        span=Span("main.ncl", 3, 5, 4, 1),
    )


def step(name, **more):
    subject = resource(name)
    return Step(str(subject.address), subject.address, subject.key.identity, "create", "change", Reason("new", "it is new"), 1, **more)


def rich_step(name):
    subject = rich_resource(name)
    return step(
        name,
        params=subject.params,
        before={"mode": "0600"},
        after=subject.state,
        expect=Exactly("b2:00"),
        needs=("web1/directory.srv",),
        claims=subject.claims,
        lifecycle=subject.lifecycle,
        retry=Retry(3, 0.5),
        span=subject.span,
    )


def plan(number=1, steps=(), stack=STACK, **more):
    given = {"lineage": "line-1", "serial": 0, "config_digest": "sha256:0", "created": NOW, "expires": NOW, "g8r_version": "0.1.0", **more}
    return Plan(id=f"plan-{number}", stack=stack[0], workspace=stack[1], steps=tuple(steps), **given)


def run(number=1, started=NOW):
    return Run(f"run-{number}", f"plan-{number}", "running", "ann@desk", started, None, 0, {})


def intent(name, number=1, idempotent=True):
    return Intent(f"run-{number}", str(address(name)), resource(name), "create", idempotent, started=False)


def owed(name, verb="reload", number=1):
    return Owed(address(name), verb, f"run-{number}", "web1/file.conf changed")


def ended(name, *entries, outcome=None, fidelity=None):
    """A step that changed its resource, unless told otherwise."""
    subject = resource(name)
    if outcome is None:
        outcome, entries = Changed(subject.state, {"path": "/srv"}), (Recorded(subject), *entries)
    return Ended(str(subject.address), outcome, tuple(entries), fidelity)


def always(owner):
    return True


def never(owner):
    return False


def fence(store, owner="desk:1:1", now=NOW):
    """A lease on a store whose ledger is there."""
    store.lineage(*STACK, "line-1")
    return store.lease(owner, "apply", now, 60.0, always).fence


def begun(store, number=1, steps=("a", "b"), owes=(), blobs=None, **more):
    """A run that has begun, with an intent for each step; returns the fence."""
    held = fence(store)
    blobs = blobs or {}
    of_run = plan(number, [rich_step(name) for name in steps], blobs=tuple(sorted(blobs)), **more)
    store.begin(held, run(number), of_run, [intent(name, number) for name in steps], owes, blobs)
    return held
