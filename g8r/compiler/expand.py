"""Expansion: which hosts there are, what vars each has and why, and which tasks are on which.

Decided here: a host's vars are the stack's, then those of the groups that match it, then its own; the later wins. Of groups the
more specific one is later: a glob, then labels by the number of their requirements, then a plain host name; equals go by their key, in
order of the alphabet. Records are merged field by field, as Nickel's `&` does; anything else is replaced whole, lists too.
`@{vars.x}` is the stack's own var, the same everywhere, as `vars.x` in Nickel is; `@{host.vars.x}` is what the host ends up with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from g8r import selector as selectors
from g8r.address import LOCALHOST
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error, path_text, warning
from g8r.selector import Everywhere, InvalidSelectorError, Labels, Names, Selector
from g8r.stack import HostEntry, Stack, Task
from g8r.value import Document, Value

Connection: TypeAlias = Literal["local", "fake", "ssh", "agent"]


class ExpandedHost(msgspec.Struct, frozen=True):
    """A host with all that references may ask of it. `facts` is empty where they are not known.

    `origins` says for every var (`db.port`) which places of the document set it; the last of them won.
    """

    name: str
    address: str
    labels: dict[str, str] = {}
    vars: Document = {}
    origins: dict[str, tuple[DocumentPath, ...]] = {}
    connection: Connection | None = None
    facts: Document = {}


NOWHERE: Final = ExpandedHost("", "")
"""Any host: for a task of which it is not known where it is."""


class _Layer(msgspec.Struct, frozen=True):
    path: DocumentPath
    vars: Document


class _Matcher(msgspec.Struct, frozen=True):
    """A group with its selector, ready to be asked."""

    selector: Selector
    layer: _Layer


def expand_hosts(stack: Stack, facts: Mapping[str, Document]) -> tuple[dict[str, ExpandedHost], tuple[Diagnostic, ...]]:
    """All hosts by name, sorted; this machine alone where the stack declares none. A fake host's facts are its own."""
    entries = stack.hosts or {LOCALHOST: HostEntry(connection="local")}
    matchers, diagnostics = _matchers(stack, entries)
    merged: dict[tuple[DocumentPath, ...], tuple[Document, dict[str, tuple[DocumentPath, ...]]]] = {}
    hosts = {}
    for name, entry in sorted(entries.items()):
        layers = [_Layer(("vars",), stack.vars)]
        layers += [matcher.layer for matcher in matchers if selectors.matches(matcher.selector, name, entry.labels)]
        if entry.vars:
            layers.append(_Layer(("hosts", name, "vars"), entry.vars))
        key = tuple(layer.path for layer in layers)
        if key not in merged:
            merged[key] = _merge(layers)
        values, origins = merged[key]
        known = facts.get(name) or (entry.facts if entry.connection == "fake" else {})
        hosts[name] = ExpandedHost(name, entry.address or name, entry.labels, values, origins, _connection(name, entry), known)
    return hosts, diagnostics


def place(stack: Stack, hosts: Mapping[str, ExpandedHost]) -> tuple[dict[str, tuple[str, ...]], tuple[Diagnostic, ...]]:
    """For every task (`file.motd`) the hosts it is on, sorted. A name that no host has is an error, a match of nobody a warning."""
    found: dict[Selector, tuple[str, ...]] = {}
    placed: dict[str, tuple[str, ...]] = {}
    nobody: dict[Selector, list[Task]] = {}
    diagnostics: list[Diagnostic] = []
    for task in sorted(stack.tasks, key=str):
        on = task.meta.on
        if on not in found:
            found[on] = matching(on, hosts)
        placed[str(task)] = found[on]
        wrong = _unknown_names(on, hosts, ("tasks", task.kind, task.name, "on"), f"{task} is on it, but no host")
        diagnostics += wrong
        if not found[on] and not wrong:
            nobody.setdefault(on, []).append(task)
    diagnostics += [_nobody(on, tasks) for on, tasks in nobody.items()]
    return placed, tuple(diagnostics)


def matching(selector: Selector, hosts: Mapping[str, ExpandedHost]) -> tuple[str, ...]:
    """The names of the hosts that a selector means, sorted."""
    match selector:
        case Names(patterns=patterns) if all(selectors.is_plain_name(name) for name in patterns):
            return tuple(sorted({name for name in patterns if name in hosts}))
        case _:
            return tuple(name for name in sorted(hosts) if selectors.matches(selector, name, hosts[name].labels))


def selector_text(selector: Selector) -> str:
    """A selector as users write it in one text."""
    match selector:
        case Everywhere():
            return "*"
        case Names(patterns=patterns):
            return ", ".join(patterns)
        case Labels(requirements=requirements):
            return ",".join(selectors.requirement_text(requirement) for requirement in requirements)


# ---- groups and vars --------------------------------------------------------------------------------------------------------


def _matchers(stack: Stack, entries: Mapping[str, HostEntry]) -> tuple[list[_Matcher], tuple[Diagnostic, ...]]:
    """The groups, the less specific first."""
    ranked: list[tuple[tuple[int, str], _Matcher]] = []
    diagnostics: list[Diagnostic] = []
    for key, group in sorted(stack.groups.items()):
        path: DocumentPath = ("groups", key)
        try:
            selector = selectors.parse(key)
        except InvalidSelectorError as invalid:
            diagnostics.append(error("invalid-selector", f'the group "{key}" has no selector for its name', f"{invalid}.", path))
            continue
        wrong = _unknown_names(selector, entries, path, f'the group "{key}" is for it, but no host')
        diagnostics += wrong
        if not wrong and not any(selectors.matches(selector, name, entry.labels) for name, entry in entries.items()):
            detail = "Its vars reach nobody. Check the labels of the hosts, or remove the group."
            diagnostics.append(warning("matches-nobody", f'the group "{key}" matches no host', detail, path))
        ranked.append(((_specificity(selector), key), _Matcher(selector, _Layer((*path, "vars"), group.vars))))
    ranked.sort(key=lambda found: found[0])
    return [matcher for _, matcher in ranked], tuple(diagnostics)


def _specificity(selector: Selector) -> int:
    match selector:
        case Labels(requirements=requirements):
            return len(requirements)
        case Names(patterns=patterns) if all(selectors.is_plain_name(name) for name in patterns):
            return 1_000
        case _:
            return 0


def _merge(layers: Iterable[_Layer]) -> tuple[Document, dict[str, tuple[DocumentPath, ...]]]:
    kept = [layer for layer in layers if layer.vars]
    values: Document = {}
    for layer in kept:
        values = _over(values, layer.vars)
    origins = {path_text(leaf): tuple((*layer.path, *leaf) for layer in kept if _has(layer.vars, leaf)) for leaf in _leaves(values)}
    return values, origins


def _over(base: Document, top: Document) -> Document:
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _leaves(values: Document, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in sorted(values.items()):
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key)


def _has(values: Document, path: tuple[str, ...]) -> bool:
    current: Value = values
    for key in path:
        if not isinstance(current, dict) or key not in current:
            return False
        current = current[key]
    return True


def _connection(name: str, entry: HostEntry) -> Connection | None:
    return entry.connection or ("local" if name == LOCALHOST else None)


# ---- messages -----------------------------------------------------------------------------------------------------------------


def _unknown_names(selector: Selector, hosts: Iterable[str], path: DocumentPath, clause: str) -> list[Diagnostic]:
    if not isinstance(selector, Names):
        return []
    known = set(hosts)
    wrong = [(index, name) for index, name in enumerate(selector.patterns) if selectors.is_plain_name(name) and name not in known]
    return [
        error(
            "unknown-host",
            f'unknown host "{name}"',
            f'{clause} is called so.{did_you_mean(name, known)} To select by label, write key=value, such as "role={name}".',
            (*path, index) if len(selector.patterns) > 1 else path,
        )
        for index, name in wrong
    ]


def _nobody(on: Selector, tasks: list[Task]) -> Diagnostic:
    first, others = tasks[0], len(tasks) - 1
    also = f" So are {others} more tasks." if others > 1 else " So is one more task." if others else ""
    detail = f"{first} is on no host, so it does nothing.{also} Check the names and labels of the hosts."
    return warning("matches-nobody", f'"{selector_text(on)}" matches no host', detail, ("tasks", first.kind, first.name, "on"))
