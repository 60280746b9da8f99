"""How tests went, for people: a line for each test, and for each expectation that does not hold its line, and what differs.

main.test.ncl
  ok    the greeting names who is greeted (12 ms)
  FAIL  the page has a title (9 ms)
    main.test.ncl:14: the content of localhost/template.page is another
      - expected, + got
      -<title>Ada</title>
      +<title>world</title>

2 tests: 1 passed, 1 failed (0.2s)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from g8r.render import diagnostic_text, diff, style
from g8r.render.diagnostic_text import Sources
from g8r.render.style import PLAIN, Palette
from g8r.render.suite import Failure, FileResult, Result

DIFF_LINES = 80
"""Lines of a difference that are shown where not all is asked for."""


def file_text(file: FileResult, sources: Sources | None = None, palette: Palette = PLAIN, *, full: bool = False) -> str:
    """One file: its name, its tests, what happened to its snapshots."""
    lines = [palette.paint("strong", style.clean(file.file))]
    if file.broken:
        lines.append(f"  {palette.paint('error', 'BROKEN')}")
        for diagnostic in diagnostic_text.ordered(file.broken):
            lines += ["", *_indented(diagnostic_text.lines(diagnostic, sources or {}, palette), 4)]
    for result in file.results:
        lines += _result(result, sources or {}, palette, full=full)
    lines += _indented(_snapshots(file, palette), 2)
    return "".join(f"{line}\n".replace(" \n", "\n") for line in lines) + "\n"


def summary(files: Sequence[FileResult], seconds: float, palette: Palette = PLAIN) -> str:
    """`12 tests in 2 files: 11 passed, 1 failed (0.4s)`"""
    total = sum(len(file.results) for file in files)
    failed = sum(file.failed for file in files)
    broken = sum(bool(file.broken) for file in files)
    skipped = sum(file.skipped for file in files)
    parts = [palette.paint("good", f"{total - failed:,} passed")]
    parts += [palette.paint("error", f"{failed:,} failed")] if failed else []
    parts += [palette.paint("error", f"{style.count(broken, 'file')} broken")] if broken else []
    parts += [f"{skipped:,} left out"] if skipped else []
    where = f" in {style.count(len(files), 'file')}" if len(files) != 1 else ""
    return f"{style.count(total, 'test')}{where}: {', '.join(parts)} ({style.duration(seconds)})\n"


def failure_lines(failure: Failure, sources: Sources, palette: Palette = PLAIN, *, full: bool = False) -> Iterator[str]:
    """One expectation that does not hold: where, what, and what differs."""
    place = style.place(failure.span)
    yield f"{palette.paint('act', place)}: {style.clean(failure.summary)}" if place else style.clean(failure.summary)
    if failure.expected is not None and failure.got is not None:
        yield from _indented(_difference(failure.expected, failure.got, palette, full=full), 2)
    if failure.detail:
        yield from _indented(style.clean_lines(failure.detail), 2)
    for diagnostic in diagnostic_text.ordered(failure.diagnostics):
        yield ""
        yield from _indented(diagnostic_text.lines(diagnostic, sources, palette), 2)


def _result(result: Result, sources: Sources, palette: Palette, *, full: bool) -> Iterator[str]:
    took = palette.paint("faint", f"({result.seconds * 1000:.0f} ms)")
    word = palette.paint("good", "ok  ") if result.passed else palette.paint("error", "FAIL")
    yield f"  {word}  {style.clean(result.name)} {took}"
    for failure in result.failures:
        yield from _indented(failure_lines(failure, sources, palette, full=full), 4)


def _difference(expected: str, got: str, palette: Palette, *, full: bool) -> Iterator[str]:
    lines = list(diff.text_lines(expected, got))
    if not lines:  # they differ in what is shown alike, such as an escape and the character it stands for
        yield f"expected {style.value_text(expected, full=True)}"
        yield f"got      {style.value_text(got, full=True)}"
        return
    if sum(line.startswith("@@") for line in lines) == 1:  # where in the text says nothing where there is one place
        lines = [line for line in lines if not line.startswith("@@")]
    yield palette.paint("faint", "- expected, + got")
    shown = lines if full else lines[:DIFF_LINES]
    for line in shown:
        yield palette.paint("delete" if line.startswith("-") else "create", line) if line[:1] in {"-", "+"} else line
    if len(shown) < len(lines):
        yield palette.paint("faint", f"({style.count(len(lines) - len(shown), 'more line')}, --full shows all)")


def _snapshots(file: FileResult, palette: Palette) -> Iterator[str]:
    for word, keys in (("written", file.written), ("updated", file.updated), ("removed", file.removed)):
        if keys:
            yield palette.paint("change", f"{style.count(len(keys), 'snapshot')} {word}: {_names(keys)}")
    if file.obsolete:
        what = style.count(len(file.obsolete), "snapshot is obsolete", "snapshots are obsolete")
        yield palette.paint("warning", f"{what}, `g8r test --update` removes them: {_names(file.obsolete)}")


def _names(keys: Sequence[tuple[str, str]]) -> str:
    return style.some([f"{of} of {name}" for name, of in keys])


def _indented(lines: Iterator[str] | Sequence[str], by: int) -> Iterator[str]:
    return (f"{' ' * by}{line}".rstrip() for line in lines)
