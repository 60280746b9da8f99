"""The controller's end: one ROUTER, the peers that are there, and payloads in both directions.

A peer is known by the User-Id that the authenticator gave its handshake, read anew on every frame; what it writes into payloads or
chooses as routing id says nothing. The routing id is the server's: five bytes, the first 0, counted up by libzmq from a random start. It is
never told to anyone, and a peer that brings its own is cut and reported (`Offended`): were it to guess the next one of libzmq's, libzmq
4.3.5 would abort (measured: `socket_base.cpp:2113`).

An agent's messages go to the connection that last said hello (`welcome`). Deciding what a hello is is the protocol's business.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec
import zmq

from g8r.executor.zeromq.authenticator import Authenticator
from g8r.executor.zeromq.connections import Connection, Connections, port_of
from g8r.executor.zeromq.factory import ServerOptions, SocketFactory
from g8r.executor.zeromq.gauge import Gauge
from g8r.executor.zeromq.keys import KeyPair, PublicKey
from g8r.executor.zeromq.roster import AgentId, Roster

_BATCH: Final = 512
"""Messages per `receive`, so that a flood does not keep it from everything else."""
_SLICE: Final = 200
"""Milliseconds of waiting after which it looks after authenticator and connections."""
_SWEEP: Final = 0.2
_HELLO_WITHIN: Final = 10.0
_ROUTE_BYTES: Final = 5
_OVERHEAD: Final = 128
"""Bytes on the wire besides the payload, at most: ZMTP and CURVE framing, the command's name, the nonce."""
_IDLE_RATE: Final = 256
"""Bytes a second that heartbeats may cost."""


class AuthenticatorDiedError(Exception):
    """Nobody answers for handshakes any more, so the listener has closed. The process should end, and be started again."""


class Sending(enum.Enum):
    """SENT is not delivered: a cut may lose it. GONE: no such peer is there. FULL: it does not read; its queue is bounded."""

    SENT = "sent"
    GONE = "gone"
    FULL = "full"


class Peer(msgspec.Struct, frozen=True):
    """Who a connection has proved to be. `route` is opaque, and new with each connection."""

    agent: AgentId
    key: PublicKey
    route: bytes


class Arrival(msgspec.Struct, frozen=True):
    """A payload. `welcome` says whether its connection is the agent's present one; until then only a hello should be heard."""

    peer: Peer
    payload: bytes
    welcome: bool


class Departure(msgspec.Struct, frozen=True):
    """The agent's welcome connection has ended: it left, was cut off, fell silent, or was revoked."""

    agent: AgentId


class Offence(enum.Enum):
    """What only a client does that is not ours; one is enough to know the host as compromised."""

    OWN_ROUTE = "it chose its own routing id"
    SEVERAL_FRAMES = "it sent a message of several frames"
    FLOOD = "it sent a message without end"


class Offended(msgspec.Struct, frozen=True):
    """The agent's connection has been cut for this. Revoking the agent is for others to decide."""

    agent: AgentId
    offence: Offence


Heard: TypeAlias = Arrival | Departure | Offended


class _Route(msgspec.Struct):
    peer: Peer
    connection: Connection
    heard: int = 0
    """Bytes of its messages that have been received here."""


class Listener:
    """Used by one thread. Bounds: frames by MAXMSGSIZE; a connection's unread bytes by the queue's worth of frames, beyond which it is
    cut; connections without a welcome by ten seconds. RLIMIT_AS of the edge process stands behind these.
    """

    def __init__(
        self,
        factory: SocketFactory,
        roster: Roster,
        options: ServerOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or ServerOptions()
        self._factory = factory
        self._clock = clock
        self._authenticator = Authenticator(factory, roster)
        self._router = factory.router(self._options)
        self._connections = Connections(factory, self._router)
        self._routes: dict[bytes, _Route] = {}
        self._routes_at: dict[int, tuple[bytes, ...]] = {}
        self._present: dict[AgentId, bytes] = {}
        self._endpoints: list[str] = []
        self._leaving: list[Heard] = []
        self._swept = clock()
        self._gauge = Gauge()
        self._may_wait = 2 * self._options.queue * self._options.message_bytes
        self._closed = False

    def open(self, endpoint: str, own: KeyPair) -> str:
        """Listens there with that server key; the endpoint as bound. A second key on a second endpoint is how it is rotated."""
        self._guard()
        bound = self._factory.bind(self._router, endpoint, own, self._options)
        self._endpoints.append(bound)
        self._connections.serve(map(port_of, self._endpoints))
        return bound

    def shut(self, endpoint: str) -> None:
        """Listens there no longer. Who came in by it is cut too, and has to dial another: say so to them in time."""
        self._router.unbind(endpoint)
        self._endpoints.remove(endpoint)
        self._settle()
        self._end(self._connections.end(port_of(endpoint)))
        self._connections.serve(map(port_of, self._endpoints))

    @property
    def present(self) -> tuple[AgentId, ...]:
        """The agents that have been welcomed and whose connection stands, sorted."""
        return tuple(sorted(self._present))

    @property
    def connected(self) -> int:
        """TCP connections, welcomed or not."""
        return len(self._connections)

    def receive(self, timeout: int) -> list[Heard]:
        """What arrives, at the latest after `timeout` milliseconds, then perhaps nothing. Raises where the authenticator has died."""
        end = self._clock() + timeout / 1000
        while True:
            self._guard()
            left = max(0, min(_SLICE, int((end - self._clock()) * 1000)))
            ready = self._router.poll(left)
            self._guard()
            heard = self._drain() if ready else []
            self._settle()
            self._sweep()
            heard += self._leaving
            self._leaving = []
            if heard or self._clock() >= end:
                return heard

    def welcome(self, peer: Peer) -> bool:
        """Its connection is the agent's from now on; an earlier one is cut. False where it has gone already."""
        route = self._routes.get(peer.route)
        if route is None or route.peer != peer:
            return False
        before = self._present.get(peer.agent)
        self._present[peer.agent] = peer.route
        if before is not None and before != peer.route:
            self._expel(before)
        return True

    def send(self, agent: AgentId, payload: bytes) -> Sending:
        """To the agent's present connection."""
        route = self._present.get(agent)
        return Sending.GONE if route is None else self._send(route, payload)

    def answer(self, peer: Peer, payload: bytes) -> Sending:
        """To that very connection, welcome or not: why a hello is refused."""
        return self._send(peer.route, payload) if peer.route in self._routes else Sending.GONE

    def dismiss(self, peer: Peer) -> None:
        """Cuts that connection: it misbehaved. The agent may come again."""
        self._expel(peer.route)

    def admit(self, roster: Roster) -> None:
        """From now on these keys and nobody else's. Who is no longer among them is cut at once, and frames of theirs that are under way
        are dropped. So are connections that have not said who they are: one of them may be theirs.
        """
        before = self._authenticator.roster
        self._authenticator.admit(roster)
        if any(roster.agent_of(key) != agent for key, agent in before.agents.items()):
            self._settle()
            for route in [known.peer.route for known in self._routes.values() if roster.agent_of(known.peer.key) != known.peer.agent]:
                self._expel(route)
            for connection in self._connections.all():
                if connection.number not in self._routes_at:
                    self._connections.cut(connection)

    def close(self) -> None:
        """Ends all connections. Idempotent."""
        if not self._closed:
            self._closed = True
            self._router.monitor(None, 0)
            self._connections.close()
            self._router.close(linger=0)
            self._authenticator.close()
            self._present.clear()
            self._routes.clear()

    def _guard(self) -> None:
        if self._closed or not self._authenticator.alive:
            self.close()
            raise AuthenticatorDiedError("the authenticator has ended, so the listener is closed: end this process and start it again")

    def _drain(self) -> list[Heard]:
        heard: list[Heard] = []
        for _ in range(_BATCH):
            try:
                first = self._router.recv(zmq.NOBLOCK, copy=False)
                payload = self._payload()
            except zmq.Again:
                break
            arrival = self._heard(first, payload)
            if arrival is not None:
                heard.append(arrival)
        return heard

    def _payload(self) -> bytes | None:
        """What follows the route: exactly one frame. More of them are read away one by one, and are None."""
        payload = self._router.recv(zmq.NOBLOCK)
        exact = True
        while self._router.get(zmq.RCVMORE):
            exact = False
            self._router.recv(zmq.NOBLOCK)
        return payload if exact else None

    def _heard(self, first: zmq.Frame, payload: bytes | None) -> Arrival | None:
        route, (descriptor, key) = first.bytes, _proved(first)
        agent = self._authenticator.roster.agent_of(key)
        offence = _offence(route, payload)
        if agent is not None and offence is not None:
            self._leaving.append(Offended(agent, offence))
        if key is None or agent is None or payload is None or offence is not None:
            self._expel(route)
            self._cut_at(descriptor, route)
            return None
        peer = Peer(agent, PublicKey(key), route)
        known = self._routes.get(route) or self._register(peer, descriptor)
        if known is None:
            return Arrival(peer, payload, welcome=False)
        if known.peer != peer:
            self._expel(route)
            return None
        known.heard += len(payload) + _OVERHEAD
        return Arrival(peer, payload, welcome=self._present.get(agent) == route)

    def _register(self, peer: Peer, descriptor: int) -> _Route | None:
        """None where the connection has ended meanwhile: what it said still counts, but there is nobody to answer."""
        self._settle()
        connection = self._connections.at(descriptor)
        if connection is None:
            return None
        route = _Route(peer, connection)
        self._routes[peer.route] = route
        self._routes_at[connection.number] = (*self._routes_at.get(connection.number, ()), peer.route)
        return route

    def _cut_at(self, descriptor: int, route: bytes) -> None:
        """Cuts the connection at the descriptor, unless others than this route are known to be there: then it has been used again."""
        self._settle()
        connection = self._connections.at(descriptor)
        if connection is not None and route in self._routes_at.get(connection.number, (route,)):
            self._connections.cut(connection)

    def _expel(self, route: bytes) -> None:
        """Forgets the route and ends its connection."""
        known = self._routes.pop(route, None)
        if known is not None:
            self._depart(known.peer)
            self._connections.cut(known.connection)

    def _settle(self) -> None:
        self._end(self._connections.settle(self._clock()))

    def _end(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            for route in self._routes_at.pop(connection.number, ()):
                known = self._routes.pop(route, None)
                if known is not None:
                    self._depart(known.peer)

    def _depart(self, peer: Peer) -> None:
        if self._present.get(peer.agent) == peer.route:
            del self._present[peer.agent]
            self._leaving.append(Departure(peer.agent))

    def _sweep(self) -> None:
        """Cuts who has not been welcomed in time, and who has sent more than may be waiting here."""
        now = self._clock()
        if now - self._swept < _SWEEP:
            return
        self._swept = now
        welcome = {self._routes[route].connection.number for route in self._present.values()}
        swollen = self._gauge.grown()
        for connection in self._connections.all():
            if connection.number not in welcome and now - connection.since > _HELLO_WITHIN:
                self._connections.cut(connection)
            elif swollen and self._unread(connection, now) > self._may_wait:
                self._leaving += [Offended(agent, Offence.FLOOD) for agent in self._agents_at(connection)]
                self._connections.cut(connection)

    def _agents_at(self, connection: Connection) -> list[AgentId]:
        return [self._routes[route].peer.agent for route in self._routes_at.get(connection.number, ()) if route in self._routes]

    def _unread(self, connection: Connection, now: float) -> float:
        """Bytes that the connection has sent and that no message has brought here: they are in memory, or were heartbeats."""
        routes = (self._routes.get(route) for route in self._routes_at.get(connection.number, ()))
        heard = sum(route.heard for route in routes if route is not None)
        return self._connections.received(connection) - heard - (now - connection.since) * _IDLE_RATE

    def _send(self, route: bytes, payload: bytes) -> Sending:
        try:
            self._router.send_multipart([route, payload], zmq.NOBLOCK)
        except zmq.Again:
            return Sending.FULL
        except zmq.ZMQError as problem:
            if problem.errno == zmq.EHOSTUNREACH:
                return Sending.GONE
            raise
        return Sending.SENT


def _offence(route: bytes, payload: bytes | None) -> Offence | None:
    if len(route) != _ROUTE_BYTES or route[0] != 0:
        return Offence.OWN_ROUTE
    return Offence.SEVERAL_FRAMES if payload is None else None


def _proved(first: zmq.Frame) -> tuple[int, str | None]:
    """The descriptor that a message came from, and the User-Id that our authenticator gave its handshake."""
    try:
        return int(first.get(zmq.SRCFD)), str(first.get("User-Id"))
    except zmq.ZMQError:
        return -1, None
