"""Events that both sides are told of, commands that they give, and the store that they count on.

A driver does the commands of one answer in their order, and tells how they ended as events. Whatever must not be said before something
is durable is given only in answer to `Persisted`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

import msgspec

from g8r.executor.delivery.messages import Digest, Ending, Refusal
from g8r.executor.delivery.order import Order, WorkKey

# ---- events ----


class Started(msgspec.Struct, frozen=True):
    """The process has begun. The first event, once; what `Durable.load` gave was handed to the constructor."""


class Received(msgspec.Struct, frozen=True):
    """A frame from a peer: its id is the transport's word, taken from the key that it proved to hold."""

    peer: str
    frame: bytes


class Persisted(msgspec.Struct, frozen=True):
    """That `Persist` and all before it are durable."""

    ticket: int


class Tick(msgspec.Struct, frozen=True):
    """Time has passed. Due every second or so."""


class Performed(msgspec.Struct, frozen=True):
    """To an agent: what `Perform` asked for has ended."""

    key: WorkKey
    ending: Ending


class Fetched(msgspec.Struct, frozen=True):
    """To the core: what `Fetch` asked for. Empty where there is no such blob or offset."""

    agent: str
    digest: Digest
    offset: int
    content: bytes


class Enrolled(msgspec.Struct, frozen=True):
    """To the core: this agent may speak from now on. Ids are never used again."""

    agent: str


class Revoked(msgspec.Struct, frozen=True):
    """To the core: nothing that this agent says is acted on any more."""

    agent: str


class Published(msgspec.Struct, frozen=True):
    """To the core: an agent's catalog is this one now."""

    agent: str
    digest: Digest
    size: int


class HandOut(msgspec.Struct, frozen=True):
    """To the core: have these steps performed. Said again for the same attempt, it changes nothing. See `Order`."""

    agent: str
    plan: Digest
    size: int
    steps: tuple[str, ...]
    attempt: int
    lineage: str
    fence: int
    idempotent: bool


class Closed(msgspec.Struct, frozen=True):
    """To the core: the run of this plan is over and its outcomes are in the ledger. Ended work of it is forgotten."""

    plan: Digest


AgentEvent: TypeAlias = Started | Received | Persisted | Tick | Performed
CoreEvent: TypeAlias = Started | Received | Persisted | Tick | Fetched | Enrolled | Revoked | Published | HandOut | Closed

# ---- commands ----


class Persist(msgspec.Struct, frozen=True):
    """Write all of this durably, whole or not at all, after all earlier ones, its deletes first; then say `Persisted`."""

    ticket: int
    puts: tuple[tuple[str, bytes], ...] = ()
    deletes: tuple[str, ...] = ()


class Send(msgspec.Struct, frozen=True):
    """Give the frame to the transport. It may be lost."""

    peer: str
    frame: bytes


class NewSession(msgspec.Struct, frozen=True):
    """Of an agent: nobody answers; close the socket and dial anew. What is sent from now on goes there."""


class Perform(msgspec.Struct, frozen=True):
    """Of an agent: act now. `again`: it was begun before a crash, and may be done."""

    order: Order
    again: bool = False


class InForce(msgspec.Struct, frozen=True):
    """Of an agent: this catalog is durable and the newest."""

    digest: Digest


class Fetch(msgspec.Struct, frozen=True):
    """Of the core: read a chunk of at most MAX_CHUNK bytes, and say `Fetched`."""

    agent: str
    digest: Digest
    offset: int


class Ended(msgspec.Struct, frozen=True):
    """Of the core: this work has ended, durably. `late`: it had been called unreachable or
    declined. Said again after a restart, until `Closed`.

    `word` is the ending's, or the core's own: unreachable, cancelled (the agent was revoked), declined (`content` says why).
    """

    agent: str
    plan: Digest
    steps: tuple[str, ...]
    attempt: int
    word: str
    content: bytes = b""
    late: bool = False


class Cut(msgspec.Struct, frozen=True):
    """Of the core: close this peer's connection."""

    peer: str


AgentCommand: TypeAlias = Persist | Send | NewSession | Perform | InForce | Refusal
CoreCommand: TypeAlias = Persist | Send | Fetch | Ended | Cut | Refusal


class Durable(Protocol):
    """What one side keeps. Keys are its own texts, never a peer's."""

    def load(self) -> Iterable[tuple[str, bytes]]:
        """All that is durable, sorted by key."""

    def write(self, persist: Persist) -> None:
        """Does it, whole; durable when it returns."""
