"""Blobs: content of any size, known by the digest of all of it (SHA-256), in chunks that are asked for one after another.

The asker keeps each chunk durably before it wants the next, so a transfer goes on where it was after a cut or a restart. Nothing counts
before the digest of the whole holds; where it does not, all of it is thrown away and asked for anew. The size comes from who signed.
"""

from __future__ import annotations

import hashlib
from typing import Final

from g8r.executor.delivery.messages import MAX_CHUNK, Refusal, Want

OFFSET_DIGITS: Final = 16


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def part_key(digest: str, offset: int) -> str:
    """Where a chunk is kept: keys sort by offset."""
    return f"part/{digest}/{offset:0{OFFSET_DIGITS}d}"


def cut(content: bytes, offset: int, limit: int = MAX_CHUNK) -> bytes:
    """The chunk that starts at the offset; empty past the end."""
    return content[offset : offset + limit]


class Incoming:
    """A blob on its way in. It holds no content: only how far it got, and the digest so far."""

    def __init__(self, digest: str, size: int) -> None:
        self.digest: Final = digest
        self.size = size
        self.offsets: list[int] = []
        self._have = 0
        self._hash = hashlib.sha256()

    @property
    def complete(self) -> bool:
        """All bytes are here; whether they are the right ones, `whole` says."""
        return self._have == self.size

    @property
    def whole(self) -> bool:
        return self.complete and self._hash.hexdigest() == self.digest

    @property
    def keys(self) -> tuple[str, ...]:
        """Where its chunks are kept."""
        return tuple(part_key(self.digest, offset) for offset in self.offsets)

    def want(self) -> Want:
        return Want(self.digest, self._have)

    def take(self, offset: int, content: bytes) -> Refusal | None:
        """Adds the next chunk; one that is not the next, is empty or too long changes nothing."""
        if offset != self._have:
            return Refusal("not-expected", f"a chunk at {offset} of blob {self.digest[:12]}; {self._have} is next")
        if not content or self._have + len(content) > self.size:
            return Refusal("size", f"{len(content)} bytes at {offset} of blob {self.digest[:12]}, which has {self.size}")
        self.offsets.append(offset)
        self._have += len(content)
        self._hash.update(content)
        return None

    def restart(self) -> None:
        """Nothing of it is here any more."""
        self.offsets, self._have, self._hash = [], 0, hashlib.sha256()
