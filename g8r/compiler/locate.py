"""From document paths to lines: where in the user's files a value was written.

For plain data the loader knows. For Nickel the evaluator is asked with an expression that fails at exactly that value, and its
report shows the place. Two probes, both lazy: only what is on the way to the value is evaluated. (Reading the source is left:
15 ms for a small one, 0.08 s for 2,000 tasks, 0.4 s for 10,000.)

- `(PARENT | { "key" | FailAlways, .. })."key"`: the report shows the field's own expression, `content = vars.env`.
- `VALUE & 'marker`: a merge that fails shows where the value itself was made. This one works for elements of arrays, and for
  records made by a function of a library, where the first shows the library.

A record made by `&`, or from an array, has no place: its first child that has one stands for it. A report counts only if it
holds the marker of the probe: another error may fire first.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from g8r.compiler import overrides as override
from g8r.compiler import report
from g8r.compiler.evaluator import Evaluator, Reported
from g8r.compiler.nickel_text import access, string
from g8r.compiler.overrides import Override
from g8r.compiler.positions import Positions
from g8r.diagnostics import Diagnostic, DocumentPath, Related, Span
from g8r.value import Value

MOST: Final = 20
"""How many places are looked up for one command, where nobody asks for more: each may take an evaluation."""
_MARKER: Final = "g8r-looks-for-this"
_CHILDREN: Final = 3
_AT_KEY: Final = frozenset({"unknown-key", "unknown-param", "unknown-kind", "invalid-name"})
"""Diagnostics about the name of a thing, and not about what stands behind it."""


class Locator(ABC):
    """Finds places. What it has found it remembers. `costly`: each place takes an evaluation of the stack."""

    costly: ClassVar[bool] = True

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._overrides = overrides
        self._found: dict[tuple[DocumentPath, bool], Span | None] = {}
        self._ahead: threading.Thread | None = None
        self._enough = threading.Event()

    def begin(self, paths: Iterable[DocumentPath]) -> None:
        """Look these up while the caller does other work; `locate` waits for that and then knows them. `end` it before the child."""
        if self.costly:
            self._ahead = threading.Thread(target=self._look_ahead, args=(tuple(paths),), name="places", daemon=True)
            self._ahead.start()

    def _look_ahead(self, paths: tuple[DocumentPath, ...]) -> None:
        for path in paths:
            if self._enough.is_set():
                return
            self._remembered(path, keys=False)

    def end(self) -> None:
        """Look nothing more up ahead; what is under way is waited for. What was not reached is looked up when it is asked for."""
        self._enough.set()
        self._joined()

    def _joined(self) -> None:
        if self._ahead is not None:
            self._ahead.join()
            self._ahead = None

    def locate(self, paths: Iterable[DocumentPath], most: int | None = MOST, *, keys: bool = False) -> dict[DocumentPath, Span]:
        """The place of each path that has one; of at most so many paths, the first. For a path that is not there, the nearest place
        around it. keys: the places of the names, not of what stands behind them.
        """
        self._joined()
        wanted = list(dict.fromkeys(paths))[:most]
        spans = {path: self._remembered(path, keys=keys) for path in wanted}
        return {path: span for path, span in spans.items() if span is not None}

    def _remembered(self, path: DocumentPath, *, keys: bool) -> Span | None:
        if (path, keys) not in self._found:
            origin = override.span_at(self._overrides, path)
            self._found[path, keys] = origin or self._find(path, keys=keys)
        return self._found[path, keys]

    @abstractmethod
    def _find(self, path: DocumentPath, *, keys: bool) -> Span | None: ...


class PlainLocator(Locator):
    """For YAML, JSON and TOML."""

    costly = False

    def __init__(self, positions: Positions, file: str, overrides: Sequence[Override] = ()) -> None:
        super().__init__(overrides)
        self._positions = positions
        self._file = file

    def _find(self, path: DocumentPath, *, keys: bool) -> Span | None:
        for length in range(len(path), 0, -1):
            place = self._positions.find(path[:length])
            if place is not None:
                return place.key if keys and place.key is not None and length == len(path) else place.value
        return Span(self._file, 1, 1)


class NickelLocator(Locator):
    """For Nickel. stack: the beginning of an expression, that calls the stack `stack`. document: what it evaluated to."""

    def __init__(
        self,
        evaluator: Callable[[], Evaluator],
        stack: str,
        file: str,
        hidden: Callable[[str], bool],
        document: Value,
        overrides: Sequence[Override] = (),
    ) -> None:
        super().__init__(overrides)
        self._evaluator = evaluator
        self._stack = stack
        self._file = file
        self._hidden = hidden
        self._document = document

    def _find(self, path: DocumentPath, *, keys: bool) -> Span | None:
        there = _existing(self._document, path)
        for length in range(len(there), 0, -1):
            span = self._place(there[:length])
            if span is not None:
                return _key_before(span, there[-1]) if keys and length == len(path) else span
        return Span(self._file, 1, 1)

    def _place(self, path: DocumentPath, depth: int = 0) -> Span | None:
        """The place of a value, or of its first child that has one."""
        probes = [_merge_probe(path)] if isinstance(path[-1], int) else [_contract_probe(path), _merge_probe(path)]
        for probe in probes:
            span = self._ask(probe)
            if span is not None:
                return span
        if depth < _CHILDREN:
            for child in _children(_value_at(self._document, path))[:_CHILDREN]:
                span = self._place((*path, child), depth + 1)
                if span is not None:
                    return span
        return None

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
    """The diagnostics with the places of what they speak of: of the first so many, since a place may take an evaluation."""
    spans: dict[tuple[DocumentPath, bool], Span] = {}
    wanted: list[tuple[DocumentPath, bool]] = []
    for diagnostic in diagnostics:
        if diagnostic.path is not None and diagnostic.span is None:
            wanted.append((diagnostic.path, _at_key(diagnostic)))
        wanted += [(related.path, False) for related in diagnostic.related if related.path is not None and related.span is None]
    for path, keys in list(dict.fromkeys(wanted))[:most]:
        for found in locator.locate([path], None, keys=keys).values():
            spans[path, keys] = found
    return tuple(_with_span(diagnostic, spans) for diagnostic in diagnostics)


def _with_span(diagnostic: Diagnostic, spans: dict[tuple[DocumentPath, bool], Span]) -> Diagnostic:
    span = diagnostic.span
    if span is None and diagnostic.path is not None:
        span = spans.get((diagnostic.path, _at_key(diagnostic)))
    related = tuple(_located(each, spans) for each in diagnostic.related)
    return msgspec.structs.replace(diagnostic, span=span, related=related)


def _located(related: Related, spans: dict[tuple[DocumentPath, bool], Span]) -> Related:
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
    for length in range(len(path)):
        if path[length] not in _children(_value_at(document, path[:length])):
            return path[:length]
    return path


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
