"""Graphs as DOT, Mermaid, SVG; the layout's laws."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from g8r.address import Address
from g8r.catalog import Catalog, CatalogTask, Edge
from g8r.render import graph_svg, graph_text
from g8r.render.layers import lay_out


def sample():
    postgres, user = Address("db1", "service", "postgresql"), Address("web1", "user", "app")
    conf, nginx = Address("web1", "file", "conf"), Address("web1", "service", "nginx")
    package = Address("web1", "package", "nginx")
    return {
        postgres: (Edge(Address("db1", "package", "postgresql"), "packages", "unit:postgresql.service", soft=True),),
        user: (),
        package: (),
        conf: (Edge(postgres, "reference", "@{db1/service.postgresql.port}"), Edge(user, "claim", "user:app")),
        nginx: (Edge(conf, "trigger", "reload_on"), Edge(conf, "needs"), Edge(package, "packages", soft=True), Edge(user, "needs")),
    }


def test_golden(golden):
    golden("render/graph.dot", graph_text.dot(sample()))
    golden("render/graph.mmd", graph_text.mermaid(sample()))
    golden("render/graph.svg", graph_svg.render(sample()))


def test_the_order_of_the_graph_does_not_matter():
    turned = {address: tuple(reversed(edges)) for address, edges in reversed(sample().items())}
    for render in (graph_text.dot, graph_text.mermaid, graph_svg.render):
        assert render(turned) == render(sample())


def test_reasons_of_one_pair_share_an_arrow_and_a_soft_one_is_dashed():
    text = graph_text.dot(sample())
    assert '"web1/file.conf" -> "web1/service.nginx" [label="needs, reload_on"]' in text
    assert '"web1/package.nginx" -> "web1/service.nginx" [label="packages", style=dashed]' in text


def test_of_catalogs():
    address, other = Address("a", "file", "x"), Address("a", "file", "y")
    task = CatalogTask(address=address, params={}, identity="/x", edges=(Edge(other, "needs"),))
    assert graph_text.of_catalogs([Catalog("a", "", (task,))]) == {address: (Edge(other, "needs"),)}
    assert graph_text.nodes({address: (Edge(other, "needs"),)}) == [address, other]


def test_hostile_notes_stay_text():
    note = '"]; x -> y [label="\x1b[2J</text><script>|"\n'
    graph = {Address("a", "file", "x"): (Edge(Address("a", "file", "y"), "claim", note),)}
    assert '\\"]; x -> y [label=\\"\\\\x1b[2J' in graph_text.dot(graph)
    assert '"' not in graph_text.mermaid(graph).splitlines()[-1].split('|"')[1].split('"|')[0]
    svg = graph_svg.render(graph)
    ET.fromstring(svg)
    assert "<script>" not in svg


def test_an_empty_graph():
    ET.fromstring(graph_svg.render({}))
    assert graph_text.mermaid({}) == "flowchart LR\n"


@st.composite
def acyclic(draw):
    count = draw(st.integers(1, 25))
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=60))
    bands = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    used = sorted(set(bands))
    return list(range(count)), sorted(pair for pair in pairs if pair[0] < pair[1]), {n: used.index(band) for n, band in enumerate(bands)}


@given(acyclic())
def test_a_layout_never_overlaps_and_always_goes_right(graph):
    nodes, edges, band = graph
    layout = lay_out(nodes, edges, band)
    cells = [*layout.cells.values(), *itertools.chain.from_iterable(layout.bends.values())]
    assert len(cells) == len(set(cells)), "two things in one cell"
    assert min(column for column, _ in cells) == 0
    for first, then in edges:
        way = [layout.cells[first], *layout.bends[first, then], layout.cells[then]]
        assert [column for column, _ in way] == list(range(way[0][0], way[-1][0] + 1))
    for node in nodes:
        start, height = layout.rows[band[node]]
        assert start <= layout.cells[node][1] < start + height
