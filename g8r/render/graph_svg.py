"""A task graph as a self-contained SVG picture: hosts as frames, tasks as boxes in layers from left to right, reasons as tooltips."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from g8r.address import Address
from g8r.render import style
from g8r.render.graph_text import Graph, arrows, nodes
from g8r.render.layers import Layout, lay_out

ROW, BOX, GAP, MARGIN, FRAME = 44, 28, 90, 24, 34
"""Pixels: from row to row, a box's height, between columns, round the picture, above a host's first row."""
_CHARACTER: Final = 7.3
_LABELS: Final = 40
"""Edges up to which their reasons are written beside them."""
_COLOURS: Final = ("#2563eb", "#059669", "#b45309", "#7c3aed", "#be123c", "#0e7490", "#4d7c0f", "#a21caf")

_STYLE: Final = """
  text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2937 }
  .host { font-weight: bold; fill: #475569 }
  .why { font-size: 9.5px; fill: #64748b; paint-order: stroke; stroke: #f8fafc; stroke-width: 3px }
  .frame { fill: #f8fafc; stroke: #cbd5e1 }
  .task { fill: #ffffff; stroke-width: 1.3 }
  .edge { fill: none; stroke: #64748b; stroke-width: 1.2 }
  .soft { stroke-dasharray: 4 3 }
"""


def render(graph: Graph) -> str:
    """The picture. Fine for a few hundred tasks; the same graph gives the same bytes."""
    found = nodes(graph)
    if not found:
        return '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>\n'
    hosts = sorted({address.host for address in found})
    lines = arrows(graph)
    layout = lay_out(found, [(first, then) for first, then, _, _ in lines], {address: hosts.index(address.host) for address in found})
    place = _Places(layout, len(hosts))
    body = [_frame(host, band, place) for band, host in enumerate(hosts)]
    body += [_edge(arrow, layout, place, labelled=len(lines) <= _LABELS) for arrow in lines]
    kinds = sorted({address.kind for address in found})
    body += [_box(address, layout.cells[address], place, _COLOURS[kinds.index(address.kind) % len(_COLOURS)]) for address in found]
    arrow = '<marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    size = f'width="{place.width}" height="{place.height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {place.width} {place.height}">'
    paper = f'<rect {size} fill="#ffffff"/>'
    tip = f'<defs>{arrow}<path d="M0,0 L8,4 L0,8 z" fill="#64748b"/></marker></defs>'
    return "\n".join([head, f"<style>{_STYLE}</style>", tip, paper, *body, "</svg>"]) + "\n"


class _Places:
    """Where cells are on the paper."""

    def __init__(self, layout: Layout[Address], bands: int) -> None:
        self.widths: dict[int, int] = {}
        for address, (column, _) in layout.cells.items():
            self.widths[column] = max(self.widths.get(column, 0), _text_width(address.task) + 24)
        left = MARGIN + 16
        self.left: dict[int, int] = {}
        for column in range(max(self.widths) + 1):
            self.left[column] = left
            left += self.widths.get(column, 0) + GAP
        self.rows = layout.rows
        self.width = left - GAP + 16 + MARGIN
        self.height = self.top(layout.rows[-1][0] + layout.rows[-1][1], bands - 1) + MARGIN

    def top(self, row: int, band: int) -> int:
        """The upper edge of a row's box; each band needs room for its name."""
        return MARGIN + row * ROW + (band + 1) * FRAME + band * 8

    def band(self, row: int) -> int:
        return max(band for band, (start, _) in enumerate(self.rows) if start <= row)

    def middle(self, cell: tuple[int, int]) -> float:
        return self.top(cell[1], self.band(cell[1])) + BOX / 2


def _frame(host: str, band: int, place: _Places) -> str:
    start, height = place.rows[band]
    top = place.top(start, band) - FRAME + 4
    bottom = place.top(start + height, band) - 4
    box = f'<rect class="frame" x="{MARGIN}" y="{top}" width="{place.width - 2 * MARGIN}" height="{bottom - top}" rx="8"/>'
    return f'{box}<text class="host" x="{MARGIN + 12}" y="{top + 19}">{_xml(host)}</text>'


def _box(address: Address, cell: tuple[int, int], place: _Places, colour: str) -> str:
    x, y, width = place.left[cell[0]], place.top(cell[1], place.band(cell[1])), _text_width(address.task) + 24
    box = f'<rect class="task" x="{x}" y="{y}" width="{width}" height="{BOX}" rx="6" stroke="{colour}"/>'
    stripe = f'<rect x="{x}" y="{y + 6}" width="4" height="{BOX - 12}" fill="{colour}"/>'
    return f'<g><title>{_xml(str(address))}</title>{box}{stripe}<text x="{x + 13}" y="{y + 18}">{_xml(address.task)}</text></g>'


def _edge(arrow: tuple[Address, Address, str, bool], layout: Layout[Address], place: _Places, *, labelled: bool) -> str:
    first, then, why, soft = arrow
    start, end = layout.cells[first], layout.cells[then]
    x, y = float(place.left[start[0]] + _text_width(first.task) + 24), place.middle(start)
    path = f"M{x:g},{y:g}"
    own = place.left[start[0]] + place.widths[start[0]]
    if own > x:  # straight to the right edge of the column, so that no box below is crossed
        path += f" H{own}"
        x = float(own)
    middle = (0.0, 0.0)
    for cell in (*layout.bends[first, then], end):
        next_x, next_y = float(place.left[cell[0]]), place.middle(cell)
        half = (x + next_x) / 2
        path += f" C{half:g},{y:g} {half:g},{next_y:g} {next_x:g},{next_y:g}"
        middle = middle if middle[0] else (half, (y + next_y) / 2)
        x, y = next_x, next_y
        if cell != end:
            x += place.widths.get(cell[0], 0)
            path += f" H{x:g}"
    sort = "edge soft" if soft else "edge"
    tip = f"<title>{_xml(f'{first} before {then}: {why}')}</title>"
    line = f'<path class="{sort}" d="{path}" marker-end="url(#a)">{tip}</path>'
    return line + (_why(why, middle) if labelled and why else "")


def _why(text: str, middle: tuple[float, float]) -> str:
    longest = GAP // 5
    shown = text if len(text) <= longest else text[: longest - 1] + "\u2026"
    return f'<text class="why" text-anchor="middle" x="{middle[0]:g}" y="{middle[1] - 3:g}">{_xml(shown)}</text>'


def _text_width(text: str) -> int:
    return round(style.width(style.clean(text)) * _CHARACTER)


def _xml(text: str) -> str:
    return escape(style.clean(text))
