"""Links that users write: `needs`, the trigger lists and `moved_from`, parsed and checked.

Decided here: `file.a` means the task on the same host, and must be there; `web1/file.a` names the host, any host. A trigger's
sources come before the task itself too, so that nginx starts with its new file, but softly: see `graph`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from g8r import address
from g8r.address import TaskName
from g8r.catalog import EdgeReason
from g8r.compiler.references import Link, Scope, unreachable
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error
from g8r.module import AnyModule
from g8r.stack import Task


class Written(msgspec.Struct, frozen=True):
    """What a task's meta-arguments say of other tasks. `triggers` is keyed by meta-argument (`reload_on`)."""

    links: tuple[Link, ...] = ()
    triggers: dict[str, tuple[TaskName, ...]] = {}
    moved_from: tuple[TaskName, ...] = ()


def written(task: Task, module: AnyModule, scope: Scope) -> tuple[Written, tuple[Diagnostic, ...]]:
    """The links of one task; those that are wrong are left out, with a diagnostic each."""
    diagnostics: list[Diagnostic] = []
    links: list[Link] = []
    for name, path in _named(task, "needs", task.meta.needs, scope, diagnostics):
        links.append(_link(name, "needs", "", path))
    triggers: dict[str, tuple[TaskName, ...]] = {}
    for key, sources in sorted(task.meta.triggers.items()):
        argument = trigger_argument(module, key)
        named = _named(task, argument, sources, scope, diagnostics)
        own = [path for name, path in named if name.host is None and f"{name.kind}.{name.name}" == str(task)]
        diagnostics += [_fires_itself(task, argument, path) for path in own]
        triggers[argument] = tuple(dict.fromkeys(name for name, _ in named))
        links += [_link(name, "trigger", argument, path) for name, path in named]
    moved = _moved_from(task, scope, diagnostics)
    return Written(tuple(links), triggers, moved), tuple(diagnostics)


def trigger_argument(module: AnyModule, key: str) -> str:
    """The meta-argument of a trigger, `reload_on`, by that name or by the verb it fires, `reload`."""
    return next((argument for argument, verb in sorted(module.triggers.items()) if key in {argument, verb}), key)


def _named(
    task: Task, argument: str, texts: Iterable[str], scope: Scope, diagnostics: list[Diagnostic]
) -> list[tuple[TaskName, DocumentPath]]:
    """The tasks that a list names, each with its place; what is wrong with the others is added to `diagnostics`."""
    found: list[tuple[TaskName, DocumentPath]] = []
    for index, text in enumerate(texts):
        path: DocumentPath = ("tasks", task.kind, task.name, argument, index)
        name = address.parse(text)
        if name is None:
            diagnostics.append(_no_address(text, f"{argument} of {task}", path))
            continue
        known = f"{name.kind}.{name.name}"
        clause = f"{argument} of {task} names {text}"
        if known not in scope.placed and scope.flaws.may_declare(name.kind, name.name):
            continue
        if known not in scope.placed:
            detail = f"{clause}, and no task of this stack is called so.{did_you_mean(known, scope.placed)}"
            diagnostics.append(error("unknown-task", f'unknown task "{known}"', detail, path))
            continue
        missing = unreachable(known, name.host, scope.placed[str(task)], clause, scope)
        if missing:
            diagnostics.append(error(*missing, path))
            continue
        found.append((name, path))
    return found


def _moved_from(task: Task, scope: Scope, diagnostics: list[Diagnostic]) -> tuple[TaskName, ...]:
    found: list[TaskName] = []
    for index, text in enumerate(task.meta.moved_from):
        path: DocumentPath = ("tasks", task.kind, task.name, "moved_from", index)
        name = address.parse(text)
        if name is None:
            diagnostics.append(_no_address(text, f"moved_from of {task}", path))
        elif name.kind != task.kind:
            detail = f"What is known of a {name.kind} means nothing to a {task.kind}. Remove the line: claims hand over what they share."
            diagnostics.append(error("moved-from-other-kind", f"{task} cannot have been {text}", detail, path))
        elif _still_there(task, name, scope):
            detail = f"moved_from of {task} says that {text} is what it was called before. Remove the one or the other."
            diagnostics.append(error("moved-from-exists", f"{text} is still declared", detail, path))
        else:
            found.append(name)
    return tuple(found)


def _still_there(task: Task, name: TaskName, scope: Scope) -> bool:
    hosts = {name.host} if name.host else set(scope.placed[str(task)])
    return not hosts.isdisjoint(scope.placed.get(f"{name.kind}.{name.name}", ()))


def _link(name: TaskName, reason: EdgeReason, note: str, path: DocumentPath) -> Link:
    return Link(f"{name.kind}.{name.name}", name.host, reason, note, soft=reason == "trigger", path=path)


def _fires_itself(task: Task, argument: str, path: DocumentPath) -> Diagnostic:
    detail = (
        f"{argument} lists the tasks whose changes fire it, and {task} cannot wait for itself. Name the task that changes, or remove it."
    )
    return error("fires-itself", f"{argument} of {task} names itself", detail, path)


def _no_address(text: str, where: str, path: DocumentPath) -> Diagnostic:
    detail = f"{where} holds it. A task is named KIND.NAME, such as file.motd, or HOST/KIND.NAME."
    return error("invalid-address", f'"{text}" names no task', detail, path)
