"""Selections, --replace, --destroy, --refresh-only: what a plan is of."""

import pytest
from acting import EVERY, file
from fleet import Fleet, shown, site, step

from g8r.executor.fake_host import FakeHost
from g8r.render import plan_json
from g8r.state import Dropped

# ---- selection ------------------------------------------------------------------------------------------------------------------------

CHAIN = {
    "directory": {"d": {"path": "/srv/d"}},
    "file": {"in": file("/srv/d/in"), "after": {**file("/etc/after"), "needs": ["file.in"]}, "apart": file("/etc/apart")},
}


def test_selection_target_pulls_in_what_it_needs() -> None:
    plan = Fleet().plan(site(CHAIN), target=("file.in",))
    assert set(shown(plan)) == {"directory.d", "file.in"}
    assert not plan.complete


def test_selection_exclude_drops_what_depends_on_it() -> None:
    plan = Fleet().plan(site(CHAIN), exclude=("file.in",))
    assert set(shown(plan)) == {"directory.d", "file.apart"}
    assert not plan.complete


@pytest.mark.parametrize("option", ["target", "exclude", "replace"])
def test_selection_an_unknown_address_is_an_error(option: str) -> None:
    refusal = Fleet().refused(site(CHAIN), **{option: ("file.nope",)})
    assert refusal.diagnostics[0].code == "unknown-address"


def test_selection_prunes_only_inside() -> None:
    fleet = Fleet()
    fleet.converge(site({"file": {"a": file("/etc/a"), "b": file("/etc/b"), "c": file("/etc/c")}}))
    left = site({"file": {"c": file("/etc/c")}})
    assert shown(fleet.plan(left, target=("file.c",))) == {}
    assert shown(fleet.plan(left, target=("file.a",))) == {"file.a!/etc/a": "delete"}
    assert shown(fleet.plan(left, exclude=("file.a",))) == {"file.b!/etc/b": "delete"}
    assert set(shown(fleet.plan(left))) == {"file.a!/etc/a", "file.b!/etc/b"}


def test_selection_on_hosts_prunes_only_there() -> None:
    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()})
    hosts = {"a": {}, "b": {}}
    fleet.converge(site({"file": {"x": file("/etc/x"), "y": file("/etc/y")}}, hosts=hosts))
    plan = fleet.plan(site({"file": {"x": file("/etc/x")}}, hosts=hosts), on="a")
    assert shown(plan) == {"a/file.y!/etc/y": "delete"}


def test_replace_makes_a_resource_anew() -> None:
    fleet = Fleet()
    document = site({"file": {"a": file("/etc/a")}, "command": {"c": {"argv": ["touch", "/srv/c"], "run": "once"}}})
    fleet.converge(document)
    fleet.host.remove("/srv/c")
    plan = fleet.plan(document, replace=("file.a", "command.c"))
    assert shown(plan) == {"file.a": "replace", "command.c": "run"}
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/srv/c") == ""
    assert shown(fleet.plan(document)) == {}


def test_destroy_removes_what_was_created_and_forgets_what_was_adopted() -> None:
    fleet = Fleet()
    fleet.host.place("/etc/theirs", "x\n")
    document = site({"directory": {"d": {"path": "/srv/d"}}, "file": {"in": file("/srv/d/in"), "theirs": file("/etc/theirs")}})
    fleet.converge(document)
    plan = fleet.plan(document, destroy=True)
    assert shown(plan) == {"directory.d!/srv/d": "delete", "file.in!/srv/d/in": "delete", "file.theirs!/etc/theirs": "forget"}
    assert fleet.apply(plan).status == "done"
    assert (fleet.text("/srv/d"), fleet.text("/etc/theirs")) == (None, "1\n")
    assert fleet.state().resources == {}
    assert shown(fleet.plan(document, destroy=True)) == {}


def test_refresh_only_takes_note_of_drift_and_touches_nothing() -> None:
    fleet = Fleet()
    first = site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}})
    fleet.converge(first)
    fleet.host.place("/etc/a", "drift\n")
    second = site({"file": {"a": file("/etc/a", "2\n"), "b": file("/etc/b"), "new": file("/etc/new")}})
    before = fleet.host.snapshot()
    plan = fleet.plan(second, refresh_only=True)
    assert shown(plan) == {}
    assert fleet.apply(plan).status == "done"
    assert fleet.host.snapshot() == before
    record = fleet.record("file.a")
    assert record is not None
    assert record.state is not None
    assert record.state["content"] == "drift\n"
    assert record.params["content"] == "1\n", "what was not applied is not recorded as if it had been"
    assert record.outputs["checksum"] == record.state["checksum"]
    assert fleet.record("file.new") is None
    plan = fleet.plan(second)
    assert step(plan, "file.a").reason.code == "changed"


def test_plan_json_shows_every_change() -> None:
    fleet = Fleet()
    plan = fleet.plan(site(EVERY))
    document = plan_json.render(plan, {})
    listed = {(each["type"], each["name"]): each["change"]["actions"] for each in document["resource_changes"]}
    wanted = {(each.address.kind, each.address.name): each.action for each in plan.steps if not each.verb}
    assert listed.keys() == wanted.keys()
    assert all(listed[name] == ["create"] for name, action in wanted.items() if action == "create")
    assert document["format_version"] == "1.2"
    assert document["applyable"] is True


def test_P_verdict_absence_that_is_wanted_and_there_is_no_change_and_no_record() -> None:
    fleet = Fleet()
    document = site({"file": {"a": {"path": "/etc/a", "ensure": "absent"}}})
    plan = fleet.plan(document)
    assert (step(plan, "file.a").action, step(plan, "file.a").reason.code) == ("no-op", "none")
    fleet.apply(plan)
    serial = fleet.state().serial
    fleet.converge(document)
    assert fleet.state().serial == serial
    assert not [entry for entry in fleet.state().resources if isinstance(entry, Dropped)]
