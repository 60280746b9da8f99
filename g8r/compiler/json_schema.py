"""A JSON Schema of a whole stack, for editors that know no Nickel: they complete and check a stack in YAML or JSON with it.

It is made from the same shapes that decode checks with, and says what `contracts` says in Nickel: null where something may be left
out, a text with a reference where text is wanted, a whole reference anywhere. What a schema cannot say (that a name exists, that
a selector parses) is left to `g8r validate`. `patternErrorMessage` is not JSON Schema: editors show it where a pattern does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import inspect

from g8r.address import HOST_PATTERN, NAME_PATTERN
from g8r.compiler import checks
from g8r.compiler.contracts import description
from g8r.compiler.decode import FREE, StackShape
from g8r.compiler.decode_task import meta_fields
from g8r.compiler.kinds import SHIPPED
from g8r.module import AnyModule

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""Draft 7 is the newest that the YAML language server knows whole."""
_REFERENCE: Final[Schema] = {"$ref": "#/definitions/reference"}
_WHOLE: Final[Schema] = {
    "type": "string",
    "pattern": r"^@\{[^{}]+\}$",
    "patternErrorMessage": "expected a reference such as @{host.vars.port}",
}
_META_DOCS: Final = {
    "on": "Which hosts: a name or glob, a list of them, labels, or a text such as role=web,env!=dev. All of them where it is left out.",
    "needs": "Tasks that must have succeeded first, such as file.motd.",
    "lifecycle": "What may happen to it later.",
    "moved_from": "What the task was called before.",
    "retry": "Try again when it fails: attempts in all, and the delay in between.",
    "timeout": "How long one attempt may take.",
    "sensitive": "Params to mask everywhere; true for all.",
    "become": "The user to act as.",
    "reload_on": "Reload once any of these tasks has changed.",
    "restart_on": "Restart once any of these tasks has changed.",
    "run_on": "Run once any of these tasks has changed.",
}


def of_stack(kinds: Mapping[str, AnyModule] = SHIPPED) -> Schema:
    """The schema of a stack that may use these kinds."""
    shape = inspect.type_info(StackShape)
    assert isinstance(shape, inspect.StructType)  # noqa: S101 StackShape is a struct
    stack = _struct(shape.fields)
    properties = stack["properties"]
    properties["hosts"]["propertyNames"] = _named(HOST_PATTERN, "a host name of a-z, 0-9, dots and dashes")
    tasks = {kind: {"type": "object", "additionalProperties": {"$ref": f"#/definitions/{kind}"}} for kind in sorted(kinds)}
    names = _named(NAME_PATTERN, "a task name of letters, digits, and _ . @ - after the first")
    for kind, named in tasks.items():
        named |= {"description": kinds[kind].summary, "propertyNames": names}
    properties["tasks"] = {
        "type": "object",
        "description": "tasks.KIND.NAME",
        "properties": tasks,
        "additionalProperties": False,
    }
    definitions = {kind: _task(module) for kind, module in sorted(kinds.items())}
    return {
        "$schema": DIALECT,
        "title": "A g8r stack",
        **stack,
        "patternProperties": {f"^{FREE}": True},
        "definitions": {"reference": _WHOLE, **definitions},
    }


def _task(module: AnyModule) -> Schema:
    """A task's record; null, which YAML makes of nothing behind the colon, is a task without params."""
    params = inspect.type_info(module.Params)
    assert isinstance(params, inspect.StructType)  # noqa: S101 Params is a struct
    record = _struct((*params.fields, *meta_fields(module)), optional={module.natural})
    properties = record["properties"]
    for name, text in _META_DOCS.items():
        if name in properties and name not in module.Params.__struct_fields__:
            properties[name]["description"] = text
    if "moved_from" in properties:
        many = properties["moved_from"]
        properties["moved_from"] = {"anyOf": [many, many["anyOf"][0]["items"]], "description": many.pop("description")}
    if not record.get("required"):
        record["type"] = ["object", "null"]
    return {**record, "description": module.summary}


def _struct(fields: Iterable[inspect.Field], optional: Iterable[str | None] = ()) -> Schema:
    listed = list(fields)
    properties = {field.encode_name: _described(field) for field in listed}
    required = [field.encode_name for field in listed if field.required and field.encode_name not in optional]
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _described(field: inspect.Field) -> Schema:
    text = " ".join(description(field.type).split())
    schema = _schema(field.type)
    return {**schema, "description": text} if text else schema


def _schema(type_: inspect.Type, expected: str | None = None) -> Schema:
    match type_:
        case inspect.Metadata(type=inner, extra=extra):
            return _schema(inner, (extra or {}).get("expected", expected))
        case inspect.AnyType() | inspect.NoneType():
            return {} if isinstance(type_, inspect.AnyType) else {"type": "null"}
        case inspect.UnionType(types=types):
            return {"anyOf": _options(types, expected)}
        case inspect.StrType():
            return _text(type_, checks.wanted(type_, expected))
        case inspect.StructType() | inspect.DictType():
            return _record(type_)
        case _:
            return {"anyOf": [_plain(type_), _REFERENCE]}


def _options(types: Iterable[inspect.Type], expected: str | None) -> list[Schema]:
    """The options of a union, with those of the options themselves, each once."""
    found: list[Schema] = []
    for schema in (_schema(option, expected) for option in types):
        found += [option for option in schema.get("anyOf", [schema]) if option not in found]
    return found


def _text(type_: inspect.StrType, expected: str) -> Schema:
    schema: Schema = {"type": "string"}
    if type_.min_length:
        schema["minLength"] = type_.min_length
    if type_.pattern is not None:
        schema |= {"pattern": rf"(?:{type_.pattern})|(?:^|[^@])@\{{", "patternErrorMessage": f"expected {expected}"}
    return schema


def _record(type_: inspect.StructType | inspect.DictType) -> Schema:
    if isinstance(type_, inspect.StructType):
        return _struct(type_.fields)
    return {"type": "object", "additionalProperties": _schema(type_.value_type) or True}


def _plain(type_: inspect.Type) -> Schema:
    match type_:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            low, high = checks.bounds(type_)
            return {"type": "integer", "minimum": low, "maximum": high}
        case inspect.FloatType():
            return {"type": "number"}
        case inspect.LiteralType(values=values):
            return {"enum": list(values)}
        case inspect.ListType(item_type=element) | inspect.VarTupleType(item_type=element):
            schema: Schema = {"type": "array", "items": _schema(element)}
            return {**schema, "minItems": type_.min_length} if type_.min_length else schema
        case _:
            message = f"no schema for params of the type {type_}"
            raise TypeError(message)


def _named(pattern: str, expected: str) -> Schema:
    return {"pattern": f"^(?:{pattern})$", "patternErrorMessage": f"expected {expected}"}
