"""The core's side of delivery: hands out orders until they are taken, takes each result once, and says what became of every order.

The core is the single writer and the only signer. What it gave is durable before it is sent, and how that ended is durable before it is
acknowledged or announced.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias, assert_never

import msgspec

from g8r.executor.delivery import messages, order
from g8r.executor.delivery.core_peer import AgentRecord, Peer, Sending, Work, agent_key, work_key
from g8r.executor.delivery.marks import WINDOW
from g8r.executor.delivery.messages import (
    MAX_CHUNK,
    NO_EFFECT,
    VERSION,
    Accepted,
    Alive,
    Chunk,
    Declined,
    FromCore,
    Greet,
    Heard,
    Hello,
    Refusal,
    Result,
    Unwelcome,
    Want,
    Welcome,
)
from g8r.executor.delivery.order import Acknowledgement, CatalogNotice, Directive, Order, Sign, key_of
from g8r.executor.delivery.ports import (
    Closed,
    CoreCommand,
    CoreEvent,
    Cut,
    Ended,
    Enrolled,
    Fetch,
    Fetched,
    HandOut,
    Persist,
    Persisted,
    Published,
    Received,
    Revoked,
    Send,
    Started,
    Tick,
)

LIFETIME: Final = 30.0
"""Seconds that an order may be taken after it was sent; sent again, it may be taken as long again."""
PATIENCE: Final = 60.0
"""Seconds without a word after which an agent is unreachable. No order sent to it outlives that, unless it was taken."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 15.0
"""Seconds between two sendings of an order that nobody took: twice as long each time, up to this."""
IN_FLIGHT: Final = 32
"""Orders that an agent has not taken yet, and that are on their way to it."""

Commands: TypeAlias = list[CoreCommand]

_RECORD: Final = msgspec.msgpack.Decoder(AgentRecord)
_WORK: Final = msgspec.msgpack.Decoder(Work)


class CoreSide:
    """The core, for all its agents. `stored` is what its `Durable` loads."""

    def __init__(self, sign: Sign, epoch: int, stored: Iterable[tuple[str, bytes]]) -> None:
        self._sign = sign
        self._epoch = epoch
        self._peers: dict[str, Peer] = {}
        self._ticket = 0
        self._persisted = 0
        self._after: dict[int, tuple[str, Commands]] = {}
        self._load(stored)

    def handle(self, event: CoreEvent, now: float) -> Commands:  # noqa: C901, PLR0911 one arm for each event
        """What to do about it, in this order."""
        match event:
            case Started():
                return self._begin(now)
            case Received(peer=name, frame=frame):
                return self._received(name, frame, now)
            case Persisted(ticket=ticket):
                return self._durable(ticket, now)
            case Tick():
                return [command for name in sorted(self._peers) for command in self._tick(self._peers[name], now)]
            case Fetched():
                return self._fetched(event)
            case HandOut():
                return self._hand_out(event, now)
            case Enrolled(agent=name):
                return self._enrol(name, now)
            case Revoked(agent=name):
                return self._revoke(name)
            case Published():
                return self._publish(event)
            case Closed(plan=plan):
                return self._close(plan)
            case _:
                assert_never(event)

    def sizes(self) -> dict[str, int]:
        """What is kept in memory, by kind: for metrics and for tests of its bounds."""
        works = sum(len(peer.works) for peer in self._peers.values())
        sending = sum(len(peer.sending) for peer in self._peers.values())
        return {"peers": len(self._peers), "works": works, "sending": sending, "after": len(self._after)}

    def reachable(self, agent: str) -> bool:
        """Whether there is a session with the agent."""
        peer = self._peers.get(agent)
        return peer is not None and peer.session

    # ---- starting ----

    def _load(self, stored: Iterable[tuple[str, bytes]]) -> None:
        for key, value in stored:
            if key.startswith("agent/"):
                record = _RECORD.decode(value)
                self._peers[record.agent] = Peer(record)
            else:
                work = _WORK.decode(value)
                self._peers[work.order.agent].put(work, 0)

    def _begin(self, now: float) -> Commands:
        """Every agent has its whole patience again; what had ended is said again."""
        for peer in self._peers.values():
            peer.begin(now)
        return [work.ended() for name in sorted(self._peers) for work in self._peers[name].works.values() if work.word is not None]

    # ---- what the caller asks ----

    def _enrol(self, name: str, now: float) -> Commands:
        if name in self._peers:
            return []
        peer = Peer(AgentRecord(name, self._epoch))
        peer.begin(now)
        self._peers[name] = peer
        return [self._persist(peer)]

    def _publish(self, event: Published) -> Commands:
        peer = self._peers.get(event.agent)
        if peer is None or peer.record.revoked:
            return [Refusal("stranger", "a catalog for no agent", event.agent)]
        number = peer.record.catalog.number + 1 if peer.record.catalog else 1
        notice = CatalogNotice(event.agent, peer.record.epoch, number, event.digest, event.size)
        peer.record = msgspec.structs.replace(peer.record, catalog=notice)
        persist = self._persist(peer)
        self._after[persist.ticket] = (event.agent, self._notice(peer, None))
        return [persist]

    def _hand_out(self, event: HandOut, now: float) -> Commands:
        peer = self._peers.get(event.agent)
        if peer is None or peer.record.revoked:
            return [
                Ended(
                    event.agent, event.plan, event.steps, event.attempt, "cancelled", b"it is no agent of this controller, or was revoked"
                )
            ]
        given = Order(
            event.agent, event.plan, event.size, event.steps, event.attempt, event.lineage, event.fence, peer.record.epoch,
            peer.record.next, 0, 0, event.idempotent,
        )  # fmt: skip
        if len(msgspec.msgpack.encode(given)) > MAX_CHUNK:
            return [Work(given, "declined", b"it names so many steps that its frame would be too long").ended()]
        known = peer.works.get(key_of(given))
        if known is not None and (event.attempt <= known.order.attempt or self._settles(known)):
            again = known.word is not None and peer.is_durable(known, self._persisted)
            return [msgspec.structs.replace(known.ended(), attempt=event.attempt)] if again else []
        peer.record = msgspec.structs.replace(peer.record, next=peer.record.next + 1)
        return [self._keep(peer, Work(given), Sending(now))]

    @staticmethod
    def _settles(known: Work) -> bool:
        """Whether no newer attempt may follow: it happened or may have happened, and must not happen twice."""
        return not known.order.idempotent and known.result and known.word not in NO_EFFECT

    def _revoke(self, name: str) -> Commands:
        peer = self._peers.get(name)
        if peer is None or peer.record.revoked:
            return []
        peer.record = msgspec.structs.replace(peer.record, revoked=True)
        peer.session = False
        ended = [msgspec.structs.replace(work, word="cancelled") for work in peer.open]
        persist = self._persist(peer, *ended)
        self._after[persist.ticket] = (name, [work.ended() for work in ended])
        return [Cut(name), persist]

    def _close(self, plan: str) -> Commands:
        deletes = [work_key(peer.drop(work)) for peer in self._peers.values() for work in peer.of(plan) if work.word is not None]
        if not deletes:
            return []
        self._ticket += 1
        return [Persist(self._ticket, (), tuple(deletes))]

    # ---- frames ----

    def _received(self, name: str, frame: bytes, now: float) -> Commands:  # noqa: PLR0911 one arm for each message
        peer = self._peers.get(name)
        if peer is None or peer.record.revoked:
            return [Refusal("stranger" if peer is None else "revoked", "", name), Cut(name)]
        message = messages.from_agent(frame)
        if isinstance(message, Refusal):
            return [msgspec.structs.replace(message, peer=name)]
        if isinstance(message, Hello):
            return self._hello(peer, message, now)
        if not peer.session:
            return self._send(peer, Greet())
        peer.heard = now
        match message:
            case Alive(nonce=nonce, catalog=catalog):
                return [*self._send(peer, Heard(nonce)), *self._notice(peer, catalog)]
            case Accepted(epoch=epoch, sequence=sequence):
                peer.accepted(epoch, sequence)
                return self._send_due(peer, now)
            case Declined():
                return self._declined(peer, message)
            case Result():
                return self._result(peer, message)
            case Want():
                return self._want(peer, message)
            case _:
                assert_never(message)

    def _hello(self, peer: Peer, message: Hello, now: float) -> Commands:
        if message.version != VERSION:
            peer.session = False
            detail = f"it speaks version {message.version} of the protocol, this controller {VERSION}"
            return [Refusal("version", detail, peer.name), *self._send(peer, Unwelcome(message.nonce, VERSION))]
        peer.session = True
        peer.heard = now
        peer.begin(now)
        return [*self._send(peer, Welcome(VERSION, message.nonce)), *self._notice(peer, message.catalog), *self._send_due(peer, now)]

    def _declined(self, peer: Peer, message: Declined) -> Commands:
        work = peer.numbered(message.epoch, message.sequence)
        if work is None or key_of(work.order) != message.work:
            return [Refusal("not-given", f"order {message.sequence} was declined", peer.name)]
        if message.reason in {"busy", "expired"}:
            return []
        return [self._end(peer, msgspec.structs.replace(work, word="declined", content=message.reason.encode()))]

    def _result(self, peer: Peer, message: Result) -> Commands:
        work = peer.works.get(message.work)
        if work is None:
            return self._disown(peer, message)
        given = work.order
        if (given.epoch, given.sequence, given.attempt, given.fence) != (message.epoch, message.sequence, message.attempt, message.fence):
            return [Refusal("not-given", f"a result of attempt {message.attempt}; {given.attempt} was given last", peer.name)]
        if work.result:
            return self._acknowledge(peer, message) if peer.is_durable(work, self._persisted) else []
        late = work.word is not None
        ended = Work(given, message.ending.word, message.ending.content, late=late, result=True)
        persist = self._end(peer, ended)
        name, commands = self._after[persist.ticket]
        self._after[persist.ticket] = (name, [*commands, *self._acknowledge(peer, message)])
        return [persist]

    def _disown(self, peer: Peer, message: Result) -> Commands:
        """A result of work that is forgotten, for its run is over: the agent may forget it too."""
        if message.epoch != peer.record.epoch or message.sequence >= peer.record.next:
            return [Refusal("not-given", f"a result of order {message.sequence}", peer.name)]
        return self._acknowledge(peer, message)

    def _want(self, peer: Peer, message: Want) -> Commands:
        """An agent is given its catalog and the plans of its open work, and nothing else."""
        if not peer.may_have(message.digest):
            return [Refusal("not-given", f"blob {message.digest[:12]} is none of its own", peer.name)]
        return [Fetch(peer.name, message.digest, message.offset)]

    def _fetched(self, event: Fetched) -> Commands:
        peer = self._peers.get(event.agent)
        if peer is None or not peer.session or not event.content:
            return []
        return self._send(peer, Chunk(event.digest, event.offset, event.content))

    # ---- what is due ----

    def _durable(self, ticket: int, now: float) -> Commands:
        self._persisted = ticket
        commands: Commands = []
        for each in sorted(each for each in self._after if each <= ticket):
            name, due = self._after.pop(each)
            peer = self._peers[name]
            peer.settle(ticket)
            commands += [command for command in due if peer.session or not isinstance(command, Send)]
            commands += self._send_due(peer, now)
        return commands

    def _tick(self, peer: Peer, now: float) -> Commands:
        if now > peer.heard + PATIENCE:
            peer.session = False
        if not peer.sending:
            return []
        lost = [work for work in peer.open if now > self._deadline(peer, work)]
        if not lost:
            return self._send_due(peer, now)
        return [self._end(peer, msgspec.structs.replace(work, word="unreachable")) for work in lost]

    def _deadline(self, peer: Peer, work: Work) -> float:
        return max(peer.heard, peer.sending[work.order.sequence].given) + PATIENCE

    def _send_due(self, peer: Peer, now: float) -> Commands:
        """Orders that are durable, that the agent has not taken, and whose time to be sent has come."""
        if not peer.session or not peer.sending:
            return []
        commands: Commands = []
        floor = peer.floor(self._persisted)
        flying = 0
        for work in peer.open:
            sending = peer.sending[work.order.sequence]
            if sending.accepted or not peer.is_durable(work, self._persisted):
                continue
            if flying >= IN_FLIGHT or work.order.sequence >= floor + WINDOW:
                break
            flying += 1
            if now >= sending.next:
                peer.sending[work.order.sequence] = sending.sent(now, FIRST_WAIT, LONGEST_WAIT)
                expires = int(min(now + LIFETIME, self._deadline(peer, work)))
                commands += self._direct(peer, msgspec.structs.replace(work.order, floor=floor, expires=expires))
        return commands

    # ---- saying and keeping ----

    def _notice(self, peer: Peer, held: str | None) -> Commands:
        """The catalog in force, unless the agent holds it."""
        notice = peer.record.catalog
        return self._direct(peer, notice) if peer.session and notice is not None and notice.digest != held else []

    def _acknowledge(self, peer: Peer, message: Result) -> Commands:
        return self._direct(peer, Acknowledgement(peer.name, message.work, message.epoch, message.sequence, peer.floor(self._persisted)))

    def _direct(self, peer: Peer, directive: Directive) -> Commands:
        return [Send(peer.name, order.seal(directive, self._sign))]

    def _send(self, peer: Peer, message: FromCore) -> Commands:
        return [Send(peer.name, messages.encode(message))]

    def _end(self, peer: Peer, work: Work) -> Persist:
        """The work has ended so; it is announced once that is durable."""
        persist = self._persist(peer, work, record=False)
        self._after[persist.ticket] = (peer.name, [work.ended()])
        return persist

    def _keep(self, peer: Peer, work: Work, sending: Sending) -> Persist:
        peer.sending[work.order.sequence] = sending
        persist = self._persist(peer, work)
        self._after[persist.ticket] = (peer.name, [])
        return persist

    def _persist(self, peer: Peer, *works: Work, record: bool = True) -> Persist:
        self._ticket += 1
        puts = [(work_key(work), msgspec.msgpack.encode(work)) for work in works]
        for work in works:
            peer.put(work, self._ticket)
        if record:
            puts.append((agent_key(peer.name), msgspec.msgpack.encode(peer.record)))
        return Persist(self._ticket, tuple(puts))
