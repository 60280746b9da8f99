"""Places in sources, as the user sees them: from the current folder on, as editors and pull requests name files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from g8r.diagnostics import Diagnostic, DocumentPath, Span

MOST = 20
"""With more tasks than that the evaluator is asked for no place: each takes it an evaluation. What can be read is shown all the same."""

if TYPE_CHECKING:
    from g8r.compiler.evaluate import Loaded
    from g8r.executor.planning import Planned
    from g8r.plan import Plan


def here(span: Span | None) -> Span | None:
    """The span with its file named from the current folder, where it is below that."""
    return _seen_from(os.getcwd(), span)  # noqa: PTH109 a text, as the key of what is cached


def _seen_from(folder: str, span: Span | None) -> Span | None:
    if span is None or not span.file.startswith("/"):
        return span
    return msgspec.structs.replace(span, file=_from(folder, span.file))


@cache
def _from(folder: str, file: str) -> str:
    path = Path(file)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else file


def told(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics with all their places so named."""
    return tuple(
        msgspec.structs.replace(
            found,
            span=here(found.span),
            related=tuple(msgspec.structs.replace(related, span=here(related.span)) for related in found.related),
        )
        for found in diagnostics
    )


def placed(planned: Planned, loaded: Loaded) -> Plan:
    """The plan with the places of its steps."""
    from g8r.executor.planning import with_spans  # noqa: PLC0415 imports what only planning needs

    return with_spans(planned, lambda paths: located(loaded, paths))


def located(loaded: Loaded, paths: Sequence[DocumentPath]) -> Mapping[DocumentPath, Span]:
    """The places of what stands at these paths. Where there are many, only those for which the evaluator need not be asked."""
    found = loaded.locator.locate(paths, most=None if len(paths) <= MOST else 0)
    folder = os.getcwd()  # noqa: PTH109 as above
    return {path: span for path, span in ((path, _seen_from(folder, span)) for path, span in found.items()) if span is not None}
