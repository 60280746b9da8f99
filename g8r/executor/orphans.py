"""Resources that the ledger knows and no task declares: what removing them takes, or putting them back as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from g8r import parameters
from g8r.catalog import Exactly, Finding
from g8r.change import Absent, Blocked, Change, NoChange, Undecided, Unreadable, Verdict
from g8r.executor.judge import Kinds, Prepared, ahead_of, change_of, masked, read, recorded_state, rehearse, state_digest, unknown_lookup
from g8r.host import Host
from g8r.module import AnyModule, Module, Wanted, Work
from g8r.plan import Wish
from g8r.reference import resolve
from g8r.state import Resource
from g8r.value import Document, Unknown


def find(orphans: Sequence[tuple[Resource, Wish]], host: Host, key: bytes, kinds: Kinds) -> list[Finding]:
    """One finding for each, in the order given; read in batches by kind."""
    by_kind: dict[str, list[int]] = {}
    for index, (resource, _) in enumerate(orphans):
        by_kind.setdefault(resource.key.kind, []).append(index)
    found: dict[int, Finding] = {}
    for kind, indexes in sorted(by_kind.items()):
        module = kinds(kind)
        recorded = [orphans[index][0] for index in indexes]
        prepared = [prepare_recorded(kind, each.params, each.sealed, each.sensitive, kinds) for each in recorded]
        wanted = [Wanted(ready.params, recorded_state(module, orphans[index][0])) for ready, index in zip(prepared, indexes, strict=True)]
        states = read(module, wanted, host)
        verdicts = [
            Blocked(state.reason) if isinstance(state, Unreadable) else _verdict(*orphans[index], ready, state)
            for index, ready, state in zip(indexes, prepared, states, strict=True)
        ]
        foretold = rehearsed(module, prepared, verdicts, [orphans[index][0].pulled_in for index in indexes], host)
        for index, state, verdict in zip(indexes, states, foretold, strict=True):
            found[index] = _finding(orphans[index][0], verdict, state, key)
    return [found[index] for index in range(len(orphans))]


def prepare_recorded(kind: str, params: Document, sealed: tuple[str, ...], sensitive: tuple[str, ...], kinds: Kinds) -> Prepared:
    """Recorded params, as far as they say what the resource is; what was sealed or referred elsewhere is not needed for that."""
    module = kinds(kind)
    values = {name: Unknown("sealed") if name in sealed else resolve(value, unknown_lookup) for name, value in params.items()}
    built = parameters.build(module, values)
    return Prepared(module, built.params, {}, built.unknown, frozenset(sensitive), frozenset(), sealed)


def verdict_of(
    wish: Wish,
    original: Document | None,
    sensitive: tuple[str, ...],
    prepared: Prepared,
    before: Any,  # noqa: ANN401 any kind's State
) -> Change[Any] | NoChange | Blocked:
    """What it takes; the same at plan time and when the step's turn comes."""
    module = prepared.module
    if wish == "restore" and original is not None:
        if any(original.get(name) is not None for name in sensitive):
            return Blocked(f"its original {', '.join(sensitive)} is sensitive and was not kept; set on_remove = 'forget")
        restored: Change[Any] | NoChange | Blocked = module.restore(prepared.params, before, msgspec.convert(original, module.State))
        return restored
    if wish != "destroy" or isinstance(before, Absent):
        return NoChange()
    removal: Change[Any] | NoChange | Blocked = module.remove(prepared.params, before)
    return removal


def _verdict(resource: Resource, wish: Wish, prepared: Prepared, before: Any) -> Verdict[Any]:  # noqa: ANN401 any kind's State
    return verdict_of(wish, resource.original, resource.sensitive, prepared, before)


def rehearsed(
    module: AnyModule, prepared: Sequence[Prepared], verdicts: Sequence[Verdict[Any]], pulled_in: Sequence[tuple[str, ...]], host: Host
) -> list[Verdict[Any]]:
    """The verdicts, with what the machine foretells of those that are changes; one rehearsal for all of a kind."""
    changes = [index for index, verdict in enumerate(verdicts) if isinstance(verdict, Change)]
    if not changes or type(module).rehearse is Module.rehearse:
        return list(verdicts)
    ahead = ahead_of(host)
    work = [Work(prepared[index].params, change_of(verdicts[index]), pulled_in[index], prepared[index].hidden, ahead) for index in changes]
    foretold = dict(zip(changes, rehearse(module, work, host), strict=True))
    return [foretold.get(index, verdict) for index, verdict in enumerate(verdicts)]


def _finding(resource: Resource, verdict: Verdict[Any], before: Any, key: bytes) -> Finding:  # noqa: ANN401 any kind's State
    hidden = frozenset(resource.sensitive)
    document = None if isinstance(before, Unreadable) else masked(before, hidden, key)
    match verdict:
        case Change() as change:
            return Finding(
                resource.address,
                "change",
                action=change.action,
                before=document,
                after=masked(change.after, hidden, key),
                sensitive=resource.sensitive,
                expect=Exactly(state_digest(None, before, key)),
                because=change.because,
            )
        case Blocked(reason=reason) | Undecided(reason=reason):
            return Finding(resource.address, "blocked", before=document, sensitive=resource.sensitive, reason=reason)
        case NoChange():
            return Finding(resource.address, "no-change", before=document, after=document, sensitive=resource.sensitive)
