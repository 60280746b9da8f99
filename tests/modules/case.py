"""One row of a kind's table: params, the host before -> what a plan says, the host after.

The cases of a kind stand in `cases/KIND.py` as `CASES`. `test_KIND.py` runs them as they stand; `test_laws.py` runs every law over
all of them. So a new kind gets its laws checked by listing cases, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from g8r.executor.fake_host import FakeHost

CANARY = "CANARY-7f3a"
"""Put it into the values of a case's `sensitive` params: law 7 looks for it wherever it must not be."""


class Entry(msgspec.Struct, frozen=True):
    """Something at a path. `content` None, in `after`, means whatever it holds."""

    type: Literal["file", "directory", "link"]
    content: str | bytes | None = None
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    target: str | None = None


def text(content: str | bytes | None, mode: int = 0o644, owner: str = "root", group: str = "root") -> Entry:
    return Entry("file", content, mode, owner, group)


def folder(mode: int = 0o755, owner: str = "root", group: str = "root") -> Entry:
    return Entry("directory", None, mode, owner, group)


def link(target: str, owner: str = "root", group: str = "root") -> Entry:
    return Entry("link", None, 0o777, owner, group, target)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    name: str
    """What is special about it; unique within the kind."""
    params: Mapping[str, Any]
    """As a user writes them, references resolved."""
    verdict: Literal["create", "update", "replace", "delete", "run", "unchanged", "unknown", "blocked"]
    before: Mapping[str, Entry] = {}
    """Put on a fresh Debian before anything else, with the directories that it needs."""
    after: Mapping[str, Entry | None] = {}
    """What must be there after apply (after the plan, where nothing is applied); None: nothing."""
    arrange: Callable[[FakeHost], None] | None = None
    """What `before` cannot say: packages, units, programs, refusals. Such a case runs on the fake host alone."""
    check: Callable[[FakeHost], None] | None = None
    """Asserts of the machine afterwards what `after` cannot say. Such a case runs on the fake host alone."""
    says: str = ""
    """A part of the verdict's reason or because."""
    fails: str = ""
    """A part of the reason with which apply fails. Such a case is exempt from the laws about what an apply brings about."""
    user: str = "root"
    """The agent's. Others than root are made where they are missing; such a case runs on the fake host alone."""
    promised: frozenset[str] = frozenset()
    """Claims that earlier steps will have made true."""
    sensitive: tuple[str, ...] = ()
    """Params whose values hold CANARY."""
    blobs: Mapping[str, bytes] = {}
    """What travelled with the plan, by digest."""
    repeats: bool = False
    """Done again by every apply, by design (a command with `run = 'always`): exempt from law 1."""
    leaves: tuple[str, ...] = ()
    """Paths and `database NAME`s that may differ from `before` once what was created is removed again."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"

    @property
    def fake_only(self) -> bool:
        return self.arrange is not None or self.check is not None or self.user != "root"
