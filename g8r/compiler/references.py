"""References: what every `@{...}` means, checked and, where its value is known already, replaced.

Vars and what hosts are (name, address, labels, vars, facts) are replaced here; outputs and secrets stay, with an edge to every
task that an output is of. Facts of a host that are not known stay too: whatever hangs on them is settled when they are.

Decided here: every task has the outputs `address` and `host`, of the host it is on, unless its kind has its own of that name. They
are replaced at once, and make an edge all the same: whoever wants the address of a service wants the service there. `host.address`
makes none. A fan-in names hosts that all have the task. A record in a text is an error; a list or null in one is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec

from g8r import reference as refs
from g8r.catalog import EdgeReason
from g8r.compiler import fitting
from g8r.compiler.expand import ExpandedHost, matching, selector_text
from g8r.compiler.fitting import ValueType
from g8r.compiler.flaws import NONE, Flaws
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error, warning
from g8r.host import Facts
from g8r.module import AnyModule
from g8r.reference import HostReference, OutputReference, Reference, SecretReference, Template, VarReference
from g8r.selector import Labels
from g8r.value import Document, Value

_PROPERTIES: Final = ("name", "address", "labels", "vars")
"""What the stack says of a host; facts it says of itself."""
IMPLICIT: Final = ("address", "host")
"""Outputs that every task has: those of the host it is on."""

Kinds: TypeAlias = Callable[[str], AnyModule]
"""Gives the module of a kind, or raises KeyError."""


class Scope(msgspec.Struct, frozen=True):
    """All that a reference may name. `placed` has the hosts of every task (`file.motd`), sorted. What hangs on `flaws` is not known yet."""

    hosts: Mapping[str, ExpandedHost]
    placed: Mapping[str, tuple[str, ...]]
    vars: Document
    kinds: Kinds
    flaws: Flaws = NONE

    def module(self, kind: str) -> AnyModule | None:
        try:
            return self.kinds(kind)
        except KeyError:
            return None


class Link(msgspec.Struct, frozen=True):
    """`task` comes first, on `host`, or on the same host where that is None. `path` is what made it so.

    `pending`: a value of that task is needed, and known only once its host has been read.
    """

    task: str
    host: str | None
    reason: EdgeReason
    note: str = ""
    soft: bool = False
    pending: bool = False
    path: DocumentPath = ()


class Mention(NamedTuple):
    """A text that refers: where it stands inside the params or outputs, and its parts."""

    at: tuple[str | int, ...]
    text: str
    parts: Template

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(part for part in self.parts if not isinstance(part, str))

    @property
    def whole(self) -> bool:
        return len(self.parts) == 1


class Place(NamedTuple):
    """Who refers, for messages: `content of file.motd`, and the document path that the mention's `at` continues."""

    name: str
    base: DocumentPath

    def path(self, at: tuple[str | int, ...]) -> DocumentPath:
        return (*self.base, *at)


class Missing(NamedTuple):
    """Why a reference has no value."""

    code: str
    summary: str
    detail: str


def mentions(value: Value, place: Place) -> tuple[tuple[Mention, ...], tuple[Diagnostic, ...]]:
    """Every text in a value that refers; what is no reference is an error."""
    found: list[Mention] = []
    diagnostics: list[Diagnostic] = []
    for at, text in refs.walk(value):
        try:
            parts = refs.parse(text)
        except refs.InvalidReferenceError as invalid:
            diagnostics.append(
                error("invalid-reference", f"{place.name} holds something that is no reference", f"{invalid}.", place.path(at))
            )
            continue
        if any(not isinstance(part, str) for part in parts):
            found.append(Mention(at, text, parts))
    return tuple(found), tuple(diagnostics)


# ---- what is checked once, whatever the host ----------------------------------------------------------------------------------


def check(reference: OutputReference, hosts: tuple[str, ...], place: Place, scope: Scope) -> tuple[ValueType, Missing | None]:
    """The type of what an output reference gives on `hosts`, or why it gives nothing."""
    written = refs.text_of(reference)
    module = scope.module(reference.kind)
    if reference.task not in scope.placed:
        if scope.flaws.may_declare(reference.kind, reference.name):
            return fitting.ANYTHING, None
        near = did_you_mean(reference.task, scope.placed)
        detail = f"{place.name} refers to {written}, and no task of this stack is called so.{near}"
        return fitting.ANYTHING, Missing("unknown-task", f'unknown task "{reference.task}"', detail)
    if module is None:
        return fitting.ANYTHING, None
    given = {**dict.fromkeys(IMPLICIT, fitting.TEXT), **fitting.outputs(module)}
    if reference.output not in given:
        detail = f"{place.name} refers to {written}. It has {', '.join(sorted(given))}.{did_you_mean(reference.output, given)}"
        return fitting.ANYTHING, Missing("unknown-output", f'{reference.kind} has no output "{reference.output}"', detail)
    missing = unreachable(reference.task, reference.host, hosts, f"{place.name} refers to {written}", scope)
    part = given[reference.output]
    return (fitting.listed(part) if isinstance(reference.host, Labels) else part), missing


def unreachable(task: str, host: str | Labels | None, hosts: tuple[str, ...], clause: str, scope: Scope) -> Missing | None:
    """Why a known task cannot be meant by a name that is used on `hosts`: its host is unknown, or it is not on that one."""
    placed = scope.placed[task]
    unsure = task in scope.flaws.unplaced or (scope.flaws.labels and isinstance(host, Labels))
    if isinstance(host, str) and host not in scope.hosts:
        return Missing("unknown-host", f'unknown host "{host}"', f"{clause}, and no host is called so.{did_you_mean(host, scope.hosts)}")
    wanted = matching(host, scope.hosts) if isinstance(host, Labels) else (host,) if host else hosts
    absent = () if wanted is placed or unsure else tuple(sorted(set(wanted) - set(placed)))
    if not absent:
        return None
    more = f" (nor on {len(absent) - 1} more)" if len(absent) > 1 else ""
    remedy = f'Name a host that has it, such as "{placed[0]}/{task}", or let both be on the same hosts.' if placed else "It is on no host."
    if isinstance(host, Labels):
        remedy = "Narrow the labels to the hosts that have it."
    return Missing("not-on-host", f'{task} is not on "{absent[0]}"{more}', f"{clause}. {remedy}")


def links(mention: Mention, place: Place, scope: Scope) -> Iterator[Link]:
    """The edges that a checked mention makes."""
    for reference in mention.references:
        if isinstance(reference, OutputReference):
            pending = not is_implicit(reference, scope)
            note, path = refs.text_of(reference), place.path(mention.at)
            targets = matching(reference.host, scope.hosts) if isinstance(reference.host, Labels) else (reference.host,)
            for host in targets:
                yield Link(reference.task, host, "reference", note, pending=pending, path=path)


def in_text(reference: OutputReference, given: ValueType, path: DocumentPath) -> Iterator[Diagnostic]:
    """What is wrong with an output of this type inside a text."""
    written = refs.text_of(reference)
    if fitting.is_record(given):
        yield error("record-in-text", f"{written} is a record and cannot stand in a text", "Name an output that is text or a number.", path)
    elif fitting.is_list(given):
        yield warning("json-in-text", f"{written} is a list in a text", "It is written as JSON. Let it be the whole param.", path)


def is_implicit(reference: OutputReference, scope: Scope) -> bool:
    """Whether it is of the host that a task is on, and so known already."""
    module = scope.module(reference.kind)
    return reference.output in IMPLICIT and (module is None or reference.output not in fitting.outputs(module))


def varies(mention: Mention, scope: Scope) -> bool:
    """Whether what is known of it already hangs on the host that the task is on."""
    for reference in mention.references:
        match reference:
            case HostReference(host=None):
                return True
            case OutputReference(host=None) if is_implicit(reference, scope):
                return True
            case _:
                pass
    return False


def is_known_now(reference: Reference, scope: Scope) -> bool:
    """Whether its value belongs to what is replaced at compile time (facts, where they are known)."""
    match reference:
        case VarReference() | HostReference():
            return True
        case OutputReference():
            return is_implicit(reference, scope)
        case SecretReference():
            return False


# ---- what is known now --------------------------------------------------------------------------------------------------------


def replace(
    found: tuple[Mention, ...], value: Value, host: ExpandedHost | None, place: Place, scope: Scope
) -> tuple[Value, list[Diagnostic]]:
    """The value with all replaced that is known now. Where something is missing, the text stays and a diagnostic says so."""
    diagnostics: list[Diagnostic] = []
    texts: dict[str, Value] = {}
    for mention in found:
        if any(is_known_now(reference, scope) for reference in mention.references):
            texts[mention.text], wrong = _replace_text(mention, host, place, scope)
            diagnostics += wrong
    return (_with_texts(value, texts) if texts else value), diagnostics


def known_now(reference: Reference, host: ExpandedHost | None, scope: Scope) -> Value | Reference | Missing:
    """Its value; itself, where a later resolver knows it; or why it has none. `host` is the one that the referring task is on."""
    match reference:
        case VarReference(path=path):
            return _at(path, scope.vars, "vars", refs.text_of(reference))
        case HostReference(host=None):
            return _of_host(reference, host, scope) if host else _which_host(reference)
        case HostReference(host=str(name)):
            return _of_host(reference, scope.hosts[name], scope) if name in scope.hosts else _unknown_host(reference, name, scope)
        case HostReference(host=Labels() as labels):
            return _of_all(reference, [_of_host(reference, scope.hosts[name], scope) for name in matching(labels, scope.hosts)])
        case OutputReference() if is_implicit(reference, scope):
            return _implicit(reference, host, scope)
        case _:
            return reference


def _replace_text(mention: Mention, host: ExpandedHost | None, place: Place, scope: Scope) -> tuple[Value, list[Diagnostic]]:
    path = place.path(mention.at)
    known = {
        reference: reference if _is_open(reference, scope.flaws) else known_now(reference, host, scope) for reference in mention.references
    }
    missing = [value for value in known.values() if isinstance(value, Missing)]
    if missing:
        return mention.text, [error(*one, path) for one in missing]
    values = {reference: value for reference, value in known.items() if not isinstance(value, Missing)}
    wrong = [] if mention.whole else [d for reference, value in values.items() if (d := _in_text(reference, value, path)) is not None]
    try:
        return refs.substitute(mention.text, values.__getitem__), wrong
    except refs.InvalidReferenceError as invalid:
        return mention.text, [*wrong, error("invalid-reference", f"{place.name} cannot be written out", f"{invalid}.", path)]


def _is_open(reference: Reference, flaws: Flaws) -> bool:
    """Whether its value hangs on what is flawed. Of the hosts that are named, `_of_host` knows."""
    match reference:
        case VarReference():
            return flaws.vars
        case HostReference(host=Labels()) | OutputReference(host=Labels()):
            return flaws.labels
        case _:
            return False


def _in_text(reference: Reference, value: Value | Reference, path: DocumentPath) -> Diagnostic | None:
    written = refs.text_of(reference)
    if isinstance(value, dict):
        return error("record-in-text", f"{written} is a record and cannot stand in a text", "Name one of its fields.", path)
    if isinstance(value, list) or value is None:
        what = "null" if value is None else "a list"
        detail = f"It is written as JSON: {refs.interpolated(value)}. Let it be the whole param, or name a value."
        return warning("json-in-text", f"{written} is {what} in a text", detail, path)
    return None


def _at(path: tuple[str, ...], values: Document, what: str, written: str) -> Value | Missing:
    value, there = refs.lookup_path(path, values)
    if there:
        return value
    for length in range(len(path)):
        inner, there = refs.lookup_path(path[:length], values)
        known = inner if there and isinstance(inner, dict) else {}
        if path[length] not in known:
            place = ".".join((what, *path[:length]))
            near = did_you_mean(path[length], known)
            remedy = f" It has {', '.join(sorted(known)[:12])}." if known and not near else ""
            return Missing("unknown-value", f'{place} has no "{path[length]}"', f"{written} refers to it.{near}{remedy}")
    raise AssertionError(path)


def _of_host(reference: HostReference, host: ExpandedHost, scope: Scope) -> Value | Reference | Missing:
    first, *rest = reference.path
    if first in _PROPERTIES and scope.flaws.blurs(host.name, first):
        return reference
    if first == "facts" and not host.facts:
        return _later(reference, rest)
    known: Document = {"name": host.name, "address": host.address, "labels": dict(host.labels), "vars": host.vars, "facts": host.facts}
    path = ("labels", ".".join(rest)) if first == "labels" and rest else reference.path
    return _at(path, known, "host", f'On "{host.name}", {refs.text_of(reference)}')


def _later(reference: HostReference, rest: list[str]) -> Reference | Missing:
    """A fact that is not known yet: the reference itself, where there is such a fact."""
    facts = Facts.__struct_fields__
    if not rest or rest[0] in facts:
        return reference
    detail = f"{refs.text_of(reference)} refers to it. It has {', '.join(facts)}.{did_you_mean(rest[0], facts)}"
    return Missing("unknown-value", f'host.facts has no "{rest[0]}"', detail)


def _of_all(reference: Reference, parts: list[Value | Reference | Missing]) -> Value | Reference | Missing:
    """One list of what all hosts have; deferred or missing as a whole where one of them is."""
    values: list[Value] = []
    for part in parts:
        if isinstance(part, Missing):
            return part
        if isinstance(part, HostReference | OutputReference | VarReference | SecretReference):
            return reference
        values.append(part)
    return values


def _implicit(reference: OutputReference, host: ExpandedHost | None, scope: Scope) -> Value | Reference | Missing:
    def of(one: ExpandedHost) -> Value | Reference:
        if scope.flaws.blurs(one.name, "address" if reference.output == "address" else "name"):
            return reference
        return one.address if reference.output == "address" else one.name

    match reference.host:
        case Labels() as labels:
            return _of_all(reference, [of(scope.hosts[name]) for name in matching(labels, scope.hosts)])
        case str(name):
            return of(scope.hosts[name]) if name in scope.hosts else reference
        case None:
            return of(host) if host else reference


def _unknown_host(reference: Reference, name: str, scope: Scope) -> Missing:
    near = did_you_mean(name, scope.hosts)
    return Missing("unknown-host", f'unknown host "{name}"', f"{refs.text_of(reference)} names it, and no host is called so.{near}")


def _which_host(reference: HostReference) -> Missing:
    inner = refs.text_of(reference)[2:]
    return Missing(
        "which-host", f"{refs.text_of(reference)} does not say which host", f"A stack's output is on none: write @{{web1/{inner}."
    )


def _with_texts(value: Value, texts: Mapping[str, Value]) -> Value:
    match value:
        case str():
            return texts.get(value, value)
        case list():
            return [_with_texts(part, texts) for part in value]
        case dict():
            return {key: _with_texts(part, texts) for key, part in value.items()}
        case _:
            return value


def labels_warning(reference: OutputReference | HostReference, path: DocumentPath, scope: Scope) -> Diagnostic | None:
    """A warning where a fan-in means nobody."""
    if not isinstance(reference.host, Labels) or matching(reference.host, scope.hosts):
        return None
    detail = f"{refs.text_of(reference)} is an empty list. Check the labels of the hosts."
    return warning("matches-nobody", f'"{selector_text(reference.host)}" matches no host', detail, path)
