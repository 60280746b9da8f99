"""An agent's end: one DEALER that dials the controller whose key it was given, again and again, with pauses that grow to a minute."""

from __future__ import annotations

import enum
import functools
from typing import Final

import zmq

from g8r.executor.zeromq import monitoring
from g8r.executor.zeromq.factory import ClientOptions, SocketFactory
from g8r.executor.zeromq.keys import KeyPair, PublicKey
from g8r.executor.zeromq.listener import Sending

_BATCH: Final = 512


class Link(enum.Enum):
    """REFUSED: the controller does not admit this key (never enrolled, or revoked). It is dialled on all the same."""

    DIALLING = "dialling"
    UP = "up"
    REFUSED = "refused"


class Dialer:
    """Used by one thread. It sends only while connected, so that nothing waits in a queue for a controller that is not there."""

    def __init__(
        self, factory: SocketFactory, endpoint: str, own: KeyPair, server: PublicKey, options: ClientOptions | None = None
    ) -> None:
        self._dial = functools.partial(factory.dealer, endpoint, own, server, options or ClientOptions())
        self._socket, self._monitor = self._dial()
        self._link = Link.DIALLING

    @property
    def link(self) -> Link:
        for event, _ in monitoring.events(self._monitor):
            self._link = _next(self._link, event)
        return self._link

    def send(self, payload: bytes) -> Sending:
        """SENT is not delivered: only the controller's own answer says that."""
        try:
            self._socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            return Sending.FULL if self.link is Link.UP else Sending.GONE
        return Sending.SENT

    def receive(self, timeout: int) -> list[bytes]:
        """Payloads, at the latest after `timeout` milliseconds, then perhaps none. Messages of several frames are no payloads."""
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
        self._socket, self._monitor = self._dial()
        self._link = Link.DIALLING

    def close(self) -> None:
        self._socket.monitor(None, 0)
        self._monitor.close(linger=0)
        self._socket.close(linger=0)


def _next(link: Link, event: int) -> Link:
    match event:
        case zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return Link.UP
        case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return Link.REFUSED
        case _:
            return Link.REFUSED if link is Link.REFUSED else Link.DIALLING
