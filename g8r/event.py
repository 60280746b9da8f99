"""Events: what happens during a run, as it happens. The engine sends them; rendering only listens.

An event about a step's end is sent after its outcome is durable, never before. Times are seconds since the run began.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from g8r.outcome import Outcome
from g8r.plan import Step
from g8r.state import RunStatus
from g8r.value import Document


class RunStarted(msgspec.Struct, frozen=True, tag="run-started"):
    """`steps` counts what will be tried: all steps but no-ops and blocked ones."""

    run: str
    plan: str
    steps: int


class StepStarted(msgspec.Struct, frozen=True, tag="step-started"):
    step: Step
    at: float


class StepRunning(msgspec.Struct, frozen=True, tag="step-running"):
    """A heartbeat of a long step, about every ten seconds."""

    step: Step
    at: float
    elapsed: float


class StepRetried(msgspec.Struct, frozen=True, tag="step-retried"):
    """An attempt failed and another follows after `delay` seconds."""

    step: Step
    at: float
    attempt: int
    delay: float
    reason: str


class StepEnded(msgspec.Struct, frozen=True, tag="step-ended"):
    step: Step
    at: float
    elapsed: float
    outcome: Outcome


class Interrupted(msgspec.Struct, frozen=True, tag="interrupted"):
    """The user asked to stop: nothing new is started (`hard`: what runs is stopped too). `running` names what is still under way."""

    at: float
    hard: bool
    running: tuple[str, ...]


class RunEnded(msgspec.Struct, frozen=True, tag="run-ended"):
    """`counts` are of outcomes by word; `outputs` are the stack's, sensitive ones among them named."""

    run: str
    status: RunStatus
    at: float
    counts: dict[str, int]
    outputs: Document
    sensitive_outputs: tuple[str, ...] = ()


Event: TypeAlias = RunStarted | StepStarted | StepRunning | StepRetried | StepEnded | Interrupted | RunEnded
