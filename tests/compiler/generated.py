"""Stacks by the types: good ones of the kinds' Params, the meta-arguments and the top, and a good one with a single mistake in it.

What is of a type is said here once more, by `is_of`, and more simply than in `checks`: neither side is asked what it thinks is right.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from msgspec import inspect

from g8r import modules
from g8r.compiler.decode import StackShape
from g8r.compiler.decode_task import meta_fields
from g8r.compiler.written import Tag

WHOLE = re.compile(r"@\{[^{}]+\}")
HOLDS = re.compile(r"(^|[^@])@\{")
REFERENCES = st.sampled_from(["@{vars.a}", "@{host.name}", "@{file.b.checksum}"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
NAMES = st.from_regex(r"[a-z][a-z0-9]{1,6}", fullmatch=True)
NUMBERS = st.integers(-3, 70000) | st.sampled_from([2**31, 2**32 - 2, 2**32 - 1, 2**53, 2**63 - 1])
TAGS = st.sampled_from(["a", "absent", "present", "true", "once", "latest", "a b"]).map(Tag)
NEAR = st.sampled_from(
    [
        "",
        " ",
        "a",
        "A",
        "/a",
        "/a\n",
        "a/",
        "0644",
        "0644 ",
        "644",
        "0o644",
        "1s",
        "1 s",
        "60",
        "yes",
        "true",
        "null",
        "absent",
        "root",
        "a b",
    ]
    + [
        "root:root",
        "80",
        "-1",
        "1e3",
        "@@{vars.a}",
        "@{",
        "@{}",
        "@{a}}",
        "x@{vars.a}",
        "@{\u0301}",
        "e\u0301",
        "\u0000",
        "\r\n",
        "\x1c",
        "٣",
    ]
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from([1.5, -0.25, 1e30, 10**30]) | NEAR | TEXTS | TAGS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "role", ""]), inner, max_size=2),
    max_leaves=3,
)


def is_of(type_: Any, value: Any, *, references: bool = True) -> bool:
    """Whether a value is of a type, where references may stand for values or may not."""
    whole = references and isinstance(value, str) and not isinstance(value, Tag) and WHOLE.fullmatch(value)
    match type_:
        case inspect.Metadata(type=inner):
            return is_of(inner, value, references=references)
        case inspect.UnionType(types=types):
            return any(is_of(option, value, references=references) for option in types)
        case inspect.AnyType():
            return True
        case inspect.NoneType():
            return value is None
        case inspect.LiteralType(values=values):
            return whole or (isinstance(value, str) and value in values)
        case inspect.StrType(pattern=pattern):
            if not isinstance(value, str) or isinstance(value, Tag):
                return False
            fits = len(value) >= (type_.min_length or 0) and (pattern is None or re.search(ended(pattern), value) is not None)
            return fits or HOLDS.search(value) is not None
        case inspect.BoolType():
            return whole or isinstance(value, bool)
        case inspect.IntType(ge=low, le=high):
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0
            return whole or (number and (-(2**63) if low is None else low) <= value <= (2**63 - 1 if high is None else high))
        case inspect.ListType(item_type=element) | inspect.VarTupleType(item_type=element):
            long = isinstance(value, list) and len(value) >= (type_.min_length or 0)
            return whole or (long and all(is_of(element, part, references=references) for part in value))
        case inspect.DictType(value_type=inner):
            return whole or (isinstance(value, dict) and all(is_of(inner, part, references=references) for part in value.values()))
        case inspect.StructType(fields=fields):
            return isinstance(value, dict) and _is_struct(fields, value, references=references)
        case _:
            raise TypeError(type_)


def _is_struct(fields: Any, value: dict[str, Any], *, references: bool) -> bool:
    types = {field.encode_name: field.type for field in fields}
    right = all(name in types and is_of(types[name], part, references=references) for name, part in value.items())
    return right and all(field.encode_name in value for field in fields if field.required)


def ended(pattern: str) -> str:
    r"""`$` as Nickel reads it: `\Z`. Patterns of Params end in it and have no other."""
    return pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern


def good(type_: Any, *, references: bool = True) -> SearchStrategy[Any]:
    """Values of a type."""

    def inner(part: Any) -> SearchStrategy[Any]:
        return good(part, references=references)

    stand_ins = REFERENCES if references else st.nothing()
    match type_:
        case inspect.Metadata(type=part):
            return inner(part)
        case inspect.UnionType(types=types):
            return st.one_of(*map(inner, types))
        case inspect.AnyType():
            return ANYTHING
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=values):
            return st.sampled_from(values) | st.sampled_from(values).map(Tag) | stand_ins
        case inspect.StrType(pattern=str(pattern)):
            matching = st.from_regex(re.compile(ended(pattern)), fullmatch=True, alphabet=st.characters(codec="utf-8"))
            return matching.filter(lambda text: "@{" not in text) | stand_ins | stand_ins.map(lambda text: f"a{text}b")
        case inspect.StrType():
            return TEXTS.filter(lambda text: len(text) >= (type_.min_length or 0) and "@{" not in text) | stand_ins
        case inspect.BoolType():
            return st.booleans() | stand_ins
        case inspect.IntType(ge=low, le=high):
            return st.integers(-(2**63) if low is None else low, 2**63 - 1 if high is None else high) | stand_ins
        case inspect.ListType(item_type=element) | inspect.VarTupleType(item_type=element):
            return st.lists(inner(element), min_size=type_.min_length or 0, max_size=3) | stand_ins
        case inspect.DictType(value_type=part):
            return st.dictionaries(TEXTS | NAMES, inner(part), max_size=2) | stand_ins
        case inspect.StructType(fields=fields):
            return struct(fields, references=references)
        case _:
            raise TypeError(type_)


def struct(fields: Any, *, optional: str | None = None, references: bool = True) -> SearchStrategy[dict[str, Any]]:
    """Records of these fields; `optional` names one that may be left out although its type says otherwise."""
    strategies = {field.encode_name: good(field.type, references=references) for field in fields}
    required = {field.encode_name for field in fields if field.required and field.encode_name != optional}
    return st.fixed_dictionaries(
        {name: strategies[name] for name in sorted(required)},
        optional={name: strategies[name] for name in sorted(strategies.keys() - required)},
    )


def params_of(kind: str) -> Any:
    return inspect.type_info(modules.load(kind).Params).fields  # type: ignore[attr-defined]


def _selector(values: dict[str, Any]) -> dict[str, Any]:
    """A selector is more than its type says: see `beyond` in the corpus."""
    return {name: value for name, value in values.items() if name != "on"}


TASKS = {
    kind: st.builds(
        lambda params, meta: {**params, **_selector(meta)},
        struct(params_of(kind), optional=modules.load(kind).natural),
        struct(meta_fields(modules.load(kind)), references=False),
    )
    for kind in modules.KINDS
}
TOP = [field for field in inspect.type_info(StackShape).fields if field.encode_name not in {"tasks", "hosts", "groups"}]  # type: ignore[attr-defined]
PARTS = {
    field.encode_name: field.type.value_type for field in inspect.type_info(StackShape).fields if field.encode_name in {"hosts", "groups"}
}  # type: ignore[attr-defined]


@st.composite
def stacks(draw: DrawFn) -> dict[str, Any]:
    """Good ones: a task or two, now and then with hosts, groups, vars and outputs."""
    stack = draw(struct(TOP, references=False))
    for section, type_ in PARTS.items():
        if draw(st.booleans()):
            stack[section] = draw(st.dictionaries(NAMES, good(type_, references=False), max_size=2))
    kinds = draw(st.lists(st.sampled_from(modules.KINDS), min_size=1, max_size=2, unique=True))
    stack["tasks"] = {kind: {"a1": draw(TASKS[kind])} for kind in kinds}
    return stack


def records(stack: dict[str, Any]) -> list[tuple[dict[str, Any], Any, bool]]:
    """Every record of a stack that has a shape, with its fields, and whether references may stand in it."""
    found = [(stack, TOP, False)]
    found += [(record, PARTS[section].fields, False) for section in PARTS for record in stack.get(section, {}).values()]
    for kind, named in stack["tasks"].items():
        for record in named.values():
            found += [(record, params_of(kind), True), (record, meta_fields(modules.load(kind)), False)]
    return found


@st.composite
def mistaken(draw: DrawFn) -> tuple[dict[str, Any], str]:
    """A good stack with one mistake, and the name of what is wrong: a value of another type, a key that nobody knows, one that is missing."""
    stack = draw(stacks())
    record, fields, references = draw(st.sampled_from(records(stack)))
    field = draw(st.sampled_from([field for field in fields if not isinstance(field.type, inspect.AnyType)]))
    name = field.encode_name
    match draw(st.sampled_from(["value", "value", "value", "inside", "key", "missing"])):
        case "key":
            name = draw(st.sampled_from(["x", "Name", f"{name}s", "", "ä"]))
            record[name] = draw(ANYTHING)
        case "missing" if field.required and record is not stack and name in record and not draw(st.booleans()):
            del record[name]
        case "inside":
            nested = st.lists(ANYTHING, max_size=2) | st.dictionaries(NAMES, ANYTHING, max_size=2)
            record[name] = draw(
                nested.filter(lambda value: _is_wrong(field.type, value, references=references)) | _wrong(field.type, references)
            )
        case _:
            record[name] = draw(_wrong(field.type, references))
    return stack, name


def _wrong(type_: Any, references: bool) -> SearchStrategy[Any]:
    return ANYTHING.filter(lambda value: _is_wrong(type_, value, references=references))


def _is_wrong(type_: Any, value: Any, *, references: bool) -> bool:
    return not is_of(type_, value, references=references) and (references or "@{" not in repr(value))
