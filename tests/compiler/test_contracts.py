"""The generated contracts are current, and agree with decode about the corpus and about generated values."""

import json

import corpus
import pytest
import toys
from evaluators import SHIPPED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from g8r.compiler import contracts, evaluator
from g8r.compiler.decode import decode
from g8r.compiler.evaluator import Evaluated, Limits
from g8r.compiler.nickel_text import literal, string
from g8r.diagnostics import path_text
from g8r.stack import META_ARGUMENTS


def test_the_contracts_in_the_tree_are_current():
    generated = contracts.generate()
    present = {f"kinds/{path.name}": path.read_text() for path in (SHIPPED / "kinds").glob("*.ncl")}
    assert present == generated, "contracts/kinds is stale: run `g8r schema --nickel`"


def test_no_kind_has_a_param_named_as_a_meta_argument():
    for kind in contracts.SHIPPED:
        assert not set(contracts.SHIPPED[kind].Params.__struct_fields__) & set(META_ARGUMENTS)


def test_docs_types_and_optionality_are_in_the_contract():
    text = contracts.generate(toys.KINDS)["kinds/file.ncl"]
    assert '  path | Types.AbsolutePath | doc "Where it lives on the host.",' in text
    assert '  mode | Types.MaybeMode | doc "Permission bits." | optional,' in text
    assert "\\%{x}" in text
    assert "default" not in text


@pytest.fixture(scope="module")
def judge(toy_contracts):
    """Whether the contract accepts a stack, and what it evaluates to without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        child = evaluator.start(Limits(), (toy_contracts,))
        contract = f"let G8r = import {string(toy_contracts / 'g8r.ncl')} in"

        def judge_text(text):
            verdict = child.evaluate(f"{contract} (G8r.without_free ({text})) | G8r.Stack")
            if isinstance(verdict, Evaluated):
                return True, json.loads(verdict.json)
            plain = child.evaluate(text)
            assert isinstance(plain, Evaluated), plain
            return False, json.loads(plain.json)

        yield judge_text
        child.close()


@pytest.mark.parametrize("case", corpus.GOOD)
def test_contract_and_decode_accept(judge, case):
    accepted, document = judge(corpus.GOOD[case])
    assert [str(diagnostic) for diagnostic in decode(document, toys.KINDS, thorough=True).diagnostics] == []
    assert decode(document, toys.KINDS).stack is not None
    assert accepted


@pytest.mark.parametrize("case", corpus.BAD)
def test_contract_and_decode_refuse(judge, case):
    text, expected = corpus.BAD[case]
    accepted, document = judge(text)
    assert found(document) == sorted(expected)
    assert not accepted


@pytest.mark.parametrize("case", corpus.GRAMMAR)
def test_decode_refuses_what_no_contract_can(judge, case):
    text, expected = corpus.GRAMMAR[case]
    accepted, document = judge(text)
    assert found(document) == sorted(expected)
    assert accepted


def found(document):
    decoded = decode(document, toys.KINDS, thorough=True)
    return sorted(f"{diagnostic.code} {path_text(diagnostic.path)}" for diagnostic in decoded.diagnostics)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 70000)
    | st.sampled_from(["", "a", "/a", "0644", "1s", "always", "@{vars.a}", "x@{vars.a}", "@@{a}", "absent", "root", "/a\n", "@{", "@{a}}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "role"]), inner, max_size=2),
    max_leaves=3,
)
PARAMS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*toys.ServiceParams.__struct_fields__, "timeout", "moved_from", "needs", "retry", "become"), VALUES)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARAMS)
def test_contract_and_decode_agree_about_any_params(judge, params):
    accepted, document = judge(literal({"name": "s", "tasks": {"service": {"a": params}}}))
    codes = [diagnostic.code for diagnostic in decode(document, toys.KINDS, thorough=True).diagnostics]
    if accepted:
        assert set(codes) <= {"must-be-known", "reference-misplaced"}
    else:
        assert codes
