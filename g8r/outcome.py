"""Outcomes: how a step ended. Closed: every reader of one handles all of them."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from g8r.value import Document


class Changed(msgspec.Struct, frozen=True, tag="changed", omit_defaults=True):
    """Done, read back, and as planned. `state` is None where the resource is gone; `satisfied` are trigger verbs now needless."""

    state: Document | None = None
    outputs: Document = {}
    pulled_in: tuple[str, ...] = ()
    attempts: int = 1
    satisfied: tuple[str, ...] = ()
    found: Document | None = None
    """What was there when its turn came, of a step whose plan could not tell."""


class Unchanged(msgspec.Struct, frozen=True, tag="unchanged", omit_defaults=True):
    """Nothing was to be done when its turn came. `note` says why, where the plan had foreseen otherwise."""

    state: Document | None = None
    outputs: Document = {}
    note: str = ""


class Failure(msgspec.Struct, frozen=True, tag="failed", omit_defaults=True):
    """Tried and failed. `touched` is False where nothing was attempted; `left` is what a failed creation left behind."""

    reason: str
    output: str = ""
    attempts: int = 1
    touched: bool = True
    left: Document | None = None


class Skipped(msgspec.Struct, frozen=True, tag="skipped"):
    """Not tried, because a step that it needs did not succeed."""

    because: str


class Stale(msgspec.Struct, frozen=True, tag="stale"):
    """Not tried: the world is not as the plan found it. `reason` says what differs."""

    reason: str


class InDoubt(msgspec.Struct, frozen=True, tag="unknown"):
    """It may have happened: a crash or cut came between, it cannot be read again, and doing it twice is not doing it once."""

    reason: str


class NotStarted(msgspec.Struct, frozen=True, tag="not-started"):
    """The run was stopped before its turn."""


Outcome: TypeAlias = Changed | Unchanged | Failure | Skipped | Stale | InDoubt | NotStarted


def succeeded(outcome: Outcome) -> bool:
    """Whether what needs this step may go on."""
    return isinstance(outcome, Changed | Unchanged)


def word(outcome: Outcome) -> str:
    """The glossary's word: changed, unchanged, failed, skipped, stale, unknown, not-started."""
    return str(outcome.__struct_config__.tag)
