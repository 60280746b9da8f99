"""What libzmq tells of a socket's connections (zmq_socket_monitor(3))."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import zmq

from g8r.executor.zeromq.factory import Socket

_EVENT: Final = struct.Struct("=hi")


def events(monitor: Socket) -> Iterator[tuple[int, int, str]]:
    """Those that wait, oldest first, each with its value (mostly the file descriptor) and our end's address, `tcp://10.0.0.1:4505`."""
    while True:
        try:
            frames = monitor.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        event, told = _EVENT.unpack(frames[0])
        yield event, told, frames[1].decode("ascii", errors="replace")
