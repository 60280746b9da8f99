from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tiny_kinds import a_file, at, codes, compiled, edges, good, hosts, kinds, no_source, only, stack, task

from g8r.catalog import CatalogTask
from g8r.compiler.compile import compile_stack
from g8r.selector import Labels, Names, Requirement
from g8r.stack import Group, HostEntry, Lifecycle, Retry
from g8r.value import canonical


def one(found, name) -> CatalogTask:
    return found.graph.tasks[at(name)]


def test_a_task_carries_what_its_meta_arguments_say() -> None:
    lifecycle = Lifecycle(prevent_destroy=True)
    found = good(
        task("service.a", {"port": 1}, lifecycle=lifecycle, retry=Retry(3), timeout=2.0, sensitive=("port",), become="x"),
    )
    task_a = one(found, "service.a")
    assert (task_a.lifecycle, task_a.retry, task_a.timeout, task_a.sensitive, task_a.become) == (lifecycle, Retry(3), 2.0, ("port",), "x")
    assert task_a.path == ("tasks", "service", "a")
    assert (task_a.identity, task_a.claims.requires) == ("a", ("unit:a.service",))


def test_a_name_is_taken_from_the_task_unless_given() -> None:
    found = good(task("service.a"), task("service.b", {"name": "c"}))
    assert [one(found, name).identity for name in ("service.a", "service.b")] == ["a", "c"]


def test_equal_params_are_held_once() -> None:
    found = good(a_file("a", "/a", content="x"), hosts=hosts("h1", "h2"))
    assert one(found, "h1/file.a").params is one(found, "h2/file.a").params
    assert one(found, "h1/file.a").claims is one(found, "h2/file.a").claims


def test_a_var_of_a_wrong_type_is_an_error_at_the_param() -> None:
    found = compiled(
        task("service.a", {"port": "@{vars.port}"}), a_file("b", "/b", mode="@{vars.mode}"), vars={"port": "80", "mode": "rwx"}
    )
    assert [(d.code, d.path, d.summary) for d in found.diagnostics] == [
        ("wrong-type", ("tasks", "file", "b", "mode"), 'mode of file.b cannot be "rwx"'),
        ("wrong-type", ("tasks", "service", "a", "port"), 'port of service.a cannot be "80"'),
    ]
    assert "an octal mode in quotes" in found.diagnostics[0].detail
    assert "@{vars.port} is so" in found.diagnostics[1].detail


def test_a_wrong_value_is_found_beside_one_that_is_not_known() -> None:
    found = compiled(a_file("a", "/a", content="@{file.b.checksum}", mode="@{vars.mode}"), a_file("b", "/b"), vars={"mode": 644})
    assert only(found).path == ("tasks", "file", "a", "mode")


def test_a_sensitive_value_is_not_shown() -> None:
    diagnostic = only(compiled(a_file("a", "/a", password="@{vars.p}"), vars={"p": 12345}))
    assert "12345" not in str(diagnostic)


def test_what_identity_hangs_on_must_be_known() -> None:
    found = compiled(a_file("a", "@{file.b.path}/x", owner="@{secret.o}"), a_file("b", "/b"))
    assert [(d.code, d.path) for d in found.diagnostics] == [
        ("must-be-known", ("tasks", "file", "a", "owner")),
        ("must-be-known", ("tasks", "file", "a", "path")),
    ]


def test_a_known_param_may_use_vars_and_the_host() -> None:
    found = good(a_file("a", "/@{vars.x}/@{host.name}"), vars={"x": "etc"}, hosts=hosts("h1", "h2"))
    assert [one(found, f"{host}/file.a").identity for host in ("h1", "h2")] == ["/etc/h1", "/etc/h2"]
    assert one(found, "h2/file.a").claims.provides == ("path:/etc/h2",)


def test_what_a_kind_refuses_is_told_at_the_param() -> None:
    diagnostic = only(compiled(a_file("a", "/a", content="forbidden")))
    assert (diagnostic.code, diagnostic.summary) == ("invalid-params", "file.a: the content is forbidden")
    assert diagnostic.path == ("tasks", "file", "a", "content")


def test_what_a_kind_says_of_a_stand_in_is_not_told() -> None:
    class Strict(type(kinds("file"))):
        def validate(self, params, triggers):
            return (
                (kinds("file").validate(msgspec.structs.replace(params, content="forbidden"), triggers)) if params.content is None else ()
            )

    found = compile_stack(
        stack(a_file("a", "/a", content="@{secret.s}")), {}, no_source, lambda kind: Strict() if kind == "file" else kinds(kind)
    )
    assert found.diagnostics == ()


def test_kinds_and_params_that_do_not_exist_are_told() -> None:
    found = compiled(task("fiel.a"), task("file.b", {"path": "/b", "mdoe": "0644"}), task("thing.c", needs=("fiel.a",)))
    assert [(d.code, d.path) for d in found.diagnostics] == [
        ("unknown-kind", ("tasks", "fiel", "a")),
        ("unknown-param", ("tasks", "file", "b", "mdoe")),
    ]
    assert found.graph.tasks == {}


def test_a_reference_that_means_nothing_is_told_once() -> None:
    assert only(compiled(a_file("a", "@{file.nope.path}"))).code == "unknown-task"


def test_a_missing_param_is_told_at_the_task() -> None:
    assert only(compiled(task("file.a", {}))).path == ("tasks", "file", "a")


def test_what_holds_a_secret_is_sensitive_and_so_is_what_refers_to_it() -> None:
    found = good(
        a_file("a", "/a", content="@{secret.s}"),
        a_file("b", "/b", content="@{file.a.content}", mode="@{file.a.mode}"),
        a_file("c", "/c", content="@{file.d.password} @{file.b.mode}"),
        a_file("d", "/d"),
        task("service.e", {"environment": {"X": "@{file.b.content}"}}),
    )
    assert {name: one(found, name).sensitive for name in ("file.a", "file.b", "file.c", "file.d", "service.e")} == {
        "file.a": ("content",),
        "file.b": ("content",),
        "file.c": ("content",),
        "file.d": (),
        "service.e": ("environment",),
    }


def test_a_reference_in_a_var_is_told_to_be_text() -> None:
    found = compiled(
        vars={"a": ["@{x}"]}, groups={"*": Group({"b": "@{host.name}"})}, hosts={"h1": HostEntry(vars={"c": "@{vars.a}", "d": "plain"})}
    )
    assert [(d.code, d.path) for d in found.diagnostics] == [
        ("reference-in-vars", ("groups", "*", "vars", "b")),
        ("reference-in-vars", ("hosts", "h1", "vars", "c")),
        ("reference-in-vars", ("vars", "a", 0)),
    ]


def test_hosts_without_tasks_have_an_empty_catalog() -> None:
    found = good(task("thing.a", on=Names(("h1",))), hosts={"h1": HostEntry(), "h2": HostEntry(address="10.0.0.2")})
    assert (found.graph.catalogs()["h2"].tasks, found.graph.catalogs()["h2"].address) == ((), "10.0.0.2")


def test_an_empty_stack_compiles() -> None:
    found = good()
    assert (dict(found.graph.tasks), list(found.hosts)) == ({}, ["localhost"])


def test_the_hosts_that_references_select_are_told() -> None:
    found = good(
        task("thing.a", {"text": "@{thing.b.text}"}),
        task("thing.b"),
        task("service.c", {"anything": ["@{[r=x]/thing.b.text}"]}),
        hosts={"h2": HostEntry(labels={"r": "x"}), "h1": HostEntry(labels={"r": "x"}), "h3": HostEntry(labels={"s": "y"})},
        outputs={"all": ["@{[s in (y, z)]/thing.b.text}"]},
    )
    assert found.selected == {"[r=x]": ("h1", "h2"), "[s in (y, z)]": ("h3",)}


# ---- properties

NAMES = ["a", "b", "c", "d"]
TASKS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(
        st.sampled_from(
            ["", "@{host.name}", "@{vars.x}", "@{thing.a.text}", "@{h2/thing.b.text}", "@{[r=x]/thing.c.text}", "@{thing.d.host}"]
        ),
        st.lists(st.sampled_from(["path:/p", "path:/p/q", "user:u"]), max_size=2, unique=True),
        st.lists(st.sampled_from(["path:/p", "path:/p/q/r", "user:u", "user:v"]), max_size=2, unique=True),
        st.lists(st.sampled_from(["thing.a", "thing.b", "h1/thing.c"]), max_size=2),
        st.sampled_from([(), ("h1",), ("h2",)]),
    ),
)


def build(drawn, names):
    tasks = []
    for name in names:
        text, provides, requires, needs, on = drawn[name]
        params = {"text": text, "provides": provides, "requires": requires}
        meta = {"on": Names(on)} if on else {}
        tasks.append(
            task(f"thing.{name}", dict(reversed(params.items())) if names[0] != min(names) else params, needs=tuple(needs), **meta)
        )
    return [*tasks, task("package.p")]


@given(TASKS, st.randoms(use_true_random=False))
def test_the_same_input_in_any_order_gives_the_same(drawn, random) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)
    some_hosts = {"h1": HostEntry(labels={"r": "x"}), "h2": HostEntry()}
    one_way = compiled(*build(drawn, sorted(drawn)), hosts=some_hosts, vars={"x": "1", "y": "2"})
    other = compiled(*build(drawn, shuffled)[::-1], hosts=dict(reversed(some_hosts.items())), vars={"y": "2", "x": "1"})
    assert canonical(list(one_way.graph.tasks.values())) == canonical(list(other.graph.tasks.values()))
    assert (one_way.diagnostics, one_way.graph.waves, list(one_way.hosts)) == (other.diagnostics, other.graph.waves, list(other.hosts))


@given(TASKS)
def test_every_edge_is_kept_by_the_order_and_every_barrier_too(drawn) -> None:
    found = compiled(*build(drawn, sorted(drawn)), hosts={"h1": HostEntry(labels={"r": "x"}), "h2": HostEntry()}, vars={"x": "1"})
    place = {address: index for index, address in enumerate(found.graph.tasks)}
    for address, one_task in found.graph.tasks.items():
        assert all(place[edge.before] < place[address] for edge in one_task.edges)
        assert not one_task.after_packages or place[at(f"{address.host}/package.p")] < place[address]
        assert set(one_task.provided) <= set(one_task.claims.requires)
    assert bool(found.graph.tasks) == (not any(code != "matches-nobody" for code in codes(found)))


def test_linked_hosts_and_unlinked_ones_come_in_one_order() -> None:
    web = Labels((Requirement("r", ("x",)),))
    found = good(
        task("thing.a", {"text": "@{z/thing.b.text}"}, on=web),
        task("thing.b", on=Names(("z",))),
        task("thing.c"),
        hosts={"a": HostEntry(labels={"r": "x"}), "b": HostEntry(), "z": HostEntry()},
    )
    assert [str(address) for address in found.graph.tasks] == ["a/thing.c", "b/thing.c", "z/thing.b", "a/thing.a", "z/thing.c"]
    assert edges(found, "a/thing.a") == ["z/thing.b reference @{z/thing.b.text}"]
