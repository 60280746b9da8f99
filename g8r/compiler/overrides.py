"""`--var` and `--vars`: values for a stack's vars from outside. Pure: files are read by `evaluate`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from g8r.compiler.nickel_text import literal, string
from g8r.diagnostics import Diagnostic, DocumentPath, RejectedError, Span, did_you_mean, error, reject
from g8r.value import Document, Value

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")


class Override(msgspec.Struct, frozen=True):
    """A new value for `vars.PATH`. `text` is what stood on the command line: it means what the var's own value is like."""

    path: tuple[str, ...]
    value: Value
    text: str | None
    span: Span

    @property
    def name(self) -> str:
        return ".".join(self.path)


def from_option(name: str, text: str) -> Override:
    """`--var NAME=TEXT`; the name may be a path, `db.port`."""
    if not _NAME.fullmatch(name):
        raise reject("invalid-var", f"--var {name}: this is no name of a var", "Write --var NAME=VALUE, as in --var env=prod.")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    return Override(tuple(name.split(".")), value, text, Span(f"--var {name}", 1, 1))


def from_document(document: Value, file: str, span: Span | None = None) -> Iterator[Override]:
    """The overrides of a vars file: one for each value that is no record."""
    if not isinstance(document, dict):
        raise reject("invalid-vars", f"{file} is no record of vars", "Write one value for each var, as in `env: prod`.")
    yield from _leaves(document, (), span or Span(file, 1, 1))


def last_wins(overrides: Iterable[Override]) -> tuple[Override, ...]:
    """One override for each var; a later one replaces those before it that stand at, above or below its place."""
    kept: dict[tuple[str, ...], Override] = {}
    for override in overrides:
        for path in [path for path in kept if _overlap(path, override.path)]:
            del kept[path]
        kept[override.path] = override
    return tuple(kept[path] for path in sorted(kept))


def span_at(overrides: Sequence[Override], path: DocumentPath) -> Span | None:
    """Where the value at a document path comes from, if from an override."""
    for override in overrides:
        place = ("vars", *override.path)
        if path[: len(place)] == place:
            return override.span
    return None


def apply(document: Value, overrides: Sequence[Override]) -> Value:
    """A plain document with other vars. Raises RejectedError for vars it does not declare."""
    if not overrides or not isinstance(document, dict):
        return document
    written = document.get("vars")
    before: Document = written if isinstance(written, dict) else {}
    missing = [override for override in overrides if not _declared(before, override.path)]
    if missing:
        raise RejectedError(undeclared(missing, before))
    after: Value = before
    for override in overrides:
        after = _replaced(after, override.path, override)
    return {**document, "vars": after}


def undeclared(missing: Iterable[Override], names: Iterable[str]) -> list[Diagnostic]:
    """The errors for overrides of vars that the stack does not have."""
    known = sorted(names)
    found = []
    for override in missing:
        name = override.name
        hint = did_you_mean(name, known) or (f" It declares {', '.join(known)}." if known else " It declares none.")
        diagnostic = error("unknown-var", f'the stack has no var "{name}"', f"vars.{name} must be declared in the stack.{hint}")
        found.append(msgspec.structs.replace(diagnostic, span=override.span))
    return found


def nickel(stack: str, overrides: Sequence[Override]) -> str:
    """A Nickel expression: the stack named `stack` with its vars overridden, by `Vars`, which is contracts/lib/vars.ncl."""
    if not overrides:
        return stack
    fields = ", ".join(f"{'.'.join(map(string, override.path))} | force = {_value(stack, override)}" for override in overrides)
    return f"({stack} & {{ vars = {{ {fields} }} }})"


def nickel_paths(overrides: Sequence[Override]) -> str:
    return literal([list(override.path) for override in overrides])


def _value(stack: str, override: Override) -> str:
    if override.text is None or override.value == override.text:
        return literal(override.value)
    return f"Vars.alike {stack} {literal(list(override.path))} {literal(override.text)} ({literal(override.value)})"


def _leaves(value: Document, at: tuple[str, ...], span: Span) -> Iterator[Override]:
    for key, part in value.items():
        if isinstance(part, dict) and part:
            yield from _leaves(part, (*at, key), span)
        else:
            yield Override((*at, key), part, None, span)


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _declared(record: Value, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(record, dict) or part not in record:
            return False
        record = record[part]
    return True


def _replaced(value: Value, path: Sequence[str], override: Override) -> Value:
    if not path:
        alike_text = value is None or isinstance(value, str)
        return override.text if override.text is not None and alike_text else override.value
    assert isinstance(value, dict)  # noqa: S101 it is declared
    return {**value, path[0]: _replaced(value[path[0]], path[1:], override)}
