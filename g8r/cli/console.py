"""What a command writes to: stdout and stderr, with colour where that is wanted, and JSON where it was asked for."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

import msgspec

import g8r
from g8r.diagnostics import Diagnostic
from g8r.event import Event
from g8r.plan import Plan
from g8r.render import diagnostic_text
from g8r.render.style import COLOUR, PLAIN, Palette


def coloured(stream: TextIO) -> bool:
    """Whether the stream is a terminal that wants colour. NO_COLOR (https://no-color.org), FORCE_COLOR and TERM=dumb are heeded."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def palette(stream: TextIO) -> Palette:
    return COLOUR if coloured(stream) else PLAIN


def write(text: str) -> None:
    """Text for the user, on stdout; written out at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_later(text: str) -> None:
    """Text for the user that is seen at the next `flush`: one system call for many lines."""
    sys.stdout.write(text)


def flush() -> None:
    sys.stdout.flush()


def write_json(value: Any) -> None:  # noqa: ANN401 any noun or document
    """One JSON document, indented, keys as they come."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    sys.stdout.flush()


def tell(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics on stderr, with their source lines."""
    found = tuple(diagnostics)
    if found:
        sys.stderr.write(diagnostic_text.render(found, source_lines(found), palette(sys.stderr)))
        sys.stderr.flush()


def source_lines(diagnostics: Iterable[Diagnostic]) -> dict[str, list[str]]:
    """The lines of every file that a diagnostic points into, as far as it can be read."""
    spans = [span for found in diagnostics for span in (found.span, *(related.span for related in found.related)) if span is not None]
    lines: dict[str, list[str]] = {}
    for name in sorted({span.file for span in spans}):
        try:
            lines[name] = Path(name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
    return lines


def tell_bug(error: Exception) -> None:
    """A bug of ours: what it is, and where the traceback was put."""
    with tempfile.NamedTemporaryFile("w", prefix="g8r-bug-", suffix=".txt", delete=False, encoding="utf-8") as kept:
        kept.write(f"g8r {g8r.__version__}\n{' '.join(sys.argv)}\n\n")
        traceback.print_exception(error, file=kept)
    sys.stderr.write(f"g8r has a bug: {type(error).__name__}: {error}\nPlease report it with {kept.name}. Nothing more was started.\n")


def listener(*, as_json: bool, plan: Plan | None = None) -> Callable[[Event], None]:
    """Who listens to a run: JSON lines, a live display on a terminal, plain lines elsewhere."""
    if as_json:
        from g8r.cli.session import now  # noqa: PLC0415 see below
        from g8r.render.progress_json import JsonProgress  # noqa: PLC0415 each is imported only where it is used

        progress = JsonProgress(write_later, now, g8r.__version__)
        progress.version()
        if plan is not None:
            progress.planned(plan)
        return progress
    if sys.stdout.isatty() and coloured(sys.stdout):
        from rich.console import Console  # noqa: PLC0415 rich costs 50 ms and is for terminals only

        from g8r.render.progress_live import LiveProgress  # noqa: PLC0415

        return LiveProgress(Console(), palette(sys.stdout))
    from g8r.render.progress import PlainProgress  # noqa: PLC0415

    return PlainProgress(write_later, palette(sys.stdout))
