"""Diagnostics: messages to the user. Summary says what is wrong, detail where and what to do next, the span points at it.

A mistake of the user is a Diagnostic, and all of them are collected before any is shown; a stage that cannot go on raises
`RejectedError` with them. A bug of ours is an ordinary exception, and crashes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

DocumentPath: TypeAlias = tuple[str | int, ...]
"""Where in a stack's document something stands: `("tasks", "file", "motd", "mode")`."""


class Severity(enum.Enum):
    """An error stops the command; a warning is shown and the command goes on."""

    ERROR = "error"
    WARNING = "warning"


class Span(msgspec.Struct, frozen=True, order=True):
    """A place in a source file: 1-based line and column, as editors count; the end is exclusive where it is known."""

    file: str
    line: int
    column: int
    end_line: int | None = None
    end_column: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Related(msgspec.Struct, frozen=True):
    """A second place that has to do with a diagnostic, such as the other of two claims."""

    note: str
    path: DocumentPath | None = None
    span: Span | None = None


class Diagnostic(msgspec.Struct, frozen=True):
    """One message. `code` is stable and kebab-case; `path` says where in the document until `locate` has found the span. `rule` is the
    name of the user's own rule that it comes of, a policy.
    """

    severity: Severity
    code: str
    summary: str
    detail: str = ""
    path: DocumentPath | None = None
    span: Span | None = None
    related: tuple[Related, ...] = ()
    rule: str | None = None


class RejectedError(Exception):
    """The user's input cannot be used; `diagnostics` holds every reason, and `exit_code` how the command ends."""

    def __init__(self, diagnostics: Iterable[Diagnostic], exit_code: int = 1) -> None:
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code
        super().__init__("; ".join(diagnostic.summary for diagnostic in self.diagnostics))


def error(code: str, summary: str, detail: str = "", path: DocumentPath | None = None, related: Iterable[Related] = ()) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, summary, detail, path, None, tuple(related))


def warning(code: str, summary: str, detail: str = "", path: DocumentPath | None = None) -> Diagnostic:
    return Diagnostic(Severity.WARNING, code, summary, detail, path)


def reject(code: str, summary: str, detail: str = "", path: DocumentPath | None = None, exit_code: int = 1) -> RejectedError:
    """The error to raise for a single mistake."""
    return RejectedError((error(code, summary, detail, path),), exit_code)


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(diagnostic for diagnostic in diagnostics if diagnostic.severity is Severity.ERROR)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean "x"?`, or nothing where no known name is near."""
    import difflib  # noqa: PLC0415 only errors need it

    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""


def path_text(path: DocumentPath) -> str:
    """A document path as users write it: `tasks.file.motd.needs[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
