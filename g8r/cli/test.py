"""g8r test."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from g8r.cli import console, options, places
from g8r.diagnostics import Diagnostic, reject

if TYPE_CHECKING:
    from g8r.render.suite import Failure, FileResult
    from g8r.testing.cases import SnapshotOf
    from g8r.testing.seen import Seen


@click.command("test")
@click.argument("source", metavar="[STACK|FOLDER|FILE]", default=".", type=click.Path(path_type=Path))
@click.option("--filter", "name", metavar="GLOB", help="Only the tests whose names match.")
@click.option("--update", is_flag=True, help="Take over what differs from snapshots, and remove those that nobody asks for.")
@click.option("--ci", is_flag=True, help="A snapshot that is missing is a failure, not written (as with CI=true).")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the results as JUnit XML, too.")
@click.option("--full", is_flag=True, help="Show long differences whole.")
@options.json_option
@options.reach_options
def command(  # noqa: PLR0913 click's
    *,
    source: Path,
    name: str | None,
    update: bool,
    ci: bool,
    junit: Path | None,
    full: bool,
    as_json: bool,
    import_paths: tuple[Path, ...],
    root: Path | None,
) -> int:
    r"""Run the tests beside a stack: every *.test.ncl of a folder and the folders below it. No real host is touched.

    A test gives vars, hosts, facts and what is on the (fake) hosts, and says what must come of it: tasks, params, content, order,
    the plan, errors. See docs/testing.md.

    \b
    Examples:
      g8r test
      g8r test examples/hello --filter "the page*"
      g8r test --junit report.xml
      g8r test --update    # the snapshots are as they should be now

    \b
    A test file:
      # main.test.ncl
      {
        tests."the greeting names who is greeted" = {
          vars.name = "Ada",
          expect.content."file.greeting" = "Hello, Ada!\n",
        },
      }

    \b
    Exit codes: 0 all passed; 1 one failed, a test file is broken, or there are no tests.
    """
    from g8r.testing import files, suite  # noqa: PLC0415 each is imported only where it is used

    gc.enable()  # `run` has turned it off for commands that are short; a suite may be long
    begun = time.monotonic()
    asked = suite.Asked(
        name, update, frozen=ci or os.environ.get("CI", "").lower() not in {"", "0", "false"}, import_paths=import_paths, root=root
    )
    results: list[FileResult] = []
    for file in suite.run(files.find(source), asked, _draw, time.perf_counter):
        results.append(_here(file))
        if not as_json:
            _show(results[-1], full=full)
    seconds = time.monotonic() - begun
    if junit is not None:
        _write(junit, results, seconds)
    return _end(results, seconds, as_json=as_json)


def _draw(of: SnapshotOf, seen: Seen) -> str:
    from g8r.render import snapshot_text  # noqa: PLC0415 as above

    if of == "plan" and seen.plan is not None:
        return snapshot_text.plan(seen.plan)
    return snapshot_text.tasks(seen.tasks.values())


def _here(file: FileResult) -> FileResult:
    """With all places named from the current folder."""
    path = Path(file.file)
    shown = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file.file
    results = tuple(
        msgspec.structs.replace(each, failures=tuple(map(_failure_here, each.failures)), span=places.here(each.span))
        for each in file.results
    )
    return msgspec.structs.replace(file, file=shown, results=results, broken=places.told(file.broken))


def _failure_here(failure: Failure) -> Failure:
    return msgspec.structs.replace(failure, span=places.here(failure.span), diagnostics=places.told(failure.diagnostics))


def _messages(files: Iterable[FileResult]) -> Iterator[Diagnostic]:
    for file in files:
        yield from file.broken
        yield from (diagnostic for result in file.results for failure in result.failures for diagnostic in failure.diagnostics)


def _show(file: FileResult, *, full: bool) -> None:
    from g8r.render import suite_text  # noqa: PLC0415 as above

    console.write(suite_text.file_text(file, console.source_lines(_messages([file])), console.palette(sys.stdout), full=full))


def _end(results: list[FileResult], seconds: float, *, as_json: bool) -> int:
    from g8r.render import suite, suite_json, suite_text  # noqa: PLC0415 as above

    if as_json:
        console.write_json(suite_json.render(results, seconds))
    else:
        console.write(suite_text.summary(results, seconds, console.palette(sys.stdout)))
    return 0 if suite.passed(results) else 1


def _write(junit: Path, results: list[FileResult], seconds: float) -> None:
    from g8r.render import suite_xml  # noqa: PLC0415 as above

    draft = junit.with_name(f".{junit.name}.{os.getpid()}")
    try:
        draft.write_text(suite_xml.render(results, seconds, console.source_lines(_messages(results))), encoding="utf-8")
        draft.replace(junit)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise reject("not-written", f"cannot write {junit}", f"{problem.strerror}. Name a file in a folder that is there.") from problem
