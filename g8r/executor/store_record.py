"""Nouns as rows: JSON, with strings over 4 KiB kept apart as content-addressed blobs, so that equal ones are kept once.

In a row that has blobs, a string that begins with `MARK` names one; so a string that begins so by itself becomes a blob too. A row
without blobs (nearly all) is never searched.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from g8r import value

BULK: Final = 4096
"""Bytes. Rows and strings up to this are kept whole."""
MARK: Final = "\0blob:"

_LEVEL: Final = 1
"""Of deflate: plans shrink to a tenth in two milliseconds per megabyte."""
_MARK_AS_JSON: Final = b"\\u0000blob:"

Noun = TypeVar("Noun")


class Row(msgspec.Struct, frozen=True):
    """An encoded noun, or JSON array of nouns, and the blobs that it names, by digest."""

    body: bytes
    blobs: dict[str, bytes] = {}

    @property
    def bulk(self) -> str | None:
        """The column of that name: a JSON array of the digests, or NULL."""
        return msgspec.json.encode(sorted(self.blobs)).decode() if self.blobs else None


_ENCODER: Final = msgspec.json.Encoder()


def encode(noun: object) -> Row:
    body = _ENCODER.encode(noun)
    if len(body) <= BULK and _MARK_AS_JSON not in body:
        return Row(body)
    blobs: dict[str, bytes] = {}
    lean = _without_bulk(msgspec.to_builtins(noun), blobs)
    return Row(_ENCODER.encode(lean), blobs) if blobs else Row(body)


def encode_all(nouns: Iterable[object]) -> Row:
    """A JSON array of them, deflated."""
    nouns = list(nouns)
    bodies = [_ENCODER.encode(noun) for noun in nouns]
    whole = b"[" + b",".join(bodies) + b"]"
    if _MARK_AS_JSON not in whole and max(map(len, bodies), default=0) <= BULK:
        return Row(deflated(whole))
    rows = [encode(noun) for noun in nouns]
    blobs: dict[str, bytes] = {}
    for row in rows:
        blobs.update(row.blobs)
    return Row(deflated(b"[" + b",".join(row.body for row in rows) + b"]"), blobs)


def decode(body: bytes, bulk: str | None, noun: type[Noun], blob: Callable[[str], bytes]) -> Noun:
    """The noun again; `blob` gives the content of a digest. Raises `msgspec.DecodeError` for what is no such row."""
    if bulk is None:
        return msgspec.json.decode(body, type=noun)
    return msgspec.convert(_with_bulk(msgspec.json.decode(body), blob), noun)


def decode_all(body: bytes, bulk: str | None, noun: type[Noun], blob: Callable[[str], bytes]) -> list[Noun]:
    """What `encode_all` was given."""
    wanted: Any = list[noun]  # type: ignore[valid-type]
    decoded: list[Noun] = decode(inflated(body), bulk, wanted, blob)
    return decoded


def deflated(content: bytes) -> bytes:
    return zlib.compress(content, _LEVEL)


def inflated(content: bytes) -> bytes:
    """Raises `msgspec.DecodeError` for what was not deflated."""
    try:
        return zlib.decompress(content)
    except zlib.error as problem:
        raise msgspec.DecodeError(str(problem)) from problem


def _without_bulk(part: Any, blobs: dict[str, bytes]) -> Any:  # noqa: ANN401 any JSON
    """`part` with long strings replaced; they are put into `blobs`."""
    match part:
        case str() if len(part) > BULK or part.startswith(MARK):
            content = part.encode()
            digest = value.digest(content)
            blobs[digest] = content
            return MARK + digest
        case dict():
            return {name: _without_bulk(inner, blobs) for name, inner in part.items()}
        case list() | tuple():
            return [_without_bulk(inner, blobs) for inner in part]
        case _:
            return part


def _with_bulk(part: Any, blob: Callable[[str], bytes]) -> Any:  # noqa: ANN401 any JSON
    match part:
        case str() if part.startswith(MARK):
            return blob(part.removeprefix(MARK)).decode()
        case dict():
            return {name: _with_bulk(inner, blob) for name, inner in part.items()}
        case list():
            return [_with_bulk(inner, blob) for inner in part]
        case _:
            return part
