"""References: `@{...}` in a string stands for what is known only later. `@@{` is a literal `@{`.

A string that is nothing but one reference takes the value it resolves to, with its type; otherwise what it resolves to is
interpolated as text. The resolver lives here, at the root, because agents resolve too and carry no compiler.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, assert_never

import msgspec

from g8r import selector as selectors
from g8r.address import HOST_PATTERN, KIND_PATTERN, NAME_PATTERN
from g8r.selector import Labels
from g8r.value import Partial, Unknown, Value, unknowns


class OutputReference(msgspec.Struct, frozen=True, tag="output"):
    """`@{file.conf.checksum}`, `@{db1/service.pg.port}`, `@{[role=web]/service.nginx.address}`."""

    kind: str
    name: str
    output: str
    host: str | Labels | None = None

    @property
    def task(self) -> str:
        return f"{self.kind}.{self.name}"


class HostReference(msgspec.Struct, frozen=True, tag="host"):
    """`@{host.name}`, `@{host.labels.role}`, `@{host.vars.x}`, `@{host.facts.os.family}`; `host` as for outputs."""

    path: tuple[str, ...]
    host: str | Labels | None = None


class VarReference(msgspec.Struct, frozen=True, tag="var"):
    """`@{vars.env}`."""

    path: tuple[str, ...]


class SecretReference(msgspec.Struct, frozen=True, tag="secret"):
    """`@{secret.db/password}`: resolved where it is used, never in a plan."""

    name: str


Reference: TypeAlias = OutputReference | HostReference | VarReference | SecretReference
Template: TypeAlias = "tuple[str | Reference, ...]"
Lookup: TypeAlias = Callable[[Reference], Partial]
"""Gives what a reference stands for: a value, or an `Unknown`."""
PartLookup: TypeAlias = "Callable[[Reference], Value | Reference]"
"""Gives a value, or the reference itself where a later resolver knows it."""


class InvalidReferenceError(ValueError):
    """A `@{...}` that is no reference; the message says what was expected."""


_MARK: Final = "@{"
_TOKEN: Final = re.compile(r"@@\{|@\{([^{}]*)(\}?)")
_OUTPUT: Final = re.compile(rf"(?P<kind>{KIND_PATTERN})\.(?P<name>{NAME_PATTERN})\.(?P<output>[a-z][a-z0-9_]*)")
_HOSTED: Final = re.compile(rf"(?:(?P<host>{HOST_PATTERN})|\[(?P<labels>[^\]]*)\])/(?P<rest>.+)")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
RESERVED: Final = frozenset({"host", "vars", "secret"})
"""First words of references; no kind may be called so."""


def parse(text: str) -> Template:
    """The literal and referring parts of a string, in order. Raises InvalidReferenceError."""
    parts: list[str | Reference] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        if token.group() == "@@{":
            literal += _MARK
            continue
        if not token[2]:
            message = f"{token.group()!r} is not closed; write @@{{ for a literal @{{"
            raise InvalidReferenceError(message)
        if literal:
            parts.append(literal)
        literal = ""
        parts.append(parse_reference(token[1]))
    literal += text[end:]
    if literal or not parts:
        parts.append(literal)
    return tuple(parts)


def parse_reference(inner: str) -> Reference:
    """The reference between `@{` and `}`. Raises InvalidReferenceError."""
    if inner.startswith("secret."):
        return SecretReference(inner.removeprefix("secret."))
    hosted = _HOSTED.fullmatch(inner)
    host: str | Labels | None = None
    rest = inner
    if hosted:
        rest = hosted["rest"]
        host = hosted["host"] or _labels(inner, hosted["labels"])
    first, _, tail = rest.partition(".")
    path = tuple(tail.split(".")) if tail else ()
    if first in {"host", "vars"} and path and all(_SEGMENT.fullmatch(segment) for segment in path):
        if first == "host":
            return HostReference(path, host)
        if host is None:
            return VarReference(path)
    output = _OUTPUT.fullmatch(rest)
    if output is None or output["kind"] in RESERVED:
        message = f"@{{{inner}}} is no reference: expected [HOST/ or [LABELS]/]KIND.NAME.OUTPUT, host.NAME, vars.NAME or secret.NAME"
        raise InvalidReferenceError(message)
    return OutputReference(output["kind"], output["name"], output["output"], host)


def text_of(reference: Reference) -> str:
    """The reference as a user writes it, with its `@{}`."""
    match reference:
        case OutputReference(kind=kind, name=name, output=output, host=host):
            return f"@{{{_prefix(host)}{kind}.{name}.{output}}}"
        case HostReference(path=path, host=host):
            return f"@{{{_prefix(host)}host.{'.'.join(path)}}}"
        case VarReference(path=path):
            return f"@{{vars.{'.'.join(path)}}}"
        case SecretReference(name=name):
            return f"@{{secret.{name}}}"
        case _:
            assert_never(reference)


def host_text(host: str | Labels | None) -> str:
    """The host of a reference as a user writes it, without the slash; empty where there is none."""
    match host:
        case None:
            return ""
        case str():
            return host
        case Labels(requirements=requirements):
            return f"[{','.join(selectors.requirement_text(requirement) for requirement in requirements)}]"
        case _:
            assert_never(host)


def whole(text: str) -> Reference | None:
    """The reference where the string is nothing but one, else None. Raises InvalidReferenceError."""
    if not text.startswith(_MARK):
        return None
    parts = parse(text)
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], str) else None


def walk(value: Value, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every string in a value that may hold a reference or its escape, with its path inside the value."""
    match value:
        case str():
            if _MARK in value:
                yield at, value
        case list():
            for index, part in enumerate(value):
                yield from walk(part, (*at, index))
        case dict():
            for key, part in value.items():
                yield from walk(part, (*at, key))
        case _:
            return


def may_refer(value: Value) -> bool:
    """Whether there is anything in a value to `walk` over: False of most, at the price of a look."""
    return _MARK in value if isinstance(value, str) else isinstance(value, list | dict)


def references(value: Value) -> Iterator[Reference]:
    """Every reference in a value, in document order. Raises InvalidReferenceError."""
    for _, text in walk(value):
        for part in parse(text):
            if not isinstance(part, str):
                yield part


def resolve(value: Value, lookup: Lookup) -> Partial:
    """The value with every reference replaced by what `lookup` gives, and escapes made literal: the last step.

    What a lookup gives is inert: a `@{` in it is text. A text around an `Unknown` is unknown as a whole.
    """
    match value:
        case str():
            return _resolve_text(value, lookup) if _MARK in value else value
        case list():
            return [resolve(part, lookup) for part in value]
        case dict():
            return {key: resolve(part, lookup) for key, part in value.items()}
        case _:
            return value


def substitute(value: Value, lookup: PartLookup) -> Value:
    """The value with the references replaced that `lookup` knows; the result is still to be resolved, so what was put in is escaped.

    Raises InvalidReferenceError where a text cannot be written as one: its literal part ends in `@` right before a reference.
    """
    match value:
        case str():
            return _substitute_text(value, lookup) if _MARK in value else value
        case list():
            return [substitute(part, lookup) for part in value]
        case dict():
            return {key: substitute(part, lookup) for key, part in value.items()}
        case _:
            return value


def lookup_path(path: tuple[str, ...], values: Mapping[str, Value]) -> tuple[Value, bool]:
    """What stands at `path` in nested records, and whether there is such a place."""
    current: Value = dict(values)
    for segment in path:
        if not isinstance(current, dict) or segment not in current:
            return None, False
        current = current[segment]
    return current, True


def interpolated(value: Value) -> str:
    """How a value reads inside a text: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def escape(value: Value) -> Value:
    """The value with nothing in it taken for a reference."""
    match value:
        case str():
            return value.replace(_MARK, "@" + _MARK)
        case list():
            return [escape(part) for part in value]
        case dict():
            return {key: escape(part) for key, part in value.items()}
        case _:
            return value


def _resolve_text(text: str, lookup: Lookup) -> Partial:
    parts = parse(text)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return lookup(parts[0])
    found = [part if isinstance(part, str) else lookup(part) for part in parts]
    reasons = sorted({reason for part in found for reason in unknowns(part)})
    if reasons:
        return Unknown(", ".join(reasons))
    return "".join(part if isinstance(part, str) else msgspec.json.encode(part).decode() for part in found)


def _substitute_text(text: str, lookup: PartLookup) -> Value:
    parts = parse(text)
    if len(parts) == 1 and not isinstance(parts[0], str):
        found = lookup(parts[0])
        return text_of(found) if isinstance(found, _REFERENCES) else escape(found)
    text, literal = "", ""
    for part in parts:
        found = part if isinstance(part, str) else lookup(part)
        if not isinstance(found, _REFERENCES):
            literal += interpolated(found)
            continue
        if literal.endswith("@"):
            message = f"a literal @ cannot stand right before {text_of(found)}, because @@{{ is how a literal @{{ is written"
            raise InvalidReferenceError(message)
        text, literal = text + interpolated(escape(literal)) + text_of(found), ""
    return text + interpolated(escape(literal))


_REFERENCES: Final = (OutputReference, HostReference, VarReference, SecretReference)


def _labels(inner: str, text: str) -> Labels:
    try:
        return selectors.parse_labels(text)
    except selectors.InvalidSelectorError as invalid:
        message = f"@{{{inner}}}: {invalid}"
        raise InvalidReferenceError(message) from invalid


def _prefix(host: str | Labels | None) -> str:
    text = host_text(host)
    return f"{text}/" if text else ""
