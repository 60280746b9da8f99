"""A plain value against a type, with every mistake and its path; `msgspec.convert` stops at the first.

It accepts what the Nickel contracts that `contracts` makes of the same type accept: null where the type has None, a text that
holds a reference where text is wanted, and a text that is one whole reference wherever anything is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

import msgspec
from msgspec import inspect

from g8r import reference
from g8r.compiler.written import Tag
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error, path_text
from g8r.value import Value

_WHOLE: Final = re.compile(r"@\{[^{}]+\}")
_PLAIN_TAG: Final = re.compile(r"_*[A-Za-z][A-Za-z0-9_'-]*")
_HOLDS: Final = re.compile(r"(?:^|[^@])@\{")
_SHOWN: Final = 60
WHOLE_NUMBERS: Final = (-(2**63), 2**63 - 1)
"""Between which a whole number lies where its type has no bounds. Nickel writes larger ones into JSON as 1e30."""


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong with one value. `expected` completes "must be ..."."""

    path: DocumentPath
    value: Value
    expected: str
    code: str = "wrong-type"
    hint: str = ""

    def diagnostic(self, *, sensitive: bool = False, whole: str = "a stack") -> Diagnostic:
        """As the user sees it; a sensitive value is not repeated. whole: what the value at the empty path is."""
        name = self.path[-1] if self.path else "stack"
        what = path_text(self.path[-2:]) if isinstance(name, int) else name
        match self.code:
            case "unknown-key":
                where = path_text(self.path[:-1]) or whole
                return error(self.code, f"unknown key {_quoted(name)}", f"{where} has {self.expected}.{self.hint}", self.path)
            case "missing-key":
                summary = f"{_quoted(name)} is missing"
                return error(self.code, summary, f"{path_text(self.path[:-1]) or whole} needs {name}: {self.expected}.", self.path[:-1])
            case _:
                got = kind_of(self.value) if sensitive else shown(self.value)
                detail = f"{path_text(self.path)} is {got}; expected {self.expected}.{self.hint}"
                return error(self.code, f"{what}: expected {self.expected}", detail, self.path)


def holds_reference(text: str) -> bool:
    return _HOLDS.search(text) is not None


def is_whole_reference(value: Value) -> bool:
    return isinstance(value, str) and not isinstance(value, Tag) and _WHOLE.fullmatch(value) is not None


def misplaced(value: Value, at: DocumentPath) -> Iterator[Diagnostic]:
    """An error for each reference in what is read before references are resolved."""
    for inside, text in reference.walk(value):
        if holds_reference(text):
            path = (*at, *inside)
            remedy = "References stand in params and outputs; write the value itself here. A stack in Nickel can use its own vars."
            yield error("reference-misplaced", f"{shown(text)} is not resolved here", f"{path_text(path)} holds it. {remedy}", path)


def check(value: Value, type_: inspect.Type, at: DocumentPath, expected: str | None = None) -> Iterator[Mistake]:
    """Every mistake in a value, in document order."""
    match type_:
        case inspect.Metadata(type=inner, extra=extra):
            yield from check(value, inner, at, (extra or {}).get("expected", expected))
        case inspect.AnyType():
            return
        case inspect.UnionType(types=types):
            yield from _check_union(value, types, at, expected)
        case inspect.StructType(fields=fields) if isinstance(value, dict):
            yield from check_fields(value, fields, at)
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            yield from _check_elements(value, type_, at)
        case inspect.DictType(key_type=key_type, value_type=inner) if isinstance(value, dict):
            for key, part in value.items():
                yield from (*check(key, key_type, (*at, key)), *check(part, inner, (*at, key)))
        case _:
            if not (is_whole_reference(value) or _is_of(value, type_)):
                yield _scalar_mistake(value, type_, at, expected)


def check_fields(value: dict[str, Value], fields: Iterable[inspect.Field], at: DocumentPath) -> Iterator[Mistake]:
    """A record against the fields it may have."""
    known = {field.encode_name: field for field in fields}
    for key, part in value.items():
        if key in known:
            yield from check(part, known[key].type, (*at, key))
        else:
            yield Mistake((*at, key), part, ", ".join(sorted(known)), "unknown-key", did_you_mean(key, known))
    for name, field in known.items():
        if field.required and name not in value:
            yield Mistake((*at, name), None, wanted(field.type), "missing-key")


def wanted(type_: inspect.Type, expected: str | None = None) -> str:
    """What a type takes, in words."""
    match type_:
        case inspect.Metadata(type=inner, extra=extra):
            return wanted(inner, (extra or {}).get("expected", expected))
        case inspect.UnionType(types=types) if expected is None:
            return " or ".join(wanted(option) for option in types if not isinstance(option, inspect.NoneType))
        case _:
            return expected or _words(type_)


def _words(type_: inspect.Type) -> str:
    words = _WORDS.get(type(type_), "another value")
    match type_:
        case inspect.LiteralType(values=values):
            words = f"one of {', '.join(map(str, values))}"
        case inspect.StrType(pattern=str(pattern)):
            words = f"text that matches {pattern}"
        case inspect.StrType(min_length=int()):
            words = "text that is not empty"
        case inspect.IntType(ge=low, le=high) if low is not None or high is not None:
            words = f"a whole number {_range(low, high)}"
        case inspect.ListType(item_type=element) | inspect.VarTupleType(item_type=element):
            words = f"a list of {_plural(wanted(element))}"
        case inspect.DictType(value_type=inner):
            words = f"a record of {_plural(wanted(inner))}"
        case _:
            pass
    return words


def shown(value: Value) -> str:
    """A value, short enough for a message."""
    match value:
        case None:
            return "null"
        case Tag():
            return f"'{value}" if _PLAIN_TAG.fullmatch(value) else f"'{_quoted(value)}"
        case list() | dict():
            return kind_of(value)
        case _:
            text = msgspec.json.encode(value).decode()
            return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def kind_of(value: Value) -> str:
    """What a value is, without saying which."""
    return "null" if value is None else next((words for type_, words in _KINDS.items() if isinstance(value, type_)), "a record")


_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    Tag: "an enum tag",
    str: "text",
    list: "a list",
}
"""In this order: true is an int to Python, and a tag a text."""
_WORDS: Final = {
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.StructType: "a record",
    inspect.AnyType: "any value",
}


def _check_elements(value: list[Value], type_: inspect.ListType | inspect.VarTupleType, at: DocumentPath) -> Iterator[Mistake]:
    if len(value) < (type_.min_length or 0):
        yield Mistake(at, value, "a list that is not empty", "wrong-value")
    for index, part in enumerate(value):
        yield from check(part, type_.item_type, (*at, index))


def _check_union(value: Value, types: tuple[inspect.Type, ...], at: DocumentPath, expected: str | None) -> Iterator[Mistake]:
    options = [option for option in types if not isinstance(option, inspect.NoneType)]
    if value is None and len(options) < len(types):
        return
    if len(options) == 1:
        yield from check(value, options[0], at, expected)
        return
    if any(next(check(value, option, at), None) is None for option in options):
        return
    found = [list(check(value, option, at)) for option in options]
    # An option whose mistakes lie deeper was meant: the list of which one element is wrong.
    deeper = [mistakes for mistakes in found if all(len(mistake.path) > len(at) for mistake in mistakes)]
    if deeper:
        yield from deeper[0]
    else:
        yield Mistake(at, value, expected or " or ".join(wanted(option) for option in options))


def _is_of(value: Value, type_: inspect.Type) -> bool:
    match type_, value:
        case inspect.StrType(), str():
            return not isinstance(value, Tag) and (holds_reference(value) or _text_fits(value, type_))
        case inspect.LiteralType(values=values), _:
            return value in values
        case inspect.IntType(), int() if not isinstance(value, bool):
            low, high = bounds(type_)
            return low <= value <= high
        case inspect.FloatType(), _:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case _:
            return isinstance(type_, inspect.BoolType) and isinstance(value, bool)


def bounds(type_: inspect.IntType) -> tuple[int, int]:
    """Between which a whole number of this type lies."""
    low, high = WHOLE_NUMBERS
    return (low if type_.ge is None else type_.ge), (high if type_.le is None else type_.le)


def _text_fits(text: str, type_: inspect.StrType) -> bool:
    if len(text) < (type_.min_length or 0) or (type_.max_length is not None and len(text) > type_.max_length):
        return False
    return type_.pattern is None or _pattern(type_.pattern).search(text) is not None


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """As Nickel reads it: `$` is the end, not also the place before a last newline."""
    return re.compile(re.sub(r"\$(?=$|\)|\|)", r"\\Z", pattern))


def _scalar_mistake(value: Value, type_: inspect.Type, at: DocumentPath, expected: str | None) -> Mistake:
    hint = _hint(value, type_, wanted(type_, expected))
    match type_:
        case inspect.LiteralType(values=values) if isinstance(value, str):
            near = did_you_mean(value, map(str, values))
            return Mistake(at, value, wanted(type_, expected), "wrong-value", near if isinstance(value, Tag) else hint or near)
        case inspect.StrType() if isinstance(value, str) and not isinstance(value, Tag):
            return Mistake(at, value, wanted(type_, expected), "wrong-value")
        case inspect.IntType() if isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0:
            return Mistake(at, value, wanted(type_, expected), "wrong-value")
        case _:
            return Mistake(at, value, wanted(type_, expected), hint=hint)


def _hint(value: Value, type_: inspect.Type, expected: str) -> str:  # noqa: PLR0911 one for each thing that may have been meant
    """What may have been meant, without repeating what may be a secret."""
    match type_, value:
        case inspect.StrType(), Tag():
            return " Text stands in quotes; this is an enum tag."
        case _, str() if holds_reference(value):
            return " A reference among other text is text."
        case inspect.StrType(), bool() | int() | float() if "quotes" not in expected:
            return " Text stands in quotes, also where it looks like a number or like true."
        case inspect.BoolType(), str() if value.lower() in _BOOLS:
            return f" Write {_BOOLS[value.lower()]}, without quotes."
        case inspect.IntType(), str() if value.isdecimal():
            return " A number stands without quotes."
        case ((inspect.ListType() | inspect.VarTupleType()), str()):
            return ' A list stands in brackets: ["a", "b"].'
        case _:
            return ""


_BOOLS: Final = {**dict.fromkeys(("true", "yes", "on"), "true"), **dict.fromkeys(("false", "no", "off"), "false")}


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"of at most {high}"
    return f"of at least {low}" if high is None else f"from {low} to {high}"


def _plural(words: str) -> str:
    return {"text": "texts", "a whole number": "whole numbers", "any value": "values"}.get(words, f"which each is {words}")


def _quoted(name: object) -> str:
    return f'"{name}"'
