"""What differs between two states, field by field, with what must not or cannot be shown replaced; and lines of text compared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import msgspec

from g8r.plan import Step
from g8r.render import style
from g8r.value import MASK, Document, Value

CONTEXT: Final = 3
"""Unchanged lines that are shown around changed ones."""

COSTLY: Final = 4_000
"""Lines on both sides above which a diff would take seconds; then all of one side is shown as replaced by the other."""

_HINTS: Final = ("checksum", "digest", "sha256", "hash", "size")


class Mark(msgspec.Struct, frozen=True):
    """What stands in place of a value."""

    text: str


SENSITIVE: Final = Mark(MASK)
LATER: Final = Mark("(known after apply)")

Shown: TypeAlias = "Value | Mark"


class Difference(msgspec.Struct, frozen=True):
    """One field before and after; None where it is not there or not set."""

    name: str
    before: Shown
    after: Shown
    differs: bool


def fields(step: Step) -> tuple[Difference, ...]:
    """All fields of a step's change, sorted by name."""
    return between(step.before, step.after, step.unknown, step.sensitive)


def between(
    before: Document | None, after: Document | None, unknown: Iterable[str] = (), sensitive: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """The fields of two states. A field is compared first and masked then, so that a changed secret still counts as changed."""
    old, new, later = before or {}, after or {}, frozenset(unknown)
    hidden = hidden_names(sensitive)
    found = []
    for name in sorted(old.keys() | new.keys() | later):
        first: Shown = old.get(name)
        second: Shown = LATER if name in later else new.get(name)
        differs = first != second
        if hidden:
            first, second = mask(name, first, hidden), mask(name, second, hidden)
        found.append(Difference(name, first, second, differs))
    return tuple(found)


def hidden_names(sensitive: Iterable[str]) -> frozenset[str]:
    """The fields to hide whole, where a name may also point into one (`vars.password`)."""
    return frozenset(name.partition(".")[0] for name in sensitive)


def mask(name: str, value: Shown, hidden: frozenset[str]) -> Shown:
    """The value, or the mask: for hidden fields, and beside them for digests and sizes, from which short secrets can be guessed."""
    if value is None or value is LATER or not hidden:
        return value
    if name in hidden or any(hint in name for hint in _HINTS):
        return SENSITIVE
    return SENSITIVE if isinstance(value, str) and style.is_digest(value) else value


def is_text(value: Shown) -> bool:
    """Whether a value is a text of lines, better shown as such."""
    return isinstance(value, str) and "\n" in value


def text_lines(before: str, after: str) -> Iterator[str]:
    """A unified diff without file names: `@@` heads, then lines with ` `, `-`, `+`; cleaned. A missing last newline is said."""
    old, new = _lines(before), _lines(after)
    if old == new:
        return
    if not old or not new:
        yield f"@@ -{_range(old)} +{_range(new)} @@"
        yield from ("-" + line for line in old)
        yield from ("+" + line for line in new)
        return
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    changed_old, changed_new = old[start : len(old) - end], new[start : len(new) - end]
    if len(changed_old) > COSTLY and len(changed_new) > COSTLY:
        yield f"@@ -{start + 1},{len(changed_old)} +{start + 1},{len(changed_new)} @@"
        yield from ("-" + line for line in changed_old)
        yield from ("+" + line for line in changed_new)
        return
    lead, tail = max(0, start - CONTEXT), min(CONTEXT, end)
    lines = difflib.unified_diff(old[lead : len(old) - end + tail], new[lead : len(new) - end + tail], n=CONTEXT, lineterm="")
    for index, line in enumerate(lines):
        if index > 1:  # the first two name the files
            yield _moved(line, lead) if line.startswith("@@") else line


def _lines(text: str) -> list[str]:
    if not text:
        return []
    lines = style.clean_lines(text)
    return lines if text.endswith("\n") else [*lines[:-1], lines[-1] + "  (no newline at the end)"]


def _range(lines: list[str]) -> str:
    """The range of a whole text in a `@@` head, as difflib writes it."""
    return "0,0" if not lines else "1" if len(lines) == 1 else f"1,{len(lines)}"


def _common(first: list[str], second: list[str]) -> int:
    """How many lines both begin with."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return min(len(first), len(second))


def _moved(head: str, by: int) -> str:
    """A `@@` head of a part as that of the whole."""
    if not by:
        return head
    parts = []
    for part in head.strip("@ ").split(" "):
        line, _, length = part[1:].partition(",")
        parts.append(f"{part[0]}{int(line) + by}" + (f",{length}" if length else ""))
    return f"@@ {' '.join(parts)} @@"
