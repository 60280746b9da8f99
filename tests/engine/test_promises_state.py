"""The promises about state on one machine: each test is named after the promise it holds, as `engine.md` brackets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from acting import file
from fleet import Fleet, outcomes, shown, site, step

from g8r.cli import applying
from g8r.diagnostics import RejectedError
from g8r.executor.fake_host import FakeHost
from g8r.executor.store import SqliteStore
from g8r.state import Recorded


def files(**tasks: Any) -> dict[str, Any]:
    return site({"file": tasks})


KEEPS = files(keep=file("/etc/keep"))
"""A stack that has lost every other task."""


def with_keep(**tasks: Any) -> dict[str, Any]:
    return files(keep=file("/etc/keep"), **tasks)


# ---- [S-ledger] -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Fleet:
    return Fleet(store=SqliteStore(tmp_path / "state.db") if request.param == "sqlite" else None)


def test_S_ledger_knows_of_each_resource_all_that_it_takes_to_undo_it(fleet: Fleet) -> None:
    fleet.host.place("/etc/adopted", "theirs\n", mode=0o600)
    tasks = {
        "directory": {"d": {"path": "/srv/d"}},
        "file": {
            "in": {**file("/srv/d/in"), "lifecycle": {"prevent_destroy": True}},
            "adopted": {**file("/etc/adopted"), "mode": "0640"},
        },
    }
    report = fleet.converge(site(tasks))
    inside, adopted = fleet.record("file.in"), fleet.record("file.adopted")
    assert inside is not None
    assert adopted is not None
    assert (inside.created, adopted.created) == (True, False)
    assert inside.needs == ("localhost/directory.d",)
    assert inside.claims.provides == ("path:/srv/d/in", "content:/srv/d/in")
    assert inside.lifecycle.prevent_destroy
    assert inside.outputs["path"] == "/srv/d/in"
    assert inside.state is not None
    assert inside.state["content"] == "1\n"
    assert inside.run == report.run
    assert adopted.original is not None
    assert (adopted.original["content"], adopted.original["mode"]) == ("theirs\n", "0600")
    assert shown(fleet.plan(site(tasks))) == {}


def test_S_ledger_workspaces_of_one_stack_never_prune_each_other() -> None:
    dev = Fleet({"localhost": FakeHost.debian()}, workspace="dev")
    prod = Fleet({"localhost": FakeHost.debian()}, workspace="prod", store=dev.store)
    prod.counter = 100
    dev.converge(files(a=file("/etc/a")))
    prod.converge(files(b=file("/etc/b")))
    assert shown(dev.plan(files(a=file("/etc/a")))) == {}
    assert [str(each.address) for each in prod.state().resources.values()] == ["localhost/file.b"]


def test_S_ledger_a_record_is_brought_up_to_date_where_only_the_source_changed(fleet: Fleet) -> None:
    fleet.converge(with_keep(a=file("/etc/a")))
    changed = with_keep(a={**file("/etc/a"), "lifecycle": {"prevent_destroy": True}})
    assert shown(fleet.plan(changed)) == {}
    fleet.converge(changed)
    assert fleet.refused(KEEPS).diagnostics[0].code == "prevent-destroy"


# ---- [S-owner] ------------------------------------------------------------------------------------------------------------------------


def named(name: str, tasks: Any) -> dict[str, Any]:
    return {"name": name, "tasks": tasks}


def test_S_owner_a_second_stack_that_claims_the_same_resource_is_refused_with_both_names() -> None:
    fleet = Fleet()
    fleet.converge(named("one", {"file": {"a": file("/etc/a")}}))
    before = fleet.host.snapshot()
    with pytest.raises(RejectedError) as refusal:
        fleet.converge(named("two", {"file": {"mine": file("/etc/a", "2\n"), "b": file("/etc/b")}}))
    said = f"{refusal.value.diagnostics[0].summary} {refusal.value.diagnostics[0].detail}"
    assert "'one'" in said
    assert "'two'" in said
    assert fleet.host.snapshot() == before
    assert fleet.state("two").resources == {}


def test_S_owner_what_was_removed_or_forgotten_may_be_claimed_by_another() -> None:
    fleet = Fleet()
    fleet.host.place("/etc/b", "theirs\n")
    fleet.converge(named("one", {"file": {"a": file("/etc/a"), "b": file("/etc/b"), "keep": file("/etc/keep")}}))
    fleet.converge(named("one", {"file": {"keep": file("/etc/keep")}}))
    fleet.converge(named("two", {"file": {"a": file("/etc/a"), "b": file("/etc/b")}}))


def test_S_owner_a_refused_claim_leaves_nothing_claimed() -> None:
    fleet = Fleet()
    fleet.converge(named("one", {"file": {"a": file("/etc/a")}}))
    with pytest.raises(RejectedError):
        fleet.converge(named("two", {"file": {"a": file("/etc/a"), "b": file("/etc/b")}}))
    fleet.converge(named("three", {"file": {"b": file("/etc/b")}}))


# ---- [S-prune] ------------------------------------------------------------------------------------------------------------------------


def test_S_prune_what_was_created_is_destroyed_and_what_was_adopted_is_forgotten_and_stays_as_last_set(fleet: Fleet) -> None:
    fleet.host.place("/etc/adopted", "theirs\n")
    fleet.converge(with_keep(made=file("/etc/made"), adopted=file("/etc/adopted")))
    plan = fleet.plan(KEEPS)
    assert shown(plan) == {"file.made!/etc/made": "delete", "file.adopted!/etc/adopted": "forget"}
    assert fleet.apply(plan).status == "done"
    assert (fleet.text("/etc/made"), fleet.text("/etc/adopted")) == (None, "1\n")
    assert [str(each.address) for each in fleet.state().resources.values()] == ["localhost/file.keep"]
    assert shown(fleet.plan(KEEPS)) == {}


@pytest.mark.parametrize(
    ("adopted", "on_remove", "action", "left"),
    [
        (False, "destroy", "delete", None),
        (False, "forget", "forget", "1\n"),
        (False, "restore", "delete", None),
        (True, "destroy", "delete", None),
        (True, "forget", "forget", "1\n"),
        (True, "restore", "update", "theirs\n"),
    ],
)
def test_S_prune_on_remove_says_otherwise(fleet: Fleet, adopted: bool, on_remove: str, action: str, left: str | None) -> None:
    if adopted:
        fleet.host.place("/etc/a", "theirs\n", mode=0o600)
    fleet.converge(with_keep(a={**file("/etc/a"), "mode": "0644", "lifecycle": {"on_remove": on_remove}}))
    fleet.converge(with_keep(a={**file("/etc/a"), "mode": "0644", "lifecycle": {"on_remove": on_remove}}))
    plan = fleet.plan(KEEPS)
    assert shown(plan) == {"file.a!/etc/a": action}
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/etc/a") == left
    if action == "update":
        assert fleet.host.stat("/etc/a").mode == 0o600  # type: ignore[union-attr]
    assert shown(fleet.plan(KEEPS)) == {}


def test_S_prune_goes_in_reverse_order() -> None:
    fleet = Fleet()
    directories = {"d": {"path": "/srv/d"}, "e": {"path": "/srv/d/e"}}
    fleet.converge(site({"directory": directories, "file": {"in": file("/srv/d/e/in"), "keep": file("/etc/keep")}}))
    fleet.events.clear()
    assert fleet.apply(fleet.plan(KEEPS)).status == "done"
    order = [each.partition("!")[0].partition("/")[2] for each in fleet.ended()]
    assert order == ["file.in", "directory.e", "directory.d"]


UNIT = "[Service]\nExecStart=/bin/sleep 1d\n\n[Install]\nWantedBy=multi-user.target\n"


def with_service(**lifecycle: str) -> dict[str, Any]:
    unit = {"path": "/etc/systemd/system/tiny.service", "content": UNIT}
    service = {"running": True, "enabled": True, "lifecycle": lifecycle}
    return site({"file": {"unit": unit, "other": file("/etc/other")}, "service": {"tiny": service}})


def test_S_prune_a_service_whose_unit_goes_is_stopped_first() -> None:
    fleet = Fleet()
    fleet.converge(with_service())
    plan = fleet.plan(site({"file": {"other": file("/etc/other")}}))
    assert list(shown(plan)) == ["service.tiny!tiny.service", "file.unit!/etc/systemd/system/tiny.service"]
    service = step(plan, "service.tiny!tiny.service")
    assert (service.after or {})["running"] is (service.after or {})["enabled"] is False
    assert service.reason.text == "no task declares it, and its unit goes"
    assert fleet.apply(plan).status == "done"
    assert (fleet.text("/etc/systemd/system/tiny.service"), fleet.record("service.tiny")) == (None, None)
    assert shown(fleet.plan(site({"file": {"other": file("/etc/other")}}))) == {}


def test_S_prune_a_service_is_forgotten_where_its_unit_stays_or_its_task_says_so() -> None:
    fleet = Fleet()
    fleet.converge(with_service())
    kept = with_service()
    del kept["tasks"]["service"]
    assert shown(fleet.plan(kept)) == {"service.tiny!tiny.service": "forget"}
    fleet.converge(with_service(on_remove="forget"))
    plan = fleet.plan(site({"file": {"other": file("/etc/other")}}))
    assert shown(plan)["service.tiny!tiny.service"] == "forget"


def test_S_prune_what_a_living_task_still_stands_on_goes_after_it() -> None:
    """The file moves out of the directory that is removed: first the new, then the old, then the directory."""
    fleet = Fleet()
    fleet.converge(site({"directory": {"d": {"path": "/srv/d"}}, "file": {"f": file("/srv/d/f"), "keep": file("/etc/keep")}}))
    document = files(f=file("/srv/f"), keep=file("/etc/keep"))
    plan = fleet.plan(document)
    assert shown(plan) == {"file.f": "create", "file.f!/srv/d/f": "delete", "directory.d!/srv/d": "delete"}
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/srv/d") is None
    assert shown(fleet.plan(document)) == {}


def test_S_prune_what_a_living_resource_came_after_goes_after_its_step() -> None:
    fleet = Fleet()
    needs = {**file("/srv/f"), "needs": ["directory.d"]}
    fleet.converge(site({"directory": {"d": {"path": "/srv/d"}}, "file": {"f": needs, "keep": file("/etc/keep")}}))
    plan = fleet.plan(with_keep(f=file("/srv/f", "2\n")))
    assert "localhost/file.f" in step(plan, "directory.d!/srv/d").needs
    fleet.events.clear()
    fleet.apply(plan)
    assert fleet.ended() == ["localhost/file.f", "localhost/directory.d!/srv/d"]


def test_S_prune_a_directory_that_is_not_empty_is_never_removed_unasked() -> None:
    fleet = Fleet()
    fleet.converge(site({"directory": {"d": {"path": "/srv/d"}}, "file": {"keep": file("/etc/keep")}}))
    fleet.host.place("/srv/d/precious", "x")
    plan = fleet.plan(KEEPS)
    report = fleet.apply(plan)
    assert fleet.text("/srv/d/precious") == "x"
    assert outcomes(report)["directory.d!/srv/d"] in {"skipped", "failed"}
    assert report.status == "failed"
    fleet.host.remove("/srv/d/precious")
    assert fleet.apply(fleet.plan(KEEPS)).status == "done"
    assert fleet.host.stat("/srv/d") is None


def test_S_prune_a_home_is_never_removed_unasked() -> None:
    fleet = Fleet()
    fleet.converge(site({"user": {"ann": {}}, "file": {"keep": file("/etc/keep")}}))
    fleet.host.place("/home/ann/precious", "x")
    fleet.apply(fleet.plan(KEEPS))
    assert "ann" not in fleet.host.accounts()
    assert fleet.text("/home/ann/precious") == "x"


def test_S_prune_an_orphan_whose_claims_another_task_provides_is_handed_over(fleet: Fleet) -> None:
    fleet.converge(with_keep(a=file("/etc/a")))
    template = site({"file": {"keep": file("/etc/keep")}, "template": {"a": {"path": "/etc/a", "content": "1\n"}}})
    plan = fleet.plan(template)
    assert shown(plan) == {"file.a!/etc/a": "forget"}
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/etc/a") == "1\n"
    assert fleet.record("template.a").created  # type: ignore[union-attr]
    assert shown(fleet.plan(template)) == {}
    fleet.converge(KEEPS)
    assert fleet.text("/etc/a") is None, "what was created stays created in other hands"


def test_S_prune_a_hand_over_that_was_cut_off_is_finished_and_destroys_nothing() -> None:
    """The heir is in the ledger already, and the old record is there still."""
    fleet = Fleet()
    fleet.converge(with_keep(a=file("/etc/a")))
    old = fleet.record("file.a")
    assert old is not None
    template = site({"file": {"keep": file("/etc/keep")}, "template": {"a": {"path": "/etc/a", "content": "2\n"}}})
    fleet.converge(template)
    fleet.store.edit(fleet.lease().fence, "site", "default", [Recorded(old)])
    plan = fleet.plan(template)
    assert shown(plan) == {"file.a!/etc/a": "forget"}
    fleet.apply(plan)
    assert fleet.text("/etc/a") == "2\n"


def test_S_prune_a_hand_over_waits_until_its_heir_is_in_the_selection() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(a=file("/etc/a")))
    template = site({"file": {"keep": file("/etc/keep")}, "template": {"a": {"path": "/etc/a", "content": "1\n"}}})
    assert shown(fleet.plan(template, exclude=("template.a",))) == {}
    moved = with_keep(a=file("/etc/elsewhere"))
    assert shown(fleet.plan(moved, exclude=("file.keep",))) == {"file.a": "create", "file.a!/etc/a": "delete"}
    other = with_keep(renamed={**file("/etc/elsewhere"), "moved_from": ["file.a"]})
    assert shown(fleet.plan(other, exclude=("file.renamed",))) == {}


def test_S_prune_a_task_that_wants_it_absent_is_an_heir_too() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(a=file("/etc/a")))
    document = with_keep(a={"path": "/etc/a", "ensure": "absent"})
    plan = fleet.plan(document)
    assert shown(plan) == {"file.a": "delete"}
    fleet.apply(plan)
    assert fleet.text("/etc/a") is None
    assert fleet.record("file.a") is None
    assert shown(fleet.plan(document)) == {}


def test_S_prune_a_host_that_is_no_longer_declared_is_forgotten_with_a_warning() -> None:
    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()})
    fleet.converge(site({"file": {"x": file("/etc/x")}}, hosts={"a": {}, "b": {}}))
    planned = fleet.planned(site({"file": {"x": file("/etc/x")}}, hosts={"a": {}}))
    assert shown(planned.plan) == {"b/file.x!/etc/x": "forget"}
    assert [each.code for each in planned.diagnostics] == ["host-gone"]
    assert fleet.apply(planned.plan).status == "done"
    assert fleet.text("/etc/x", "b") == "1\n"
    assert {key.host for key in fleet.state().resources} == {"a"}


def test_S_prune_a_host_that_is_gone_is_forgotten_though_its_resources_must_not_be_destroyed() -> None:
    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()})
    tasks = {"file": {"x": {**file("/etc/x"), "lifecycle": {"prevent_destroy": True}}}}
    fleet.converge(site(tasks, hosts={"a": {}, "b": {}}))
    assert shown(fleet.plan(site(tasks, hosts={"a": {}}))) == {"b/file.x!/etc/x": "forget"}


@pytest.mark.parametrize("adopted", [False, True])
def test_S_prune_a_selector_that_stops_matching_is_an_error_until_allow_empty(adopted: bool) -> None:
    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()})
    if adopted:
        fleet.hosts["b"].place("/etc/x", "theirs\n")
    tasks = {"file": {"x": {**file("/etc/x"), "on": {"role": "web"}}, "keep": file("/etc/keep")}}
    fleet.converge(site(tasks, hosts={"a": {}, "b": {"labels": {"role": "web"}}}))
    relabelled = site(tasks, hosts={"a": {}, "b": {"labels": {"role": "wbe"}}})
    assert "selector-stopped-matching" in [each.code for each in fleet.refused(relabelled).diagnostics]
    assert shown(fleet.plan(relabelled, allow_empty=True)) == {"b/file.x!/etc/x": "forget" if adopted else "delete"}


def test_S_prune_prevent_destroy_holds_though_the_block_is_gone_and_covers_replace() -> None:
    fleet = Fleet()
    kept = {**file("/etc/a"), "lifecycle": {"prevent_destroy": True}}
    fleet.converge(with_keep(a=kept))
    refusal = fleet.refused(KEEPS)
    assert (refusal.diagnostics[0].code, refusal.exit_code) == ("prevent-destroy", 1)
    assert fleet.refused(with_keep(a=kept), destroy=True).diagnostics[0].code == "prevent-destroy"
    assert fleet.refused(with_keep(a=kept), replace=("file.a",)).diagnostics[0].code == "prevent-destroy"
    moved = {**file("/etc/elsewhere"), "lifecycle": {"prevent_destroy": True}}
    assert fleet.refused(with_keep(a=moved)).diagnostics[0].code == "prevent-destroy"
    assert shown(fleet.plan(KEEPS, exclude=("file.a",))) == {}, "out of the selection it is in nobody's way"
    fleet.converge(with_keep(a=file("/etc/a")))
    assert shown(fleet.plan(KEEPS)) == {"file.a!/etc/a": "delete"}


def test_S_prune_prevent_destroy_holds_after_a_hand_over() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(a={**file("/etc/a"), "lifecycle": {"prevent_destroy": True}}))
    plan = fleet.plan(site({"file": {"keep": file("/etc/keep")}, "template": {"a": {"path": "/etc/a", "content": "1\n"}}}))
    assert shown(plan) == {"file.a!/etc/a": "forget"}


@pytest.mark.parametrize("tasks", [{}, {"file": {}}])
def test_S_prune_an_empty_source_never_means_destroy_all(tasks: Any) -> None:
    fleet = Fleet()
    fleet.converge(KEEPS)
    assert [each.code for each in fleet.refused(site(tasks)).diagnostics] == ["empty-stack"]
    assert shown(fleet.plan(site(tasks), allow_empty=True)) == {"file.keep!/etc/keep": "delete"}


def test_S_prune_the_packages_that_one_pulled_in_go_with_it() -> None:
    fleet = Fleet()
    fleet.converge(site({"package": {"nginx": {}}, "file": {"keep": file("/etc/keep")}}))
    record = fleet.record("package.nginx")
    assert record is not None
    assert "nginx-common" in record.pulled_in
    plan = fleet.plan(KEEPS)
    assert "nginx-common" in " ".join(step(plan, "package.nginx!nginx").because)
    assert fleet.apply(plan).status == "done"
    left = fleet.host.run(("dpkg-query", "-W", "-f", "${Package}\\n"), changes=False).text
    assert "nginx" not in left
    assert shown(fleet.plan(KEEPS)) == {}


def test_S_prune_what_is_gone_already_is_merely_forgotten() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(a=file("/etc/a")))
    fleet.host.remove("/etc/a")
    plan = fleet.plan(KEEPS)
    assert shown(plan) == {"file.a!/etc/a": "forget"}
    assert fleet.apply(plan).status == "done"
    assert fleet.record("file.a") is None


# ---- [S-moved] ------------------------------------------------------------------------------------------------------------------------


def test_S_moved_a_renamed_task_is_rekeyed_without_destroy_or_create(fleet: Fleet) -> None:
    fleet.converge(with_keep(old=file("/etc/a")))
    renamed = with_keep(new=file("/etc/a"))
    plan = fleet.plan(renamed)
    assert shown(plan) == {}
    assert (step(plan, "file.new").reason.code, step(plan, "file.new").moved_from) == ("moved", "localhost/file.old")
    fleet.apply(plan)
    assert fleet.record("file.old") is None
    assert fleet.record("file.new").created  # type: ignore[union-attr]
    assert step(fleet.plan(renamed), "file.new").reason.code == "none"


def test_S_moved_from_says_so_where_the_identity_changes_too_and_the_old_goes_last() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(old=file("/etc/a")))
    document = with_keep(new={**file("/etc/b"), "moved_from": ["file.old"]})
    plan = fleet.plan(document)
    assert shown(plan) == {"file.new": "create", "file.old!/etc/a": "delete"}
    assert step(plan, "file.old!/etc/a").reason.code == "moved"
    assert "localhost/file.new" in step(plan, "file.old!/etc/a").needs
    fleet.events.clear()
    fleet.apply(plan)
    assert fleet.ended() == ["localhost/file.new", "localhost/file.old!/etc/a"]


def test_S_moved_an_identity_that_changes_keeps_the_old_where_the_new_fails() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(a=file("/etc/a")))
    fleet.host.refuse("/etc/b", "no", ("write",))
    report = fleet.apply(fleet.plan(with_keep(a=file("/etc/b"))))
    assert outcomes(report) == {"file.a": "failed", "file.a!/etc/a": "skipped", "file.keep": "unchanged"}
    assert fleet.text("/etc/a") == "1\n"
    fleet.host.allow("/etc/b")
    assert shown(fleet.plan(with_keep(a=file("/etc/b")))) == {"file.a": "create", "file.a!/etc/a": "delete"}


# ---- [S-loss] -------------------------------------------------------------------------------------------------------------------------


def test_S_loss_of_the_ledger_never_makes_an_apply_wrong() -> None:
    fleet = Fleet()
    document = site({
        "file": {"a": file("/etc/a"), "b": file("/etc/b")},
        "directory": {"d": {"path": "/srv/d"}},
        "user": {"ann": {}},
        "command": {"c": {"argv": ["touch", "/srv/made"], "creates": "/srv/made"}},
    })  # fmt: skip
    fleet.converge(document)
    fresh = Fleet(fleet.hosts, journals=fleet.journals)
    fleet.host.place("/etc/a", "drift\n")
    plan = fresh.plan(document)
    assert shown(plan) == {"file.a": "update"}
    assert fresh.apply(plan).status == "done"
    assert fresh.record("file.b").created is False  # type: ignore[union-attr] # that is what is lost
    assert shown(fresh.plan(document)) == {}


# ---- [S-lock] -------------------------------------------------------------------------------------------------------------------------


def test_S_lock_one_writer_at_a_time_and_a_dead_owners_lease_lapses() -> None:
    fleet = Fleet()
    first = fleet.store.lease("here:1:1", "apply", applying.now(), 60.0, lambda _: True)
    with pytest.raises(RejectedError, match="in use"):
        fleet.store.lease("here:2:2", "apply", applying.now(), 60.0, lambda _: True)
    second = fleet.store.lease("here:2:2", "apply", applying.now(), 60.0, lambda _: False)
    assert second.fence > first.fence


def test_S_lock_a_writer_that_lost_its_lease_writes_nothing_more() -> None:
    fleet = Fleet()
    plan = fleet.plan(files(a=file("/etc/a"), b={**file("/etc/b"), "needs": ["file.a"]}))

    class Stolen(list[Any]):
        def append(self, event: Any) -> None:
            if type(event).__name__ == "StepStarted":
                fleet.store.lease("other:1:1", "apply", applying.now(), 60.0, lambda _: False)

    fleet.events = Stolen()
    with pytest.raises(RejectedError, match="no longer holds"):
        fleet.apply(plan)
    assert fleet.state().resources == {}
    assert fleet.text("/etc/b") is None


def test_S_prune_a_directory_where_a_home_was_is_no_heir_of_the_user() -> None:
    fleet = Fleet()
    fleet.apply(fleet.plan(site({"user": {"deploy": {"home": "/srv/deploy"}}})))
    plan = fleet.plan(site({"directory": {"home": {"path": "/srv/deploy"}}}))
    assert step(plan, "localhost/user.deploy!deploy").wish == "destroy"
