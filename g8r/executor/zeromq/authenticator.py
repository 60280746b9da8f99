"""Who is let in: the thread that answers libzmq's questions about handshakes, from the roster in memory.

pyzmq's own `ThreadAuthenticator` dies of an exception in its callback, and nobody notices; here the answer is a total function, and the
listener watches the thread: without it, it closes.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Final

import zmq

from g8r.executor.zeromq import zap
from g8r.executor.zeromq.factory import Socket, SocketFactory
from g8r.executor.zeromq.roster import Roster

_TICK: Final = 100
"""Milliseconds until it sees that it should stop."""


class Authenticator:
    """It answers from its making until `close`. `admit` may be called from any thread."""

    def __init__(self, factory: SocketFactory, roster: Roster) -> None:
        self.roster = roster
        self._socket = factory.authority(self.close)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="g8r-zap", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def admit(self, roster: Roster) -> None:
        """From now on these, and nobody else."""
        self.roster = roster

    def close(self) -> None:
        self._ending.set()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._ending.is_set():
                if self._socket.poll(_TICK):
                    self._answer(self._socket)
        finally:
            self._socket.close(linger=0)

    def _answer(self, socket: Socket) -> None:
        with contextlib.suppress(zmq.Again):
            frames = zap.answer(socket.recv_multipart(zmq.NOBLOCK), self.roster)
            if frames is not None:
                socket.send_multipart(frames, zmq.NOBLOCK)
