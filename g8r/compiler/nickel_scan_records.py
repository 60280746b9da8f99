"""What the text of one Nickel file says of where its values stand, as far as that is certain.

Certain is what is written as a literal: from a file's record down through fields with plain names and through arrays. The place of a
field is that of its expression; that of an array's element is where it is made, which is known of literals only. Two things can
change under a literal what stands there, so nothing below them is certain: a second definition that is no record as well, and a
contract that is not made of Nickel's own types (it may give another value). A record that is defined in pieces has no place of its
own; what stands in it has. Whatever is not understood here makes all around it uncertain: the evaluator is asked then.

Only accepted text is read, so this need not find mistakes. Each record is read when something in it is asked for.
"""

from __future__ import annotations

import re
from typing import Final

from g8r.compiler.nickel_scan_tokens import Tokens, closings, tokens

_PATH: Final = re.compile(r"[ikps](?:\.[ikps])*(?=[=|:,]|$)")
_SIMPLE: Final = re.compile(r"[ikps]=[{\[sSM0tb](?:,|$)")
_ANNOTATED: Final = re.compile(r"[|:]")
_LET_OR_IN: Final = re.compile(r"[ln]")
_COMMA: Final = re.compile(r"[,ln]")
_MADE: Final = frozenset("sSM0tb")
"""Kinds of tokens that are a value by themselves."""
_OWN_TYPES: Final = re.compile(r"(?:[|:,{}()_eTksM]|po?0?|(?<=[{,])i)*")
"""Annotations that change no value: of types of Nickel's own and of names of fields, with metadata. No `=`: nothing is added."""


class Node:
    """A value as it is written. `at` is the offset of its place and `key` that of its name, where they are certain."""

    __slots__ = ("_annotated", "_children", "_literals", "_pieces", "_plain", "at", "file", "imported", "key", "uncertain")

    def __init__(self, file: Text) -> None:
        self.file = file
        self.at: int | None = None
        self.key: int | None = None
        self.uncertain = False
        """Whether nothing below is certain."""
        self.imported: str | None = None
        """The name of the file that this is the value of."""
        self._pieces = 0
        self._plain = True
        self._annotated = False
        self._literals: list[tuple[int, int]] = []
        self._children: dict[str | int, Node] = {}

    @property
    def merged(self) -> bool:
        """Whether it is certainly a record made of pieces: the evaluator knows no place of it."""
        self._expand()
        return self._pieces > 1 and not self.uncertain

    def child(self, part: str | int) -> Node | None:
        """The value at a field or an index, if it is certain what stands there."""
        self._expand()
        return None if self.uncertain else self._children.get(part)

    def _expand(self) -> None:
        while self._literals and not self.uncertain:
            self.file.expand(self, *self._literals.pop())

    # ---- how it is read ----

    def define(self, at: int | None, key: int | None, *, record: bool) -> None:
        """One definition more."""
        self._pieces += 1
        self._plain &= record
        if self._pieces == 1:
            self.at, self.key = at, key
        else:
            self.at = self.key = None
            self._settle()

    def annotate(self, *, harmless: bool) -> None:
        self._annotated = True
        self.uncertain |= not harmless
        self._settle()

    def _settle(self) -> None:
        """Of several definitions only plain records are merged as they stand: others may fail, or win with their priority."""
        self.uncertain |= self._pieces > 1 and (self._annotated or not self._plain)

    def literal(self, start: int, end: int) -> None:
        """What stands in it is between these offsets, brackets included."""
        self._literals.append((start, end))

    def inner(self, part: str | int) -> Node:
        """The child, a new one if need be."""
        found = self._children.get(part)
        if found is None:
            found = self._children[part] = Node(self.file)
        return found


class Text:
    """The text of one file. `root` is what it evaluates to. `contract` is NAME where that is `{ ... } | (import "NAME").Stack`, which
    is as certain as that contract is harmless.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._closing = closings(text)
        self.root = Node(self)
        self.contract: str | None = None
        self._read_root()

    def _tokens(self, start: int, end: int, *, flat: bool = False) -> Tokens | None:
        return None if self._closing is None else tokens(self._text, self._closing, start, end, flat=flat)

    # ---- the file ----

    def _read_root(self) -> None:
        found = self._tokens(0, len(self._text))
        first = None if found is None else _behind_lets(found.kinds)
        if found is None or first is None or found.kinds[first : first + 1] != "{":
            self.root.uncertain = True
            return
        self.root.literal(found.starts[first], found.ends[first])
        annotated = first + 1 < len(found.kinds)
        if annotated and (found.kinds[first + 1] not in "|:" or not self._harmless(found, first + 1, len(found.kinds))):
            self.contract = self._stack_contract(found, first + 1)
            self.root.uncertain = self.contract is None

    def _stack_contract(self, found: Tokens, first: int) -> str | None:
        """NAME, where all that follows is `| (import "NAME").Stack`."""
        if found.kinds[first:] != "|(.i" or self._text[found.starts[-1] : found.ends[-1]] != "Stack":
            return None
        inner = self._inside(found, first + 1)
        return self._name(inner, 1) if inner is not None and inner.kinds == "ms" else None

    # ---- records and arrays ----

    def expand(self, value: Node, start: int, end: int) -> None:
        """Read what stands in a record or an array."""
        found = self._tokens(start + 1, end - 1)
        if found is None or ";" in found.kinds:  # no Nickel, or the type of a record
            value.uncertain = True
        elif self._text[start] == "[":
            self._elements(value, found)
        else:
            self._declarations(value, found)

    def _elements(self, array: Node, found: Tokens) -> None:
        first, index = 0, 0
        while first < len(found.kinds):
            last = _end(found.kinds, first)
            element = array.inner(index)
            self._value(element, found, first, last)
            made = last == first + 1 and found.kinds[first] in _MADE | {"{", "["}
            element.define(found.starts[first] if made else None, None, record=False)
            first, index = last + 1, index + 1

    def _declarations(self, record: Node, found: Tokens) -> None:
        kinds, first = found.kinds, 0
        while first < len(kinds):
            simple = _SIMPLE.match(kinds, first)
            if simple is not None:
                self._simple(record, found, first)
                first = simple.end()
                continue
            last = _end(kinds, first)
            if kinds[first] == "i" and kinds[first + 1 : first + 2] in {*"ikp["} and self._word(found, first) == "include":
                record.uncertain = True
            elif kinds[first:last] != "e":
                path = _PATH.match(kinds, first, last)
                if path is None:
                    record.uncertain = True
                    return
                self._field(record, found, (first, path.end(), last))
            first = last + 1

    def _simple(self, record: Node, found: Tokens, first: int) -> None:
        """`key = value`, where the value is one token: what most of a stack is made of."""
        kind, place = found.kinds[first + 2], found.starts[first + 2]
        quoted = found.kinds[first] == "s"
        name = self._name(found, first) if quoted else self._word(found, first)
        if name is None:
            record.uncertain = True
            return
        value = record.inner(name)
        if kind in "{[":
            value.literal(place, found.ends[first + 2])
        value.define(place, found.starts[first] + quoted, record=kind == "{")

    def _field(self, record: Node, found: Tokens, bounds: tuple[int, int, int]) -> None:
        """A declaration: its path, what may be between that and `=`, and its value."""
        first, behind, last = bounds
        equals = found.kinds.find("=", behind, last)
        equals = last if equals < 0 else equals
        at = record
        for index in range(first, behind, 2):
            name = self._name(found, index) if found.kinds[index] == "s" else self._word(found, index)
            if name is None:
                record.uncertain = True
                return
            at = at.inner(name)
            if index + 2 < behind:  # a record that the path makes
                at.define(found.starts[index + 2] if equals < last else None, found.starts[index], record=True)
        if equals > behind:
            at.annotate(harmless=self._harmless(found, behind, equals))
        if equals < last:
            record_literal = found.kinds[equals + 1 : last] == "{"
            self._value(at, found, equals + 1, last)
            place = found.starts[equals + 1] if self._has_place(found, equals + 1, last) else None
            quoted = found.kinds[behind - 1] == "s"
            at.define(place, found.starts[behind - 1] + quoted, record=record_literal)

    # ---- values ----

    def _value(self, value: Node, found: Tokens, first: int, last: int) -> None:
        """What can be said of what stands in a value."""
        while found.kinds[first:last] == "(":
            inner = self._inside(found, first)
            if inner is None:
                break
            found, first, last = inner, 0, len(inner.kinds)
        kinds = found.kinds[first:last]
        if kinds == "ms":
            value.imported = self._name(found, first + 1)
            value.uncertain |= value.imported is None
        elif kinds[:1] in {"{", "["} and (len(kinds) == 1 or kinds[1] in "|:"):
            value.literal(found.starts[first], found.ends[first])
            if len(kinds) > 1:
                value.annotate(harmless=self._harmless(found, first + 1, last))
        elif kinds not in _MADE:
            value.uncertain = True

    def _has_place(self, found: Tokens, first: int, last: int) -> bool:
        """Whether an expression's own place is that of the field it is the value of. That of a choice is that of what was chosen."""
        kinds = found.kinds[first:last]
        while _ANNOTATED.split(kinds, maxsplit=1)[0] == "(":
            inner = self._inside(found, first)
            if inner is None:
                return False
            found, first, kinds = inner, 0, inner.kinds
        return "c" not in kinds

    def _inside(self, found: Tokens, index: int) -> Tokens | None:
        """The tokens in brackets."""
        return self._tokens(found.starts[index] + 1, found.ends[index] - 1)

    def _harmless(self, found: Tokens, first: int, last: int) -> bool:
        """Whether annotations change no value."""
        flat = self._tokens(found.starts[first], found.ends[last - 1], flat=True)
        return flat is not None and _OWN_TYPES.fullmatch(flat.kinds) is not None

    def _word(self, found: Tokens, index: int) -> str:
        return self._text[found.starts[index] : found.ends[index]]

    def _name(self, found: Tokens, index: int) -> str | None:
        """What a plain string says; None where it has escapes."""
        name = self._text[found.starts[index] + 1 : found.ends[index] - 1]
        return None if "\\" in name else name


def _behind_lets(kinds: str) -> int | None:
    """The index behind any number of `let ... in`."""
    first = 0
    while kinds[first : first + 1] == "l":
        open_lets = 0
        for match in _LET_OR_IN.finditer(kinds, first):
            open_lets += 1 if match[0] == "l" else -1
            if not open_lets:
                first = match.end()
                break
        else:
            return None
    return first


def _end(kinds: str, first: int) -> int:
    """The index of the comma that ends a declaration or an element, or of the end. A `let` may have commas up to its `in`."""
    open_lets = 0
    for match in _COMMA.finditer(kinds, first):
        if match[0] == ",":
            if not open_lets:
                return match.start()
        else:
            open_lets += 1 if match[0] == "l" else -1
    return len(kinds)
