"""The small change of rendering: colours, cleaned text, values in one line, counts, tables."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from g8r.diagnostics import Span
from g8r.value import Value

Style = Literal["create", "change", "delete", "replace", "act", "unknown", "error", "warning", "strong", "faint", "good"]

LONGEST_VALUE: Final = 120
"""Characters of a value in one line that are shown where not all is asked for."""

_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9_./@+:,=%~^*#-]+(?: [A-Za-z0-9_./@+:,=%~^*#-]+)*")
_DIGEST: Final = re.compile(r"(?:sha256|b2):[0-9a-f]{64}")
_SHORT_DIGEST: Final = 12
_STRINGS: Final = 1 << 12
_RESET: Final = "\x1b[0m"
_MINUTE, _HOUR = 60, 3600
_BYTE, _BASIC_PLANE = 0xFF, 0xFFFF


class Palette(msgspec.Struct, frozen=True):
    """Escape codes by style; no codes at all where the reader is no terminal."""

    codes: dict[Style, str] = {}

    def paint(self, style: Style, text: str) -> str:
        """The text in this style. The text must be clean already."""
        code = self.codes.get(style)
        return f"{code}{text}{_RESET}" if code and text else text


PLAIN: Final = Palette()
COLOUR: Final = Palette(
    {
        "create": "\x1b[32m",
        "change": "\x1b[33m",
        "delete": "\x1b[31m",
        "replace": "\x1b[35m",
        "act": "\x1b[36m",
        "unknown": "\x1b[34m",
        "error": "\x1b[1;31m",
        "warning": "\x1b[1;33m",
        "strong": "\x1b[1m",
        "faint": "\x1b[2m",
        "good": "\x1b[32m",
    }
)


def clean(text: str, keep: str = "") -> str:
    """The text with every unprintable character (controls, bidi overrides, lone surrogates) as its escape, save those in `keep`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def clean_lines(text: str) -> list[str]:
    """The lines of a text, each clean, tabs kept; split at newlines only, since those alone end a line in a file."""
    return [clean(line, keep="\t") for line in text.removesuffix("\n").split("\n")]


def value_text(value: Value, *, full: bool = False) -> str:
    """A value in one line: a plain string as it is, one that could be taken for something else in quotes, the rest as JSON."""
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value if full else value[: value.index(":") + 1 + _SHORT_DIGEST]
    text = _string_text(value) if isinstance(value, str) else _json(value)
    return text if full or len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}... ({len(text):,} characters, --full shows all)"


def is_digest(value: Value) -> bool:
    """Whether a value is a digest of something."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def place(span: Span | None) -> str:
    """Where in the source, as reviewers say it: `main.ncl:12`; empty where it is not known."""
    return f"{clean(span.file)}:{span.line}" if span else ""


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 host`, `4,000 hosts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def some(names: Sequence[str], limit: int = 3) -> str:
    """The first few names: `a, b, c and 7 more`."""
    shown = ", ".join(clean(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def duration(seconds: float) -> str:
    """`0.1s`, `12.0s`, `2m05s`, `1h02m`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"


def width(text: str) -> int:
    """How many columns of a terminal a clean text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], palette: Palette = PLAIN) -> list[str]:
    """Aligned lines under a head; every cell is cleaned. Nothing where there are no rows."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        return []
    columns = [max(width(row[index]) for row in [list(head), *cells]) for index in range(len(head))]
    lines = ["  ".join(cell + " " * (columns[index] - width(cell)) for index, cell in enumerate(row)).rstrip() for row in cells]
    title = "  ".join(name.ljust(columns[index]) for index, name in enumerate(head)).rstrip()
    return [palette.paint("strong", title), *lines]


def _escape(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    code = ord(char)
    return named or (f"\\x{code:02x}" if code <= _BYTE else f"\\u{code:04x}" if code <= _BASIC_PLANE else f"\\U{code:08x}")


def _json(value: Value) -> str:
    """JSON in one line, with spaces for the eye, unprintable characters escaped."""
    return clean(json.dumps(value, ensure_ascii=False, sort_keys=True))


@lru_cache(_STRINGS)
def _string_text(value: str) -> str:
    """Remembered: two thousand files have few owners and modes."""
    return value if _PLAIN_WORDS.fullmatch(value) and not _is_json(value) and "->" not in value else _json(value)


def _is_json(text: str) -> bool:
    """Whether the text reads as a number, true, false or null, so that a string of it needs quotes."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
