"""Reference pages: made from the module alone, with examples that evaluate and that the kind accepts."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import nickel
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from g8r import modules, parameters
from g8r.claim import Claims
from g8r.module import AbsolutePath, Mode, Module, Params, Port, Problem, State, param
from g8r.render import kind_pages, source_text
from g8r.render.style import COLOUR

WRITTEN = [kind for kind in modules.KINDS if importlib.util.find_spec(f"g8r.modules.{kind}")]


class GateParams(Params, frozen=True, kw_only=True):
    name: Annotated[str, param("What it is called.", known=True, example="north")]
    path: Annotated[AbsolutePath, param("Where it stands; a | b.", known=True, example="/gate")]
    mode: Annotated[Mode | None, param("Its bits.")] = None
    port: Annotated[Port, param("Where it listens.")] = 80
    keys: Annotated[tuple[str, ...], param("Who may pass.", sensitive=True, example=["ann"])] = ()
    state: Annotated[Literal["open", "shut"] | None, param("How it stands.", example="open")] = None
    wide: Annotated[bool | None, param("Whether carts may pass.")] = None
    notes: Annotated[dict[str, str], param("Anything.")] = msgspec.field(default_factory=dict)


class GateState(State, frozen=True, kw_only=True):
    path: str


class GateOutputs(msgspec.Struct, frozen=True):
    path: str
    width: int | None


class Gate(Module[GateParams, GateState]):
    kind = "gate"
    summary = "A gate in a wall"
    Params: ClassVar[type[Any]] = GateParams
    State: ClassVar[type[Any]] = GateState
    Outputs: ClassVar[type[Any]] = GateOutputs
    natural = "name"
    triggers: ClassVar[Mapping[str, str]] = {"ring_on": "ring"}

    def validate(self, params, triggers):
        problems = []
        if params.keys and params.state:
            problems.append(Problem("an open gate needs no keys", "", "keys"))
        if not params.state and not params.keys:
            problems.append(Problem("say state or keys"))
        return problems

    def identity(self, params):
        return params.path

    def claims(self, params):
        return Claims()

    def read(self, wanted, host):
        return ()

    def diff(self, params, before, ahead):
        raise NotImplementedError

    def apply(self, work, host):
        raise NotImplementedError


def test_the_page(golden):
    golden("render/kind.md", kind_pages.reference(Gate()))
    golden("render/kind.txt", kind_pages.text(Gate()))


def test_types_in_words():
    found = {field.name: kind_pages.type_words(field) for field in parameters.fields(Gate())}
    assert found == {
        "name": "a text",
        "path": "an absolute path",
        "mode": 'an octal mode in quotes such as "0644"',
        "port": "a port number (1-65535)",
        "keys": "a list of texts",
        "state": "`open` or `shut`",
        "wide": "true or false",
        "notes": "a record of texts",
    }


def test_the_example_is_the_smallest_that_is_accepted():
    shown = kind_pages.example(Gate())
    assert shown.name == "north"
    assert shown.triggers == ("ring_on",)
    assert ("keys" in shown.params) != ("state" in shown.params)


def test_colour_only_adds_colour():
    assert "\x1b[" in kind_pages.text(Gate(), COLOUR)
    assert "gate" in kind_pages.listing([Gate()])


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_kind_has_a_page_with_an_example_that_holds(kind):
    module = modules.load(kind)
    page = kind_pages.reference(module)
    shown = kind_pages.example(module)
    task = {**shown.params, **{name: ["file.conf"] for name in shown.triggers}}
    in_nickel = json.loads(nickel.run("{" + kind_pages.nickel_example(module, shown) + "}"))
    assert in_nickel == {"tasks": {kind: {shown.name: task}}}
    assert yaml.safe_load(kind_pages.yaml_example(module, shown)) == {"tasks": {kind: {shown.name: task or None}}}
    params = msgspec.convert({**({module.natural: shown.name} if module.natural else {}), **shown.params}, module.Params)
    assert list(module.validate(params, frozenset(shown.triggers))) == []
    assert all(f"`{field.name}`" in page for field in parameters.fields(module))
    assert all(field.doc for field in parameters.fields(module)), "every param says what it is"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAMES = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
WORDS = ["no", "on", "0644", "1.5", "/etc/x", "a: b", "# x", "", "null", "~", "a\nb", "- x", "@{file.a.b}", [1, "x"], True]


@settings(max_examples=30)
@given(VALUES)
def test_nickel_reads_what_is_written(value):
    assert json.loads(nickel.run(f"{{ x = {source_text.nickel_value(value)} }}")) == {"x": value}


@pytest.mark.parametrize("value", WORDS)
def test_yaml_reads_what_is_written(value):
    assert yaml.safe_load(source_text.yaml(("a",), {"x": value})) == {"a": {"x": value}}
