"""Test files as they are decoded: what is given, and what is expected. `contracts/test.ncl` says the same in Nickel, with docs."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from g8r.value import Document

SUFFIX: Final = ".test.ncl"
"""What the name of a test file ends in."""

PlanAction: TypeAlias = Literal["create", "update", "replace", "delete", "run", "trigger", "forget", "unknown", "blocked", "no-op"]
SnapshotOf: TypeAlias = Literal["tasks", "plan"]
Mode: TypeAlias = Annotated[str, Meta(pattern=r"^[0-7]{3,4}$", extra={"expected": 'an octal mode in quotes such as "0644"'})]
AbsolutePath: TypeAlias = Annotated[str, Meta(pattern=r"^/[^\x00]*$", extra={"expected": "an absolute path"})]
Unit: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9:_.\\@-]+$", extra={"expected": "a unit such as nginx or nginx.service"})]
Plain: TypeAlias = Annotated[str, Meta(pattern=r"^[^/:\s]+$", extra={"expected": "a name"})]
Pair: TypeAlias = Annotated[tuple[str, ...], Meta(min_length=1)]
Whole: TypeAlias = Annotated[int, Meta(ge=0)]


# ---- the world -------------------------------------------------------------------------------------------------------------------------


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of what is put on a host; directories get 0755 and files 0644 where no mode is given."""

    mode: Mode | None = None
    owner: str = "root"
    group: str = "root"


class PlacedFile(Placed, frozen=True, kw_only=True):
    content: str = ""


class PlacedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is installed, or that can be got."""

    version: str | None = None
    files: dict[AbsolutePath, str] = {}
    units: tuple[Unit, ...] = ()
    depends: tuple[Plain, ...] = ()


class PlacedService(msgspec.Struct, frozen=True, kw_only=True):
    running: bool = False
    enabled: bool = False


class PlacedUser(msgspec.Struct, frozen=True, kw_only=True):
    uid: Whole | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    home: AbsolutePath | None = None
    shell: AbsolutePath | None = None
    comment: str = ""


class PlacedGroup(msgspec.Struct, frozen=True, kw_only=True):
    gid: Whole | None = None


class StubProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program that does the same however it is called."""

    exit: Annotated[int, Meta(ge=0, le=255)] = 0
    stdout: str = ""
    stderr: str = ""
    creates: dict[AbsolutePath, str] = {}


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What is on one host, besides a fresh Debian."""

    user: Plain = "root"
    files: dict[AbsolutePath, str | PlacedFile] = {}
    directories: dict[AbsolutePath, Placed] = {}
    links: dict[AbsolutePath, str] = {}
    packages: dict[Plain, str | PlacedPackage] = {}
    available: dict[Plain, str | PlacedPackage] = {}
    services: dict[Unit, PlacedService] = {}
    users: dict[Plain, PlacedUser] = {}
    groups: dict[Plain, PlacedGroup] = {}
    programs: dict[Plain, StubProgram] = {}


# ---- the facts -------------------------------------------------------------------------------------------------------------------------


class OsFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str | None = None
    family: str | None = None
    version: str | None = None
    codename: str | None = None
    name: str | None = None


class KernelFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str | None = None
    release: str | None = None


class CpuFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    count: Whole | None = None
    architecture: str | None = None


class MemoryFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    total_bytes: Whole | None = None


class GivenFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs from a fresh Debian; the names are those of `host.Facts`."""

    hostname: str | None = None
    fqdn: str | None = None
    os: OsFacts = OsFacts()
    kernel: KernelFacts = KernelFacts()
    cpu: CpuFacts = CpuFacts()
    memory: MemoryFacts = MemoryFacts()
    addresses: tuple[str, ...] | None = None
    init: str | None = None
    packager: str | None = None


# ---- the expectations ------------------------------------------------------------------------------------------------------------------


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What must be said of a text; `matches` are regular expressions, whose ^ and $ are of a line."""

    contains: str | tuple[str, ...] = ()
    lacks: str | tuple[str, ...] = ()
    matches: str | tuple[str, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A diagnostic that is expected: its code, a regular expression that its text matches, or both."""

    code: str | None = None
    matches: str | None = None


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold. None is not asked; see contracts/test.ncl for each."""

    tasks: tuple[str, ...] | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    params: dict[str, dict[str, Any]] = {}
    content: dict[str, str | Content] = {}
    edges: tuple[Pair, ...] = ()
    order: tuple[Pair, ...] = ()
    plan: dict[str, PlanAction] = {}
    changes: dict[str, PlanAction] | None = None
    outputs: dict[str, Any] = {}
    errors: tuple[str | Message, ...] = ()
    warnings: tuple[str | Message, ...] | None = None
    converges: bool = False
    snapshot: bool | SnapshotOf = False

    @property
    def snapshots(self) -> tuple[SnapshotOf, ...]:
        match self.snapshot:
            case True:
                return ("plan", "tasks")
            case False:
                return ()
            case "tasks" | "plan" as one:
                return (one,)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What was applied before; None is what the test itself has."""

    stack: str | None = None
    vars: dict[str, Any] | None = None


class Test(msgspec.Struct, frozen=True, kw_only=True):
    expect: Expect
    stack: str | None = None
    vars: dict[str, Any] = {}
    hosts: dict[str, Any] | None = None
    facts: dict[str, GivenFacts] = {}
    world: dict[str, World] = {}
    secrets: dict[str, str] = {}
    applied: Applied | None = None


class TestFile(msgspec.Struct, frozen=True):
    tests: dict[str, Test]
    stack: str | None = None


def texts(one_or_more: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else one_or_more


def given_facts(facts: GivenFacts) -> Document:
    """The facts that are given, as plain data."""
    found: Document = msgspec.to_builtins(facts)
    return found
