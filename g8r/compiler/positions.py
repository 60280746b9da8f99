"""Where things stand in a source that is plain data."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from g8r.diagnostics import DocumentPath, Span


class Place(msgspec.Struct, frozen=True):
    """Where a value stands, and its key where it has one."""

    value: Span
    key: Span | None = None


class Positions(ABC):
    """The places of a document's values."""

    @abstractmethod
    def find(self, path: DocumentPath) -> Place | None:
        """The place of exactly this path, or None."""
