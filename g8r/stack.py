"""The Stack: a decoded source. Plain data, as the user wrote it, checked for shape; nothing in it is resolved yet."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from g8r.selector import Everywhere, Selector
from g8r.value import Document, Value

OnRemove = Literal["destroy", "restore", "forget"]

META_ARGUMENTS: Final = (
    "on", "needs", "lifecycle", "moved_from", "retry", "timeout", "sensitive", "become", "reload_on", "restart_on", "run_on",
)  # fmt: skip
"""What a task's record may hold besides its kind's params; no kind may have a param of these names."""


class Lifecycle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`on_remove` is None where the default holds: destroy what was created, forget what was adopted."""

    prevent_destroy: bool = False
    ignore_changes: tuple[str, ...] = ()
    on_remove: OnRemove | None = None


class Exemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Leave to break a policy, with the reason and the last day (`2026-12-31`, in UTC) that it is given for.

    A task's own are for that task. Of the stack's, one with a `task` is for that task, which may be gone from the stack, and one
    without is for what is of no task.
    """

    policy: str
    reason: str
    until: str
    task: str | None = None


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`attempts` in all (1 is no retry); `delay` in seconds between them."""

    attempts: int
    delay: float = 1.0


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """The meta-arguments of a task. `triggers` maps a trigger's name (`reload`) to the tasks it waits for (`file.conf`).

    `exempt` is written in `lifecycle`, and no part of what agents and the ledger are told: it changes nothing but a policy's word.
    """

    on: Selector = Everywhere()
    needs: tuple[str, ...] = ()
    triggers: dict[str, tuple[str, ...]] = {}
    lifecycle: Lifecycle = Lifecycle()
    moved_from: tuple[str, ...] = ()
    retry: Retry | None = None
    timeout: float | None = None
    sensitive: tuple[str, ...] = ()
    become: str | None = None
    exempt: tuple[Exemption, ...] = ()


class Task(msgspec.Struct, frozen=True):
    """One declaration. `params` is what the user wrote, references and all, without the meta-arguments."""

    kind: str
    name: str
    params: Document
    meta: Meta = Meta()

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"


class HostEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A declared host. `connection` is `local`, or `fake`: simulated, and kept in the state folder; `facts` are for fake hosts only."""

    address: str | None = None
    labels: dict[str, str] = {}
    vars: Document = {}
    connection: Literal["local", "fake", "ssh", "agent"] | None = None
    facts: Document = {}


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Vars for the hosts that a selector, the group's key, matches."""

    vars: Document = {}


class Stack(msgspec.Struct, frozen=True):
    """`hosts` is empty where the source declares none: then the stack is for this machine, `localhost`."""

    name: str
    tasks: tuple[Task, ...] = ()
    vars: Document = {}
    hosts: dict[str, HostEntry] = {}
    groups: dict[str, Group] = {}
    outputs: dict[str, Value] = {}
    exemptions: tuple[Exemption, ...] = ()
