"""Whether what a reference gives fits where it stands, judged by types alone.

Strict where types tell, generous only where they cannot: a text may or may not match a pattern, an output that may be absent
may be there. What is let through is checked again against the value, by the agent, once that is known.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeAlias, get_type_hints

from msgspec import inspect

from g8r.module import AnyModule

ValueType: TypeAlias = Any
"""msgspec's view of a type."""

TEXT: Final[ValueType] = inspect.StrType()
ANYTHING: Final[ValueType] = inspect.AnyType()

_LISTS: Final = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType, inspect.CollectionType, inspect.TupleType)
_RECORDS: Final = (inspect.DictType, inspect.StructType, inspect.TypedDictType, inspect.DataclassType)
_TEXTS: Final = (inspect.StrType, inspect.EnumType)


@cache
def outputs(module: AnyModule) -> dict[str, ValueType]:
    """The outputs of a kind with their types."""
    hints = get_type_hints(module.Outputs, include_extras=True)
    return {name: inspect.type_info(hints[name]) for name in module.Outputs.__struct_fields__}


def listed(part: ValueType) -> ValueType:
    """The type of a list of these: what a fan-in gives."""
    return inspect.ListType(part)


def fits(given: ValueType, wanted: ValueType) -> bool:
    """Whether some value of one type is a value of the other."""
    return any(_fits(one, other) for one in _members(given) for other in _members(wanted))


def inside(wanted: ValueType, at: tuple[str | int, ...]) -> ValueType:
    """The type of a place inside a value; ANYTHING where the type does not tell."""
    if not at:
        return wanted
    found = [part for member in _members(wanted) if (part := _part(member, at[0])) is not None]
    if not found:
        return ANYTHING
    inner = [inside(part, at[1:]) for part in found]
    return inner[0] if len(inner) == 1 else inspect.UnionType(tuple(inner))


def word(given: ValueType) -> str:
    """A type in one or two words, for a message."""
    words = sorted({_word(member) for member in _members(given) if not isinstance(member, inspect.NoneType)})
    return " or ".join(words) or "null"


def is_record(given: ValueType) -> bool:
    """Whether it is always a record."""
    return all(isinstance(member, _RECORDS) for member in _members(given))


def is_list(given: ValueType) -> bool:
    """Whether it is always a list."""
    return all(isinstance(member, _LISTS) for member in _members(given))


def of_value(value: object) -> ValueType:
    """The type of a value, as precisely as messages need it."""
    if value is None:
        return inspect.NoneType()
    return inspect.type_info(type(value)) if type(value) in {bool, int, float, str, list, dict} else ANYTHING


def _members(given: ValueType) -> tuple[ValueType, ...]:
    """The types of a union; None counts only where it is all there is, since an optional output is expected to be there."""
    if isinstance(given, inspect.Metadata):
        return _members(given.type)
    if not isinstance(given, inspect.UnionType):
        return (given,)
    members = tuple(member for part in given.types for member in _members(part))
    return tuple(member for member in members if not isinstance(member, inspect.NoneType)) or members


def _fits(given: ValueType, wanted: ValueType) -> bool:
    match given, wanted:
        case (inspect.AnyType(), _) | (_, inspect.AnyType() | inspect.RawType()):
            return True
        case inspect.LiteralType(values=values), _:
            return any(_is_among(value, wanted) for value in values)
        case _, inspect.LiteralType(values=values):
            return any(_fits(given, of_value(value)) for value in values)
        case inspect.IntType(), _:
            return isinstance(wanted, inspect.IntType | inspect.FloatType)
        case _ if isinstance(given, _LISTS) and isinstance(wanted, _LISTS):
            return fits(_part(given, 0) or ANYTHING, _part(wanted, 0) or ANYTHING)
        case _:
            same = type(given) is type(wanted)
            return same or any(isinstance(given, family) and isinstance(wanted, family) for family in (_RECORDS, _TEXTS))


def _is_among(value: object, wanted: ValueType) -> bool:
    return value in wanted.values if isinstance(wanted, inspect.LiteralType) else _fits(of_value(value), wanted)


def _part(given: ValueType, step: str | int) -> ValueType | None:
    """The type one step inside; None where there is no such place."""
    match given:
        case inspect.AnyType():
            return given
        case inspect.TupleType(item_types=parts):
            return parts[step] if isinstance(step, int) and step < len(parts) else None
        case (
            inspect.ListType(item_type=part)
            | inspect.VarTupleType(item_type=part)
            | inspect.SetType(item_type=part)
            | inspect.FrozenSetType(item_type=part)
            | inspect.CollectionType(item_type=part)
        ):
            return part if isinstance(step, int) else None
        case inspect.DictType(value_type=part):
            return part if isinstance(step, str) else None
        case inspect.StructType(fields=fields) | inspect.TypedDictType(fields=fields) | inspect.DataclassType(fields=fields):
            return next((field.type for field in fields if field.encode_name == step), None)
        case _:
            return None


def _word(given: ValueType) -> str:
    if isinstance(given, _LISTS):
        return f"list of {word(_part(given, 0) or ANYTHING)}"
    if isinstance(given, _RECORDS):
        return "record"
    if isinstance(given, inspect.LiteralType):
        return " or ".join(sorted({_word(of_value(value)) for value in given.values}))
    names: dict[type[Any], str] = {
        inspect.BoolType: "boolean",
        inspect.IntType: "number",
        inspect.FloatType: "number",
        inspect.NoneType: "null",
    }
    if isinstance(given, _TEXTS):
        return "text"
    return names.get(type(given), "value")
