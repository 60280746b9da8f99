"""The JSON Schema of a stack accepts what decode accepts and refuses what it refuses, and has what an editor shows."""

import json

import corpus
import jsonschema
import pytest
import toys
from evaluators import SHIPPED
from judging import Judge, mistakes, plain_document

from g8r import modules
from g8r.compiler import checks, evaluator, json_schema, languages
from g8r.compiler.evaluator import Evaluated, Limits
from g8r.compiler.written import untagged
from g8r.stack import META_ARGUMENTS

TOYS = json_schema.of_stack(toys.KINDS)
REAL = json_schema.of_stack()
READ = corpus.chosen("good", "bad", "beyond")


def as_editors_read_it(validator, pattern, text, _schema):
    """`$` is the end in JavaScript, and in Python also the place before a last newline."""
    if validator.is_type(text, "string") and not checks._pattern(pattern).search(text):
        yield jsonschema.ValidationError(f"{text!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": as_editors_read_it})


def wrong(document, schema=TOYS):
    return sorted({".".join(map(str, found.absolute_path)) for found in Validator(schema).iter_errors(document)})


@pytest.fixture(scope="module")
def documents(toy_contracts):
    """Every stack of the corpus as plain data: one evaluation for each library. An editor sees no tags."""
    found = {case: plain_document(case.language, case.text) for case in READ if case.language != "nickel"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        for toy, library in ((True, toy_contracts), (False, SHIPPED)):
            judge = Judge(library)
            cases = [case for case in READ if case.language == "nickel" and case.toys == toy]
            found |= zip(cases, map(untagged, judge.documents([case.text for case in cases])), strict=True)
            judge.close()
    return found


def test_the_schemas_are_schemas():
    for schema in (TOYS, REAL):
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("case", READ, ids=lambda case: case.id)
def test_the_schema_refuses_what_the_contract_refuses(documents, case):
    found = wrong(documents[case], TOYS if case.toys else REAL)
    codes = {mistake.split(" ")[0] for mistake in case.expected}
    if case.verdict == "bad":
        # In plain data there are no tags and nothing that is not exported, null is an empty record, and a reference may be any value.
        plainly = {mistake.split(" ")[0] for mistake in mistakes(languages.filled(documents[case]), toy=case.toys)}
        assert found != [] or plainly <= {"reference-misplaced"}, case.text
    elif codes != {"invalid-name"}:  # names the schema checks, and no contract does
        assert found == [], case.text


def bad(text):
    """The stack of the toy kinds with this in it."""
    return next(case for case in corpus.chosen("bad", toys=True) if text in case.text)


def test_a_mistake_is_where_it_stands(documents):
    assert wrong(documents[bad("port = 65536")]) == ["tasks.service.a.port"]
    assert wrong(documents[bad('needs = ["b"]')]) == ["tasks.file.a.needs"]
    assert wrong(documents[bad("tasks.fil.a = {}")]) == ["tasks"]


def test_null_is_a_task_without_params_in_yaml():
    assert wrong({"name": "s", "tasks": {"service": {"nginx": None}}}) == []
    assert wrong({"name": "s", "tasks": {"file": {"a": None}}}) == ["tasks.file.a"]


def test_every_param_and_meta_argument_has_a_text_for_the_editor():
    shown = {kind: REAL["definitions"][kind]["properties"] for kind in modules.KINDS}
    assert "description" in shown["file"]["mode"]
    silent = [f"{kind}.{name}" for kind, properties in shown.items() for name, found in properties.items() if "description" not in found]
    assert silent == []
    assert set(META_ARGUMENTS) == {name for properties in shown.values() for name in properties if name in META_ARGUMENTS}


def test_an_enum_is_listed_and_a_pattern_explains_itself():
    properties = REAL["definitions"]["file"]["properties"]
    assert {"enum": ["absent", "present"]} in properties["ensure"]["anyOf"]
    assert properties["path"]["patternErrorMessage"] == "expected an absolute path"


def test_a_kind_may_stand_without_what_it_takes_from_the_tasks_name():
    assert "required" not in REAL["definitions"]["package"]
    assert REAL["definitions"]["file"]["required"] == ["path"]


@pytest.mark.parametrize("stack", sorted((SHIPPED.parent / "examples").glob("*/main.ncl")), ids=lambda path: path.parent.name)
def test_the_examples_fit(stack, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    child = evaluator.start(Limits(), (SHIPPED,), (stack.parent,))
    answer = child.evaluate(f'import "{stack}"')
    child.close()
    assert isinstance(answer, Evaluated), answer
    assert wrong(json.loads(answer.json), REAL) == []
