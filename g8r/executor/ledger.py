"""What a step's end means for the ledger. Pure: a step and its outcome in, entries out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from g8r.outcome import Changed, Failure, Outcome, Unchanged
from g8r.plan import Plan, Step
from g8r.state import Dropped, Entry, Intent, Owed, Owes, Recorded, Resource, ResourceKey, Struck
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
        if step.verb:
            return (Struck(step.address, step.verb),) if isinstance(outcome, Changed | Unchanged) and not _unfired(outcome) else ()
        if step.wish is not None:
            return (Dropped(key_of(step)),) if isinstance(outcome, Changed | Unchanged) else ()
        match outcome:
            case Changed(state=state, outputs=outputs, pulled_in=pulled_in, satisfied=satisfied):
                struck = [Struck(step.address, verb) for verb in satisfied]
                kept = pulled_in or step.pulled_in
                return (self._known(step, state, outputs, kept), *self._owes(step), *struck)
            case Unchanged(state=state, outputs=outputs):
                return () if step.action == "no-op" and step.reason.code == "none" else (self._known(step, state, outputs, step.pulled_in),)
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


def intents(plan: Plan, bookkeeper: Bookkeeper, idempotent: Callable[[Step], bool]) -> list[Intent]:
    """The intentions of a plan: one for each step that may change a resource."""
    return [
        bookkeeper.intent(step, idempotent=idempotent(step))
        for step in plan.steps
        if step.action not in {"no-op", "forget", "blocked", "trigger"} and step.wish is None
    ]
