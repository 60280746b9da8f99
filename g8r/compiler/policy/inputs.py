"""What policies are asked about, as documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from g8r import modules, parameters, reference
from g8r.compiler import expand
from g8r.compiler.expand import ExpandedHost
from g8r.compiler.references import Kinds
from g8r.diagnostics import DocumentPath
from g8r.reference import InvalidReferenceError, Reference, VarReference
from g8r.stack import Stack, Task
from g8r.value import MASK, Document, Value

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Inputs(msgspec.Struct, frozen=True):
    """The stack, and the plan where there is one."""

    stack: Document
    plan: Document | None = None


def of_stack(stack: Stack, hosts: Mapping[str, ExpandedHost], now: str, kinds: Kinds = modules.load) -> Document:
    """The document of a stack without mistakes. now: RFC 3339 in UTC."""
    placed, _ = expand.place(stack, hosts)
    declared: Document = {
        name: {"address": host.address, "labels": dict(host.labels), "connection": host.connection, "vars": _own_vars(stack, name)}
        for name, host in sorted(hosts.items())
    }
    return {
        "name": stack.name,
        "now": _moment(now),
        "vars": stack.vars,
        "hosts": declared,
        "groups": {name: {"vars": group.vars} for name, group in sorted(stack.groups.items())},
        "outputs": stack.outputs,
        "tasks": [_task(task, placed[str(task)], stack, kinds) for task in sorted(stack.tasks, key=str)],
    }


def by_line(document: Value) -> list[DocumentPath]:
    """The path of what begins in each line of `text`, the first line first; of a line that only closes something, of that."""
    return list(_lines(document, ()))


def text(document: Value) -> bytes:
    """The document as JSON with every value in a line of its own."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _lines(value: Value, at: DocumentPath) -> Iterator[DocumentPath]:
    yield at
    inside = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for key, part in inside:
        yield from _lines(part, (*at, key))
    if inside:
        yield at


def _moment(now: str) -> Document:
    moment = datetime.strptime(now, "%Y-%m-%dT%H:%M:%S%z")
    return {
        "timestamp": now,
        "date": now[:10],
        "time": now[11:16],
        "weekday": _WEEKDAYS[moment.weekday()],
        "hour": moment.hour,
        "minute": moment.minute,
    }


def _own_vars(stack: Stack, host: str) -> Document:
    return stack.hosts[host].vars if host in stack.hosts else {}


def _task(task: Task, hosts: tuple[str, ...], stack: Stack, kinds: Kinds) -> Document:
    module, meta = kinds(task.kind), task.meta
    hidden = parameters.sensitive_fields(module, meta.sensitive)
    params: Document = {}
    for field in parameters.fields(module):
        value = _with_vars(task.params[field.name], stack.vars) if field.name in task.params else _plain(field.default)
        params[field.name] = masked(value) if field.name in hidden else value
    return {
        "address": str(task),
        "kind": task.kind,
        "name": task.name,
        "hosts": list(hosts),
        "params": params,
        "needs": list(meta.needs),
        "triggers": {verb: list(tasks) for verb, tasks in sorted(meta.triggers.items())},
        "lifecycle": {
            "prevent_destroy": meta.lifecycle.prevent_destroy,
            "ignore_changes": list(meta.lifecycle.ignore_changes),
            "on_remove": meta.lifecycle.on_remove,
        },
        "moved_from": list(meta.moved_from),
        "retry": None if meta.retry is None else {"attempts": meta.retry.attempts, "delay": meta.retry.delay},
        "timeout": meta.timeout,
        "sensitive": [*sorted(hidden)],
        "become": meta.become,
    }


def _plain(default: Value) -> Value:
    """A default as JSON has it: those of Params may be tuples."""
    plain: Value = msgspec.json.decode(msgspec.json.encode(default))
    return plain


def masked(value: Value) -> Value:
    """A sensitive value with all masked in it that is no reference; null says nothing, and stays."""
    match value:
        case None:
            return None
        case str():
            return _masked_text(value)
        case list():
            return [masked(part) for part in value]
        case dict():
            return {key: masked(part) for key, part in value.items()}
        case _:
            return MASK


def _masked_text(written: str) -> str:
    try:
        parts = reference.parse(written)
    except InvalidReferenceError:
        return MASK
    return "".join(MASK if isinstance(part, str) else reference.text_of(part) for part in parts)


def _with_vars(value: Value, given: Document) -> Value:
    def lookup(found: Reference) -> Value | Reference:
        if not isinstance(found, VarReference):
            return found
        there, is_there = reference.lookup_path(found.path, given)
        return there if is_there else found

    try:
        return reference.substitute(value, lookup)
    except InvalidReferenceError:
        return value
