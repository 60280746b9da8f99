"""Places in sources, as the user sees them: from the current folder on, as editors and pull requests name files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from g8r.diagnostics import Diagnostic, DocumentPath, Span

MOST = 20
"""How many places of a Nickel stack are looked up: each takes an evaluation."""

if TYPE_CHECKING:
    from g8r.compiler.evaluate import Loaded
    from g8r.executor.planning import Planned
    from g8r.plan import Plan


def here(span: Span | None) -> Span | None:
    """The span with its file named from the current folder, where it is below that."""
    if span is None or not span.file.startswith("/"):
        return span
    path, folder = Path(span.file), Path.cwd()
    return msgspec.structs.replace(span, file=str(path.relative_to(folder))) if path.is_relative_to(folder) else span


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
    """The places of what stands at these paths; of none where they are too many to look up one by one."""
    if loaded.locator.costly and len(paths) > MOST:
        return {}
    found = {path: here(span) for path, span in loaded.locator.locate(paths, most=None).items()}
    return {path: span for path, span in found.items() if span is not None}
