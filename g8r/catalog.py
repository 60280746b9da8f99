"""Catalogs: one host's part of the task graph, as the agent receives it, and what the agent found.

A catalog is plain data: no sources, no selectors, no vars. Its params hold references only to outputs and secrets, which the
agent resolves where it is.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from g8r.address import Address
from g8r.change import Action
from g8r.claim import Claims
from g8r.diagnostics import DocumentPath
from g8r.stack import Lifecycle, Retry
from g8r.value import Document

EdgeReason = Literal["needs", "reference", "claim", "trigger", "packages"]


class Edge(msgspec.Struct, frozen=True, order=True):
    """`before` comes first. `note` completes the reason: the claim, the reference; `param` is what to point at.

    A `soft` edge only orders: when what comes first fails, this goes on all the same.
    """

    before: Address
    reason: EdgeReason
    note: str = ""
    soft: bool = False


class CatalogTask(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task on a host. `edges` say what comes first, on any host; `triggers` maps a trigger (`reload_on`) to what it waits for.

    `provided` names, for every required claim, the task of this host that provides it; a claim without one must hold on the host.
    `after_packages`: some required path, unit or user has no provider, so this comes after all package tasks of the host.
    `path` leads back to the source.
    """

    address: Address
    params: Document
    identity: str
    claims: Claims = Claims()
    edges: tuple[Edge, ...] = ()
    provided: dict[str, Address] = {}
    after_packages: bool = False
    triggers: dict[str, tuple[Address, ...]] = {}
    lifecycle: Lifecycle = Lifecycle()
    moved_from: tuple[str, ...] = ()
    retry: Retry | None = None
    timeout: float | None = None
    sensitive: tuple[str, ...] = ()
    become: str | None = None
    path: DocumentPath = ()


class Catalog(msgspec.Struct, frozen=True):
    """All tasks of one host in topological order, over all hosts, ties broken by address. `address` is where the host is reached.

    `waves`: for each task, in the same order, how many cross-host references must be resolved one after another before its diff.
    """

    host: str
    address: str
    tasks: tuple[CatalogTask, ...]
    waves: tuple[int, ...] = ()


class Exactly(msgspec.Struct, frozen=True, tag="exactly"):
    """The resource must be read just so: the keyed digest of its state."""

    digest: str


class Predicted(msgspec.Struct, frozen=True, tag="predicted"):
    """Earlier steps change the ground of this one; the diff is made again and must refine what was planned."""


class Unforeseen(msgspec.Struct, frozen=True, tag="unforeseen"):
    """Whether and what to change shows only then; the diff is made again and every known value must hold."""


Expect: TypeAlias = Exactly | Predicted | Unforeseen

Judgement = Literal["change", "no-change", "unknown", "blocked"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agent found for one task or one orphan: its verdict.

    `before` and `after` are states as documents, None where the resource is absent; sensitive fields hold keyed digests.
    `unknown` names the fields of after that are not known; `outputs` are those of after, `unknown_outputs` gives the reason for
    each that is not known yet. `reason` is the sentence for unknown and blocked; `because` what else a reviewer must know.
    """

    address: Address
    judgement: Judgement
    action: Action | None = None
    before: Document | None = None
    after: Document | None = None
    unknown: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    expect: Expect = Unforeseen()
    reason: str = ""
    because: tuple[str, ...] = ()
    outputs: Document = {}
    unknown_outputs: dict[str, str] = {}
    satisfies: tuple[str, ...] = ()
    """Trigger verbs that this change makes needless."""
