"""Hints for those who come from other tools name what there is, and no word of theirs is one of ours already."""

import pytest

from g8r import modules
from g8r.compiler import elsewhere
from g8r.compiler.decode import StackShape, decode
from g8r.stack import META_ARGUMENTS

PARAMS = {name for kind in modules.KINDS for name in modules.load(kind).Params.__struct_fields__} | set(META_ARGUMENTS)


def test_what_is_named_is_there():
    assert set(elsewhere._KINDS.values()) <= set(modules.KINDS)
    assert {here for found in elsewhere._PARAMS.values() for here in found} <= PARAMS
    assert set(elsewhere._TOP.values()) <= set(StackShape.__struct_fields__)


def test_no_word_of_theirs_is_one_of_ours():
    assert not set(elsewhere._KINDS) & set(modules.KINDS)
    assert not set(elsewhere._TOP) & (set(StackShape.__struct_fields__) | set(modules.KINDS))
    assert not set(elsewhere._IN_NICKEL) & PARAMS


def details(**stack):
    return " ".join(one.detail for one in decode({"name": "s", **stack}).diagnostics)


@pytest.mark.parametrize(
    ("stack", "hint"),
    [
        ({"tasks": {"ansible.builtin.copy": {}}}, 'Here it is "file".'),
        ({"tasks": {"apt": {}}}, 'Here it is "package".'),
        ({"tasks": {"fil": {}}}, 'Did you mean "file"?'),
        ({"tasks": {"service": {"a": {"state": "started"}}}}, 'Here it is "running".'),
        ({"tasks": {"link": {"a": {"path": "/a", "src": "/b"}}}}, 'Here it is "target".'),
        ({"tasks": {"service": {"a": {"dest": "/b"}}}}, "`g8r modules show service` lists them."),
        ({"tasks": {"service": {"a": {"when": True}}}}, "`if`, in Nickel"),
        ({"package": {}}, "Tasks stand below tasks: tasks.package."),
        ({"variables": {}}, 'Here it is "vars".'),
        ({"tsks": {}}, 'Did you mean "tasks"?'),
        ({"tasks": {"file": [{}]}}, "tasks.file.motd"),
    ],
)
def test_a_word_of_another_tool_gets_ours(stack, hint):
    assert hint in details(**stack)


@pytest.mark.parametrize(
    ("param", "hint"),
    [
        ({"version": 1.1}, "Text stands in quotes, also where"),
        ({"hold": "yes"}, "Write true, without quotes."),
        ({"purge": "Off"}, "Write false, without quotes."),
        ({"timeout": 30}, "Text stands in quotes, also where"),
        ({"needs": "file.a"}, "A list stands in brackets"),
    ],
)
def test_a_value_of_a_near_type_gets_a_hint(param, hint):
    assert hint in details(tasks={"package": {"nginx": param}})


def test_a_hint_does_not_repeat_a_secret():
    found = details(tasks={"user": {"bob": {"password": 12345}}})
    assert "12345" not in found
    assert "Text stands in quotes" in found
