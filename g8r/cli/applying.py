"""Applying a plan, put together: the lease, the refusals of [P-once], the host-wide owners, the run, and Ctrl-C."""

from __future__ import annotations

import gc
import getpass
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

import g8r
from g8r import modules
from g8r.cli import console
from g8r.cli.session import Session, now
from g8r.diagnostics import RejectedError, reject
from g8r.event import Event
from g8r.executor import store_owner
from g8r.executor.agent import Agent
from g8r.executor.ledger import key_of, newly_owed, unfinished
from g8r.executor.memory import MemoryTransport, Transport
from g8r.executor.orphans import prepare_recorded
from g8r.executor.ports import Conflict
from g8r.executor.run import Control, Report, Runner, Settings
from g8r.executor.store import SqliteStore
from g8r.module import Module
from g8r.outcome import Changed, Outcome, Unchanged, succeeded
from g8r.plan import PLAN_FORMAT, Plan, Step
from g8r.state import Ended, Intent, Lease, Owed, ResourceKey, Run, RunStatus, State
from g8r.value import Document

LEASE_LIFE = 60.0
"""Seconds that a lease outlives its last sign of life, on another machine; on this one a dead process is known as dead."""
_RENEWAL = 5.0
SWITCH = 0.0005
"""Seconds after which a thread that computes lets one go on that waits for the interpreter. Python's own 5 ms stall a batch of file
writes, which gives the interpreter away at every system call: 2,000 files took 2.4 s so, and 3.3 s without (medians, a busy machine)."""
_REFUSED = 3


class Interrupts:
    """Ctrl-C and SIGTERM while a run runs: the first asks it to stop, the second stops it."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def stopping(self) -> bool:
        return self._count > 0

    @property
    def aborting(self) -> bool:
        return self._count > 1

    @contextmanager
    def caught(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1


class RunLedger:
    """The store as one run sees it: with its fence and the clock."""

    def __init__(self, store: SqliteStore, lease: Lease, run: str, blobs: Mapping[str, bytes], owed: Sequence[Owed]) -> None:
        self._store = store
        self._lease = lease
        self._run = run
        self._blobs = blobs
        self._owed = owed
        self._renewed = time.monotonic()

    def begin(self, plan: Plan, intents: Sequence[Intent]) -> None:
        operator = f"{getpass.getuser()}@{socket.gethostname()}"
        run = Run(self._run, plan.id, "running", operator, now(), None, plan.serial, {})
        self._store.begin(self._lease.fence, run, plan, intents, newly_owed(plan, self._run, self._owed), self._blobs)

    def record(self, ended: Sequence[Ended]) -> None:
        self._store.record(self._lease.fence, self._run, ended)

    def finish(self, status: RunStatus, outputs: Document, sensitive: tuple[str, ...]) -> None:
        self._store.finish(self._lease.fence, self._run, status, now(), outputs, sensitive)

    def renew(self) -> None:
        if time.monotonic() - self._renewed >= _RENEWAL:
            self._lease = self._store.renew(self._lease, now())
            self._renewed = time.monotonic()


@contextmanager
def leased(session: Session, operation: str) -> Iterator[Lease]:
    """The right to write the state, given back at the end ([S-lock])."""
    lease = session.store.lease(store_owner.this_process(), operation, now(), LEASE_LIFE, store_owner.alive)
    try:
        yield lease
    finally:
        session.store.release(lease)


def check(plan: Plan, session: Session, state: State) -> None:
    """Refuse a plan that may no longer be applied ([P-once]). Raises RejectedError with exit code 3."""
    again = "Plan again, and apply the new plan."
    if plan.format != PLAN_FORMAT or plan.g8r_version != g8r.__version__:
        raise _refused("other-version", f"the plan was made by g8r {plan.g8r_version}, and this is {g8r.__version__}", again)
    if plan.expires < now():
        raise _refused("expired", f"the plan expired at {plan.expires}", again)
    applied = session.store.applied(plan.id)
    if applied is not None:
        raise _refused("applied", f"the plan was applied already, by run {applied}", f"A plan is applied once. {again}")
    if plan.lineage != state.lineage:
        raise _refused("other-lineage", "the plan belongs to another state", f"It was made for lineage {plan.lineage or 'none'}. {again}")
    other = sorted(
        {step.address.kind for step in plan.steps if step.wish is None and step.version != modules.load(step.address.kind).version}
    )
    if other:
        raise _refused("other-kind-version", f"the plan knows another version of {', '.join(other)}", again)
    touched = session.store.touched_since(plan.stack, plan.workspace, plan.serial) & {key_of(step) for step in plan.steps}
    if touched:
        names = ", ".join(str(key) for key in sorted(touched)[:3])
        raise _refused("touched", f"since the plan was made, another run touched {len(touched)} of its resources", f"{names}. {again}")


def perform(  # noqa: PLR0913 all that a run touches, handed in
    session: Session,
    plan: Plan,
    agents: Mapping[str, Agent],
    lease: Lease,
    listen: Callable[[Event], None],
    *,
    parallelism: int,
    resume: str | None = None,
    transport: Transport | None = None,
    interrupts: Control | None = None,
) -> Report:
    """Perform the plan; with `resume`, go on with that run of it. The last two are for who brings their own, as tests do."""
    state = session.state(plan.stack)
    run = resume or f"{now()[:10].replace('-', '')}-{plan.id[:8]}"
    ended = _ended(session.store, run, lease) if resume else {}
    _claim(session, plan)
    if not resume:
        _give_up_unfinished(session, plan, state, lease)
        state = session.state(plan.stack)
    signals = Interrupts()
    settings = Settings(
        run=run,
        now=time.monotonic,
        batch_of=lambda kind: modules.load(kind).batch,
        idempotent=_idempotent,
        parallelism=parallelism,
        resumed=resume is not None,
        flush=console.flush,
    )
    ledger = RunLedger(session.store, lease, run, session.blobs(plan), state.owed)
    gc.freeze()
    gc.enable()
    sys.setswitchinterval(SWITCH)
    with signals.caught():
        report = Runner(plan, state, transport or MemoryTransport(agents), ledger, listen, interrupts or signals, settings, ended).run()
    _release(session, plan, report)
    return report


def _give_up_unfinished(session: Session, plan: Plan, state: State, lease: Lease) -> None:
    """Runs that never ended are over now: this plan has looked into what they did, and the ledger keeps what it has not."""
    while (open_run := session.store.open_run(plan.stack, plan.workspace)) is not None:
        written = session.store.load(plan.stack, plan.workspace)
        entries = unfinished(state, written, plan, [session.store.plan_of(open_run.id)])
        if entries:
            session.store.edit(lease.fence, plan.stack, plan.workspace, entries)
        session.store.abandon(lease.fence, open_run.id, now())


def _refused(code: str, summary: str, detail: str) -> RejectedError:
    return reject(code, summary, detail, exit_code=_REFUSED)


def _ended(store: SqliteStore, run: str, lease: Lease) -> dict[str, Outcome]:
    """How steps of an interrupted run ended, as far as they need not be tried again; the others are opened again."""
    outcomes = dict(store.outcomes(run))
    again = [step for step, outcome in outcomes.items() if not succeeded(outcome)]
    store.reopen(lease.fence, run, again)
    return {step: outcome for step, outcome in outcomes.items() if succeeded(outcome)}


def _idempotent(step: Step) -> bool:
    module = modules.load(step.address.kind)
    if type(module).idempotent is Module.idempotent:
        return True
    prepared = prepare_recorded(step.address.kind, step.params, step.sealed, step.sensitive, modules.load)
    return bool(module.idempotent(prepared.params))


def _claim(session: Session, plan: Plan) -> None:
    """Have the hosts note that this stack manages these resources ([S-owner]). Raises RejectedError where another one does."""
    conflicts: list[Conflict] = []
    for host, keys in _managed(plan).items():
        conflicts += session.journals[host].claim(keys, plan.stack, plan.workspace)
    if conflicts:
        first = conflicts[0]
        more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
        raise reject(
            "owned",
            f"{first.key} is managed by stack {first.owner.stack!r}, workspace {first.owner.workspace!r}{more}",
            f"Stack {plan.stack!r} may not manage it too. Let go of it there with `g8r state forget`, or remove the task here.",
        )


def _managed(plan: Plan) -> dict[str, list[ResourceKey]]:
    found: dict[str, list[ResourceKey]] = {}
    for step in plan.steps:
        if not step.verb and step.wish is None and step.action != "blocked" and not modules.load(step.address.kind).of_stack:
            found.setdefault(step.address.host, []).append(key_of(step))
    return found


def _release(session: Session, plan: Plan, report: Report) -> None:
    """What was removed or forgotten is nobody's; a finished run's effects need not be remembered."""
    gone: dict[str, list[ResourceKey]] = {}
    kept = {key for keys in _managed(plan).values() for key in keys}
    for step in plan.steps:
        if step.wish is not None and isinstance(report.outcomes[step.id], Changed | Unchanged) and key_of(step) not in kept:
            gone.setdefault(step.address.host, []).append(key_of(step))
    for host, keys in gone.items():
        if host in session.journals:
            session.journals[host].release(keys, plan.stack, plan.workspace)
    if report.status == "done":
        for journal in session.journals.values():
            journal.settle(report.run)
