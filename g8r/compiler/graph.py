"""The task graph, and how tasks are put in order. The one file that knows networkx.

A graph without cycles needs no more than to be sorted, which the standard library's `graphlib` does. networkx, whose import costs 0.08 to
0.15 s of a plan that should take 0.3, does what takes more than that: it finds the knots of a graph that cannot be sorted, tells cycles,
and says which soft edges close one. A test holds the order of the one against that of the other.

Decided here. Hard edges must hold, and a cycle of them is an error. A soft edge (a trigger's source before the task itself) is given up
where it would close a cycle. What needs something that packages may bring comes after all package tasks of its host, unless one of those
comes after it: that is a barrier, kept as `CatalogTask.after_packages` and never as edges, which would be files times packages.
The order is the topological one whose addresses come as early as they can.
"""

from __future__ import annotations

import graphlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from g8r.address import Address
from g8r.catalog import Catalog, CatalogTask, EdgeReason
from g8r.compiler.references import Link
from g8r.diagnostics import Diagnostic, Related, error

if TYPE_CHECKING:
    import networkx as nx

_Node = TypeVar("_Node", Address, str)

PACKAGE: Final = "package"
"""The kind whose tasks bring what nobody names: paths, units, users."""
CYCLES_SHOWN: Final = 5
_BARRIER: Final = "\0"
_STRENGTH: Final[Mapping[EdgeReason, int]] = {"packages": 0, "trigger": 1, "claim": 2, "reference": 3, "needs": 4}


class TaskGraph(msgspec.Struct, frozen=True):
    """All tasks by address, in topological order, with their edges inside. Barriers are not edges: see `CatalogTask.after_packages`.

    `hosts` maps all hosts, those without tasks too, to their addresses. `waves` has the tasks whose diff waits for other hosts.
    """

    tasks: Mapping[Address, CatalogTask] = {}
    hosts: dict[str, str] = {}
    waves: dict[Address, int] = {}

    def catalogs(self) -> dict[str, Catalog]:
        """One for every host, sorted by its name."""
        by_host: dict[str, list[CatalogTask]] = {host: [] for host in sorted(self.hosts)}
        for address, task in self.tasks.items():
            by_host[address.host].append(task)
        return {
            host: Catalog(host, self.hosts[host], tuple(tasks), tuple(self.waves.get(task.address, 0) for task in tasks))
            for host, tasks in by_host.items()
        }

    def ancestors(self, addresses: Iterable[Address]) -> frozenset[Address]:
        """What these need, and what that needs in turn, without themselves. Soft edges and barriers need nothing."""
        given = frozenset(addresses)
        return _reach(given, lambda address: [edge.before for edge in self.tasks[address].edges if not edge.soft]) - given

    def descendants(self, addresses: Iterable[Address]) -> frozenset[Address]:
        """What needs these, and what needs that in turn, without themselves."""
        given = frozenset(addresses)
        after: dict[Address, list[Address]] = {}
        for address, task in self.tasks.items():
            for edge in task.edges:
                if not edge.soft:
                    after.setdefault(edge.before, []).append(address)
        return _reach(given, lambda address: after.get(address, ())) - given

    def generations(self) -> tuple[tuple[Address, ...], ...]:
        """The addresses by how many tasks, at most, come one after another before them; soft edges and barriers count."""
        depth: dict[Address, int] = {}
        packages: dict[str, int] = {}
        found: list[list[Address]] = []
        for address, task in self.tasks.items():
            before = [depth[edge.before] for edge in task.edges]
            if task.after_packages and address.host in packages:
                before.append(packages[address.host])
            depth[address] = level = max(before, default=-1) + 1
            if address.kind == PACKAGE:
                packages[address.host] = max(level, packages.get(address.host, 0))
            found.extend([] for _ in range(level + 1 - len(found)))
            found[level].append(address)
        return tuple(tuple(sorted(level)) for level in found)


def _reach(start: Iterable[_Node], steps: Callable[[_Node], Iterable[_Node]]) -> frozenset[_Node]:
    found = set(start)
    pending = list(found)
    while pending:
        for step in steps(pending.pop()):
            if step not in found:
                found.add(step)
                pending.append(step)
    return frozenset(found)


# ---- putting in order -----------------------------------------------------------------------------------------------------------


class Arrow(msgspec.Struct, frozen=True):
    """`before` comes first, because of `link`. Both are nodes: task names, or addresses where several hosts are ordered together."""

    before: str
    after: str
    link: Link


class Arranged(msgspec.Struct, frozen=True):
    """Nodes in order. `dropped` are the soft pairs given up, `after_packages` the nodes behind their host's barrier.

    With `cycles`, the rest means nothing.
    """

    order: tuple[str, ...]
    dropped: frozenset[tuple[str, str]] = frozenset()
    after_packages: frozenset[str] = frozenset()
    cycles: tuple[tuple[Arrow, ...], ...] = ()


def arrange(
    nodes: Iterable[str], arrows: Sequence[Arrow], packages: Mapping[str, Sequence[str]], wanting: Mapping[str, Sequence[str]]
) -> Arranged:
    """Put nodes in order. By host: its `packages`, and the nodes `wanting` something that packages may bring."""
    names = sorted(nodes)
    before: dict[str, set[str]] = {node: set() for node in names}
    for arrow in arrows:
        before.setdefault(arrow.after, set()).add(arrow.before)
    after_packages = _add_barriers(before, packages, wanting)
    try:
        return Arranged(_sorted(before), after_packages=after_packages)
    except graphlib.CycleError:
        return _arrange_with_care(names, arrows, packages, wanting)


def _arrange_with_care(
    nodes: Sequence[str], arrows: Sequence[Arrow], packages: Mapping[str, Sequence[str]], wanting: Mapping[str, Sequence[str]]
) -> Arranged:
    """As `arrange`, where not all edges can be: tells the cycles of hard ones, or gives up soft ones."""
    import networkx as nx  # noqa: PLC0415 it takes 0.1 s to import, and only what cannot be sorted needs it

    hard = {(arrow.before, arrow.after) for arrow in arrows if not arrow.link.soft}
    soft = {(arrow.before, arrow.after) for arrow in arrows if arrow.link.soft} - hard
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(sorted(hard))
    if not nx.is_directed_acyclic_graph(graph):
        return Arranged(tuple(nodes), cycles=tuple(_cycles(graph, arrows)))
    dropped = _add_soft(graph, sorted(soft))
    before = {node: set(graph.predecessors(node)) for node in graph}
    after_packages = _add_barriers(before, packages, wanting)
    return Arranged(_sorted(before), dropped, after_packages)


def _sorted(before: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The nodes after all that is `before` them, as early as their names come. Raises graphlib.CycleError."""
    sorter = graphlib.TopologicalSorter(before)
    sorter.prepare()
    order: list[str] = []
    free = list(sorter.get_ready())
    heapq.heapify(free)
    while free:
        node = heapq.heappop(free)
        order.append(node)
        sorter.done(node)
        for next_free in sorter.get_ready():
            heapq.heappush(free, next_free)
    return tuple(node for node in order if not node.startswith(_BARRIER))


def _add_soft(graph: nx.DiGraph[str], pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Adds the soft pairs to the graph, those that can be; the earlier ones first. Returns the others."""
    import networkx as nx  # noqa: PLC0415 as above

    new = list(pairs)
    graph.add_edges_from(new)
    part = {node: index for index, nodes in enumerate(nx.strongly_connected_components(graph)) for node in nodes}
    suspects = [(before, after) for before, after in new if part[before] == part[after]]
    graph.remove_edges_from(suspects)
    dropped = set()
    for before, after in suspects:
        if nx.has_path(graph, after, before):
            dropped.add((before, after))
        else:
            graph.add_edge(before, after)
    return frozenset(dropped)


def _add_barriers(
    before: dict[str, set[str]], packages: Mapping[str, Sequence[str]], wanting: Mapping[str, Sequence[str]]
) -> frozenset[str]:
    """Adds a barrier node per host behind its packages to what is `before` what; returns the nodes that come after one.

    Host by host, since a barrier of one may make a package of the next wait.
    """
    found: set[str] = set()
    for host, nodes in sorted(wanting.items()):
        barrier = _BARRIER + host
        before[barrier] = set(packages.get(host, ()))
        earlier = _reach([barrier], lambda node: before.get(node, ()))
        behind = [node for node in nodes if node not in earlier]
        found.update(behind)
        for node in behind:
            before.setdefault(node, set()).add(barrier)
    return frozenset(found)


def waves(arranged: Arranged, arrows: Sequence[Arrow], hosts: Mapping[str, str]) -> dict[str, int]:
    """For each node whose diff waits for values of other hosts, how many one after another. `hosts` gives the host of every node.

    What a host promises itself counts too: a diff waits for the diffs of what comes before it on its host.
    """
    before: dict[str, list[tuple[str, int]]] = {}
    if not any(arrow.link.pending and hosts[arrow.before] != hosts[arrow.after] for arrow in arrows):
        return {}
    for arrow in arrows:
        crossing = hosts[arrow.before] != hosts[arrow.after]
        if (arrow.before, arrow.after) not in arranged.dropped and (arrow.link.pending or not crossing):
            before.setdefault(arrow.after, []).append((arrow.before, int(crossing)))
    found: dict[str, int] = {}
    packages: dict[str, int] = {}
    for node in arranged.order:
        host = hosts[node]
        wave = max((found.get(one, 0) + more for one, more in before.get(node, ())), default=0)
        if node in arranged.after_packages:
            wave = max(wave, packages.get(host, 0))
        if wave:
            found[node] = wave
        if node.removeprefix(f"{host}/").startswith(f"{PACKAGE}."):
            packages[host] = max(packages.get(host, 0), wave)
    return found


# ---- cycles -----------------------------------------------------------------------------------------------------------------------


def _cycles(graph: nx.DiGraph[str], arrows: Sequence[Arrow]) -> Iterator[tuple[Arrow, ...]]:
    """One cycle of each knot of nodes, from its first node on, with a hard arrow for every edge."""
    import networkx as nx  # noqa: PLC0415 as above

    why = {(arrow.before, arrow.after): arrow for arrow in sorted((one for one in arrows if not one.link.soft), key=_strength)}
    for nodes in sorted(nx.strongly_connected_components(graph), key=min):
        first = min(nodes)
        if len(nodes) == 1 and not graph.has_edge(first, first):
            continue
        knot: nx.DiGraph[str] = nx.DiGraph()
        knot.add_edges_from(sorted((before, after) for before, after in graph.subgraph(nodes).edges))
        edges = [(edge[0], edge[1]) for edge in nx.find_cycle(knot, first)]
        start = min(range(len(edges)), key=lambda index: edges[index])
        yield tuple(why[edge] for edge in edges[start:] + edges[:start])


def _strength(arrow: Arrow) -> tuple[int, str]:
    """What the user wrote explains an edge best; the last of those for one edge is told."""
    return _STRENGTH[arrow.link.reason], arrow.link.note


def cycle_diagnostics(cycles: Iterable[tuple[Arrow, ...]], where: str) -> list[Diagnostic]:
    """Each cycle whole, with the place of every edge; the same one on many hosts once, and not more than a reader can take."""
    told: dict[frozenset[object], Diagnostic] = {}
    for cycle in cycles:
        places = frozenset((arrow.link.path, arrow.link.reason) for arrow in cycle)
        if places not in told:
            told[places] = _cycle_diagnostic(cycle, where)
    return list(told.values())[:CYCLES_SHOWN]


def _cycle_diagnostic(cycle: tuple[Arrow, ...], where: str) -> Diagnostic:
    names = [arrow.before for arrow in cycle]
    steps = [(f"{arrow.after} comes after {arrow.before}", _reason(arrow.link), arrow.link.path) for arrow in cycle]
    summary = f"{names[0]} comes after itself" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} wait for each other"
    told = "; ".join(f"{step} ({reason})" for step, reason, _ in steps)
    detail = f"On {where}: {told}. Take one of these away."
    return error("cycle", summary, detail, steps[0][2], [Related(f"{step}: {reason}", path) for step, reason, path in steps])


def _reason(link: Link) -> str:
    match link.reason:
        case "needs":
            return "needs"
        case "claim":
            return f"it requires {link.note}"
        case "reference":
            return f"it refers to {link.note}"
        case "trigger" | "packages":
            return link.note or link.reason
