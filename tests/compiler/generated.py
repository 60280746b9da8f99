"""Stacks by the types: good ones of the kinds' Params, the meta-arguments and the top, and a good one with a single mistake in it.

What is of a type is said here once more, by `is_of`, and more simply than in `checks`: neither side is asked what it thinks is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
        *(
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
        ),
        *(
            "a b",
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
        ),
        *("\x1c", "\u0663", "\u00a0"),
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
    if references and isinstance(value, str) and not isinstance(value, Tag) and WHOLE.fullmatch(value) and type(type_) in WHOLE_STAND_FOR:
        return True
    return IS_OF[type(type_)](type_, value, references)


def _is_text(type_: Any, value: Any, _references: bool) -> bool:
    if not isinstance(value, str) or isinstance(value, Tag):
        return False
    fits = len(value) >= (type_.min_length or 0) and (type_.pattern is None or re.search(ended(type_.pattern), value) is not None)
    return fits or HOLDS.search(value) is not None


def _is_whole(type_: Any, value: Any, _references: bool) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value % 1 != 0:
        return False
    return (-(2**63) if type_.ge is None else type_.ge) <= value <= (2**63 - 1 if type_.le is None else type_.le)


def _is_list(type_: Any, value: Any, references: bool) -> bool:
    long = isinstance(value, list) and len(value) >= (type_.min_length or 0)
    return long and all(is_of(type_.item_type, part, references=references) for part in value)


def _is_record(type_: Any, value: Any, references: bool) -> bool:
    return isinstance(value, dict) and all(is_of(type_.value_type, part, references=references) for part in value.values())


def _is_struct(type_: Any, value: Any, references: bool) -> bool:
    types = {field.encode_name: field.type for field in type_.fields}
    if not isinstance(value, dict) or not all(name in types and is_of(types[name], value[name], references=references) for name in value):
        return False
    return all(field.encode_name in value for field in type_.fields if field.required)


WHOLE_STAND_FOR = {inspect.LiteralType, inspect.BoolType, inspect.IntType, inspect.ListType, inspect.VarTupleType, inspect.DictType}
IS_OF: dict[type, Callable[[Any, Any, bool], bool]] = {
    inspect.Metadata: lambda type_, value, references: is_of(type_.type, value, references=references),
    inspect.UnionType: lambda type_, value, references: any(is_of(option, value, references=references) for option in type_.types),
    inspect.AnyType: lambda _type, _value, _references: True,
    inspect.NoneType: lambda _type, value, _references: value is None,
    inspect.LiteralType: lambda type_, value, _references: isinstance(value, str) and value in type_.values,
    inspect.BoolType: lambda _type, value, _references: isinstance(value, bool),
    inspect.StrType: _is_text,
    inspect.IntType: _is_whole,
    inspect.ListType: _is_list,
    inspect.VarTupleType: _is_list,
    inspect.DictType: _is_record,
    inspect.StructType: _is_struct,
}


def ended(pattern: str) -> str:
    r"""`$` as Nickel reads it: `\Z`. Patterns of Params end in it and have no other."""
    return pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern


def good(type_: Any, *, references: bool = True) -> SearchStrategy[Any]:
    """Values of a type."""
    stand_ins = REFERENCES if references else st.nothing()
    found = GOOD[type(type_)](type_, references)
    if type(type_) in WHOLE_STAND_FOR:
        return found | stand_ins
    return found | stand_ins | stand_ins.map(lambda text: f"a{text}b") if isinstance(type_, inspect.StrType) else found


def _texts(type_: Any, _references: bool) -> SearchStrategy[Any]:
    found = TEXTS
    if type_.pattern is not None:
        found = st.from_regex(re.compile(ended(type_.pattern)), fullmatch=True, alphabet=st.characters(codec="utf-8"))
    return found.filter(lambda text: len(text) >= (type_.min_length or 0) and "@{" not in text)


def _whole_numbers(type_: Any, _references: bool) -> SearchStrategy[Any]:
    return st.integers(-(2**63) if type_.ge is None else type_.ge, 2**63 - 1 if type_.le is None else type_.le)


def _lists(type_: Any, references: bool) -> SearchStrategy[Any]:
    return st.lists(good(type_.item_type, references=references), min_size=type_.min_length or 0, max_size=3)


GOOD: dict[type, Callable[[Any, bool], SearchStrategy[Any]]] = {
    inspect.Metadata: lambda type_, references: good(type_.type, references=references),
    inspect.UnionType: lambda type_, references: st.one_of(*(good(option, references=references) for option in type_.types)),
    inspect.AnyType: lambda _type, _references: ANYTHING,
    inspect.NoneType: lambda _type, _references: st.none(),
    inspect.LiteralType: lambda type_, _references: st.sampled_from(type_.values) | st.sampled_from(type_.values).map(Tag),
    inspect.BoolType: lambda _type, _references: st.booleans(),
    inspect.StrType: _texts,
    inspect.IntType: _whole_numbers,
    inspect.ListType: _lists,
    inspect.VarTupleType: _lists,
    inspect.DictType: lambda type_, references: st.dictionaries(TEXTS | NAMES, good(type_.value_type, references=references), max_size=2),
    inspect.StructType: lambda type_, references: struct(type_.fields, references=references),
}


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
    """A good stack with one mistake, and its name: a value of another type, a key that nobody knows, one that is missing."""
    stack = draw(stacks())
    record, fields, references = draw(st.sampled_from(records(stack)))
    field = draw(st.sampled_from([field for field in fields if not isinstance(field.type, inspect.AnyType)]))
    name = field.encode_name
    match draw(st.sampled_from(["value", "value", "value", "inside", "key", "missing"])):
        case "key":
            name = draw(st.sampled_from(["x", "Name", f"{name}s", "", "ä"]))
            record[name] = draw(ANYTHING)
        case "missing" if field.required and name != "name" and name in record:  # a natural name may be missing
            del record[name]
        case "inside":
            nested = st.lists(ANYTHING, max_size=2) | st.dictionaries(NAMES, ANYTHING, max_size=2)
            record[name] = draw(
                nested.filter(lambda value: _is_wrong(field.type, value, references=references)) | _wrong(field.type, references)
            )
        case _:
            record[name] = draw(_wrong(field.type, references))
    return stack, name


TELLING: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 65536, 2**32, 2**63, 1e30, "", " ", "a b", "A", "1", "a\n", "/a\n", "0644\n", "0800", "yes", "true"),
    *(Tag("a"), Tag("absent"), Tag("once"), Tag("0644"), Tag("/a"), Tag("nope"), "nope", "x@{vars.a}", "@@{vars.a}", "\u0663", "\x1c"),
    *([], ["a"], [1], [None], [["a"]], [Tag("a")], ["file.a"], ["a b"], {}, {"a": 1}, {"a": "b"}, {"a": None}, {"a": Tag("b")}),
    *(
        {"attempts": 0},
        {"delay": "1s"},
        {"attempts": 1, "delay": 1},
        {"prevent_destroy": 1},
        {"on_remove": Tag("x")},
        {"ignore_changes": "a"},
    ),
]
"""Values that are wrong in most places, each for a reason of its own: drawn evenly, which `one_of` does not do."""


def _wrong(type_: Any, references: bool) -> SearchStrategy[Any]:
    telling = [value for value in TELLING if _is_wrong(type_, value, references=references)]
    others = ANYTHING.filter(lambda value: _is_wrong(type_, value, references=references))
    return st.sampled_from([*telling, None]).flatmap(lambda value: others if value is None else st.just(value))


def _is_wrong(type_: Any, value: Any, *, references: bool) -> bool:
    return not is_of(type_, value, references=references) and (references or "@{" not in repr(value))
