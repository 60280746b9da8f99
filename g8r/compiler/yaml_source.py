"""YAML to plain data, with the place of everything in it.

Nickel's own YAML import crashes on aliases under a contract, leaves `<<` a literal key and merges duplicate keys in silence. So
libyaml parses (through PyYAML), and this file composes: scalars by the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema:
`no` and `on` are text, `0644` is the number 644), merge keys (https://yaml.org/type/merge.html), an error on duplicate keys, and
limits on depth and on what aliases may expand to. Composing from events keeps it iterative: PyYAML's own composer overflows the C
stack on a deeply nested source.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypeAlias

import yaml

from g8r.compiler.positions import Place, Positions
from g8r.diagnostics import DocumentPath, RejectedError, Span, error
from g8r.value import Value

MAX_DEPTH: Final = 100
MAX_NODES: Final = 1_000_000
"""How many nodes a source may hold once its aliases are expanded."""


class Mark(Protocol):
    """A place as libyaml counts: from zero."""

    line: int
    column: int


_Event: TypeAlias = Any
"""PyYAML's stubs know half of what an event has."""
_Key: TypeAlias = tuple[str, Mark, bool]
"""A key: its text, its place, and whether it is a merge key."""
_LARGEST: Final = int(sys.float_info.max)
"""Of larger numbers Nickel says that they cannot be written as JSON."""
_TAG: Final = "tag:yaml.org,2002:"
_JINJA: Final = (
    "To YAML, braces begin a mapping. A stack is no Jinja template: write @{vars.NAME} for a var, in quotes. Text that holds {{ }} "
    "stands in quotes, too."
)
_SHOWN: Final = 60
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _Mapping:
    __slots__ = ("block", "entries", "mark", "merges", "size", "value")

    def __init__(self, mark: Mark, *, block: bool) -> None:
        self.mark = mark
        self.block = block
        self.entries: dict[str, tuple[Mark, _Node]] = {}
        self.merges: list[_Mapping] = []
        self.value: dict[str, Value] = {}
        self.size = 1


class _Sequence:
    __slots__ = ("block", "mark", "nodes", "size", "value")

    def __init__(self, mark: Mark, *, block: bool) -> None:
        self.mark = mark
        self.block = block
        self.nodes: list[_Node] = []
        self.value: list[Value] = []
        self.size = 1


class _Scalar:
    __slots__ = ("end", "mark", "size", "value")

    def __init__(self, mark: Mark, end: Mark, value: Value) -> None:
        self.mark = mark
        self.end = end
        self.value = value
        self.size = 1


_Node: TypeAlias = "_Mapping | _Sequence | _Scalar"


class YamlPositions(Positions):
    """The places of a composed document, found by walking its nodes."""

    def __init__(self, file: str, root: object) -> None:
        self._file = file
        self._root = root

    def find(self, path: DocumentPath) -> Place | None:
        node, key = self._root, None
        for part in path:
            found = _child(node, part)
            if found is None:
                return None
            key, node = found
        match node:
            case _Scalar(mark=mark, end=end):
                value = Span(self._file, mark.line + 1, mark.column + 1, end.line + 1, end.column + 1)
            case _Mapping(mark=mark, block=block) | _Sequence(mark=mark, block=block):
                # A block collection begins at its first entry; what it belongs to is a better place to point at.
                start = key if block and key is not None else mark
                value = Span(self._file, start.line + 1, start.column + 1)
            case _:
                return None
        return Place(value, Span(self._file, key.line + 1, key.column + 1) if key is not None else None)


def load(source: bytes, file: str) -> tuple[Value, YamlPositions]:
    """The one document in a source. Raises RejectedError with the line."""
    try:
        root = _Composer(file).compose(source)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        context = f"{broken.context}: " if broken.context else ""
        raise _rejected(file, mark, "invalid-yaml", f"this is no YAML: {context}{broken.problem}") from broken
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        raise _rejected(file, None, "invalid-yaml", f"this is no YAML: {' '.join(str(broken).split())}") from broken
    return (None if root is None else root.value), YamlPositions(file, root)


class _Composer:
    """Builds the nodes of one source, event by event. `_open` holds the collections that are not at their end yet."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, _Node | None] = {}
        self._open: list[tuple[_Mapping | _Sequence, str | None, _Key | None]] = []
        self._key: _Key | None = None
        self._root: _Node | None = None
        self._documents = 0
        self._mark: Mark | None = None

    def compose(self, source: bytes) -> _Node | None:
        for event in yaml.parse(source, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise _rejected(self._file, event.start_mark, "invalid-yaml", "a stack is one YAML document; this is the second")
            elif isinstance(event, (yaml.NodeEvent, yaml.CollectionEndEvent)):
                self._mark = event.start_mark
                self._take(event)
        return self._root

    def _take(self, event: _Event) -> None:
        expects_key = bool(self._open) and self._key is None and isinstance(self._open[-1][0], _Mapping)
        match event:
            case yaml.CollectionEndEvent():
                self._close()
            case yaml.ScalarEvent() if expects_key:
                self._key = self._key_of(event)
            case _ if expects_key:
                braces = isinstance(event, yaml.MappingStartEvent) and event.flow_style
                raise _rejected(self._file, event.start_mark, "invalid-key", "a key must be text", _JINJA if braces else "")
            case yaml.ScalarEvent():
                self._place(self._scalar(event))
            case yaml.AliasEvent():
                self._place(self._alias(event))
            case _:
                self._open.append((self._collection(event, len(self._open)), event.anchor, self._key))
                self._key = None

    def _close(self) -> None:
        node, anchor, self._key = self._open.pop()
        if isinstance(node, _Mapping):
            _merge(node)
        if anchor is not None:
            self._anchors[anchor] = node
        self._place(node)

    def _place(self, node: _Node) -> None:
        if self._open:
            self._add(self._open[-1][0], self._key, node)
            self._key = None
        else:
            self._root = node

    def _collection(self, event: _Event, depth: int) -> _Mapping | _Sequence:
        if depth >= MAX_DEPTH:
            raise _rejected(self._file, event.start_mark, "too-deep", f"this is nested more than {MAX_DEPTH} levels deep")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in {None, "!", _TAG + ("map" if is_mapping else "seq")}:
            raise self._tag_error(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # an alias to it from inside would have no end
        block = not event.flow_style
        return _Mapping(event.start_mark, block=block) if is_mapping else _Sequence(event.start_mark, block=block)

    def _add(self, parent: _Mapping | _Sequence, key: _Key | None, node: _Node) -> None:
        parent.size += node.size
        if parent.size > MAX_NODES:
            summary = f"the aliases in this source expand to more than {MAX_NODES:,} values"
            raise _rejected(self._file, self._mark, "alias-bomb", summary)
        if isinstance(parent, _Sequence):
            parent.nodes.append(node)
            parent.value.append(node.value)
            return
        assert key is not None  # noqa: S101 libyaml gives keys and values in turn
        name, mark, merges = key
        if merges:
            parent.merges.extend(self._merged(node))
            return
        if name in parent.entries:
            first = parent.entries[name][0].line + 1
            detail = f"It stands in line {first} too. Remove one of the two."
            raise _rejected(self._file, mark, "duplicate-key", f'the key "{name}" stands twice in the same mapping', detail)
        parent.entries[name] = (mark, node)
        parent.value[name] = node.value

    def _merged(self, node: _Node) -> Iterator[_Mapping]:
        for part in node.nodes if isinstance(node, _Sequence) else [node]:
            if not isinstance(part, _Mapping):
                raise _rejected(self._file, node.mark, "invalid-merge", "<< merges a mapping or a list of mappings, and this is neither")
            yield part

    def _alias(self, event: _Event) -> _Node:
        if event.anchor not in self._anchors:
            raise _rejected(self._file, event.start_mark, "unknown-anchor", f"no anchor &{event.anchor} stands before this alias")
        node = self._anchors[event.anchor]
        if node is None:
            raise _rejected(self._file, event.start_mark, "alias-bomb", f"the alias *{event.anchor} stands inside of what it stands for")
        return node

    def _key_of(self, event: _Event) -> _Key:
        plain = event.implicit[0]
        if event.anchor is not None:
            self._anchors[event.anchor] = _Scalar(event.start_mark, event.end_mark, event.value)
        return event.value, event.start_mark, plain and event.value == "<<"

    def _scalar(self, event: _Event) -> _Node:
        kind = _kind(event)
        try:
            value = _value(kind, event.value)
        except (ValueError, KeyError):
            if kind in _CONVERSIONS:
                shown = event.value if len(event.value) <= _SHOWN else f"{event.value[:_SHOWN]}..."
                summary = f"{shown!r} is no {'value that JSON can hold' if kind in {'int', 'float'} else kind}"
                raise _rejected(self._file, event.start_mark, "invalid-yaml", summary) from None
            raise self._tag_error(event) from None
        node = _Scalar(event.start_mark, event.end_mark, value)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _tag_error(self, event: _Event) -> RejectedError:
        tag = str(event.tag).replace(_TAG, "!!")
        return _rejected(
            self._file, event.start_mark, "unknown-tag", f"the tag {tag} means nothing here", "A stack is plain data: remove the tag."
        )


def _kind(event: _Event) -> str:
    """The core schema's tag of a scalar."""
    if event.tag is not None and event.tag != "!":
        return str(event.tag).removeprefix(_TAG)
    text = event.value
    if not event.implicit[0] or event.tag == "!":
        return "str"
    if text in _NULL:
        return "null"
    if text in _BOOLS:
        return "bool"
    if _INT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return "int"
    return "float" if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text) else "str"


def _value(kind: str, text: str) -> Value:
    return _CONVERSIONS[kind](text)


def _int(text: str) -> int:
    value = int(text, 0) if _OCTAL.fullmatch(text) or _HEX.fullmatch(text) else int(text)
    if abs(value) > _LARGEST:
        raise ValueError(text)
    return value


def _float(text: str) -> int | float:
    if not _FLOAT.fullmatch(text):
        raise ValueError(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() else value  # as Nickel has numbers


def _null(text: str) -> None:
    if text not in _NULL:
        raise ValueError(text)


_CONVERSIONS: Final[dict[str, Callable[[str], Value]]] = {
    "str": str,
    "null": _null,
    "bool": _BOOLS.__getitem__,
    "int": _int,
    "float": _float,
}


def _merge(node: _Mapping) -> None:
    """Take over what `<<` names: an own key wins, then the one that was merged first."""
    for merged in node.merges:
        for name, entry in merged.entries.items():
            if name not in node.entries:
                node.entries[name] = entry
                node.value[name] = entry[1].value


def _child(node: object, part: str | int) -> tuple[Mark | None, _Node] | None:
    match node, part:
        case _Mapping(entries=entries), str() if part in entries:
            return entries[part]
        case _Sequence(nodes=nodes), int() if 0 <= part < len(nodes):
            return None, nodes[part]
        case _:
            return None


def _rejected(file: str, mark: Mark | None, code: str, summary: str, detail: str = "") -> RejectedError:
    span = Span(file, mark.line + 1, mark.column + 1) if mark is not None else Span(file, 1, 1)
    diagnostic = error(code, summary, detail)
    return RejectedError([type(diagnostic)(diagnostic.severity, code, summary, detail, None, span)])
