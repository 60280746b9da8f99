"""What the core keeps of one agent: its record and the work that it was given, both durable, and how sending it goes."""

from __future__ import annotations

from typing import Final

import msgspec

from g8r.executor.delivery import blobs
from g8r.executor.delivery.order import CatalogNotice, Order, WorkKey, key_of
from g8r.executor.delivery.ports import Ended


class AgentRecord(msgspec.Struct, frozen=True):
    """An agent as it was enrolled. `next` numbers its next order. A revoked one stays, for ids are never used again."""

    agent: str
    epoch: int
    next: int = 1
    revoked: bool = False
    catalog: CatalogNotice | None = None


class Work(msgspec.Struct, frozen=True):
    """An order that was given, and how it ended; `word` None while it is open. `result`: the agent itself said so."""

    order: Order
    word: str | None = None
    content: bytes = b""
    late: bool = False
    result: bool = False

    def ended(self) -> Ended:
        given = self.order
        return Ended(given.agent, given.plan, given.steps, given.attempt, self.word or "", self.content, self.late)


class Sending(msgspec.Struct, frozen=True):
    """How sending an open order goes: since when, when next, and whether the agent has taken it."""

    given: float
    next: float = 0.0
    wait: float = 0.0
    accepted: bool = False

    def sent(self, now: float, first: float, longest: float) -> Sending:
        wait = min(longest, self.wait * 2 or first)
        return msgspec.structs.replace(self, next=now + wait, wait=wait)


class Peer:
    """One agent, as the core sees it. `sending` and what is open are in the order of their numbers."""

    def __init__(self, record: AgentRecord) -> None:
        self.record = record
        self.name: Final = record.agent
        self.works: dict[WorkKey, Work] = {}
        self.sending: dict[int, Sending] = {}
        self.session = False
        self.heard = 0.0
        self._open: dict[int, Work] = {}
        self._undurable: dict[int, int] = {}

    @property
    def open(self) -> list[Work]:
        """Work that has not ended, by number."""
        return list(self._open.values())

    def begin(self, now: float) -> None:
        """A new session, or a new process: what is open is sent anew, for nobody knows what came through."""
        self.heard = max(self.heard, now)
        self._open = {work.order.sequence: work for work in sorted(self._open.values(), key=lambda work: work.order.sequence)}
        fresh = Sending(now)
        self.sending = {sequence: Sending(self.sending.get(sequence, fresh).given) for sequence in self._open}

    def put(self, work: Work, ticket: int) -> None:
        """New or changed work, durable once that ticket is. A newer attempt replaces the one before, whose number lives on until then."""
        sequence = work.order.sequence
        before = self.works.get(key_of(work.order))
        if before is not None and before.order.sequence != sequence:
            self._close(before.order.sequence, ticket)
        self.works[key_of(work.order)] = work
        if work.word is None:
            self._open[sequence] = work
            self._undurable[sequence] = ticket
        else:
            self._close(sequence, ticket)

    def drop(self, work: Work) -> Work:
        del self.works[key_of(work.order)]
        return work

    def of(self, plan: str) -> list[Work]:
        return [work for work in self.works.values() if work.order.plan == plan]

    def numbered(self, epoch: int, sequence: int) -> Work | None:
        """The open work of that number."""
        return self._open.get(sequence) if epoch == self.record.epoch else None

    def accepted(self, epoch: int, sequence: int) -> None:
        if epoch == self.record.epoch and sequence in self.sending:
            self.sending[sequence] = msgspec.structs.replace(self.sending[sequence], accepted=True)

    def settle(self, persisted: int) -> None:
        """All up to that ticket is durable."""
        self._undurable = {sequence: ticket for sequence, ticket in self._undurable.items() if ticket > persisted}

    def is_durable(self, work: Work, persisted: int) -> bool:
        return self._undurable.get(work.order.sequence, 0) <= persisted

    def floor(self, persisted: int) -> int:
        """Below it, all are settled, durably: one that only will be settled may be open again after a crash."""
        unsettled = [sequence for sequence, ticket in self._undurable.items() if ticket > persisted]
        return min(unsettled + list(self._open)[:1], default=self.record.next)

    def may_have(self, digest: str) -> bool:
        """Whether the blob is this agent's business."""
        catalog = self.record.catalog
        return (catalog is not None and catalog.digest == digest) or any(work.order.plan == digest for work in self._open.values())

    def _close(self, sequence: int, ticket: int) -> None:
        self._open.pop(sequence, None)
        self.sending.pop(sequence, None)
        self._undurable[sequence] = ticket


def agent_key(agent: str) -> str:
    return f"agent/{blobs.digest_of(agent.encode())}"


def work_key(work: Work) -> str:
    """The same for all attempts, so that the newest replaces the one before."""
    return f"work/{blobs.digest_of(work.order.agent.encode())}/{key_of(work.order)}"
