"""The shipped kinds as a mapping, each imported when first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from g8r import modules
from g8r.module import AnyModule


class _Shipped(Mapping[str, AnyModule]):
    def __getitem__(self, kind: str) -> AnyModule:
        return modules.load(kind)

    def __contains__(self, kind: object) -> bool:
        return kind in modules.KINDS

    def __iter__(self) -> Iterator[str]:
        return iter(modules.KINDS)

    def __len__(self) -> int:
        return len(modules.KINDS)


SHIPPED: Final[Mapping[str, AnyModule]] = _Shipped()
