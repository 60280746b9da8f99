from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tiny_kinds import a_file, at, codes, compiled, edges, good, hosts, only, order, task

NAMES = ("a", "b", "c", "d")


def thing(name, **params):
    return task(f"thing.{name}", {key: list(value) if isinstance(value, tuple) else value for key, value in params.items()})


def test_who_provides_comes_before_who_requires() -> None:
    found = good(thing("a", requires=("user:x",)), thing("z", provides=("user:x",)))
    assert edges(found, "thing.a") == ["thing.z claim user:x"]
    assert found.graph.tasks[at("thing.a")].provided == {"user:x": at("thing.z")}
    assert order(found) == ["thing.z", "thing.a"]
    assert not found.graph.tasks[at("thing.a")].after_packages


def test_a_path_comes_after_its_nearest_provided_ancestor() -> None:
    found = good(thing("z", provides=("path:/srv",)), thing("y", provides=("path:/srv/app",)), a_file("a", "/srv/app/conf/x"))
    task_a = found.graph.tasks[at("file.a")]
    assert edges(found, "file.a") == ["thing.y claim path:/srv/app/conf"]
    assert (task_a.provided, task_a.after_packages) == ({}, True)  # nobody makes /srv/app/conf itself


def test_the_very_path_is_provided() -> None:
    found = good(thing("y", provides=("path:/srv",)), a_file("a", "/srv/x"))
    assert found.graph.tasks[at("file.a")].provided == {"path:/srv": at("thing.y")}


def test_a_path_is_no_ancestor_of_one_that_only_begins_alike() -> None:
    assert edges(good(thing("y", provides=("path:/srv/ap",)), a_file("a", "/srv/app/x")), "file.a") == []


def test_nobody_requires_what_it_provides_itself() -> None:
    found = good(thing("a", provides=("path:/a/b", "user:x"), requires=("path:/a/b", "user:x")), thing("z", provides=("path:/a",)))
    assert edges(found, "thing.a") == []
    assert not found.graph.tasks[at("thing.a")].after_packages


def test_what_is_followed_makes_an_edge_and_need_not_hold() -> None:
    found = good(thing("a", follows=("path:/x",)), thing("z", provides=("path:/x",)), thing("b", follows=("other:x",)))
    assert edges(found, "thing.a") == ["thing.z claim path:/x"]
    assert found.graph.tasks[at("thing.a")].provided == {}
    assert not found.graph.tasks[at("thing.b")].after_packages


def test_removals_come_the_other_way_round() -> None:
    found = good(thing("a", provides=("path:/a",), removes=True), a_file("z", "/a/z", ensure="absent"))
    assert edges(found, "thing.a") == ["file.z claim path:/a"]
    assert edges(found, "file.z") == []
    assert order(found) == ["file.z", "thing.a"]


def test_needing_what_is_removed_is_an_error() -> None:
    diagnostic = only(compiled(thing("a", provides=("path:/a",), removes=True), a_file("z", "/a/b/z")))
    assert diagnostic.code == "needs-removed"
    assert diagnostic.path == ("tasks", "file", "z", "path")
    assert diagnostic.related[0].path[:3] == ("tasks", "thing", "a")


def test_what_is_removed_from_a_place_that_stays_comes_after_it() -> None:
    found = good(thing("z", provides=("path:/a",)), a_file("a", "/a/b", ensure="absent"))
    assert edges(found, "file.a") == ["thing.z claim path:/a"]


def test_the_same_resource_twice_is_one_error_that_shows_both() -> None:
    diagnostic = only(compiled(a_file("a", "/etc/x"), a_file("b", "/etc//y/../x")))
    assert (diagnostic.code, diagnostic.summary) == ("same-resource", "file.a and file.b are the same file, /etc/x")
    assert diagnostic.path == ("tasks", "file", "b", "path")
    assert [related.path for related in diagnostic.related] == [("tasks", "file", "a", "path")]


def test_one_claim_of_two_kinds_is_an_error() -> None:
    diagnostic = only(compiled(a_file("a", "/etc/x"), thing("b", provides=("path:/etc/x",))))
    assert diagnostic.summary == "file.a and thing.b both provide path:/etc/x"


def test_excluding_what_another_provides_is_an_error() -> None:
    diagnostic = only(compiled(a_file("a", "/etc/x"), thing("b", excludes=("path:/etc/x",))))
    assert diagnostic.summary == "thing.b excludes what file.a provides, path:/etc/x"
    assert good(thing("c", excludes=("path:/c",), provides=("path:/c",)))


def test_a_conflict_on_many_hosts_is_told_once() -> None:
    diagnostic = only(compiled(a_file("a", "/x"), a_file("b", "/x"), hosts=hosts("h1", "h2", "h3")))
    assert '"h1" and 2 more hosts' in diagnostic.detail


def test_tasks_on_different_hosts_have_nothing_to_do_with_each_other() -> None:
    assert good(a_file("a", "/x/@{host.name}"), a_file("b", "/x/h2"), hosts={**hosts("h1")})
    assert codes(compiled(a_file("a", "/x/@{host.name}"), a_file("b", "/x/h2"), hosts=hosts("h1", "h2"))) == ["same-resource"]


def test_only_what_packages_may_bring_waits_for_them() -> None:
    found = good(thing("a", requires=("port:80",)), thing("b", requires=("group:x",)), task("service.s"), task("package.p"))
    after = {str(address): one.after_packages for address, one in found.graph.tasks.items()}
    assert after == {
        "localhost/thing.a": False,
        "localhost/package.p": False,
        "localhost/service.s": True,
        "localhost/thing.b": True,
    }


CLAIMS = st.lists(st.sampled_from(["path:/a", "path:/a/b", "user:x", "x:y"]), max_size=2, unique=True)


@given(st.lists(st.tuples(CLAIMS, CLAIMS, st.booleans()), min_size=2, max_size=4))
def test_conflicts_do_not_hang_on_who_is_who(drawn) -> None:
    def pairs(names):
        named = dict(zip(names, drawn, strict=False))
        tasks = [thing(name, provides=one[0], excludes=one[1], removes=one[2]) for name, one in named.items()]
        back = {name: index for index, name in enumerate(named)}
        return {
            frozenset({back[diagnostic.path[2]], back[diagnostic.related[0].path[2]]})
            for diagnostic in compiled(*tasks).diagnostics
            if diagnostic.code == "claim-conflict"
        }

    expected = {
        frozenset({one, other})
        for one, (provides, excludes, _) in enumerate(drawn)
        for other, (theirs, _, _) in enumerate(drawn)
        if one != other and (set(provides) | set(excludes)) & set(theirs)
    }
    # every conflict is told against the first provider of a claim, so of three only two pairs
    found = pairs(NAMES)
    assert found <= expected
    assert bool(found) == bool(expected)
    assert {index for pair in found for index in pair} == {index for pair in expected for index in pair}
    if len(drawn) == 2:
        assert pairs(("b", "a")) == found
