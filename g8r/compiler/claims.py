"""Claims of the tasks of one host: the edges they make, who provides what, and where two tasks contradict each other.

Decided here: a `path:` requirement makes an edge to its nearest provided ancestor, but is `provided` only by a task that provides that
very path: a directory made by a task says nothing about what is below it. What needs or follows a path, unit, user or group that no
task provides may be waiting for a package; whether it comes after the packages is settled by `graph`, which knows the cycles.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from g8r.compiler.references import Link
from g8r.compiler.settle import Settled
from g8r.diagnostics import Diagnostic, DocumentPath, Related, error

FROM_PACKAGES: Final = frozenset({"path", "unit", "user", "group"})
"""The kinds of claim that a package may bring without saying so."""


class Connections(msgspec.Struct, frozen=True):
    """What claims make of the tasks of a host, each by its name. `links` are keyed by the task that comes after.

    `provided` names the provider of each required claim that has one; `wanting` has the tasks that packages may be needed by.
    """

    links: dict[str, tuple[Link, ...]]
    provided: dict[str, dict[str, str]]
    wanting: frozenset[str]


def connect(tasks: Sequence[Settled], where: str) -> tuple[Connections, list[Diagnostic]]:
    """The connections between tasks of one host; `where` names it (or all hosts that are the same) for messages."""
    providers = _providers(tasks)
    diagnostics = list(_conflicts(tasks, providers, where))
    links: dict[str, list[Link]] = {}
    provided: dict[str, dict[str, str]] = {}
    wanting: set[str] = set()
    for task in tasks:
        for claim in (*task.claims.requires, *task.claims.follows):
            if claim in task.claims.provides:
                continue
            needed = claim in task.claims.requires
            exact = _other(providers.get(claim, ()), task)
            if exact is None and claim.partition(":")[0] in FROM_PACKAGES:
                wanting.add(task.name)
            elif exact is not None and needed:
                provided.setdefault(task.name, {})[claim] = exact.name
            nearest = _nearest(claim, task, providers)
            if nearest is None:
                continue
            if needed and nearest.claims.removes and not task.claims.removes:
                diagnostics.append(_removed(task, nearest, claim, where))
                continue
            after, before = (nearest, task) if nearest.claims.removes and task.claims.removes else (task, nearest)
            links.setdefault(after.name, []).append(Link(before.name, None, "claim", claim, path=_blamed(claim, task)))
    return Connections({name: tuple(found) for name, found in links.items()}, provided, frozenset(wanting)), diagnostics


def _providers(tasks: Sequence[Settled]) -> dict[str, list[Settled]]:
    providers: dict[str, list[Settled]] = {}
    for task in tasks:
        for claim in task.claims.provides:
            providers.setdefault(claim, []).append(task)
    return providers


def _other(providers: Sequence[Settled], task: Settled) -> Settled | None:
    return next((provider for provider in providers if provider is not task), None)


def _nearest(claim: str, task: Settled, providers: Mapping[str, Sequence[Settled]]) -> Settled | None:
    """Who provides the claim; of a path, the nearest of its ancestors that another task provides."""
    kind, _, name = claim.partition(":")
    while True:
        found = _other(providers.get(f"{kind}:{name}", ()), task)
        if found is not None or kind != "path" or name in {"/", ""}:
            return found
        name = posixpath.dirname(name)


# ---- contradictions -----------------------------------------------------------------------------------------------------------


def _conflicts(tasks: Sequence[Settled], providers: Mapping[str, Sequence[Settled]], where: str) -> Iterator[Diagnostic]:
    """Each pair of tasks that cannot both be, once, by the first reason there is."""
    told: set[frozenset[str]] = set()
    for first, second, code, summary, claim in _contradictions(tasks, providers):
        pair = frozenset({first.name, second.name})
        if pair not in told:
            told.add(pair)
            yield error(
                code,
                summary,
                f"Both are on {where}. Keep one of them, or let them be on different hosts.",
                _blamed(claim, second),
                (Related(f"the other is {first.name}", _blamed(claim, first)),),
            )


def _contradictions(
    tasks: Sequence[Settled], providers: Mapping[str, Sequence[Settled]]
) -> Iterator[tuple[Settled, Settled, str, str, str]]:
    same: dict[tuple[str, str], Settled] = {}
    for task in tasks:
        if task.deferred:
            continue
        kind = task.study.task.kind
        first = same.setdefault((kind, task.identity), task)
        if first is not task:
            summary = f"{first.name} and {task.name} are the same {kind}, {task.identity}"
            yield first, task, "same-resource", summary, f"{kind}:{task.identity}"
    for claim, claimants in sorted(providers.items()):
        for task in claimants[1:]:
            yield claimants[0], task, "claim-conflict", f"{claimants[0].name} and {task.name} both provide {claim}", claim
    for task in tasks:
        for claim in task.claims.excludes:
            for other in providers.get(claim, ()):
                if other is not task:
                    first, second = sorted((task, other), key=lambda one: one.name)
                    yield first, second, "claim-conflict", f"{task.name} excludes what {other.name} provides, {claim}", claim


def _removed(task: Settled, remover: Settled, claim: str, where: str) -> Diagnostic:
    summary = f"{task.name} needs {claim}, which {remover.name} removes"
    detail = f"Both are on {where}. Keep what is needed, or remove what needs it too."
    related = Related(f"{remover.name} removes it", _blamed(claim, remover))
    return error("needs-removed", summary, detail, _blamed(claim, task), (related,))


def _blamed(claim: str, task: Settled) -> DocumentPath:
    """The param that a claim comes from, as far as its value tells: the same name, or for a path the deepest below it."""
    kind, _, name = claim.partition(":")
    texts = {param: value for param, value in sorted(task.study.params.items()) if isinstance(value, str)}
    exact = [param for param, value in texts.items() if value == name]
    below = [param for param, value in texts.items() if kind == "path" and value.startswith(name + "/")]
    param = next(iter(exact + below), None)
    if param is None and "path" in texts and kind in {"path", "content", task.study.task.kind}:
        param = "path"
    return (*task.study.path, param) if param else task.study.path
