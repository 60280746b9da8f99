"""The promises about applying on one machine: each test is named after the promise it holds, as `engine.md` brackets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from acting import Button, Listening, Mortal, file, fleet_with, once
from fleet import Fleet, InlineTransport, outcomes, shown, site, step

from g8r import modules
from g8r.change import Applied
from g8r.event import Interrupted, RunEnded, StepEnded, StepRetried, StepStarted
from g8r.executor import run as running
from g8r.executor.fake_host import FakeHost, Invocation, Program
from g8r.host import Ran
from g8r.modules.file import File
from g8r.outcome import Failure, InDoubt, NotStarted, Skipped
from g8r.plan import Plan
from g8r.state import Ended

# ---- [A-exact] ------------------------------------------------------------------------------------------------------------------------


class LyingFile(File):
    """Says that it wrote, and writes something else."""

    def apply(self, work: Any, host: Any) -> Iterator[Any]:
        for each in work:
            host.write(each.change.after.path, b"a lie\n", mode=0o644)
            yield Applied()


class IdleFile(File):
    """Says that it wrote, and does nothing."""

    def apply(self, work: Any, host: Any) -> Iterator[Any]:
        yield from (Applied() for _ in work)


class CrashingFile(File):
    def apply(self, work: Any, host: Any) -> Iterator[Any]:
        raise ZeroDivisionError
        yield


def kinds_with(instead: File) -> Callable[[str], Any]:
    return lambda kind: instead if kind == "file" else modules.load(kind)


def test_A_exact_a_module_that_lies_fails_as_a_bug_with_both_values() -> None:
    fleet = Fleet(kinds=kinds_with(LyingFile()))
    report = fleet.apply(fleet.plan(site({"file": {"a": file("/etc/a"), "b": {**file("/etc/b"), "needs": ["file.a"]}}})))
    assert outcomes(report) == {"file.a": "failed", "file.b": "skipped"}
    failure = report.outcomes["localhost/file.a"]
    assert isinstance(failure, Failure)
    assert "bug of kind file" in failure.reason
    assert "a lie" in failure.reason
    assert r"'1\n'" in failure.reason
    assert fleet.store.fidelity()[0].right < fleet.store.fidelity()[0].predicted


def test_A_exact_what_was_to_be_created_and_is_not_there_is_a_bug_too() -> None:
    fleet = Fleet(kinds=kinds_with(IdleFile()))
    report = fleet.apply(fleet.plan(site({"file": {"a": file("/etc/a")}})))
    assert "not there after it was changed" in str(report.outcomes["localhost/file.a"])
    assert fleet.record("file.a") is None


def test_A_exact_a_module_that_crashes_fails_its_steps_and_leaves_the_rest() -> None:
    fleet = Fleet(kinds=kinds_with(CrashingFile()), threads=True)
    report = fleet.apply(fleet.plan(site({"file": {"a": file("/etc/a")}, "directory": {"d": {"path": "/srv/d"}}})))
    assert outcomes(report) == {"directory.d": "changed", "file.a": "failed"}
    assert "ZeroDivisionError" in str(report.outcomes["localhost/file.a"])


# ---- [A-graph] ------------------------------------------------------------------------------------------------------------------------


def test_A_graph_packages_that_are_ready_together_go_in_one_transaction() -> None:
    fleet = Fleet()
    fleet.converge(site({"package": {"nginx": {}, "curl": {}, "tree": {}}}))
    installs = [call[1] for call in fleet.host.calls if call[0] == "run" and "apt-get" in call[1][0] and "install" in call[1]]
    real = [argv for argv in installs if not {"--simulate", "--dry-run", "--print-uris", "-s"} & set(argv)]
    assert len(real) == 1
    assert isinstance(fleet.transport, InlineTransport)
    assert [len(batch.steps) for batch in fleet.transport.batches] == [3]


def test_A_graph_no_barrier_between_hosts_save_declared_edges() -> None:
    """b waits for a only where it says so: the slow command on a holds back what needs it and nothing else."""
    gate = threading.Event()
    ended: list[str] = []

    def slow(_host: FakeHost, _call: Invocation) -> Ran:
        gate.wait(10)
        return Ran(0, b"", b"")

    fleet = Fleet({"a": FakeHost.debian(), "b": FakeHost.debian()}, threads=True)
    fleet.hosts["a"].programs["slow"] = Program(slow)
    tasks = {
        "command": {"slow": {"argv": ["slow"], "run": "once", "on": "a"}},
        "file": {
            "chain1": {**file("/etc/1"), "on": "b"},
            "chain2": {**file("/etc/2"), "on": "b", "needs": ["file.chain1"]},
            "needs": {"path": "/etc/3", "content": "@{a/command.slow.stdout}", "on": "b"},
        },
    }

    def listen(event: Any) -> None:
        if isinstance(event, StepEnded):
            ended.append(event.step.id)
            if event.step.id == "b/file.chain2":
                gate.set()

    fleet.events = msgspec.NODEFAULT and Listening(listen)  # type: ignore[assignment]
    report = fleet.apply(fleet.plan(site(tasks, hosts={"a": {}, "b": {}})))
    assert report.status == "done"
    assert ended.index("b/file.chain2") < ended.index("a/command.slow") < ended.index("b/file.needs")


@pytest.mark.parametrize("parallelism", [1, 3])
def test_A_graph_parallel_within_a_host_up_to_the_limit(parallelism: int) -> None:
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Barrier(parallelism)

    def busy(_host: FakeHost, _call: Invocation) -> Ran:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(10)  # as many as may, must run at once
        with lock:
            running -= 1
        return Ran(0, b"", b"")

    fleet = Fleet(threads=True)
    fleet.host.programs["busy"] = Program(busy)
    fleet.host._lock = _NoLock()  # type: ignore[assignment] # programs of a fake host run one at a time otherwise
    tasks = {f"c{n}": {"argv": ["busy"], "run": "once"} for n in range(6)}
    report = fleet.apply(fleet.plan(site({"command": tasks})), parallelism=parallelism)
    assert report.status == "done"
    assert most == parallelism


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_A_graph_lines_of_one_file_take_turns() -> None:
    fleet = Fleet(threads=True)
    fleet.host.place("/etc/f", "")
    fleet.converge(site({"line": {f"l{n}": {"path": "/etc/f", "line": f"line {n}"} for n in range(20)}}))
    assert sorted((fleet.text("/etc/f") or "").split("\n")[:-1]) == sorted(f"line {n}" for n in range(20))


# ---- [A-fail] -------------------------------------------------------------------------------------------------------------------------


def test_A_fail_a_failed_step_skips_its_descendants_says_which_and_why_and_leaves_the_rest() -> None:
    fleet = Fleet()
    fleet.host.refuse("/etc/a", "no space left on device", ("write",))
    tasks = {
        "a": file("/etc/a"),
        "b": {**file("/etc/b"), "needs": ["file.a"]},
        "c": {**file("/etc/c"), "needs": ["file.b"]},
        "free": file("/etc/free"),
    }
    report = fleet.apply(fleet.plan(site({"file": tasks})))
    assert outcomes(report) == {"file.a": "failed", "file.b": "skipped", "file.c": "skipped", "file.free": "changed"}
    assert report.outcomes["localhost/file.b"] == Skipped("localhost/file.a")
    assert report.outcomes["localhost/file.c"] == Skipped("localhost/file.a"), "the culprit, not another victim"
    assert "no space" in str(report.outcomes["localhost/file.a"])
    assert report.status == "failed"
    assert set(fleet.state().resources) == {key for key in fleet.state().resources if key.identity == "/etc/free"}
    assert shown(fleet.plan(site({"file": tasks}))) == dict.fromkeys(["file.a", "file.b", "file.c"], "create")


def test_A_fail_through_a_task_with_nothing_to_do() -> None:
    fleet = Fleet()
    chain = {"a": file("/etc/a"), "b": {**file("/etc/b"), "needs": ["file.a"]}, "c": {**file("/etc/c"), "needs": ["file.b"]}}
    fleet.converge(site({"file": {"b": file("/etc/b")}}))
    fleet.host.refuse("/etc/a", "no", ("write",))
    report = fleet.apply(fleet.plan(site({"file": chain})))
    assert outcomes(report) == {"file.a": "failed", "file.b": "unchanged", "file.c": "skipped"}


def test_A_fail_what_a_failed_creation_left_behind_is_known_and_removed_with_its_task() -> None:
    class HalfFile(File):
        def apply(self, work: Any, host: Any) -> Iterator[Any]:
            for each in work:
                host.write(each.change.after.path, b"half", mode=0o600)
            yield from super().apply(work, FailingHost(host))

    class FailingHost:
        def __init__(self, host: Any) -> None:
            self._host = host

        def __getattr__(self, name: str) -> Any:
            return getattr(self._host, name)

        def write(self, *_: Any, **__: Any) -> None:
            from g8r.host import HostError

            raise HostError("half-way")

    fleet = Fleet(kinds=kinds_with(HalfFile()))
    report = fleet.apply(fleet.plan(site({"file": {"a": file("/etc/a")}})))
    assert outcomes(report) == {"file.a": "failed"}
    record = fleet.record("file.a")
    assert record is not None
    assert record.created
    fleet.kinds = modules.load
    fleet.converge(site({"file": {"b": file("/etc/b")}}))
    assert fleet.text("/etc/a") is None


def test_A_fail_the_first_interrupt_starts_nothing_new_and_waits() -> None:
    fleet = Fleet()
    button = fleet.control = Button()

    def press(event: Any) -> None:
        if isinstance(event, StepStarted) and event.step.id == "localhost/file.a":
            button.presses = 1

    fleet.events = Listening(press)
    tasks = {"a": file("/etc/a"), "b": {**file("/etc/b"), "needs": ["file.a"]}}
    report = fleet.apply(fleet.plan(site({"file": tasks})))
    assert report.status == "interrupted"
    assert outcomes(report) == {"file.a": "changed", "file.b": "not-started"}
    assert [event.hard for event in fleet.events if isinstance(event, Interrupted)] == [False]
    assert fleet.record("file.a") is not None


def test_A_fail_an_interrupt_during_the_delay_of_a_retry_ends_the_run() -> None:
    fleet = Fleet()
    button = fleet.control = Button()

    def press(event: Any) -> None:
        if isinstance(event, StepRetried):
            button.presses = 1

    fleet.events = Listening(press)
    tasks = {"c": {"argv": ["false"], "run": "once", "retry": {"attempts": 3, "delay": "10ms"}}}
    report = fleet.apply(fleet.plan(site({"command": tasks})))
    assert report.status == "interrupted"
    assert outcomes(report) == {"command.c": "failed"}


def test_A_fail_the_second_interrupt_stops_what_runs_and_leaves_it_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    fleet = fleet_with(slow=lambda _host, _call: Ran(0 if gate.wait(10) else 1, b"", b""))
    fleet.threads = True
    monkeypatch.setattr(running, "PATIENCE", 0.05)
    button = fleet.control = Button()

    def press(event: Any) -> None:
        if isinstance(event, StepStarted):
            button.presses = 2

    fleet.events = Listening(press)
    document = site({"command": {"c": {"argv": ["slow"], "run": "once"}}, "file": {"a": {**file("/etc/a"), "needs": ["command.c"]}}})
    report = fleet.apply(fleet.plan(document))
    gate.set()
    assert report.status == "interrupted"
    assert isinstance(report.outcomes["localhost/command.c"], InDoubt)
    assert isinstance(report.outcomes["localhost/file.a"], Skipped | NotStarted)
    fleet.control, fleet.events = None, []
    plan = fleet.plan(document)
    assert step(plan, "command.c").reason.code == "in-doubt", "it may have happened: it is never silently run again"


# ---- [A-resume] -----------------------------------------------------------------------------------------------------------------------


def test_A_resume_goes_on_with_the_same_run_and_a_finished_one_is_refused() -> None:
    fleet = fleet_with()
    fleet.host.place("/etc/log.fail", "")
    document = site({"command": {"c": once("/etc/log")}, "file": {"a": file("/etc/a"), "b": {**file("/etc/b"), "needs": ["command.c"]}}})
    plan = fleet.plan(document)
    first = fleet.apply(plan)
    assert outcomes(first) == {"command.c": "failed", "file.a": "changed", "file.b": "skipped"}
    fleet.host.remove("/etc/log.fail")
    fleet.events.clear()
    second = fleet.apply(fleet.store.plan_of(first.run), resume=first.run)
    assert second.run == first.run
    assert outcomes(second) == {"command.c": "changed", "file.a": "changed", "file.b": "changed"}
    assert "localhost/file.a" not in fleet.ended(), "what was told once is not told again"
    assert fleet.text("/etc/log") == "x"
    assert fleet.store.runs("site", "default", 9)[0].status == "done"
    with pytest.raises(Exception, match="done") as refusal:
        fleet.apply(plan, resume=first.run)
    assert refusal.value.exit_code == 3  # type: ignore[attr-defined]
    assert shown(fleet.plan(document)) == {}


def test_A_resume_leaves_a_trigger_that_was_fired_alone() -> None:
    """Its source changed in the first part of the run, and must not make it owed again."""
    fleet = fleet_with()
    document = site({
        "template": {"zz": {"path": "/etc/t", "content": "1\n"}},
        "command": {"c": {"argv": ["append", "/etc/log", "x"], "run_on": ["template.zz"]}, "late": once("/etc/late")},
    })  # fmt: skip
    fleet.host.place("/etc/late.fail", "")
    plan = fleet.plan(document)
    first = fleet.apply(plan)
    assert outcomes(first)["command.c#run"] == "changed"
    fleet.host.remove("/etc/late.fail")
    fleet.apply(fleet.store.plan_of(first.run), resume=first.run)
    assert fleet.text("/etc/log") == "x"
    assert fleet.state().owed == ()
    assert shown(fleet.plan(document)) == {}


# ---- [A-durable] ----------------------------------------------------------------------------------------------------------------------


def test_A_durable_an_end_is_announced_after_the_sync_and_the_commit_and_never_before() -> None:
    fleet = Fleet()
    seen: list[str] = []

    class Watched(Mortal):
        def __getattr__(self, name: str) -> Any:
            found = super().__getattr__(name)
            if name != "record":
                return found

            def record(fence: int, run: str, ended: list[Ended]) -> int:
                assert isinstance(fleet.transport, InlineTransport)
                assert {each.step for each in ended} <= set(fleet.transport.synced), "the files reach the disk before the ledger says so"
                seen.extend(each.step for each in ended)
                return int(found(fence, run, ended))

            return record

    def listen(event: Any) -> None:
        if isinstance(event, StepEnded):
            assert event.step.id in seen, "announced before it was committed"

    fleet.store = Watched(fleet.store)
    fleet.events = Listening(listen)
    report = fleet.converge(site({"file": {name: file(f"/etc/{name}") for name in "abc"}}))
    assert len(seen) == len(report.outcomes) == 3


# ---- meta-arguments -------------------------------------------------------------------------------------------------------------------


def test_retry_tries_again_and_counts() -> None:
    tries = 0

    def flaky(_host: FakeHost, _call: Invocation) -> Ran:
        nonlocal tries
        tries += 1
        return Ran(0 if tries == 3 else 1, b"", b"not yet\n")

    fleet = fleet_with(flaky=flaky)
    report = fleet.apply(fleet.plan(site({"command": {"c": {"argv": ["flaky"], "run": "once", "retry": {"attempts": 3, "delay": "0s"}}}})))
    outcome = report.outcomes["localhost/command.c"]
    assert (outcomes(report), getattr(outcome, "attempts", 0), tries) == ({"command.c": "changed"}, 3, 3)
    assert [event.attempt for event in fleet.events if isinstance(event, StepRetried)] == [1, 2]


def test_retry_gives_up_after_the_last_attempt() -> None:
    fleet = Fleet()
    report = fleet.apply(fleet.plan(site({"command": {"c": {"argv": ["false"], "run": "once", "retry": {"attempts": 2, "delay": "0s"}}}})))
    outcome = report.outcomes["localhost/command.c"]
    assert isinstance(outcome, Failure)
    assert outcome.attempts == 2


def test_timeout_and_become_reach_the_program() -> None:
    seen: list[Any] = []

    class Spy(FakeHost):
        def run(self, argv: Any, **more: Any) -> Ran:
            if argv[0] == "touch":
                seen.append((more.get("user"), more.get("timeout")))
            return super().run(argv, **more)

    host = Spy.debian()
    fleet = Fleet({"localhost": host})
    tasks = {"c": {"argv": ["touch", "/tmp/x"], "run": "once", "become": "www-data", "timeout": "7s"}}
    fleet.converge(site({"command": tasks}))
    assert seen == [("www-data", 7.0)]
    assert host.stat("/tmp/x").owner == "www-data"  # type: ignore[union-attr]


def test_become_without_root_is_blocked_and_says_so() -> None:
    fleet = Fleet({"localhost": FakeHost.debian(user="alice")})
    plan = fleet.plan(site({"command": {"c": {"argv": ["true"], "run": "once", "become": "www-data"}}}))
    blocked = step(plan, "command.c")
    assert blocked.judgement == "blocked"
    assert "needs root" in blocked.reason.text


# ---- across hosts ---------------------------------------------------------------------------------------------------------------------


def three() -> Fleet:
    return Fleet({name: FakeHost.debian() for name in ("db1", "db2", "lb")})


HOSTS = {"db1": {"labels": {"role": "db"}}, "db2": {"labels": {"role": "db"}}, "lb": {}}


def test_cross_host_references_are_followed_one_by_one_and_fanned_in() -> None:
    fleet = three()
    tasks = {
        "command": {"who": {"argv": ["echo", "@{host.name}"], "run": "once", "on": {"role": "db"}}},
        "template": {
            "all": {
                "path": "/etc/all",
                "content": "{{ names | join(',') }}\n",
                "vars": {"names": "@{[role=db]/command.who.stdout}"},
                "on": "lb",
            }
        },
        "file": {"one": {"path": "/etc/one", "content": "@{db2/command.who.stdout}\n", "on": "lb"}},
    }
    document = site(tasks, hosts=HOSTS, outputs={"all": "@{[role=db]/command.who.stdout}"})
    plan = fleet.plan(document)
    assert "content" in step(plan, "lb/template.all").unknown
    report = fleet.apply(plan)
    assert report.status == "done", report.outcomes
    assert (fleet.text("/etc/one", "lb"), fleet.text("/etc/all", "lb")) == ("db2\n", "db1,db2\n")
    assert fleet.state().outputs == {"all": ["db1", "db2"]}
    second = fleet.plan(document)
    assert shown(second) == {}
    assert all(each.unknown == () for each in second.steps)


def test_cross_host_waves_resolve_a_chain_there_and_back_at_plan_time() -> None:
    """What is known on the first host is known at the end of the chain: three waves, no unknowns."""
    fleet = three()
    tasks = {
        "file": {
            "a": {"path": "/etc/a", "content": "start\n", "on": "db1"},
            "b": {"path": "/etc/b", "content": "@{db1/file.a.checksum}", "on": "db2"},
            "c": {"path": "/etc/c", "content": "@{db2/file.b.checksum}", "on": "db1"},
            "d": {"path": "/etc/d", "content": "@{db1/file.c.checksum}", "on": "lb"},
        }
    }
    plan = fleet.plan(site(tasks, hosts=HOSTS))
    assert set(shown(plan).values()) == {"create"}
    assert all(each.unknown == () for each in plan.steps)
    assert fleet.apply(plan).status == "done"
    assert shown(fleet.plan(site(tasks, hosts=HOSTS))) == {}


def test_cross_host_a_failure_on_one_host_skips_what_refers_to_it_on_another() -> None:
    fleet = three()
    fleet.hosts["db1"].refuse("/etc/a", "no", ("write",))
    tasks = {
        "file": {
            "a": {"path": "/etc/a", "content": "x", "on": "db1"},
            "b": {"path": "/etc/b", "content": "@{db1/file.a.checksum}", "on": "db2"},
            "c": {"path": "/etc/c", "content": "x", "on": "lb"},
        }
    }
    report = fleet.apply(fleet.plan(site(tasks, hosts=HOSTS)))
    assert outcomes(report) == {"db1/file.a": "failed", "db2/file.b": "skipped", "lb/file.c": "changed"}


def test_cross_host_a_blocked_task_blocks_what_refers_to_it() -> None:
    fleet = three()
    tasks = {
        "file": {
            "a": {"path": "/nowhere/a", "content": "x", "on": "db1"},
            "b": {"path": "/etc/b", "content": "@{db1/file.a.mode}", "on": "db2"},
        }
    }
    plan = fleet.plan(site(tasks, hosts=HOSTS))
    assert {each.id: each.judgement for each in plan.steps} == {"db1/file.a": "blocked", "db2/file.b": "blocked"}


def test_the_report_counts_all_and_run_ended_says_the_same() -> None:
    fleet = Fleet()
    fleet.host.refuse("/etc/b", "no", ("write",))
    plan: Plan = fleet.plan(site({"file": {"a": file("/etc/a"), "b": file("/etc/b"), "c": {**file("/etc/c"), "needs": ["file.b"]}}}))
    report = fleet.apply(plan)
    (ended,) = [event for event in fleet.events if isinstance(event, RunEnded)]
    assert ended.counts == {"changed": 1, "failed": 1, "skipped": 1}
    assert ended.status == report.status == fleet.store.runs("site", "default", 1)[0].status == "failed"
