"""The fields of a resource as lines: those of a new one, those that change, those that are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from g8r.plan import Step
from g8r.render import diff, style
from g8r.render.diff import Difference, Mark, Shown
from g8r.render.style import Palette, Style
from g8r.value import Document, Value

NEW_LINES: Final = 12
"""Lines of a new text that are shown where not all is asked for."""
DIFF_LINES: Final = 60
"""Lines of a diff that are shown where not all is asked for."""
WIDEST_LINE: Final = 400
"""Characters of a line of text that are shown where not all is asked for."""

_DERIVED: Final = frozenset({"checksum", "size"})
"""What says nothing more where the text itself is shown."""
_EMPTY: Final[tuple[Value, ...]] = ([], {}, "")
"""What says nothing of something new."""

_LINE_STYLES: Final[dict[str, Style]] = {"+": "create", "-": "delete", "@": "act"}


def new(found: Sequence[Difference], palette: Palette, *, full: bool) -> Iterator[str]:
    """What will be there: every field that is set to something, texts last."""
    there = [field for field in _telling(found, full=full) if field.after is not None and (full or field.after not in _EMPTY)]
    yield from _aligned(
        [(field.name, _shown(field.after, palette, full=full)) for field in there if not diff.is_text(field.after)], palette
    )
    for field in there:
        if isinstance(field.after, str) and diff.is_text(field.after):
            yield from _text(field.name, "", field.after, palette, full=full)


def changed(found: Sequence[Difference], palette: Palette, *, full: bool) -> Iterator[str]:
    """What differs, old to new, texts as diffs and last."""
    differing = [field for field in _telling(found, full=full) if field.differs]
    texts = [field for field in differing if (diff.is_text(field.before) or diff.is_text(field.after))]
    rest = [field for field in differing if field not in texts]
    yield from _aligned([(field.name, _change(field, palette, full=full)) for field in rest], palette)
    for field in texts:
        if isinstance(field.before, str | None) and isinstance(field.after, str | None):
            yield from _text(field.name, field.before or "", field.after or "", palette, full=full)
        else:
            yield f"{palette.paint('faint', style.clean(field.name) + ':')} {_change(field, palette, full=full)}"


def present(document: Document, sensitive: Iterable[str], palette: Palette, *, full: bool) -> Iterator[str]:
    """The fields of what is there, or of params."""
    return new(diff.between(None, document, (), sensitive), palette, full=full)


def run(step: Step, palette: Palette, *, full: bool) -> Iterator[str]:
    """What an act is given, and what it leaves: params, then the fields of the state that no param is called like."""
    hidden = (*step.sensitive, *step.sensitive_params, *step.sealed)
    left = {name: value for name, value in (step.after or {}).items() if name not in step.params}
    both: Document = {name: value for name, value in {**step.params, **left}.items() if value != step.identity}
    return new(diff.between(None, both, step.unknown, hidden), palette, full=full)


def _telling(found: Sequence[Difference], *, full: bool) -> Sequence[Difference]:
    """Without the checksum and size of a content that is shown itself, or must not be."""
    if full or not any(field.name == "content" and (isinstance(field.after, str) or field.after is diff.SENSITIVE) for field in found):
        return found
    return [field for field in found if field.name not in _DERIVED]


def _aligned(rows: Sequence[tuple[str, str]], palette: Palette) -> Iterator[str]:
    widest = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        label = f"{style.clean(name)}:"
        yield f"{palette.paint('faint', label)}{' ' * (widest + 2 - len(label))}{text}"


def _shown(value: Shown, palette: Palette, *, full: bool) -> str:
    if isinstance(value, Mark):
        return palette.paint("unknown" if value is diff.LATER else "faint", value.text)
    return style.value_text(value, full=full)


def _change(field: Difference, palette: Palette, *, full: bool) -> str:
    before, after = field.before, field.after
    if isinstance(before, list) and isinstance(after, list) and _is_set(before) and _is_set(after):
        return _set_change(before, after, palette, full=full)
    new_text = palette.paint("faint", "(none)") if after is None else _shown(after, palette, full=full)
    if before is None:
        return f"{palette.paint('faint', '(none)')} -> {new_text}"
    return f"{_shown(before, palette, full=full)} -> {new_text}"


def _set_change(before: list[Value], after: list[Value], palette: Palette, *, full: bool) -> str:
    """`[a, c]  (+c, -b)`: a list of plain values that all differ, as most lists in params are."""
    added = [f"+{style.value_text(value, full=full)}" for value in after if value not in before]
    gone = [f"-{style.value_text(value, full=full)}" for value in before if value not in after]
    old, new_text = style.value_text(before, full=full), style.value_text(after, full=full)
    delta = ", ".join([palette.paint("create", text) for text in added] + [palette.paint("delete", text) for text in gone])
    return f"{old} -> {new_text}" if not delta else f"{new_text}  ({delta})"


def _is_set(values: list[Value]) -> bool:
    return all(isinstance(value, str) for value in values) and len(set(map(str, values))) == len(values)


def _text(name: str, before: str, after: str, palette: Palette, *, full: bool) -> Iterator[str]:
    """A text under its name: as a diff, or, where there was none, just its lines."""
    lines = list(diff.text_lines(before, after))
    if not before:
        lines = [line for line in lines if not line.startswith("@@")]
    label = palette.paint("faint", f"{style.clean(name)}:")
    if not lines:  # they differ in what is shown alike, such as an escape and the character it stands for
        yield f"{label} {style.value_text(before, full=full)} -> {style.value_text(after, full=full)}"
        return
    yield label
    limit = len(lines) if full else DIFF_LINES if before else NEW_LINES
    if len(lines) == limit + 1:  # saying that one line is left out takes the line
        limit += 1
    for whole in lines[:limit]:
        line = whole if full or len(whole) <= WIDEST_LINE else f"{whole[:WIDEST_LINE]}... ({len(whole) - 1:,} characters)"
        painted = _LINE_STYLES.get(line[0])
        yield "  " + (palette.paint(painted, line) if painted else line)
    if len(lines) > limit:
        yield "  " + palette.paint("faint", f"({style.count(len(lines) - limit, 'more line')}, --full shows all)")
