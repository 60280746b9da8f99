"""Nickel's reports, parsed: codespan's text (https://docs.rs/codespan-reporting) into Diagnostics with the user's own lines.

The text is parsed, and not the JSON that the command can give, because py-nickel gives text only, and both must say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from g8r.diagnostics import Diagnostic, Related, Severity, Span

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_HEAD: Final = re.compile(r"^(error|bug|warning|note|help)(?:\[\w+\])?: ?(.*)$")
_FRAME: Final = re.compile(r"^ *┌─ (.+):(\d+):(\d+)$")
_NOTE: Final = re.compile(r"^ *= (.*)$")
_SOURCE: Final = re.compile(r"^ *\d* *│")
_CODES: Final = (
    ("infinite recursion", "infinite-recursion"),
    ("import of ", "missing-import"),
    ("unbound identifier", "unbound-identifier"),
    ("missing definition", "missing-definition"),
    ("missing field", "missing-field"),
    ("non mergeable", "merge-conflict"),
    ("contract broken", "contract-broken"),
    ("incompatible types", "type-error"),
    ("non serializable", "not-plain-data"),
    ("unexpected", "syntax-error"),
    ("unmatched", "syntax-error"),
    ("parse error", "syntax-error"),
)
_ADVICE: Final = {
    "infinite-recursion": "A value is defined by itself. Follow the names from here until you are back.",
    "not-plain-data": "A stack is plain data: functions may be used in it, and must not be left in it.",
    "missing-definition": "Give it a value, or a default, or pass it with --var.",
}
_ELSE: Final = {"syntax-error": "Look at what stands right before it, too: most often a comma, a quote or a bracket is missing there."}
"""Where Nickel itself has nothing to say to it."""


class Frame(msgspec.Struct, frozen=True):
    """A place that a report shows, with the labels that were printed under its lines."""

    span: Span
    labels: str


class Section(msgspec.Struct, frozen=True):
    """One message of a report."""

    level: str
    message: tuple[str, ...]
    frames: tuple[Frame, ...]
    notes: tuple[str, ...]


def sections(report: str) -> tuple[Section, ...]:
    """The messages of a report, in the order they were printed."""
    found: list[list[str]] = []
    for line in _ANSI.sub("", report).splitlines():
        if _HEAD.match(line):
            found.append([line])
        elif found:
            found[-1].append(line)
    return tuple(_section(lines) for lines in found)


def diagnostics(report: str, hidden: Callable[[str], bool]) -> tuple[Diagnostic, ...]:
    """The errors of a report. hidden: whether a file is not the user's (an expression of ours, a library): its frames are dropped."""
    found = sections(report)
    stack = [frame for section in found if section.level == "note" for frame in section.frames]
    errors = [section for section in found if section.level in {"error", "bug"}]
    return tuple(_diagnostic(section, stack, hidden) for section in errors)


def visible(frames: Sequence[Frame], hidden: Callable[[str], bool]) -> list[Frame]:
    """The frames in files of the user."""
    return [frame for frame in frames if not frame.span.file.startswith("<") and not hidden(frame.span.file)]


def code_of(section: Section) -> str:
    """The code of a message, as its diagnostic has it."""
    return next((code for start, code in _CODES if start in section.message[0]), "evaluation-error")


def _section(lines: list[str]) -> Section:
    head = _HEAD.match(lines[0])
    assert head is not None  # noqa: S101 `sections` has looked
    message, notes = [head[2].strip()], list[str]()
    frames: list[tuple[Span, list[str]]] = []
    for line in lines[1:]:
        if place := _FRAME.match(line):
            frames.append((Span(place[1], int(place[2]), int(place[3])), []))
        elif note := _NOTE.match(line):
            notes.append(note[1].strip())
        elif _SOURCE.match(line):
            if frames:
                frames[-1][1].append(line)
        elif notes and line.strip():
            notes[-1] = f"{notes[-1]} {line.strip()}"
        elif not frames and line.strip():
            message.append(line.strip())
    return Section(head[1], tuple(filter(None, message)), tuple(Frame(span, "\n".join(text)) for span, text in frames), tuple(notes))


def _diagnostic(section: Section, stack: Sequence[Frame], hidden: Callable[[str], bool]) -> Diagnostic:
    summary = ": ".join(section.message)
    code = code_of(section)
    if re.search(r"unbound identifier `_anchor\d+`", summary):
        code, summary = "yaml-anchors", "a YAML file with anchors is imported, and Nickel cannot evaluate its aliases"
        detail = "Write out what the aliases stand for, or import it as JSON. As the stack itself, YAML may have anchors."
    else:
        detail = _ADVICE.get(code) or "\n".join(section.notes) or _ELSE.get(code, "")
    mine = visible(section.frames, hidden)
    places = mine or visible(stack, hidden)
    span = _best(places).span if places else None
    related = tuple(_related([*mine, *visible(stack, hidden)], span))
    return Diagnostic(Severity.ERROR, code, summary, detail, None, span, related)


def _best(frames: Sequence[Frame]) -> Frame:
    """The frame to point at: one with a caret, which codespan draws under what is to blame."""
    return next((frame for frame in frames if "^" in frame.labels), frames[0])


def _related(frames: Sequence[Frame], span: Span | None) -> Iterator[Related]:
    seen = {span}
    for frame in frames:
        if frame.span not in seen:
            seen.add(frame.span)
            yield Related("has to do with it", None, frame.span)
