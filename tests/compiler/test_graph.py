from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st
from tiny_kinds import a_file, at, codes, compiled, edges, good, hosts, only, order, task

from g8r.compiler.graph import CYCLES_SHOWN, Arrow, arrange
from g8r.compiler.references import Link
from g8r.selector import Names


def arrow(before, after, *, soft=False):
    return Arrow(before, after, Link(before, None, "trigger" if soft else "needs", soft=soft, path=(after,)))


# ---- order


def test_needs_come_first_and_ties_go_by_address() -> None:
    found = good(task("thing.a", needs=("thing.c",)), task("thing.b"), task("thing.c"))
    assert order(found) == ["thing.b", "thing.c", "thing.a"]
    assert edges(found, "thing.a") == ["thing.c needs"]


def test_hosts_come_as_their_addresses_do() -> None:
    found = good(task("thing.a"), hosts=hosts("web", "web-1", "web.x", "web1"))
    assert order(found) == sorted(f"{host}/thing.a" for host in ("web", "web-1", "web.x", "web1"))


def test_a_need_across_hosts_orders_them() -> None:
    found = good(
        task("thing.a", needs=("z/thing.b",), on=Names(("a",))),
        task("thing.b", on=Names(("z",))),
        task("thing.c"),
        hosts=hosts("a", "m", "z"),
    )
    assert order(found) == ["a/thing.c", "m/thing.c", "z/thing.b", "a/thing.a", "z/thing.c"]
    assert found.graph.waves == {}


def test_a_needed_task_must_be_on_the_same_host() -> None:
    diagnostic = only(compiled(task("thing.a", needs=("thing.b",)), task("thing.b", on=Names(("h1",))), hosts=hosts("h1", "h2")))
    assert (diagnostic.code, diagnostic.path) == ("not-on-host", ("tasks", "thing", "a", "needs", 0))
    assert diagnostic.summary == 'thing.b is not on "h2"'
    assert '"h1/thing.b"' in diagnostic.detail


def test_names_of_tasks_are_checked() -> None:
    found = compiled(
        task("thing.alpha", needs=("thing.aplha", "thing", "h9/thing.alpha"), triggers={}),
        task("service.s", triggers={"reload": ("thing.nope",)}),
        hosts=hosts("h1"),
    )
    assert [(one.code, one.path) for one in found.diagnostics] == [
        ("unknown-task", ("tasks", "service", "s", "reload_on", 0)),
        ("unknown-task", ("tasks", "thing", "alpha", "needs", 0)),
        ("invalid-address", ("tasks", "thing", "alpha", "needs", 1)),
        ("unknown-host", ("tasks", "thing", "alpha", "needs", 2)),
    ]
    assert 'Did you mean "thing.alpha"?' in found.diagnostics[1].detail


def test_moved_from_names_what_is_no_more() -> None:
    found = good(task("thing.a", moved_from=("thing.old", "h2/thing.a")), hosts=hosts("h1"))
    assert found.graph.tasks[at("h1/thing.a")].moved_from == ("h1/thing.old", "h2/thing.a")
    wrong = compiled(task("thing.a", moved_from=("thing.b", "file.a", "?")), task("thing.b"))
    assert codes(wrong) == ["moved-from-exists", "moved-from-other-kind", "invalid-address"]


# ---- triggers and barriers


def test_what_triggers_a_task_comes_before_it_softly() -> None:
    found = good(task("service.a", triggers={"reload_on": ("thing.z",)}), task("thing.z"))
    assert edges(found, "service.a") == ["~thing.z trigger reload_on"]
    assert order(found) == ["thing.z", "service.a"]
    assert found.graph.tasks[at("service.a")].triggers == {"reload_on": (at("thing.z"),)}


def test_a_soft_edge_gives_way_to_a_cycle_and_to_a_hard_one() -> None:
    found = good(task("service.a", triggers={"reload_on": ("thing.z", "thing.y")}), task("thing.z", needs=("service.a",)), task("thing.y"))
    assert edges(found, "service.a") == ["~thing.y trigger reload_on"]
    assert order(found) == ["thing.y", "service.a", "thing.z"]
    both = good(task("service.a", needs=("thing.z",), triggers={"reload_on": ("thing.z",)}), task("thing.z"))
    assert edges(both, "service.a") == ["thing.z needs"]


def test_two_soft_edges_that_close_a_cycle_lose_one() -> None:
    found = good(task("service.a", triggers={"reload_on": ("service.b",)}), task("service.b", triggers={"reload_on": ("service.a",)}))
    assert [edges(found, "service.a"), edges(found, "service.b")] == [[], ["~service.a trigger reload_on"]]


def test_what_packages_may_bring_comes_after_them() -> None:
    found = good(a_file("a", "/etc/x/a"), task("service.b"), task("package.z"), task("package.y"))
    assert order(found) == ["package.y", "package.z", "file.a", "service.b"]
    assert edges(found, "file.a") == []


def test_what_a_package_needs_does_not_come_after_packages() -> None:
    found = good(a_file("a", "/etc/x/a"), task("package.z", needs=("file.a",)), a_file("b", "/etc/x/b"))
    assert order(found) == ["file.a", "package.z", "file.b"]
    assert [found.graph.tasks[at(name)].after_packages for name in ("file.a", "file.b", "package.z")] == [False, True, False]


def test_barriers_of_two_hosts_close_no_cycle() -> None:
    # h1's package needs a file of h2 that would come after h2's packages, which need a file of h1 that would come after h1's
    found = good(
        task("file.a", {"path": "/etc/x/a"}, on=Names(("h1",))),
        task("file.b", {"path": "/etc/x/b"}, on=Names(("h2",))),
        task("package.p", needs=("h2/file.b",), on=Names(("h1",))),
        task("package.q", needs=("h1/file.a",), on=Names(("h2",))),
        hosts=hosts("h1", "h2"),
    )
    after = {str(address): one.after_packages for address, one in found.graph.tasks.items()}
    assert after["h1/file.a"] != after["h2/file.b"]


# ---- cycles


def test_a_cycle_is_told_whole_with_every_reason_and_place() -> None:
    found = compiled(
        task("thing.a", {"requires": ["user:x"]}),
        task("thing.b", {"provides": ["user:x"], "text": "@{file.c.path}"}),
        task("file.c", {"path": "/c"}, needs=("thing.a",)),
    )
    diagnostic = only(found)
    assert diagnostic.code == "cycle"
    assert diagnostic.summary == "file.c, thing.b and thing.a wait for each other"
    assert [(related.note, related.path) for related in diagnostic.related] == [
        ("thing.b comes after file.c: it refers to @{file.c.path}", ("tasks", "thing", "b", "text")),
        ("thing.a comes after thing.b: it requires user:x", ("tasks", "thing", "a")),
        ("file.c comes after thing.a: needs", ("tasks", "file", "c", "needs", 0)),
    ]
    assert diagnostic.path == ("tasks", "thing", "b", "text")
    assert found.graph.tasks == {}


def test_a_task_that_needs_itself_is_told() -> None:
    assert only(compiled(task("thing.a", needs=("thing.a",)))).summary == "thing.a comes after itself"


def test_several_cycles_are_each_told_once_and_not_without_end() -> None:
    tasks = [task(f"thing.{letter}{number}", needs=(f"thing.{letter}{1 - number}",)) for letter in "abc" for number in (0, 1)]
    found = compiled(*tasks, hosts=hosts("h1", "h2"))
    assert codes(found) == ["cycle"] * 3
    assert '"h1" and one more host' in found.diagnostics[0].detail
    many = [task(f"thing.x{number}", needs=(f"thing.x{number}",)) for number in range(9)]
    assert len(compiled(*many).diagnostics) == CYCLES_SHOWN


def test_a_cycle_across_hosts_is_told() -> None:
    found = compiled(
        task("thing.a", needs=("h2/thing.b",), on=Names(("h1",))),
        task("thing.b", needs=("h1/thing.a",), on=Names(("h2",))),
        hosts=hosts("h1", "h2"),
    )
    assert only(found).summary == "h1/thing.a and h2/thing.b wait for each other"


# ---- waves and catalogs


def test_waves_count_the_references_across_hosts() -> None:
    found = good(
        task("thing.a", {"text": "@{h2/thing.b.text}"}, on=Names(("h1",))),
        task("thing.after", needs=("thing.a",), on=Names(("h1",))),
        task("thing.before", on=Names(("h1",))),
        task("thing.b", {"text": "@{h3/thing.c.text}"}, on=Names(("h2",))),
        task("thing.c", {"text": "@{thing.d.text}"}, on=Names(("h3",))),
        task("thing.d", on=Names(("h3",))),
        task("thing.ordered", needs=("h1/thing.before", "h2/thing.b"), on=Names(("h3",))),
        hosts=hosts("h1", "h2", "h3", "h4"),
    )
    catalogs = found.graph.catalogs()
    waves = {str(one.address): wave for catalog in catalogs.values() for one, wave in zip(catalog.tasks, catalog.waves, strict=True)}
    assert waves == {
        "h1/thing.before": 0,
        "h3/thing.d": 0,
        "h3/thing.c": 0,
        "h2/thing.b": 1,
        "h1/thing.a": 2,
        "h1/thing.after": 2,
        "h3/thing.ordered": 0,
    }
    assert list(catalogs) == ["h1", "h2", "h3", "h4"]
    assert catalogs["h4"].tasks == ()


def test_what_waits_for_packages_waits_for_their_wave() -> None:
    found = good(
        task("package.p", {"version": "@{h2/thing.b.text}"}, on=Names(("h1",))),
        task("file.a", {"path": "/etc/x/a"}, on=Names(("h1",))),
        task("thing.b", on=Names(("h2",))),
        hosts=hosts("h1", "h2"),
    )
    assert found.graph.waves == {at("h1/package.p"): 1, at("h1/file.a"): 1}


def test_ancestors_descendants_and_generations() -> None:
    graph = good(
        task("thing.a"),
        task("thing.b", needs=("thing.a",)),
        task("thing.c", needs=("thing.b",)),
        task("service.s", triggers={"reload_on": ("thing.b",)}),
        task("package.p"),
    ).graph
    assert graph.ancestors([at("thing.c")]) == {at("thing.a"), at("thing.b")}
    assert graph.ancestors([at("service.s")]) == frozenset()
    assert graph.descendants([at("thing.a")]) == {at("thing.b"), at("thing.c")}
    assert graph.generations() == (
        (at("package.p"), at("thing.a")),
        (at("thing.b"),),
        (at("service.s"), at("thing.c")),
    )


# ---- properties

NODES = [f"n{number}" for number in range(7)]
PAIRS = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=12)


@given(
    hard=PAIRS,
    soft=PAIRS,
    packages=st.sets(st.sampled_from(NODES), max_size=2),
    wanting=st.sets(st.sampled_from(NODES)),
    flip=st.booleans(),
)
def test_the_order_keeps_what_must_be_kept(hard, soft, packages, wanting, flip) -> None:
    hard = [(before, after) for before, after in hard if flip or before < after]
    arrows = [arrow(*pair) for pair in hard] + [arrow(*pair, soft=True) for pair in soft]
    found = arrange(NODES, arrows, {"h": sorted(packages)}, {"h": sorted(wanting)})
    assert found == arrange(NODES[::-1], arrows[::-1], {"h": sorted(packages)[::-1]}, {"h": sorted(wanting)})
    if found.cycles:
        for cycle in found.cycles:
            assert all((one.before, one.after) in hard for one in cycle)
            assert all(one.after == other.before for one, other in zip(cycle, cycle[1:] + cycle[:1], strict=True))
        return
    place = {node: index for index, node in enumerate(found.order)}
    assert sorted(found.order) == NODES
    assert all(place[before] < place[after] for before, after in hard)
    assert all(place[before] < place[after] for before, after in soft if (before, after) not in found.dropped)
    assert all(place[package] < place[node] for package in packages for node in found.after_packages)
    assert not found.after_packages & packages
    if not packages:
        assert found.after_packages == wanting


@given(st.sets(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=80))
def test_the_order_is_the_one_that_networkx_gives(pairs: set[tuple[int, int]]) -> None:
    edges = {(f"t{min(pair)}", f"t{max(pair)}") for pair in pairs if pair[0] != pair[1]}
    nodes = [f"t{number}" for number in range(31)]
    reference: nx.DiGraph[str] = nx.DiGraph(sorted(edges))
    reference.add_nodes_from(nodes)
    found = arrange(nodes, [arrow(*edge) for edge in sorted(edges)], {}, {})
    assert list(found.order) == list(nx.lexicographical_topological_sort(reference))
