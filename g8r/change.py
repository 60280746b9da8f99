"""Changes: what a module's diff says, from before to after, and what its apply reports.

Before and after are a module's own States: flat structs of JSON-able fields, each field a fact that can be read from the
machine. Equal States mean "nothing to do"; what differs is what is shown, predicted and checked after apply.
"""

from __future__ import annotations

from typing import Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

S = TypeVar("S")
P = TypeVar("P")

Action = Literal["create", "update", "replace", "delete", "run"]
"""What is done to a resource. `run` is for kinds that act and leave nothing to compare, such as `command`."""


class Absent(msgspec.Struct, frozen=True, tag="absent"):
    """The resource is not there."""


class Unreadable(msgspec.Struct, frozen=True, tag="unreadable"):
    """The resource cannot be read; `reason` is a sentence for the user, with what would help."""

    reason: str


ABSENT: Final = Absent()


class NoChange(msgspec.Struct, frozen=True, tag="no-change"):
    """The resource is as wanted."""


class Change(msgspec.Struct, Generic[S], frozen=True, tag="change"):
    """What must be done. `after` is exactly what a read must find afterwards, save the fields named in `unknown`.

    `because` says why a replace cannot be an update, or what else a reviewer must know ("pulls in libx, liby"), one sentence each.
    """

    action: Action
    before: S | Absent
    after: S | Absent
    unknown: tuple[str, ...] = ()
    because: tuple[str, ...] = ()


class Undecided(msgspec.Struct, Generic[S], frozen=True, tag="undecided"):
    """Whether there is a change shows only during apply; `reason` completes "unknown: ...". `likely` is the change expected then."""

    reason: str
    likely: Change[S] | None = None


class Blocked(msgspec.Struct, frozen=True, tag="blocked"):
    """It would fail; `reason` says why and what to do, as a sentence."""

    reason: str


Verdict: TypeAlias = NoChange | Change[S] | Undecided[S] | Blocked


class Applied(msgspec.Struct, Generic[S], frozen=True, tag="applied"):
    """Done. `state` only where a read cannot find it again: it becomes the `recorded` of later reads (a command's output)."""

    state: S | None = None
    pulled_in: tuple[str, ...] = ()
    """Identities of what the act brought along (dependencies of a package): it is removed with the resource if nobody else needs it."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Not done, or not wholly; `reason` is for the user, `output` what the host said, at most its last 64 KiB.

    stale: it was not tried, because it would no longer do what the plan foretold.
    """

    reason: str
    output: str = ""
    stale: bool = False
