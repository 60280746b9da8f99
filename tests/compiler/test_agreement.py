"""The contract and decode agree about every stack of the corpus (see corpus.py), whichever evaluator applies the contract."""

from __future__ import annotations

from functools import cached_property

import corpus
import pytest
from corpus import Case
from evaluators import NICKEL, SHIPPED
from judging import Judge, all_mistakes, mistakes, plain_document, rejected
from msgspec import inspect

from g8r import modules, parameters
from g8r.compiler.decode import decode
from g8r.compiler.written import untagged
from g8r.stack import META_ARGUMENTS

READ = corpus.chosen("good", "bad", "beyond")
EVALUATORS = ["embedded", pytest.param("command", marks=pytest.mark.skipif(NICKEL is None, reason="NO NICKEL COMMAND: G8R_TEST_NICKEL"))]


class Verdicts:
    """What one evaluator makes of the corpus: what it can in two evaluations for each library, the rest stack by stack."""

    def __init__(self, judges: dict[bool, Judge]) -> None:
        self._judges = judges

    @cached_property
    def documents(self) -> dict[Case, object]:
        found: dict[Case, object] = {case: plain_document(case.language, case.text) for case in READ if case.language != "nickel"}
        for toys, judge in self._judges.items():
            cases = [case for case in READ if case.language == "nickel" and case.toys == toys]
            found |= zip(cases, judge.documents([case.text for case in cases]), strict=True)
        return found

    @cached_property
    def _taken(self) -> dict[bool, bool]:
        """Whether the contract takes all of those of a library that it should."""
        return {
            toys: judge.accepted([self._text(case) for case in corpus.chosen("good", "beyond", toys=toys)]) is not None
            for toys, judge in self._judges.items()
        }

    def accepts(self, case: Case) -> bool:
        if case.verdict != "bad" and self._taken[case.toys]:
            return True
        return self._judges[case.toys].accepts(self._text(case))

    def _text(self, case: Case) -> str:
        return case.text if case.language == "nickel" else self._judges[case.toys].text(self.documents[case])


def verdicts_of(evaluator, toy_contracts, patch):
    patch.setenv("G8R_NICKEL", "embedded" if evaluator == "embedded" else str(NICKEL))
    return {True: Judge(toy_contracts), False: Judge(SHIPPED)}


@pytest.fixture(scope="module", params=EVALUATORS)
def verdicts(request, toy_contracts):
    with pytest.MonkeyPatch.context() as patch:
        judges = verdicts_of(request.param, toy_contracts, patch)
        yield Verdicts(judges)
        for judge in judges.values():
            judge.close()


@pytest.fixture(scope="module")
def documents(toy_contracts):
    with pytest.MonkeyPatch.context() as patch:
        judges = verdicts_of("embedded", toy_contracts, patch)
        found = Verdicts(judges).documents
        for judge in judges.values():
            judge.close()
    return found


@pytest.mark.parametrize("case", READ, ids=lambda case: case.id)
def test_the_contract_refuses_the_bad_ones_and_no_other(verdicts, case):
    assert verdicts.accepts(case) == (case.verdict != "bad"), case.text


@pytest.mark.parametrize("case", READ, ids=lambda case: case.id)
def test_decode_finds_what_is_wrong_and_nothing_else(documents, tmp_path, case):
    document = documents[case]
    found = mistakes(document, toy=case.toys)
    if case.verdict == "bad":
        assert found == case.expected, case.text
        return
    plain = untagged(document)
    assert mistakes(plain, toy=case.toys, thorough=False) == found, f"the quick way and the thorough one disagree: {case.text}"
    assert (found if case.toys else all_mistakes(plain, tmp_path)) == case.expected, case.text


@pytest.mark.skipif(NICKEL is None, reason="NO NICKEL COMMAND: the two evaluators are not compared. G8R_TEST_NICKEL names one")
def test_both_evaluators_give_the_same_documents(documents, toy_contracts, monkeypatch):
    judges = verdicts_of("command", toy_contracts, monkeypatch)
    assert Verdicts(judges).documents == documents


@pytest.mark.parametrize("case", corpus.chosen("unread"), ids=lambda case: case.id)
def test_what_is_no_document_is_refused_before_either_sees_it(case):
    assert rejected(case.language, case.text) == case.expected


# ---- that the corpus is whole ----------------------------------------------------------------------------------------------------


def test_the_corpus_has_enough_of_each():
    counts = {verdict: len(corpus.chosen(verdict)) for verdict in ("good", "bad", "beyond", "unread")}
    assert counts["good"] >= 300, counts
    assert counts["bad"] >= 300, counts
    assert min(counts.values()) >= 20, counts
    assert {case.language for case in corpus.CASES} == {"nickel", "yaml", "json", "toml"}


def test_no_stack_stands_twice():
    texts = [(case.toys, case.language, case.text) for case in corpus.CASES]
    assert sorted({text for text in texts if texts.count(text) > 1}) == []


@pytest.mark.parametrize("kind", modules.KINDS)
def test_every_param_of_a_kind_is_there_good_and_bad(documents, kind):
    good, bad = set[str](), set[str]()
    for case in READ:
        at = f"tasks.{kind}."
        if case.verdict == "good" and not case.toys:
            tasks = documents[case].get("tasks", {}).get(kind, {})
            good.update(name for record in tasks.values() for name in record)
        elif case.verdict == "bad" and not case.toys:
            bad.update(
                one.split(" ")[1].removeprefix(at).split(".")[1].split("[")[0] for one in case.expected if at in one and one.count(".") > 2
            )
    params = set(modules.load(kind).Params.__struct_fields__)
    assert params - good - {"source"} == set(), "in no good stack"
    assert params - bad == set(), "in no bad stack"


def test_every_meta_argument_is_there_good_and_bad():
    for name in META_ARGUMENTS:
        for verdict in ("good", "bad"):
            assert any(name in case.text for case in corpus.chosen(verdict)), (name, verdict)


@pytest.mark.parametrize("kind", modules.KINDS)
def test_a_pattern_means_the_same_to_python_and_to_nickel(kind):
    r"""`\s` and `\d` do not: to Python \x1c is a space, to Rust it is none."""
    for field in parameters.fields(modules.load(kind)):
        for pattern in patterns(field.type):
            assert not any(f"\\{letter}" in pattern for letter in "sSdDwWbB"), f"{kind}.{field.name}: {pattern}"


def patterns(type_):
    match type_:
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            return patterns(inner)
        case inspect.DictType(value_type=inner):
            return patterns(inner)
        case inspect.UnionType(types=types):
            return [pattern for option in types for pattern in patterns(option)]
        case inspect.StrType(pattern=str(pattern)):
            return [pattern]
        case _:
            return []


def test_where_there_is_no_tag_the_document_is_decoded_once(monkeypatch):
    document = {"name": "s", "tasks": {"file": {"a": {"path": "/a", "mode": 644}}}}
    assert untagged(document) is document
    assert decode(document, thorough=True).stack is not None
