"""[A-trigger]: a trigger is a step of its own, and is owed until it was fired."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from acting import Button, Listening, Mortal, file, fleet_with, kill_when
from fleet import Fleet, outcomes, shown, site, step

from g8r.event import StepStarted
from g8r.executor.fake_host import Killed

# ---- [A-trigger] ----------------------------------------------------------------------------------------------------------------------

CONF = "/etc/nginx/conf.d/site.conf"


def web(content: str = "1\n", **service: object) -> dict[str, Any]:
    return site({
        "package": {"nginx": {}},
        "file": {"conf": file(CONF, content), "other": file("/etc/nginx/conf.d/other.conf", content)},
        "service": {"nginx": {"running": True, "enabled": True, "reload_on": ["file.conf", "file.other"], **service}},
    })  # fmt: skip


def served() -> Fleet:
    """A host with its web server as `web()` says, and nothing owed."""
    fleet = Fleet()
    fleet.converge(web())
    fleet.host.calls.clear()
    fleet.events.clear()
    return fleet


def reloads(fleet: Fleet) -> int:
    return Counter(word for call in fleet.host.calls if call[0] == "run" for word in call[1])["try-reload-or-restart"]


def test_A_trigger_is_a_step_of_its_own_fired_once_after_all_that_it_waits_for() -> None:
    fleet = served()
    plan = fleet.plan(web("2\n"))
    assert shown(plan) == {"file.conf": "update", "file.other": "update", "service.nginx#reload": "trigger"}
    fleet.events.clear()
    assert fleet.apply(plan).status == "done"
    assert fleet.ended()[-1] == "localhost/service.nginx#reload"
    assert reloads(fleet) == 1
    assert fleet.state().owed == ()
    assert shown(fleet.plan(web("2\n"))) == {}


def test_A_trigger_is_struck_where_the_same_run_started_the_unit() -> None:
    fleet = served()
    fleet.host.run(("systemctl", "stop", "nginx.service"))
    plan = fleet.plan(web("2\n"))
    assert shown(plan) == {"file.conf": "update", "file.other": "update", "service.nginx": "update"}
    assert fleet.apply(plan).status == "done"
    assert reloads(fleet) == 0
    assert fleet.state().owed == ()


def test_A_trigger_is_not_fired_where_nothing_that_it_waits_for_changed() -> None:
    fleet = served()
    plan = fleet.plan(web("2\n"))
    fleet.host.place(CONF, "2\n")
    fleet.host.place("/etc/nginx/conf.d/other.conf", "2\n")
    report = fleet.apply(plan)
    assert outcomes(report)["service.nginx#reload"] == "unchanged"
    assert reloads(fleet) == 0


@pytest.mark.parametrize("how", ["the trigger fails", "another source fails", "killed before it fires", "interrupted"])
def test_A_trigger_is_owed_after_a_run_that_did_not_fire_it_and_not_lost_when_its_source_no_longer_changes(how: str) -> None:
    fleet = served()
    plan = fleet.plan(web("2\n"))
    match how:
        case "the trigger fails":
            fleet.host.refuse("systemctl", "no bus", ("run",))
            report = fleet.apply(plan)
            assert outcomes(report)["service.nginx#reload"] == "failed"
            fleet.host.allow("systemctl")
        case "another source fails":
            fleet.host.refuse("/etc/nginx/conf.d/other.conf", "no", ("write",))
            assert outcomes(fleet.apply(plan))["service.nginx#reload"] == "skipped"
            fleet.host.allow("/etc/nginx/conf.d/other.conf")
        case "interrupted":
            button = fleet.control = Button()
            fleet.events = Listening(lambda event: setattr(button, "presses", 1) if isinstance(event, StepStarted) else None)
            fleet.apply(plan)
            fleet.control, fleet.events = None, []
        case _:
            kill_when(fleet, lambda started: started.endswith("#reload"))
            with pytest.raises(Killed):
                fleet.apply(plan)
            fleet.events = []
    assert reloads(fleet) == 0
    assert [(str(owed.address), owed.verb) for owed in fleet.state().owed] == [("localhost/service.nginx", "reload")]
    plan = fleet.plan(web("2\n"))
    owed = step(plan, "service.nginx#reload")
    assert (owed.action, owed.reason.code, owed.owed) == ("trigger", "owed", True)
    assert fleet.apply(plan).status == "done"
    assert reloads(fleet) == 1
    assert fleet.state().owed == ()
    assert shown(fleet.plan(web("2\n"))) == {}


def test_A_trigger_is_owed_though_a_change_was_never_acknowledged_and_though_the_next_run_is_killed_too() -> None:
    fleet = served()
    fleet.store = Mortal(fleet.store)
    fleet.store.die_at(lambda call, _: call == "record")
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(web("2\n")))
    fleet.store.live()
    for _ in range(3):
        plan = fleet.plan(web("2\n"))
        assert shown(plan) == {"service.nginx#reload": "trigger"}
        kill_when(fleet, lambda started: started.endswith("#reload"))
        with pytest.raises(Killed):
            fleet.apply(plan)
        fleet.events = []
    assert fleet.apply(fleet.plan(web("2\n"))).status == "done"
    assert reloads(fleet) == 1
    assert shown(fleet.plan(web("2\n"))) == {}


@pytest.mark.parametrize("choice", [{"exclude": ("service.nginx",)}, {"target": ("file.conf", "file.other")}])
def test_A_trigger_is_owed_where_the_selection_leaves_the_service_out(choice: dict[str, Any]) -> None:
    fleet = served()
    fleet.converge(web("2\n"), **choice)
    assert reloads(fleet) == 0
    plan = fleet.plan(web("2\n"))
    assert shown(plan) == {"service.nginx#reload": "trigger"}
    fleet.apply(plan)
    assert reloads(fleet) == 1


def test_A_trigger_is_owed_where_the_service_itself_is_blocked() -> None:
    fleet = served()
    fleet.host.run(("systemctl", "mask", "nginx.service"))
    plan = fleet.plan(web("2\n"))
    assert step(plan, "service.nginx").judgement == "blocked"
    fleet.apply(plan)  # --skip-blocked
    fleet.host.run(("systemctl", "unmask", "nginx.service"))
    assert shown(fleet.plan(web("2\n"))).get("service.nginx#reload") == "trigger"


def test_A_trigger_of_a_renamed_task_is_still_owed() -> None:
    fleet = served()
    fleet.host.refuse("systemctl", "no bus", ("run",))
    fleet.apply(fleet.plan(web("2\n")))
    fleet.host.allow("systemctl")
    renamed = web("2\n")
    renamed["tasks"]["service"] = {"web": {**renamed["tasks"]["service"]["nginx"], "name": "nginx"}}
    plan = fleet.plan(renamed)
    assert shown(plan) == {"service.web#reload": "trigger"}
    fleet.apply(plan)
    assert (reloads(fleet), fleet.state().owed, shown(fleet.plan(renamed))) == (1, (), {})


def test_A_trigger_a_command_that_other_tasks_fire_is_run_by_them_alone() -> None:
    fleet = fleet_with()
    tasks = {"file": {"a": file("/etc/a")}, "command": {"c": {"argv": ["append", "/etc/log", "x"], "run_on": ["file.a"]}}}
    document = site(tasks, outputs={"said": "@{command.c.stdout}"})
    fleet.converge(document)
    assert fleet.text("/etc/log") == "x"
    assert shown(fleet.plan(document)) == {}
    fleet.converge(document)
    assert fleet.text("/etc/log") == "x"
    assert fleet.state().outputs == {"said": "appended"}
