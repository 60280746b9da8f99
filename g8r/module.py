"""The Module protocol: one kind of resource, in one file. All control logic lives in modules; users give parameters only.

A module is a Params struct (what a user writes), a State struct (what can be read from a machine, flat), and a few functions:

    validate   params that contradict each other           pure    at compile time
    identity   what the resource is on its host             pure
    claims     what it provides, requires and holds         pure
    read       the States of many resources at once         reads   never writes
    diff       from what is there to what is wanted         pure
    rehearse   what the machine foretells of changes        reads   never writes
    outputs    what other tasks may refer to                pure
    remove     what undoing it takes                        pure
    apply      carry out changes, many at once              writes
    trigger    reload, restart, run: fired by others        writes

The engine does the rest, the same for every kind: unknown and sensitive values, required claims that are missing, the order,
locks, batches, retries, timeouts, reading back and comparing with the prediction, created or adopted, the ledger. Where this
differs from the design's sketch, and why:

- `read` gets what the ledger recorded beside the params, so that kinds whose effect cannot be read (command, later random) need
  no exception in the engine; diff then stays a function of params, before and ahead.
- `apply` gets the params with each change and acts towards `change.after` alone. So a restore is a change like any other.
- A param is known to the module, or it holds a stand-in: the engine replaces a param whose value is unknown by the `stand_in` it
  declares, else by its default (by an empty value where it has none), runs the same diff, and then marks unknown what `determines`
  says hangs on it. Modules never meet an unknown. A param on which identity, claims or a probe hangs is declared `known=True` and
  can hold no output.
- Removal is `remove`, not a diff with `ensure = absent`: only the ledger knows what was created.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Generic, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from g8r.change import Absent, Applied, Blocked, Change, Failed, NoChange, P, S, Undecided, Unreadable, Verdict
from g8r.claim import Claims
from g8r.host import Host
from g8r.value import Value

# ---- parameters -------------------------------------------------------------------------------------------------------------


def param(
    doc: str,
    *,
    known: bool = False,
    sensitive: bool = False,
    source: bool = False,
    public: bool = False,
    example: Value = None,
    stand_in: Value | UnsetType = UNSET,
) -> Meta:
    """The metadata of one parameter, for `Annotated`.

    doc: one or more sentences. known: identity, claims or a probe hang on it, so it may refer to vars, host and facts, but not to
    outputs or secrets. sensitive: masked everywhere, sealed in plans. source: names a file beside the stack. The compiler
    loads it: UTF-8 text of at most 256 KiB is put into the param `content` instead, and `source` is None; of anything else
    `source` becomes the blob's digest (`sha256:...`), and `host.fetch` gives the bytes. public: others on the host can read it, so
    it may refer to no secret. example: for the reference page.
    stand_in: what the module is given while the value is unknown, where that is not the default: for a param whose being set
    means something (`content`).
    """
    extra = {"known": known, "sensitive": sensitive, "source": source, "public": public, "example": example}
    given = {name: value for name, value in extra.items() if value}
    return Meta(description=doc, extra=given if stand_in is UNSET else {**given, "stand_in": stand_in})


# Shared types. `title` names the contract in contracts/lib that says the same, `expected` words the error.
AbsolutePath: TypeAlias = Annotated[str, Meta(pattern=r"^/[^\x00]*$", title="AbsolutePath", extra={"expected": "an absolute path"})]
Mode: TypeAlias = Annotated[str, Meta(pattern=r"^[0-7]{3,4}$", title="Mode", extra={"expected": 'an octal mode in quotes such as "0644"'})]
Duration: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9]+(ms|s|m|h)$", title="Duration", extra={"expected": "a duration such as 500ms, 30s, 5m"})
]
AccountName: TypeAlias = Annotated[
    str, Meta(pattern=r"^([a-z_][a-z0-9_-]{0,30}[a-z0-9_$-]?|[0-9]+)$", title="AccountName", extra={"expected": "a user or group name"})
]
Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535, title="Port", extra={"expected": "a port number (1-65535)"})]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of every kind's parameters. A field that is None where left out is not managed; a default that is set is wanted."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every kind's state: flat and JSON-able. Every field is shown, compared, predicted, recorded."""


class Problem(msgspec.Struct, frozen=True):
    """Params that are each right but wrong together: what is wrong, what to do, and the param to point at.

    One that points at a param which holds a stand-in is dropped. One that points at `content` is shown at `source` where the
    text came from there.
    """

    summary: str
    detail: str = ""
    param: str | None = None


# ---- what a module is given --------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, Generic[P, S], frozen=True):
    """One resource to read: its params and what the ledger last recorded of it, if anything."""

    params: P
    recorded: S | None = None


class Ahead(msgspec.Struct, frozen=True):
    """What earlier steps of the same plan will have done by the time this one runs, and who will run it.

    `promised` holds the claims that are not true yet and will be. A requirement that is neither true nor promised never reaches a
    diff: the engine has judged it blocked, or unknown while a package is pending. `privileged` and `user` are the host's, `group`
    is that user's primary group: whose what is made will be.
    """

    promised: frozenset[str] = frozenset()
    privileged: bool = True
    user: str = "root"
    group: str = "root"


class Work(msgspec.Struct, Generic[P, S], frozen=True):
    """One change to carry out. `params` may be of a task that is gone: act towards `change.after`."""

    params: P
    change: Change[S]
    pulled_in: tuple[str, ...] = ()
    """On delete: what creating it brought along, as `Applied.pulled_in` said then."""
    sensitive: tuple[str, ...] = ()
    """Params whose values are sensitive, and the State fields they determine (these alone where the task is gone): what a program says
    about them must not be quoted."""
    ahead: Ahead = Ahead()
    """In a rehearsal: what diff was given."""


class Module(ABC, Generic[P, S]):
    """One kind. Instances hold nothing; every function may be called from any thread."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    """One line for `g8r modules list`."""
    version: ClassVar[int] = 1
    """Of Params and State together: a plan made with another is refused."""
    Params: ClassVar[type[Any]]
    State: ClassVar[type[Any]]
    Outputs: ClassVar[type[Any]]
    """A struct that types what `outputs` gives; the compiler checks references against it."""
    natural: ClassVar[str | None] = None
    """The param that takes the task's name where it is left out."""
    triggers: ClassVar[Mapping[str, str]] = {}
    """Trigger meta-arguments this kind has, and the verb each fires: `{"reload_on": "reload"}`."""
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """For a param, the State fields that hang on it, where that is not the field of the same name."""
    batch: ClassVar[int] = 1
    """How many changes one `apply` may be given; more than 1 where many together are cheaper."""
    creates: ClassVar[bool] = True
    """Whether g8r can have made a resource of this kind. False: it only ever adopts, so a task that goes is forgotten."""
    remembers: ClassVar[bool] = False
    """Whether `read` needs what the ledger recorded; else `Wanted.recorded` is None."""
    of_stack: ClassVar[bool] = False
    """Whether the identity means something within a stack only, as a command's name does: then another stack may have the same."""
    rehearses_itself: ClassVar[bool] = False
    """Whether `apply` itself asks what its changes would do now, at once before it commits them, and where that is more than `because`
    and `after` foretell gives a Failed that is stale: then nobody rehearses them again before."""
    becomes: ClassVar[bool] = False
    """Whether `become` means anything here."""

    def validate(self, params: P, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002
        """Params that contradict each other. They may still hold stand-ins; judge only what is set.

        triggers: which trigger meta-arguments the task has set (`run_on`), for kinds that demand one or a param in its place.
        """
        return ()

    @abstractmethod
    def identity(self, params: P) -> str:
        """What the resource is on its host, for ever: `/etc/motd`, `nginx.service`. Two tasks of one identity are an error."""

    @abstractmethod
    def claims(self, params: P) -> Claims: ...

    def idempotent(self, params: P) -> bool:  # noqa: ARG002
        """Whether doing it twice is doing it once; if not, a step that crashed half-way is never run again unasked."""
        return True

    @abstractmethod
    def read(self, wanted: Sequence[Wanted[P, S]], host: Host) -> Sequence[S | Absent | Unreadable]:
        """The state of each, in the order asked; batched. Never writes. A resource that is not there is ABSENT."""

    @abstractmethod
    def diff(self, params: P, before: S | Absent, ahead: Ahead) -> Verdict[S]:
        """What must be done to get from `before` to `params`. Pure: the same three give the same verdict."""

    def outputs(self, params: P, state: S) -> Mapping[str, Value]:  # noqa: ARG002
        """What other tasks may refer to; by default the fields of State that Outputs has.

        Copy, do not compute: where a State field or a param is unknown, so is the output of the same name.
        """
        return {name: getattr(state, name) for name in self.Outputs.__struct_fields__}

    def remove(self, params: P, before: S) -> Change[S] | NoChange | Blocked:  # noqa: ARG002
        """What undoing a created resource takes; NoChange where there is nothing to undo and forgetting is all."""
        return Change("delete", before, Absent())

    def restore(self, params: P, before: S | Absent, original: S) -> Change[S] | NoChange | Blocked:  # noqa: ARG002
        """What it takes to put an adopted resource back as it was before g8r first changed it (`on_remove = 'restore`)."""
        if before == original:
            return NoChange()
        return Change("create" if isinstance(before, Absent) else "update", before, original)

    def rehearse(self, work: Sequence[Work[P, S]], host: Host) -> Sequence[Change[S] | Undecided[S] | Blocked]:  # noqa: ARG002
        """What the machine itself foretells of changes that diff, remove or restore decided on: the version a package will have, what
        else it takes along, that it cannot work, that it needs root. In the order asked; batched. Never writes.

        An answer refines its change: the same action and before, every known value equal, fewer unknowns, more `because`. It is asked
        wherever a diff was: when planning, and again where apply diffs again, save for kinds that rehearse themselves: their apply is
        given the change as planned, with its `because` and the values that diff did not know. The transient facts it looks at stay
        out of State, so that they are no drift and make no step stale.
        """
        return [each.change for each in work]

    @abstractmethod
    def apply(self, work: Sequence[Work[P, S]], host: Host) -> Iterator[Applied[S] | Failed]:
        """Bring about each `change.after`, in order, one result each, yielded as soon as it is known. HostError may be raised:
        it fails the work that was under way and what is left of the batch is given again.
        """

    def trigger(self, verb: str, params: P, host: Host) -> Applied[S] | Failed:
        """Fire a trigger of `triggers`."""
        raise NotImplementedError(verb)

    def satisfies(self, change: Change[S], verb: str) -> bool:  # noqa: ARG002
        """Whether this change makes an owed trigger needless: a service that was just started need not be restarted."""
        return False


AnyModule: TypeAlias = Module[Any, Any]


# ---- for the authors of modules -----------------------------------------------------------------------------------------------

ROOT_MODE: Final = 0o7777


def parse_mode(mode: str) -> int:
    return int(mode, 8)


def mode_text(mode: int) -> str:
    """Permission bits as users write them: `0644`."""
    return f"{mode:04o}"


def seconds(duration: str) -> float:
    """A Duration in seconds."""
    for unit, factor in (("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)):
        if duration.endswith(unit):
            return float(duration.removesuffix(unit)) * factor
    message = f"{duration!r} is no duration"
    raise ValueError(message)
