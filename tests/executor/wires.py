"""A controller's listener and dialers on loopback, with real CURVE sockets and short times; and sockets that are weak on purpose."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import zmq

from g8r.executor.zeromq import keys
from g8r.executor.zeromq.dialer import Dialer, Link
from g8r.executor.zeromq.factory import ClientOptions, ServerOptions, SocketFactory
from g8r.executor.zeromq.keys import KeyPair
from g8r.executor.zeromq.listener import Arrival, Departure, Heard, Listener, Peer
from g8r.executor.zeromq.roster import AgentId, Roster

ANYWHERE = "tcp://127.0.0.1:*"
SERVER = ServerOptions()
HASTY = ServerOptions(heartbeat=200, silence=600)
"""For what heartbeats alone show; elsewhere a machine under load must not look like a dead peer."""
CLIENT = ClientOptions(handshake=1000, redial=20, redial_most=100)
PATIENCE = 30.0


class Site:
    """A listener that admits these agents, and what is needed to dial it."""

    def __init__(self, *agents: str, options: ServerOptions = SERVER, client: ClientOptions = CLIENT) -> None:
        self.server = keys.make()
        self.keys = {agent: keys.make() for agent in agents}
        self.roster = Roster()
        for agent, pair in self.keys.items():
            self.roster = self.roster.with_key(pair.public, AgentId(agent))
        self.options = options
        self.client = client
        self.far = SocketFactory()
        self.missed: list[Heard] = []
        self.start(ANYWHERE)

    def start(self, endpoint: str) -> None:
        self.near = SocketFactory()
        self.listener = Listener(self.near, self.roster, self.options)
        self.endpoint = self.listener.open(endpoint, self.server)

    def stop(self) -> None:
        self.listener.close()
        self.near.close()

    def close(self) -> None:
        self.far.close()
        self.stop()

    def dial(self, own: str | KeyPair) -> Dialer:
        pair = self.keys[own] if isinstance(own, str) else own
        return Dialer(self.far, self.endpoint, pair, self.server.public, self.client)

    def join(self, agent: str) -> tuple[Dialer, Peer]:
        """A dialer that has said hello and was welcomed."""
        dialer = self.dial(agent)
        peer = self.greet(dialer)
        assert self.listener.welcome(peer)
        return dialer, peer

    def greet(self, dialer: Dialer) -> Peer:
        say(dialer, b"hello")
        return self.arrival(b"hello").peer

    def arrival(self, payload: bytes) -> Arrival:
        """The next arrival, which must have that payload."""
        return next(
            found
            for found in self.until(lambda heard: isinstance(heard, Arrival) and heard.payload == payload)
            if isinstance(found, Arrival)
        )

    def departure(self, agent: str) -> None:
        self.until(lambda heard: heard == Departure(AgentId(agent)))

    def until(self, wanted: Callable[[Heard], bool]) -> list[Heard]:
        """All that was wanted in the first answer that has some of it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = [heard for heard in self.hear() if wanted(heard)]
            if found:
                return found
        raise AssertionError("it did not come")

    def quiet(self, seconds: float) -> list[Heard]:
        """All that comes in this time."""
        heard: list[Heard] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            heard += self.hear()
        return heard

    def hear(self) -> list[Heard]:
        missed, self.missed = self.missed, []
        return missed or self.listener.receive(50)

    def cut(self, dialer: Dialer, act: Callable[[], object]) -> float:
        """Seconds from the act until the dialer's connection is no more, be it that it is dialling again, refused, or back already."""
        before = dialer.sessions
        assert dialer.link is Link.UP
        begun = time.monotonic()
        act()
        while dialer.link is Link.UP and dialer.sessions == before:
            assert time.monotonic() - begun < PATIENCE, "still connected"
            self.missed += self.listener.receive(5)
        return time.monotonic() - begun


@contextlib.contextmanager
def site(*agents: str, options: ServerOptions = SERVER, client: ClientOptions = CLIENT) -> Iterator[Site]:
    made = Site(*agents, options=options, client=client)
    try:
        yield made
    finally:
        made.close()


def say(dialer: Dialer, payload: bytes) -> None:
    """Sends as soon as the dialer can."""
    end = time.monotonic() + PATIENCE
    while dialer.send(payload).value != "sent":
        assert time.monotonic() < end, "never connected"
        time.sleep(0.005)


def wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)


@contextlib.contextmanager
def context() -> Iterator[zmq.Context[Any]]:
    """For sockets that no factory made."""
    made: zmq.Context[Any] = zmq.Context()
    made.set(zmq.MAX_SOCKETS, 4000)
    try:
        yield made
    finally:
        made.destroy(linger=0)


def stranger(
    made: zmq.Context[Any], endpoint: str, server: str | None, pair: KeyPair | None = None, **options: int | bytes
) -> zmq.Socket[Any]:
    """A DEALER as an attacker builds it; without CURVE where no server key is given."""
    dealer = made.socket(zmq.DEALER)
    dealer.set(zmq.LINGER, 0)
    pair = pair or keys.make()
    if server is not None:
        dealer.set(zmq.CURVE_SERVERKEY, server.encode())
        dealer.set(zmq.CURVE_PUBLICKEY, pair.public.encode())
        dealer.set(zmq.CURVE_SECRETKEY, pair.secret.encode())
    for name, wanted in options.items():
        dealer.set(getattr(zmq, name), wanted)
    dealer.connect(endpoint)
    return dealer


def weak_router(made: zmq.Context[Any], server: KeyPair, **options: int | bytes) -> tuple[zmq.Socket[Any], str]:
    """A CURVE ROUTER with these options and no others."""
    router = made.socket(zmq.ROUTER)
    router.set(zmq.LINGER, 0)
    router.set(zmq.CURVE_SECRETKEY, server.secret.encode())
    router.set(zmq.CURVE_SERVER, 1)
    for name, wanted in options.items():
        router.set(getattr(zmq, name), wanted)
    router.bind(ANYWHERE)
    return router, router.get_string(zmq.LAST_ENDPOINT)


@contextlib.contextmanager
def child(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, so that its memory and its life are its own; it prints a line when it is ready."""
    process = subprocess.Popen((sys.executable, "-c", script, *arguments), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
