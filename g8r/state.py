"""State, the ledger: what one stack in one workspace manages, where, what it created and what it owes.

Keyed by host, kind and identity; the address is only what the source calls it. Losing it never makes an apply wrong: it costs
what nothing but the ledger knows (orphans, created or adopted, owed triggers, prevent_destroy, in-doubt commands).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from g8r.address import Address
from g8r.claim import Claims
from g8r.diagnostics import Span
from g8r.outcome import Outcome
from g8r.stack import Lifecycle
from g8r.value import Document

STATE_FORMAT = 1

RunStatus = Literal["running", "done", "failed", "interrupted", "abandoned"]


class ResourceKey(msgspec.Struct, frozen=True, order=True):
    host: str
    kind: str
    identity: str

    def __str__(self) -> str:
        return f"{self.host}: {self.kind} {self.identity}"


class Resource(msgspec.Struct, frozen=True, omit_defaults=True):
    """One managed resource, as last known. `params` are resolved, sensitive ones sealed; `state` None is "absent".

    `needs` are the addresses it came after, so that it can be removed before them. `original` is how it was before g8r first
    changed it, for `on_remove = 'restore`. `pulled_in` is what creating it brought along.
    """

    key: ResourceKey
    address: Address
    created: bool
    version: int
    params: Document
    state: Document | None
    outputs: Document = {}
    original: Document | None = None
    sensitive: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    claims: Claims = Claims()
    triggers: dict[str, tuple[str, ...]] = {}
    lifecycle: Lifecycle = Lifecycle()
    pulled_in: tuple[str, ...] = ()
    doubt: str = ""
    """The run that began to do something to it which must not be done twice, and whose end is not known; empty: none."""
    doubtful_triggers: dict[str, str] = {}
    """The same of its triggers: run by verb."""
    run: str = ""
    span: Span | None = None


class Intent(msgspec.Struct, frozen=True):
    """What a run that never ended meant to do to a resource and did not acknowledge. `started` is from the journal.

    `record` is what the ledger would have said, had it succeeded.
    """

    run: str
    step: str
    record: Resource
    action: str
    idempotent: bool
    started: bool


class Owed(msgspec.Struct, frozen=True, order=True):
    """A trigger that must still fire: its sources changed in `run`, and nobody has reported it done."""

    address: Address
    verb: str
    run: str
    because: str


class State(msgspec.Struct, frozen=True):
    """The ledger of one stack and workspace at one serial."""

    stack: str
    workspace: str
    lineage: str
    serial: int
    resources: Mapping[ResourceKey, Resource] = {}
    owed: tuple[Owed, ...] = ()
    intents: tuple[Intent, ...] = ()
    outputs: Document = {}
    sensitive_outputs: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True):
    """One apply, for the history. Times are RFC 3339 in UTC. `counts` are of outcomes by word."""

    id: str
    plan: str
    status: RunStatus
    operator: str
    started: str
    ended: str | None
    serial: int
    counts: dict[str, int]


class Fidelity(msgspec.Struct, frozen=True, order=True):
    """Of one kind: how many predicted values were compared with what was read afterwards, and how many were right."""

    kind: str
    predicted: int
    right: int


class Recorded(msgspec.Struct, frozen=True, tag="recorded"):
    """The ledger now says this of the resource."""

    resource: Resource


class Dropped(msgspec.Struct, frozen=True, tag="dropped"):
    """The ledger no longer knows the resource."""

    key: ResourceKey


class Owes(msgspec.Struct, frozen=True, tag="owes"):
    owed: Owed


class Struck(msgspec.Struct, frozen=True, tag="struck"):
    """The trigger was fired, or made needless."""

    address: Address
    verb: str


Entry: TypeAlias = Recorded | Dropped | Owes | Struck


class Ended(msgspec.Struct, frozen=True):
    """A step's end with all it means for the ledger; written in one transaction, acknowledged only after it."""

    step: str
    outcome: Outcome
    entries: tuple[Entry, ...] = ()
    fidelity: Fidelity | None = None


class Lease(msgspec.Struct, frozen=True):
    """Who may write. Times are RFC 3339 in UTC. `fence` grows with every lease; a write with an older one is refused."""

    owner: str
    operation: str
    fence: int
    acquired: str
    heartbeat: str
