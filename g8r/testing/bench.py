"""One test: its hosts are built, its stack is compiled, planned and applied as far as the expectations ask for it, and compared."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

import msgspec

from g8r.address import LOCALHOST, Address
from g8r.compiler.compile import Compiled
from g8r.compiler.graph import TaskGraph
from g8r.diagnostics import Diagnostic, DocumentPath, RejectedError, Severity, Span, did_you_mean, errors
from g8r.executor.fake_host import FakeHost
from g8r.host import HostError
from g8r.plan import Plan
from g8r.render.suite import Failure
from g8r.stack import HostEntry, Stack
from g8r.testing import compare, worlds
from g8r.testing import seen as seen_of
from g8r.testing.cases import Expect, GivenFacts, SnapshotOf, Test, World
from g8r.testing.loads import GIVEN, Given, Loads, Wanted
from g8r.testing.seen import Run, Seen, Text
from g8r.testing.stage import Stage
from g8r.value import Document

_NOTHING = Compiled(Stack(name=""), {}, TaskGraph())

Locate = Callable[[DocumentPath], Span | None]
"""Finds a place in the test file."""


class Case(msgspec.Struct, frozen=True):
    """A test with its name, and the stacks that it is about; `before` is what was applied before."""

    name: str
    test: Test
    wanted: Wanted
    before: Wanted | None = None

    @property
    def path(self) -> DocumentPath:
        return ("tests", self.name)


class Tried(msgspec.Struct, frozen=True):
    """How a test went: what does not hold, each with its place in the test file, and what snapshots would be taken."""

    failures: tuple[Failure, ...]
    seen: Seen | None = None


class _MisuseError(Exception):
    """The test describes what cannot be."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = tuple(failures)
        super().__init__("; ".join(failure.summary for failure in failures))


def attempt(case: Case, loads: Loads, locate: Locate) -> Tried:
    """Run one test."""
    seen: Seen | None = None
    given: Given | None = None
    try:
        try:
            given = loads.given(case.wanted, case.test.hosts)
            seen = _see(case, given, loads)
        except RejectedError as rejected:
            seen = Seen(_NOTHING, errors=rejected.diagnostics)
        failures = [_under(case, failure) for failure in compare.failures(case.test.expect, seen)]
    except _MisuseError as misuse:
        failures = list(misuse.failures)
    return Tried(tuple(_placed(failure, case, given, locate) for failure in failures), seen)


def snapshots_of(case: Case, seen: Seen) -> tuple[SnapshotOf, ...]:
    """The snapshots that can be taken of what was seen."""
    return () if seen.errors else case.test.expect.snapshots


# ---- seeing ----------------------------------------------------------------------------------------------------------------------------


def _see(case: Case, given: Given, loads: Loads) -> Seen:
    stage, compiled = _set_up(case, given, loads)
    wrong, warned = errors(compiled.diagnostics), _warnings(compiled.diagnostics)
    if wrong or not _asks_for_a_plan(case.test.expect):
        return Seen(compiled, errors=wrong, warnings=warned)
    if case.before is not None:
        _apply_before(case, stage, compiled, loads)
    planned = stage.plan(compiled)
    wrong, warned = errors(planned.diagnostics), (*warned, *_warnings(planned.diagnostics))
    if wrong:
        return Seen(compiled, errors=wrong, warnings=warned)
    once = _Once(stage, compiled, planned.plan)
    wants_run = case.test.expect.converges and not planned.plan.blocked
    return Seen(compiled, warnings=warned, plan=planned.plan, run=once.run() if wants_run else None, content=once.content)


def _asks_for_a_plan(expect: Expect) -> bool:
    asked = (expect.content, expect.plan, expect.outputs, expect.errors, expect.converges, "plan" in expect.snapshots)
    return any(asked) or expect.changes is not None or expect.warnings is not None


def _set_up(case: Case, given: Given, loads: Loads) -> tuple[Stage, Compiled]:
    """The hosts as described, and the stack compiled for them."""
    entries = given.stack.hosts or {LOCALHOST: HostEntry()}
    _check_hosts(case, entries)
    hosts: dict[str, FakeHost] = {}
    wrong: list[Failure] = []
    for name, entry in sorted(entries.items()):
        try:
            facts = worlds.facts_of(name, entry.facts, case.test.facts.get(name, GivenFacts()))
        except msgspec.ValidationError as mismatch:
            wrong.append(Failure(("tests", case.name), f"the stack says of the host {name} what no fact is", f"{mismatch}."))
            continue
        built = worlds.build(case.test.world.get(name, World()), facts)
        hosts[name] = built.host
        wrong += [Failure((*case.path, "world", name, *(one.path or ())), one.summary, one.detail) for one in built.mistakes]
    if wrong:
        raise _MisuseError(wrong)
    compiled = _compiled(case.wanted, case.test.hosts, given, hosts, loads)
    return Stage(hosts, case.test.secrets), compiled


def _check_hosts(case: Case, entries: dict[str, HostEntry]) -> None:
    wrong = [
        Failure((*case.path, field, name), f'{field}: unknown host "{name}"', _known_hosts(name, sorted(entries)))
        for field, named in (("facts", case.test.facts), ("world", case.test.world))
        for name in named
        if name not in entries
    ]
    if wrong:
        raise _MisuseError(wrong)


def _known_hosts(name: str, hosts: Sequence[str]) -> str:
    near = did_you_mean(name, hosts).strip()
    return near or f"The stack is for {', '.join(hosts[:10])}."


def _compiled(wanted: Wanted, hosts: Document | None, given: Given, machines: dict[str, FakeHost], loads: Loads) -> Compiled:
    facts: dict[str, Document] = {name: msgspec.to_builtins(machine.facts()) for name, machine in machines.items()}
    compiled = loads.compile(wanted, hosts, facts, given)
    for name, catalog in compiled.graph.catalogs().items():
        if name in machines:
            worlds.provide(machines[name], catalog.tasks)
    return compiled


def _apply_before(case: Case, stage: Stage, compiled: Compiled, loads: Loads) -> None:
    """What was there before is put there by the engine. Raises _MisuseError where that cannot be."""
    assert case.before is not None  # noqa: S101 the caller has looked
    at = (*case.path, "applied")
    try:
        given = loads.given(case.before, case.test.hosts)
        earlier = _compiled(case.before, case.test.hosts, given, stage.hosts, loads)
    except RejectedError as rejected:
        raise _MisuseError([_before_has_errors(at, rejected.diagnostics)]) from rejected
    wrong = errors(earlier.diagnostics)
    if wrong:
        raise _MisuseError([_before_has_errors(at, given.loaded.located(wrong))])
    planned = stage.plan(earlier)
    if earlier.stack.name != compiled.stack.name:
        detail = "Another stack has another ledger: nothing of it would be changed or removed. Give both the same name."
        raise _MisuseError([Failure(at, f'it is the stack "{earlier.stack.name}", and not "{compiled.stack.name}"', detail)])
    run = _Once(stage, earlier, planned.plan).run(again=False)
    failed = list(compare.unfinished(planned.plan, run))
    if failed:
        raise _MisuseError([msgspec.structs.replace(failure, at=at, summary=f"before: {failure.summary}") for failure in failed])


def _before_has_errors(at: DocumentPath, found: Sequence[Diagnostic]) -> Failure:
    return Failure(at, "what is to be applied before has errors", diagnostics=tuple(found))


class _Once:
    """A plan that is applied at most once, when something is asked for that only then shows."""

    def __init__(self, stage: Stage, compiled: Compiled, plan: Plan) -> None:
        self._stage = stage
        self._compiled = compiled
        self._plan = plan
        self._run: Run | None = None

    def run(self, *, again: bool = True) -> Run:
        """The run; with `again`, the plan after it, too."""
        if self._run is None:
            report = self._stage.apply(self._plan)
            after = self._stage.plan(self._compiled).plan if again and report.status == "done" else None
            self._run = Run(report.status, report.outcomes, report.outputs, after)
        return self._run

    def content(self, address: Address) -> Text:
        """From the plan where it foretells the content; else the file is read after an apply."""
        step = next(step for step in self._plan.steps if step.id == str(address))
        if step.action == "blocked":
            return Text(None, f"It is blocked: {step.reason.text}")
        secret = "content" in step.sensitive
        foretold = step.after.get("content") if step.after is not None else None
        if self._run is None and isinstance(foretold, str) and not secret and "content" not in step.unknown:
            return Text(foretold)
        failed = seen_of.failure_of(self.run().outcomes[step.id])
        if failed is not None:
            return Text(None, f"It cannot be applied: {failed}")
        return self._read(address.host, self._compiled.graph.tasks[address].identity, secret=secret)

    def _read(self, host: str, path: str, *, secret: bool) -> Text:
        machine = self._stage.hosts[host]
        try:
            there = machine.follow(path)
            if there is None:
                return Text(None, f"There is no {path} on {host} in the end")
            target = path
            while (link := machine.stat(target)) is not None and link.target is not None:
                target = posixpath.join(posixpath.dirname(target), link.target)
            return Text(machine.read(target).decode("utf-8", "replace"), secret=secret)
        except HostError as refused:
            return Text(None, f"{refused}")


def _warnings(found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(each for each in found if each.severity is Severity.WARNING)


# ---- places ----------------------------------------------------------------------------------------------------------------------------


def _under(case: Case, failure: Failure) -> Failure:
    return msgspec.structs.replace(failure, at=(*case.path, "expect", *failure.at))


def _placed(failure: Failure, case: Case, given: Given | None, locate: Locate) -> Failure:
    """With its line in the test file, and its diagnostics with theirs in the stack, or in the test where that gave what is wrong."""
    found = tuple(_moved(each, case, locate) for each in failure.diagnostics)
    if found and given is not None:
        found = given.loaded.located(found)
    return msgspec.structs.replace(failure, span=locate(failure.at), diagnostics=found)


def _moved(found: Diagnostic, case: Case, locate: Locate) -> Diagnostic:
    path = found.path or ()
    if found.span is not None and found.span.file == GIVEN:
        return msgspec.structs.replace(found, span=locate((*case.path, "vars", *path[1:])))
    if path[:1] == ("hosts",) and case.test.hosts is not None:
        return msgspec.structs.replace(found, span=locate((*case.path, *path)))
    return found
