"""What decode makes of a right document, and how it words what is wrong. What it accepts at all is in the corpus."""

import pytest
import toys

from g8r.compiler.decode import decode
from g8r.selector import Everywhere, Labels, Names, Requirement
from g8r.stack import Group, HostEntry, Lifecycle, Meta, Retry, Stack, Task


def one(**record):
    return {"name": "s", "tasks": {"file": {"a": {"path": "/a", **record}}}}


def meta(**record):
    decoded = decode(one(**record), toys.KINDS)
    assert decoded.diagnostics == ()
    return decoded.stack.tasks[0].meta


def words(document):
    return [(diagnostic.summary, diagnostic.detail) for diagnostic in decode(document, toys.KINDS).diagnostics]


def test_a_whole_stack():
    document = {
        "x-free": 1,
        "name": "s",
        "vars": {"a": 1},
        "hosts": {"web1": {"address": None, "labels": {"role": "web"}, "connection": "fake", "facts": {"os": "x"}}, "a": {}},
        "groups": {"role=web": {"vars": {"b": 2}}},
        "outputs": {"o": "@{vars.a}"},
        "tasks": {"service": {"nginx": {"reload_on": ["file.b"]}}, "file": {"b": {"path": "/b", "mode": None}, "a": {"path": "/a"}}},
    }
    assert decode(document, toys.KINDS).stack == Stack(
        name="s",
        tasks=(
            Task("file", "a", {"path": "/a"}),
            Task("file", "b", {"path": "/b"}),
            Task("service", "nginx", {"name": "nginx"}, Meta(triggers={"reload": ("file.b",)})),
        ),
        vars={"a": 1},
        hosts={"a": HostEntry(), "web1": HostEntry(labels={"role": "web"}, connection="fake", facts={"os": "x"})},
        groups={"role=web": Group({"b": 2})},
        outputs={"o": "@{vars.a}"},
    )


def test_params_are_what_the_user_wrote_without_defaults():
    assert decode(one(content="@{host.name}"), toys.KINDS).stack.tasks[0].params == {"path": "/a", "content": "@{host.name}"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, Meta()),
        ({"on": "web1"}, Meta(on=Names(("web1",)))),
        ({"on": {"role": "web"}}, Meta(on=Labels((Requirement("role", ("web",)),)))),
        ({"on": None}, Meta(on=Everywhere())),
        ({"timeout": "1m"}, Meta(timeout=60.0)),
        ({"retry": {"attempts": 3, "delay": "500ms"}}, Meta(retry=Retry(3, 0.5))),
        ({"retry": {"attempts": 3}}, Meta(retry=Retry(3))),
        ({"retry": None}, Meta()),
        ({"moved_from": "file.b"}, Meta(moved_from=("file.b",))),
        ({"sensitive": ["mode", "content"]}, Meta(sensitive=("content", "mode"))),
        ({"sensitive": False}, Meta()),
        ({"lifecycle": {"ignore_changes": ["mode"], "on_remove": "restore"}}, Meta(lifecycle=Lifecycle(False, ("mode",), "restore"))),
        ({"needs": ["file.b", "web1/file.c"]}, Meta(needs=("file.b", "web1/file.c"))),
    ],
)
def test_meta_arguments(record, expected):
    assert meta(**record) == expected


def test_sensitive_true_is_every_param():
    assert meta(sensitive=True).sensitive == tuple(sorted(toys.FileParams.__struct_fields__))


@pytest.mark.parametrize(
    ("document", "summary", "detail"),
    [
        (one(pth=1), 'file has no param "pth"', 'tasks.file.a sets pth. Did you mean "path"?'),
        (one(zzz=1), 'file has no param "zzz"', "tasks.file.a sets zzz. `g8r modules show file` lists them."),
        (one(become="x"), 'file has no "become"', "tasks.file.a sets become, which means nothing for tasks of the kind file."),
        (one(mode=644), "mode: expected", 'tasks.file.a.mode is 644; expected an octal mode in quotes such as "0644".'),
        (
            one(ensure="abset"),
            "ensure: expected one of absent, present",
            'tasks.file.a.ensure is "abset"; expected one of absent, present. Did',
        ),
        (one(content=3), "content: expected text", "tasks.file.a.content is a number; expected text."),
        (one(needs=["x"]), "needs[0]: expected a task", 'tasks.file.a.needs[0] is "x"; expected a task such as file.motd'),
        (
            {"name": "s", "tasks": {"file": {"a": {}}}},
            'file needs "path"',
            "tasks.file.a needs path: an absolute path. Where it lives on the host.",
        ),
        ({"name": "s", "tasks": {"fil": {}}}, 'unknown kind "fil"', 'There is no kind of tasks of this name. Did you mean "file"?'),
        ({"name": "s", "tsks": {}}, 'unknown key "tsks"', 'Did you mean "tasks"?'),
        ([], "this is no stack", "The source gives a list; expected a record with name, hosts, tasks."),
        (one(path="@{file.b.path}"), "path must be known before anything runs", "not to a task's output"),
    ],
)
def test_words(document, summary, detail):
    ((found_summary, found_detail),) = words(document)
    assert found_summary.startswith(summary)
    assert detail in found_detail


def test_diagnostics_come_in_the_order_of_the_document():
    document = {"name": "s", "tasks": {"service": {"z": {"prt": 1}}, "file": {"a": {"path": "/a", "mode": 1}}}, "hosts": {"WEB": {}}}
    assert [diagnostic.path[-1] for diagnostic in decode(document, toys.KINDS).diagnostics] == ["prt", "mode", "WEB"]


def test_the_quick_way_and_the_thorough_one_agree():
    for document in (one(), one(mode="0644", on="web1"), one(mode="@{vars.a}"), one(mode=3), one(extra=1)):
        assert decode(document, toys.KINDS) == decode(document, toys.KINDS, thorough=True)


def test_every_shipped_kind_refuses_an_unknown_param():
    from g8r.compiler.kinds import SHIPPED

    for kind in SHIPPED:
        decoded = decode({"name": "s", "tasks": {kind: {"a": {"bogus": 1}}}})
        assert 'has no param "bogus"' in " ".join(diagnostic.summary for diagnostic in decoded.diagnostics)
