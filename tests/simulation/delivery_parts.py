"""What a simulated world is made of: machines whose disks keep less than their processes wrote, and the work that was given to them."""

import contextlib
import hashlib
import random
from typing import Any

import msgspec

from g8r.executor.delivery import blobs, messages
from g8r.executor.delivery.agent_side import Entry
from g8r.executor.delivery.core_peer import Work
from g8r.executor.delivery.marks import Marks
from g8r.executor.delivery.messages import Refusal
from g8r.executor.delivery.order import Directive
from g8r.executor.delivery.ports import (
    HandOut,
    Persist,
    Received,
    Send,
)

CORE = "core"
KEY = b"the core's key, in this world"
CHUNK = 90
TICK = 2.0
HEALED_WITHIN = 400.0
"""Virtual seconds after the network has healed in which all must have come to rest."""
START = 1_000_000.0

DIRECTIVE: Any = msgspec.msgpack.Decoder(Directive)
ENTRY = msgspec.msgpack.Decoder(Entry)
WORK = msgspec.msgpack.Decoder(Work)
MARKS = msgspec.msgpack.Decoder(Marks)


class Broken(AssertionError):  # noqa: N818 it is what the world is then
    """An invariant does not hold."""


def sign(content: bytes) -> bytes:
    return hashlib.blake2b(content, key=KEY, digest_size=16).digest()


def check(content: bytes, signature: bytes) -> bool:
    return sign(content) == signature


class Disk:
    """What is durable, and what is still on its way there."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.pending: list[Persist] = []
        self.free_at = 0.0

    def settle(self, persist: Persist) -> None:
        for key in persist.deletes:
            self.stored.pop(key, None)
        self.stored.update(persist.puts)

    def load(self) -> list[tuple[str, bytes]]:
        return sorted(self.stored.items())


class Node:
    """A machine: its disk stays, its process comes and goes. `life` counts processes; 0 is none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.disk = Disk()
        self.side: Any = None
        self.life = 0
        self.alive = False


class Given:
    """A piece of work, as the world knows it."""

    def __init__(self, event: HandOut) -> None:
        self.event = event
        self.attempts = {event.attempt: event.fence}
        self.effects = 0
        self.words: dict[int, str] = {}
        self.crashed = False


def key_of_event(event: HandOut) -> str:
    return blobs.digest_of(msgspec.msgpack.encode((event.plan, event.steps)))


def flipped(dice: random.Random, frame: bytes) -> bytes:
    """The frame with one byte changed, often in its last part, where content is."""
    place = int((1 - dice.random() ** 2) * len(frame))
    return frame[:place] + bytes([int(dice.random() * 256)]) + frame[place + 1 :]


def shown(what: Any) -> str:
    if isinstance(what, Send | Received):
        read = messages.from_agent(what.frame)
        read = messages.from_core(what.frame) if isinstance(read, Refusal) else read
        if isinstance(read, messages.Signed):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                read = DIRECTIVE.decode(read.body)
        return f"{type(what).__name__} {what.peer} {read}"[:400]
    if isinstance(what, Persist):
        return f"Persist {what.ticket} +{[key[:16] for key, _ in what.puts]} -{[key[:16] for key in what.deletes]}"
    return str(what)[:300]
