"""JSON and TOML to plain data, with the place of everything in it. Places are looked for only when one is asked for."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import msgspec

from g8r.compiler.positions import Place, Positions
from g8r.diagnostics import Diagnostic, DocumentPath, RejectedError, Severity, Span
from g8r.value import Value

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ATOM: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,\]}:]+')
_TABLE: Final = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT: Final = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'))*)\s*=\s*"""
)
_ENDLESS: Final = re.compile(r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}""")
"""A key of more parts than anything is nested deep: tomllib takes minutes for one of 100,000."""
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")


class _DuplicateError(ValueError):
    """A key that stands twice in one object."""


def load_json(source: bytes, file: str) -> tuple[Value, Positions]:
    """The value of a JSON source. Raises RejectedError with the line."""
    text = _text(source, file, "JSON")
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_float=_number, parse_int=_whole, parse_constant=_refuse)
    except json.JSONDecodeError as broken:
        raise _rejected("invalid-json", f"this is no JSON: {broken.msg}", Span(file, broken.lineno, broken.colno)) from broken
    except _DuplicateError as duplicate:
        raise _rejected("duplicate-key", str(duplicate), _second(text, file, duplicate.args[1])) from duplicate
    except (ValueError, RecursionError) as broken:
        reason = "it is nested too deep" if isinstance(broken, RecursionError) else str(broken)
        raise _rejected("invalid-json", f"this is no JSON for a stack: {reason}", Span(file, 1, 1)) from broken
    positions = JsonPositions(file, text)
    for path in _halves(value, ()):
        found = positions.find(path)
        span = Span(file, 1, 1) if found is None else found.value
        raise _rejected(
            "invalid-json", r"this is no JSON for a stack: \ud800 to \udfff are halves of characters, and one is alone here", span
        )
    return value, positions


def load_toml(source: bytes, file: str) -> tuple[Value, Positions]:
    """The value of a TOML source; dates become text. Raises RejectedError with the line."""
    import tomllib  # noqa: PLC0415 few stacks are TOML

    text = _text(source, file, "TOML")
    if endless := _ENDLESS.search(text):
        line, column = text.count("\n", 0, endless.start()) + 1, endless.start() - text.rfind("\n", 0, endless.start())
        raise _rejected("invalid-toml", "this is no TOML for a stack: a name of a hundred parts", Span(file, line, column))
    try:
        value = _plain(tomllib.loads(text))
    except tomllib.TOMLDecodeError as broken:
        found = re.search(r" \(at line (\d+), column (\d+)\)| \(at end of document\)", str(broken))
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (text.count("\n") + 1, 1)
        message = str(broken)[: found.start()] if found else str(broken)
        raise _rejected("invalid-toml", f"this is no TOML: {message}", Span(file, line, column)) from broken
    except RecursionError as broken:
        raise _rejected("invalid-toml", "this is no TOML for a stack: it is nested too deep", Span(file, 1, 1)) from broken
    except ValueError as broken:
        raise _rejected("invalid-toml", f"this is no TOML for a stack: {broken}", Span(file, 1, 1)) from broken
    return value, TomlPositions(file, text)


class _Indexed(Positions):
    """Positions from one scan of the text."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text

    def find(self, path: DocumentPath) -> Place | None:
        return self._places.get(path)

    @cached_property
    def _places(self) -> dict[DocumentPath, Place]:
        return dict(self._scan())

    def _scan(self) -> Iterator[tuple[DocumentPath, Place]]:
        raise NotImplementedError


class JsonPositions(_Indexed):
    """The source is known to be JSON, so the scan need not check it."""

    def _scan(self) -> Iterator[tuple[DocumentPath, Place]]:
        yield from scan_json(self._text, self._file)


class TomlPositions(_Indexed):
    """By lines: tables and keys exactly, what is inside of an inline array or table by the line it begins on."""

    def _scan(self) -> Iterator[tuple[DocumentPath, Place]]:
        table: DocumentPath = ()
        counts: dict[DocumentPath, int] = {}
        skip_to = 0
        offset = 0
        for number, line in enumerate(self._text.splitlines(keepends=True), 1):
            start, offset = offset, offset + len(line)
            if start < skip_to:
                continue
            if assignment := _ASSIGNMENT.match(line):
                path = (*table, *_keys(assignment[1]))
                key = Span(self._file, number, assignment.start(1) + 1)
                yield path, Place(Span(self._file, number, assignment.end() + 1), key)
                skip_to = _end_of_value(self._text, start + assignment.end())
            elif header := _TABLE.match(line):
                table = _in_arrays(tuple(_keys(header[2])), counts, new=header[1] == "[[")
                span = Span(self._file, number, line.index("[") + 1)
                for length in range(1, len(table) + 1):
                    yield table[:length], Place(span, span)


def scan_json(text: str, file: str) -> Iterator[tuple[DocumentPath, Place]]:
    """The place of every value in JSON, in order; a key that stands twice comes twice."""
    lines = _Lines(text, file)
    path: list[str | int] = []
    closers: list[str] = []
    key: Span | None = None
    at = _skip(text, 0)
    while at < len(text):
        mark = text[at]
        if mark in "]}":
            closers.pop()
            path.pop()
            key = None
            at += 1
        elif mark == ",":
            if isinstance(path[-1], int):
                path[-1] += 1
            at += 1
        elif closers and closers[-1] == "}" and key is None:
            found = _ATOM.match(text, at)
            assert found is not None  # noqa: S101 json.loads has taken it
            path[-1] = json.loads(found[0])
            key = lines.span(at)
            at = _skip(text, found.end()) + 1  # the colon
        else:
            yield tuple(path), Place(lines.span(at), key)
            key = None
            if mark in "[{":
                closers.append("]" if mark == "[" else "}")
                path.append(0 if mark == "[" else "")
                at += 1
            else:
                found = _ATOM.match(text, at)
                assert found is not None  # noqa: S101 json.loads has taken it
                at = found.end()
        at = _skip(text, at)


class _Lines:
    """Offsets, in growing order, as lines and columns."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._line = 1
        self._start = 0

    def span(self, at: int) -> Span:
        while (newline := self._text.find("\n", self._start, at)) >= 0:
            self._line += 1
            self._start = newline + 1
        return Span(self._file, self._line, at - self._start + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _without_duplicates(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                message = f'the key "{key}" stands twice in the same object'
                raise _DuplicateError(message, key)
            seen.add(key)
    return record


def _number(text: str) -> float:
    """As Nickel has numbers: 4.0 is 4."""
    value = float(text)
    if not math.isfinite(value):
        message = f"{text} is no number that JSON can hold"
        raise ValueError(message)
    return int(value) if value.is_integer() else value


def _whole(text: str) -> int:
    _number(text)
    return int(text)


def _refuse(constant: str) -> None:
    message = f"{constant} is no JSON"
    raise ValueError(message)


def _second(text: str, file: str, key: str) -> Span:
    """Where a key stands for the second time."""
    seen: set[DocumentPath] = set()
    for path, place in scan_json(text, file):
        if path and path[-1] == key and place.key is not None:
            if path in seen:
                return place.key
            seen.add(path)
    return Span(file, 1, 1)


def _halves(value: Value, at: DocumentPath) -> Iterator[DocumentPath]:
    """Where texts hold half a character, as JSON can write one; a key that does counts for its record."""
    match value:
        case str() if not value.isascii() and any("\ud800" <= mark <= "\udfff" for mark in value):
            yield at
        case dict():
            for key, part in value.items():
                yield from (*_halves(key, at), *_halves(part, (*at, key)))
        case list():
            for index, part in enumerate(value):
                yield from _halves(part, (*at, index))
        case _:
            return


def _plain(value: Any) -> Value:  # noqa: ANN401 what tomllib gives
    match value:
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case float():
            return _number(str(value))
        case int() if not isinstance(value, bool):
            return _whole(str(value))
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            plain: Value = value
            return plain


def _keys(dotted: str) -> list[str]:
    return [_key(found) for found in _KEY.findall(dotted)]


def _key(text: str) -> str:
    if text.startswith('"'):
        return str(msgspec.json.decode(text))
    return text.strip("'")


def _in_arrays(path: tuple[str, ...], counts: dict[DocumentPath, int], *, new: bool) -> DocumentPath:
    """A table's path with the index of every array of tables on the way."""
    found: DocumentPath = ()
    for index, part in enumerate(path):
        found = (*found, part)
        if new and index == len(path) - 1:
            counts[found] = counts.get(found, -1) + 1
        if found in counts:
            found = (*found, counts[found])
    return found


def _end_of_value(text: str, at: int) -> int:
    """Where a value that begins here ends: it may go over many lines."""
    depth = 0
    while at < len(text):
        for quote in ('"""', "'''", '"', "'"):
            if text.startswith(quote, at):
                at = _end_of_string(text, at + len(quote), quote)
                break
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(text[at], 0)
            if text[at] == "#":
                at = text.find("\n", at) if "\n" in text[at:] else len(text)
                continue
            if text[at] == "\n" and depth <= 0:
                return at
            at += 1
    return at


def _end_of_string(text: str, at: int, quote: str) -> int:
    while at < len(text) and not text.startswith(quote, at):
        at += 2 if text[at] == "\\" and quote.startswith('"') else 1
    return at + len(quote)


def _text(source: bytes, file: str, language: str) -> str:
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = source.count(b"\n", 0, broken.start) + 1
        raise _rejected(f"invalid-{language.lower()}", f"this is no {language}: it is not UTF-8", Span(file, line, 1)) from broken


def _rejected(code: str, summary: str, span: Span) -> RejectedError:
    return RejectedError([Diagnostic(Severity.ERROR, code, summary, "", None, span)])
