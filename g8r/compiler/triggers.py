"""Triggers in a plan ([A-trigger]): a step of its own, fired once, after all that it waits for, if any of those changed or it is owed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from g8r.address import Address
from g8r.catalog import CatalogTask
from g8r.plan import Reason, Step
from g8r.state import Owed, State

_PENDING: Final = frozenset({"change", "unknown"})


def trigger_id(address: Address, verb: str) -> str:
    return f"{address}#{verb}"


def owed(state: State, planned: Mapping[str, Step]) -> dict[tuple[Address, str], Owed]:
    """What must still fire: what the ledger says, and what an unfinished run did change without saying so.

    A source of that run whose change was not acknowledged, and which is now as that run meant it to be, counts as changed.
    """
    found = {(owes.address, owes.verb): owes for owes in state.owed}
    arrived = {
        intent.step: intent.run
        for intent in state.intents
        if intent.action not in {"no-op", "forget"} and (step := planned.get(intent.step)) is not None and step.judgement == "no-change"
    }
    for step in planned.values():
        for name, sources in step.triggers.items():
            doubtful = [source for source in sources if source in arrived]
            verb = name.removesuffix("_on")
            if doubtful and (step.address, verb) not in found:
                note = f"{', '.join(doubtful)} changed in run {arrived[doubtful[0]]}, which did not end"
                found[step.address, verb] = Owed(step.address, verb, arrived[doubtful[0]], note)
    return found


def trigger_steps(
    task: CatalogTask, planned: Mapping[str, Step], owes: Mapping[tuple[Address, str], Owed], verbs: Mapping[str, str]
) -> list[Step]:
    """The trigger steps of one task; none for a trigger that has nothing to wait for and is not owed."""
    main = planned[str(task.address)]
    wanted = {verbs[name]: sources for name, sources in task.triggers.items() if name in verbs}
    owing = {verb for address, verb in owes if address == task.address and verb in verbs.values()}
    found: list[Step] = []
    for verb in sorted({*wanted, *owing}):
        debt = owes.get((task.address, verb))
        sources = [str(source) for source in wanted.get(verb, ()) if str(source) in planned]
        pending = sorted(source for source in sources if planned[source].judgement in _PENDING)
        needless = main.judgement == "blocked" or (verb in main.satisfies and main.judgement == "change")
        if (pending or debt is not None) and not needless:
            found.append(_step(main, verb, pending, debt, tuple(step.id for step in found)))
    return found


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
