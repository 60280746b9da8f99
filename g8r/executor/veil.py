"""Veils: outputs that hang on something sensitive leave an agent sealed, and are opened where a step needs them ([S-secret]). Pure.

A sealed output is `{"@sealed": TEXT}`; it stands so in findings, plans, outcomes and the ledger. The stack's own outputs show a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from g8r.address import Address
from g8r.value import Document, Value

SEALED: Final = "@sealed"


class Veil(msgspec.Struct, frozen=True):
    """`seal` takes a value and its place, `unseal` what came of that and the same place."""

    seal: Callable[[Value, str], str]
    unseal: Callable[[str, str], Value]

    def over(self, outputs: Document, hidden: frozenset[str], address: Address) -> Document:
        """The outputs of a task, those that are to be hidden sealed."""
        if hidden.isdisjoint(outputs):
            return outputs
        return {name: self._sealed(value, address, name) if name in hidden else value for name, value in outputs.items()}

    def lifted(self, value: Value, address: Address, name: str) -> Value:
        """An output as it is."""
        text = value[SEALED] if isinstance(value, dict) and is_sealed(value) else None
        return self.unseal(text, _place(address, name)) if isinstance(text, str) else value

    def _sealed(self, value: Value, address: Address, name: str) -> Value:
        return None if value is None else {SEALED: self.seal(value, _place(address, name))}


def is_sealed(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {SEALED}


def _place(address: Address, name: str) -> str:
    return f"{address}.outputs.{name}"
