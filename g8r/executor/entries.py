"""What a sequence of ledger entries comes to: the last word on each resource and each trigger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

import msgspec

from g8r.address import Address
from g8r.state import Dropped, Ended, Entry, Fidelity, Owed, Owes, Recorded, Resource, ResourceKey, Struck


class Effects(msgspec.Struct, frozen=True):
    """None: the ledger no longer has it."""

    resources: dict[ResourceKey, Resource | None] = {}
    owed: dict[tuple[Address, str], Owed | None] = {}

    def __bool__(self) -> bool:
        return bool(self.resources or self.owed)


def total(entries: Iterable[Entry]) -> Effects:
    resources: dict[ResourceKey, Resource | None] = {}
    owed: dict[tuple[Address, str], Owed | None] = {}
    for entry in entries:
        match entry:
            case Recorded(resource=resource):
                resources[resource.key] = resource
            case Dropped(key=key):
                resources[key] = None
            case Owes(owed=debt):
                owed[debt.address, debt.verb] = debt
            case Struck(address=address, verb=verb):
                owed[address, verb] = None
            case _:
                assert_never(entry)
    return Effects(resources, owed)


def of_steps(ended: Sequence[Ended]) -> Effects:
    return total(entry for step in ended for entry in step.entries)


def fidelity(ended: Iterable[Ended]) -> dict[str, tuple[int, int]]:
    """Predicted and right, summed by kind."""
    sums: dict[str, tuple[int, int]] = {}
    for score in (step.fidelity for step in ended):
        if isinstance(score, Fidelity):
            predicted, right = sums.get(score.kind, (0, 0))
            sums[score.kind] = (predicted + score.predicted, right + score.right)
    return sums
