"""Assembling: the settled tasks of all hosts, their claims and links, put in order and together into the task graph.

Hosts whose tasks are what they are and claim what they claim alike are arranged once, by task names, and the outcome is stamped out for
each: the work of a fleet of equals is that of one host, and only the stamping grows with the hosts. Hosts that links connect are arranged
together, by addresses. Hosts that no link connects come one after another, as the order by addresses has it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from g8r.address import Address
from g8r.catalog import CatalogTask, Edge, EdgeReason
from g8r.claim import Claims
from g8r.compiler import claims, graph
from g8r.compiler.claims import Connections
from g8r.compiler.expand import ExpandedHost
from g8r.compiler.graph import PACKAGE, Arranged, Arrow, TaskGraph
from g8r.compiler.references import Link
from g8r.compiler.settle import Settled
from g8r.diagnostics import Diagnostic

Row = tuple[str | None, str, EdgeReason, str, bool]
"""An edge of a task, before it is stamped: host (None: its own), task, reason, note, soft."""

_NONE: Final[dict[str, Address]] = {}
_UNTRIGGERED: Final[dict[str, tuple[Address, ...]]] = {}


class _Drawing(msgspec.Struct, frozen=True):
    """A task of a host or of many alike, ready to be stamped."""

    name: str
    rows: tuple[Row, ...]
    provided: tuple[tuple[str, str], ...]
    after_packages: bool


class _Fleet(msgspec.Struct, frozen=True):
    """What is settled, by host and task name, and which params are sensitive, by task name. Addresses are made once, and shared."""

    settled: Mapping[str, Mapping[str, Settled]]
    sensitive: Mapping[str, tuple[str, ...]]
    addresses: Mapping[str, Mapping[str, Address]]


def assemble(
    settled: Mapping[str, Mapping[str, Settled]], hosts: Mapping[str, ExpandedHost], sensitive: Mapping[str, tuple[str, ...]]
) -> tuple[TaskGraph, list[Diagnostic]]:
    """The graph of all tasks, by host and task name. Where a diagnostic is an error, the graph is worth nothing."""
    addresses = {
        host: {name: Address(host, one.study.task.kind, one.study.task.name) for name, one in tasks.items()}
        for host, tasks in settled.items()
    }
    fleet = _Fleet(settled, sensitive, addresses)
    diagnostics: list[Diagnostic] = []
    linked = _linked(settled)
    connections: dict[str, Connections] = {}
    sequences: dict[str, Sequence[CatalogTask]] = {}
    for alike in _alike(settled):
        tasks = [settled[alike[0]][name] for name in sorted(settled[alike[0]])]
        connected, wrong = claims.connect(tasks, _where(alike))
        diagnostics += wrong
        connections |= dict.fromkeys(alike, connected)
        alone = [host for host in alike if host not in linked]
        if alone:
            drawings, wrong = _draw(tasks, connected, _where(alone))
            diagnostics += wrong
            sequences |= {host: [_stamp(drawing, host, fleet) for drawing in drawings] for host in alone}
    waves: dict[Address, int] = {}
    if linked:
        together, waves, wrong = _together(sorted(linked), connections, fleet)
        diagnostics += wrong
        sequences["/"] = together
    tasks_in_order = _merged(sequences, linked)
    reached = {name: host.address for name, host in sorted(hosts.items())}
    return TaskGraph({task.address: task for task in tasks_in_order}, reached, waves), diagnostics


# ---- which hosts can be arranged how ------------------------------------------------------------------------------------------------


def _linked(settled: Mapping[str, Mapping[str, Settled]]) -> frozenset[str]:
    """The hosts of tasks that name a host in a link, and the hosts so named."""
    found: set[str] = set()
    for study in {id(task.study): task.study for tasks in settled.values() for task in tasks.values()}.values():
        named = {link.host for link in study.links if link.host is not None}
        if named:
            found |= named | set(study.hosts)
    return frozenset(found & settled.keys())


def _alike(settled: Mapping[str, Mapping[str, Settled]]) -> list[tuple[str, ...]]:
    """The hosts, put together where their tasks have the same names, identities and claims."""
    numbers: dict[tuple[str, str, Claims, bool], int] = {}
    seen: dict[int, int] = {}

    def number(name: str, task: Settled) -> int:
        if id(task) not in seen:
            seen[id(task)] = numbers.setdefault((name, task.identity, task.claims, task.deferred), len(numbers))
        return seen[id(task)]

    groups: dict[tuple[int, ...], list[str]] = {}
    for host, tasks in sorted(settled.items()):
        groups.setdefault(tuple(number(name, tasks[name]) for name in sorted(tasks)), []).append(host)
    return [tuple(group) for group in groups.values()]


def _where(hosts: Sequence[str]) -> str:
    more = len(hosts) - 1
    return f'"{hosts[0]}"' + (f" and {more} more hosts" if more > 1 else " and one more host" if more else "")


# ---- arranging ------------------------------------------------------------------------------------------------------------------------


def _draw(tasks: Sequence[Settled], connected: Connections, where: str) -> tuple[list[_Drawing], list[Diagnostic]]:
    """The tasks of hosts that are alike and linked to no other, in order."""
    links = {task.name: (*task.study.links, *connected.links.get(task.name, ())) for task in tasks}
    arrows = [Arrow(link.task, name, link) for name, found in links.items() for link in found]
    packages = [task.name for task in tasks if task.study.task.kind == PACKAGE]
    arranged = graph.arrange(links, arrows, {"": packages}, {"": sorted(connected.wanting)})
    drawings = [_drawing(name, links[name], connected, arranged, None) for name in arranged.order]
    return drawings, graph.cycle_diagnostics(arranged.cycles, where)


def _together(
    hosts: Sequence[str], connections: Mapping[str, Connections], fleet: _Fleet
) -> tuple[list[CatalogTask], dict[Address, int], list[Diagnostic]]:
    """The tasks of linked hosts, in order over all of them, with their waves."""
    nodes: dict[str, tuple[str, Settled]] = {}
    links: dict[str, tuple[Link, ...]] = {}
    packages: dict[str, list[str]] = {}
    wanting: dict[str, list[str]] = {}
    for host in hosts:
        for name, task in fleet.settled[host].items():
            node = f"{host}/{name}"
            nodes[node] = host, task
            links[node] = (*task.study.links, *connections[host].links.get(name, ()))
            if task.study.task.kind == PACKAGE:
                packages.setdefault(host, []).append(node)
            if name in connections[host].wanting:
                wanting.setdefault(host, []).append(node)
    arrows = [Arrow(f"{link.host or nodes[node][0]}/{link.task}", node, link) for node, found in links.items() for link in found]
    arranged = graph.arrange(nodes, arrows, packages, wanting)
    stamped = []
    for node in arranged.order:
        host, task = nodes[node]
        stamped.append(_stamp(_drawing(task.name, links[node], connections[host], arranged, host), host, fleet))
    if arranged.cycles:
        return stamped, {}, graph.cycle_diagnostics(arranged.cycles, _where(hosts))
    waves = graph.waves(arranged, arrows, {node: host for node, (host, _) in nodes.items()})
    return stamped, {fleet.addresses[nodes[node][0]][nodes[node][1].name]: wave for node, wave in waves.items()}, []


def _merged(sequences: Mapping[str, Sequence[CatalogTask]], linked: frozenset[str]) -> Iterable[CatalogTask]:
    """All tasks in the order by addresses: always the earliest of those that are next on their hosts."""
    if linked:
        return heapq.merge(*(sequences[host] for host in sorted(sequences)), key=lambda task: str(task.address))
    return (task for host in sorted(sequences, key=lambda name: f"{name}/") for task in sequences[host])


# ---- stamping -------------------------------------------------------------------------------------------------------------------------


def _drawing(name: str, links: Iterable[Link], connected: Connections, arranged: Arranged, host: str | None) -> _Drawing:
    """One task; `host` where hosts are arranged together."""
    own = f"{host}/" if host else ""
    node = own + name
    hard = {(link.host or host, link.task) for link in links if not link.soft}
    rows = set()
    for link in links:
        target = f"{link.host}/{link.task}" if link.host else own + link.task
        if not link.soft or ((target, node) not in arranged.dropped and (link.host or host, link.task) not in hard):
            rows.add((link.host or host, link.task, link.reason, link.note, link.soft))
    provided = tuple(sorted(connected.provided.get(name, {}).items()))
    return _Drawing(name, tuple(sorted(rows)), provided, node in arranged.after_packages)


def _stamp(drawing: _Drawing, host: str, fleet: _Fleet) -> CatalogTask:
    settled = fleet.settled[host][drawing.name]
    study = settled.study
    meta, written = study.task.meta, study.written
    own = fleet.addresses[host]
    return CatalogTask(
        address=own[drawing.name],
        params=settled.params,
        identity=settled.identity,
        claims=settled.claims,
        edges=tuple([Edge(fleet.addresses[far or host][task], reason, note, soft) for far, task, reason, note, soft in drawing.rows]),
        provided={claim: own[provider] for claim, provider in drawing.provided} if drawing.provided else _NONE,
        after_packages=drawing.after_packages,
        triggers={key: tuple(name.on(host) for name in names) for key, names in written.triggers.items()}
        if written.triggers
        else _UNTRIGGERED,
        lifecycle=meta.lifecycle,
        moved_from=tuple(str(name.on(host)) for name in written.moved_from) if written.moved_from else (),
        retry=meta.retry,
        timeout=meta.timeout,
        sensitive=fleet.sensitive[drawing.name],
        become=meta.become,
        path=study.path,
    )
