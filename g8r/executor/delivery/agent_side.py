"""The agent's side of delivery: which orders it takes, when it acts on them, and how their results come back.

An entry is kept for every order that was taken, from then until the core has acknowledged its result: it is journal and outbox at once.
What is in memory may be ahead of the disk; nothing is said or done on the strength of what is not durable yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, assert_never

import msgspec

from g8r.executor.delivery import messages, order
from g8r.executor.delivery.holdings import Holdings
from g8r.executor.delivery.marks import WINDOW, Marks
from g8r.executor.delivery.messages import (
    NO_EFFECT,
    Accepted,
    Chunk,
    Declined,
    Ending,
    FromAgent,
    Greet,
    Heard,
    Refusal,
    Result,
    Signed,
    Unwelcome,
    Welcome,
)
from g8r.executor.delivery.order import Acknowledgement, CatalogNotice, Check, Directive, Order, WorkKey, key_of
from g8r.executor.delivery.ports import (
    AgentCommand,
    AgentEvent,
    InForce,
    NewSession,
    Perform,
    Performed,
    Persist,
    Persisted,
    Received,
    Send,
    Started,
    Tick,
)
from g8r.executor.delivery.session import Session

SAY_AGAIN: Final = 6.0
"""Seconds until a result that nobody acknowledged is said again."""
OUTBOX_BURST: Final = 32
"""Results that are on their way at once."""
WAITING: Final = 64
"""Orders that wait for the blob of their plan; the core sends those again that found no place."""

Commands: TypeAlias = list[AgentCommand]


class Entry(msgspec.Struct, frozen=True):
    """An order that was taken. Durable as `started` only where a crash must leave it in doubt: where it is not idempotent."""

    order: Order
    stage: Literal["accepted", "started", "done"]
    ending: Ending | None = None


_MARKS: Final = msgspec.msgpack.Decoder(Marks)
_ENTRY: Final = msgspec.msgpack.Decoder(Entry)


class AgentSide:
    """One agent, for one core. `stored` is what its `Durable` loads; `boot` (below 2**32) differs from start to start."""

    def __init__(self, agent: str, core: str, check: Check, boot: int, stored: Iterable[tuple[str, bytes]], parallelism: int = 10) -> None:
        self.agent: Final = agent
        self._core = core
        self._check = check
        self._parallelism = parallelism
        self._marks = Marks()
        self._entries: dict[WorkKey, Entry] = {}
        self._holdings = Holdings()
        self._load(stored)
        self._recovered = frozenset(self._entries)
        self._tickets: dict[WorkKey, int] = {}
        self._running: set[WorkKey] = set()
        self._said: dict[WorkKey, float] = {}
        self._waiting: dict[tuple[int, int], Order] = {}
        self._ticket = 0
        self._persisted = 0
        self._after: dict[int, Commands] = {}
        self._announced: str | None = None
        self._session = Session(boot)

    def handle(self, event: AgentEvent, now: float) -> Commands:
        """What to do about it, in this order."""
        match event:
            case Started():
                commands = [*self._recover(), *self._beat(now)]
            case Received(peer=peer, frame=frame):
                commands = self._received(peer, frame, now)
            case Persisted(ticket=ticket):
                self._persisted = ticket
                commands = [command for each in sorted(self._after) if each <= ticket for command in self._after.pop(each)]
            case Tick():
                commands = self._beat(now)
            case Performed(key=key, ending=ending):
                commands = self._performed(key, ending)
            case _:
                assert_never(event)
        return commands + self._pump(now)

    def sizes(self) -> dict[str, int]:
        """What is kept in memory, by kind: for metrics and for tests of its bounds."""
        held, incoming = self._holdings.sizes()
        return {
            "entries": len(self._entries),
            "waiting": len(self._waiting),
            "settled": len(self._marks.settled),
            "held": held,
            "incoming": incoming,
            "after": len(self._after),
            "running": len(self._running),
        }

    @property
    def marks(self) -> Marks:
        return self._marks

    # ---- starting ----

    def _load(self, stored: Iterable[tuple[str, bytes]]) -> None:
        entries = []
        for key, value in stored:
            if key == "marks":
                self._marks = _MARKS.decode(value)
            elif key.startswith("work/"):
                entries.append(_ENTRY.decode(value))
            else:
                self._holdings.load(key, value)
        for entry in sorted(entries, key=lambda entry: (entry.order.epoch, entry.order.sequence)):
            self._entries[key_of(entry.order)] = entry

    def _recover(self) -> Commands:
        """What was begun and must not be begun twice is in doubt."""
        doubt = Ending("unknown", b"the agent stopped while it was under way, and nobody knows how far it got")
        return [self._keep(Entry(entry.order, "done", doubt)) for entry in self._entries.values() if entry.stage == "started"]

    # ---- frames ----

    def _received(self, peer: str, frame: bytes, now: float) -> Commands:
        message = messages.from_core(frame)
        match message:
            case Refusal():
                return [msgspec.structs.replace(message, peer=peer)]
            case Welcome() | Heard() | Unwelcome() | Greet():
                return self._answered(message, now)
            case Chunk():
                return self._chunk(message)
            case Signed():
                directive = order.opened(message, self.agent, self._check)
                if isinstance(directive, Refusal):
                    return [msgspec.structs.replace(directive, peer=peer)]
                return self._directive(directive, now)
            case _:
                assert_never(message)

    def _answered(self, message: Welcome | Heard | Unwelcome | Greet, now: float) -> Commands:
        refusal = self._session.take(message)
        if refusal is not None:
            return [refusal]
        if isinstance(message, Welcome):
            self._said.clear()
        return self._beat(now) if isinstance(message, Greet) else []

    def _directive(self, directive: Directive, now: float) -> Commands:
        match directive:
            case Order():
                return self._ordered(directive, now)
            case Acknowledgement():
                return self._acknowledged(directive)
            case CatalogNotice():
                if not self._marks.replaces_catalog(directive):
                    return []
                self._marks = self._marks.with_catalog(directive)
                return [self._persist(self._marks_put())]
            case _:
                assert_never(directive)

    # ---- orders ----

    def _ordered(self, given: Order, now: float) -> Commands:
        known = self._entries.get(key_of(given))
        if known is not None and (known.order.epoch, known.order.sequence) == (given.epoch, given.sequence):
            return self._ordered_again(known)
        objection = self._objection(given, known, now)
        if objection is not None:
            return [objection, *self._declined(given, objection)]
        if not self._holdings.holds(given.plan, self._persisted):
            return self._wait(given)
        return self._take(given, known)

    def _ordered_again(self, known: Entry) -> Commands:
        key = key_of(known.order)
        if self._tickets.get(key, 0) > self._persisted:
            return []
        if known.stage == "done":
            self._said.pop(key, None)
            return []
        return self._send(Accepted(known.order.epoch, known.order.sequence))

    def _objection(self, given: Order, known: Entry | None, now: float) -> Refusal | None:
        if not given.idempotent and len(given.steps) > 1:
            return Refusal("unsafe", "steps that must not run twice come one by one")
        if given.expires < now:
            return Refusal("expired", f"order {given.sequence}")
        objection = self._marks.objection(given)
        if objection is not None:
            return objection
        if known is not None and known.order.attempt >= given.attempt:
            return Refusal("attempt", f"attempt {given.attempt}; {known.order.attempt} was taken")
        if known is None and len(self._entries) >= WINDOW:
            return Refusal("busy", f"{len(self._entries)} orders are open")
        return None

    def _declined(self, given: Order, objection: Refusal) -> Commands:
        match objection.reason:
            case "fence" | "attempt" | "busy" | "expired" | "epoch" | "replayed" | "unsafe" as reason:
                return self._send(Declined(given.epoch, given.sequence, key_of(given), reason))
            case _:
                return []

    def _wait(self, given: Order) -> Commands:
        """Until its plan is here."""
        if len(self._waiting) < WAITING and self._holdings.seek(given.plan, given.size, self._wanted()):
            self._waiting[given.epoch, given.sequence] = given
        return []

    def _take(self, given: Order, known: Entry | None) -> Commands:
        """What an earlier attempt did, or is doing, counts for this one too."""
        entry = Entry(given, "accepted")
        marks = self._marks.in_epoch(given.epoch).with_order(given)
        if known is not None:
            if known.order.epoch == given.epoch:
                marks = marks.with_settled(known.order.sequence)
            if known.stage == "started" or (known.ending and not given.idempotent and known.ending.word not in NO_EFFECT):
                entry = Entry(given, known.stage, known.ending)
        self._marks = marks
        self._said.pop(key_of(given), None)
        persist = self._keep(entry, self._marks_put())
        self._after[persist.ticket] = self._send(Accepted(given.epoch, given.sequence))
        return [persist]

    def _acknowledged(self, given: Acknowledgement) -> Commands:
        if given.epoch == self._marks.epoch:
            self._marks = self._marks.with_floor(given.floor)
        key = given.work
        known = self._entries.get(key)
        if known is None or (known.order.epoch, known.order.sequence) != (given.epoch, given.sequence):
            return []
        if known.stage != "done" or self._tickets.get(key, 0) > self._persisted:
            return [Refusal("not-expected", "an acknowledgement of a result that was not told")]
        del self._entries[key]
        self._said.pop(key, None)
        self._tickets.pop(key, None)
        if given.epoch == self._marks.epoch:
            self._marks = self._marks.with_settled(given.sequence)
        return [self._persist(self._marks_put(), deletes=(_entry_key(key),))]

    # ---- acting ----

    def _begin(self) -> Commands:
        commands: Commands = []
        for key, entry in list(self._entries.items()):
            if entry.stage != "accepted" or self._tickets.get(key, 0) > self._persisted:
                continue
            if entry.order.fence < self._marks.highest_fence(entry.order.lineage):
                commands.append(self._keep(Entry(entry.order, "done", _superseded(entry.order, begun=key in self._recovered))))
            elif len(self._running) < self._parallelism:
                commands += self._act(key, entry.order)
        return commands

    def _act(self, key: WorkKey, given: Order) -> Commands:
        self._running.add(key)
        started = Entry(given, "started")
        perform = Perform(given, again=key in self._recovered)
        if given.idempotent:
            self._entries[key] = started
            return [perform]
        persist = self._keep(started)
        self._after[persist.ticket] = [perform]
        return [persist]

    def _performed(self, key: WorkKey, ending: Ending) -> Commands:
        if key not in self._running:
            return [Refusal("not-expected", "an end of what was not begun")]
        self._running.remove(key)
        self._recovered -= {key}
        return [self._keep(Entry(self._entries[key].order, "done", ending))]

    # ---- what is due ----

    def _pump(self, now: float) -> Commands:
        commands = [*self._resume_waiting(now), *self._begin()]
        wanted = self._wanted()
        catalog = self._marks.catalog
        if catalog is not None and self._holdings.holds(catalog.digest, self._persisted) and self._announced != catalog.digest:
            self._announced = catalog.digest
            commands.append(InForce(catalog.digest))
        if not self._session.welcome:
            return commands
        if catalog is not None:
            self._holdings.seek(catalog.digest, catalog.size, wanted)
        for want in self._holdings.wants(wanted, self._persisted, now):
            commands += self._send(want)
        return commands + self._outbox(now)

    def _outbox(self, now: float) -> Commands:
        commands: Commands = []
        travelling = sum(1 for at in self._said.values() if now < at + SAY_AGAIN)
        for key, entry in self._entries.items():
            if travelling >= OUTBOX_BURST:
                break
            if entry.ending is None or self._tickets.get(key, 0) > self._persisted or now < self._said.get(key, -SAY_AGAIN) + SAY_AGAIN:
                continue
            self._said[key] = now
            travelling += 1
            given = entry.order
            commands += self._send(
                Result(given.epoch, given.sequence, key, given.attempt, given.fence, entry.ending),
            )
        return commands

    def _beat(self, now: float) -> Commands:
        beat = self._session.beat(now, self._announced)
        if beat is None:
            return []
        return [*([NewSession()] if beat.deaf else []), *self._send(beat.message)]

    # ---- blobs ----

    def _wanted(self) -> frozenset[str]:
        """Blobs that something needs: the catalog, and plans of orders that wait or are open."""
        plans = {given.plan for given in self._waiting.values()} | {entry.order.plan for entry in self._entries.values()}
        catalog = self._marks.catalog
        return frozenset(plans | ({catalog.digest} if catalog else set()))

    def _chunk(self, chunk: Chunk) -> Commands:
        taken = self._holdings.take(chunk, self._ticket + 1, self._wanted())
        if isinstance(taken, Persist):
            self._ticket = taken.ticket
        return [taken]

    def _resume_waiting(self, now: float) -> Commands:
        """Orders whose plan has come, or whose time is over."""
        commands: Commands = []
        for name, given in list(self._waiting.items()):
            if given.expires < now or self._holdings.holds(given.plan, self._persisted):
                del self._waiting[name]
                commands += self._ordered(given, now)
        return commands

    # ---- the store ----

    def _marks_put(self) -> tuple[str, bytes]:
        return "marks", msgspec.msgpack.encode(self._marks)

    def _keep(self, entry: Entry, *puts: tuple[str, bytes]) -> Persist:
        key = key_of(entry.order)
        self._entries[key] = entry
        persist = self._persist((_entry_key(key), msgspec.msgpack.encode(entry)), *puts)
        self._tickets[key] = persist.ticket
        return persist

    def _persist(self, *puts: tuple[str, bytes], deletes: tuple[str, ...] = ()) -> Persist:
        self._ticket += 1
        return Persist(self._ticket, puts, deletes)

    def _send(self, message: FromAgent) -> Commands:
        return [Send(self._core, messages.encode(message))]


def _entry_key(key: WorkKey) -> str:
    return f"work/{key}"


def _superseded(given: Order, *, begun: bool) -> Ending:
    """An order that was taken, and whose writer has been superseded before its turn came."""
    if begun:
        return Ending("unknown", b"the agent stopped, and its writer was superseded before it could be performed again")
    return Ending("stale", f"fence {given.fence} was superseded before its turn came".encode())
