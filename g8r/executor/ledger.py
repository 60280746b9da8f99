"""What a step's end means for the ledger. Pure: a step and its outcome in, entries out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from g8r.address import Address
from g8r.outcome import Changed, Failure, InDoubt, Outcome, Unchanged
from g8r.plan import Plan, Step
from g8r.state import Dropped, Entry, Intent, Owed, Owes, Recorded, Resource, ResourceKey, State, Struck
from g8r.value import Document


def key_of(step: Step) -> ResourceKey:
    return ResourceKey(step.address.host, step.address.kind, step.identity)


class Bookkeeper:
    """Knows, for one run of one plan, what each end means: which triggers it feeds, and what was recorded before.

    `idempotent` tells of a step whether doing it twice is doing it once.
    """

    def __init__(self, plan: Plan, run: str, state: State, idempotent: Callable[[Step], bool]) -> None:
        self._run = run
        self._recorded = dict(state.resources)
        self._idempotent = idempotent
        self._living = {str(step.address) for step in plan.steps if step.wish is None}
        self._debts: dict[str, list[Owed]] = {}
        for debt in state.owed:
            self._debts.setdefault(str(debt.address), []).append(debt)

    def entries(self, step: Step, outcome: Outcome) -> tuple[Entry, ...]:
        """What the ledger must say from now on, because of this end."""
        found = tuple(self._of_trigger(step, outcome) if step.verb else self._of_resource(step, outcome))
        for entry in found:
            if isinstance(entry, Recorded):
                self._recorded[entry.resource.key] = entry.resource
        return found

    def _of_trigger(self, step: Step, outcome: Outcome) -> Iterator[Entry]:
        record = self._recorded.get(key_of(step))
        doubts = record.doubtful_triggers if record is not None else {}
        match outcome:
            case Changed(state=state, outputs=outputs):
                yield Struck(step.address, step.verb)
                if record is not None and state is not None:
                    left = {verb: run for verb, run in doubts.items() if verb != step.verb}
                    yield Recorded(
                        msgspec.structs.replace(record, state=state, outputs=outputs, doubtful_triggers=left, run=self._run),
                    )
            case Unchanged() if not _unfired(outcome):
                yield Struck(step.address, step.verb)
            case InDoubt() if record is not None and step.verb not in doubts and not self._idempotent(step):
                yield Recorded(msgspec.structs.replace(record, doubtful_triggers={**doubts, step.verb: self._run}))
            case _:
                pass

    def _of_resource(self, step: Step, outcome: Outcome) -> Iterator[Entry]:
        succeeded = isinstance(outcome, Changed | Unchanged)
        if step.wish is not None:
            if succeeded:
                yield Dropped(key_of(step))
                gone = str(step.address)
                yield from (Struck(debt.address, debt.verb) for debt in self._debts.get(gone, ()) if gone not in self._living)
            return
        yield from self._of_task(step, outcome)
        if succeeded and step.moved_from is not None:
            for debt in self._debts.get(step.moved_from, ()):
                yield Struck(debt.address, debt.verb)
                yield Owes(msgspec.structs.replace(debt, address=step.address))

    def _of_task(self, step: Step, outcome: Outcome) -> Iterator[Entry]:
        match outcome:
            case Changed(state=state, outputs=outputs, pulled_in=pulled_in, satisfied=satisfied, found=found):
                yield self._known(_as_found(step, found), state, outputs, pulled_in or step.pulled_in)
                yield from self._owes(step)
                yield from (Struck(step.address, verb) for verb in satisfied)
            case Unchanged(state=state, outputs=outputs):
                if step.action != "no-op" or step.reason.code != "none":
                    yield self._known(_as_found(step, state), state, outputs, step.pulled_in)
            case InDoubt() if step.reason.code != "in-doubt":
                record = self._recorded.get(key_of(step)) or self.record(step, None, {}, step.pulled_in)
                yield Recorded(msgspec.structs.replace(record, doubt="" if self._idempotent(step) else self._run))
                yield from self._owes(step)
            case Failure(left=left) if left is not None and step.created:
                yield Recorded(self.record(step, left, {}, ()))
            case _:
                pass

    def intent(self, step: Step) -> Intent:
        """What the ledger would say if this step succeeded; written before anything is done."""
        record = self.record(step, step.after, {}, step.pulled_in)
        return Intent(self._run, step.id, record, step.action, self._idempotent(step), started=False)

    def record(self, step: Step, state: Document | None, outputs: Document, pulled_in: tuple[str, ...]) -> Resource:
        before = self._recorded.get(key_of(step))
        original = before.original if before is not None else None if step.created else step.before
        return Resource(
            key=key_of(step),
            address=step.address,
            created=step.created,
            version=step.version,
            params=step.params,
            state=state,
            outputs=outputs,
            original=original,
            sensitive=step.sensitive,
            sealed=step.sealed,
            needs=step.needs,
            claims=step.claims,
            triggers=step.triggers,
            lifecycle=step.lifecycle,
            pulled_in=pulled_in,
            doubtful_triggers=before.doubtful_triggers if before is not None else {},
            run=self._run,
            span=step.span,
        )

    def _known(self, step: Step, state: Document | None, outputs: Document, pulled_in: tuple[str, ...]) -> Entry:
        if state is None:
            return Dropped(key_of(step))
        return Recorded(self.record(step, state, outputs, pulled_in))

    def _owes(self, step: Step) -> Iterator[Entry]:
        for trigger in step.feeds:
            yield Owes(_debt(trigger, self._run, f"{step.id} changed"))


def newly_owed(plan: Plan, run: str, known: Iterable[Owed]) -> list[Owed]:
    """What a plan says is owed and the ledger does not say yet: to be written before its run does anything."""
    written = {(debt.address, debt.verb) for debt in known}
    return [
        Owed(step.address, step.verb, run, step.reason.text)
        for step in plan.steps
        if step.owed and (step.address, step.verb) not in written
    ]


def _debt(trigger: str, run: str, because: str) -> Owed:
    """What is owed, by the id of the trigger's step: `HOST/KIND.NAME#VERB`."""
    address, _, verb = trigger.rpartition("#")
    host, _, task = address.partition("/")
    kind, _, name = task.partition(".")
    return Owed(Address(host, kind, name), verb, run, because)


def _as_found(step: Step, found: Document | None) -> Step:
    """A step whose plan could not tell what would be there, now that it is known: what was there is adopted, not created."""
    if step.action != "unknown" or found is None:
        return step
    return msgspec.structs.replace(step, created=False, before=found)


def _unfired(outcome: Outcome) -> bool:
    """A trigger that ended because nothing it waits for changed strikes nothing."""
    return isinstance(outcome, Unchanged) and outcome.note.startswith("nothing that it waits for")


def unfinished(state: State, written: State, plan: Plan, earlier: Iterable[Plan]) -> list[Entry]:
    """What the ledger must keep of runs that never ended, before they are given up for a run of this plan.

    `state` is what the hosts' journals add to what is `written`.

    That is: what they began and must not be done twice, what they may have made or adopted, and the triggers that are owed for what they
    may have changed. All of it, whether this plan looks into it or not: its own run may be killed before it comes to that.
    """
    kept: list[Entry] = [Recorded(record) for key, record in state.resources.items() if written.resources.get(key) != record]
    kept += [Struck(debt.address, debt.verb) for debt in written.owed if debt not in state.owed]
    for intent in state.intents:
        known = state.resources.get(intent.record.key)
        record = known or msgspec.structs.replace(intent.record, state=None)
        if intent.action == "trigger" and intent.started:
            doubts = {**record.doubtful_triggers, intent.step.rpartition("#")[2]: intent.run}
            kept.append(Recorded(msgspec.structs.replace(record, doubtful_triggers=doubts)))
        elif intent.started and not intent.idempotent:
            kept.append(Recorded(msgspec.structs.replace(record, doubt=intent.run)))
        elif known is None and intent.action != "trigger":
            kept.append(Recorded(record))
    return [*kept, *_still_owed(state, plan, earlier)]


def _still_owed(state: State, plan: Plan, earlier: Iterable[Plan]) -> Iterator[Entry]:
    """What was changed without anybody hearing of it, and will not be changed again by this plan."""
    again = {step.id for step in plan.steps if step.judgement in {"change", "unknown"}}
    doubtful = {intent.step for intent in state.intents} - again
    owed = {f"{debt.address}#{debt.verb}" for debt in state.owed}
    for old in earlier:
        for step in old.steps:
            if step.id in doubtful:
                for trigger in (each for each in step.feeds if each not in owed):
                    yield Owes(_debt(trigger, old.id, f"{step.id} may have changed in a run that did not end"))


def intents(plan: Plan, bookkeeper: Bookkeeper, idempotent: Callable[[Step], bool]) -> list[Intent]:
    """The intentions of a plan: one for each step that may change a resource, and for each trigger that must not be fired twice."""
    return [
        bookkeeper.intent(step)
        for step in plan.steps
        if step.action not in _NO_INTENT
        and step.wish is None
        and step.reason.code != "in-doubt"
        and (step.action != "trigger" or not idempotent(step))
    ]


_NO_INTENT: Final = frozenset({"no-op", "forget", "blocked"})
