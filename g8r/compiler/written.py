"""What JSON does not tell of a stack in Nickel, for a stack that the contract has refused: which texts are enum tags, and which fields
are not exported. A contract sees both, and decode must, too: where text is wanted, `'x` is none.
"""

from __future__ import annotations

from typing import Any, Final

from g8r.value import Value

EXPRESSION: Final = """
let rec written = fun v =>
  if std.is_record v then
    { r = std.record.map (fun _name part => written part) v, f = std.record.fields v }
  else if std.is_array v then
    std.array.map written v
  else if std.enum.is_enum_tag v then
    { t = std.string.from_enum v }
  else
    v
in
written
"""
"""A function in Nickel. Every record and every tag it wraps, so that no record of the user can be taken for one of its own."""


class Tag(str):
    """An enum tag. It is the text that the stack's JSON has in its place, and says that it was written as a tag."""

    __slots__ = ()


def value(wrapped: Any) -> Value:  # noqa: ANN401 the JSON that EXPRESSION gives
    """The document, tags in it as `Tag`, and what is not exported as null."""
    match wrapped:
        case {"t": str(name)}:
            return Tag(name)
        case {"r": dict(record), "f": list(fields)}:
            return {name: value(record[name]) if name in record else None for name in (*record, *(set(fields) - record.keys()))}
        case list():
            return [value(part) for part in wrapped]
        case _:
            scalar: Value = wrapped
            return scalar


def untagged(document: Value) -> Value:
    """The document as JSON says it; itself where there is no tag in it."""
    match document:
        case Tag():
            return str(document)
        case dict():
            parts = {name: untagged(part) for name, part in document.items()}
            return parts if any(parts[name] is not part for name, part in document.items()) else document
        case list():
            elements = [untagged(part) for part in document]
            return elements if any(one is not other for one, other in zip(elements, document, strict=True)) else document
        case _:
            return document
