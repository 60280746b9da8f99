"""Diagnostics for machines: Terraform's `validate -json`, GitHub's workflow commands, GitLab's code quality, SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from g8r.diagnostics import Diagnostic, Severity, Span, path_text
from g8r.render import style
from g8r.render.diagnostic_text import ordered
from g8r.value import Document, Value, digest

SARIF_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_POLICY: Final = "policy/"
_EXEMPT: Final = "policy-exempt"
"""The code of what breaks a policy and may (`compiler.policy.judging`)."""


def render(found: Iterable[Diagnostic]) -> Document:
    """The document of `validate -json`, format 1.0 (https://developer.hashicorp.com/terraform/cli/commands/validate)."""
    listed = ordered(found)
    failures = sum(diagnostic.severity is Severity.ERROR for diagnostic in listed)
    return {
        "format_version": "1.0",
        "valid": failures == 0,
        "error_count": failures,
        "warning_count": len(listed) - failures,
        "diagnostics": [one(diagnostic) for diagnostic in listed],
    }


def one(diagnostic: Diagnostic) -> Document:
    """One element of `diagnostics`. Lines and columns are 1-based, the end exclusive; what is ours stands under `g8r`."""
    document: Document = {"severity": diagnostic.severity.value, "summary": diagnostic.summary, "detail": diagnostic.detail}
    if diagnostic.span:
        document["range"] = _range(diagnostic.span)
    related: list[Value] = [
        {"note": other.note, "range": _range(other.span) if other.span else None, "path": path_text(other.path) if other.path else None}
        for other in diagnostic.related
    ]
    path = path_text(diagnostic.path) if diagnostic.path else None
    ours: Document = {"code": diagnostic.code, "path": path, "related": related}
    return document | {"g8r": ours | ({"policy": diagnostic.rule} if diagnostic.rule else {})}


def github(found: Iterable[Diagnostic]) -> str:
    """Workflow commands that annotate the lines of a pull request, one a line
    (https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions).
    """
    lines = []
    for diagnostic in ordered(found):
        where: dict[str, str] = {}
        span = diagnostic.span
        if span:
            where = {"file": span.file, "line": str(span.line), "col": str(span.column)}
            if span.end_line is not None and span.end_column is not None:
                where |= {"endLine": str(span.end_line), "endColumn": str(span.end_column)}
        where["title"] = diagnostic.summary
        properties = ",".join(f"{name}={_property(value)}" for name, value in where.items())
        message = diagnostic.detail or diagnostic.summary
        lines.append(f"::{diagnostic.severity.value} {properties}::{_escaped(message)}\n")
    return "".join(lines)


def gitlab(found: Iterable[Diagnostic]) -> list[Value]:
    """A code quality report (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format). A message that has no place
    stands at the first line of the stack's folder, since GitLab shows none without one. The fingerprint does not hang on the line.
    """
    report: list[Value] = []
    counted: dict[str, int] = {}
    for diagnostic in ordered(found):
        span = diagnostic.span or Span(".", 1, 1)
        print_ = digest(f"{span.file}\n{diagnostic.code}\n{diagnostic.summary}".encode())
        counted[print_] = counted.get(print_, 0) + 1
        report.append(
            {
                "description": style.clean(" ".join(f"{diagnostic.summary}. {diagnostic.detail}".split())),
                "check_name": diagnostic.code,
                "fingerprint": f"{print_.partition(':')[2]}-{counted[print_]}",
                "severity": "major" if diagnostic.severity is Severity.ERROR else "minor",
                "location": {"path": span.file, "lines": {"begin": span.line}},
            }
        )
    return report


def sarif(found: Iterable[Diagnostic], version: str) -> Document:
    """A SARIF log with one run (https://docs.oasis-open.org/sarif/sarif/v2.1.0). Columns count Unicode code points.

    What breaks a policy has a rule of the policy's name; what is exempt from one is a result that is suppressed.
    """
    listed = ordered(found)
    codes = sorted({_rule_id(diagnostic) for diagnostic in listed})
    results: list[Value] = []
    for diagnostic in listed:
        result: Document = {
            "ruleId": _rule_id(diagnostic),
            "ruleIndex": codes.index(_rule_id(diagnostic)),
            "level": diagnostic.severity.value,
            "message": {"text": f"{diagnostic.summary}\n{diagnostic.detail}".strip()},
            "locations": [_location(diagnostic.span)] if diagnostic.span else [],
        }
        if diagnostic.code == _EXEMPT:
            result["suppressions"] = [{"kind": "inSource", "justification": diagnostic.detail}]
        places: list[Value] = [
            _location(other.span) | {"id": index, "message": {"text": other.note}}
            for index, other in enumerate(diagnostic.related)
            if other.span
        ]
        results.append(result | ({"relatedLocations": places} if places else {}))
    driver: Document = {"name": "g8r", "version": version, "rules": [_rule(code) for code in codes]}
    run: Document = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule_id(diagnostic: Diagnostic) -> str:
    return f"{_POLICY}{diagnostic.rule}" if diagnostic.rule else diagnostic.code


def _rule(code: str) -> Document:
    words = f"The policy {code.removeprefix(_POLICY)}" if code.startswith(_POLICY) else code.replace("-", " ").capitalize()
    return {"id": code, "shortDescription": {"text": words}}


def _range(span: Span) -> Document:
    line, column = _end(span)
    return {"filename": span.file, "start": {"line": span.line, "column": span.column}, "end": {"line": line, "column": column}}


def _end(span: Span) -> tuple[int, int]:
    """The end, exclusive; one character where it is not known."""
    if span.end_line is None or span.end_column is None:
        return span.line, span.column + 1
    return span.end_line, span.end_column


def _location(span: Span) -> Document:
    line, column = _end(span)
    region: Document = {"startLine": span.line, "startColumn": span.column, "endLine": line, "endColumn": column}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(span.file)}, "region": region}}


def _escaped(text: str) -> str:
    """Line ends and percent signs as GitHub wants them; what else is not printable as its escape."""
    return style.clean(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"), keep="\t")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
