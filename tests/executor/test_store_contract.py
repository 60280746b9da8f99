"""What every store holds. A new implementation is one more line in STORES."""

from __future__ import annotations

import msgspec
import pytest
from ledger_samples import (
    NOW,
    STACK,
    address,
    always,
    begun,
    ended,
    fence,
    intent,
    key,
    never,
    owed,
    plan,
    resource,
    rich_resource,
    rich_step,
    run,
)  # fmt: skip

from g8r.diagnostics import RejectedError
from g8r.executor.lease import FencedError
from g8r.executor.store import SqliteStore
from g8r.executor.store_memory import MemoryStore
from g8r.outcome import Changed, Failure, InDoubt, NotStarted, Skipped, Stale, Unchanged
from g8r.state import Dropped, Ended, Fidelity, Owes, Recorded, State, Struck
from g8r.value import digest

STORES = {"sqlite": lambda folder: SqliteStore(folder / ".g8r" / "state.db"), "memory": lambda folder: MemoryStore()}
LATER = "2026-03-01T12:00:30Z"
MUCH_LATER = "2026-03-01T12:05:00Z"


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path):
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


def codes(caught):
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


class TestLedger:
    def test_an_unknown_ledger_is_empty(self, store):
        assert store.load(*STACK) == State(*STACK, lineage="", serial=0)

    def test_a_lineage_is_made_once(self, store):
        assert store.lineage(*STACK, "line-1") == "line-1"
        assert store.lineage(*STACK, "line-2") == "line-1"
        assert store.lineage("web", "production", "line-3") == "line-3"
        assert store.load(*STACK) == State(*STACK, lineage="line-1", serial=0)

    def test_ledgers_are_listed(self, store):
        assert store.ledgers() == []
        for stack, workspace in (("site", "prod"), ("site", "dev"), ("db", "prod")):
            store.lineage(stack, workspace, "fresh")
        assert store.ledgers() == [("db", "prod"), ("site", "dev"), ("site", "prod")]

    def test_a_resource_comes_back_as_it_was_recorded(self, store):
        held = begun(store)
        subjects = [rich_resource("b"), rich_resource("a"), resource("nothing", host="web0")]
        assert store.record(held, "run-1", [Ended("s", Unchanged(), tuple(map(Recorded, subjects)))]) == 1
        state = store.load(*STACK)
        assert list(state.resources.items()) == [(subject.key, subject) for subject in sorted(subjects, key=lambda s: s.key)]
        assert state.serial == 1

    @pytest.mark.parametrize("content", ["x" * 10_000, "\0blob:sha256:00", "\0" * 5000, "é" * 4097, '"\\\n' * 3000])
    def test_long_and_odd_strings_come_back(self, store, content):
        held = begun(store, steps=("a",))
        subjects = (resource("big", content), resource("small", "\0blob:"), resource("same", content))
        store.record(held, "run-1", [Ended("s", Failure(content), tuple(map(Recorded, subjects)))])
        assert store.load(*STACK).resources == {subject.key: subject for subject in subjects}
        assert store.outcomes("run-1") == [("s", Failure(content))]

    def test_odd_strings_beside_long_ones_come_back(self, store):
        odd = resource("odd", "\0blob:sha256:00")
        both = resource("both", "x" * 9000, outputs={"odd": "\0blob:sha256:00", "\0blob:": [1]})
        steps = [msgspec.structs.replace(rich_step(name), params=subject.params) for name, subject in (("a", odd), ("b", both))]
        intents = [msgspec.structs.replace(intent("a"), record=odd), msgspec.structs.replace(intent("b"), record=both)]
        held = fence(store)
        store.begin(held, run(), plan(steps=steps), intents, [], {})
        assert store.load(*STACK).intents == tuple(intents)
        assert store.plan_of("run-1").steps == tuple(steps)
        store.record(held, "run-1", [Ended("s", Failure("\0blob:sha256:00", "x" * 9000), (Recorded(odd), Recorded(both)))])
        assert store.load(*STACK).resources == {both.key: both, odd.key: odd}
        assert store.outcomes("run-1") == [("s", Failure("\0blob:sha256:00", "x" * 9000))]

    def test_odd_strings_in_a_plan_with_blobs_come_back(self, store):
        odd = msgspec.structs.replace(rich_step("a"), params={"content": "\0blob:sha256:00"})
        blobs = {digest(b"b"): b"b"}
        store.begin(fence(store), run(), plan(steps=[odd], blobs=tuple(blobs)), [], [], blobs)
        assert store.plan_of("run-1").steps == (odd,)

    def test_the_serial_grows_with_entries_only(self, store):
        held = begun(store)
        assert store.record(held, "run-1", [ended("a"), ended("b")]) == 1
        assert store.record(held, "run-1", [ended("c", outcome=Stale("moved"))]) == 1
        assert store.record(held, "run-1", [ended("d", Dropped(key("d")), outcome=Changed())]) == 2
        assert store.record(held, "run-1", []) == 2

    def test_the_last_entry_wins(self, store):
        held = begun(store)
        entries = (
            Dropped(key("a")),
            Recorded(resource("a", "one")),
            Recorded(resource("b")),
            Dropped(key("b")),
            Recorded(resource("a", "two")),
        )
        store.record(held, "run-1", [Ended("s", Unchanged(), entries)])
        assert store.load(*STACK).resources == {key("a"): resource("a", "two")}

    def test_what_is_owed_stays_until_it_is_struck(self, store):
        held = begun(store, owes=[owed("nginx"), owed("nginx", "restart")])
        assert store.load(*STACK).owed == (owed("nginx", "reload"), owed("nginx", "restart"))
        store.record(held, "run-1", [ended("t", Owes(owed("app")), Struck(address("nginx"), "restart"), outcome=Unchanged())])
        assert store.load(*STACK).owed == (owed("app"), owed("nginx"))
        store.record(held, "run-1", [ended("t", Struck(address("nginx"), "reload"), Struck(address("app"), "stop"), outcome=Unchanged())])
        assert store.load(*STACK).owed == (owed("app"),)

    def test_ledgers_do_not_mix(self, store):
        held = begun(store)
        store.record(held, "run-1", [ended("a")])
        store.lineage("web", "production", "line-2")
        store.edit(held, "web", "production", [Recorded(resource("z")), Owes(owed("z"))])
        assert list(store.load("web", "production").resources) == [key("z")]
        assert list(store.load(*STACK).resources) == [key("a")]
        assert store.load(*STACK).owed == ()
        assert store.load("web", "production").intents == ()
        assert store.touched_since("web", "production", 0) == {key("z")}

    def test_touched_since_a_serial(self, store):
        held = begun(store)
        store.record(held, "run-1", [ended("a"), ended("b"), ended("c"), ended("d")])
        store.record(held, "run-1", [ended("b")])
        store.record(held, "run-1", [ended("x", Dropped(key("c")), outcome=Unchanged())])
        store.record(held, "run-1", [ended("x", Struck(address("d"), "reload"), outcome=Unchanged())])
        assert store.touched_since(*STACK, 0) == {key("a"), key("b"), key("c"), key("d")}
        assert store.touched_since(*STACK, 1) == {key("b"), key("c"), key("d")}
        assert store.touched_since(*STACK, 3) == {key("d")}
        assert store.touched_since(*STACK, 4) == set()
        assert store.touched_since("other", "default", 0) == set()

    def test_edit(self, store):
        held = fence(store)
        assert store.edit(held, *STACK, [Recorded(resource("a")), Recorded(resource("b"))]) == 1
        moved = msgspec.structs.replace(resource("a"), address=address("new"))
        assert store.edit(held, *STACK, [Recorded(moved), Dropped(key("b"))]) == 2
        assert store.load(*STACK).resources == {key("a"): moved}
        assert store.edit(held, *STACK, []) == 2
        with pytest.raises(LookupError):
            store.edit(held, "unknown", "default", [])


class TestRuns:
    def test_intents_are_open_until_their_step_has_ended(self, store):
        held = begun(store, steps=("a", "b", "c"), owes=[owed("nginx")])
        assert store.load(*STACK).intents == (intent("a"), intent("b"), intent("c"))
        store.record(held, "run-1", [ended("b"), ended("a", outcome=Failure("no"))])
        assert store.load(*STACK).intents == (intent("c"),)
        store.close()
        assert store.load(*STACK).intents == (intent("c"),)

    def test_a_run_that_was_killed_is_found_again(self, store):
        held = begun(store, owes=[owed("nginx")])
        store.record(held, "run-1", [ended("a")])
        open_run = store.open_run(*STACK)
        assert open_run == store.runs(*STACK, 10)[0]
        assert (open_run.id, open_run.status, open_run.ended, open_run.serial) == ("run-1", "running", None, 2)
        assert open_run.counts == {"changed": 1}
        assert [step for step, _ in store.outcomes("run-1")] == ["web1/file.a"]

    def test_whether_started_is_never_the_stores_to_say(self, store):
        held = fence(store)
        store.begin(held, run(), plan(), [msgspec.structs.replace(intent("a"), started=True)], [], {})
        assert store.load(*STACK).intents == (intent("a"),)

    def test_a_finished_run_leaves_no_intents(self, store):
        held = begun(store)
        store.record(held, "run-1", [ended("a"), ended("b", outcome=Skipped("web1/file.a"))])
        assert store.finish(held, "run-1", "done", LATER) == 1
        assert store.load(*STACK).intents == ()
        assert store.open_run(*STACK) is None
        assert store.runs(*STACK, 10) == [
            msgspec.structs.replace(run(), status="done", ended=LATER, serial=1, counts={"changed": 1, "skipped": 1})
        ]  # fmt: skip
        with pytest.raises(LookupError):
            store.record(held, "run-1", [ended("c")])

    def test_outputs_change_with_a_serial(self, store):
        held = begun(store)
        assert store.finish(held, "run-1", "done", LATER, {"url": "https://x", "n": 1}, ["url"]) == 1
        state = store.load(*STACK)
        assert (state.outputs, state.sensitive_outputs, state.serial) == ({"url": "https://x", "n": 1}, ("url",), 1)
        begun(store, 2)
        assert store.finish(fence(store), "run-2", "done", LATER, {"n": 1, "url": "https://x"}, ["url"]) == 1
        begun(store, 3)
        assert store.finish(fence(store), "run-3", "done", LATER) == 1
        assert store.load(*STACK).outputs == {"url": "https://x", "n": 1}

    def test_the_newest_run_comes_first(self, store):
        for number in (1, 2, 3):
            held = begun(store, number)
            store.finish(held, f"run-{number}", "failed", LATER)
        assert [found.id for found in store.runs(*STACK, 2)] == ["run-3", "run-2"]
        assert store.runs("other", "default", 2) == []

    def test_every_outcome_comes_back(self, store):
        held = begun(store)
        outcomes = {
            "f": Changed({"a": 1}, {"b": [1.5]}, ("libx",), 3), "e": Changed(), "d": Unchanged({"a": None}, {}, "it was so"),
            "c": Failure("no", "output", 2, touched=False), "b": Skipped("x"), "a": Stale("moved"), "h": InDoubt("cut"), "g": NotStarted(),
        }  # fmt: skip
        store.record(held, "run-1", [Ended(step, outcome) for step, outcome in outcomes.items()])
        assert store.outcomes("run-1") == sorted(outcomes.items())
        assert store.outcomes("unknown") == []

    def test_the_plan_and_its_blobs_come_back(self, store):
        steps = [rich_step("a"), rich_step("b"), msgspec.structs.replace(rich_step("c"), params={"content": "long " * 5000})]
        blobs = {digest(b"\xff\x00"): b"\xff\x00"}
        held = fence(store)
        whole = plan(steps=steps, blobs=tuple(blobs), barriers={"x": ("a", "b")}, vars={"v": [1, None]}, complete=False)
        store.begin(held, run(), whole, [], [], blobs)
        assert store.plan_of("run-1") == whole
        assert store.blobs_of("run-1") == blobs
        with pytest.raises(RejectedError) as caught:
            store.plan_of("run-9")
        assert codes(caught) == ["run-plan-unknown"]

    def test_a_plan_is_applied_once(self, store):
        held = begun(store)
        assert store.applied("plan-1") == "run-1"
        assert store.applied("plan-2") is None
        store.finish(held, "run-1", "done", LATER)
        again = msgspec.structs.replace(run(2), plan="plan-1")
        with pytest.raises(RejectedError) as caught:
            store.begin(held, again, plan(1), [intent("z", 2)], [owed("z")], {})
        assert codes(caught) == ["plan-applied"]
        assert caught.value.exit_code == 3
        assert [found.id for found in store.runs(*STACK, 5)] == ["run-1"]
        assert store.load(*STACK).owed == ()

    @pytest.mark.parametrize("other", [{"lineage": "line-2"}, {"stack": ("unknown", "default")}])
    def test_a_plan_of_another_lineage_is_refused(self, store, other):
        held = fence(store)
        with pytest.raises(RejectedError) as caught:
            store.begin(held, run(), plan(**other), [], [], {})
        assert codes(caught) == ["plan-other-lineage"]
        assert caught.value.exit_code == 3
        assert store.runs(*STACK, 5) == []

    def test_abandoning_drops_the_intents_and_nothing_else(self, store):
        held = begun(store, owes=[owed("nginx")])
        store.record(held, "run-1", [ended("a")])
        store.abandon(held, "run-1", LATER)
        state = store.load(*STACK)
        assert state.intents == ()
        assert list(state.resources) == [key("a")]
        assert state.owed == (owed("nginx"),)
        assert store.runs(*STACK, 1)[0].status == "abandoned"
        assert store.open_run(*STACK) is None

    def test_an_interrupted_run_is_resumed(self, store):
        held = begun(store, steps=("a", "b", "c", "d"))
        store.record(held, "run-1", [ended("a"), ended("b", outcome=NotStarted()), ended("c", outcome=Failure("no"))])
        store.finish(held, "run-1", "interrupted", LATER)
        assert store.load(*STACK).intents == ()
        store.reopen(held, "run-1", ["web1/file.b"])
        assert store.load(*STACK).intents == (intent("b"), intent("d"))
        assert store.open_run(*STACK).counts == {"changed": 1, "failed": 1}
        store.record(held, "run-1", [ended("b"), ended("c")])
        store.finish(held, "run-1", "done", LATER)
        assert store.runs(*STACK, 1)[0].counts == {"changed": 3}

    @pytest.mark.parametrize("status", ["done", "abandoned"])
    def test_a_run_that_is_over_is_not_resumed(self, store, status):
        held = begun(store)
        store.finish(held, "run-1", status, LATER)
        with pytest.raises(RejectedError) as caught:
            store.reopen(held, "run-1", [])
        assert (codes(caught), caught.value.exit_code) == (["run-over"], 3)

    def test_a_run_that_was_followed_is_not_resumed(self, store):
        begun(store)
        held = begun(store, 2)
        with pytest.raises(RejectedError, match="run-2"):
            store.reopen(held, "run-1", [])
        store.reopen(held, "run-2", [])

    def test_intents_of_two_killed_runs(self, store):
        held = begun(store)
        store.record(held, "run-1", [ended("a")])
        begun(store, 2, steps=("c",))
        assert store.load(*STACK).intents == (intent("b"), intent("c", 2))
        assert store.open_run(*STACK).id == "run-2"

    def test_fidelity_is_summed(self, store):
        held = begun(store)
        store.record(held, "run-1", [ended("a", fidelity=Fidelity("file", 4, 3)), ended("b", fidelity=Fidelity("user", 1, 1))])
        store.record(held, "run-1", [ended("c", fidelity=Fidelity("file", 2, 2)), ended("d")])
        assert store.fidelity() == [Fidelity("file", 6, 5), Fidelity("user", 1, 1)]


class TestLease:
    """[S-lock]"""

    def test_a_live_lease_of_another_is_refused_in_clear_words(self, store):
        first = store.lease("desk:1:1", "apply", NOW, 60.0, always)
        with pytest.raises(RejectedError) as caught:
            store.lease("lap:2:2", "plan", LATER, 60.0, always)
        [said] = caught.value.diagnostics
        assert (said.code, caught.value.exit_code) == ("state-locked", 1)
        assert all(word in said.summary for word in ("apply", "desk:1:1", NOW))
        assert "g8r state lock" in said.detail
        assert store.holder() == first

    def test_a_silent_lease_lapses(self, store):
        first = store.lease("desk:1:1", "apply", NOW, 60.0, always)
        second = store.lease("lap:2:2", "apply", MUCH_LATER, 60.0, always)
        assert second.fence > first.fence
        assert store.holder() == second

    def test_a_heartbeat_keeps_it(self, store):
        first = store.lease("desk:1:1", "apply", NOW, 60.0, always)
        renewed = store.renew(first, MUCH_LATER)
        assert (renewed.fence, renewed.heartbeat, renewed.acquired) == (first.fence, MUCH_LATER, NOW)
        with pytest.raises(RejectedError):
            store.lease("lap:2:2", "apply", MUCH_LATER, 60.0, always)

    def test_a_dead_owners_lease_lapses_at_once(self, store):
        asked = []
        store.lease("desk:1:1", "apply", NOW, 60.0, always)
        store.lease("lap:2:2", "apply", NOW, 60.0, lambda owner: bool(asked.append(owner)))
        assert asked == ["desk:1:1"]
        assert store.holder().owner == "lap:2:2"

    def test_ones_own_is_replaced(self, store):
        first = store.lease("desk:1:1", "plan", NOW, 60.0, always)
        second = store.lease("desk:1:1", "apply", NOW, 60.0, always)
        assert second.fence == first.fence + 1
        with pytest.raises(FencedError):
            store.renew(first, NOW)

    def test_a_released_lease_is_free_and_its_fence_is_not_used_again(self, store):
        assert store.holder() is None
        first = store.lease("desk:1:1", "apply", NOW, 60.0, always)
        store.release(first)
        store.release(first)
        assert store.holder() is None
        second = store.lease("lap:2:2", "apply", NOW, 60.0, always)
        assert second.fence > first.fence
        store.release(first)
        assert store.holder() == second

    @pytest.mark.parametrize("loss", ["taken over", "released", "never had"])
    def test_every_write_is_fenced(self, store, loss):
        stale = begun(store)
        store.record(stale, "run-1", [ended("a")])
        lease = store.holder()
        if loss == "taken over":
            store.lease("lap:2:2", "apply", MUCH_LATER, 60.0, never)
        elif loss == "released":
            store.release(lease)
        else:
            stale, lease = 99, msgspec.structs.replace(lease, fence=99)
        before = store.load(*STACK), store.runs(*STACK, 9), store.outcomes("run-1"), store.holder(), store.fidelity()
        writes = (
            lambda: store.begin(stale, run(2), plan(2), [intent("a", 2)], [owed("a")], {}),
            lambda: store.record(stale, "run-1", [ended("b", fidelity=Fidelity("file", 1, 1))]),
            lambda: store.finish(stale, "run-1", "done", LATER, {"x": 1}),
            lambda: store.reopen(stale, "run-1", ["web1/file.a"]),
            lambda: store.abandon(stale, "run-1", LATER),
            lambda: store.edit(stale, *STACK, [Dropped(key("a"))]),
            lambda: store.renew(lease, MUCH_LATER),
        )
        for write in writes:
            with pytest.raises(FencedError):
                write()
        assert (store.load(*STACK), store.runs(*STACK, 9), store.outcomes("run-1"), store.holder(), store.fidelity()) == before
