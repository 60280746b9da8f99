"""An agent's session with the core: whether there is one, and what is said to keep it. Three signs of life that nobody heard end it."""

from __future__ import annotations

from typing import Final

import msgspec

from g8r.executor.delivery.messages import VERSION, Alive, Greet, Heard, Hello, Refusal, Unwelcome, Welcome

BEAT: Final = 5.0
"""Seconds between two signs of life."""
MISSED: Final = 3


class Beat(msgspec.Struct, frozen=True):
    """What to say now; over a new socket where the old one is `deaf`."""

    message: Hello | Alive
    deaf: bool


class Session:
    """`boot` (below 2**32) differs from start to start, so that an old answer is none to a new question."""

    def __init__(self, boot: int) -> None:
        self.welcome = False
        self._nonce = boot << 20
        self._awaited: int | None = None
        self._missed = 0
        self._next_beat = 0.0

    def beat(self, now: float, catalog: str | None) -> Beat | None:
        """The sign of life that is due, if one is."""
        if now < self._next_beat:
            return None
        if self._awaited is not None:
            self._missed += 1
        deaf = self._missed >= MISSED
        if deaf:
            self._missed, self.welcome = 0, False
        self._nonce += 1
        self._awaited = self._nonce
        self._next_beat = now + BEAT
        message = Alive(self._nonce, catalog) if self.welcome else Hello(VERSION, self._nonce, catalog)
        return Beat(message, deaf)

    def take(self, message: Welcome | Unwelcome | Greet | Heard) -> Refusal | None:
        """An answer. `Greet` ends the session: what comes next is a hello, at once."""
        if isinstance(message, Greet):
            if self.welcome:
                self.welcome, self._awaited, self._next_beat = False, None, 0.0
            return None
        if message.nonce != self._awaited:
            return Refusal("not-expected", "an answer to nothing that was asked")
        if isinstance(message, Unwelcome) or (isinstance(message, Welcome) and message.version != VERSION):
            return Refusal(
                "version", f"the controller speaks version {message.version} of the protocol, this agent {VERSION}; update the older"
            )
        self._awaited, self._missed = None, 0
        self.welcome = self.welcome or isinstance(message, Welcome)
        return None
