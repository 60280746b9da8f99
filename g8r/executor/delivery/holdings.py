"""Holdings: the blobs that an agent has, and those on their way to it. Kept in its durable store, chunk by chunk."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from g8r.executor.delivery.blobs import Incoming, part_key
from g8r.executor.delivery.messages import Chunk, Refusal, Want
from g8r.executor.delivery.ports import Persist

KEPT_BLOBS: Final = 16
"""Whole blobs that nothing needs any more are kept, up to that many in all: the next order of the same plan finds its own."""
MAX_INCOMING: Final = 4
ASK_AGAIN: Final = 3.0


class Holdings:
    """What is held and what is asked for. Writes nothing itself: `take` gives the `Persist` that keeps a chunk."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, ...]] = {}
        self._durable_at: dict[str, int] = {}
        self._incoming: dict[str, Incoming] = {}
        self._asked: dict[str, tuple[int, float]] = {}
        self._garbage: tuple[str, ...] = ()
        self._sought: set[str] = set()

    def load(self, key: str, value: bytes) -> None:
        """Something that was stored: chunks come sorted, before the mark that a blob is whole."""
        kind, digest, *rest = key.split("/")
        if kind == "part":
            incoming = self._incoming.setdefault(digest, Incoming(digest, 2**63))
            if incoming.take(int(rest[0]), value) is not None:
                self._garbage += (key,)
        elif digest in self._incoming:
            self._held[digest] = tuple(self._incoming.pop(digest).offsets)

    def holds(self, digest: str, persisted: int) -> bool:
        """Whether the blob is here, durably and proven."""
        return digest in self._held and self._durable_at.get(digest, 0) <= persisted

    def seek(self, digest: str, size: int, wanted: Collection[str]) -> bool:
        """Begin or go on to fetch a blob; False where too many are under way that are still `wanted`."""
        if digest in self._held:
            return True
        if digest not in self._incoming:
            if len(self._incoming) >= MAX_INCOMING and not self._give_up(wanted):
                return False
            self._incoming[digest] = Incoming(digest, size)
        self._incoming[digest].size = size
        self._sought.add(digest)
        return True

    def wants(self, wanted: Collection[str], persisted: int, now: float) -> list[Want]:
        """The chunks to ask for now: the next of each blob, once the one before is durable, and again after a while."""
        found = []
        for digest, incoming in self._incoming.items():
            offset, at = self._asked.get(digest, (-1, 0.0))
            want = incoming.want()
            if digest not in wanted or self._durable_at.get(digest, 0) > persisted or (offset == want.offset and now < at + ASK_AGAIN):
                continue
            self._asked[digest] = (want.offset, now)
            found.append(want)
        return found

    def take(self, chunk: Chunk, ticket: int, wanted: Collection[str]) -> Persist | Refusal:
        """The next chunk of a blob that was asked for: what to make durable, under that ticket."""
        incoming = self._incoming.get(chunk.digest)
        if incoming is None or chunk.digest not in self._sought:  # of one that was only loaded, the size is not known yet
            return Refusal("not-expected", f"a chunk of blob {chunk.digest[:12]}, which was not asked for")
        refusal = incoming.take(chunk.offset, chunk.content)
        if refusal is not None:
            return refusal
        self._durable_at[chunk.digest] = ticket
        garbage, self._garbage = self._garbage, ()
        *before, last = incoming.keys
        if incoming.complete and not incoming.whole:
            incoming.restart()
            return Persist(ticket, deletes=(*garbage, *before))
        puts = ((last, chunk.content),)
        if not incoming.whole:
            return Persist(ticket, puts, garbage)
        self._held[chunk.digest] = tuple(self._incoming.pop(chunk.digest).offsets)
        self._asked.pop(chunk.digest, None)
        self._sought.discard(chunk.digest)
        return Persist(ticket, (*puts, (f"whole/{chunk.digest}", b"")), (*garbage, *self._superfluous(wanted)))

    def sizes(self) -> tuple[int, int]:
        """How many blobs are held and on their way."""
        return len(self._held), len(self._incoming)

    def _superfluous(self, wanted: Collection[str]) -> tuple[str, ...]:
        """What to delete of the oldest blobs that nothing needs; it is no longer held."""
        keys: list[str] = []
        for digest in [each for each in self._held if each not in wanted][: max(0, len(self._held) - KEPT_BLOBS)]:
            keys += [f"whole/{digest}", *(part_key(digest, offset) for offset in self._held.pop(digest))]
            self._durable_at.pop(digest, None)
        return tuple(keys)

    def _give_up(self, wanted: Collection[str]) -> bool:
        """Makes room by forgetting a transfer that nobody waits for; its chunks go with the next write."""
        for digest in self._incoming:
            if digest not in wanted:
                self._garbage += self._incoming.pop(digest).keys
                self._asked.pop(digest, None)
                self._sought.discard(digest)
                self._durable_at.pop(digest, None)
                return True
        return False
