import pytest
from tiny_kinds import a_file, at, codes, compiled, edges, good, hosts, only, order, task

from g8r.diagnostics import Severity
from g8r.selector import Labels, Names, Requirement
from g8r.stack import HostEntry

WEB = Labels((Requirement("role", ("web",)),))
FLEET = {
    "db1": HostEntry(address="10.0.0.9", labels={"role": "db"}),
    "web2": HostEntry(address="10.0.0.2", labels={"role": "web"}),
    "web1": HostEntry(address="10.0.0.1", labels={"role": "web"}, vars={"size": 3}),
}


def params(found, name):
    return found.graph.tasks[at(name)].params


def content_of(text, **more):
    """What becomes of a text in the content of a file."""
    return params(good(a_file("a", "/a", content=text), **more), "file.a")["content"]


# ---- what is known now


def test_vars_are_replaced_and_keep_their_type() -> None:
    found = good(
        task("service.a", {"port": "@{vars.port}", "anything": {"all": "@{vars.nested}", "text": "port @{vars.port}"}}),
        vars={"port": 80, "nested": {"x": [1, True]}},
    )
    assert params(found, "service.a") == {"name": "a", "port": 80, "anything": {"all": {"x": [1, True]}, "text": "port 80"}}


def test_what_a_var_holds_is_not_read_as_a_reference() -> None:
    found = compiled(a_file("a", "/a", content="@{vars.x}"), vars={"x": "@{secret.s}"})
    assert params(found, "file.a")["content"] == "@@{secret.s}"
    assert only(found, Severity.WARNING).code == "reference-in-vars"


def test_a_host_knows_itself() -> None:
    found = good(
        a_file("a", "/a", content="@{host.name} @{host.address} @{host.labels.role} @{host.vars.size}"),
        hosts={"web1": FLEET["web1"]},
    )
    assert params(found, "web1/file.a")["content"] == "web1 10.0.0.1 web 3"


def test_each_host_gets_its_own() -> None:
    found = good(a_file("a", "/a", content="@{host.name}"), hosts=FLEET)
    assert {host: params(found, f"{host}/file.a")["content"] for host in FLEET} == {"db1": "db1", "web1": "web1", "web2": "web2"}


def test_another_host_and_all_of_a_kind_can_be_asked() -> None:
    found = good(
        task("service.lb", {"backends": "@{[role=web]/host.address}", "anything": "@{db1/host.address}"}, on=Names(("db1",))), hosts=FLEET
    )
    assert params(found, "db1/service.lb") == {"name": "lb", "backends": ["10.0.0.1", "10.0.0.2"], "anything": "10.0.0.9"}
    assert edges(found, "db1/service.lb") == []


def test_facts_are_replaced_where_they_are_known() -> None:
    assert content_of("@{host.facts.os.family}", facts={"localhost": {"os": {"family": "debian"}}}) == "debian"


def test_facts_that_are_not_known_are_deferred() -> None:
    found = good(a_file("a", "/@{host.facts.os.family}", content="x"), a_file("b", "/b", content="@{host.facts.hostname}"))
    a, b = (found.graph.tasks[at(name)] for name in ("file.a", "file.b"))
    assert a.params["path"] == "/@{host.facts.os.family}"
    assert (a.identity, a.claims.provides) == ("", ())
    assert (b.identity, b.claims.provides) == ("/b", ("path:/b",))


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("@{vars.prot}", "unknown-value", 'Did you mean "port"?'),
        ("@{vars.port.x}", "unknown-value", "vars.port.x"),
        ("@{host.facts.oss.family}", "unknown-value", 'Did you mean "os"?'),
        ("@{host.nmae}", "unknown-value", 'Did you mean "name"?'),
        ("@{host.labels.role}", "unknown-value", "@{host.labels.role}"),
        ("@{host.vars.prot}", "unknown-value", 'Did you mean "port"?'),
        ("@{web1/host.name}", "unknown-host", "web1"),
        ("@{vars}", "invalid-reference", "expected"),
        ("@{file.a.path", "invalid-reference", "not closed"),
        ("@{file.c.checksum}", "unknown-task", 'Did you mean "file.b"?'),
        ("@{fiel.b.checksum}", "unknown-task", 'Did you mean "file.b"?'),
        ("@{file.b.chksum}", "unknown-output", 'Did you mean "checksum"?'),
        ("@{web1/file.b.checksum}", "unknown-host", "web1"),
        ("@{secret.}", "invalid-reference", "@{secret.NAME}"),
        ("user@@{x} @{vars.at}@{secret.s}", "invalid-reference", "right before"),
    ],
)
def test_what_does_not_exist_is_an_error_at_its_place(text, code, hint) -> None:
    diagnostic = only(compiled(a_file("a", "/a", content=text), a_file("b", "/b"), vars={"port": 80, "at": "x@"}))
    assert diagnostic.code == code
    assert diagnostic.path == ("tasks", "file", "a", "content")
    assert hint in diagnostic.detail


def test_every_mistake_is_told_with_its_place_inside_the_param() -> None:
    found = compiled(task("service.a", {"anything": [{"x": "@{vars.a}"}, "@{vars.b} @{vars.c}"], "environment": {"P": "@{file.x.path}"}}))
    assert [(one.path, one.summary) for one in found.diagnostics] == [
        (("tasks", "service", "a", "anything", 0, "x"), 'vars has no "a"'),
        (("tasks", "service", "a", "anything", 1), 'vars has no "b"'),
        (("tasks", "service", "a", "anything", 1), 'vars has no "c"'),
        (("tasks", "service", "a", "environment", "P"), 'unknown task "file.x"'),
    ]


def test_facts_that_are_known_must_be_there() -> None:
    found = compiled(a_file("a", "/a", content="@{host.facts.os.famly}"), facts={"localhost": {"os": {"family": "debian"}}})
    assert 'Did you mean "family"?' in only(found).detail


def test_a_mistake_on_many_hosts_is_told_once() -> None:
    diagnostic = only(compiled(a_file("a", "/a", content="@{host.labels.tier}"), hosts=FLEET))
    assert 'On "db1"' in diagnostic.detail


# ---- outputs


def test_an_output_stays_and_makes_an_edge() -> None:
    found = good(a_file("a", "/a", content="sum @{file.b.checksum}"), a_file("b", "/b"))
    assert params(found, "file.a")["content"] == "sum @{file.b.checksum}"
    assert edges(found, "file.a") == ["file.b reference @{file.b.checksum}"]
    assert order(found) == ["file.b", "file.a"]


def test_an_output_of_another_host_makes_an_edge_across() -> None:
    found = good(
        a_file("a", "/a", content="@{db1/file.b.checksum}", mode="0644"),
        task("file.b", {"path": "/b"}, on=Names(("db1",))),
        hosts=hosts("app1", "db1"),
    )
    assert edges(found, "app1/file.a") == ["db1/file.b reference @{db1/file.b.checksum}"]
    assert edges(found, "db1/file.a") == ["db1/file.b reference @{db1/file.b.checksum}"]
    assert order(found) == ["db1/file.b", "app1/file.a", "db1/file.a"]


def test_a_fan_in_makes_an_edge_to_every_host_and_keeps_its_text() -> None:
    found = good(
        task("service.lb", {"anything": "@{[role=web]/service.web.port}"}, on=Names(("db1",))), task("service.web", on=WEB), hosts=FLEET
    )
    assert params(found, "db1/service.lb")["anything"] == "@{[role=web]/service.web.port}"
    assert edges(found, "db1/service.lb") == [
        "web1/service.web reference @{[role=web]/service.web.port}",
        "web2/service.web reference @{[role=web]/service.web.port}",
    ]


def test_a_fan_in_of_hosts_without_the_task_is_an_error() -> None:
    found = compiled(
        task("service.lb", {"anything": "@{[role=web]/service.web.port}"}, on=Names(("db1",))),
        task("service.web", on=Names(("web1",))),
        hosts=FLEET,
    )
    diagnostic = only(found)
    assert (diagnostic.code, diagnostic.summary) == ("not-on-host", 'service.web is not on "web2"')


def test_a_fan_in_that_means_nobody_is_a_warning() -> None:
    found = compiled(task("service.lb", {"anything": "@{[role=gone]/host.address}"}), hosts=FLEET)
    assert only(found, Severity.WARNING).code == "matches-nobody"
    assert params(found, "db1/service.lb")["anything"] == []


def test_the_task_must_be_on_the_same_host() -> None:
    found = compiled(a_file("a", "/a", content="@{file.b.checksum}"), task("file.b", {"path": "/b"}, on=WEB), hosts=FLEET)
    diagnostic = only(found)
    assert diagnostic.summary == 'file.b is not on "db1"'
    assert '"web1/file.b"' in diagnostic.detail


def test_the_address_of_a_task_is_known_and_orders_all_the_same() -> None:
    found = good(
        task("service.lb", {"backends": "@{[role=web]/service.web.address}", "anything": "@{web2/service.web.host}"}, on=Names(("db1",))),
        task("service.web", on=WEB),
        task("service.own", {"anything": "@{service.web.host}"}, on=WEB),
        hosts=FLEET,
    )
    assert params(found, "db1/service.lb") == {"name": "lb", "backends": ["10.0.0.1", "10.0.0.2"], "anything": "web2"}
    assert params(found, "web1/service.own")["anything"] == "web1"
    assert len(edges(found, "db1/service.lb")) == 3
    assert found.graph.waves == {}


# ---- types


@pytest.mark.parametrize(
    ("kind", "param", "text", "fine"),
    [
        ("service", "port", "@{service.b.port}", True),
        ("service", "port", "@{file.b.size}", True),
        ("service", "port", "@{file.b.path}", False),
        ("service", "port", "@{service.b.running}", False),
        ("service", "port", "@{secret.port}", False),
        ("service", "port", "8@{file.b.size}", False),
        ("service", "backends", "@{service.b.listeners}", True),
        ("service", "backends", "@{file.b.path}", False),
        ("service", "backends", ["@{file.b.path}", "x@{file.b.size}"], True),
        ("service", "backends", ["@{file.b.size}"], False),
        ("service", "backends", "@{[!x]/file.b.path}", True),
        ("service", "backends", "@{[!x]/file.b.size}", False),
        ("service", "environment", "@{service.b.settings}", True),
        ("service", "environment", {"X": "@{secret.x}"}, True),
        ("service", "environment", {"X": "@{service.b.port}"}, False),
        ("service", "anything", "@{service.b.settings}", True),
        ("file", "content", "@{file.b.checksum}", True),
        ("file", "content", "@{file.b.size}", False),
        ("file", "content", "@{file.b.size} bytes", True),
        ("file", "backup", "@{service.b.running}", True),
        ("file", "backup", "@{file.b.mode}", False),
        ("file", "mode", "@{file.b.mode}", True),
    ],
)
def test_outputs_must_fit_where_they_stand(kind, param, text, fine) -> None:
    base = {"path": "/a"} if kind == "file" else {}
    found = compiled(task(f"{kind}.a", {**base, param: text}), a_file("b", "/b"), task("service.b"))
    assert codes(found) == ([] if fine else ["wrong-type"])
    if not fine:
        assert found.diagnostics[0].path[:4] == ("tasks", kind, "a", param)


@pytest.mark.parametrize("text", ["x @{vars.r}", "x @{service.b.settings}"])
def test_a_record_cannot_stand_in_a_text(text) -> None:
    assert only(compiled(a_file("a", "/a", content=text), task("service.b"), vars={"r": {"x": 1}})).code == "record-in-text"


@pytest.mark.parametrize("text", ["x @{vars.list}", "x @{vars.null}", "x @{service.b.listeners}"])
def test_a_list_or_null_in_a_text_is_a_warning(text) -> None:
    found = compiled(a_file("a", "/a", content=text), task("service.b"), vars={"list": [1], "null": None})
    assert only(found, Severity.WARNING).code == "json-in-text"


# ---- the stack's own outputs


def test_the_outputs_of_a_stack_keep_what_is_not_known_yet() -> None:
    found = good(
        a_file("a", "/a"),
        vars={"env": "dev"},
        outputs={"sum": "@{file.a.checksum}", "all": {"env": "@{vars.env}", "host": "@{host.name}", "where": "@{file.a.address}"}},
    )
    assert found.outputs == {"sum": "@{localhost/file.a.checksum}", "all": {"env": "dev", "host": "localhost", "where": "localhost"}}


def test_an_output_of_a_stack_must_say_which_host() -> None:
    found = compiled(
        a_file("a", "/a"),
        task("file.b", {"path": "/b"}, on=Names(("db1",))),
        hosts=FLEET,
        outputs={"a": "@{file.a.checksum}", "b": "@{file.b.checksum}", "c": "@{[role=web]/file.a.size}", "d": "@{host.name}"},
    )
    assert [(one.code, one.path) for one in found.diagnostics] == [("which-host", ("outputs", "a")), ("which-host", ("outputs", "d"))]
    assert "@{db1/file.a.checksum}" in found.diagnostics[0].detail
    assert found.outputs["b"] == "@{db1/file.b.checksum}"
    assert found.outputs["c"] == "@{[role=web]/file.a.size}"


@pytest.mark.parametrize("text", ["@{file.x.path}", "@{file.a.nope}", "x @{service.b.settings}", "@{vars.no}", "@{", "@{web9/file.a.path}"])
def test_the_outputs_of_a_stack_are_checked(text) -> None:
    assert only(compiled(a_file("a", "/a"), task("service.b"), outputs={"x": [text]})).path == ("outputs", "x", 0)
