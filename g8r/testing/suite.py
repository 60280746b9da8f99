"""A run of tests over files: each is read, its stacks are evaluated together, its tests are tried, its snapshots kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from g8r.diagnostics import DocumentPath, RejectedError, Span, did_you_mean, reject
from g8r.render.suite import Failure, FileResult, Result
from g8r.testing import bench, files, snapshots
from g8r.testing.bench import Case
from g8r.testing.cases import SnapshotOf
from g8r.testing.child import Child
from g8r.testing.files import Found, Read
from g8r.testing.loads import Loads, Wanted
from g8r.testing.seen import Seen
from g8r.testing.snapshots import Key

Draw = Callable[[SnapshotOf, Seen], str]
"""Makes the text of a snapshot."""


class Asked(msgspec.Struct, frozen=True):
    """What the user asked for. `name` is a glob over the names of tests; `frozen`: a snapshot that is missing is a failure."""

    name: str | None = None
    update: bool = False
    frozen: bool = False
    import_paths: tuple[Path, ...] = ()
    root: Path | None = None


def run(found: Found, asked: Asked, draw: Draw, now: Callable[[], float]) -> Iterator[FileResult]:
    """Run the tests of these files, one file after the other. `now` gives seconds from any fixed point.

    Raises RejectedError where the filter leaves no test.
    """
    child = Child(asked.import_paths, folder=found.root, root=asked.root)
    loads = Loads(child)
    names: list[str] = []
    ran = False
    try:
        for path in found.files:
            try:
                read = files.read(path, child)
                cases, unusable = _cases(read, found)
            except RejectedError as rejected:
                ran = True
                yield FileResult(str(path), broken=rejected.diagnostics)
                continue
            names += read.file.tests
            chosen = [case for case in cases if _is_chosen(case.name, asked.name)]
            wrong = {name: failure for name, failure in unusable.items() if _is_chosen(name, asked.name)}
            if chosen or wrong or asked.name is None:
                ran = True
                yield _File(read, asked, draw, now, loads).run(chosen, wrong)
    finally:
        child.close()
    if not ran:
        hint = did_you_mean(asked.name or "", names) or f" There are {', '.join(sorted(names)[:5])}."
        raise reject("no-tests", f'no test is called "{asked.name}"', f"--filter is a glob over the names of tests.{hint}")


def _is_chosen(name: str, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase(name, pattern)


def _cases(read: Read, found: Found) -> tuple[list[Case], dict[str, Failure]]:
    """The tests with their stacks, and what is wrong with those that name one that is not there."""
    cases: list[Case] = []
    wrong: dict[str, Failure] = {}
    allowed = (found.root, Path.cwd())
    for name, test in read.file.tests.items():
        at: DocumentPath = (
            ("tests", name, "stack") if test.stack is not None else ("stack",) if read.file.stack is not None else ("tests", name)
        )
        try:
            stack = files.stack_of(read.path, test.stack or read.file.stack, found, allowed)
            before = None
            if test.applied is not None:
                at = ("tests", name, "applied", "stack")
                earlier = stack if test.applied.stack is None else files.stack_of(read.path, test.applied.stack, found, allowed)
                variables = test.vars if test.applied.vars is None else test.applied.vars
                before = Wanted(earlier, variables)
            cases.append(Case(name, test, Wanted(stack, test.vars), before))
        except RejectedError as rejected:
            first = rejected.diagnostics[0]
            wrong[name] = Failure(at, first.summary, first.detail)
    return cases, wrong


class _File:
    """The tests of one file, tried one after the other."""

    def __init__(self, read: Read, asked: Asked, draw: Draw, now: Callable[[], float], loads: Loads) -> None:
        self._read = read
        self._asked = asked
        self._draw = draw
        self._now = now
        self._loads = loads
        self._kept = _kept(read.path)
        self._entries = dict(self._kept)
        self._written: list[Key] = []
        self._updated: list[Key] = []

    def run(self, cases: Sequence[Case], wrong: Mapping[str, Failure]) -> FileResult:
        begun = self._now()
        self._loads.ahead(
            wanted for case in cases if not case.test.expect.errors for wanted in (case.wanted, case.before) if wanted is not None
        )
        known = {case.name: case for case in cases}
        results = []
        for name in self._read.file.tests:
            if name in wrong:
                results.append(Result(name, 0.0, (msgspec.structs.replace(wrong[name], span=self._locate(wrong[name].at)),)))
            elif name in known:
                results.append(self._try(known[name]))
        obsolete = snapshots.obsolete(self._kept, self._declared()) if self._asked.name is None else ()
        removed = obsolete if self._asked.update else ()
        self._keep(removed)
        return FileResult(
            str(self._read.path),
            tuple(results),
            written=tuple(self._written),
            updated=tuple(self._updated),
            removed=removed,
            obsolete=() if removed else obsolete,
            skipped=len(self._read.file.tests) - len(results),
            seconds=self._now() - begun,
        )

    def _try(self, case: Case) -> Result:
        begun = self._now()
        tried = bench.attempt(case, self._loads, self._locate)
        failures = list(tried.failures)
        if tried.seen is not None:
            failures += [found for of in bench.snapshots_of(case, tried.seen) for found in self._snapshot(case, of, tried.seen)]
        failures.sort(key=lambda failure: (failure.span is None, failure.span or Span("", 0, 0)))
        span = self._locate(case.path) if failures else None
        return Result(case.name, self._now() - begun, tuple(failures), span)

    def _snapshot(self, case: Case, of: SnapshotOf, seen: Seen) -> Iterator[Failure]:
        key = (case.name, of)
        taken, kept = self._draw(of, seen), self._kept.get(key)
        at: DocumentPath = (*case.path, "expect", "snapshot")
        match snapshots.judge(kept, taken, update=self._asked.update, frozen=self._asked.frozen):
            case "written":
                self._written.append(key)
                self._entries[key] = taken
            case "updated":
                self._updated.append(key)
                self._entries[key] = taken
            case "missing":
                detail = "In CI none is made that nobody has looked at. Run `g8r test` at your desk, and commit what it writes."
                yield Failure(at, f"there is no snapshot of the {of}", detail, span=self._locate(at))
            case "different":
                detail = "If that is meant, `g8r test --update` takes it over."
                expected, got = snapshots.normal(kept or ""), snapshots.normal(taken)
                yield Failure(
                    at, f"the {of} {'is' if of == 'plan' else 'are'} not as in the snapshot", detail, expected, got, span=self._locate(at)
                )
            case "same":
                return

    def _declared(self) -> list[Key]:
        return [(name, of) for name, test in self._read.file.tests.items() for of in test.expect.snapshots]

    def _keep(self, removed: Sequence[Key]) -> None:
        entries = {key: text for key, text in self._entries.items() if key not in removed}
        if entries != self._kept:
            _write(_place(self._read.path), snapshots.write(self._read.path.name, entries))

    def _locate(self, at: DocumentPath) -> Span | None:
        return self._read.locator.locate([at], None).get(at)


def _place(test_file: Path) -> Path:
    return test_file.parent / snapshots.FOLDER / f"{test_file.name}{snapshots.SUFFIX}"


def _kept(test_file: Path) -> dict[Key, str]:
    place = _place(test_file)
    try:
        return snapshots.read(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise reject(
            "snapshots-unreadable", f"cannot read the snapshots in {place}", f"{problem}. Remove the file to begin anew."
        ) from problem


def _write(place: Path, text: str) -> None:
    try:
        if not text:
            place.unlink(missing_ok=True)
            return
        place.parent.mkdir(exist_ok=True)
        draft = place.with_name(f".{place.name}.new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(place)
    except OSError as problem:
        raise reject("snapshots-not-written", f"cannot write the snapshots to {place}", f"{problem.strerror}.") from problem
