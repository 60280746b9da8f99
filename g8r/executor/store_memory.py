"""A store that remembers as long as it lives: for tests and simulated hosts. It holds the same contract as the one in a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from g8r import outcome as outcomes_of
from g8r import value
from g8r.address import Address
from g8r.executor import entries, lease, store_refusals
from g8r.executor.entries import Effects
from g8r.executor.lease import Held
from g8r.executor.ports import Alive
from g8r.outcome import Outcome
from g8r.plan import Plan
from g8r.state import Ended, Entry, Fidelity, Intent, Lease, Owed, Resource, ResourceKey, Run, RunStatus, State
from g8r.value import Document


class _Ledger(msgspec.Struct):
    lineage: str
    serial: int = 0
    resources: dict[ResourceKey, Resource] = {}
    touched: dict[ResourceKey, int] = {}
    owed: dict[tuple[Address, str], Owed] = {}
    outputs: Document = {}
    sensitive_outputs: tuple[str, ...] = ()


class _RunKept(msgspec.Struct):
    run: Run
    plan: Plan
    blobs: dict[str, bytes]
    intents: tuple[Intent, ...]
    outcomes: dict[str, Outcome] = {}

    @property
    def ledger(self) -> tuple[str, str]:
        return self.plan.stack, self.plan.workspace


class MemoryStore:
    """A `ports.Store`. What its methods promise stands there, but for what survives: nothing does."""

    def __init__(self) -> None:
        self._ledgers: dict[tuple[str, str], _Ledger] = {}
        self._runs: dict[str, _RunKept] = {}
        self._held: Held | None = None
        self._fidelity: dict[str, tuple[int, int]] = {}

    def load(self, stack: str, workspace: str) -> State:
        ledger = self._ledgers.get((stack, workspace))
        if ledger is None:
            return State(stack, workspace, lineage="", serial=0)
        open_runs = [kept for kept in self._of(stack, workspace) if kept.run.ended is None]
        return State(
            stack=stack,
            workspace=workspace,
            lineage=ledger.lineage,
            serial=ledger.serial,
            resources=dict(sorted(ledger.resources.items())),
            owed=tuple(sorted(ledger.owed.values())),
            intents=tuple(intent for kept in open_runs for intent in kept.intents if intent.step not in kept.outcomes),
            outputs=ledger.outputs,
            sensitive_outputs=ledger.sensitive_outputs,
        )

    def ledgers(self) -> list[tuple[str, str]]:
        return sorted(self._ledgers)

    def lineage(self, stack: str, workspace: str, fresh: str) -> str:
        return self._ledgers.setdefault((stack, workspace), _Ledger(fresh)).lineage

    def holder(self) -> Lease | None:
        return self._held.lease if self._held and not self._held.released else None

    def lease(self, owner: str, operation: str, now: str, ttl: float, alive: Alive) -> Lease:
        self._held = lease.taken(self._held, Held(Lease(owner, operation, 0, now, now), ttl), alive)
        return self._held.lease

    def renew(self, lease: Lease, now: str) -> Lease:
        held = self._checked(lease.fence)
        self._held = msgspec.structs.replace(held, lease=msgspec.structs.replace(held.lease, heartbeat=now))
        return self._held.lease

    def release(self, lease: Lease) -> None:
        if self._held and self._held.lease.fence == lease.fence:
            self._held = msgspec.structs.replace(self._held, released=True)

    def begin(self, fence: int, run: Run, plan: Plan, intents: Sequence[Intent], owed: Sequence[Owed], blobs: Mapping[str, bytes]) -> int:
        self._checked(fence)
        ledger = self._ledgers.get((plan.stack, plan.workspace))
        if ledger is None or ledger.lineage != plan.lineage:
            raise store_refusals.other_lineage(plan)
        earlier = self.applied(plan.id)
        if earlier is not None:
            raise store_refusals.applied_before(earlier)
        for debt in owed:
            ledger.owed[debt.address, debt.verb] = debt
        ledger.serial += bool(owed)
        for kept in self._of(plan.stack, plan.workspace):
            kept.intents = kept.intents if kept.run.ended is None else ()
        begun = msgspec.structs.replace(run, plan=plan.id, status="running", ended=None, serial=ledger.serial, counts={})
        unstarted = tuple(msgspec.structs.replace(intent, started=False) for intent in intents)
        self._runs[run.id] = _RunKept(begun, plan, dict(blobs), unstarted)
        return ledger.serial

    def record(self, fence: int, run: str, ended: Sequence[Ended]) -> int:
        self._checked(fence)
        kept = self._open(run)
        for step in ended:
            kept.outcomes[step.step] = step.outcome
        for kind, (predicted, right) in entries.fidelity(ended).items():
            before = self._fidelity.get(kind, (0, 0))
            self._fidelity[kind] = (before[0] + predicted, before[1] + right)
        serial = _bring_in(self._ledgers[kept.ledger], entries.of_steps(ended))
        kept.run = msgspec.structs.replace(kept.run, serial=serial)
        return serial

    def finish(
        self,
        fence: int,
        run: str,
        status: RunStatus,
        ended: str,
        outputs: Document | None = None,
        sensitive_outputs: Sequence[str] = (),
    ) -> int:
        self._checked(fence)
        kept = self._open(run)
        ledger = self._ledgers[kept.ledger]
        new = (outputs, tuple(sensitive_outputs))
        if outputs is not None and value.canonical(new) != value.canonical((ledger.outputs, ledger.sensitive_outputs)):
            ledger.outputs, ledger.sensitive_outputs = outputs, new[1]
            ledger.serial += 1
        kept.run = msgspec.structs.replace(kept.run, status=status, ended=ended, serial=ledger.serial)
        return ledger.serial

    def reopen(self, fence: int, run: str, again: Collection[str]) -> None:
        self._checked(fence)
        kept = self._known(run)
        ids = [other.run.id for other in self._of(*kept.ledger)]
        follower = next(iter(ids[ids.index(run) + 1 :]), None)
        if kept.run.status in store_refusals.OVER or follower is not None:
            raise store_refusals.over(run, kept.run.status, follower)
        kept.run = msgspec.structs.replace(kept.run, status="running", ended=None)
        kept.outcomes = {step: outcome for step, outcome in kept.outcomes.items() if step not in again}

    def abandon(self, fence: int, run: str, ended: str) -> None:
        self._checked(fence)
        kept = self._open(run)
        kept.run = msgspec.structs.replace(kept.run, status="abandoned", ended=ended)

    def edit(self, fence: int, stack: str, workspace: str, changes: Sequence[Entry]) -> int:
        self._checked(fence)
        ledger = self._ledgers.get((stack, workspace))
        if ledger is None:
            raise store_refusals.unknown_ledger(stack, workspace)
        return _bring_in(ledger, entries.total(changes))

    def runs(self, stack: str, workspace: str, limit: int) -> list[Run]:
        newest_first = reversed(self._of(stack, workspace))
        return [_counted(kept) for kept in newest_first][:limit]

    def open_run(self, stack: str, workspace: str) -> Run | None:
        return next((run for run in self.runs(stack, workspace, len(self._runs)) if run.ended is None), None)

    def outcomes(self, run: str) -> list[tuple[str, Outcome]]:
        return sorted(self._runs[run].outcomes.items(), key=_first) if run in self._runs else []

    def plan_of(self, run: str) -> Plan:
        if run not in self._runs:
            raise store_refusals.no_plan(run)
        return self._runs[run].plan

    def blobs_of(self, run: str) -> dict[str, bytes]:
        blobs = self._runs[run].blobs if run in self._runs else {}
        return {name: blobs[name] for name in self.plan_of(run).blobs}

    def applied(self, plan: str) -> str | None:
        return next((run for run, kept in self._runs.items() if kept.plan.id == plan), None)

    def fidelity(self) -> list[Fidelity]:
        return [Fidelity(kind, *sums) for kind, sums in sorted(self._fidelity.items())]

    def touched_since(self, stack: str, workspace: str, serial: int) -> set[ResourceKey]:
        ledger = self._ledgers.get((stack, workspace))
        return {key for key, last in ledger.touched.items() if last > serial} if ledger else set()

    def close(self) -> None:
        """Nothing is held open."""

    def _checked(self, fence: int) -> Held:
        return lease.check(self._held, fence)

    def _of(self, stack: str, workspace: str) -> list[_RunKept]:
        """The oldest first."""
        return [kept for kept in self._runs.values() if kept.ledger == (stack, workspace)]

    def _known(self, run: str) -> _RunKept:
        if run not in self._runs:
            raise store_refusals.unknown_run(run)
        return self._runs[run]

    def _open(self, run: str) -> _RunKept:
        kept = self._known(run)
        if kept.run.ended is not None:
            raise store_refusals.ended_run(run)
        return kept


def _bring_in(ledger: _Ledger, effects: Effects) -> int:
    ledger.serial += bool(effects)
    for key, resource in effects.resources.items():
        ledger.touched[key] = ledger.serial
        if resource is None:
            ledger.resources.pop(key, None)
        else:
            ledger.resources[key] = resource
    for (address, verb), debt in effects.owed.items():
        if debt is not None:
            ledger.owed[address, verb] = debt
            continue
        ledger.owed.pop((address, verb), None)
        ledger.touched.update({key: ledger.serial for key, resource in ledger.resources.items() if resource.address == address})
    return ledger.serial


def _counted(kept: _RunKept) -> Run:
    counts: dict[str, int] = {}
    for word in sorted(outcomes_of.word(outcome) for outcome in kept.outcomes.values()):
        counts[word] = counts.get(word, 0) + 1
    return msgspec.structs.replace(kept.run, counts=counts)


def _first(pair: tuple[str, Outcome]) -> str:
    return pair[0]
