"""Stores against a model of a few dicts: any sequence of writes, closings and take-overs leaves what the model says."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ledger_samples import NOW, STACK, address, always, intent, key, owed, plan, resource, run

from g8r.executor.store import SqliteStore
from g8r.executor.store_memory import MemoryStore
from g8r.outcome import Changed, Failure
from g8r.state import Dropped, Ended, Owes, Recorded, Struck

names = st.sampled_from("abcd")
contents = st.sampled_from(["", "short", "é\0\n", "x" * 4097, "y" * 9000, "\0blob:x"])
entries = st.lists(
    st.one_of(
        st.builds(lambda name, content: Recorded(resource(name, content)), names, contents),
        st.builds(lambda name: Dropped(key(name)), names),
        st.builds(lambda name, verb: Owes(owed(name, verb)), names, st.sampled_from(["reload", "restart"])),
        st.builds(lambda name, verb: Struck(address(name), verb), names, st.sampled_from(["reload", "restart"])),
    ),
    max_size=5,
)


class StoreMachine(RuleBasedStateMachine):
    """`open` holds, for each run that has not ended, the steps whose outcome is missing."""

    def make(self):
        raise NotImplementedError

    @initialize()
    def begin_empty(self):
        self.store = self.make()
        self.resources, self.touched, self.owed, self.outcomes, self.open = {}, {}, {}, {}, {}
        self.serial, self.number = 0, 0
        self.store.lineage(*STACK, "line-1")
        self.fence = self.store.lease("me", "apply", NOW, 60.0, always).fence

    def expect(self, changes):
        self.serial += bool(changes)
        fired = set()
        for change in changes:
            match change:
                case Recorded(resource=subject):
                    self.resources[subject.key] = subject
                    self.touched[subject.key] = self.serial
                case Dropped(key=gone):
                    self.resources.pop(gone, None)
                    self.touched[gone] = self.serial
                case Owes(owed=debt):
                    self.owed[debt.address, debt.verb] = debt
                    fired.discard((debt.address, debt.verb))
                case Struck(address=of_task, verb=verb):
                    self.owed.pop((of_task, verb), None)
                    fired.add((of_task, verb))
        addresses = {of_task for of_task, _ in fired}
        self.touched.update({name: self.serial for name, subject in self.resources.items() if subject.address in addresses})

    @rule(steps=st.sets(names), debts=st.lists(names, max_size=2))
    def begin(self, steps, debts):
        self.number += 1
        intents = [intent(name, self.number) for name in sorted(steps)]
        debts = [owed(name, number=self.number) for name in debts]
        returned = self.store.begin(self.fence, run(self.number), plan(self.number), intents, debts, {})
        self.serial += bool(debts)
        self.owed.update({(debt.address, debt.verb): debt for debt in debts})
        self.outcomes[self.number] = {}
        self.open[self.number] = {one.step: one for one in intents}
        assert returned == self.serial

    @precondition(lambda self: self.open)
    @rule(steps=st.lists(st.tuples(names, entries), max_size=3), chosen=st.data())
    def record(self, steps, chosen):
        number = chosen.draw(st.sampled_from(sorted(self.open)))
        written = [Ended(str(address(name)), Changed() if changes else Failure("no"), tuple(changes)) for name, changes in steps]
        returned = self.store.record(self.fence, f"run-{number}", written)
        self.expect([entry for one in written for entry in one.entries])
        self.outcomes[number].update({one.step: one.outcome for one in written})
        assert returned == self.serial

    @precondition(lambda self: self.open)
    @rule(chosen=st.data(), status=st.sampled_from(["done", "failed", "interrupted", "abandoned"]))
    def end(self, chosen, status):
        number = chosen.draw(st.sampled_from(sorted(self.open)))
        self.open.pop(number)
        if status == "abandoned":
            self.store.abandon(self.fence, f"run-{number}", NOW)
        else:
            self.store.finish(self.fence, f"run-{number}", status, NOW)

    @rule(changes=entries)
    def edit(self, changes):
        returned = self.store.edit(self.fence, *STACK, changes)
        self.expect(changes)
        assert returned == self.serial

    @rule()
    def take_over(self):
        taken = self.store.lease(f"other-{self.fence}", "apply", NOW, 60.0, lambda owner: False)
        assert taken.fence > self.fence
        self.fence = taken.fence

    @rule()
    def close(self):
        self.store.close()

    @invariant()
    def holds(self):
        state = self.store.load(*STACK)
        assert dict(state.resources) == self.resources
        assert state.serial == self.serial
        assert state.owed == tuple(sorted(self.owed.values()))
        assert {(one.run, one.step): one for one in state.intents} == {
            (one.run, step): one for number, kept in self.open.items() for step, one in kept.items() if step not in self.outcomes[number]
        }
        for since in range(self.serial + 1):
            assert self.store.touched_since(*STACK, since) == {name for name, serial in self.touched.items() if serial > since}
        for number, outcomes in self.outcomes.items():
            assert self.store.outcomes(f"run-{number}") == sorted(outcomes.items())
        assert {found.id for found in self.store.runs(*STACK, 99) if found.ended is None} == {f"run-{number}" for number in self.open}
        self.nothing_spare()

    def nothing_spare(self):
        """Garbage that a store must not keep."""


class SqliteMachine(StoreMachine):
    def make(self):
        self.folder = tempfile.TemporaryDirectory()
        return SqliteStore(Path(self.folder.name) / "state.db")

    def nothing_spare(self):
        kept = {digest for (digest,) in self.store._connection.execute("SELECT digest FROM blobs")}
        bulk = [
            msgspec.json.decode(found) for (found,) in self.store._connection.execute("SELECT bulk FROM resources WHERE bulk IS NOT NULL")
        ]
        assert {digest for digests in bulk for digest in digests} <= kept

    def teardown(self):
        if hasattr(self, "store"):
            assert self.store.problems() == []
            self.store.close()
            self.folder.cleanup()


class MemoryMachine(StoreMachine):
    def make(self):
        return MemoryStore()


QUICK = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestSqliteModel = SqliteMachine.TestCase
TestSqliteModel.settings = QUICK
TestMemoryModel = MemoryMachine.TestCase
TestMemoryModel.settings = QUICK
