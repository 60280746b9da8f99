"""Tests of stacks, run as `g8r test` runs them, without its output."""

from __future__ import annotations

import itertools
from pathlib import Path

from g8r.cli.test import _draw
from g8r.render.suite import FileResult, Result
from g8r.testing import files, suite


def run(folder: Path, **asked) -> list[FileResult]:
    """The results of all test files below a folder; time goes by in milliseconds."""
    clock = itertools.count(0.0, 0.001)
    return list(suite.run(files.find(folder), suite.Asked(**asked), _draw, lambda: next(clock)))


def results(folder: Path, **asked) -> dict[str, Result]:
    """The results of the only test file, by name; the file must not be broken."""
    (file,) = run(folder, **asked)
    assert file.broken == ()
    return {result.name: result for result in file.results}


def told(result: Result) -> list[str]:
    """What is said of a test that failed: one text for each failure, with its line."""
    return [
        "\n".join(
            [
                f"{failure.span.line if failure.span else '?'}: {failure.summary}",
                *([failure.detail] if failure.detail else []),
                *([f"- {failure.expected!r}", f"+ {failure.got!r}"] if failure.expected is not None else []),
                *(f"{each.code} {each.span}: {each.summary}" for each in failure.diagnostics),
            ]
        )
        for failure in result.failures
    ]
