"""What a command writes to: stdout and stderr, with colour where that is wanted, and JSON where it was asked for."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
import msgspec

import g8r
from g8r.cli import places
from g8r.diagnostics import Diagnostic, RejectedError, reject, warning
from g8r.render.style import COLOUR, PLAIN, Palette

if TYPE_CHECKING:
    from g8r.event import Event
    from g8r.render.progress_json import JsonProgress


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


def tell(diagnostics: Iterable[Diagnostic], stream: JsonProgress | None = None) -> None:
    """Diagnostics on stderr, with their source lines; where a stream of JSON goes to stdout, as messages in it."""
    found = places.told(diagnostics)
    if not found:
        return
    if stream is not None:
        stream.diagnostics(found)
        return
    from g8r.render import diagnostic_text  # noqa: PLC0415 nothing wrong, nothing imported

    sys.stderr.write(diagnostic_text.render(found, source_lines(found), palette(sys.stderr)))
    sys.stderr.flush()


def tell_json(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics as one document on stdout, in the form of Terraform's `validate -json`."""
    from g8r.render import diagnostic_json  # noqa: PLC0415 as above

    write_json(diagnostic_json.render(places.told(diagnostics)))


def failure(code: str, summary: str, detail: str = "") -> Diagnostic:
    """An error that has no place in a source."""
    return reject(code, summary, detail).diagnostics[0]


def note(code: str, summary: str, detail: str = "") -> Diagnostic:
    """A warning that has no place in a source."""
    return warning(code, summary, detail)


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


def tell_bug(error: Exception) -> Diagnostic:
    """A bug of ours, as what the user is told: what it is, and where the traceback was put."""
    import tempfile  # noqa: PLC0415 only bugs need them
    import traceback  # noqa: PLC0415

    where = "The traceback could not be kept."
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile("w", prefix="g8r-bug-", suffix=".txt", delete=False) as kept:
        kept.write(f"g8r {g8r.__version__}\n{sys.argv}\n\n")
        traceback.print_exception(error, file=kept)
        where = f"Please report it with {kept.name}."
    return failure("bug", f"g8r has a bug: {type(error).__name__}: {error}", f"{where} Nothing more was started.")


@contextmanager
def streaming(*, as_json: bool) -> Iterator[JsonProgress | None]:
    """The stream of JSON messages of a command that applies; None where it was not asked for.

    With it, a rejection becomes messages too, and the command ends with the rejection's exit code.
    """
    if not as_json:
        yield None
        return
    from g8r.cli.session import now  # noqa: PLC0415 each is imported only where it is used
    from g8r.render.progress_json import JsonProgress  # noqa: PLC0415

    stream = JsonProgress(write_later, now, g8r.__version__)
    stream.version()
    try:
        yield stream
    except RejectedError as rejected:
        stream.diagnostics(places.told(rejected.diagnostics))
        raise click.exceptions.Exit(rejected.exit_code) from None


@contextmanager
def listening(stream: JsonProgress | None, *, quiet: bool = False) -> Iterator[Callable[[Event], None]]:
    """Who listens to a run: the stream of JSON, nobody, a live display on a terminal, plain lines elsewhere."""
    if stream is not None:
        yield stream
    elif quiet:
        yield lambda _event: None
    elif sys.stdout.isatty() and coloured(sys.stdout):
        from rich.console import Console  # noqa: PLC0415 rich costs 50 ms and is for terminals only

        from g8r.render.progress_live import LiveProgress  # noqa: PLC0415

        live = LiveProgress(Console(), palette(sys.stdout))
        try:
            yield live
        finally:
            live.close()
    else:
        from g8r.render.progress import PlainProgress  # noqa: PLC0415

        yield PlainProgress(write_later, palette(sys.stdout))


def agreed(question: str, *, unasked: str) -> bool:
    """Whether the user answers `yes`, in full. Raises RejectedError where nobody can be asked; `unasked` says what to do then."""
    if not sys.stdin.isatty():
        raise reject("not-approved", "nobody can be asked to approve this", unasked)
    write(f'\n{question}\n  Only "yes" is taken as approval: ')
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        write("\n")
    return answer.strip() == "yes"
