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
    """One agent, as the core sees it. Works are in the order of their numbers."""

    def __init__(self, record: AgentRecord) -> None:
        self.record = record
        self.name: Final = record.agent
        self.works: dict[WorkKey, Work] = {}
        self.sending: dict[int, Sending] = {}
        self.session = False
        self.heard = 0.0
        self._tickets: dict[int, int] = {}

    @property
    def open(self) -> list[Work]:
        """Work that has not ended, by number."""
        return sorted((work for work in self.works.values() if work.word is None), key=lambda work: work.order.sequence)

    def begin(self, now: float) -> None:
        """A new session, or a new process: what is open is sent anew, for nobody knows what came through."""
        self.heard = max(self.heard, now)
        self.sending = {
            work.order.sequence: Sending(self.sending[work.order.sequence].given if work.order.sequence in self.sending else now)
            for work in self.works.values()
            if work.word is None
        }

    def put(self, work: Work, ticket: int) -> None:
        """New or changed work, durable once that ticket is."""
        before = self.works.get(key_of(work.order))
        if before is not None and before.order.sequence != work.order.sequence:
            self.sending.pop(before.order.sequence, None)
            self._tickets[before.order.sequence] = ticket
        self.works[key_of(work.order)] = work
        self._tickets[work.order.sequence] = ticket
        if work.word is not None:
            self.sending.pop(work.order.sequence, None)

    def drop(self, work: Work) -> Work:
        del self.works[key_of(work.order)]
        self._forget(work.order.sequence)
        return work

    def of(self, plan: str) -> list[Work]:
        return [work for work in self.works.values() if work.order.plan == plan]

    def numbered(self, epoch: int, sequence: int) -> Work | None:
        """The work that was given last under that number."""
        return next((work for work in self.works.values() if (work.order.epoch, work.order.sequence) == (epoch, sequence)), None)

    def accepted(self, epoch: int, sequence: int) -> None:
        if epoch == self.record.epoch and sequence in self.sending:
            self.sending[sequence] = msgspec.structs.replace(self.sending[sequence], accepted=True)

    def settle(self, persisted: int) -> None:
        """Forgets numbers that newer attempts have replaced, durably."""
        numbers = {work.order.sequence for work in self.works.values()}
        self._tickets = {sequence: ticket for sequence, ticket in self._tickets.items() if sequence in numbers or ticket > persisted}

    def is_durable(self, work: Work, persisted: int) -> bool:
        return self._tickets[work.order.sequence] <= persisted

    def floor(self, persisted: int) -> int:
        """Below it, all are settled, durably: one that only will be settled may be open again after a crash."""
        unsettled = [sequence for sequence, ticket in self._tickets.items() if ticket > persisted or sequence in self.sending]
        return min(unsettled, default=self.record.next)

    def may_have(self, digest: str) -> bool:
        """Whether the blob is this agent's business."""
        catalog = self.record.catalog
        if catalog is not None and catalog.digest == digest:
            return True
        return any(work.order.plan == digest and work.word is None for work in self.works.values())

    def _forget(self, sequence: int) -> None:
        self.sending.pop(sequence, None)
        self._tickets.pop(sequence, None)


def agent_key(agent: str) -> str:
    return f"agent/{blobs.digest_of(agent.encode())}"


def work_key(work: Work) -> str:
    """The same for all attempts, so that the newest replaces the one before."""
    return f"work/{blobs.digest_of(work.order.agent.encode())}/{key_of(work.order)}"
