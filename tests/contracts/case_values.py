"""How good and bad values are written down."""

from __future__ import annotations

from typing import Any, NamedTuple


class Nickel(str):
    """A value that JSON has not: an expression of Nickel."""

    __slots__ = ()


class Cases(NamedTuple):
    good: list[Any]
    bad: list[tuple[Any, str]]


def cases(good: list[Any], *bad: tuple[Any, str]) -> Cases:
    return Cases(good, list(bad))


def bad(expected: str, *values: Any) -> list[tuple[Any, str]]:
    """Values that all get the same message, but for themselves."""
    return [(value, expected) for value in values]


NO_TEXT = [3, True, None, [], {}, ["a"], Nickel("'a"), Nickel("fun x => x")]
