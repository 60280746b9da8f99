"""Removals in a plan: orphans as steps, last, in reverse of the order in which they came to be."""

from __future__ import annotations

from collections.abc import Mapping

from g8r.catalog import Exactly, Finding
from g8r.compiler.prune import Orphan, Pruned
from g8r.plan import Step, StepAction
from g8r.state import ResourceKey


def removal_id(orphan: Orphan) -> str:
    """Unlike a task's own step: the old identity may have the address of a living task."""
    return f"{orphan.resource.address}!{orphan.resource.key.identity}"


def removal_steps(pruned: Pruned, findings: Mapping[ResourceKey, Finding], planned: Mapping[str, Step]) -> list[Step]:
    """One step for each orphan, after the steps it must wait for; in an order that respects those."""
    by_address = {str(orphan.resource.address): orphan for orphan in pruned.orphans if orphan.wish != "forget"}
    waits: dict[str, set[str]] = {removal_id(orphan): set() for orphan in pruned.orphans}
    for orphan in by_address.values():
        for needed in orphan.resource.needs:
            if needed in by_address and by_address[needed] is not orphan:
                waits[removal_id(by_address[needed])].add(removal_id(orphan))
    for address, record in pruned.records.items():
        for needed in record.needs:
            if needed in by_address and str(address) in planned:
                waits[removal_id(by_address[needed])].add(str(address))
    for orphan in pruned.orphans:
        if orphan.heir is not None and str(orphan.heir) in planned:
            waits[removal_id(orphan)].add(str(orphan.heir))
    ordered = _ordered({removal_id(orphan): orphan for orphan in pruned.orphans}, waits)
    return [_step(orphan, findings.get(orphan.resource.key), waits[removal_id(orphan)]) for orphan in ordered]


def _ordered(orphans: Mapping[str, Orphan], waits: Mapping[str, set[str]]) -> list[Orphan]:
    """Topological, ties in the order given; a circle among old records (it cannot be made anew) is broken by that order."""
    ordered: dict[str, Orphan] = {}
    pending = [(identifier, False) for identifier in reversed(list(orphans))]
    entered: set[str] = set()
    while pending:
        identifier, expanded = pending.pop()
        if expanded:
            ordered.setdefault(identifier, orphans[identifier])
        elif identifier not in entered:
            entered.add(identifier)
            pending.append((identifier, True))
            pending += [(earlier, False) for earlier in sorted(waits[identifier], reverse=True) if earlier in orphans]
    return list(ordered.values())


def _step(orphan: Orphan, finding: Finding | None, waits: set[str]) -> Step:
    resource = orphan.resource
    action: StepAction = "forget"
    if finding is not None and finding.judgement == "blocked":
        action = "blocked"
    elif finding is not None and finding.judgement == "change":
        action = finding.action or "delete"
    return Step(
        id=removal_id(orphan),
        address=resource.address,
        identity=resource.key.identity,
        action=action,
        judgement="blocked" if action == "blocked" else "change",
        reason=orphan.reason,
        version=resource.version,
        params=resource.params,
        sealed=resource.sealed,
        before=finding.before if finding is not None else resource.state,
        after=finding.after if finding is not None else resource.state,
        sensitive=resource.sensitive,
        expect=finding.expect if finding is not None else Exactly(""),
        because=(finding.because if finding.judgement != "blocked" else (finding.reason,)) if finding is not None else (),
        needs=tuple(sorted(waits)),
        locks=resource.claims.locks,
        claims=resource.claims,
        created=resource.created,
        wish=orphan.wish,
        lifecycle=resource.lifecycle,
        pulled_in=resource.pulled_in,
    )
