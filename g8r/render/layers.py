"""A layered layout of a small graph: who is in which column and row, and where long edges bend.

After Sugiyama, Tagawa, Toda 1981: layers by the longest path, dummies where an edge passes a layer, rows by the barycentre of the
neighbours, swept to and fro. Every node belongs to a band (its host); bands never mix, so that they can be framed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

N = TypeVar("N")
SWEEPS: Final = 12


class Layout(msgspec.Struct, Generic[N], frozen=True):
    """`cells` gives column and row of each node; `bends` the cells that an edge goes through between its ends; `rows` of each band."""

    cells: Mapping[N, tuple[int, int]]
    bends: Mapping[tuple[N, N], tuple[tuple[int, int], ...]]
    rows: tuple[tuple[int, int], ...]
    """First row and how many, by band."""


def lay_out(nodes: Sequence[N], edges: Sequence[tuple[N, N]], band: Mapping[N, int]) -> Layout[N]:
    """The layout of an acyclic graph. Deterministic: it hangs on nothing but its arguments, in their order."""
    indexes = {node: index for index, node in enumerate(nodes)}
    bands = [band[node] for node in nodes]
    pairs = [(indexes[first], indexes[then]) for first, then in edges]
    column = _columns(len(nodes), pairs)
    chains: list[list[int]] = []
    links: list[tuple[int, int]] = []
    for first, then in pairs:
        chain = [first]
        for between in range(column[first] + 1, column[then]):
            column.append(between)
            bands.append(bands[then])
            chain.append(len(column) - 1)
        chain.append(then)
        chains.append(chain)
        links += itertools.pairwise(chain)
    rows, spans = _rows(column, bands, links)
    return Layout(
        {node: (column[index], rows[index]) for node, index in indexes.items()},
        {edge: tuple((column[part], rows[part]) for part in chain[1:-1]) for edge, chain in zip(edges, chains, strict=True)},
        spans,
    )


def _columns(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The longest path to each node; then sources are drawn towards what they lead to, which shortens edges."""
    after: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for first, then in pairs:
        after[first].append(then)
        waits[then] += 1
    column = [0] * count
    ready = [index for index in range(count) if not waits[index]]
    for index in ready:  # grows while it is read
        for then in after[index]:
            column[then] = max(column[then], column[index] + 1)
            waits[then] -= 1
            if not waits[then]:
                ready.append(then)
    led_to = {then for _, then in pairs}
    for index in range(count):
        if index not in led_to and after[index]:
            column[index] = min(column[then] for then in after[index]) - 1
    return column


def _rows(column: Sequence[int], bands: Sequence[int], links: Sequence[tuple[int, int]]) -> tuple[list[int], tuple[tuple[int, int], ...]]:
    """A row for each node: unique in its column, inside its band."""
    count = len(column)
    near: list[list[int]] = [[] for _ in range(count)]
    for first, then in links:
        near[first].append(then)
        near[then].append(first)
    groups: dict[tuple[int, int], list[int]] = {}
    for index in range(count):
        groups.setdefault((bands[index], column[index]), []).append(index)
    heights = [0] * (max(bands, default=-1) + 1)
    for (band, _), members in groups.items():
        heights[band] = max(heights[band], len(members))
    starts = [sum(heights[:band]) for band in range(len(heights))]
    place = [0.0] * count
    for (band, _), members in groups.items():
        _spread(members, place, starts[band], heights[band])
    for sweep in range(SWEEPS):
        for key in sorted(groups, key=lambda key: key[1], reverse=bool(sweep % 2)):
            members = groups[key]
            centre = {index: _centre(near[index] or [index], place) for index in members}
            members.sort(key=lambda index: (centre[index], place[index]))
            _settle(members, place, centre, starts[key[0]], heights[key[0]])
    return [round(position) for position in place], tuple(zip(starts, heights, strict=True))


def _centre(near: Sequence[int], place: Sequence[float]) -> float:
    return sum(place[other] for other in near) / len(near)


def _spread(members: Sequence[int], place: list[float], start: int, height: int) -> None:
    lead = (height - len(members)) // 2
    for offset, index in enumerate(members):
        place[index] = start + lead + offset


def _settle(members: Sequence[int], place: list[float], centre: Mapping[int, float], start: int, height: int) -> None:
    """Each as near to its centre as order and room allow: first from the top, then what went too far is pushed back."""
    low = start
    for index in members:
        place[index] = max(low, round(centre[index]))
        low = int(place[index]) + 1
    high = start + height - 1
    for index in reversed(members):
        place[index] = min(high, place[index])
        high = int(place[index]) - 1
