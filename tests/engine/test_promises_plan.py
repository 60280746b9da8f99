"""The promises about plans of one machine: each test is named after the promise it holds, as `engine.md` brackets it."""

import copy
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from acting import EVERY, NGINX, file
from fleet import Fleet, outcomes, shown, site, step

from g8r.catalog import Exactly, Predicted
from g8r.diagnostics import RejectedError
from g8r.executor import plan_file
from g8r.executor.fake_host import FakeHost
from g8r.plan import Plan
from g8r.value import canonical

# ---- [P-pure] [P-local] ---------------------------------------------------------------------------------------------------------------


def test_P_pure_planning_changes_nothing_on_any_host() -> None:
    fleet = Fleet()
    before = fleet.host.snapshot()
    with fleet.host.frozen():
        plan = fleet.plan(site(EVERY))
    assert plan.summary().any
    assert fleet.host.snapshot() == before
    fleet.apply(plan)
    fleet.host.remove("/etc/motd")
    before = fleet.host.snapshot()
    with fleet.host.frozen():
        assert shown(fleet.plan(site({"file": {"other": file("/etc/other")}})))
        assert shown(fleet.plan(site(EVERY), destroy=True))
        fleet.plan(site(EVERY), refresh_only=True)
    assert fleet.host.snapshot() == before


def test_P_pure_a_plan_that_nobody_applied_leaves_the_ledger_as_it_was() -> None:
    fleet = Fleet()
    fleet.converge(site({"file": {"a": file("/etc/a")}}))
    before = fleet.state()
    fleet.plan(site(EVERY))
    assert fleet.state() == before


def programs(host: FakeHost) -> Counter[str]:
    return Counter(call[1][0] for call in host.calls if call[0] == "run")


@pytest.mark.parametrize(
    ("kind", "many", "program"),
    [
        ("package", {f"p{n}": {"name": name} for n, name in enumerate(["nginx", "nginx-common", "curl", "tree"])}, "dpkg-query"),
        ("service", {f"s{n}": {"name": f"unit{n}", "running": True} for n in range(50)}, "systemctl"),
    ],
)
def test_P_local_one_batched_read_for_all_resources_of_a_kind(kind: str, many: dict[str, object], program: str) -> None:
    """As many programs for one as for many."""
    counts = []
    for names in (list(many)[:1], list(many)):
        fleet = Fleet()
        fleet.host.calls.clear()
        fleet.plan(site({kind: {name: many[name] for name in names}}))
        counts.append(programs(fleet.host)[program])
    assert counts[0] == counts[1] >= 1


def test_P_local_each_host_is_read_once_and_only_for_its_own_tasks() -> None:
    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()})
    tasks = {"file": {"a": {**file("/etc/on-a"), "on": "a"}, "b": {**file("/etc/on-b"), "on": "b"}}}
    fleet.plan(site(tasks, hosts={"a": {}, "b": {}}))
    for name, other in (("a", "b"), ("b", "a")):
        asked = [call[1] for call in fleet.hosts[name].calls if call[0] == "stat"]
        assert asked.count(f"/etc/on-{name}") == 1
        assert f"/etc/on-{other}" not in asked


def test_P_local_a_converged_fleet_plans_no_unknowns() -> None:
    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()})
    document = cross_host()
    first = fleet.plan(document)
    assert step(first, "b/file.copy").unknown  # not known before file.origin was made
    fleet.apply(first)
    second = fleet.plan(document)
    assert shown(second) == {}
    assert [each.unknown for each in second.steps] == [()] * len(second.steps)


def cross_host() -> dict[str, object]:
    """b's file holds what a's command printed, and c's third holds what b's is."""
    tasks = {
        "command": {"made": {"argv": ["echo", "from-a"], "run": "once", "on": "a"}},
        "file": {
            "copy": {"path": "/etc/copy", "content": "@{a/command.made.stdout}\n", "on": "b"},
            "third": {"path": "/etc/third", "content": "@{b/file.copy.checksum}\n", "on": "a"},
        },
    }
    return site(tasks, hosts={"a": {}, "b": {}})


# ---- [P-verdict] [P-predict] ----------------------------------------------------------------------------------------------------------


def test_P_verdict_four_verdicts_and_never_a_false_ok() -> None:
    fleet = Fleet()
    fleet.converge(site({"file": {"there": file("/etc/there")}}))
    tasks = {
        "file": {
            "there": file("/etc/there"),
            "new": file("/etc/new"),
            "late": {"path": "/etc/late", "content": "@{command.c.stdout}"},
            "lost": file("/nowhere/x"),
        },
        "command": {"c": {"argv": ["echo", "x"], "run": "once"}},
    }
    fleet.host.place("/etc/late", "old")
    plan = fleet.plan(site(tasks))
    found = {name: step(plan, f"file.{name}").judgement for name in tasks["file"]}
    assert found == {"there": "no-change", "new": "change", "late": "unknown", "lost": "blocked"}
    assert "command.c" in step(plan, "file.late").reason.text
    assert "/nowhere" in step(plan, "file.lost").reason.text


def test_P_verdict_an_unreadable_resource_is_blocked_with_its_reason() -> None:
    fleet = Fleet()
    fleet.host.refuse("/etc/a", "the disk is on fire")
    blocked = step(fleet.plan(site({"file": {"a": file("/etc/a")}})), "file.a")
    assert (blocked.action, blocked.judgement) == ("blocked", "blocked")
    assert "on fire" in blocked.reason.text


def test_P_verdict_what_needs_a_blocked_task_is_blocked_too() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"file": {"a": file("/nowhere/a"), "b": {**file("/etc/b"), "needs": ["file.a"]}}}))
    assert step(plan, "file.b").judgement == "blocked"
    assert "file.a" in step(plan, "file.b").reason.text
    report = fleet.apply(plan)  # as with --skip-blocked
    assert outcomes(report) == {"file.a": "skipped", "file.b": "skipped"}


def test_P_predict_a_file_in_a_directory_to_be_made_owned_by_a_user_to_be_made_is_a_plain_create() -> None:
    fleet = Fleet()
    tasks = {
        "user": {"deploy": {}},
        "directory": {"app": {"path": "/srv/app", "owner": "deploy"}},
        "file": {"conf": file("/srv/app/conf", owner="deploy")},
    }
    plan = fleet.plan(site(tasks))
    conf = step(plan, "file.conf")
    assert (conf.action, conf.judgement, conf.unknown) == ("create", "change", ())
    assert conf.after is not None
    assert conf.after["owner"] == "deploy"
    assert isinstance(conf.expect, Predicted)
    assert outcomes(fleet.apply(plan)) == dict.fromkeys(["directory.app", "file.conf", "user.deploy"], "changed")


def test_P_predict_a_line_in_a_file_to_be_made_is_a_plain_create() -> None:
    fleet = Fleet()
    document = site({"file": {"f": {"path": "/etc/f"}}, "line": {"l": {"path": "/etc/f", "line": "x"}}})
    plan = fleet.plan(document)
    assert {each.id: each.judgement for each in plan.steps} == {"localhost/file.f": "change", "localhost/line.l": "change"}
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/etc/f") == "x\n"


def test_P_predict_a_requirement_without_provider_comes_after_the_packages_and_is_expected_from_them() -> None:
    fleet = Fleet()
    plan = fleet.plan(site(NGINX))
    conf, service = step(plan, "file.conf"), step(plan, "service.nginx")
    assert (conf.action, conf.reason.text) == ("unknown", "expected from package.nginx")
    assert (service.action, service.reason.text) == ("unknown", "expected from package.nginx")
    assert plan.steps[0].id == "localhost/package.nginx"
    assert plan.blocked == ()
    assert outcomes(fleet.apply(plan))["file.conf"] == "changed"


def test_P_predict_with_no_package_pending_and_the_thing_absent_it_is_blocked() -> None:
    fleet = Fleet()
    fleet.converge(site({"package": {"curl": {}}}))
    plan = fleet.plan(site({"package": {"curl": {}}, "file": NGINX["file"]}))
    assert step(plan, "file.conf").judgement == "blocked"
    assert "/etc/nginx/conf.d" in step(plan, "file.conf").reason.text


def test_P_predict_what_the_package_did_not_bring_fails_that_step_alone() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"package": {"curl": {}}, "file": {"conf": file("/etc/nginx/conf.d/x"), "other": file("/etc/other")}}))
    assert step(plan, "file.conf").reason.text == "expected from package.curl"
    assert outcomes(fleet.apply(plan)) == {"package.curl": "changed", "file.conf": "failed", "file.other": "changed"}


# ---- [P-frozen] [P-expect] [P-stale] --------------------------------------------------------------------------------------------------


def test_P_frozen_a_saved_plan_is_applied_without_its_source(tmp_path) -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"file": {"a": file("/etc/a"), "b": {"path": "/etc/b", "content": "@{file.a.checksum}"}}}))
    plan_file.write(tmp_path / "p.g8r", plan, {}, bytes(32))
    read, blobs = plan_file.read(tmp_path / "p.g8r", bytes(32))
    assert read == plan
    assert blobs == {}
    report = fleet.apply(read, check=True)  # nothing but the plan is given
    assert report.status == "done"
    assert fleet.text("/etc/b") == step(plan, "file.a").outputs["checksum"]


def test_P_frozen_the_plan_says_what_it_was_made_from() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"file": {"a": file("/etc/@{vars.name}")}}, vars={"name": "a"}), target=("file.a",))
    assert (plan.stack, plan.workspace, plan.lineage, plan.serial) == ("site", "default", "lineage-site", 0)
    assert plan.config_digest.startswith("sha256:")
    assert (plan.vars, plan.selection, plan.complete) == ({"name": "a"}, {"target": ("file.a",)}, False)
    assert plan.created < plan.expires


def test_P_expect_a_step_expects_its_own_resource_only() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}))
    assert isinstance(step(plan, "file.a").expect, Exactly)
    fleet.host.place("/etc/unrelated", "new")
    assert fleet.apply(plan).status == "done"


def test_P_expect_a_resolved_unknown_must_refine_what_was_planned() -> None:
    """The content is known only during apply; the mode was planned. If the mode can no longer be what was planned, it is stale."""
    fleet = Fleet()
    fleet.host.place("/etc/late", "old", mode=0o600)
    tasks = {
        "command": {"c": {"argv": ["echo", "x"], "run": "once"}},
        "file": {"late": {"path": "/etc/late", "content": "@{command.c.stdout}"}},
    }
    plan = fleet.plan(site(tasks))
    assert step(plan, "file.late").action == "unknown"
    fleet.host.set_attributes("/etc/late", mode=0o640)  # the plan said that 0600 stays
    report = fleet.apply(plan)
    assert outcomes(report) == {"command.c": "changed", "file.late": "stale"}
    assert fleet.text("/etc/late") == "old"


def test_P_expect_a_resource_that_is_already_as_planned_is_unchanged_not_stale() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"file": {"a": file("/etc/a")}}))
    fleet.host.place("/etc/a", "1\n")
    assert outcomes(fleet.apply(plan)) == {"file.a": "unchanged"}


@pytest.mark.parametrize("meddle", ["changed", "gone", "appeared", "mode"])
def test_P_stale_ends_a_step_whose_ground_has_moved_and_leaves_the_rest(meddle: str) -> None:
    fleet = Fleet()
    if meddle != "appeared":
        fleet.host.place("/etc/a", "old\n")
    tasks = {"file": {"a": file("/etc/a"), "after": {**file("/etc/after"), "needs": ["file.a"]}, "free": file("/etc/free")}}
    plan = fleet.plan(site(tasks))
    match meddle:
        case "gone":
            fleet.host.remove("/etc/a")
        case "mode":
            fleet.host.set_attributes("/etc/a", mode=0o600)
        case _:
            fleet.host.place("/etc/a", "by hand\n")
    found = fleet.text("/etc/a")
    report = fleet.apply(plan)
    assert outcomes(report) == {"file.a": "stale", "file.after": "skipped", "file.free": "changed"}
    assert fleet.text("/etc/a") == found
    assert fleet.text("/etc/after") is None
    assert report.status == "failed"


def test_P_stale_a_removal_whose_ground_has_moved_is_left_untouched() -> None:
    fleet = Fleet()
    fleet.converge(site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}))
    plan = fleet.plan(site({"file": {"b": file("/etc/b")}}))
    fleet.host.place("/etc/a", "precious\n")
    assert outcomes(fleet.apply(plan))["file.a!/etc/a"] == "stale"
    assert fleet.text("/etc/a") == "precious\n"
    assert fleet.record("file.a") is not None


# ---- [P-once] -------------------------------------------------------------------------------------------------------------------------


def said(fleet: Fleet, plan: Plan) -> str:
    before = fleet.host.snapshot()
    with pytest.raises(RejectedError) as refusal:
        fleet.apply(plan, check=True)
    assert refusal.value.exit_code == 3
    assert fleet.host.snapshot() == before
    return refusal.value.diagnostics[0].code


def planned_once() -> tuple[Fleet, Plan]:
    fleet = Fleet()
    return fleet, fleet.plan(site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}))


def test_P_once_a_plan_is_applied_once() -> None:
    fleet, plan = planned_once()
    fleet.apply(plan, check=True)
    assert said(fleet, plan) == "applied"


def test_P_once_a_plan_that_failed_is_not_applied_again_either() -> None:
    fleet, plan = planned_once()
    fleet.host.refuse("/etc/a", "no", ("write",))
    assert fleet.apply(plan, check=True).status == "failed"
    assert said(fleet, plan) == "applied"


def test_P_once_a_plan_of_another_lineage_is_refused() -> None:
    fleet, plan = planned_once()
    assert said(fleet, msgspec.structs.replace(plan, lineage="other")) == "other-lineage"
    assert said(fleet, msgspec.structs.replace(plan, lineage="")) == "other-lineage"


def test_P_once_a_plan_whose_tasks_were_touched_since_is_refused_and_one_whose_were_not_is_applied() -> None:
    fleet, plan = planned_once()
    fleet.converge(site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}), target=("file.a",))
    assert said(fleet, plan) == "touched"
    fleet, plan = planned_once()
    fleet.converge(site({"file": {"c": file("/etc/c")}}))
    assert fleet.apply(plan, check=True).status == "done"


def test_P_once_an_expired_plan_is_refused() -> None:
    fleet, plan = planned_once()
    assert said(fleet, msgspec.structs.replace(plan, expires="2026-01-01T00:00:01Z")) == "expired"


def test_P_once_a_plan_of_another_version_of_g8r_or_of_a_kind_is_refused() -> None:
    fleet, plan = planned_once()
    assert said(fleet, msgspec.structs.replace(plan, g8r_version="0.0.9")) == "other-version"
    older = tuple(msgspec.structs.replace(each, version=99) for each in plan.steps)
    assert said(fleet, msgspec.structs.replace(plan, steps=older)) == "other-kind-version"


def test_P_once_an_edited_plan_is_refused(tmp_path) -> None:
    _, plan = planned_once()
    plan_file.write(tmp_path / "p.g8r", plan, {}, bytes(32))
    with pytest.raises(RejectedError) as refusal:
        plan_file.read(tmp_path / "p.g8r", bytes(31) + b"x")
    assert (refusal.value.exit_code, refusal.value.diagnostics[0].code) == (3, "plan-foreign")


# ---- [P-same] [P-reason] --------------------------------------------------------------------------------------------------------------


def shuffled(value: object, seed: int) -> object:
    dice = random.Random(seed)
    if isinstance(value, dict):
        pairs = [(key, shuffled(each, seed)) for key, each in value.items()]
        dice.shuffle(pairs)
        return dict(pairs)
    return value


def test_P_same_gives_the_byte_same_plan_apart_from_id_and_times() -> None:
    document = site(EVERY, vars={"b": 1, "a": 2}, outputs={"y": "@{file.motd.checksum}", "x": "@{user.deploy.uid}"})
    found = set()
    for seed in range(5):
        fleet = Fleet()
        fleet.host.place("/etc/motd", "old\n")
        plan = fleet.plan(shuffled(copy.deepcopy(document), seed))
        found.add(canonical(msgspec.structs.replace(plan, id="", created="", expires="")))
    assert len(found) == 1


def test_P_same_whatever_the_seed_of_hashes_is() -> None:
    """Sets of texts are in another order in each process."""
    program = (
        "import test_promises_plan as t; from fleet import Fleet, site; import msgspec;"
        "from g8r.value import canonical, digest; d = site({**t.EVERY, 'file': {**t.EVERY['file'], 'apart': t.file('/etc/apart')}});"
        "d['tasks']['file']['apart']['needs'] = ['line.x', 'template.t', 'group.ops', 'command.once', 'link.app', 'directory.app'];"
        "f = Fleet(); f.apply(f.plan(d)); f.host.place('/etc/motd', 'x');"
        "d['tasks']['file']['conf']['content'] = '2'; p = f.plan(d);"
        "print(digest(canonical(msgspec.structs.replace(p, id='', created='', expires=''))))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *(entry for entry in sys.path if entry)])
    said = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        said.add(subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1


def test_P_same_holds_for_sealed_params_and_after_an_apply() -> None:
    document = site({"user": {"deploy": {"password": "$6$abc$def"}}, "file": {"a": file("/etc/a", "secret") | {"sensitive": ["content"]}}})
    found = set()
    for _ in range(2):
        fleet = Fleet()
        fleet.converge(document)
        fleet.host.place("/etc/a", "drift")
        plan = fleet.plan(document)
        assert step(plan, "file.a").sealed == ("content",)
        found.add(canonical(msgspec.structs.replace(plan, id="", created="", expires="")))
    assert len(found) == 1


def test_P_reason_each_change_says_why() -> None:
    fleet = Fleet()
    fleet.host.place("/etc/adopted", "theirs\n")
    first = {"new": file("/etc/new"), "adopted": file("/etc/adopted"), "gone": file("/etc/gone"), "old": file("/etc/old")}
    plan = fleet.plan(site({"file": first}))
    assert step(plan, "file.new").reason.code == "new"
    assert step(plan, "file.adopted").reason.code == "adopted"
    fleet.apply(plan)
    fleet.host.place("/etc/new", "by hand\n")
    fleet.host.remove("/etc/gone")
    second = {"new": first["new"], "adopted": file("/etc/adopted", "changed here\n"), "gone": first["gone"], "moved": file("/etc/old")}
    plan = fleet.plan(site({"file": second}))
    reasons = {name: step(plan, f"file.{name}").reason for name in second}
    assert {name: reason.code for name, reason in reasons.items()} == {
        "new": "drift",
        "gone": "drift",
        "adopted": "changed",
        "moved": "moved",
    }
    assert "content" in reasons["adopted"].text
    plan = fleet.plan(site({"file": {"new": first["new"]}}), replace=("file.new",))
    assert step(plan, "file.new").reason.code == "requested"
    assert step(plan, "file.adopted!/etc/adopted").reason.code == "removed"


def test_P_reason_a_trigger_says_what_fires_it_and_a_replace_why() -> None:
    fleet = Fleet()
    fleet.converge(site(NGINX))
    changed = {**NGINX, "file": {"conf": file("/etc/nginx/conf.d/site.conf", "# new\n")}}
    reload = step(fleet.plan(site(changed)), "service.nginx#reload")
    assert reload.reason.code == "trigger"
    assert "file.conf" in reload.reason.text
