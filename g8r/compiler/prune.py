"""Orphans: resources that the ledger knows and no task declares any more ([S-prune], [S-moved]).

What g8r created is destroyed, what it adopted is forgotten, unless `on_remove` says otherwise. A service is only ever adopted, but one
whose unit goes with this plan is stopped and disabled first: nobody could do that afterwards. What another task now provides is handed
over; the first claim of a resource says what it is, so that a directory where a user's home was is no heir of the user. A source that is
empty, or a selector that stopped matching, never means "destroy all".
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final

import msgspec

from g8r.address import Address
from g8r.catalog import CatalogTask
from g8r.diagnostics import Diagnostic, error, warning
from g8r.plan import Reason, Wish
from g8r.state import Resource, ResourceKey, State

_UNIT: Final = "unit:"


class Orphan(msgspec.Struct, frozen=True):
    """A resource to be removed, restored or forgotten. `heir` is the task after whose step it goes: its successor, if any."""

    resource: Resource
    wish: Wish
    reason: Reason
    heir: Address | None = None


class Pruned(msgspec.Struct, frozen=True):
    """`records` gives, for each task that has one, what the ledger knows of its resource: by key, or handed over."""

    orphans: tuple[Orphan, ...]
    records: Mapping[Address, Resource]
    diagnostics: tuple[Diagnostic, ...]


class Scope(msgspec.Struct, frozen=True):
    """What a plan is about. `covers` tells whether the selection includes an address; `declared` are the stack's task names."""

    hosts: frozenset[str]
    declared: frozenset[str]
    covers: Callable[[Address], bool]
    allow_empty: bool = False
    destroy: bool = False


def prune(tasks: Mapping[Address, CatalogTask], state: State, scope: Scope) -> Pruned:
    """Match the tasks with the ledger. `tasks` are all of the graph, selected or not; with `scope.destroy` none counts."""
    live = {} if scope.destroy else {ResourceKey(address.host, address.kind, task.identity): address for address, task in tasks.items()}
    known = _with_intents(state)
    records = {address: known[key] for key, address in live.items() if key in known}
    left = [resource for key, resource in sorted(known.items()) if key not in live and scope.covers(resource.address)]
    providers = {(address.host, claim): address for address, task in tasks.items() for claim in task.claims.provides} if live else {}
    successors = _successors(tasks) if live else {}
    orphans: list[Orphan] = []
    diagnostics: list[Diagnostic] = []
    for resource in left:
        heir = next((providers.get((resource.key.host, claim)) for claim in resource.claims.provides[:1]), None)
        if heir is not None:
            if scope.covers(heir):
                records.setdefault(heir, _handed_over(resource, heir))
                orphans.append(Orphan(resource, "forget", Reason("moved", f"handed over to {heir.task}"), heir))
            continue
        orphan = _orphan(resource, successors, scope)
        if orphan.heir is not None and not scope.covers(orphan.heir):
            continue
        orphans.append(orphan)
    orphans = _with_their_units(orphans)
    for orphan in orphans:
        diagnostics += _objections(orphan, scope)
    if live == {} and left and not scope.destroy and not scope.allow_empty:
        diagnostics = [_empty(len(left))]
    return Pruned(tuple(orphans), records, tuple(diagnostics))


def _with_intents(state: State) -> dict[ResourceKey, Resource]:
    """The ledger, and what unfinished runs meant to create or to adopt: it may be there, so it is g8r's to remove or put back."""
    known = dict(state.resources)
    for intent in state.intents:
        if intent.action != "trigger" and intent.record.key not in known:
            known[intent.record.key] = msgspec.structs.replace(intent.record, state=None)
    return known


def _successors(tasks: Mapping[Address, CatalogTask]) -> dict[Address, Address]:
    """For an address the ledger may know, the task that now stands for it: the same one, or one that `moved_from` it."""
    found = {address: address for address in tasks}
    for address, task in tasks.items():
        for old in task.moved_from:
            kind, _, name = old.rpartition("/")[2].partition(".")
            found[Address(address.host, kind, name)] = address
    return found


def _handed_over(resource: Resource, heir: Address) -> Resource:
    return msgspec.structs.replace(resource, address=heir, params={}, sealed=(), state=None, version=0)


def _orphan(resource: Resource, successors: Mapping[Address, Address], scope: Scope) -> Orphan:
    asked = resource.lifecycle.on_remove
    wish: Wish = asked or ("destroy" if resource.created else "forget")
    if asked == "restore" and resource.created:
        wish = "destroy"
    if resource.key.host not in scope.hosts:
        return Orphan(resource, "forget", Reason("removed", f"host {resource.key.host} is no longer declared"))
    heir = successors.get(resource.address)
    if heir is not None:
        return Orphan(resource, wish, Reason("moved", f"{heir.task} now manages another {resource.key.kind}"), heir)
    if scope.destroy:
        return Orphan(resource, wish, Reason("requested", "destroy"))
    return Orphan(resource, wish, Reason("removed", "no task declares it"))


def _with_their_units(orphans: Sequence[Orphan]) -> list[Orphan]:
    """The orphans; one that would be forgotten though the unit it is about is destroyed, is destroyed, too."""
    going = {
        (orphan.resource.key.host, claim)
        for orphan in orphans
        if orphan.wish == "destroy"
        for claim in orphan.resource.claims.provides
        if claim.startswith(_UNIT)
    }
    return [
        msgspec.structs.replace(orphan, wish="destroy", reason=Reason(orphan.reason.code, f"{orphan.reason.text}, and its unit goes"))
        if _loses_its_unit(orphan, going)
        else orphan
        for orphan in orphans
    ]


def _loses_its_unit(orphan: Orphan, going: Container[tuple[str, str]]) -> bool:
    resource = orphan.resource
    if orphan.wish != "forget" or orphan.heir is not None or resource.lifecycle.on_remove is not None:
        return False
    return any((resource.key.host, claim) in going for claim in resource.claims.requires)


def _objections(orphan: Orphan, scope: Scope) -> list[Diagnostic]:
    resource = orphan.resource
    if orphan.wish == "destroy" and resource.lifecycle.prevent_destroy:
        detail = (
            f"Its task had lifecycle.prevent_destroy, which holds though the task is gone. Declare {resource.address.task} again with "
            f"prevent_destroy = false and apply, or let go of it with `g8r state forget {resource.address}`."
        )
        return [error("prevent-destroy", f"{resource.address} would be destroyed ({orphan.reason.text})", detail)]
    if resource.key.host not in scope.hosts:
        return [
            warning(
                "host-gone",
                f"{resource.address} is forgotten",
                f"No host {resource.key.host!r} is declared any more; nothing is done on it.",
            )
        ]
    if orphan.reason.code == "removed" and resource.address.task in scope.declared and not scope.allow_empty:
        detail = (
            f"The stack still declares {resource.address.task}, but its `on` no longer selects {resource.key.host}. If that is meant, plan "
            "with --allow-empty."
        )
        lost = "forgotten" if orphan.wish == "forget" else "removed"
        return [error("selector-stopped-matching", f"{resource.address} would be {lost}", detail)]
    return []


def _empty(count: int) -> Diagnostic:
    detail = (
        f"The ledger holds {count} resource{'s' if count != 1 else ''} of this stack, and an empty source never means to destroy all. "
        "Use `g8r destroy`, or plan with --allow-empty."
    )
    return error("empty-stack", "the stack declares no task on any host", detail)
