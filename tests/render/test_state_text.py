"""The ledger as text, and a plan as a picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from render_samples import SECRET, make_plan, make_step

from g8r.address import Address
from g8r.diagnostics import Span
from g8r.render import plan_svg, state_text
from g8r.stack import Lifecycle
from g8r.state import Fidelity, Intent, Lease, Owed, Resource, ResourceKey, Run, State

HOSTILE = "\x1b[2J\u202e\n"


def resource(name="motd", **more):
    key = ResourceKey("web1", "file", f"/etc/{name}")
    fixed = {"created": True, "version": 1, "params": {}, "state": {"mode": "0644", "content": "a\nb\n"}, "run": "r1"}
    return Resource(key=key, address=Address("web1", "file", name), **(fixed | more))


def ledger(*resources, **more):
    return State("site", "default", "l1", 3, {found.key: found for found in resources}, **more)


def test_list(golden):
    gone = resource("gone", state=None, created=False)
    placed = resource(span=Span("main.ncl", 3, 5))
    owed = Owed(Address("web1", "service", "nginx"), "reload", "r1", "web1/file.motd changed")
    intent = Intent("r1", "web1/command.x", placed, "run", idempotent=False, started=True)
    golden("render/state.txt", state_text.listing(ledger(placed, gone, owed=(owed,), intents=(intent,))))
    assert state_text.listing(ledger()) == "The ledger holds no resources.\n"


def test_show_masks(golden):
    found = resource(
        state={"mode": "0600", "content": SECRET, "size": 14}, original={"mode": "0644", "content": SECRET}, sensitive=("content",),
        needs=("web1/directory.etc",), outputs={"size": 14}, lifecycle=Lifecycle(prevent_destroy=True), span=Span("main.ncl", 3, 5),
    )  # fmt: skip
    text = state_text.show(found)
    golden("render/state_show.txt", text)
    assert SECRET not in text


def test_history():
    first = Run("r1", "p1", "done", "ann", "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z", 1, {"changed": 3})
    second = Run("a2", "p2", "failed", "bob", "2026-01-01T00:00:00Z", None, 2, {"changed": 1, "failed": 1, "stale": 0})
    lines = state_text.history([second, first]).splitlines()
    assert [line.split()[0] for line in lines] == ["RUN", "a2", "r1"]
    assert lines[1].endswith("1 changed, 1 failed")
    assert state_text.history([]) == "There have been no runs.\n"


def test_fidelity_never_rounds_up():
    text = state_text.fidelity([Fidelity("user", 1_000_000, 999_999), Fidelity("file", 10, 10), Fidelity("new", 0, 0)])
    lines = [line.split() for line in text.splitlines()]
    assert lines[1:] == [
        ["file", "10", "10", "100%"],
        ["new", "0", "0", "-"],
        ["user", "1,000,000", "999,999", "99.99%"],
        ["all", "1,000,010", "1,000,009", "99.99%"],
    ]


def test_outputs_and_lease():
    text = state_text.outputs({"url": "http://x", "token": SECRET}, ("token",))
    assert text == "token: (sensitive)\nurl:   http://x\n"
    assert "Nobody" in state_text.lease(None)
    assert "ann@x holds the lock for apply" in state_text.lease(Lease("ann@x", "apply", 7, "t0", "t1"))


def test_hostile_records_stay_text():
    bad = resource(HOSTILE, state={HOSTILE: HOSTILE}, needs=(HOSTILE,), run=HOSTILE)
    owed = Owed(Address("web1", "service", HOSTILE), HOSTILE, HOSTILE, HOSTILE)
    run = Run(HOSTILE, "p", "done", HOSTILE, HOSTILE, None, 1, {})
    lease = Lease(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE)
    texts = (state_text.listing(ledger(bad, owed=(owed,))), state_text.show(bad), state_text.history([run]), state_text.lease(lease))
    for text in texts:
        assert all(char.isprintable() or char == "\n" for char in text)
        assert "\\x1b[2J" in text


def test_a_plan_as_a_picture():
    plan = make_plan(make_step("file", "motd", "create", identity="/etc/motd", after={"mode": "0644"}))
    svg = plan_svg.render(plan)
    assert svg == plan_svg.render(plan)
    assert "web1/file.motd" in "".join(ET.fromstring(svg).itertext()).replace("\u00a0", " ")
    assert "@font-face" not in svg
    assert "url(http" not in svg
