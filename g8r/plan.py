"""Plans: frozen, ordered changes. What is reviewed, saved and performed; apply needs nothing else.

A saved plan is this struct as JSON in a zip, with the blobs it names beside it (`executor.plan_file`).
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from g8r.address import Address
from g8r.catalog import Expect, Judgement, Unforeseen
from g8r.change import Action
from g8r.claim import Claims
from g8r.diagnostics import Span
from g8r.stack import Lifecycle, Retry
from g8r.value import Document

PLAN_FORMAT: Final = 1
REPLACE_NOTE: Final = "asked for with --replace"

StepAction: TypeAlias = Action | Literal["no-op", "trigger", "forget", "unknown", "blocked"]
"""What a step does. `forget` drops a record and touches no host; `unknown` shows only when its turn comes."""

Wish: TypeAlias = Literal["destroy", "restore", "forget"]

ReasonCode = Literal[
    "new", "drift", "changed", "trigger", "owed", "replaced", "removed", "moved", "adopted", "requested", "in-doubt", "refreshed", "none"
]


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a step is in the plan; `text` is the sentence for a reviewer."""

    code: ReasonCode
    text: str = ""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change to one resource, or one trigger.

    `id` is the address, with `#VERB` for a trigger and `!delete` for the removal of an old identity. `params` still hold the
    references that apply resolves; sensitive values are sealed. `needs` must have succeeded first, `after` must merely have
    ended; both name step ids or barriers. `known` is what references to outputs resolve to, where that is known already.
    `satisfies`: trigger verbs of the same task that are needless once this has changed.
    """

    id: str
    address: Address
    identity: str
    action: StepAction
    judgement: Judgement
    reason: Reason
    version: int
    params: Document = {}
    before: Document | None = None
    after: Document | None = None
    unknown: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    sensitive_params: tuple[str, ...] = ()
    """Params that the task itself declares sensitive, beside those that its kind does."""
    sealed: tuple[str, ...] = ()
    """The params whose values are sealed."""
    expect: Expect = Unforeseen()
    because: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    after_steps: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    claims: Claims = Claims()
    created: bool = False
    """What the ledger will say: made by g8r, so that it may be destroyed with its task; else adopted."""
    moved_from: str | None = None
    """The address that the ledger knew this resource by."""
    verb: str = ""
    waits_for: tuple[str, ...] = ()
    """Of a trigger: the steps of which one at least must have changed, unless it is `owed`."""
    owed: bool = False
    feeds: tuple[str, ...] = ()
    """Trigger steps that are owed once this has changed, whether or not they are in this plan."""
    wish: Wish | None = None
    """Of the removal of an orphan: what its lifecycle asks for."""
    satisfies: tuple[str, ...] = ()
    triggers: dict[str, tuple[str, ...]] = {}
    lifecycle: Lifecycle = Lifecycle()
    retry: Retry | None = None
    timeout: float | None = None
    become: str | None = None
    drifted: bool = False
    """Whether what was read differs from what the ledger recorded; `recorded` is that."""
    recorded: Document | None = None
    outputs: Document = {}
    """What is known already of the outputs after this step."""
    pulled_in: tuple[str, ...] = ()
    span: Span | None = None


class Summary(msgspec.Struct, frozen=True):
    """Counts of resource changes; triggers and unknowns apart."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0
    run: int = 0
    forget: int = 0
    trigger: int = 0
    unknown: int = 0
    blocked: int = 0
    no_op: int = 0

    @property
    def any(self) -> bool:
        """Whether apply would touch anything."""
        return bool(self.create or self.update or self.replace or self.delete or self.run or self.forget or self.trigger or self.unknown)


class Plan(msgspec.Struct, frozen=True):
    """Everything that apply needs, and what a reviewer is shown. Steps are in the order in which they could run one by one.

    `barriers` are points that only order: id -> the steps it waits for. `complete` is False where a selection left something out.
    `created` and `expires` are RFC 3339 in UTC; with `id`, the only parts that two plans of the same source, state and world
    may differ in. `versions` are of g8r and of the format. `hosts` maps the hosts' names to their addresses, and `connections`
    to how they are reached. `stack_outputs` are the stack's own, references and all; `known_outputs` those known already.
    """

    id: str
    stack: str
    workspace: str
    lineage: str
    serial: int
    config_digest: str
    created: str
    expires: str
    g8r_version: str
    steps: tuple[Step, ...]
    barriers: dict[str, tuple[str, ...]] = {}
    hosts: dict[str, str] = {}
    connections: dict[str, str] = {}
    vars: Document = {}
    selected: dict[str, tuple[str, ...]] = {}
    """For the text of a label selector in a reference, the hosts it means, sorted."""
    selection: dict[str, tuple[str, ...]] = {}
    stack_outputs: Document = {}
    known_outputs: Document = {}
    sensitive_outputs: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    complete: bool = True
    destroy: bool = False
    refresh_only: bool = False
    format: int = PLAN_FORMAT

    def summary(self) -> Summary:
        counts: dict[str, int] = {}
        for step in self.steps:
            name = step.action.replace("-", "_")
            counts[name] = counts.get(name, 0) + 1
        return Summary(**counts)

    @property
    def blocked(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.judgement == "blocked")
