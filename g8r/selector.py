"""Selectors: which hosts a task is on.

The grammar is that of Kubernetes' label selectors (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/):
`role=web`, `role==web`, `env!=dev`, `role in (web, db)`, `env notin (dev)`, `gpu`, `!gpu`, joined by commas that mean "and". A
text without any operator is a host's name or a glob over names: `on = "web"` never means that a label exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final, TypeAlias, assert_never

import msgspec

_KEY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?"
_REQUIREMENT: Final = re.compile(
    rf"\s*(?:(?P<key>{_KEY})\s*(?:(?P<op>==|=|!=)\s*(?P<value>[A-Za-z0-9_.-]*)|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))"
    rf"|(?P<not>!)?\s*(?P<exists>{_KEY}))\s*"
)
_SPLIT: Final = re.compile(r",(?![^()]*\))")


class Names(msgspec.Struct, frozen=True, tag="names"):
    """Hosts by name or glob; one match is enough."""

    patterns: tuple[str, ...]


class Requirement(msgspec.Struct, frozen=True):
    """One condition on a label: `values` holds the allowed (or, negated, the refused) ones; empty means "exists"."""

    key: str
    values: tuple[str, ...] = ()
    negated: bool = False


class Labels(msgspec.Struct, frozen=True, tag="labels"):
    """Hosts whose labels meet every requirement."""

    requirements: tuple[Requirement, ...]


class Everywhere(msgspec.Struct, frozen=True, tag="everywhere"):
    """All hosts: what a task without `on` means."""


Selector: TypeAlias = Names | Labels | Everywhere


class InvalidSelectorError(ValueError):
    """The text is no selector; the message says what was expected."""


def parse(source: object) -> Selector:
    """A selector from what a user wrote: a text, a list of names, or a record of labels. Raises InvalidSelectorError."""
    match source:
        case None:
            return Everywhere()
        case str() if any(mark in source for mark in "=!(,"):
            return parse_labels(source)
        case str() if source.strip():
            return Names((source.strip(),))
        case list() if source and all(isinstance(name, str) and name for name in source):
            return Names(tuple(source))
        case dict() if source and all(isinstance(value, str) for value in source.values()):
            return Labels(tuple(Requirement(key, (value,)) for key, value in sorted(source.items())))
        case _:
            message = 'expected a host name, a list of them, labels such as { role = "web" }, or a text such as "role=web,env!=dev"'
            raise InvalidSelectorError(message)


def parse_labels(text: str) -> Labels:
    """Labels in the grammar above. Raises InvalidSelectorError."""
    return Labels(tuple(_requirement(part) for part in _SPLIT.split(text)))


def matches(selector: Selector, host: str, labels: Mapping[str, str]) -> bool:
    """Whether a host with these labels is selected."""
    match selector:
        case Everywhere():
            return True
        case Names(patterns=patterns):
            return any(fnmatchcase(host, pattern) for pattern in patterns)
        case Labels(requirements=requirements):
            return all(_meets(requirement, labels) for requirement in requirements)
        case _:
            assert_never(selector)


def requirement_text(requirement: Requirement) -> str:
    """The requirement as a user writes it."""
    match requirement:
        case Requirement(key=key, values=(), negated=negated):
            return f"!{key}" if negated else key
        case Requirement(key=key, values=(value,), negated=negated):
            return f"{key}!={value}" if negated else f"{key}={value}"
        case Requirement(key=key, values=values, negated=negated):
            return f"{key} {'notin' if negated else 'in'} ({', '.join(values)})"


def is_plain_name(pattern: str) -> bool:
    """Whether a name has no glob in it, so that a host of that name must exist."""
    return not any(mark in pattern for mark in "*?[")


def _requirement(part: str) -> Requirement:
    found = _REQUIREMENT.fullmatch(part)
    if found is None:
        message = f"{part.strip()!r} is no label requirement: expected key=value, key!=value, key in (a, b), key notin (a, b), key or !key"
        raise InvalidSelectorError(message)
    if found["exists"]:
        return Requirement(found["exists"], negated=bool(found["not"]))
    if found["set"]:
        values = tuple(sorted(value.strip() for value in found["values"].split(",")))
        return Requirement(found["key"], values, negated=found["set"] == "notin")
    return Requirement(found["key"], (found["value"],), negated=found["op"] == "!=")


def _meets(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    if not requirement.values:
        return (requirement.key in labels) != requirement.negated
    return (labels.get(requirement.key) in requirement.values) != requirement.negated
