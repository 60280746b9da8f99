"""Marks: what an agent keeps for good, so that nothing old is taken for new. Values; each change gives the next one."""

from __future__ import annotations

from typing import Final

import msgspec

from g8r.executor.delivery.messages import Refusal
from g8r.executor.delivery.order import CatalogNotice, Order

WINDOW: Final = 1024
"""How far above the floor orders may be numbered: what bounds `settled`, and the orders that are open for an agent at once."""


class Marks(msgspec.Struct, frozen=True):
    """The newest epoch; of its orders those that are settled: all below `floor`, and those named. The highest fence of each lineage."""

    epoch: int = 0
    floor: int = 0
    settled: tuple[int, ...] = ()
    fences: dict[str, int] = {}
    catalog: CatalogNotice | None = None

    def in_epoch(self, epoch: int) -> Marks:
        """The marks in that epoch, which is this or a newer one."""
        return self if epoch == self.epoch else msgspec.structs.replace(self, epoch=epoch, floor=0, settled=())

    def is_settled(self, sequence: int) -> bool:
        return sequence < self.floor or sequence in self.settled

    def with_floor(self, floor: int) -> Marks:
        if floor <= self.floor:
            return self
        return msgspec.structs.replace(self, floor=floor, settled=tuple(each for each in self.settled if each >= floor))

    def with_settled(self, sequence: int) -> Marks:
        if self.is_settled(sequence):
            return self
        return msgspec.structs.replace(self, settled=(*self.settled, sequence))

    def highest_fence(self, lineage: str) -> int:
        return self.fences.get(lineage, 0)

    def objection(self, order: Order) -> Refusal | None:
        """Why the order is an old one."""
        if order.epoch < self.epoch:
            return Refusal("epoch", f"epoch {order.epoch} is over; it is {self.epoch}")
        if order.epoch == self.epoch and self.is_settled(order.sequence):
            return Refusal("replayed", f"order {order.sequence} is settled")
        if order.fence < self.highest_fence(order.lineage):
            return Refusal("fence", f"fence {order.fence} of {order.lineage[:80]}; {self.highest_fence(order.lineage)} was seen")
        return None

    def with_order(self, order: Order) -> Marks:
        """After an order of this epoch that is not below any mark: its floor and fence."""
        marks = self.with_floor(order.floor)
        if order.fence <= self.highest_fence(order.lineage):
            return marks
        return msgspec.structs.replace(marks, fences={**self.fences, order.lineage: order.fence})

    def with_catalog(self, notice: CatalogNotice) -> Marks:
        return msgspec.structs.replace(self, catalog=notice)

    def replaces_catalog(self, notice: CatalogNotice) -> bool:
        """Whether the notice is newer than what is in force."""
        known = self.catalog
        return known is None or (notice.epoch, notice.number) > (known.epoch, known.number)
