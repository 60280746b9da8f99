"""Diagnostics as text: what is wrong, `--> FILE:LINE:COLUMN`, the line itself with the value underlined, what to do, other places.

error: unknown param "runing"
--> main.ncl:12:7
|
12 |       runing = true,
|       ^^^^^^
= service.nginx has no such param. Did you mean "running"?
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from g8r.diagnostics import Diagnostic, DocumentPath, Severity, Span, path_text
from g8r.render import style
from g8r.render.style import PLAIN, Palette, Style

Sources: TypeAlias = Mapping[str, Sequence[str]]
"""The lines of source files by name, without line ends; a file that is missing here is shown without its line."""

LIMIT: Final = 20
WIDEST: Final = 140
"""Columns of a source line that are shown; of a longer one, the part around the value."""

_WORD: Final = re.compile(r""" "(?:\\.|[^"\\])*" | [\w@/.-]+ """, re.VERBOSE)


def render(found: Iterable[Diagnostic], sources: Sources | None = None, palette: Palette = PLAIN, limit: int | None = LIMIT) -> str:
    """All of it, in the order of file, line and column, then a line with the counts. Where there are more than `limit`,
    errors are preferred to warnings, and how many are left out is said. Empty where there is nothing to say.
    """
    listed = ordered(found)
    if not listed:
        return ""
    chosen = listed
    if limit is not None and len(listed) > limit:
        first = sorted(range(len(listed)), key=lambda index: (listed[index].severity is not Severity.ERROR, index))[:limit]
        chosen = [listed[index] for index in sorted(first)]
    blocks = ["\n".join(lines(diagnostic, sources or {}, palette)) for diagnostic in chosen]
    if len(chosen) < len(listed):
        blocks.append(f"... and {len(listed) - len(chosen):,} more")
    failures = sum(diagnostic.severity is Severity.ERROR for diagnostic in listed)
    counted = [(failures, "error"), (len(listed) - failures, "warning")]
    blocks.append(", ".join(style.count(number, noun) for number, noun in counted if number))
    return "\n\n".join(blocks) + "\n"


def ordered(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file, line and column; what has no place comes last, by its path in the document. Each once."""
    unique = {_key(diagnostic): diagnostic for diagnostic in found}
    return [unique[key] for key in sorted(unique)]


def lines(diagnostic: Diagnostic, sources: Sources, palette: Palette = PLAIN) -> Iterator[str]:
    """One diagnostic."""
    painted: Style = "error" if diagnostic.severity is Severity.ERROR else "warning"
    spans = [span for span in (diagnostic.span, *(other.span for other in diagnostic.related)) if span]
    gutter = max((len(str(span.line)) for span in spans), default=1)
    title = palette.paint(painted, diagnostic.severity.value)
    yield f"{title}{palette.paint('strong', f': {_one_line(diagnostic.summary)}')}"
    yield from _where(diagnostic.span, diagnostic.path, gutter, palette)
    if diagnostic.span:
        yield from _excerpt(diagnostic.span, sources, gutter, palette, "^")
    for index, line in enumerate(style.clean_lines(diagnostic.detail) if diagnostic.detail else []):
        yield f"{' ' * gutter} {palette.paint('act', '=' if index == 0 else ' ')} {line}".rstrip()
    for other in diagnostic.related:
        yield f"{palette.paint('act', 'note')}: {_one_line(other.note)}"
        yield from _where(other.span, other.path, gutter, palette)
        if other.span:
            yield from _excerpt(other.span, sources, gutter, palette, "-")


def _where(span: Span | None, path: DocumentPath | None, gutter: int, palette: Palette) -> Iterator[str]:
    arrow = " " * gutter + palette.paint("act", "-->")
    if span:
        yield f"{arrow} {style.clean(str(span))}"
    elif path:
        yield f"{arrow} {style.clean(path_text(path))}"


def _excerpt(span: Span, sources: Sources, gutter: int, palette: Palette, mark: str) -> Iterator[str]:
    """The line of a span with its value underlined, to the line's end where the value goes on below."""
    source = sources.get(span.file, ())
    if not 1 <= span.line <= len(source):
        return
    line = source[span.line - 1]
    start = min(span.column - 1, len(line))
    end = max(min(_end(span, line, start), len(line)), start + 1)
    before, value, rest = (style.clean(part, keep="\t") for part in _window(line[:start], line[start:end], line[end:]))
    bar = palette.paint("act", "|")
    number = palette.paint("act", str(span.line).rjust(gutter))
    pad = "".join("\t" if char == "\t" else " " * style.width(char) for char in before)
    under = palette.paint("error" if mark == "^" else "act", mark * max(style.width(value.replace("\t", " ")), 1))
    yield f"{' ' * gutter} {bar}"
    yield f"{number} {bar} {before}{value}{rest}".rstrip()
    yield f"{' ' * gutter} {bar} {pad}{under}"


def _end(span: Span, line: str, start: int) -> int:
    """Where the underline ends: with the value, with the line where the value goes on below, with the word where nobody knows."""
    if span.end_column is not None and span.end_line in {None, span.line}:
        return span.end_column - 1
    if span.end_line is not None:
        return len(line.rstrip())
    word = _WORD.match(line, start)
    return word.end() if word else start + 1


def _window(before: str, value: str, rest: str) -> tuple[str, str, str]:
    """The part of a long line that is around the value."""
    if len(before) + len(value) + len(rest) <= WIDEST:
        return before, value, rest
    half = WIDEST // 2
    shown = before if len(before) <= half else "..." + before[-half:]
    if len(value) > half:
        return shown, value[:half], "..."
    return shown, value, rest if len(rest) <= half else rest[:half] + "..."


def _key(diagnostic: Diagnostic) -> tuple[bool, str, int, int, str, bool, str, str, str]:
    span = diagnostic.span
    where = (False, span.file, span.line, span.column) if span else (True, "", 0, 0)
    path = path_text(diagnostic.path) if diagnostic.path else ""
    warns = diagnostic.severity is not Severity.ERROR
    return (*where, path, warns, diagnostic.code, diagnostic.summary, diagnostic.detail)


def _one_line(text: str) -> str:
    return style.clean(" ".join(text.split()))
