"""[A-intent]: what was meant is written down before anything is done, and nothing is done twice that must not be."""

from __future__ import annotations

from typing import Any

import pytest
from acting import Mortal, append, file, fleet_with, kill_when, once
from fleet import Fleet, outcomes, shown, site, step

from g8r.cli.trigger import of_trigger
from g8r.executor.fake_host import FakeHost, Invocation, Killed, Program
from g8r.host import Ran

# ---- [A-intent] -----------------------------------------------------------------------------------------------------------------------


def test_A_intent_all_intentions_are_recorded_in_one_transaction_before_anything_is_done() -> None:
    fleet = Fleet()
    fleet.host.place("/etc/b", "theirs\n")
    plan = fleet.plan(site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}))
    kill_when(fleet, lambda _: True)
    with pytest.raises(Killed):
        fleet.apply(plan)
    found = {intent.step: intent.record.created for intent in fleet.state().intents}
    assert found == {"localhost/file.a": True, "localhost/file.b": False}
    assert fleet.text("/etc/a") is None


@pytest.mark.parametrize("then", ["planned whole", "another was planned first", "killed again", "killed before the next run began"])
def test_A_intent_created_and_adopted_stand_as_planned_after_a_crash(then: str) -> None:
    fleet = Fleet()
    fleet.host.place("/etc/b", "theirs\n")
    b = {**file("/etc/b"), "lifecycle": {"on_remove": "restore"}}
    document = site({"file": {"a": file("/etc/a"), "b": b, "c": file("/etc/c")}})
    fleet.store = Mortal(fleet.store)
    fleet.store.die_at(lambda call, _: call == "record")
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document))
    assert fleet.text("/etc/a") == fleet.text("/etc/b") == "1\n"
    fleet.store.live()
    match then:
        case "another was planned first":
            fleet.converge(document, target=("file.c",))
        case "killed again":
            fleet.store.die_at(lambda call, _: call == "record")
            with pytest.raises(Killed):
                fleet.apply(fleet.plan(document))
            fleet.store.live()
        case "killed before the next run began":
            for call in ("edit", "abandon", "begin"):
                fleet.store.die_at(lambda name, _, call=call: name == call)
                with pytest.raises(Killed):
                    fleet.apply(fleet.plan(document))
                fleet.store.live()
    plan = fleet.plan(document)
    assert shown(plan) == {}
    fleet.apply(plan)
    assert (fleet.record("file.a").created, fleet.record("file.b").created) == (True, False)  # type: ignore[union-attr]
    fleet.converge(site({"file": {"c": file("/etc/c")}}))
    assert (fleet.text("/etc/a"), fleet.text("/etc/b")) == (None, "theirs\n")


def test_A_intent_what_a_killed_run_made_is_removed_where_its_task_is_gone() -> None:
    fleet = Fleet()
    fleet.store = Mortal(fleet.store)
    fleet.store.die_at(lambda call, _: call == "record")
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(site({"file": {"a": file("/etc/a")}})))
    fleet.store.live()
    plan = fleet.plan(site({"file": {"b": file("/etc/b")}}))
    assert shown(plan) == {"file.a!/etc/a": "delete", "file.b": "create"}
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/etc/a") is None
    assert len(fleet.state().resources) == 1


def killed_command(**programs: Any) -> tuple[Fleet, dict[str, Any]]:
    """A command that ran, or may have run: the agent was killed inside of it."""
    fleet = fleet_with(**programs)

    def append_and_die(host: FakeHost, call: Invocation) -> Ran:
        append(host, call)
        raise Killed

    fleet.host.programs["append"] = Program(append_and_die)
    after = {**file("/etc/after"), "needs": ["command.c"]}
    document = site({"command": {"c": once("/etc/log")}, "file": {"after": after, "x": file("/etc/x")}})
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document))
    fleet.host.programs["append"] = Program(append)
    return fleet, document


def test_A_intent_a_command_in_doubt_ends_unknown_and_is_never_silently_run_again() -> None:
    fleet, document = killed_command()
    for _ in range(3):
        plan = fleet.plan(document)
        assert (step(plan, "command.c").action, step(plan, "command.c").reason.code) == ("unknown", "in-doubt")
        assert "--replace command.c" in step(plan, "command.c").reason.text
        report = fleet.apply(plan)
        assert outcomes(report)["command.c"] == "unknown"
        assert outcomes(report)["file.after"] == "skipped"
        assert fleet.text("/etc/log") == "x"
    fleet.converge(document, target=("file.x",))  # a run that gets done without it forgets nothing
    assert step(fleet.plan(document), "command.c").reason.code == "in-doubt"


def test_A_intent_replace_runs_a_command_in_doubt_again() -> None:
    fleet, document = killed_command()
    plan = fleet.plan(document, replace=("command.c",))
    assert step(plan, "command.c").action == "run"
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/etc/log") == "xx"
    assert shown(fleet.plan(document)) == {}


def test_A_intent_resume_leaves_a_command_in_doubt_too() -> None:
    fleet, document = killed_command()
    run = fleet.store.open_run("site", "default")
    report = fleet.apply(fleet.store.plan_of(run.id), resume=run.id)
    assert outcomes(report) == {"command.c": "unknown", "file.after": "skipped", "file.x": "changed"}
    assert fleet.text("/etc/log") == "x"
    assert step(fleet.plan(document), "command.c").reason.code == "in-doubt"


def test_A_intent_a_command_whose_end_the_journal_knows_is_done_and_what_it_triggers_is_owed() -> None:
    fleet = fleet_with()
    document = site({
        "command": {"c": once("/etc/log"), "follows": {"argv": ["append", "/etc/follows", "x"], "run_on": ["command.c"]}},
        "file": {"said": {"path": "/etc/said", "content": "@{command.c.stdout}"}},
    })  # fmt: skip
    fleet.store = Mortal(fleet.store)
    fleet.store.die_at(lambda call, given: call == "record" and any(each.step == "localhost/command.c" for each in given[2]))
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document))
    fleet.store.live()
    plan = fleet.plan(document)
    assert shown(plan) == {"command.follows#run": "trigger", "file.said": "create"}
    assert fleet.apply(plan).status == "done"
    assert (fleet.text("/etc/log"), fleet.text("/etc/follows"), fleet.text("/etc/said")) == ("x", "x", "appended")
    assert shown(fleet.plan(document)) == {}


@pytest.mark.parametrize("how", ["--replace", "g8r trigger"])
def test_A_intent_a_fired_command_in_doubt_is_not_fired_again_unasked(how: str) -> None:
    fleet = fleet_with()

    def append_and_die(host: FakeHost, call: Invocation) -> Ran:
        append(host, call)
        raise Killed

    fleet.host.programs["append"] = Program(append_and_die)
    document = site({"file": {"a": file("/etc/a")}, "command": {"c": {"argv": ["append", "/etc/log", "x"], "run_on": ["file.a"]}}})
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document))
    fleet.host.programs["append"] = Program(append)
    for _ in range(3):
        plan = fleet.plan(document)
        assert (step(plan, "command.c#run").action, step(plan, "command.c#run").reason.code) == ("unknown", "in-doubt")
        assert outcomes(fleet.apply(plan))["command.c#run"] == "unknown"
        assert fleet.text("/etc/log") == "x"
    plan = fleet.plan(document)
    plan = fleet.plan(document, replace=("command.c",)) if how == "--replace" else of_trigger(plan, "command.c", "run")
    assert step(plan, "command.c#run").action == "trigger"
    assert fleet.apply(plan).status == "done"
    assert fleet.text("/etc/log") == "xx"
    assert shown(fleet.plan(document)) == {}


def test_A_intent_a_fired_command_whose_end_the_journal_knows_is_not_fired_again() -> None:
    fleet = fleet_with()
    document = site({"file": {"a": file("/etc/a")}, "command": {"c": {"argv": ["append", "/etc/log", "x"], "run_on": ["file.a"]}}})
    fleet.store = Mortal(fleet.store)
    fleet.store.die_at(lambda call, given: call == "record" and any(each.step == "localhost/command.c#run" for each in given[2]))
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document))
    fleet.store.live()
    assert shown(fleet.plan(document)) == {}
    fleet.converge(document)
    assert fleet.text("/etc/log") == "x"
    assert (fleet.state().owed, shown(fleet.plan(document))) == ((), {})
    assert fleet.record("command.c").state["stdout"] == "appended"  # type: ignore[union-attr,index]


def test_A_intent_a_fired_command_whose_end_the_journal_knows_is_in_doubt_no_more() -> None:
    fleet = fleet_with()

    def append_and_die(host: FakeHost, call: Invocation) -> Ran:
        append(host, call)
        raise Killed

    def document(content: str) -> dict[str, Any]:
        command = {"argv": ["append", "/etc/log", "x"], "run_on": ["file.a"]}
        return site({"file": {"a": file("/etc/a", content)}, "command": {"c": command}})

    fleet.host.programs["append"] = Program(append_and_die)
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document("1\n")))
    fleet.host.programs["append"] = Program(append)
    assert outcomes(fleet.apply(fleet.plan(document("1\n"))))["command.c#run"] == "unknown"
    fleet.store = Mortal(fleet.store)
    fleet.store.die_at(lambda call, given: call == "record" and any(each.step == "localhost/command.c#run" for each in given[2]))
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document("2\n")))
    fleet.store.live()
    fleet.converge(document("2\n"))
    assert fleet.text("/etc/log") == "xx"
    assert (fleet.state().owed, fleet.record("command.c").doubtful_triggers) == ((), {})  # type: ignore[union-attr]


def test_A_intent_a_guarded_command_is_asked_again_after_a_crash() -> None:
    fleet, _ = killed_command()
    document = site({"command": {"g": {"argv": ["touch", "/srv/g"], "creates": "/srv/g"}}})
    fleet.host.programs["touch"] = Program(lambda *_: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        fleet.apply(fleet.plan(document, allow_empty=True))
    fleet.host.programs["touch"] = FakeHost.debian().programs["touch"]
    assert shown(fleet.plan(document, allow_empty=True))["command.g"] == "run"
