"""Task graphs as DOT and Mermaid. Arrows go from what comes first to what follows; a host is a cluster; the reason is the label.

`Graph` maps every address to its edges, each of which names what comes before it. Soft edges, which only order, are dashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from g8r.address import Address
from g8r.catalog import Catalog, Edge
from g8r.render import style

Graph: TypeAlias = Mapping[Address, Sequence[Edge]]


def of_catalogs(catalogs: Iterable[Catalog]) -> Graph:
    """The graph of all hosts."""
    return {task.address: task.edges for catalog in catalogs for task in catalog.tasks}


def nodes(graph: Graph) -> list[Address]:
    """All addresses, those that only edges name as well, sorted."""
    return sorted({*graph, *(edge.before for edges in graph.values() for edge in edges)})


def arrows(graph: Graph) -> list[tuple[Address, Address, str, bool]]:
    """From, to, label, soft; one arrow for each pair, with the reasons together; sorted."""
    found: dict[tuple[Address, Address], list[Edge]] = {}
    for address, edges in graph.items():
        for edge in edges:
            found.setdefault((edge.before, address), []).append(edge)
    return [(*pair, label(edges), all(edge.soft for edge in edges)) for pair, edges in sorted(found.items())]


def label(edges: Iterable[Edge]) -> str:
    """Why one comes before the other, in a line."""
    return ", ".join(sorted({style.clean(edge.note or edge.reason) for edge in edges}))


def dot(graph: Graph) -> str:
    """The graph for graphviz."""
    lines = ["digraph g8r {", "  rankdir=LR", '  node [shape=box, style=rounded, fontname="sans-serif"]', "  edge [fontsize=9]"]
    for index, (host, found) in enumerate(_by_host(graph)):
        lines += [f"  subgraph cluster_{index} {{", f"    label={_quoted(host)}"]
        lines += [f"    {_quoted(str(address))} [label={_quoted(address.task)}]" for address in found]
        lines.append("  }")
    for first, then, text, soft in arrows(graph):
        dashed = ", style=dashed" if soft else ""
        lines.append(f"  {_quoted(str(first))} -> {_quoted(str(then))} [label={_quoted(text)}{dashed}]")
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart, as GitHub shows it in Markdown."""
    names = {address: f"n{index}" for index, address in enumerate(nodes(graph))}
    lines = ["flowchart LR"]
    for index, (host, found) in enumerate(_by_host(graph)):
        lines.append(f'  subgraph h{index}["{_entities(host)}"]')
        lines += [f'    {names[address]}["{_entities(address.task)}"]' for address in found]
        lines.append("  end")
    for first, then, text, soft in arrows(graph):
        arrow = "-.->" if soft else "-->"
        lines.append(f'  {names[first]} {arrow}|"{_entities(text)}"| {names[then]}')
    return "\n".join(lines) + "\n"


def _by_host(graph: Graph) -> Iterator[tuple[str, list[Address]]]:
    hosts: dict[str, list[Address]] = {}
    for address in nodes(graph):
        hosts.setdefault(address.host, []).append(address)
    yield from sorted(hosts.items())


def _quoted(text: str) -> str:
    escaped = style.clean(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _entities(text: str) -> str:
    """Text inside a quoted Mermaid label: what could end it or be markup goes as an entity code."""
    return "".join(char if char.isalnum() or char in " ./:_-@,=" else f"#{ord(char)};" for char in style.clean(text))
