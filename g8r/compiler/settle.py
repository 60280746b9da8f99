"""Settling: a task's params as the host it is on will get them, and what its kind says of them.

What is the same on every host is done once for the task (`study`), and its outcome shared; only what refers to its host is done for
each (`settle`). The checks of `study` go by types, those of `settle` by the values that are known by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, get_args

import msgspec

from g8r import parameters
from g8r import reference as refs
from g8r.claim import Claims
from g8r.compiler import fitting, links, references
from g8r.compiler.expand import ExpandedHost
from g8r.compiler.links import Written
from g8r.compiler.references import Link, Mention, Place, Scope
from g8r.compiler.sources import Loaded, SourceError
from g8r.diagnostics import Diagnostic, DocumentPath, Severity, did_you_mean, error, errors
from g8r.module import AnyModule, Problem
from g8r.parameters import Built, Field
from g8r.reference import HostReference, OutputReference, Reference, SecretReference
from g8r.stack import Task
from g8r.value import Document, Partial, Unknown, unknowns

Load = Callable[[str], Loaded]

_SHOWN: Final = 60


class Study(msgspec.Struct, frozen=True):
    """What is to be known of a task before any host is looked at. `varies`: its params hang on the host.

    `sensitive` names the params that hold a secret, or that the task says are sensitive. `flawed` those that something is wrong with.
    `broken`: it is not known what the task is, so it claims nothing and its kind does not judge it; its sound params are looked at.
    """

    task: Task
    module: AnyModule
    hosts: tuple[str, ...]
    params: Document
    mentions: tuple[Mention, ...] = ()
    links: tuple[Link, ...] = ()
    written: Written = Written()
    varies: bool = False
    broken: bool = False
    flawed: frozenset[str] = frozenset()
    sensitive: tuple[str, ...] = ()

    @property
    def path(self) -> DocumentPath:
        return ("tasks", self.task.kind, self.task.name)


class Settled(msgspec.Struct, frozen=True):
    """A task with its params, on one host or on all of its hosts. `params` refer only to outputs, secrets and unknown facts.

    `deferred`: what it is hangs on facts that are not known, so that it has no identity and claims nothing yet.
    """

    study: Study
    params: Document
    identity: str = ""
    claims: Claims = Claims()
    deferred: bool = True
    blobs: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        return str(self.study.task)


# ---- once for a task ----------------------------------------------------------------------------------------------------------


def study(task: Task, scope: Scope) -> tuple[Study | None, list[Diagnostic]]:
    """What a task says, checked as far as types tell. None where its kind is unknown."""
    base: DocumentPath = ("tasks", task.kind, task.name)
    module = scope.module(task.kind)
    if module is None:
        return None, [error("unknown-kind", f'unknown kind "{task.kind}"', f"{task} is of it. `g8r modules list` shows all kinds.", base)]
    params = task.params
    if module.natural is not None and module.natural not in params:
        params = {module.natural: task.name, **params}
    fields = _fields(module)
    diagnostics = [_unknown_param(task, name, fields, base) for name in sorted(params.keys() - fields.keys())]
    flawed = scope.flaws.params(task) | (params.keys() - fields.keys())
    if scope.flaws.spoils(task):
        flawed |= params.keys() - task.params.keys()  # the name that the task gives it may be what is wrong
    mentions: list[Mention] = []
    for name, value in sorted(params.items()):
        if not refs.may_refer(value):
            continue
        found, wrong = references.mentions({name: value}, _place(task, name))
        mentions += found
        diagnostics += wrong
        flawed |= {name} if wrong else set()
    broken = bool(diagnostics) or scope.flaws.spoils(task)
    found_links: list[Link] = []
    for mention in mentions:
        wrong_here = list(_check(mention, task, fields.get(str(mention.at[0])), scope))
        diagnostics += wrong_here
        if mention.at[0] in fields and not any(one.code in _UNREACHABLE for one in wrong_here):
            found_links += references.links(mention, _place(task, mention.at[0]), scope)
    written, wrong = links.written(task, module, scope)
    secret = {str(mention.at[0]) for mention in mentions for part in mention.references if isinstance(part, SecretReference)}
    return (
        Study(
            task,
            module,
            scope.placed[str(task)],
            params,
            tuple(mentions),
            (*found_links, *written.links),
            written,
            varies=any(references.varies(mention, scope) for mention in mentions),
            broken=broken,
            flawed=flawed,
            sensitive=tuple(sorted(secret | set(task.meta.sensitive))),
        ),
        [*diagnostics, *wrong],
    )


_UNREACHABLE: Final = frozenset({"unknown-task", "unknown-output", "unknown-host", "not-on-host"})


def _check(mention: Mention, task: Task, field: Field | None, scope: Scope) -> Iterator[Diagnostic]:
    place = _place(task, mention.at[0])
    path = place.path(mention.at)
    given = fitting.TEXT
    for reference in mention.references:
        part, wrong = _given(reference, task, place, path, scope)
        yield from wrong
        if any(one.severity is Severity.ERROR for one in wrong):
            continue
        if mention.whole:
            given = part
        elif not wrong and isinstance(reference, OutputReference):
            yield from references.in_text(reference, part, path)
        if field is not None and (field.known or field.source) and not references.is_known_now(reference, scope):
            detail = f"{field.name} says what {task} is, so it must be known before any host is touched: write it out, or use a var."
            yield error("must-be-known", f"{field.name} cannot hold {refs.text_of(reference)}", detail, path)
        if field is not None and field.public and isinstance(reference, SecretReference):
            detail = f"Every process on the host can read {field.name} of {task}. Pass the secret in stdin or env."
            yield error("public-secret", f"{field.name} cannot hold {refs.text_of(reference)}", detail, path)
    wanted = fitting.inside(field.type, mention.at[1:]) if field else fitting.ANYTHING
    if not fitting.fits(given, wanted):
        what = f"{mention.text} is {fitting.word(given)}" if mention.whole else "a text with a reference in it is text"
        yield error("wrong-type", f"{place.name} takes no {fitting.word(given)}", f"It takes {_takes(field, wanted)}; {what}.", path)


def _given(reference: Reference, task: Task, place: Place, path: DocumentPath, scope: Scope) -> tuple[fitting.ValueType, list[Diagnostic]]:
    """The type of what a reference gives, as far as that is to be judged before its value is known."""
    match reference:
        case OutputReference():
            given, missing = references.check(reference, scope.placed[str(task)], place, scope)
            nobody = references.labels_warning(reference, path, scope)
            return given, [error(*missing, path)] if missing else [nobody] if nobody else []
        case HostReference():
            nobody = references.labels_warning(reference, path, scope)
            return fitting.ANYTHING, [nobody] if nobody else []
        case SecretReference(name=""):
            return fitting.TEXT, [error("invalid-reference", "@{secret.} names no secret", "Write @{secret.NAME}.", path)]
        case SecretReference():
            return fitting.TEXT, []
        case _:
            return fitting.ANYTHING, []


# ---- for each host that makes a difference --------------------------------------------------------------------------------------


def settle(studied: Study, host: ExpandedHost, scope: Scope, load: Load, before: Settled | None = None) -> tuple[Settled, list[Diagnostic]]:
    """The task on a host. Where something is wrong it claims nothing, so that one mistake is told once.

    `before` is the same task on another host: what hangs on the same known params is taken from there.
    """
    params = studied.params
    diagnostics: list[Diagnostic] = []
    if studied.mentions:
        params, diagnostics = _replaced(studied, host, scope)
    if studied.flawed:
        params = {name: value for name, value in params.items() if name not in studied.flawed}
    params, loaded, wrong = _with_sources(studied, params, load)
    diagnostics += wrong
    if studied.broken or (diagnostics and errors(diagnostics)):
        told = {one.path[len(studied.path)] for one in errors(diagnostics) if one.path and len(one.path) > len(studied.path)}
        partial = _partial({name: value for name, value in params.items() if name not in told})
        return Settled(studied, params), [*diagnostics, *_misfits(studied, partial, host)]
    partial = _partial(params)
    try:
        built = parameters.build(studied.module, partial)
    except msgspec.ValidationError as invalid:
        misfits = list(_misfits(studied, partial, host))
        if not misfits:
            misfits.append(error("wrong-type", f"{studied.task} has params that do not fit", f"{invalid}.", studied.path))
        return Settled(studied, params), [*diagnostics, *misfits]
    blobs = {name: content for one in loaded.values() for name, content in one.blobs.items()}
    if any(field.known or field.source for field in _fields(studied.module).values() if field.name in built.unknown):
        return Settled(studied, params, blobs=blobs), diagnostics
    diagnostics += _problems(studied, built, loaded)
    if before is not None and not before.deferred and _same_ground(studied.module, before.params, params):
        return Settled(studied, params, before.identity, before.claims, deferred=False, blobs=blobs), diagnostics
    module = studied.module
    return Settled(studied, params, module.identity(built.params), module.claims(built.params), deferred=False, blobs=blobs), diagnostics


def _same_ground(module: AnyModule, one: Document, other: Document) -> bool:
    """Whether the params that identity and claims may hang on are the same, and as many are set."""
    return one.keys() == other.keys() and all(one.get(name) == other.get(name) for name in _known_names(module))


def _replaced(studied: Study, host: ExpandedHost, scope: Scope) -> tuple[Document, list[Diagnostic]]:
    params = dict(studied.params)
    diagnostics: list[Diagnostic] = []
    for name in sorted({str(mention.at[0]) for mention in studied.mentions}):
        found = tuple(mention for mention in studied.mentions if mention.at[0] == name)
        params[name], wrong = references.replace(found, params[name], host, _place(studied.task, name), scope)
        diagnostics += wrong
    return params, diagnostics


def _with_sources(studied: Study, params: Document, load: Load) -> tuple[Document, dict[str, Loaded], list[Diagnostic]]:
    """The params with their sources loaded: text goes into `content`, of anything else `source` becomes the digest."""
    loaded: dict[str, Loaded] = {}
    diagnostics: list[Diagnostic] = []
    for field in _source_fields(studied.module):
        if not isinstance(params.get(field.name), str):
            continue
        named = _partial({field.name: params[field.name]})[field.name]
        if not isinstance(named, str):
            continue
        path = (*studied.path, field.name)
        if params.get("content") is not None:
            detail = "Both say what it holds. Remove one of them."
            diagnostics.append(error("invalid-params", f"{studied.task}: content and {field.name} exclude each other", detail, path))
            continue
        try:
            loaded[field.name] = load(named)
        except SourceError as refused:
            detail = f"{field.name} of {studied.task} names it. {refused.detail}"
            diagnostics.append(error("source", refused.summary, detail, path))
    for name, source in loaded.items():
        text = source.text if "content" in _fields(studied.module) else None
        kept = {key: value for key, value in params.items() if key != name}
        params = {**kept, "content": text} if text is not None else {**kept, name: source.digest}
    return params, loaded, diagnostics


def _misfits(studied: Study, partial: dict[str, Partial], host: ExpandedHost) -> Iterator[Diagnostic]:
    """Which values are of a wrong type, each by its param."""
    hidden = parameters.sensitive_fields(studied.module, studied.sensitive)
    for name, value in sorted(partial.items()):
        field = _fields(studied.module)[name]
        if unknowns(value):
            continue
        try:
            msgspec.convert(value, field.annotation)
        except msgspec.ValidationError as invalid:
            written = ", ".join(mention.text for mention in studied.mentions if mention.at[0] == name)
            where = f'On "{host.name}", ' if host.name else ""
            origin = f"{where}{written} is so. " if written else ""
            shown = "this value" if name in hidden else _shown(value)
            detail = f"{origin}It takes {_takes(field, field.type)} ({str(invalid).rstrip('.')})."
            yield error("wrong-type", f"{name} of {studied.task} cannot be {shown}", detail, (*studied.path, name))


def _problems(studied: Study, built: Built, loaded: dict[str, Loaded]) -> Iterator[Diagnostic]:
    fired_by = frozenset(name for name, sources in studied.written.triggers.items() if sources)
    problems: tuple[Problem, ...] = tuple(studied.module.validate(built.params, fired_by))
    for problem in problems:
        if problem.param in built.unknown:
            continue
        param = next(iter(loaded)) if problem.param == "content" and loaded else problem.param
        path = (*studied.path, param) if param and param in studied.params else studied.path
        yield error("invalid-params", f"{studied.task}: {problem.summary}", problem.detail, path)


def _partial(params: Document) -> dict[str, Partial]:
    """The params as a kind may see them: escapes made literal, what is known later marked unknown."""
    found = refs.resolve(params, lambda reference: Unknown(refs.text_of(reference)))
    assert isinstance(found, dict)  # noqa: S101 a record resolves to a record
    return found


# ---- kinds and words --------------------------------------------------------------------------------------------------------------


@cache
def _fields(module: AnyModule) -> dict[str, Field]:
    return {field.name: field for field in parameters.fields(module)}


@cache
def _known_names(module: AnyModule) -> tuple[str, ...]:
    return tuple(field.name for field in parameters.fields(module) if field.known)


@cache
def _source_fields(module: AnyModule) -> tuple[Field, ...]:
    return tuple(field for field in parameters.fields(module) if field.source)


def _place(task: Task, param: str | int) -> Place:
    return Place(f"{param} of {task}", ("tasks", task.kind, task.name))


def _unknown_param(task: Task, name: str, fields: dict[str, Field], base: DocumentPath) -> Diagnostic:
    detail = f"{task} sets it. `g8r modules show {task.kind}` shows what there is.{did_you_mean(name, fields)}"
    return error("unknown-param", f'{task.kind} has no param "{name}"', detail, (*base, name))


def _takes(field: Field | None, wanted: fitting.ValueType) -> str:
    return (field and _expected(field.annotation)) or fitting.word(wanted)


def _expected(annotation: Any) -> str | None:  # noqa: ANN401 a type
    """What the annotation says it takes, in words, where it does."""
    for metadata in getattr(annotation, "__metadata__", ()):
        if isinstance(metadata, msgspec.Meta) and metadata.extra and "expected" in metadata.extra:
            return str(metadata.extra["expected"])
    return next((words for part in get_args(annotation) if (words := _expected(part))), None)


def _shown(value: Partial) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
