"""From document paths to lines: where in the user's files a value was written.

For plain data the loader knows. For Nickel, `nickel_scan` reads the places of literals from the text. For the others the evaluator is
asked with an expression that fails at exactly that value, and its report shows the place. Two probes, both lazy: only what is on the
way to the value is evaluated. (Reading the source is left: 15 ms for a small one, 0.08 s for 2,000 tasks, 0.4 s for 10,000.)

- `(PARENT | { "key" | FailAlways, .. })."key"`: the report shows the field's own expression, `content = vars.env`.
- `VALUE & 'marker`: a merge that fails shows where the value itself was made. This one works for elements of arrays, and for
  records made by a function of a library, where the first shows the library.

A record made by `&`, or from an array, has no place: its first child that has one stands for it. A report counts only if it
holds the marker of the probe: another error may fire first.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from g8r.compiler import overrides as override
from g8r.compiler import report
from g8r.compiler.evaluator import Evaluator, Reported
from g8r.compiler.nickel_text import access, string
from g8r.compiler.overrides import Override
from g8r.compiler.positions import Positions
from g8r.diagnostics import Diagnostic, DocumentPath, Related, Span
from g8r.value import Value

if TYPE_CHECKING:
    from g8r.compiler.nickel_scan import NickelPositions

MOST: Final = 20
"""How many places the evaluator is asked for by one command, where nobody asks for more."""
_MARKER: Final = "g8r-looks-for-this"
_CHILDREN: Final = 3
_AT_KEY: Final = frozenset({"unknown-key", "unknown-param", "unknown-kind", "invalid-name"})
"""Diagnostics about the name of a thing, and not about what stands behind it."""


Wanted: TypeAlias = tuple[DocumentPath, bool]
"""What is looked for: the value at a path, or its name."""


class Locator(ABC):
    """Finds places. What it has found it remembers."""

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._overrides = overrides
        self._found: dict[Wanted, Span | None] = {}
        self._ahead: threading.Thread | None = None
        self._enough = threading.Event()

    def begin(self, paths: Iterable[DocumentPath]) -> None:
        """Look these up while the caller does other work, if it takes evaluations; `locate` waits for that and then knows them.
        `end` it before the child.
        """
        asked = [(path, False) for path in paths if not self._is_known((path, False))]
        if asked:
            self._ahead = threading.Thread(target=self._look_ahead, args=(asked,), name="places", daemon=True)
            self._ahead.start()

    def _look_ahead(self, asked: Sequence[Wanted]) -> None:
        for path, keys in asked:
            if self._enough.is_set():
                return
            self._found[path, keys] = self._asked(path, keys=keys)

    def end(self) -> None:
        """Look nothing more up ahead; what is under way is waited for. What was not reached is looked up when it is asked for."""
        self._enough.set()
        self._joined()

    def _joined(self) -> None:
        if self._ahead is not None:
            self._ahead.join()
            self._ahead = None

    def locate(self, paths: Iterable[DocumentPath], most: int | None = MOST, *, keys: bool = False) -> dict[DocumentPath, Span]:
        """The place of each path that has one. Of those that take an evaluation each at most so many are looked up, the first.
        For a path that is not there, the nearest place around it. keys: the places of the names, not of what stands behind them.
        """
        return {path: span for (path, _), span in self.places(((path, keys) for path in paths), most).items()}

    def places(self, wanted: Iterable[Wanted], most: int | None = MOST) -> dict[Wanted, Span]:
        """As `locate`, of values and of names."""
        self._joined()
        asked = 0
        spans: dict[Wanted, Span] = {}
        for path, keys in dict.fromkeys(wanted):
            if not self._is_known((path, keys)):
                if most is not None and asked >= most:
                    continue
                asked += 1
                self._found[path, keys] = self._asked(path, keys=keys)
            span = self._found[path, keys]
            if span is not None:
                spans[path, keys] = span
        return spans

    def _is_known(self, wanted: Wanted) -> bool:
        """Whether it takes no evaluation to find a place; it is found then."""
        if wanted not in self._found:
            path, keys = wanted
            span = override.span_at(self._overrides, path) or self._read(path, keys=keys)
            if span is None:
                return False
            self._found[wanted] = span
        return True

    @abstractmethod
    def _read(self, path: DocumentPath, *, keys: bool) -> Span | None:
        """The place, where it can be known without an evaluation."""

    @abstractmethod
    def _asked(self, path: DocumentPath, *, keys: bool) -> Span | None:
        """The place, by evaluations."""


class PlainLocator(Locator):
    """For YAML, JSON and TOML."""

    def __init__(self, positions: Positions, file: str, overrides: Sequence[Override] = ()) -> None:
        super().__init__(overrides)
        self._positions = positions
        self._file = file

    def _read(self, path: DocumentPath, *, keys: bool) -> Span:
        for length in range(len(path), 0, -1):
            place = self._positions.find(path[:length])
            if place is not None:
                return place.key if keys and place.key is not None and length == len(path) else place.value
        return Span(self._file, 1, 1)

    def _asked(self, path: DocumentPath, *, keys: bool) -> Span:
        return self._read(path, keys=keys)


class NickelLocator(Locator):
    """For Nickel. stack: the beginning of an expression, that calls the stack `stack`. document: what it evaluated to.
    positions: what can be read from its text, if that is a file's.
    """

    def __init__(
        self,
        evaluator: Callable[[], Evaluator],
        stack: str,
        file: str,
        hidden: Callable[[str], bool],
        document: Value,
        overrides: Sequence[Override] = (),
        positions: NickelPositions | None = None,
    ) -> None:
        super().__init__(overrides)
        self._evaluator = evaluator
        self._stack = stack
        self._file = file
        self._hidden = hidden
        self._document = document
        self._positions = positions

    def _read(self, path: DocumentPath, *, keys: bool) -> Span | None:
        there = _existing(self._document, path)
        span = self._written(there) if there else Span(self._file, 1, 1)
        return self._key(path, span) if keys and span is not None and there and len(there) == len(path) else span

    def _written(self, path: DocumentPath, depth: int = 0) -> Span | None:
        """The place of a value as it can be read: just what `_place` finds, or None."""
        if self._overrides and any(_overlap(("vars", *each.path), path) for each in self._overrides):
            return None
        place = None if self._positions is None else self._positions.find(path)
        if self._positions is None or place is not None:
            return None if place is None else place.value
        children = _children(_value_at(self._document, path)) if depth < _CHILDREN and self._positions.merged(path) else []
        return self._written((*path, children[0]), depth + 1) if children else None

    def _key(self, path: DocumentPath, span: Span) -> Span:
        place = None if self._positions is None else self._positions.find(path)
        return place.key if place is not None and place.key is not None else _key_before(span, path[-1])

    def _asked(self, path: DocumentPath, *, keys: bool) -> Span:
        there = _existing(self._document, path)
        for length in range(len(there), 0, -1):
            span = self._place(there[:length])
            if span is not None:
                return self._key(path, span) if keys and length == len(path) else span
        return Span(self._file, 1, 1)

    def _place(self, path: DocumentPath, depth: int = 0) -> Span | None:
        """The place of a value, or of its first child that has one."""
        span = self._written(path, depth) or self._probed(path)
        if span is None and depth < _CHILDREN:
            for child in _children(_value_at(self._document, path))[:_CHILDREN]:
                span = self._place((*path, child), depth + 1)
                if span is not None:
                    break
        return span

    def _probed(self, path: DocumentPath) -> Span | None:
        """The place of exactly this value, as the evaluator reports it."""
        probes = [_merge_probe(path)] if isinstance(path[-1], int) else [_contract_probe(path), _merge_probe(path)]
        return next((span for span in map(self._ask, probes) if span is not None), None)

    def _ask(self, probe: str) -> Span | None:
        answer = self._evaluator().evaluate(f"{self._stack}\n{probe}")
        if not isinstance(answer, Reported):
            return None
        for section in report.sections(answer.report):
            if section.level == "error":
                text = "\n".join((*section.message, *(frame.labels for frame in section.frames)))
                mine = report.visible(section.frames, self._hidden)
                return mine[0].span if mine and _MARKER in text else None
        return None


def with_spans(diagnostics: Sequence[Diagnostic], locator: Locator, most: int | None = MOST) -> tuple[Diagnostic, ...]:
    """The diagnostics with the places of what they speak of. Of those that take an evaluation each, the first so many are found."""
    wanted: list[Wanted] = []
    for diagnostic in diagnostics:
        if diagnostic.path is not None and diagnostic.span is None:
            wanted.append((diagnostic.path, _at_key(diagnostic)))
        wanted += [(related.path, False) for related in diagnostic.related if related.path is not None and related.span is None]
    spans = locator.places(wanted, most)
    return tuple(_with_span(diagnostic, spans) for diagnostic in diagnostics)


def _with_span(diagnostic: Diagnostic, spans: Mapping[Wanted, Span]) -> Diagnostic:
    span = diagnostic.span
    if span is None and diagnostic.path is not None:
        span = spans.get((diagnostic.path, _at_key(diagnostic)))
    related = tuple(_located(each, spans) for each in diagnostic.related)
    return msgspec.structs.replace(diagnostic, span=span, related=related)


def _located(related: Related, spans: Mapping[Wanted, Span]) -> Related:
    if related.span is not None or related.path is None:
        return related
    return msgspec.structs.replace(related, span=spans.get((related.path, False)))


def _at_key(diagnostic: Diagnostic) -> bool:
    return diagnostic.code in _AT_KEY and bool(diagnostic.path) and isinstance((diagnostic.path or (0,))[-1], str)


def _contract_probe(path: DocumentPath) -> str:
    key = string(path[-1])
    fail = f"std.contract.custom (fun _label _value => 'Error {{ message = {string(_MARKER)} }})"
    return f"let FailAlways = {fail} in\n({access('stack', path[:-1])} | {{ {key} | FailAlways, .. }}).{key}"


def _merge_probe(path: DocumentPath) -> str:
    return f"({access('stack', path)})\n& '{_MARKER}"


def _existing(document: Value, path: DocumentPath) -> DocumentPath:
    """As much of a path as there is in the document."""
    for length, part in enumerate(path):
        match document, part:
            case dict(), str() if part in document:
                document = document[part]
            case list(), int() if 0 <= part < len(document):
                document = document[part]
            case _:
                return path[:length]
    return path


def _overlap(one: DocumentPath, other: DocumentPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _value_at(document: Value, path: DocumentPath) -> Value:
    for part in path:
        match document, part:
            case dict(), str():
                document = document[part]
            case list(), int():
                document = document[part]
            case _:
                return None
    return document


def _children(value: Value) -> list[str | int]:
    match value:
        case dict():
            return list(value)
        case list():
            return list(range(len(value)))
        case _:
            return []


def _key_before(span: Span, key: str | int) -> Span:
    """The place of a field's name: it stands before the value, in the same line where people write it as they do."""
    try:
        lines = Path(span.file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return span
    if span.line > len(lines):
        return span
    column = lines[span.line - 1].rfind(str(key), 0, span.column - 1)
    return span if column < 0 else Span(span.file, span.line, column + 1)
