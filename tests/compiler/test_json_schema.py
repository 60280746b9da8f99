"""The JSON Schema of a stack accepts what decode accepts and refuses what it refuses, and has what an editor shows."""

import json

import corpus
import jsonschema
import pytest
import toys
from evaluators import SHIPPED

from g8r import modules
from g8r.compiler import checks, evaluator, json_schema
from g8r.compiler.evaluator import Evaluated, Limits
from g8r.stack import META_ARGUMENTS

TOYS = json_schema.of_stack(toys.KINDS)
REAL = json_schema.of_stack()
REFUSED_TOO = {"task name", "host name"}
"""What no Nickel contract says, and the schema does."""


def as_editors_read_it(validator, pattern, text, _schema):
    """`$` is the end in JavaScript, and in Python also the place before a last newline."""
    if validator.is_type(text, "string") and not checks._pattern(pattern).search(text):
        yield jsonschema.ValidationError(f"{text!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": as_editors_read_it})


def wrong(document, schema=TOYS):
    return sorted({".".join(map(str, found.absolute_path)) for found in Validator(schema).iter_errors(document)})


@pytest.fixture(scope="module")
def documents(toy_contracts):
    """Every stack of the corpus as plain data, by whether it is good and its name: one evaluation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        child = evaluator.start(Limits(), (toy_contracts,))
        texts = {("good", name): text for name, text in corpus.GOOD.items()}
        texts |= {("bad", name): text for name, (text, _) in (corpus.BAD | corpus.GRAMMAR).items()}
        answer = child.evaluate("[\n" + ",\n".join(f"({text})" for text in texts.values()) + "\n]")

        child.close()
    assert isinstance(answer, Evaluated), answer
    return dict(zip(texts, json.loads(answer.json), strict=True))


def test_the_schemas_are_schemas():
    for schema in (TOYS, REAL):
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("case", corpus.GOOD)
def test_a_good_stack_fits(documents, case):
    assert wrong(documents["good", case]) == []


TAKEN = {
    "lifecycle by reference",
    "retry by reference",
    "needs by reference",
    "a need by reference",
    "exempt by reference",
    "exemptions by reference",
}
"""Where the schema takes a reference for any value, as params do."""


@pytest.mark.parametrize("case", corpus.BAD)
def test_a_bad_stack_does_not_fit(documents, case):
    assert bool(wrong(documents["bad", case])) == (case not in TAKEN)


@pytest.mark.parametrize("case", corpus.GRAMMAR)
def test_what_only_decode_can_refuse_fits_but_for_names(documents, case):
    assert bool(wrong(documents["bad", case])) == (case in REFUSED_TOO)


def test_a_mistake_is_where_it_stands(documents):
    assert wrong(documents["bad", "port too high"]) == ["tasks.service.a.port"]
    assert wrong(documents["bad", "needs no task"]) == ["tasks.file.a.needs"]
    assert wrong(documents["bad", "unknown kind"]) == ["tasks"]


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
