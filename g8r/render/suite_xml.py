"""How tests went, as JUnit XML: the form that Jenkins, GitLab and GitHub's actions read (https://github.com/testmoapp/junitxml).

A suite for each file, a case for each test; a file that is broken is one case with an error. Lines are of the test file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET  # written here, never read

from g8r.render import suite_text
from g8r.render.diagnostic_text import Sources, lines
from g8r.render.suite import FileResult, Result

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot say, not even as a reference."""


def render(files: Sequence[FileResult], seconds: float, sources: Sources | None = None) -> str:
    """The document, with a newline at its end."""
    tests = sum(len(file.results) + bool(file.broken) for file in files)
    counts = {"tests": tests, "failures": sum(file.failed for file in files), "errors": sum(bool(file.broken) for file in files)}
    root = ET.Element("testsuites", _attributes(name="g8r test", **counts, time=f"{seconds:.3f}"))
    for file in files:
        broken = bool(file.broken)
        suite = ET.SubElement(
            root,
            "testsuite",
            _attributes(
                name=file.file,
                tests=len(file.results) + broken,
                failures=file.failed,
                errors=int(broken),
                skipped=0,
                time=f"{file.seconds:.3f}",
                file=file.file,
            ),
        )
        if broken:
            case = ET.SubElement(suite, "testcase", _attributes(classname=file.file, name=file.file, time="0.000", file=file.file))
            text = "\n\n".join("\n".join(lines(diagnostic, sources or {})) for diagnostic in file.broken)
            ET.SubElement(case, "error", _attributes(type=file.broken[0].code, message=file.broken[0].summary)).text = _clean(text)
        for result in file.results:
            _case(suite, file, result, sources or {})
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, file: FileResult, result: Result, sources: Sources) -> None:
    line = {"line": result.span.line} if result.span is not None else {}
    attributes = _attributes(classname=file.file, name=result.name, time=f"{result.seconds:.3f}", file=file.file, **line)
    case = ET.SubElement(suite, "testcase", attributes)
    if result.failures:  # one element: many readers show only the first
        text = "\n\n".join("\n".join(suite_text.failure_lines(failure, sources, full=True)) for failure in result.failures)
        first = result.failures[0]
        kind = next((str(part) for part in first.at[2:] if part != "expect"), "test")  # tests.NAME.expect.KIND, tests.NAME.world
        ET.SubElement(case, "failure", _attributes(type=kind, message=first.summary)).text = _clean(text)


def _attributes(**values: str | int) -> dict[str, str]:
    return {name: _clean(str(value)) for name, value in values.items()}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
