"""What an agent's journal means to a plan and to a run: effects that must not happen twice ([A-intent])."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from g8r.executor.ports import Journal
from g8r.outcome import Changed, Failure, InDoubt, Outcome
from g8r.state import Resource, ResourceKey, State


class JournalEffects:
    """The journal as a performer needs it. A step that is known to have failed may be tried again."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def started(self, run: str, step: str) -> None:
        known = self._journal.effect(run, step)
        self._journal.started(run, step, known.attempt + 1 if known else 1)

    def done(self, run: str, step: str, outcome: Outcome) -> None:
        self._journal.done(run, step, outcome)

    def effect(self, run: str, step: str) -> Outcome | None:
        known = self._journal.effect(run, step)
        if known is None or isinstance(known.outcome, Failure):
            return None
        return known.outcome or InDoubt(f"it was started in run {run}, and its end is not known")


def settled(state: State, journals: Mapping[str, Journal]) -> State:
    """The state, with what the journals know of unfinished runs: what was started, and what was done though nobody heard of it."""
    resources: dict[ResourceKey, Resource] = dict(state.resources)
    intents, fired = [], set()
    for intent in state.intents:
        journal = journals.get(intent.record.key.host)
        known = journal.effect(intent.run, intent.step) if journal is not None and not intent.idempotent else None
        intents.append(msgspec.structs.replace(intent, started=known is not None and known.outcome is None))
        if known is None or not isinstance(known.outcome, Changed) or known.outcome.state is None:
            continue
        record: Resource | None = intent.record
        if intent.action == "trigger":
            verb = intent.step.rpartition("#")[2]
            fired.add((intent.record.address, verb))
            record = _without_doubt(resources.get(intent.record.key), verb)
        if record is not None:
            done = msgspec.structs.replace(record, state=known.outcome.state, outputs=known.outcome.outputs, run=intent.run)
            resources[intent.record.key] = done
    owed = tuple(debt for debt in state.owed if (debt.address, debt.verb) not in fired)
    return msgspec.structs.replace(state, resources=resources, intents=tuple(intents), owed=owed)


def _without_doubt(record: Resource | None, verb: str) -> Resource | None:
    """A record whose trigger is known to have been fired, whatever an earlier run left in doubt."""
    if record is None:
        return None
    return msgspec.structs.replace(record, doubtful_triggers={name: run for name, run in record.doubtful_triggers.items() if name != verb})
