"""Triggers in a plan ([A-trigger]): a step of its own, fired once, after all that it waits for, if any of those changed or it is owed."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Final

import msgspec

from g8r.address import Address
from g8r.catalog import CatalogTask
from g8r.plan import Reason, Step
from g8r.state import Owed, State

_PENDING: Final = frozenset({"change", "unknown"})
_DOING_NOTHING: Final = frozenset({"no-op", "forget", "trigger"})


def trigger_id(address: Address, verb: str) -> str:
    return f"{address}#{verb}"


class Debts(msgspec.Struct, frozen=True):
    """What must still fire, and the triggers that were begun without their end being known: the run of each. By address and verb."""

    owed: Mapping[tuple[Address, str], Owed]
    doubts: Mapping[tuple[Address, str], str]


def feeds(tasks: Mapping[Address, CatalogTask], verbs: Callable[[str], Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """By step, the triggers that wait for it."""
    found: dict[str, set[str]] = {}
    for address, task in tasks.items():
        for name, sources in task.triggers.items():
            if name in verbs(address.kind):
                for source in sources:
                    found.setdefault(str(source), set()).add(trigger_id(address, verbs(address.kind)[name]))
    return {source: tuple(sorted(fed)) for source, fed in found.items()}


def owed(state: State, planned: Mapping[str, Step]) -> dict[tuple[Address, str], Owed]:
    """What must still fire: what the ledger says, and what an unfinished run did change without saying so.

    A source of that run whose change was not acknowledged counts as changed where it is now as that run meant it to be, or where nobody
    has looked. What a renamed task owes, it owes by its new name.
    """
    renamed = {step.moved_from: step.address for step in planned.values() if step.moved_from is not None and not step.verb}
    found: dict[tuple[Address, str], Owed] = {}
    for debt in state.owed:
        address = renamed.get(str(debt.address), debt.address)
        found[address, debt.verb] = msgspec.structs.replace(debt, address=address)
    arrived = {
        intent.step: intent.run
        for intent in state.intents
        if intent.action not in _DOING_NOTHING and ((step := planned.get(intent.step)) is None or step.judgement == "no-change")
    }
    for step in planned.values():
        for name, sources in step.triggers.items():
            doubtful = [source for source in sources if source in arrived]
            verb = name.removesuffix("_on")
            if doubtful and (step.address, verb) not in found:
                note = f"{', '.join(doubtful)} changed in run {arrived[doubtful[0]]}, which did not end"
                found[step.address, verb] = Owed(step.address, verb, arrived[doubtful[0]], note)
    return found


def doubts(state: State, again: Container[Address]) -> dict[tuple[Address, str], str]:
    """The triggers that may have been fired and must not be twice, but for those that the user wants fired `again`."""
    found = {
        (record.address, verb): run
        for record in state.resources.values()
        for verb, run in record.doubtful_triggers.items()
        if record.address not in again
    }
    for intent in state.intents:
        if intent.action == "trigger" and intent.started and intent.record.address not in again:
            found[intent.record.address, intent.step.rpartition("#")[2]] = intent.run
    return found


def trigger_steps(task: CatalogTask, planned: Mapping[str, Step], debts: Debts, verbs: Mapping[str, str]) -> list[Step]:
    """The trigger steps of one task; none for a trigger that has nothing to wait for and is not owed."""
    main = planned[str(task.address)]
    wanted = {verbs[name]: sources for name, sources in task.triggers.items() if name in verbs}
    owing = {verb for verb in verbs.values() if (task.address, verb) in debts.owed}
    found: list[Step] = []
    for verb in sorted({*wanted, *owing}):
        debt = debts.owed.get((task.address, verb))
        sources = [str(source) for source in wanted.get(verb, ()) if str(source) in planned]
        pending = sorted(source for source in sources if planned[source].judgement in _PENDING)
        needless = main.judgement == "blocked" or (verb in main.satisfies and main.judgement == "change")
        if needless or (not pending and debt is None):
            continue
        step = _step(main, verb, pending, debt, tuple(step.id for step in found))
        run = debts.doubts.get((task.address, verb))
        found.append(step if run is None or pending else _in_doubt(step, run))
    return found


def _in_doubt(step: Step, run: str) -> Step:
    text = (
        f"run {run} began to fire it and its end is not known. Look at the host; then fire it again with "
        f"`g8r trigger {step.address} {step.verb}`, or let go of it with `g8r state forget {step.address}`"
    )
    return msgspec.structs.replace(step, action="unknown", judgement="unknown", reason=Reason("in-doubt", text))


def _step(main: Step, verb: str, pending: list[str], debt: Owed | None, earlier: tuple[str, ...]) -> Step:
    reason = Reason("trigger", f"{verb} after {', '.join(pending)}")
    if debt is not None:
        reason = Reason("owed", f"owed since run {debt.run}: {debt.because}")
    return Step(
        id=trigger_id(main.address, verb),
        address=main.address,
        identity=main.identity,
        action="trigger",
        judgement="change",
        reason=reason,
        version=main.version,
        params=main.params,
        sensitive_params=main.sensitive_params,
        sealed=main.sealed,
        sensitive=main.sensitive,
        needs=tuple(sorted({main.id, *pending})),
        after_steps=earlier,
        locks=main.locks,
        verb=verb,
        waits_for=tuple(pending),
        owed=debt is not None,
        timeout=main.timeout,
        retry=main.retry,
        become=main.become,
    )
