"""Resources that the ledger knows and no task declares: what removing them takes, or putting them back as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from g8r import parameters
from g8r.catalog import Exactly, Finding
from g8r.change import Absent, Blocked, Change, NoChange, Unreadable
from g8r.executor.judge import Kinds, Prepared, masked, recorded_state, state_digest, unknown_lookup
from g8r.host import Host
from g8r.module import Wanted
from g8r.reference import resolve
from g8r.state import Resource
from g8r.value import Unknown, is_sealed

Wish: TypeAlias = Literal["destroy", "restore"]


def find(orphans: Sequence[tuple[Resource, Wish]], host: Host, key: bytes, kinds: Kinds) -> list[Finding]:
    """One finding for each, in the order given; read in batches by kind."""
    by_kind: dict[str, list[int]] = {}
    for index, (resource, _) in enumerate(orphans):
        by_kind.setdefault(resource.key.kind, []).append(index)
    found: dict[int, Finding] = {}
    for kind, indexes in sorted(by_kind.items()):
        module = kinds(kind)
        prepared = [prepare_recorded(orphans[index][0], kinds) for index in indexes]
        wanted = [Wanted(ready.params, recorded_state(module, orphans[index][0])) for ready, index in zip(prepared, indexes, strict=True)]
        states = module.read(wanted, host)
        for index, ready, state in zip(indexes, prepared, states, strict=True):
            found[index] = _finding(*orphans[index], ready, state, key)
    return [found[index] for index in range(len(orphans))]


def prepare_recorded(resource: Resource, kinds: Kinds) -> Prepared:
    """The params of a recorded resource, as far as they say what it is; what was sealed or referred elsewhere is not needed."""
    module = kinds(resource.key.kind)
    values = {name: Unknown("sealed") if is_sealed(value) else resolve(value, unknown_lookup) for name, value in resource.params.items()}
    built = parameters.build(module, values)
    return Prepared(module, built.params, {}, built.unknown, frozenset(resource.sensitive), frozenset())


def verdict_of(resource: Resource, wish: Wish, prepared: Prepared, before: Any) -> Change[Any] | NoChange | Blocked:  # noqa: ANN401 any kind's State
    """What it takes; the same at plan time and when the step's turn comes."""
    module = prepared.module
    if wish == "restore":
        if resource.original is None:
            return NoChange()
        if any(resource.original.get(name) is not None for name in resource.sensitive):
            return Blocked(f"its original {', '.join(resource.sensitive)} is sensitive and was not kept; set on_remove = 'forget")
        original = msgspec.convert(resource.original, module.State)
        verdict: Change[Any] | NoChange | Blocked = module.restore(prepared.params, before, original)
        return verdict
    if isinstance(before, Absent):
        return NoChange()
    removal: Change[Any] | NoChange | Blocked = module.remove(prepared.params, before)
    return removal


def _finding(resource: Resource, wish: Wish, prepared: Prepared, before: Any, key: bytes) -> Finding:  # noqa: ANN401 any kind's State
    if isinstance(before, Unreadable):
        return Finding(resource.address, "blocked", reason=before.reason)
    hidden = frozenset(resource.sensitive)
    document = masked(before, hidden, key)
    match verdict_of(resource, wish, prepared, before):
        case Change() as change:
            return Finding(
                resource.address,
                "change",
                action=change.action,
                before=document,
                after=masked(change.after, hidden, key),
                sensitive=resource.sensitive,
                expect=Exactly(state_digest(before, key)),
                because=change.because,
            )
        case Blocked(reason=reason):
            return Finding(resource.address, "blocked", before=document, sensitive=resource.sensitive, reason=reason)
        case NoChange():
            return Finding(resource.address, "no-change", before=document, after=document, sensitive=resource.sensitive)
