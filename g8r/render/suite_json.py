"""How tests went, for programs: one document, in words as the text has them. Lines and columns are 1-based."""

from __future__ import annotations

from collections.abc import Sequence

from g8r.diagnostics import path_text
from g8r.render import diagnostic_json
from g8r.render.suite import Failure, FileResult, Result, passed
from g8r.value import Document, Value


def render(files: Sequence[FileResult], seconds: float) -> Document:
    return {
        "format_version": "1.0",
        "passed": passed(files),
        "tests": sum(len(file.results) for file in files),
        "failed": sum(file.failed for file in files),
        "seconds": round(seconds, 3),
        "files": [_file(file) for file in files],
    }


def _file(file: FileResult) -> Document:
    snapshots = {"written": file.written, "updated": file.updated, "removed": file.removed, "obsolete": file.obsolete}
    return {
        "file": file.file,
        "passed": file.passed,
        "broken": [diagnostic_json.one(diagnostic) for diagnostic in file.broken],
        "tests": [_result(result) for result in file.results],
        "left_out": file.skipped,
        "snapshots": {word: [{"test": name, "of": of} for name, of in keys] for word, keys in snapshots.items()},
        "seconds": round(file.seconds, 3),
    }


def _result(result: Result) -> Document:
    failures: list[Value] = [_failure(failure) for failure in result.failures]
    return {"name": result.name, "passed": result.passed, "seconds": round(result.seconds, 3), "failures": failures}


def _failure(failure: Failure) -> Document:
    found: Document = {"expectation": path_text(failure.at), "summary": failure.summary, "detail": failure.detail}
    if failure.expected is not None and failure.got is not None:
        found |= {"expected": failure.expected, "got": failure.got}
    if failure.span is not None:
        found["place"] = {"file": failure.span.file, "line": failure.span.line, "column": failure.span.column}
    return {**found, "diagnostics": [diagnostic_json.one(diagnostic) for diagnostic in failure.diagnostics]}
