"""How tests went, as nouns for the sinks: `suite_text` for people, `suite_xml` for CI (JUnit), `suite_json` for programs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from g8r.diagnostics import Diagnostic, DocumentPath, Span


class Failure(msgspec.Struct, frozen=True):
    """An expectation that does not hold. `at` leads to it in the test file.

    `expected` and `got`: two texts whose difference says it all; both None where `summary` and `detail` do. `diagnostics` are messages
    about the stack that have to do with it.
    """

    at: DocumentPath
    summary: str
    detail: str = ""
    expected: str | None = None
    got: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    span: Span | None = None


class Result(msgspec.Struct, frozen=True):
    """How one test went. `span` is where it stands, if that was looked up."""

    name: str
    seconds: float
    failures: tuple[Failure, ...] = ()
    span: Span | None = None

    @property
    def passed(self) -> bool:
        return not self.failures


class FileResult(msgspec.Struct, frozen=True):
    """How the tests of one file went; `broken` says why there are none. Snapshots are named by their test and what they are of.

    `skipped` counts the tests that a filter has left out.
    """

    file: str
    results: tuple[Result, ...] = ()
    broken: tuple[Diagnostic, ...] = ()
    written: tuple[tuple[str, str], ...] = ()
    updated: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    obsolete: tuple[tuple[str, str], ...] = ()
    skipped: int = 0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.broken and all(result.passed for result in self.results)

    @property
    def failed(self) -> int:
        return sum(not result.passed for result in self.results)


def passed(files: Sequence[FileResult]) -> bool:
    return all(file.passed for file in files)
