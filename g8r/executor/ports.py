"""Ports: what the executor needs to be remembered, whoever remembers it.

`tests/executor/test_store_contract.py` and `test_journal.py` say what every implementation must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from g8r.outcome import Outcome
from g8r.plan import Plan
from g8r.state import Ended, Entry, Fidelity, Intent, Lease, Owed, ResourceKey, Run, RunStatus, State
from g8r.value import Document

Alive: TypeAlias = Callable[[str], bool]
"""Whether the owner of a lease may still be at work. True where nobody here can know."""


class Owner(msgspec.Struct, frozen=True, order=True):
    """The stack and workspace that manage a resource of a host."""

    stack: str
    workspace: str


class Conflict(msgspec.Struct, frozen=True, order=True):
    """A resource that was claimed and is another's."""

    key: ResourceKey
    owner: Owner


class Effect(msgspec.Struct, frozen=True):
    """What the journal knows of a step that must not happen twice. `outcome` None: started, and nobody knows how it ended."""

    attempt: int
    outcome: Outcome | None


class Store(Protocol):
    """The ledgers, runs and leases of one state file. Times are RFC 3339 in UTC; a run is named by its id.

    Whatever returns has been committed, whole: kill -9 and power loss lose nothing of it. Whatever raises has changed nothing.
    A write needs the fence of the newest lease, not released, and raises `FencedError` otherwise. What the file, the disk or the
    user refuses is a `RejectedError`. Not for several threads at once.
    """

    def load(self, stack: str, workspace: str) -> State:
        """The ledger; an unknown one is empty, with serial 0 and lineage "". Writes nothing, and makes no file.

        `intents` are those of runs that never ended, for the steps that have no outcome; `started` is False: the journal knows.
        """

    def ledgers(self) -> list[tuple[str, str]]:
        """The stack and workspace of every ledger there is, sorted. Makes no file."""

    def lineage(self, stack: str, workspace: str, fresh: str) -> str:
        """The ledger's lineage. An unknown ledger is made, durably, with `fresh` as its lineage and serial 0."""

    def holder(self) -> Lease | None:
        """The lease that is held, live or not."""

    def lease(self, owner: str, operation: str, now: str, ttl: float, alive: Alive) -> Lease:
        """The right to write, until `ttl` seconds after the last heartbeat.

        Refused while another owner's lease is live: heard of within its own ttl, and `alive`. One's own earlier lease is replaced.
        """

    def renew(self, lease: Lease, now: str) -> Lease:
        """A heartbeat; `FencedError` where the lease has been lost."""

    def release(self, lease: Lease) -> None:
        """Gives the lease back; nothing happens where it has been lost already."""

    def begin(self, fence: int, run: Run, plan: Plan, intents: Sequence[Intent], owed: Sequence[Owed], blobs: Mapping[str, bytes]) -> int:
        """Records, before anything is touched, all that the run means to do; returns the serial.

        Refused with exit code 3: a plan that was applied before, or one of another lineage. `blobs` are those that the plan names.
        """

    def record(self, fence: int, run: str, ended: Sequence[Ended]) -> int:
        """How steps of an open run ended, with all it means for the ledger. Returns the serial: one more where there are entries."""

    def finish(
        self,
        fence: int,
        run: str,
        status: RunStatus,
        ended: str,
        outputs: Document | None = None,
        sensitive_outputs: Sequence[str] = (),
    ) -> int:
        """The run has ended. `outputs` become the ledger's, one serial later where they differ; None leaves them."""

    def reopen(self, fence: int, run: str, again: Collection[str]) -> None:
        """Goes on with a run that did not get done; the outcomes of the steps `again` are struck, so that they are intended anew.

        Refused with exit code 3: a run that is done or abandoned, or that another has followed.
        """

    def abandon(self, fence: int, run: str, ended: str) -> None:
        """A run that never ended is given up: what it intended has been looked into, and is forgotten."""

    def edit(self, fence: int, stack: str, workspace: str, entries: Sequence[Entry]) -> int:
        """Changes a ledger outside any run (mv, forget, rebuild); returns the serial."""

    def runs(self, stack: str, workspace: str, limit: int) -> list[Run]:
        """The newest first."""

    def open_run(self, stack: str, workspace: str) -> Run | None:
        """The newest run that never ended."""

    def outcomes(self, run: str) -> list[tuple[str, Outcome]]:
        """Sorted by step."""

    def plan_of(self, run: str) -> Plan:
        """The plan that the run performs; refused where it is no longer kept."""

    def blobs_of(self, run: str) -> dict[str, bytes]:
        """The blobs that its plan names."""

    def applied(self, plan: str) -> str | None:
        """The run that performs the plan of this id, or did."""

    def fidelity(self) -> list[Fidelity]:
        """Sums over all that was ever recorded, sorted by kind."""

    def touched_since(self, stack: str, workspace: str, serial: int) -> set[ResourceKey]:
        """The resources that were recorded, dropped, or had a trigger struck after that serial."""

    def close(self) -> None:
        """Lets go of the file. The store may be used again, and opens it again."""


class Journal(Protocol):
    """What one agent remembers of its own host, for all stacks. Keys are of this host: their `host` is not looked at.

    Whatever returns is durable. Reading where nothing was ever written makes no file.
    """

    def owners(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, Owner]:
        """Who manages these resources; those that nobody does are left out."""

    def claim(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> tuple[Conflict, ...]:
        """Takes all of them for the stack, or none: then the conflicts, sorted."""

    def release(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> None:
        """Nobody manages them any more. What is another's stays another's."""

    def hand_over(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> None:
        """They are this stack's from now on, whosever they were."""

    def started(self, run: str, step: str, attempt: int) -> None:
        """To be called before an effect that must not happen twice."""

    def done(self, run: str, step: str, outcome: Outcome) -> None:
        """To be called after it, before anybody is told."""

    def effect(self, run: str, step: str) -> Effect | None:
        """None: never started."""

    def settle(self, run: str) -> None:
        """The store has all outcomes of the run: its effects may be forgotten."""

    def admit(self, lineage: str, fence: int) -> bool:
        """Whether no higher fence of this lineage has been seen; the highest is remembered."""

    def close(self) -> None:
        """Lets go of the file. The journal may be used again, and opens it again."""
