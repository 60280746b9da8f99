"""The imports of a Nickel source, by its text alone: what stands behind the keyword `import`, and where.

A lexer with the rules of Nickel's own (nickel-lang-parser 0.4, `src/lexer.rs`): comments, strings with what is interpolated into
them, multi-line and symbolic strings with their counted percent signs, quoted tags. So nothing in a comment or a string is taken for an
import, and no import is missed, however it is spaced and wherever it stands. The name behind an import must be a literal, or Nickel
does not parse the file.

A brace or a string that is closed and was never opened ends the scan: no Nickel parses that, so nothing of the file is evaluated.
Whatever else it does not know (a name with something interpolated, an escape that there is not) a newer Nickel might: the scan says where
it stopped being sure, and what that means is the caller's to decide. A text is read only as far as the last `import` in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec

_FORMATS: Final = {".json": "Json", ".yaml": "Yaml", ".yml": "Yaml", ".toml": "Toml", ".txt": "Text", ".nix": "Nix"}
"""What a file is imported as, by its ending; Nickel by any other."""
_NORMAL: Final = re.compile(
    r"""(?P<skipped>[ \t\r\n]+|\#[^\n]*)
    |(?P<counted>m%+"|[a-zA-Z][_a-zA-Z0-9'-]*-s%+")
    |(?P<word>_*[a-zA-Z][_a-zA-Z0-9'-]*)
    |(?P<quote>'?")
    |(?P<tag>'_*[a-zA-Z][_a-zA-Z0-9'-]*)
    |(?P<number>0x[A-Fa-f0-9]+|0o[0-7]+|0b[01]+|[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<open>\{)
    |(?P<close>\})
    |(?P<sign>[_?,;:$=!&.+*/%@|<>()\[\]-])""",
    re.VERBOSE,
)
_BULK: Final = re.compile(
    r"""(?:[ \t\r\n?,;:$=!&.+*/@|<>()\[\]-]++
    |\#[^\n]*+
    |"[^"%\\]*+"
    |(?!import(?![_a-zA-Z0-9'-]))'?_*+[a-zA-Z][_a-zA-Z0-9'-]*+(?!%+")
    |[0-9]++(?![0-9.a-zA-Z])
    )++""",
    re.VERBOSE,
)
"""Tokens of `_NORMAL` that change nothing, many at once; what it does not take is left for that. Twice as fast in large sources."""
_STRING: Final = re.compile(
    r"""(?P<text>[^"%\\]+|%(?!\{))
    |(?P<end>")
    |(?P<interpolated>%\{)
    |\\x(?P<ascii>[0-7][A-Fa-f0-9])
    |\\u\{(?P<unicode>[A-Fa-f0-9]{1,6})\}
    |\\(?P<escaped>['"\\%nrt])""",
    re.VERBOSE,
)
_COUNTED: Final = re.compile(r'(?P<text>[^"%]+|"(?!%))|(?P<end>"%+(?!\{|%))|(?P<interpolated>"?%+\{)|(?P<percent>%+)')
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class Import(msgspec.Struct, frozen=True):
    """One import: the name of a file, or None where it is a package's; how it is read; where the name stands, from 1; its quoted length."""

    name: str | None
    form: str
    line: int
    column: int
    end_column: int


class Scan(msgspec.Struct, frozen=True):
    """The imports of one source. `unsure_at`: the line and column from which on it could not be read, where there is one."""

    imports: tuple[Import, ...]
    unsure_at: tuple[int, int] | None = None


class _UnreadableError(Exception):
    """What stands at an offset is nothing that this lexer knows."""

    def __init__(self, at: int) -> None:
        self.at = at
        super().__init__(at)


class _RefusedError(Exception):
    """What stands here is nothing that Nickel parses: the file is never evaluated."""


@lru_cache(maxsize=32)
def scan(text: str) -> Scan:
    """All imports of a source. Remembered: a source is asked for by the check, and twice by the cache."""
    last = text.rfind("import")
    found: list[Import] = []
    if last < 0:
        return Scan(())
    try:
        for each in _imports(text, last):
            found.append(each)  # noqa: PERF402 what was found before the scan stopped counts
    except _UnreadableError as unreadable:
        return Scan(tuple(found), place(text, unreadable.at))
    except _RefusedError:
        return Scan(tuple(found))
    return Scan(tuple(found))


def place(text: str, at: int) -> tuple[int, int]:
    """The line and the column of an offset, from 1."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def default_form(name: str) -> str:
    """What a file is imported as where nothing is said."""
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return _FORMATS.get(dot + ending, "Nickel") if stem else "Nickel"


def _imports(text: str, last: int) -> Iterator[Import]:
    """The imports, up to the offset of the last that there can be."""
    at = 0
    modes = _Modes()
    while at <= last:
        pattern = modes.pattern()
        bulk = _BULK.match(text, at) if pattern is _NORMAL else None
        if bulk is not None:
            at = bulk.end()
            continue
        match = pattern.match(text, at)
        if match is None:
            raise _UnreadableError(at)
        at = match.end()
        if match.lastgroup == "word" and match[0] == "import":
            found, at = _import(text, at)
            if found is not None:
                yield found
        else:
            modes.step(match)


class _Modes:
    """Where the lexer is: the braces that are open in each expression, and the strings around it (0 for plain, else the length of
    the delimiter).
    """

    def __init__(self) -> None:
        self._strings: list[int] = []
        self._braces: list[int] = [0]

    def pattern(self) -> re.Pattern[str]:
        if len(self._strings) < len(self._braces):
            return _NORMAL
        return _COUNTED if self._strings[-1] else _STRING

    def step(self, match: re.Match[str]) -> None:
        """Go on behind a token."""
        token = match[0]
        match match.lastgroup:
            case "open":
                self._braces[-1] += 1
            case "close":
                self._close()
            case "quote":
                self._strings.append(0)
            case "counted":
                self._strings.append(len(token) - token.index("%"))
            case "end" if len(token) > (self._strings[-1] or 1):
                raise _RefusedError  # more percent signs than at the start of the string
            case "end" if len(token) == (self._strings[-1] or 1):
                self._strings.pop()
            case "interpolated" if len(token.removeprefix('"')) >= self._strings[-1]:
                self._braces.append(0)
            case _:
                return

    def _close(self) -> None:
        if self._braces[-1]:
            self._braces[-1] -= 1
        elif len(self._braces) > 1:
            self._braces.pop()
        else:
            raise _RefusedError


def _import(text: str, at: int) -> tuple[Import | None, int]:
    """The import whose keyword ends here, and where it ends itself; None where it is none that Nickel would parse."""
    at = _skipped(text, at)
    start = _NORMAL.match(text, at)
    if start is None:
        raise _UnreadableError(at)
    line, column = place(text, at)
    if start.lastgroup == "word":
        return Import(None, "Nickel", line, column, column + len(start[0])), start.end()
    if start[0] != '"':
        raise _UnreadableError(at)
    name, end = _literal(text, start.end())
    form, after = _form(text, end)
    return Import(name, form or default_form(name), line, column, column + end - at), after


def _form(text: str, at: int) -> tuple[str | None, int]:
    """The name behind `as`, if there is one, and where it ends."""
    word = _NORMAL.match(text, _skipped(text, at))
    if word is None or word[0] != "as":
        return None, at
    tag = _NORMAL.match(text, _skipped(text, word.end()))
    if tag is None:
        raise _UnreadableError(word.end())
    if tag.lastgroup == "tag":
        return tag[0].removeprefix("'"), tag.end()
    if tag[0] == "'\"":
        return _literal(text, tag.end())
    raise _UnreadableError(word.end())


def _skipped(text: str, at: int) -> int:
    """Behind the white space and the comments that begin here."""
    while (match := _NORMAL.match(text, at)) is not None and match.lastgroup == "skipped":
        at = match.end()
    return at


def _literal(text: str, at: int) -> tuple[str, int]:
    """The string whose opening quote ends here, and where it ends."""
    parts: list[str] = []
    while True:
        match = _STRING.match(text, at)
        if match is None:
            raise _UnreadableError(at)
        at = match.end()
        match match.lastgroup:
            case "end":
                return "".join(parts).replace("\r\n", "\n"), at
            case "interpolated":
                raise _UnreadableError(match.start())
            case "ascii" | "unicode":
                parts.append(_character(match))
            case "escaped":
                parts.append(_ESCAPES.get(match["escaped"], match["escaped"]))
            case _:
                parts.append(match[0])


def _character(match: re.Match[str]) -> str:
    code = int(match["ascii"] or match["unicode"], 16)
    surrogate = 0xD800 <= code < 0xE000  # noqa: PLR2004 the range of Unicode
    if surrogate or code > 0x10FFFF:  # noqa: PLR2004 the last code point
        raise _UnreadableError(match.start())
    return chr(code)
