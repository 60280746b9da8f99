"""One task's record: params by the kind's struct, meta-arguments by the shapes below."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator
from functools import cache
from typing import Annotated, Final

import msgspec
from msgspec import inspect

from g8r import parameters, reference
from g8r import selector as selectors
from g8r.address import HOST_PATTERN, KIND_PATTERN, NAME_PATTERN
from g8r.compiler import checks, elsewhere
from g8r.compiler.flaws import NOBODY
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error, path_text
from g8r.module import AccountName, AnyModule, Duration, seconds
from g8r.parameters import Field
from g8r.reference import InvalidReferenceError, OutputReference, SecretReference
from g8r.selector import Everywhere, InvalidSelectorError, Selector
from g8r.stack import META_ARGUMENTS, Exemption, Lifecycle, Meta, OnRemove, Retry, Task
from g8r.value import Document, Value

TaskReference = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^({HOST_PATTERN}/)?{KIND_PATTERN}\.{NAME_PATTERN}$", extra={"expected": "a task such as file.motd or web1/file.motd"}
    ),
]
_NO_META: Final = Meta()
_TASK_NAME: Final = re.compile(NAME_PATTERN)
Attempts = Annotated[int, msgspec.Meta(ge=1, extra={"expected": "a whole number, one or more"})]


PolicyName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", extra={"expected": "the name of a policy"})]
_SPACE: Final = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
r"""What Nickel's regexes mean by `\s`; Python's means more."""
Why = Annotated[str, msgspec.Meta(pattern=f"[^{_SPACE}]", extra={"expected": "a reason, in words"})]
Day = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))$",
        extra={"expected": "a date such as 2026-12-31"},
    ),
]


class ExemptShape(msgspec.Struct):
    policy: PolicyName
    reason: Why
    until: Day


class ExemptionShape(ExemptShape):
    task: TaskReference | None = None


class _LifecycleShape(msgspec.Struct):
    prevent_destroy: bool | None = None
    ignore_changes: list[str] | None = None
    on_remove: OnRemove | None = None
    exempt: list[ExemptShape] | None = None


class _RetryShape(msgspec.Struct):
    attempts: Attempts
    delay: Duration | None = None


class MetaShape(msgspec.Struct):
    """What the contract in contracts/lib/meta.ncl says, too.

    `moved_from` may be one text as well. That is no union here: msgspec 0.22 corrupts the heap when it frees the type of a union of
    a text with a pattern and a list.
    """

    on: Annotated[
        str | list[str] | dict[str, str] | None,
        msgspec.Meta(extra={"expected": 'a host name, a list of them, or labels such as { role = "web" }'}),
    ] = None
    needs: list[TaskReference] | None = None
    lifecycle: _LifecycleShape | None = None
    moved_from: list[TaskReference] | None = None
    retry: _RetryShape | None = None
    timeout: Duration | None = None
    sensitive: Annotated[bool | str | list[str] | None, msgspec.Meta(extra={"expected": "true, or the names of params"})] = None
    become: AccountName | None = None
    reload_on: list[TaskReference] | None = None
    restart_on: list[TaskReference] | None = None
    run_on: list[TaskReference] | None = None


def decode_task(module: AnyModule, name: str, written: Document, *, thorough: bool) -> tuple[Task, tuple[Diagnostic, ...]]:
    """The task, with every mistake in its record, and without those params and meta-arguments that are wrong themselves. What is wrong
    inside one stays: the rest of it can be looked at. See `decode` for `thorough`.
    """
    at: DocumentPath = ("tasks", module.kind, name)
    found = list(_task_name(name, at))
    params: Document = {}
    meta: Document = {}
    allowed = _meta_arguments(module)
    known = _by_name(module)
    for key, value in written.items():
        if key in allowed:
            meta[key] = value
        elif key in known:
            params[key] = value
        else:
            found.append(_unknown(module, key, allowed.union(known), at))
    params = {key: value for key, value in params.items() if value is not None or not _nullable(module, key)}
    if module.natural and module.natural not in params:
        params[module.natural] = name
    if thorough or not _plainly_right(module, params):
        found += _check_params(module, params, at)
    found += _check_meta(module, meta, at)
    if not found:
        return Task(module.kind, name, params, _meta(module, meta)), ()
    wrong = {one.path for one in found}
    if not _TASK_NAME.fullmatch(name) and module.natural and module.natural not in written:  # the same name is not wrong twice
        wrong.add((*at, module.natural))
        found = [one for one in found if one.path != (*at, module.natural)]
    return Task(module.kind, name, _without(params, wrong, at), _sound_meta(module, meta, wrong, at)), tuple(found)


def _without(record: Document, wrong: Container[DocumentPath | None], at: DocumentPath) -> Document:
    return {key: value for key, value in record.items() if (*at, key) not in wrong}


def meta_fields(module: AnyModule) -> tuple[inspect.Field, ...]:
    """The meta-arguments that tasks of a kind may have, with their types."""
    return tuple(field for field in _shape().fields if field.encode_name in _meta_arguments(module))


def _task_name(name: str, at: DocumentPath) -> Iterator[Diagnostic]:
    if not _TASK_NAME.fullmatch(name):
        detail = f"{path_text(at)}: a task is named with letters, digits, and _ . @ - after the first."
        yield error("invalid-name", f'"{name}" is no name for a task', detail, at)


@cache
def _meta_arguments(module: AnyModule) -> frozenset[str]:
    """The meta-arguments that tasks of a kind may have."""
    triggers = {name for name in META_ARGUMENTS if name.endswith("_on")}
    absent = (triggers - set(module.triggers)) | (set() if module.becomes else {"become"})
    return frozenset(META_ARGUMENTS) - absent


def _unknown(module: AnyModule, key: str, known: frozenset[str], at: DocumentPath) -> Diagnostic:
    if key in META_ARGUMENTS:
        detail = f"{path_text(at)} sets {key}, which means nothing for tasks of the kind {module.kind}."
        return error("unknown-param", f'{module.kind} has no "{key}"', detail, (*at, key))
    hint = elsewhere.param(key, known) or did_you_mean(key, known) or f" `g8r modules show {module.kind}` lists them."
    return error("unknown-param", f'{module.kind} has no param "{key}"', f"{path_text(at)} sets {key}.{hint}", (*at, key))


@cache
def _by_name(module: AnyModule) -> dict[str, Field]:
    return {field.name: field for field in parameters.fields(module)}


@cache
def _nullable(module: AnyModule, key: str) -> bool:
    type_ = _by_name(module)[key].type
    while isinstance(type_, inspect.Metadata):
        type_ = type_.type
    return isinstance(type_, inspect.AnyType) or (isinstance(type_, inspect.UnionType) and type_.includes_none)


def _check_params(module: AnyModule, params: Document, at: DocumentPath) -> Iterator[Diagnostic]:
    for key, value in params.items():
        field = _by_name(module)[key]
        for mistake in checks.check(value, field.type, (*at, key)):
            yield mistake.diagnostic(sensitive=field.sensitive)
        if field.known:
            yield from _check_known(field, value, (*at, key))
    for name, field in _by_name(module).items():
        if field.required and name not in params:
            detail = f"{path_text(at)} needs {name}: {checks.wanted(field.type)}. {field.doc}".rstrip()
            yield error("missing-param", f'{module.kind} needs "{name}"', detail, at)


def _plainly_right(module: AnyModule, params: Document) -> bool:
    """The quick way for most tasks: no references, and msgspec takes them."""
    if next(reference.walk(params), None) is not None:
        return False
    try:
        msgspec.convert(params, module.Params)
    except msgspec.ValidationError:
        return False
    return True


def _check_known(field: Field, value: Value, at: DocumentPath) -> Iterator[Diagnostic]:
    """References that are resolved too late for a param that must be known when the graph is made."""
    for inside, text in reference.walk(value):
        try:
            parts = reference.parse(text)
        except InvalidReferenceError:
            continue  # reported where references are resolved
        for part in parts:
            if isinstance(part, (OutputReference, SecretReference)):
                what = "a task's output" if isinstance(part, OutputReference) else "a secret"
                may = f"{path_text(at)} says which resource this is, so it may refer to vars and to the host, and not to {what}."
                detail = f"{may} Write the value itself, or keep it in vars."
                yield error("must-be-known", f"{field.name} must be known before anything runs", detail, (*at, *inside))


def _check_meta(module: AnyModule, meta: Document, at: DocumentPath) -> Iterator[Diagnostic]:
    if not meta:
        return
    fields = [field for field in _shape().fields if field.encode_name in meta]
    before = meta.get("moved_from")
    if isinstance(before, str):
        mistakes = list(checks.check(before, inspect.type_info(TaskReference), (*at, "moved_from")))
        mistakes += checks.check_fields({name: value for name, value in meta.items() if name != "moved_from"}, fields, at)
    else:
        mistakes = list(checks.check_fields(meta, fields, at))
    for mistake in mistakes:
        yield mistake.diagnostic()
    yield from checks.misplaced({name: value for name, value in meta.items() if name != "sensitive"}, at)
    try:
        selectors.parse(meta.get("on"))
    except InvalidSelectorError as invalid:
        if not any("on" in mistake.path for mistake in mistakes):
            yield error("invalid-selector", "on selects no hosts", f"{path_text(at)}.on: {invalid}", (*at, "on"))
    lifecycle = meta.get("lifecycle")
    if isinstance(lifecycle, dict):
        yield from _check_names(module, lifecycle.get("ignore_changes"), (*at, "lifecycle", "ignore_changes"))
    yield from _check_sensitive(module, meta.get("sensitive"), (*at, "sensitive"))


def _check_sensitive(module: AnyModule, value: Value, at: DocumentPath) -> Iterator[Diagnostic]:
    match value:
        case str():
            yield from _check_names(module, [value], at)
        case list():
            yield from _check_names(module, value, at)
        case _:
            return


def _check_names(module: AnyModule, names: Value, at: DocumentPath) -> Iterator[Diagnostic]:
    known = _by_name(module)
    for index, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str) and name not in known:
            detail = f"{path_text(at)} names params of the kind.{did_you_mean(name, known)}"
            yield error("unknown-param", f'{module.kind} has no param "{name}"', detail, (*at, index))


def _meta(module: AnyModule, meta: Document) -> Meta:
    """The meta-arguments, once they are known to be right."""
    if not meta:
        return _NO_META
    lifecycle, retry, timeout, become = (meta.get(name) for name in ("lifecycle", "retry", "timeout", "become"))
    return Meta(
        on=_selector(meta.get("on")),
        needs=_texts(meta.get("needs")),
        triggers={verb: _texts(meta[name]) for name, verb in sorted(module.triggers.items()) if meta.get(name) is not None},
        lifecycle=_lifecycle(lifecycle) if isinstance(lifecycle, dict) else Lifecycle(),
        moved_from=_texts(meta.get("moved_from")),
        retry=_retry(retry) if isinstance(retry, dict) else None,
        timeout=seconds(timeout) if isinstance(timeout, str) else None,
        sensitive=_sensitive(module, meta.get("sensitive")),
        become=become if isinstance(become, str) else None,
        exempt=exemptions(lifecycle.get("exempt")) if isinstance(lifecycle, dict) else (),
    )


def _sound_meta(module: AnyModule, meta: Document, wrong: Collection[DocumentPath | None], at: DocumentPath) -> Meta:
    """The meta-arguments that are right. A list of tasks keeps what is wrong in it, so that the others keep their places; where it is
    wrong which params are sensitive, all are.
    """
    flawed = {path[len(at)] for path in wrong if path is not None and len(path) > len(at)}
    lists = {key for key, value in _without(meta, wrong, at).items() if isinstance(value, list)} - {"on", "sensitive"}
    found = _meta(module, {key: value for key, value in meta.items() if key not in flawed or key in lists})
    if "sensitive" in flawed:
        found = msgspec.structs.replace(found, sensitive=tuple(sorted(_by_name(module))))
    return msgspec.structs.replace(found, on=NOBODY) if "on" in flawed else found


def _selector(value: Value) -> Selector:
    return Everywhere() if value is None else selectors.parse(value)


def _lifecycle(value: Document) -> Lifecycle:
    return msgspec.convert({key: part for key, part in value.items() if part is not None and key != "exempt"}, Lifecycle)


def exemptions(value: Value) -> tuple[Exemption, ...]:
    """Exemptions, once they are known to be right."""
    records = [record for record in (value if isinstance(value, list) else []) if isinstance(record, dict)]
    return msgspec.convert([{key: part for key, part in record.items() if part is not None} for record in records], tuple[Exemption, ...])


def _retry(value: Document) -> Retry:
    delay = value.get("delay")
    attempts = msgspec.convert(value["attempts"], int)
    return Retry(attempts, seconds(delay)) if isinstance(delay, str) else Retry(attempts)


def _sensitive(module: AnyModule, value: Value) -> tuple[str, ...]:
    if isinstance(value, bool):
        return tuple(sorted(_by_name(module))) if value else ()
    return tuple(sorted(set(_texts(value))))


def _texts(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(part) for part in value) if isinstance(value, list) else ()


@cache
def _shape() -> inspect.StructType:
    described = inspect.type_info(MetaShape)
    assert isinstance(described, inspect.StructType)  # noqa: S101 a struct
    return described
