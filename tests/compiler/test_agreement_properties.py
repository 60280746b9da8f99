"""Stacks that Hypothesis makes from the types: the contract and decode take the good ones, refuse each with one mistake in it, and agree
about whatever else there is. `G8R_EXAMPLES` asks for more of them.
"""

from __future__ import annotations

import json
import os

import pytest
import toys
from evaluators import SHIPPED
from generated import ANYTHING, mistaken, stacks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judging import Judge, mistakes, nickel, shapes

from g8r import modules
from g8r.compiler.written import untagged
from g8r.stack import META_ARGUMENTS

EXAMPLES = int(os.environ.get("G8R_EXAMPLES", "15"))
slow = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def judges(toy_contracts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        found = {True: Judge(toy_contracts), False: Judge(SHIPPED)}
        yield found
        for judge in found.values():
            judge.close()


@slow
@given(st.lists(stacks(), min_size=1, max_size=20))
def test_what_is_of_the_types_is_taken(judges, generated):
    for stack in generated:
        assert shapes(stack) == []
    taken = judges[False].accepted([nickel(stack) for stack in generated])
    assert taken is not None, [stack for stack in generated if not judges[False].accepts(nickel(stack))]
    for stack, document in zip(generated, taken, strict=True):
        quick = mistakes(document, thorough=False)
        assert quick == mistakes(document) == mistakes(untagged(stack))


@slow
@given(st.lists(mistaken(), min_size=1, max_size=6))
def test_one_mistake_is_refused(judges, generated):
    for stack, name in generated:
        assert shapes(stack) != [], (name, stack)
        assert not judges[False].accepts(nickel(stack)), (name, stack)


RECORDS = {
    False: {kind: (*modules.load(kind).Params.__struct_fields__, *META_ARGUMENTS) for kind in modules.KINDS},
    True: {kind: (*module.Params.__struct_fields__, *META_ARGUMENTS) for kind, module in toys.KINDS.items()},
}


@st.composite
def arbitrary(draw):
    """A task whose every value may be anything at all."""
    toy = draw(st.booleans())
    kind = draw(st.sampled_from(sorted(RECORDS[toy])))
    names = draw(st.lists(st.sampled_from(RECORDS[toy][kind]), max_size=4, unique=True))
    return toy, {"name": "s", "tasks": {kind: {"a1": {name: draw(ANYTHING) for name in names}}}}


@slow
@given(st.lists(arbitrary(), min_size=1, max_size=6))
def test_they_agree_about_anything(judges, generated):
    for toy, stack in generated:
        if judges[toy].accepts(nickel(stack)):
            assert shapes(stack, toy=toy) == [], stack
        else:
            assert mistakes(stack, toy=toy) != (), stack


def test_a_text_survives_the_way_to_nickel(judges):
    text = "ä\u0301\u0000\r\n\"\\%{x}'🐊"
    answer = judges[False]._child.evaluate(nickel({text: [text]}))
    assert json.loads(answer.json) == {text: [text]}
