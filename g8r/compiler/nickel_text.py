"""Pieces of Nickel source."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from g8r.value import Value


def string(text: object) -> str:
    """A string literal: JSON's, with `%{` made literal."""
    return msgspec.json.encode(str(text)).decode().replace("%{", "\\%{")


def literal(value: Value) -> str:
    """A value as an expression."""
    match value:
        case str():
            return string(value)
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case dict():
            return f"{{ {', '.join(f'{string(key)} = {literal(part)}' for key, part in value.items())} }}"
        case _:
            return msgspec.json.encode(value).decode()


def access(expression: str, path: Sequence[str | int]) -> str:
    """What stands at a path of an expression; only what is on the way is evaluated."""
    for part in path:
        expression = f"(std.array.at {part} {expression})" if isinstance(part, int) else f"{expression}.{string(part)}"
    return expression
