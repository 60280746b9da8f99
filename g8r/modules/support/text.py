"""Content: what of it a State may carry, so that plans show differences and a restore has what it needs."""

from __future__ import annotations

from typing import Final

import msgspec

from g8r.value import digest

TEXT_LIMIT: Final = 256 * 1024
"""Bytes of text that a State carries at most. The compiler's limit for a `source` to become `content` is the same."""


class Content(msgspec.Struct, frozen=True):
    """Some bytes, as a State tells them. `size` is None where only the digest is known; `text` where they are no small text."""

    checksum: str
    size: int | None
    text: str | None


def of_text(text: str) -> Content:
    raw = text.encode()
    return Content(digest(raw), len(raw), text if len(raw) <= TEXT_LIMIT and "\x00" not in text else None)


def of_bytes(raw: bytes) -> Content:
    return Content(digest(raw), len(raw), shown(raw))


def of_blob(checksum: str) -> Content:
    """Of a source that travels as a blob: binary, or larger than a State carries."""
    return Content(checksum, None, None)


def shown(raw: bytes) -> str | None:
    """The bytes as text, or None where they are none: too many, not UTF-8, or with a NUL."""
    if len(raw) > TEXT_LIMIT or b"\x00" in raw:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
