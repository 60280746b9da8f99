"""Stacks as tests need them: each is evaluated once for the vars that it is given, many of them in one expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from g8r.compiler import overrides, sources
from g8r.compiler import source as source_files
from g8r.compiler.compile import Compiled, compile_stack
from g8r.compiler.decode import decode
from g8r.compiler.evaluate import Loaded, Pending
from g8r.compiler.evaluator import Evaluated
from g8r.compiler.kinds import SHIPPED
from g8r.compiler.languages import NickelStack
from g8r.compiler.locate import MOST
from g8r.diagnostics import Diagnostic, RejectedError, Span
from g8r.stack import Stack
from g8r.testing.child import Child
from g8r.value import Document, Value, canonical

GIVEN: Final = "(the test's vars)"
"""What a span names as the file of a var that a test gives."""
_TOGETHER: Final = 16
"""Evaluations in one expression: so many share what it takes to read the sources and the contracts."""


class Wanted(msgspec.Struct, frozen=True):
    """A stack with its vars."""

    stack: Path
    vars: Document

    @property
    def key(self) -> tuple[Path, bytes]:
        return self.stack, canonical(self.vars)


class Given(msgspec.Struct, frozen=True):
    """A stack as a test has it: whole, or as much of it as can be understood, with `mistakes`."""

    stack: Stack
    mistakes: tuple[Diagnostic, ...]
    loaded: Loaded
    folder: Path


class Loads:
    """The stacks of a run of tests. `ahead` evaluates many; `load` gives one."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._loaded: dict[tuple[Path, bytes], Loaded | RejectedError] = {}
        self._compiled: dict[bytes, Compiled] = {}

    def ahead(self, wanted: Iterable[Wanted]) -> None:
        """Evaluate these, as far as they are stacks in Nickel that have no mistakes. The others are left for `load`."""
        missing = {one.key: one for one in wanted if one.key not in self._loaded and one.stack.suffix == ".ncl"}
        several = list(missing.values())
        for start in range(0, len(several), _TOGETHER):
            self._together(several[start : start + _TOGETHER])

    def _together(self, several: Sequence[Wanted]) -> None:
        pending = [(one, self._pending(one)) for one in several]
        works = [(one, each, work) for one, each in pending if isinstance(work := each.prepare(), NickelStack)]
        if len(works) < 2:  # noqa: PLR2004 one alone is evaluated when it is asked for
            return
        elements = ",\n".join(f"(\n{work.expression}\n)" for _, _, work in works)
        answer = self._child.evaluator(source_files.of(works[0][0].stack)).evaluate(f"[\n{elements}\n]")
        if not isinstance(answer, Evaluated):
            return
        for (one, each, work), content in zip(works, msgspec.json.decode(answer.json, type=list[msgspec.Raw]), strict=True):
            work.answered(Evaluated(bytes(content)))
            self._loaded[one.key] = _finished(each)

    def load(self, wanted: Wanted) -> Loaded:
        """The stack, perhaps with mistakes. Raises RejectedError where there is none."""
        if wanted.key not in self._loaded:
            self._loaded[wanted.key] = _finished(self._pending(wanted))
        found = self._loaded[wanted.key]
        if isinstance(found, RejectedError):
            raise found
        return found

    def given(self, wanted: Wanted, hosts: Document | None) -> Given:
        """The stack, with other hosts where there are some."""
        loaded = self.load(wanted)
        stack, mistakes = loaded.stack, loaded.diagnostics
        if hosts is not None and isinstance(loaded.document, dict):
            document: Value = {**loaded.document, "hosts": hosts}
            decoded = decode(document, SHIPPED, thorough=True)
            if decoded.stack is None:
                raise RejectedError(decoded.diagnostics)
            stack, mistakes = decoded.stack, decoded.diagnostics
        return Given(stack, mistakes, loaded, wanted.stack.parent)

    def compile(self, wanted: Wanted, hosts: Document | None, facts: Mapping[str, Document], given: Given) -> Compiled:
        """The graph. The same for the same stack, vars, hosts and facts."""
        key = canonical((str(wanted.stack), wanted.vars, hosts, facts))
        if key not in self._compiled:
            reader = sources.folder_reader(given.folder, given.loaded.reach)
            self._compiled[key] = compile_stack(given.stack, facts, reader, mistakes=given.mistakes)
        return self._compiled[key]

    def _pending(self, wanted: Wanted) -> Pending:
        session = self._child.session(source_files.of(wanted.stack))
        given = tuple(overrides.from_document(wanted.vars, GIVEN, Span(GIVEN, 1, 1)))
        return Pending(session, (), (), None, SHIPPED, MOST, given)


def _finished(pending: Pending) -> Loaded | RejectedError:
    pending.begin()
    try:
        return pending.finish()
    except RejectedError as rejected:
        return rejected
