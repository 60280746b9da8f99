"""The only place that makes sockets: every option is set, read back and compared before a bind or a connect.

libzmq fails open where one is forgotten (see the package). Options that libzmq does not give back are shown by what they do
(`ROUTER_MANDATORY`), or by libzmq taking them (`ROUTER_HANDOVER`, the keys; tests show what these do).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import msgspec
import zmq

from g8r.executor.zeromq import zap
from g8r.executor.zeromq.keys import KeyPair, PublicKey

_ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
_MAX_SOCKETS: Final = 65_000
_UNREADABLE: Final = frozenset(
    {zmq.ROUTER_MANDATORY, zmq.ROUTER_HANDOVER, zmq.CURVE_SECRETKEY, zmq.CURVE_PUBLICKEY, zmq.CURVE_SERVERKEY},
)

Socket = zmq.Socket[bytes]


class OptionError(Exception):
    """libzmq did not take an option: nothing was bound or connected. A bug of ours, or a libzmq that cannot do what we need."""


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may differ between listeners: sizes and times (milliseconds). What makes it safe may not."""

    message_bytes: int = 262_144
    queue: int = 64
    handshake: int = 5_000
    heartbeat: int = 5_000
    silence: int = 15_000
    backlog: int = 4_096


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The same of dialers. Catalogs and blobs come down, so frames may be larger there."""

    message_bytes: int = 4 * 1024 * 1024
    queue: int = 64
    handshake: int = 5_000
    heartbeat: int = 5_000
    silence: int = 15_000
    redial: int = 200
    redial_most: int = 60_000


class SocketFactory:
    """A context and the sockets in it. ZAP is per context: one listener, with its authenticator, to a factory."""

    def __init__(self) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
        self._names = itertools.count()
        self._endings: list[Callable[[], None]] = []

    def router(self, options: ServerOptions) -> Socket:
        """A controller's socket, not bound yet."""
        socket = self._context.socket(zmq.ROUTER)
        return _prepared(socket, _server(options))

    def bind(self, router: Socket, endpoint: str, own: KeyPair, options: ServerOptions) -> str:
        """Binds with this server key; once more with another key and endpoint is how a server key is rotated. The real endpoint."""
        _set(router, {zmq.CURVE_SECRETKEY: own.secret.encode("ascii"), zmq.CURVE_PUBLICKEY: own.public.encode("ascii")})
        _check(router, _server(options))
        _check_mandatory(router)
        router.bind(endpoint)
        return router.get_string(zmq.LAST_ENDPOINT)

    def dealer(self, endpoint: str, own: KeyPair, server: PublicKey, options: ClientOptions) -> tuple[Socket, Socket]:
        """An agent's socket, dialling, and its monitor: it talks to the holder of that server key and to nobody else."""
        socket = _prepared(self._context.socket(zmq.DEALER), _client(own, server, options))
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        monitor = self.monitor(socket, events)
        socket.connect(endpoint)
        return socket, monitor

    def monitor(self, socket: Socket, events: int) -> Socket:
        """What happens to the socket's connections. Without a high water mark: at one, libzmq's I/O thread would wait for the reader."""
        name = f"inproc://g8r-monitor-{next(self._names)}"
        socket.monitor(name, events)
        pair = _prepared(self._context.socket(zmq.PAIR), {zmq.LINGER: 0, zmq.RCVHWM: 0})
        pair.connect(name)
        return pair

    def authority(self, ending: Callable[[], None]) -> Socket:
        """Where libzmq asks about every handshake of this context. `close` calls `ending` first: a socket in use by another thread must
        not be closed under it, libzmq aborts the process.
        """
        socket = _prepared(self._context.socket(zmq.ROUTER), {zmq.LINGER: 0, zmq.ROUTER_MANDATORY: 0})
        socket.bind(_ZAP_ENDPOINT)
        self._endings.append(ending)
        return socket

    def close(self) -> None:
        """Ends all its sockets, at once: what was not sent is lost, as delivery expects."""
        for ending in self._endings:
            ending()
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


Table = dict[int, int | bytes]


def _server(options: ServerOptions) -> Table:
    return {
        zmq.CURVE_SERVER: 1,
        zmq.ZAP_DOMAIN: zap.DOMAIN,
        zmq.ZAP_ENFORCE_DOMAIN: 1,
        zmq.ROUTER_MANDATORY: 1,
        zmq.ROUTER_HANDOVER: 0,
        zmq.BACKLOG: options.backlog,
        **_both(options),
    }


def _client(own: KeyPair, server: PublicKey, options: ClientOptions) -> Table:
    return {
        zmq.CURVE_SERVERKEY: server.encode("ascii"),
        zmq.CURVE_PUBLICKEY: own.public.encode("ascii"),
        zmq.CURVE_SECRETKEY: own.secret.encode("ascii"),
        zmq.ROUTING_ID: b"",
        zmq.IMMEDIATE: 1,
        zmq.RECONNECT_IVL: options.redial,
        zmq.RECONNECT_IVL_MAX: options.redial_most,
        **_both(options),
    }


def _both(options: ServerOptions | ClientOptions) -> Table:
    return {
        zmq.MAXMSGSIZE: options.message_bytes,
        zmq.RCVHWM: options.queue,
        zmq.SNDHWM: options.queue,
        zmq.HANDSHAKE_IVL: options.handshake,
        zmq.HEARTBEAT_IVL: options.heartbeat,
        zmq.HEARTBEAT_TIMEOUT: options.silence,
        zmq.HEARTBEAT_TTL: options.silence,
        zmq.LINGER: 0,
    }


def _prepared(socket: Socket, table: Table) -> Socket:
    try:
        _set(socket, table)
        _check(socket, table)
    except OptionError:
        socket.close(linger=0)
        raise
    return socket


def _set(socket: Socket, table: Table) -> None:
    for option, wanted in table.items():
        if option == zmq.ROUTING_ID:
            continue  # its default, which cannot be set: libzmq takes no empty one
        try:
            socket.set(option, wanted)
        except zmq.ZMQError as problem:
            raise OptionError(f"libzmq {zmq.zmq_version()} does not take {_name(option)}: {problem.strerror}") from problem


def _check(socket: Socket, table: Table) -> None:
    for option, wanted in table.items():
        if option in _UNREADABLE:
            continue
        actual = socket.get(option)
        if actual != wanted:
            raise OptionError(f"{_name(option)} is {actual!r}, and should be {wanted!r}")
    if (zmq.CURVE_SERVER in table or zmq.CURVE_SERVERKEY in table) and socket.get(zmq.MECHANISM) != zmq.CURVE:
        raise OptionError("the socket does not speak CURVE")


def _check_mandatory(router: Socket) -> None:
    """A ROUTER that is not mandatory drops what it cannot route, and says nothing."""
    try:
        router.send_multipart([b"nobody", b""], zmq.NOBLOCK)
    except zmq.ZMQError as problem:
        if problem.errno == zmq.EHOSTUNREACH:
            return
        raise
    raise OptionError("ROUTER_MANDATORY is not in force")


def _name(option: int) -> str:
    return zmq.SocketOption(option).name
