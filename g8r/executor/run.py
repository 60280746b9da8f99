"""A run: a plan performed. The loop between the pure scheduler, the agents, the ledger and whoever listens.

Intentions are recorded before anything is done. Outcomes are committed in groups: the hosts' file systems are synced, the ledger
is written, and only then is an outcome announced. So what was announced is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from g8r.address import Address
from g8r.event import Event, Interrupted, RunEnded, RunStarted, StepEnded, StepRetried, StepRunning, StepStarted
from g8r.executor.ledger import Bookkeeper, intents, key_of
from g8r.executor.memory import Transport
from g8r.executor.perform import Given, Performed
from g8r.executor.scheduler import QUIET, Scheduler
from g8r.executor.stack_outputs import known_outputs
from g8r.outcome import Changed, Failure, InDoubt, NotStarted, Outcome, Unchanged, word
from g8r.plan import Plan, Step
from g8r.state import Ended, Intent, Resource, ResourceKey, RunStatus, State
from g8r.value import Document

HEARTBEAT = 10.0
"""Seconds between two signs of life of a long step."""
PATIENCE = 2.0
"""Seconds that a step has to end when it is stopped."""


class Ledger(Protocol):
    """The part of the store that a run needs; the fence is the caller's."""

    def begin(self, plan: Plan, intents: Sequence[Intent]) -> None: ...

    def record(self, ended: Sequence[Ended]) -> None: ...

    def finish(self, status: RunStatus, outputs: Document, sensitive: tuple[str, ...]) -> None: ...

    def renew(self) -> None:
        """Say that this run is alive; called at least every few seconds."""
        ...


class Control(Protocol):
    """What the user asks of a run while it runs."""

    @property
    def stopping(self) -> bool:
        """Start nothing new."""
        ...

    @property
    def aborting(self) -> bool:
        """Stop what runs, too."""
        ...


class Report(msgspec.Struct, frozen=True):
    """How a run ended. `outcomes` has one for each step."""

    run: str
    status: RunStatus
    outcomes: Mapping[str, Outcome]
    outputs: Document


class Settings(msgspec.Struct, frozen=True):
    """How to run. `now` gives seconds from any fixed point; `batch_of` a kind's batch; `idempotent` whether a step is."""

    run: str
    now: Callable[[], float]
    batch_of: Callable[[str], int]
    idempotent: Callable[[Step], bool]
    parallelism: int = 10
    resumed: bool = False
    flush: Callable[[], None] = lambda: None
    """Called when a group of events has been sent: what was written of them should be seen now."""


class Runner:
    """One run. `outcomes` of an earlier part of it are given when it is resumed."""

    def __init__(  # noqa: PLR0913, PLR0917 everything a run touches, handed in
        self,
        plan: Plan,
        state: State,
        transport: Transport,
        ledger: Ledger,
        listen: Callable[[Event], None],
        control: Control,
        settings: Settings,
        ended: Mapping[str, Outcome] | None = None,
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._ledger = ledger
        self._listen = listen
        self._control = control
        self._settings = settings
        self._scheduler = Scheduler(plan, settings.batch_of, settings.parallelism, ended)
        self._bookkeeper = Bookkeeper(plan, settings.run, state, settings.idempotent)
        self._recorded = _remembered(plan, state.resources)
        self._kept_outputs = {name: value for name, value in state.outputs.items() if name in plan.stack_outputs}
        self._outputs: dict[Address, Document] = {step.address: step.outputs for step in plan.steps if step.outputs and not step.verb}
        self._started: dict[str, float] = {}
        self._beaten: dict[str, float] = {}
        self._attempts: dict[str, int] = {}
        self._due: list[tuple[float, Performed]] = []
        self._before = dict(ended or {})
        self._begun = settings.now()
        self._interrupted = False
        self._aborted = False

    def run(self) -> Report:
        if not self._settings.resumed:
            self._ledger.begin(self._plan, intents(self._plan, self._bookkeeper, self._settings.idempotent))
        tried = sum(1 for step in self._plan.steps if step.action not in {"no-op", "blocked"})
        self._listen(RunStarted(self._settings.run, self._plan.id, tried))
        swept = list(self._scheduler.outcomes.items())
        for identifier, outcome in swept:
            self._learn(self._scheduler.steps[identifier], outcome)
        self._commit([(self._scheduler.steps[name], outcome, None) for name, outcome in swept if name not in self._before])
        while not self._aborted:
            self._start()
            if not self._scheduler.running and not self._due:
                break
            self._collect(self._transport.receive(self._patience()))
            self._beat()
            self._heed()
            self._settings.flush()
        return self._end()

    # ---- the loop's parts ----

    def _start(self) -> None:
        if self._control.stopping:
            given_up, self._due = self._due, []
            self._finish([each for _, each in given_up])
            return
        for batch in self._scheduler.ready():
            for step in batch.steps:
                self._started[step.id] = self._beaten[step.id] = self._now()
                self._listen(StepStarted(step, self._now()))
            self._transport.perform(batch, Given(self._settings.run, self._outputs, self._plan.selected, self._recorded))

    def _patience(self) -> float:
        due = [at - self._now() for at, _ in self._due]
        return max(0.01, min([1.0, *due]))

    def _collect(self, performed: Sequence[Performed]) -> None:
        now = self._now()
        for _, each in (due for due in self._due if due[0] <= now):
            self._scheduler.again(each.step.id)
        self._due = [due for due in self._due if due[0] > now]
        self._finish([each for each in performed if not self._retried(each)])

    def _finish(self, performed: Sequence[Performed]) -> None:
        """These steps have ended for good: learn from them, end what ends with them, commit, announce."""
        ended: list[tuple[Step, Outcome, Performed | None]] = []
        for each in performed:
            outcome = self._counted(each)
            self._learn(each.step, outcome)
            ended.append((each.step, outcome, each))
            for identifier in self._scheduler.end(each.step.id, outcome):
                step = self._scheduler.steps[identifier]
                self._learn(step, self._scheduler.outcomes[identifier])
                ended.append((step, self._scheduler.outcomes[identifier], None))
        if performed:
            self._transport.sync([each.step for each in performed])
        self._commit(ended)

    def _retried(self, performed: Performed) -> bool:
        step, outcome = performed.step, performed.outcome
        attempt = self._attempts.get(step.id, 1)
        if not isinstance(outcome, Failure) or step.retry is None or attempt >= step.retry.attempts or self._control.stopping:
            return False
        self._attempts[step.id] = attempt + 1
        self._due.append((self._now() + step.retry.delay, performed))
        self._listen(StepRetried(step, self._now(), attempt, step.retry.delay, outcome.reason))
        return True

    def _counted(self, performed: Performed) -> Outcome:
        """The outcome as the run sees it: with its attempts, and with what only the run knows of it."""
        step, outcome = performed.step, performed.outcome
        attempts = self._attempts.get(step.id, 1)
        match outcome:
            case Failure(touched=True) if self._control.aborting and not self._settings.idempotent(step):
                return InDoubt("it was stopped while it ran")
            case Unchanged(state=state, outputs=outputs) if self._settings.resumed and step.action not in {"no-op", "unknown"}:
                return Changed(state, outputs)  # the part of this run that was cut off had done it
            case Changed() | Failure() if attempts > 1:
                return msgspec.structs.replace(outcome, attempts=attempts)
            case _:
                return outcome

    def _learn(self, step: Step, outcome: Outcome) -> None:
        known = getattr(outcome, "outputs", None)
        if known:
            self._outputs[step.address] = known

    def _commit(self, ended: Sequence[tuple[Step, Outcome, Performed | None]]) -> None:
        """Write what ended, then announce it."""
        written = []
        for step, outcome, performed in ended:
            entries = self._bookkeeper.entries(step, outcome)
            if step.action == "no-op" and not entries:
                continue
            written.append(Ended(step.id, outcome, entries, performed.fidelity if performed else None))
        if written:
            self._ledger.record(written)
        for step, outcome, _ in ended:
            if step.action not in QUIET or step.action == "forget":
                at = self._now()
                self._listen(StepEnded(step, at, at - self._started.get(step.id, at), outcome))

    def _beat(self) -> None:
        now = self._now()
        self._ledger.renew()
        for identifier in self._scheduler.running:
            if now - self._beaten.get(identifier, now) >= HEARTBEAT:
                self._beaten[identifier] = now
                self._listen(StepRunning(self._scheduler.steps[identifier], now, now - self._started[identifier]))

    def _heed(self) -> None:
        """Tell the listener once when the user wants to stop, and stop hard when asked twice."""
        if self._control.stopping and not self._interrupted:
            self._interrupted = True
            self._listen(Interrupted(self._now(), hard=False, running=self._scheduler.running))
        if self._control.aborting and not self._aborted:
            self._listen(Interrupted(self._now(), hard=True, running=self._scheduler.running))
            self._transport.abort()
            self._abandon()
            self._aborted = True

    def _abandon(self) -> None:
        """Give what was stopped a moment to end; what does not may have happened."""
        deadline = self._now() + PATIENCE
        self._finish([each for _, each in self._due])
        self._due = []
        while self._scheduler.running and self._now() < deadline:
            self._finish(self._transport.receive(max(0.01, deadline - self._now())))
        left = [self._scheduler.steps[identifier] for identifier in self._scheduler.running]
        self._finish([Performed(step, InDoubt("it was stopped while it ran, and its end is not known")) for step in left])

    def _end(self) -> Report:
        outcomes = dict(self._scheduler.outcomes)
        for identifier in self._scheduler.steps:
            outcomes.setdefault(identifier, NotStarted())
        status = self._status(outcomes)
        if status == "failed" and self._control.stopping:
            status = "interrupted"
        outputs = {**self._kept_outputs, **known_outputs(self._plan.stack_outputs, self._plan.selected, self._outputs)}
        self._ledger.finish(status, outputs, self._plan.sensitive_outputs)
        counts: dict[str, int] = {}
        for identifier, outcome in outcomes.items():
            if self._scheduler.steps[identifier].action != "no-op":
                counts[word(outcome)] = counts.get(word(outcome), 0) + 1
        self._listen(RunEnded(self._settings.run, status, self._now(), dict(sorted(counts.items())), outputs, self._plan.sensitive_outputs))
        return Report(self._settings.run, status, outcomes, outputs)

    def _status(self, outcomes: Mapping[str, Outcome]) -> RunStatus:
        words = {word(outcome) for outcome in outcomes.values()}
        if "not-started" in words or (self._aborted and "failed" in words):
            return "interrupted"
        return "failed" if words & {"failed", "skipped", "stale", "unknown"} else "done"

    def _now(self) -> float:
        return self._settings.now() - self._begun


def _remembered(plan: Plan, recorded: Mapping[ResourceKey, Resource]) -> dict[str, Document]:
    """By step, what the ledger recorded: kinds that remember read it."""
    found = {}
    for step in plan.steps:
        record = recorded.get(key_of(step))
        if record is not None and record.state is not None and record.version == step.version:
            found[step.id] = record.state
    return found
