"""Params from documents: what a kind's fields are, and a Params struct from values some of which are not known yet.

A field whose value is unknown is given its stand-in, its default, or an empty value of its type (see `module`); the names of such
fields go beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, cast, get_type_hints

import msgspec

from g8r.module import AnyModule
from g8r.value import Document, Partial, Value, unknowns


class Field(msgspec.Struct, frozen=True):
    """One parameter, as its annotation tells it. `type` is msgspec's view of the type, `expected` words what it takes."""

    name: str
    type: Any
    annotation: Any
    required: bool
    default: Value
    doc: str
    known: bool
    sensitive: bool
    source: bool
    public: bool
    example: Value
    stand_in: Value | msgspec.UnsetType = msgspec.UNSET


class Built(msgspec.Struct, frozen=True):
    """A Params struct; `unknown` maps the fields that hold a stand-in to the reason why."""

    params: Any
    unknown: dict[str, str]


@cache
def fields(module: AnyModule) -> tuple[Field, ...]:
    """The parameters of a kind, in the order of its Params."""
    described = msgspec.inspect.type_info(module.Params)
    if not isinstance(described, msgspec.inspect.StructType):
        message = f"{module.kind}: Params is no struct"
        raise TypeError(message)
    hints = get_type_hints(module.Params, include_extras=True)
    return tuple(_field(found, hints[found.name]) for found in described.fields)


def build(module: AnyModule, values: Mapping[str, Partial]) -> Built:
    """The Params of these values. Raises msgspec.ValidationError where a known value is of the wrong type."""
    unknown = {name: ", ".join(reasons) for name, value in values.items() if (reasons := unknowns(value))}
    known = {name: cast("Value", value) for name, value in values.items() if name not in unknown}
    for name in unknown:
        field = _by_name(module)[name]
        if field.stand_in is not msgspec.UNSET:
            known[name] = field.stand_in
        elif field.required:
            known[name] = _stand_in(field.type)
    if not unknown:
        return Built(msgspec.convert(known, module.Params), {})
    return Built(_convert_without_checks(module, known, unknown), unknown)


def sensitive_fields(module: AnyModule, extra: tuple[str, ...]) -> frozenset[str]:
    """The params that are sensitive: those the kind declares, and `extra` of the task."""
    declared = _declared_sensitive(module)
    return declared.union(extra) if extra else declared


def determined(module: AnyModule, names: frozenset[str] | set[str]) -> frozenset[str]:
    """The State fields that hang on these params."""
    return frozenset(state_field for name in names for state_field in module.determines.get(name, (name,)))


def document(params: Any) -> Document:  # noqa: ANN401 any kind's Params
    """A Params or State struct as plain data, just as it comes back from JSON."""
    found: Document = msgspec.json.decode(msgspec.json.encode(params))
    return found


@cache
def _declared_sensitive(module: AnyModule) -> frozenset[str]:
    return frozenset(field.name for field in fields(module) if field.sensitive)


@cache
def _by_name(module: AnyModule) -> Mapping[str, Field]:
    return {field.name: field for field in fields(module)}


def _field(found: msgspec.inspect.Field, annotation: Any) -> Field:  # noqa: ANN401 a type
    extra: dict[str, Any] = {}
    doc = ""
    for metadata in _metadata(annotation):
        extra |= metadata.extra or {}
        doc = metadata.description or doc
    default = found.default if found.default is not msgspec.NODEFAULT else None
    return Field(
        name=found.name,
        type=found.type,
        annotation=annotation,
        required=found.required,
        default=msgspec.to_builtins(default),
        doc=doc,
        known=bool(extra.get("known")),
        sensitive=bool(extra.get("sensitive")),
        source=bool(extra.get("source")),
        public=bool(extra.get("public")),
        example=extra.get("example"),
        stand_in=extra.get("stand_in", msgspec.UNSET),
    )


def _metadata(annotation: Any) -> list[msgspec.Meta]:  # noqa: ANN401 a type
    return [metadata for metadata in getattr(annotation, "__metadata__", ()) if isinstance(metadata, msgspec.Meta)]


_EMPTY: Final[Mapping[type, Value]] = {
    msgspec.inspect.StrType: "",
    msgspec.inspect.BoolType: False,
    msgspec.inspect.IntType: 0,
    msgspec.inspect.FloatType: 0.0,
    msgspec.inspect.DictType: {},
}


def _stand_in(wanted: Any) -> Value:  # noqa: ANN401 msgspec's view of a type
    if isinstance(wanted, msgspec.inspect.UnionType):
        return _stand_in(wanted.types[0])
    return _EMPTY.get(type(wanted), [])


def _convert_without_checks(module: AnyModule, known: Document, unknown: Mapping[str, str]) -> Any:  # noqa: ANN401 any kind's Params
    """As convert, but a stand-in need not match the pattern of its field."""
    checked = {name: value for name, value in known.items() if name not in unknown}
    converted = {name: msgspec.convert(value, _by_name(module)[name].annotation) for name, value in checked.items()}
    return module.Params(**converted, **{name: known[name] for name in unknown if name in known})
