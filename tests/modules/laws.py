"""A small engine right over the Module protocol (read, diff, apply, read), and the seven laws of the design as functions of a case."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeAlias

import msgspec
from case import CANARY, Case, Entry

from g8r import parameters
from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Undecided, Unreadable
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost, Killed, Snapshot
from g8r.host import Host, HostError, Stat
from g8r.module import Ahead, AnyModule, Wanted, Work
from g8r.modules import KINDS, load

Verdict: TypeAlias = Any


def cases(kinds: Iterable[str] = KINDS) -> list[Case]:
    """The cases of the kinds that have a table."""
    tables = [f"cases.{kind}" for kind in kinds]
    return [case for table in tables if importlib.util.find_spec(table) for case in importlib.import_module(table).CASES]


# ---- the engine -------------------------------------------------------------------------------------------------------------


class Task:
    """A case's task, for one host: what is recorded of it is what its last apply gave."""

    def __init__(self, case: Case, params: Any = None) -> None:
        self.case = case
        self.module: AnyModule = load(case.kind)
        self.params = params if params is not None else parameters.build(self.module, dict(case.params)).params
        self.recorded: Any = None
        self.pulled_in: tuple[str, ...] = ()

    def read(self, host: Host) -> Any:
        (state,) = self.module.read([Wanted(self.params, self.recorded)], host)
        return state

    def ahead(self, host: Host) -> Ahead:
        account = host.accounts().get(host.user)
        return Ahead(self.case.promised, privileged=host.privileged, user=host.user, group=account.group if account else host.user)

    def plan(self, host: Host) -> tuple[Any, Verdict]:
        """What is there, and the verdict; what cannot be read is blocked."""
        before = self.read(host)
        if isinstance(before, Unreadable):
            return before, Blocked(before.reason)
        ahead = self.ahead(host)
        verdict = self.module.diff(self.params, before, ahead)
        return before, self.rehearse(verdict, host) if isinstance(verdict, Change) else verdict

    def rehearse(self, change: Change[Any], host: Host) -> Verdict:
        """The change, with what the machine foretells of it."""
        (verdict,) = self.module.rehearse([Work(self.params, change, self.pulled_in, self.case.sensitive, self.ahead(host))], host)
        return verdict

    def apply(self, change: Change[Any], host: Host) -> Applied[Any] | Failed:
        hidden = parameters.determined(self.module, frozenset(self.case.sensitive))
        work = Work(self.params, change, self.pulled_in, tuple(sorted({*hidden, *self.case.sensitive})))
        try:
            (result,) = self.module.apply([work], host)
        except HostError as error:
            return Failed(str(error))
        if isinstance(result, Applied):
            self.recorded, self.pulled_in = result.state, result.pulled_in
        return result

    def converge(self, host: Host) -> Change[Any]:
        """Plan and apply, which must succeed; the change."""
        _, verdict = self.plan(host)
        change = expected_change(verdict)
        result = self.apply(change, host)
        assert isinstance(result, Applied), f"{self.case}: {result}"
        return change


def expected_change(verdict: Verdict) -> Change[Any]:
    change = verdict.likely if isinstance(verdict, Undecided) else verdict
    assert isinstance(change, Change), f"no change: {verdict}"
    return change


def word(verdict: Verdict) -> str:
    match verdict:
        case NoChange():
            return "unchanged"
        case Change(action=action):
            return action
        case Undecided():
            return "unknown"
        case _:
            return "blocked"


# ---- hosts ------------------------------------------------------------------------------------------------------------------


def fake_host(*cases: Case) -> FakeHost:
    """A Debian arranged as all these cases want it."""
    blobs = {digest: blob for case in cases for digest, blob in case.blobs.items()}
    host = FakeHost.debian(user=cases[0].user, blobs=blobs)
    for case in cases:
        arrange(case, host)
    host.calls.clear()
    return host


def arrange(case: Case, host: FakeHost) -> None:
    for path, entry in case.before.items():
        if entry.type == "directory":
            host.place_directory(path, mode=entry.mode, owner=entry.owner, group=entry.group)
        elif entry.type == "link":
            host.place_link(path, entry.target or "", owner=entry.owner, group=entry.group)
        else:
            host.place(path, entry.content or "", mode=entry.mode, owner=entry.owner, group=entry.group)
    if case.arrange:
        case.arrange(host)


def check_after(case: Case, host: Host) -> None:
    """That the machine is as the case says."""
    for path, entry in case.after.items():
        found = host.stat(path)
        if entry is None:
            assert found is None, f"{path} is still there"
        else:
            assert found is not None, f"{path} is not there"
            _check_entry(path, entry, found, host)


def _check_entry(path: str, entry: Entry, found: Stat, host: Host) -> None:
    mode = found.mode if entry.type == "link" else entry.mode
    expected = (entry.type, mode, entry.owner, entry.group, entry.target)
    assert (found.type, found.mode, found.owner, found.group, found.target) == expected, path
    if entry.type == "file" and entry.content is not None:
        wanted = entry.content.encode() if isinstance(entry.content, str) else entry.content
        assert host.read(path) == wanted


# ---- a case as it stands ----------------------------------------------------------------------------------------------------


def run(case: Case) -> None:
    """The case on a fake host."""
    host = fake_host(case)
    run_on(case, host)
    if case.check:
        case.check(host)


def run_on(case: Case, host: Host) -> None:
    """Plan, apply where there is a change, and compare with what the case expects."""
    task = Task(case)
    _, verdict = task.plan(host)
    assert word(verdict) == case.verdict, verdict
    assert case.says in reasons(verdict), verdict
    if isinstance(verdict, Change) or (isinstance(verdict, Undecided) and verdict.likely is not None):
        result = task.apply(expected_change(verdict), host)
        if case.fails:
            assert isinstance(result, Failed), f"did not fail: {result}"
            assert case.fails in result.reason
        else:
            assert isinstance(result, Applied), result
    check_after(case, host)


def reasons(verdict: Verdict) -> str:
    match verdict:
        case Change(because=because):
            return " ".join(because)
        case Undecided(reason=reason) | Blocked(reason=reason):
            return reason
        case _:
            return ""


def changes(case: Case) -> bool:
    """Whether an apply of this case brings something about: what most laws are about."""
    return case.verdict not in ("unchanged", "blocked") and not case.fails


# ---- the laws ---------------------------------------------------------------------------------------------------------------


def second_plan_is_empty(case: Case, host: Host) -> None:
    """Law 1."""
    task = Task(case)
    task.converge(host)
    _, verdict = task.plan(host)
    assert isinstance(verdict, NoChange), verdict


def prediction_holds(case: Case, host: Host) -> None:
    """Law 2."""
    task = Task(case)
    change = task.converge(host)
    assert_as_predicted(task, change, host)


class Machine(Host, Protocol):
    """A host that can tell whether anything changed."""

    def snapshot(self) -> Any: ...


def planning_writes_nothing(case: Case, host: FakeHost) -> None:
    """Law 3."""
    before = host.snapshot()
    with host.frozen():
        Task(case).plan(host)
    assert host.snapshot().differences(before) == ()


def removal_undoes(case: Case, host: Machine) -> None:
    """Law 4. What was created goes without a trace, save what the case says it leaves; what was adopted can be put back."""
    task, original = Task(case), host.snapshot()
    before = task.read(host)
    task.converge(host)
    now = task.read(host)
    created = isinstance(before, Absent)
    undo = task.module.remove(task.params, now) if created else task.module.restore(task.params, now, before)
    if isinstance(undo, NoChange):
        return
    if isinstance(undo, Blocked):
        assert undo.reason
        assert not created, "what was created cannot be removed"
        return
    foretold = task.rehearse(undo, host)
    assert isinstance(foretold, Change), foretold
    result = task.apply(foretold, host)
    assert isinstance(result, Applied), result
    assert_as_predicted(task, foretold, host)
    if created:
        left = [path for path in host.snapshot().differences(original) if path not in case.leaves]
        assert left == [], "created, removed again, and this is left"


def a_crash_loses_nothing(case: Case, host: FakeHost) -> None:
    """Law 5: killed before any of its calls, the second run gives the machine that a run in peace gives."""
    task = Task(case)
    if not task.module.idempotent(task.params):
        return
    _, verdict = task.plan(host)
    change = expected_change(verdict)
    peaceful = host.copy()
    Task(case).apply(change, peaceful)
    for calls in range(len(peaceful.calls)):
        crashed = host.copy()
        crashed.fail_after(calls)
        try:
            Task(case).apply(change, crashed)
        except Killed:
            crashed.revive()
        else:
            message = "fewer calls than in peace"
            raise AssertionError(message)
        again = Task(case)
        _, second = again.plan(crashed)
        if not isinstance(second, NoChange):
            result = again.apply(expected_change(second), crashed)
            assert isinstance(result, Applied), result
        assert crashed.snapshot().differences(peaceful.snapshot()) == (), f"killed before call {calls}: {peaceful.calls[calls]}"
        assert_as_predicted(again, change, crashed)


def order_does_not_matter(first: Case, second: Case) -> None:
    """Law 6: two unrelated tasks, in either order and at once."""
    ends: list[Snapshot] = []
    for order in ((first, second), (second, first)):
        host = fake_host(first, second)
        for case in order:
            Task(case).converge(host)
        ends.append(host.snapshot())
    host = fake_host(first, second)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda case: Task(case).converge(host), (first, second)))
    ends.append(host.snapshot())
    assert ends[0].differences(ends[1]) == ()
    assert ends[0].differences(ends[2]) == ()


def secrets_stay_inside(case: Case, host: FakeHost) -> None:
    """Law 7. In states they are where `determines` says, so that the engine can mask them; elsewhere they are not."""
    task = Task(case)
    values = {name: str(case.params[name]) for name in case.sensitive}
    assert all(CANARY in value for value in values.values()), "a sensitive param holds no canary, so this proves nothing"
    before, verdict = task.plan(host)
    seen: list[object] = [task.module.identity(task.params), task.module.claims(task.params), reasons(verdict)]
    states = [before]
    if isinstance(verdict, Change | Undecided):
        change = expected_change(verdict)
        result = task.apply(change, host)
        seen.append(msgspec.structs.replace(result, state=None) if isinstance(result, Applied) else result)
        states += [change.before, change.after, task.read(host)]
    seen += [argv for name, argv in host.calls if name == "run"]
    leaks = [part for part in seen if CANARY in str(part)]
    assert leaks == []
    masked = parameters.determined(task.module, frozenset(case.sensitive))
    for state in states:
        if not isinstance(state, Absent | Unreadable):
            open_fields = {field for field, value in msgspec.structs.asdict(state).items() if CANARY in str(value)} - masked
            assert open_fields == set(), "not masked, since `determines` does not name it"


def assert_as_predicted(task: Task, change: Change[Any], host: Host) -> None:
    found = task.read(host)
    if change.after == ABSENT or isinstance(found, Absent | Unreadable):
        assert found == change.after
        return
    known = {name: value for name, value in msgspec.structs.asdict(change.after).items() if name not in change.unknown}
    assert {name: getattr(found, name) for name in known} == known


# ---- which tasks are unrelated ----------------------------------------------------------------------------------------------


def unrelated_pairs(cases: Sequence[Case]) -> list[tuple[Case, Case]]:
    """Each case with the next three that have nothing to do with it."""
    able = [case for case in cases if changes(case) and case.user == "root"]
    pairs = []
    for index, first in enumerate(able):
        others = able[index + 1 :] + able[:index]
        pairs += [(first, second) for second in [other for other in others if not _related(first, other)][:3]]
    return pairs


def _related(first: Case, second: Case) -> bool:
    if any(_overlap(one, other) for one in first.before for other in second.before):
        return True
    ones, others = _all_claims(first), _all_claims(second)
    return any(_overlap(one, other) for one in ones for other in others)


def _all_claims(case: Case) -> set[str]:
    task = Task(case)
    claims: Claims = task.module.claims(task.params)
    return {*claims.provides, *claims.locks, *claims.excludes}


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other.rstrip('/')}/") or other.startswith(f"{one.rstrip('/')}/")
