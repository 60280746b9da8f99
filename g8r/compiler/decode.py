"""From a document to a Stack: shapes only, all mistakes at once; nothing is resolved.

Where there are mistakes, the Stack holds what can be understood: a record without what is wrong in it, and a task that is no record, or
of a kind that is unknown, by its name alone. `flaws` says what the compiler may not conclude from that.

Whatever the contracts refuse, this refuses too, with a path and a hint, and in words of its own. Beyond the contracts it checks
what they cannot say: names of tasks and hosts, the grammar of selectors, names of params in `lifecycle.ignore_changes` and
`sensitive`, and that a param on which identity or claims hang holds no output and no secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import inspect

from g8r import selector as selectors
from g8r.address import HOST_PATTERN
from g8r.compiler import checks, elsewhere, written
from g8r.compiler.decode_task import ExemptionShape, decode_task, exemptions
from g8r.compiler.flaws import NOBODY
from g8r.compiler.kinds import SHIPPED
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error
from g8r.module import AnyModule
from g8r.selector import InvalidSelectorError
from g8r.stack import Group, HostEntry, Meta, Stack, Task
from g8r.value import Document, Value

FREE: Final = "x-"
"""What a key at the top begins with that is nobody's business: a place for YAML anchors."""
_HOST: Final = re.compile(HOST_PATTERN)
StackName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", extra={"expected": "a name of a-z, 0-9 and -"})]


class _HostShape(msgspec.Struct):
    address: str | None = None
    labels: dict[str, str] = {}
    vars: dict[str, Any] = {}
    connection: Literal["local", "fake", "ssh", "agent"] | None = None
    facts: dict[str, Any] = {}


class _GroupShape(msgspec.Struct):
    vars: dict[str, Any] = {}


class StackShape(msgspec.Struct):
    """`tasks` are looked at one by one: each kind has its own shape, and there may be many."""

    name: StackName
    vars: dict[str, Any] = {}
    hosts: dict[str, _HostShape] = {}
    groups: dict[str, _GroupShape] = {}
    outputs: dict[str, Any] = {}
    exemptions: list[ExemptionShape] | None = None
    tasks: Any = {}


class Decoded(msgspec.Struct, frozen=True):
    """The Stack, as much of it as can be understood; None where the document is no stack at all."""

    stack: Stack | None
    diagnostics: tuple[Diagnostic, ...] = ()


def decode(document: Value, kinds: Mapping[str, AnyModule] = SHIPPED, *, thorough: bool = False) -> Decoded:
    """The Stack that a document means, and everything that is wrong with it, in document order.

    thorough: for a document that the contracts have refused; it may hold tags (see `written`), and the Stack holds none. Others go a
    quicker way, which trusts the contracts where msgspec is more lenient (it takes a text with a newline at its end for one that matches).
    """
    plain = written.untagged(document) if thorough else document
    found = _decode(document, kinds, thorough=thorough)
    return found if plain is document else Decoded(_decode(plain, kinds, thorough=True).stack, found.diagnostics)


def _decode(document: Value, kinds: Mapping[str, AnyModule], *, thorough: bool) -> Decoded:
    if not isinstance(document, dict):
        detail = (
            f"The source gives {checks.kind_of(document)}; expected a record with name, hosts, tasks. A task is written tasks.file.motd."
        )
        return Decoded(None, (error("no-stack", "this is no stack", detail, ()),))
    top = {key: value for key, value in document.items() if not key.startswith(FREE)}
    found = [_top_mistake(mistake, kinds).diagnostic() for mistake in checks.check(top, inspect.type_info(StackShape), ())]
    found += [*_names(top), *checks.misplaced(_unresolved(top), ())]
    tasks, mistakes = _tasks(top.get("tasks", {}), kinds, thorough=thorough)
    wrong = frozenset(diagnostic.path or () for diagnostic in found)
    found += mistakes
    return Decoded(_stack(top, tasks, wrong), tuple(sorted(found, key=_order(document))) if found else ())


def _top_mistake(mistake: checks.Mistake, kinds: Mapping[str, AnyModule]) -> checks.Mistake:
    """With a hint for a key at the top that belongs elsewhere."""
    if mistake.code != "unknown-key" or len(mistake.path) != 1:
        return mistake
    return msgspec.structs.replace(mistake, hint=elsewhere.top(str(mistake.path[0]), kinds) or mistake.hint)


def _tasks(written: Value, kinds: Mapping[str, AnyModule], *, thorough: bool) -> tuple[list[Task], list[Diagnostic]]:
    tasks: list[Task] = []
    found: list[Diagnostic] = []
    if not isinstance(written, dict):
        found.append(_no_record(written, ("tasks",)))
    for kind, named in _records(written):
        if kind not in kinds:
            summary = f'unknown kind "{kind}"'
            hint = elsewhere.kind(kind) or did_you_mean(kind, kinds) or " `g8r modules list` shows all."
            found.append(error("unknown-kind", summary, f"There is no kind of tasks of this name.{hint}", ("tasks", kind)))
            tasks += [_by_name_alone(kind, name) for name, _ in _records(named)]
        elif not isinstance(named, dict):
            found.append(_no_record(named, ("tasks", kind)))
        else:
            for name, record in named.items():
                if isinstance(record, dict):
                    task, diagnostics = decode_task(kinds[kind], name, record, thorough=thorough)
                    tasks.append(task)
                    found += diagnostics
                else:
                    tasks.append(_by_name_alone(kind, name))
                    found.append(_no_record(record, ("tasks", kind, name)))
    return tasks, found


def _by_name_alone(kind: str, name: str) -> Task:
    return Task(kind, name, {}, Meta(on=NOBODY))


def _no_record(value: Value, at: DocumentPath) -> Diagnostic:
    return checks.Mistake(at, value, elsewhere.record(at)).diagnostic()


def _stack(top: Document, tasks: Iterable[Task], wrong: Collection[DocumentPath]) -> Stack:
    hosts = {name: _host(name, entry, wrong) for name, entry in _records(top.get("hosts"))}
    groups = {name: Group(vars=_document(_document(entry).get("vars"))) for name, entry in _records(top.get("groups"))}
    return Stack(
        name=str(top.get("name", "")),
        tasks=tuple(sorted(tasks, key=lambda task: (task.kind, task.name))),
        vars=_document(top.get("vars")),
        hosts=dict(sorted(hosts.items())),
        groups=dict(sorted(groups.items())),
        outputs=_document(top.get("outputs")),
        exemptions=() if any(path[:1] == ("exemptions",) for path in wrong) else exemptions(top.get("exemptions")),
    )


def _names(top: Document) -> list[Diagnostic]:
    found = []
    for host, _ in _records(top.get("hosts")):
        if not _HOST.fullmatch(host):
            detail = f'hosts has "{host}". A host is named with a-z, 0-9, dots and dashes, as in "web1" or "db.example.org".'
            found.append(error("invalid-name", f'"{host}" is no host name', detail, ("hosts", host)))
    for group, _ in _records(top.get("groups")):
        try:
            selectors.parse(group)
        except InvalidSelectorError as invalid:
            found.append(error("invalid-selector", f'"{group}" selects no hosts', f"groups: {invalid}", ("groups", group)))
    return found


def _unresolved(top: Document) -> Document:
    """The parts of a stack that hold no references: not its outputs, vars and facts, if they are records, and not the tasks."""
    sections: Document = _without_records(
        {key: top[key] for key in ("name", "vars", "hosts", "groups", "outputs", "exemptions") if key in top}, {"vars", "outputs"}
    )
    for section in ("hosts", "groups"):
        entries = {name: _without_records(entry, {"vars", "facts"}) for name, entry in _records(top.get(section))}
        sections |= {section: entries} if entries else {}
    return sections


def _without_records(value: Value, names: Container[str]) -> Any:  # noqa: ANN401 what it was given, or less
    """A record without what is a record itself under one of these names."""
    if not isinstance(value, dict):
        return value
    return {key: part for key, part in value.items() if key not in names or not isinstance(part, dict)}


def _records(value: Value) -> list[tuple[str, Value]]:
    return list(value.items()) if isinstance(value, dict) else []


def _document(value: Value) -> Document:
    return value if isinstance(value, dict) else {}


def _host(name: str, entry: Value, wrong: Container[DocumentPath]) -> HostEntry:
    """With the fields that are neither null nor wrong; labels are all right or none."""

    def is_sound(key: str, part: Value) -> bool:
        return ("hosts", name, key) not in wrong and not any(("hosts", name, key, inner) in wrong for inner in _document(part))

    fields: dict[str, Any] = {key: part for key, part in _document(entry).items() if part is not None and is_sound(key, part)}
    return msgspec.structs.replace(HostEntry(), **fields)


def _order(document: Value) -> Any:  # noqa: ANN401 a key function
    """Sorts diagnostics as their places are in the document."""

    def position(diagnostic: Diagnostic) -> tuple[int, ...]:
        places, current = [], document
        for part in diagnostic.path or ():
            if isinstance(current, dict) and part in current:
                places.append(list(current).index(str(part)))
                current = current[str(part)]
            elif isinstance(current, list) and isinstance(part, int):
                places.append(part)
                current = current[part]
        return tuple(places)

    return position
