"""libzmq's fail-open table: each way in is first shown to be open with a socket that is weak on purpose, then shut with the factory's."""

import contextlib
import threading
from typing import Any, Self

import pytest
import zmq
from wires import ANYWHERE, SERVER, context, site, stranger, weak_router

from g8r.executor.zeromq import keys
from g8r.executor.zeromq.authenticator import Authenticator
from g8r.executor.zeromq.factory import OptionError, SocketFactory
from g8r.executor.zeromq.roster import Roster

LONG = 5000
SHORT = 500
"""Milliseconds: for what must come, and for what must not (a handshake takes about one)."""


def gets_in(router: zmq.Socket[Any], dealer: zmq.Socket[Any], patience: int) -> bool:
    dealer.send(b"let me in")
    return bool(router.poll(patience))


class Denier:
    """A ZAP handler that refuses everybody, and counts."""

    def __init__(self, made: zmq.Context[Any]) -> None:
        self.asked = 0
        self._socket = made.socket(zmq.ROUTER)
        self._socket.bind("inproc://zeromq.zap.01")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            if self._socket.poll(20):
                frames = self._socket.recv_multipart()
                self.asked += 1
                self._socket.send_multipart([*frames[:4], b"400", b"denied", b"", b""])


def factory_router(factory: SocketFactory, server: keys.KeyPair) -> tuple[zmq.Socket[bytes], str]:
    router = factory.router(SERVER)
    return router, factory.bind(router, ANYWHERE, server, SERVER)


def test_without_a_handler_a_weak_socket_lets_an_unknown_key_in_and_ours_does_not():
    server = keys.make()
    with context() as made:
        router, endpoint = weak_router(made, server, ZAP_DOMAIN=b"g8r-work", ZAP_ENFORCE_DOMAIN=0)
        assert gets_in(router, stranger(made, endpoint, server.public), LONG)
    with context() as made, SocketFactory() as factory:
        router, endpoint = factory_router(factory, server)
        assert not gets_in(router, stranger(made, endpoint, server.public), SHORT)


def test_with_an_empty_domain_a_denying_handler_is_not_even_asked_and_ours_is():
    server = keys.make()
    with context() as made, Denier(made) as denier:
        router, endpoint = weak_router(made, server, ZAP_ENFORCE_DOMAIN=1)
        assert gets_in(router, stranger(made, endpoint, server.public), LONG)
        assert denier.asked == 0
    with context() as made, SocketFactory() as factory:
        Authenticator(factory, Roster())
        router, endpoint = factory_router(factory, server)
        assert not gets_in(router, stranger(made, endpoint, server.public), SHORT)


def test_without_curve_a_weak_socket_lets_anybody_in_and_ours_does_not():
    server = keys.make()
    with context() as made, Denier(made) as denier:
        router, endpoint = weak_router(made, server, CURVE_SERVER=0)
        assert gets_in(router, stranger(made, endpoint, None), LONG)
        assert denier.asked == 0
    with site("web1") as ours, context() as made:
        dealer = stranger(made, ours.endpoint, None)
        dealer.send(b"let me in")
        assert ours.quiet(SHORT / 1000) == []


@pytest.mark.parametrize("handler", [True, False])
def test_with_curve_a_domain_and_enforcing_an_unknown_key_is_refused(handler):
    server = keys.make()
    with context() as made, Denier(made) if handler else contextlib.nullcontext() as denier:
        router, endpoint = weak_router(made, server, ZAP_DOMAIN=b"g8r-work", ZAP_ENFORCE_DOMAIN=1)
        assert not gets_in(router, stranger(made, endpoint, server.public), SHORT)
        assert denier is None or denier.asked > 0


def test_the_same_listener_lets_an_admitted_key_in():
    with site("web1") as ours, context() as made:
        dealer = stranger(made, ours.endpoint, ours.server.public, ours.keys["web1"])
        dealer.send(b"let me in")
        assert ours.arrival(b"let me in").peer.agent == "web1"


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("CURVE_SERVER", 0),
        ("ZAP_DOMAIN", b"other"),
        ("ZAP_ENFORCE_DOMAIN", 0),
        ("MAXMSGSIZE", -1),
        ("RCVHWM", 0),
        ("HEARTBEAT_IVL", 0),
        ("LINGER", -1),
    ],
)
def test_the_factory_does_not_bind_a_socket_that_somebody_has_weakened(option, wrong):
    with SocketFactory() as factory:
        router = factory.router(SERVER)
        router.set(getattr(zmq, option), wrong)
        with pytest.raises(OptionError, match=f"{option} is|CURVE"):
            factory.bind(router, ANYWHERE, keys.make(), SERVER)
        assert router.get(zmq.LAST_ENDPOINT) in (b"", b"\0")


def test_the_factory_does_not_bind_a_router_that_drops_silently():
    with SocketFactory() as factory:
        router = factory.router(SERVER)
        router.set(zmq.ROUTER_MANDATORY, 0)
        with pytest.raises(OptionError, match="ROUTER_MANDATORY"):
            factory.bind(router, ANYWHERE, keys.make(), SERVER)


def test_an_option_that_libzmq_does_not_take_is_an_error(monkeypatch):
    with SocketFactory() as factory:
        monkeypatch.setattr(zmq, "HANDSHAKE_IVL", zmq.ROUTER_NOTIFY)  # a draft option, which the wheels of pyzmq do not have
        with pytest.raises(OptionError, match="does not take ROUTER_NOTIFY"):
            factory.router(SERVER)


def test_the_settled_values_are_in_force():
    with SocketFactory() as factory:
        from g8r.executor.zeromq.factory import ClientOptions, ServerOptions

        router = factory.router(ServerOptions())
        numbers = (
            "MAXMSGSIZE",
            "RCVHWM",
            "SNDHWM",
            "HANDSHAKE_IVL",
            "HEARTBEAT_IVL",
            "HEARTBEAT_TIMEOUT",
            "HEARTBEAT_TTL",
            "BACKLOG",
            "LINGER",
        )
        assert [router.get(getattr(zmq, name)) for name in numbers] == [262_144, 64, 64, 5000, 5000, 15_000, 15_000, 4096, 0]
        assert (router.get(zmq.CURVE_SERVER), router.get(zmq.ZAP_DOMAIN), router.get(zmq.ZAP_ENFORCE_DOMAIN)) == (1, b"g8r-work", 1)
        dealer, _ = factory.dealer("tcp://127.0.0.1:9", keys.make(), keys.make().public, ClientOptions())
        numbers = (
            "IMMEDIATE",
            "RECONNECT_IVL",
            "RECONNECT_IVL_MAX",
            "MAXMSGSIZE",
            "HEARTBEAT_IVL",
            "HEARTBEAT_TIMEOUT",
            "LINGER",
            "MECHANISM",
        )
        assert [dealer.get(getattr(zmq, name)) for name in numbers] == [1, 200, 60_000, 4_194_304, 5000, 15_000, 0, zmq.CURVE]
        assert dealer.get(zmq.ROUTING_ID) == b""
