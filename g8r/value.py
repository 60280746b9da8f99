"""Values: the JSON data that stacks, plans and states are made of, and their digests.

A value is what JSON can say. Where a value is not known yet, the place holds an `Unknown`, which says why; it never
leaves the process as such: plans carry the names of the unknown parts beside the known ones.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
    Document: TypeAlias = "dict[str, Value]"
else:  # msgspec reads annotations when it decodes, and knows recursion only through structs: whatever JSON says is a Value
    Value = Any
    Document = dict[str, Any]


class Unknown(msgspec.Struct, frozen=True):
    """A value that is known only later; `reason` completes the sentence "known after ..."."""

    reason: str


Partial: TypeAlias = "bool | int | float | str | list[Partial] | dict[str, Partial] | Unknown | None"
"""A value some parts of which may be `Unknown`."""

MASK: Final = "(sensitive)"
"""What every sink shows in place of a sensitive value."""


def canonical(value: object) -> bytes:
    """The one JSON encoding of a value or noun: keys sorted, no spaces. Equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def digest(content: bytes) -> str:
    """The content address of bytes: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def keyed_digest(value: object, key: bytes) -> str:
    """A digest that nobody without the 32-byte key can guess from: BLAKE2b-256 (RFC 7693) over `canonical(value)`."""
    return "b2:" + hashlib.blake2b(canonical(value), key=key, digest_size=32).hexdigest()


def is_keyed_digest(value: object) -> bool:
    """Whether it is what `keyed_digest` gives."""
    return isinstance(value, str) and value.startswith("b2:") and len(value) == 67 and not value[3:].strip("0123456789abcdef")  # noqa: PLR2004


def unknowns(value: Partial) -> tuple[str, ...]:
    """The reasons of all unknown parts of a value, sorted, each once."""
    if isinstance(value, str):  # most are
        return ()
    found: set[str] = set()
    pending: list[Partial] = [value]
    while pending:
        match pending.pop():
            case Unknown(reason=reason):
                found.add(reason)
            case list() as parts:
                pending.extend(parts)
            case dict() as parts:
                pending.extend(parts.values())
            case _:
                pass
    return tuple(sorted(found))
