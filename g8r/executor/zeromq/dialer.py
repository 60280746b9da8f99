"""An agent's end: one DEALER that dials the controller whose key it was given, again and again, with pauses that grow to a minute."""

from __future__ import annotations

import enum
import functools
import time
from collections.abc import Callable
from typing import Final

import zmq

from g8r.executor.zeromq import monitoring
from g8r.executor.zeromq.factory import ClientOptions, SocketFactory
from g8r.executor.zeromq.keys import KeyPair, PublicKey
from g8r.executor.zeromq.listener import Sending

_BATCH: Final = 512


class Link(enum.Enum):
    """REFUSED: the controller does not admit this key (never enrolled, or revoked). It is dialled again all the same, ever more seldom."""

    DIALLING = "dialling"
    UP = "up"
    REFUSED = "refused"


class Dialer:
    """Used by one thread. It sends only while connected, so that nothing waits in a queue for a controller that is not there.

    libzmq dials again by itself after a cut, but never after a refusal or a malformed frame: it gives the connection up for good, silently.
    So where there has been no connection for a while, in which `send` and `receive` were called, the dialer takes a new socket.
    """

    def __init__(
        self,
        factory: SocketFactory,
        endpoint: str,
        own: KeyPair,
        server: PublicKey,
        options: ClientOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or ClientOptions()
        self._dial = functools.partial(factory.dealer, endpoint, own, server, self._options)
        self._clock = clock
        self._link = Link.DIALLING
        self._sessions = 0
        self._pause = self._options.handshake / 1000
        self._begin()

    @property
    def link(self) -> Link:
        self._settle()
        return self._link

    @property
    def sessions(self) -> int:
        """Connections that were let in so far. A new number is a new connection, to which the controller expects a hello."""
        self._settle()
        return self._sessions

    def send(self, payload: bytes) -> Sending:
        """SENT is not delivered: only the controller's own answer says that."""
        self._persist()
        try:
            self._socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            return Sending.FULL if self.link is Link.UP else Sending.GONE
        return Sending.SENT

    def receive(self, timeout: int) -> list[bytes]:
        """Payloads, at the latest after `timeout` milliseconds, then perhaps none. Messages of several frames are no payloads."""
        self._persist()
        heard: list[bytes] = []
        if not self._socket.poll(timeout):
            return heard
        for _ in range(_BATCH):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            if len(frames) == 1:
                heard.append(frames[0])
        return heard

    def redial(self) -> None:
        """A new socket, at once and without pause: what the protocol does when its acknowledgements stay away."""
        self.close()
        self._link = Link.DIALLING
        self._begin()

    def close(self) -> None:
        self._socket.monitor(None, 0)
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    def _begin(self) -> None:
        self._socket, self._monitor = self._dial()
        self._since = self._clock()

    def _settle(self) -> None:
        """Takes in what became of the connection."""
        for event, _, _ in monitoring.events(self._monitor):
            self._since = self._clock() if self._link is Link.UP else self._since
            self._link = _next(self._link, event)
            if self._link is Link.UP:
                self._sessions += 1
                self._pause = self._options.handshake / 1000

    def _persist(self) -> None:
        """A new socket where the present one has been without connection for the pause, which doubles each time."""
        if self.link is not Link.UP and self._clock() - self._since > self._pause:
            refused = self._link
            self._pause = min(2 * self._pause, self._options.redial_most / 1000)
            self.redial()
            self._link = refused


def _next(link: Link, event: int) -> Link:
    match event:
        case zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return Link.UP
        case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return Link.REFUSED
        case _:
            return Link.REFUSED if link is Link.REFUSED else Link.DIALLING
