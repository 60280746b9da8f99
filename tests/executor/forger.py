"""A client of CurveZMQ (rfc.zeromq.org/spec/26) by hand, over ZMTP 3.1: what libzmq's own sockets would not say, an attacker's may."""

import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from nacl.public import Box, PrivateKey, PublicKey
from zmq.utils import z85

from g8r.executor.zeromq.keys import KeyPair


class Forger:
    """A DEALER that names these properties in its handshake, besides the usual."""

    def __init__(self, endpoint: str, server: str, own: KeyPair, claims: Mapping[str, str]) -> None:
        at = urlsplit(endpoint)
        self._wire = socket.create_connection((at.hostname, at.port), 5)
        self._nonce = 0
        self._shake(PublicKey(z85.decode(server)), PrivateKey(z85.decode(own.secret)), claims)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def send(self, payload: bytes) -> None:
        nonce = self._next()
        body = b"\x07MESSAGE" + nonce + self._session.encrypt(b"\0" + payload, b"CurveZMQMESSAGEC" + nonce).ciphertext
        self._wire.sendall(bytes((0, len(body))) + body)

    def _shake(self, server: PublicKey, own: PrivateKey, claims: Mapping[str, str]) -> None:
        self._wire.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32))
        self._read(64)
        short = PrivateKey.generate()
        nonce = self._next()
        hello = Box(short, server).encrypt(bytes(64), b"CurveZMQHELLO---" + nonce).ciphertext
        self._command(b"\x05HELLO\x01\x00" + bytes(72) + bytes(short.public_key) + nonce + hello)
        welcome = self._answer()
        opened = Box(short, server).decrypt(welcome[24:], b"WELCOME-" + welcome[8:24])
        theirs, cookie = PublicKey(opened[:32]), opened[32:]
        self._session = Box(short, theirs)
        vouch_nonce = os.urandom(16)
        vouch = Box(own, theirs).encrypt(bytes(short.public_key) + bytes(server), b"VOUCH---" + vouch_nonce).ciphertext
        named = b"".join(_property(name, text) for name, text in {**claims, "Socket-Type": "DEALER", "Identity": ""}.items())
        nonce = self._next()
        sealed = self._session.encrypt(bytes(own.public_key) + vouch_nonce + vouch + named, b"CurveZMQINITIATE" + nonce).ciphertext
        self._command(b"\x08INITIATE" + cookie + nonce + sealed)
        assert self._answer().startswith(b"\x05READY")

    def _next(self) -> bytes:
        self._nonce += 1
        return self._nonce.to_bytes(8, "big")

    def _command(self, body: bytes) -> None:
        self._wire.sendall((bytes((4, len(body))) if len(body) < 256 else b"\x06" + len(body).to_bytes(8, "big")) + body)

    def _answer(self) -> bytes:
        flags = self._read(1)[0]
        return self._read(int.from_bytes(self._read(8 if flags & 2 else 1), "big"))

    def _read(self, count: int) -> bytes:
        read = b""
        while len(read) < count:
            more = self._wire.recv(count - len(read))
            assert more, "the server has hung up"
            read += more
        return read


def _property(name: str, text: str) -> bytes:
    return bytes((len(name),)) + name.encode() + len(text).to_bytes(4, "big") + text.encode()
