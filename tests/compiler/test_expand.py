from tiny_kinds import hosts, stack, task

from g8r.compiler.expand import expand_hosts, place
from g8r.diagnostics import Severity
from g8r.selector import Labels, Names, Requirement
from g8r.stack import Group, HostEntry

WEB = Labels((Requirement("role", ("web",)),))


def expanded(**more):
    return expand_hosts(stack(**more), {})


def test_without_hosts_the_stack_is_for_this_machine() -> None:
    found, diagnostics = expanded()
    assert list(found) == ["localhost"]
    assert found["localhost"].connection == "local"
    assert found["localhost"].address == "localhost"
    assert diagnostics == ()


def test_a_host_is_reached_by_its_address_or_else_its_name() -> None:
    found, _ = expanded(hosts=hosts("web1", web2=HostEntry(address="10.0.0.2", connection="ssh")))
    assert (found["web1"].address, found["web1"].connection) == ("web1", None)
    assert (found["web2"].address, found["web2"].connection) == ("10.0.0.2", "ssh")


def test_the_more_specific_vars_win() -> None:
    found, diagnostics = expanded(
        vars={"a": "stack", "b": "stack", "c": "stack", "d": "stack", "e": "stack", "f": "stack"},
        groups={
            "web1": Group({"e": "name", "f": "name"}),
            "env=prod,role=web": Group({"d": "two labels", "e": "two labels", "f": "two labels"}),
            "role=web": Group({"c": "label", "d": "label", "e": "label", "f": "label"}),
            "*": Group({"b": "glob", "c": "glob", "d": "glob", "e": "glob", "f": "glob"}),
        },
        hosts={"web1": HostEntry(labels={"role": "web", "env": "prod"}, vars={"f": "host"}), "db1": HostEntry()},
    )
    assert diagnostics == ()
    assert found["web1"].vars == {"a": "stack", "b": "glob", "c": "label", "d": "two labels", "e": "name", "f": "host"}
    assert found["db1"].vars == {"a": "stack"} | dict.fromkeys("bcdef", "glob")
    assert found["web1"].origins["c"] == (("vars", "c"), ("groups", "*", "vars", "c"), ("groups", "role=web", "vars", "c"))
    assert found["web1"].origins["f"][-1] == ("hosts", "web1", "vars", "f")


def test_groups_alike_go_by_their_keys() -> None:
    found, _ = expanded(
        groups={"role=web": Group({"x": "role"}), "env=prod": Group({"x": "env"})},
        hosts={"web1": HostEntry(labels={"role": "web", "env": "prod"})},
    )
    assert found["web1"].vars == {"x": "role"}


def test_records_are_merged_and_lists_replaced() -> None:
    found, _ = expanded(
        vars={"db": {"port": 5432, "name": "app"}, "list": [1, 2], "record": {"x": 1}, "scalar": 1},
        hosts={"db1": HostEntry(vars={"db": {"name": "other"}, "list": [3], "record": 1, "scalar": {"y": 2}})},
    )
    assert found["db1"].vars == {"db": {"port": 5432, "name": "other"}, "list": [3], "record": 1, "scalar": {"y": 2}}
    assert found["db1"].origins["db.port"] == (("vars", "db", "port"),)
    assert found["db1"].origins["db.name"] == (("vars", "db", "name"), ("hosts", "db1", "vars", "db", "name"))
    assert found["db1"].origins["scalar.y"] == (("hosts", "db1", "vars", "scalar", "y"),)
    assert "record.x" not in found["db1"].origins


def test_a_fake_host_brings_its_facts() -> None:
    entries = {"f": HostEntry(connection="fake", facts={"x": 1}), "r": HostEntry(facts={"x": 1})}
    found, _ = expand_hosts(stack(hosts=entries), {"r": {"hostname": "r"}})
    assert found["f"].facts == {"x": 1}
    assert found["r"].facts == {"hostname": "r"}


def test_a_group_that_cannot_be_is_told() -> None:
    _, diagnostics = expanded(hosts=hosts("web1"), groups={"web2": Group(), "role=web": Group(), "a=b=c": Group()})
    assert [(one.code, one.severity, one.path) for one in diagnostics] == [
        ("invalid-selector", Severity.ERROR, ("groups", "a=b=c")),
        ("matches-nobody", Severity.WARNING, ("groups", "role=web")),
        ("unknown-host", Severity.ERROR, ("groups", "web2")),
    ]
    assert 'Did you mean "web1"?' in diagnostics[2].detail


def placed(on, entries):
    one = stack(task("file.a", {}, on=on), hosts=entries)
    found, diagnostics = place(one, expand_hosts(one, {})[0])
    return found["file.a"], diagnostics


def test_a_name_that_no_host_has_is_an_error() -> None:
    found, (diagnostic,) = placed(Names(("web9",)), hosts("web1", "db1"))
    assert found == ()
    assert (diagnostic.severity, diagnostic.code, diagnostic.path) == (Severity.ERROR, "unknown-host", ("tasks", "file", "a", "on"))
    assert diagnostic.summary == 'unknown host "web9"'
    assert 'Did you mean "web1"?' in diagnostic.detail


def test_one_wrong_name_of_several_is_pointed_at() -> None:
    found, (diagnostic,) = placed(Names(("web1", "web9")), hosts("web1"))
    assert found == ("web1",)
    assert diagnostic.path == ("tasks", "file", "a", "on", 1)


def test_a_glob_or_labels_that_match_nobody_mean_nobody_with_a_warning() -> None:
    for on in (Names(("web*",)), WEB):
        found, (diagnostic,) = placed(on, hosts("db1"))
        assert found == ()
        assert (diagnostic.severity, diagnostic.code) == (Severity.WARNING, "matches-nobody")


def test_labels_and_globs_select() -> None:
    entries = {"web1": HostEntry(labels={"role": "web"}), "web2": HostEntry(), "db1": HostEntry(labels={"role": "db"})}
    assert placed(WEB, entries) == (("web1",), ())
    assert placed(Names(("web*",)), entries) == (("web1", "web2"), ())
    assert placed(Names(("web2", "db*", "web2")), entries) == (("db1", "web2"), ())


def test_one_warning_is_enough_for_one_selector() -> None:
    one = stack(task("file.a", on=WEB), task("file.b", on=WEB), task("file.c", on=WEB))
    _, (diagnostic,) = place(one, expand_hosts(one, {})[0])
    assert diagnostic.path == ("tasks", "file", "a", "on")
    assert "2 more tasks" in diagnostic.detail
