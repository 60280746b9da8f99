"""Nickel contracts from the kinds' Params: `contracts/kinds/*.ncl`. Pure: text in memory; a test holds the files in the tree to it.

A param's contract is named by its type's title (`Mode` is `Types.Mode` in contracts/lib/types.ncl, written by hand) or made from
the type. What a contract accepts is what `checks` accepts: null where a param may be left out, a text with a reference where text
is wanted, a whole reference anywhere. No default is written: defaults are filled in after decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import inspect

from g8r.compiler import checks
from g8r.compiler.kinds import SHIPPED
from g8r.compiler.nickel_text import string
from g8r.module import AnyModule

_KEYWORDS: Final = frozenset(
    (
        *("let", "in", "if", "then", "else", "fun", "import", "rec", "null", "true", "false", "forall", "match", "include"),
        *("default", "force", "doc", "optional", "priority", "not_exported"),
    )
)
_HEADER: Final = "# Generated from the kinds: `g8r schema --nickel`. Do not edit."


def generate(kinds: Mapping[str, AnyModule] = SHIPPED) -> dict[str, str]:
    """The generated files, by their path below `contracts/`."""
    files = {f"kinds/{kind}.ncl": _kind_file(module) for kind, module in sorted(kinds.items())}
    files["kinds/all.ncl"] = _index(sorted(kinds))
    return files


def _index(kinds: list[str]) -> str:
    # Named twice, and not taken over by `include`: the language server does not follow that.
    lines = [_HEADER, "let Kinds = {"]
    lines += [f'  {kind} = import "{kind}.ncl",' for kind in kinds]
    lines += ["} in", "{", "  ByKind = Kinds,", "  Tasks = {"]
    lines += [f"    {kind} | {{ _ | Kinds.{kind} }} | optional," for kind in kinds]
    return "\n".join([*lines, "  },", "}", ""])


def _kind_file(module: AnyModule) -> str:
    struct = inspect.type_info(module.Params)
    assert isinstance(struct, inspect.StructType)  # noqa: S101 Params is a struct
    fields, lets = [], dict[str, str]()
    for field in struct.fields:
        contract = contract_of(field.type)
        if " " in contract:  # made once, not for every task
            contract = lets.setdefault(contract, f"C{len(lets) + 1}")
        fields.append(_field(field, contract, optional=not field.required or field.encode_name == module.natural))
    metas = ["Common", *(["Become"] if module.becomes else []), *(f"Triggers.{name}" for name in sorted(module.triggers))]
    lines = [
        f"# {module.kind}: {module.summary}",
        _HEADER,
        'let Types = import "../lib/types.ncl" in',
        'let Meta = import "../lib/meta.ncl" in',
        *(f"let {name} = {contract} in" for contract, name in lets.items()),
        "{",
        *fields,
        "}",
        *(f"& Meta.{meta}" for meta in metas),
        "",
    ]
    return "\n".join(lines)


def _field(field: inspect.Field, contract: str, *, optional: bool) -> str:
    text = " ".join(description(field.type).split())
    doc = f" | doc {string(text)}" if text else ""
    name = string(field.encode_name) if field.encode_name in _KEYWORDS else field.encode_name
    return f"  {name} | {contract}{doc}{' | optional' if optional else ''},"


def description(type_: inspect.Type) -> str:
    """The doc of a param, from its `param(...)`."""
    match type_:
        case inspect.Metadata(extra_json_schema=schema, type=inner):
            return str((schema or {}).get("description") or description(inner))
        case inspect.UnionType(types=types):
            return next(filter(None, map(description, types)), "")
        case _:
            return ""


def contract_of(type_: inspect.Type, expected: str | None = None, title: str | None = None) -> str:
    """The Nickel contract of a type. `expected` words the error and `title` names the contract, where metadata has told."""
    match type_:
        case inspect.Metadata(type=inner, extra_json_schema=schema, extra=extra):
            return contract_of(inner, (extra or {}).get("expected", expected), (schema or {}).get("title", title))
        case inspect.UnionType(types=types):
            return _union(types, expected, title)
        case inspect.AnyType():
            return "Dyn"
        case inspect.StrType():
            return f"Types.{title}" if title else _text(type_, checks.wanted(type_, expected))
        case inspect.LiteralType(values=values):
            return f"Types.OneOf [{', '.join(map(string, values))}]"
        case _:
            return f"Types.Ref {_group(f'Types.{title}' if title else _plain(type_, checks.wanted(type_, expected)))}"


def _union(types: tuple[inspect.Type, ...], expected: str | None, title: str | None) -> str:
    rest = [option for option in types if not isinstance(option, inspect.NoneType)]
    nullable = len(rest) < len(types)
    contracts = [contract_of(option, expected, title) for option in rest]
    one = contracts[0] if len(contracts) == 1 else f"std.contract.any_of [{', '.join(contracts)}]"
    if not nullable or one == "Dyn":
        return one
    return _SHORT.get(one) or f"Types.Maybe {_group(one)}"


_SHORT: Final = {
    "String": "Types.MaybeText",
    "Types.Ref Bool": "Types.MaybeBool",
    **{f"Types.{name}": f"Types.Maybe{name}" for name in ("AbsolutePath", "AccountName", "Duration", "Mode")},
}
"""Contracts that have a shorter way to say "or null": one function call instead of two for every value."""


def _text(type_: inspect.StrType, expected: str) -> str:
    low, high = type_.min_length or 0, type_.max_length
    patterns = [] if type_.pattern is None else [type_.pattern]
    if low or high is not None:
        patterns.append(f"^(?s:.){{{low},{'' if high is None else high}}}$")
    contracts = [f"Types.Text {string(expected)} {string(pattern)}" for pattern in patterns]
    if len(contracts) > 1:
        return f"std.contract.Sequence [{', '.join(contracts)}]"
    return contracts[0] if contracts else "String"


def _plain(type_: inspect.Type, expected: str) -> str:
    match type_:
        case inspect.BoolType():
            return "Bool"
        case inspect.IntType():
            low, high = checks.bounds(type_)
            return f"Types.Between {string(expected)} ({low}) ({high})"
        case inspect.FloatType(ge=None, le=None):
            return "Number"
        case inspect.ListType(item_type=element) | inspect.VarTupleType(item_type=element):
            return f"Types.Filled {_group(contract_of(element))}" if type_.min_length else f"Array {_group(contract_of(element))}"
        case inspect.DictType(value_type=value):
            return f"{{ _ | {contract_of(value)} }}"
        case inspect.StructType(fields=fields):
            return f"{{ {' '.join(_field(field, contract_of(field.type), optional=not field.required) for field in fields)} }}"
        case _:
            message = f"no contract for params of the type {type_}"
            raise TypeError(message)


def _group(contract: str) -> str:
    return f"({contract})" if " " in contract and not contract.startswith("{") else contract
