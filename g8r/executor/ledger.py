"""What a step's end means for the ledger. Pure: a step and its outcome in, entries out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from g8r.outcome import Changed, Failure, InDoubt, Outcome, Unchanged
from g8r.plan import Plan, Step
from g8r.state import Dropped, Entry, Intent, Owed, Owes, Recorded, Resource, ResourceKey, State, Struck
from g8r.value import Document


def key_of(step: Step) -> ResourceKey:
    return ResourceKey(step.address.host, step.address.kind, step.identity)


class Bookkeeper:
    """Knows, for one run of one plan, what each end means: which triggers it feeds, and what was recorded before."""

    def __init__(self, plan: Plan, run: str, recorded: Mapping[ResourceKey, Resource]) -> None:
        self._run = run
        self._recorded = recorded
        self._feeds: dict[str, list[Step]] = {}
        for step in plan.steps:
            for source in step.waits_for:
                self._feeds.setdefault(source, []).append(step)

    def entries(self, step: Step, outcome: Outcome) -> tuple[Entry, ...]:
        """What the ledger must say from now on, because of this end."""
        succeeded = isinstance(outcome, Changed | Unchanged)
        if step.verb:
            return (Struck(step.address, step.verb),) if succeeded and not _unfired(outcome) else ()
        if step.wish is not None:
            return (Dropped(key_of(step)),) if succeeded else ()
        return self._of_task(step, outcome)

    def _of_task(self, step: Step, outcome: Outcome) -> tuple[Entry, ...]:
        match outcome:
            case Changed(state=state, outputs=outputs, pulled_in=pulled_in, satisfied=satisfied):
                struck = [Struck(step.address, verb) for verb in satisfied]
                kept = pulled_in or step.pulled_in
                return (self._known(step, state, outputs, kept), *self._owes(step), *struck)
            case Unchanged(state=state, outputs=outputs):
                return () if step.action == "no-op" and step.reason.code == "none" else (self._known(step, state, outputs, step.pulled_in),)
            case InDoubt():
                return (Recorded(msgspec.structs.replace(self.record(step, None, {}, step.pulled_in), doubt=self._run)),)
            case Failure(left=left) if left is not None and step.created:
                return (Recorded(self.record(step, left, {}, ())),)
            case _:
                return ()

    def intent(self, step: Step, *, idempotent: bool) -> Intent:
        """What the ledger would say if this step succeeded; written before anything is done."""
        return Intent(self._run, step.id, self.record(step, step.after, {}, step.pulled_in), step.action, idempotent, started=False)

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
            run=self._run,
            span=step.span,
        )

    def _known(self, step: Step, state: Document | None, outputs: Document, pulled_in: tuple[str, ...]) -> Entry:
        if state is None:
            return Dropped(key_of(step))
        return Recorded(self.record(step, state, outputs, pulled_in))

    def _owes(self, step: Step) -> Iterable[Entry]:
        for trigger in self._feeds.get(step.id, ()):
            yield Owes(Owed(trigger.address, trigger.verb, self._run, f"{step.id} changed"))


def _unfired(outcome: Outcome) -> bool:
    """A trigger that ended because nothing it waits for changed strikes nothing."""
    return isinstance(outcome, Unchanged) and outcome.note.startswith("nothing that it waits for")


def unfinished(state: State, plan: Plan, old: Plan) -> list[Entry]:
    """What the ledger must keep of a run that never ended, of the plan `old`, before it is given up for a run of this plan.

    That is: what it began and must not be done twice, what it may have made outside of this plan, and the triggers that are owed for
    what it may have changed outside of it. What this plan covers, it settles itself.
    """
    covered = {key_of(step) for step in plan.steps if not step.verb}
    kept: list[Entry] = []
    for intent in state.intents:
        if intent.started and not intent.idempotent:
            kept.append(Recorded(msgspec.structs.replace(intent.record, state=None, doubt=intent.run)))
        elif intent.record.created and intent.record.key not in covered and intent.record.key not in state.resources:
            kept.append(Recorded(msgspec.structs.replace(intent.record, state=None)))
    planned = {step.id for step in plan.steps}
    doubtful = {intent.step for intent in state.intents} - planned
    for step in old.steps:
        sources = sorted(doubtful & set(step.waits_for))
        if sources and step.id not in planned:
            kept.append(Owes(Owed(step.address, step.verb, old.id, f"{', '.join(sources)} may have changed in a run that did not end")))
    return kept


def intents(plan: Plan, bookkeeper: Bookkeeper, idempotent: Callable[[Step], bool]) -> list[Intent]:
    """The intentions of a plan: one for each step that may change a resource."""
    return [
        bookkeeper.intent(step, idempotent=idempotent(step))
        for step in plan.steps
        if step.action not in {"no-op", "forget", "blocked", "trigger"} and step.wish is None
    ]
