"""The planner: what the agents found, and what the ledger knows, become the steps of a plan. Pure.

The order is that of the graph; what is removed comes last, in reverse of the order in which it came to be, and after what takes its
place. Triggers are steps of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from g8r.address import Address
from g8r.catalog import CatalogTask, Finding
from g8r.compiler import removals, triggers
from g8r.compiler.prune import Pruned
from g8r.diagnostics import Diagnostic, error
from g8r.plan import REPLACE_NOTE, Reason, Step, StepAction
from g8r.state import Intent, Resource, ResourceKey, State
from g8r.value import Document

_NOTED: Final = "the ledger takes note of what is there"


class Kind(msgspec.Struct, frozen=True):
    """What the planner must know of a kind: its version, the verb that each trigger meta-argument fires, and `Module.creates`."""

    version: int
    verbs: Mapping[str, str]
    creates: bool = True


class Ground(msgspec.Struct, frozen=True):
    """All that steps are made from. `tasks` are those to plan, in topological order; `findings` has one for each.

    `every` has the tasks outside of the selection, too; `replace` those that the user wants made anew, or run again. `seal` gives the
    params of a task with sensitive values sealed, and the names of those.
    """

    tasks: Mapping[Address, CatalogTask]
    findings: Mapping[Address, Finding]
    pruned: Pruned
    orphan_findings: Mapping[ResourceKey, Finding]
    state: State
    kinds: Callable[[str], Kind]
    seal: Callable[[CatalogTask], tuple[Document, tuple[str, ...]]]
    every: Mapping[Address, CatalogTask]
    replace: frozenset[Address] = frozenset()
    refresh_only: bool = False


class Steps(msgspec.Struct, frozen=True):
    """`diagnostics` forbid the plan as a whole where they are errors."""

    steps: tuple[Step, ...]
    barriers: dict[str, tuple[str, ...]]
    diagnostics: tuple[Diagnostic, ...]


def steps(ground: Ground) -> Steps:
    barriers = _barriers(ground)
    doubts = {intent.record.key: intent for intent in ground.state.intents if intent.action != "trigger"}
    feeds = triggers.feeds(ground.every, lambda kind: ground.kinds(kind).verbs)
    planned: dict[str, Step] = {}
    for address, task in ground.tasks.items():
        step = _task_step(ground, task, ground.findings[address], doubts)
        barrier = f"{address.host}/#packages"
        if task.after_packages and barrier in barriers:
            step = msgspec.structs.replace(step, after_steps=(*step.after_steps, barrier))
        planned[step.id] = msgspec.structs.replace(step, feeds=feeds[step.id]) if step.id in feeds else step
    debts = triggers.Debts(triggers.owed(ground.state, planned), triggers.doubts(ground.state, ground.replace))
    for address, task in ground.tasks.items():
        fired = triggers.trigger_steps(task, planned, debts, ground.kinds(address.kind).verbs)
        planned |= {step.id: step for step in fired}
    found = [*planned.values(), *removals.removal_steps(ground.pruned, ground.orphan_findings, planned)]
    if ground.refresh_only:
        records = ground.pruned.records
        found = [_refreshed(step, records.get(step.address)) for step in found if not step.verb and step.wish is None]
        barriers = {}
    return Steps(tuple(found), barriers, (*ground.pruned.diagnostics, *_prevented(found)))


def _barriers(ground: Ground) -> dict[str, tuple[str, ...]]:
    """For each host with pending packages, the point that comes after all of them."""
    found: dict[str, list[str]] = {}
    for address in ground.tasks:
        if address.kind == "package" and ground.findings[address].judgement in {"change", "unknown"}:
            found.setdefault(f"{address.host}/#packages", []).append(str(address))
    return {barrier: tuple(sorted(packages)) for barrier, packages in sorted(found.items())}


def _task_step(ground: Ground, task: CatalogTask, finding: Finding, doubts: Mapping[ResourceKey, Intent]) -> Step:
    address = task.address
    record = ground.pruned.records.get(address)
    doubt = doubts.get(ResourceKey(address.host, address.kind, task.identity))
    params, sealed = ground.seal(task)
    action = _action(finding)
    doubtful_run = _doubtful_run(doubt, record)
    in_doubt = bool(doubtful_run) and action != "no-op"
    if in_doubt and REPLACE_NOTE not in finding.because:
        action = "unknown"
    unread = finding.judgement == "blocked" and finding.before is None
    drifted = record is not None and record.version != 0 and record.state is not None and record.state != finding.before and not unread
    step = Step(
        id=str(address),
        address=address,
        identity=task.identity,
        action=action,
        judgement="unknown" if action == "unknown" else finding.judgement,
        reason=Reason("none"),
        version=ground.kinds(address.kind).version,
        params=params,
        sensitive_params=task.sensitive,
        sealed=sealed,
        before=finding.before,
        after=finding.after,
        unknown=finding.unknown,
        sensitive=finding.sensitive,
        expect=finding.expect,
        because=finding.because,
        needs=tuple(sorted({str(edge.before) for edge in task.edges if not edge.soft and edge.before in ground.tasks})),
        after_steps=tuple(sorted({str(edge.before) for edge in task.edges if edge.soft and edge.before in ground.tasks})),
        locks=task.claims.locks,
        claims=task.claims,
        created=ground.kinds(address.kind).creates and _created(finding, record, doubt),
        moved_from=str(record.address) if record is not None and record.address != address else None,
        satisfies=finding.satisfies,
        triggers={name: tuple(sorted(str(source) for source in sources)) for name, sources in sorted(task.triggers.items())},
        lifecycle=task.lifecycle,
        retry=task.retry,
        timeout=task.timeout,
        become=task.become,
        drifted=drifted,
        recorded=record.state if record is not None and drifted else None,
        outputs=finding.outputs,
        pulled_in=record.pulled_in if record is not None else (),
    )
    reason = _doubt(step, doubtful_run) if in_doubt and action == "unknown" else _reason(step, finding, record)
    return msgspec.structs.replace(step, reason=reason)


def _action(finding: Finding) -> StepAction:
    match finding.judgement:
        case "no-change":
            return "no-op"
        case "unknown":
            return "unknown"
        case "blocked":
            return "blocked"
        case "change":
            return finding.action or "update"


def _created(finding: Finding, record: Resource | None, doubt: Intent | None) -> bool:
    """Made by g8r: it is created now, was recorded so, or an unfinished run meant to create it and there it is."""
    if finding.before is None or finding.action in {"create", "replace", "run"}:
        return True
    if record is not None:
        return record.created
    return doubt is not None and doubt.record.created


def _doubtful_run(intent: Intent | None, record: Resource | None) -> str:
    """The run that began what must not be done twice, and whose end is not known; empty where there is none."""
    if intent is not None and intent.started and not intent.idempotent:
        return intent.run
    return record.doubt if record is not None else ""


def _doubt(step: Step, run: str) -> Reason:
    return Reason(
        "in-doubt",
        f"run {run} started it and its end is not known. Look at the host; then run it again with `--replace {step.address.task}`, "
        f"or let go of it with `g8r state forget {step.address}`",
    )


def _reason(step: Step, finding: Finding, record: Resource | None) -> Reason:
    match finding.judgement:
        case "blocked" | "unknown":
            return Reason("none", finding.reason)
        case "no-change":
            return _quiet_reason(step, record)
        case "change" if REPLACE_NOTE in finding.because:
            return Reason("requested", REPLACE_NOTE)
        case "change" if finding.action == "replace":
            return Reason("replaced", "; ".join(finding.because))
        case "change" if finding.before is None or (finding.action == "run" and record is None):
            return Reason("drift", "it is gone; g8r had made it") if step.drifted else Reason("new", "new")
        case "change":
            return _update_reason(step, record)


def _update_reason(step: Step, record: Resource | None) -> Reason:
    if record is not None and record.state is None and step.action == "run":
        return Reason("new", "new")
    if record is None or record.version == 0 or record.state is None:
        return Reason("adopted", "it exists already, and differs")
    if record.params != step.params:
        return Reason("changed", f"changed here: {', '.join(_changed_params(record, step))}")
    if step.drifted:
        return Reason("drift", "changed outside g8r")
    return Reason("changed", "a value that it refers to has changed")


def _changed_params(record: Resource, step: Step) -> list[str]:
    names = record.params.keys() | step.params.keys()
    return sorted(name for name in names if record.params.get(name) != step.params.get(name))


def _quiet_reason(step: Step, record: Resource | None) -> Reason:
    """Why the ledger must be written though the host is as wanted; `none` where it need not be."""
    if record is None and step.before is None:
        return Reason("none")
    if record is None or record.version == 0 or record.state is None:
        return Reason("adopted", "it is as wanted already; g8r takes note of it")
    if step.moved_from is not None:
        return Reason("moved", f"was {step.moved_from}")
    ledger = (record.state, record.params, record.version, record.created, record.needs, record.lifecycle, record.triggers, record.claims)
    now = (step.after, step.params, step.version, step.created, step.needs, step.lifecycle, step.triggers, step.claims)
    return Reason("none") if ledger == now else Reason("refreshed", _NOTED)


def _refreshed(step: Step, record: Resource | None) -> Step:
    """Of a refresh-only plan: nothing is done, the ledger takes note of what is there. What is wanted but was not applied is no news."""
    noted = step.drifted or (step.judgement == "no-change" and step.reason.code != "none")
    refreshed = msgspec.structs.replace(
        step,
        action="no-op",
        judgement="no-change",
        after=step.before,
        unknown=(),
        feeds=(),
        reason=Reason(step.reason.code if step.judgement == "no-change" else "refreshed", _NOTED) if noted else Reason("none"),
    )
    if record is None or step.judgement == "no-change":
        return refreshed
    return msgspec.structs.replace(refreshed, params=record.params, sealed=record.sealed, outputs=_outputs_of(record, step.before))


def _outputs_of(record: Resource, state: Document | None) -> Document:
    """The recorded outputs, brought up to the state: outputs copy its fields."""
    return {name: value if state is None else state.get(name, value) for name, value in record.outputs.items()}


def _prevented(planned: list[Step]) -> list[Diagnostic]:
    return [
        error(
            "prevent-destroy",
            f"{step.address} would be replaced",
            f"{step.reason.text}. Its lifecycle says prevent_destroy; remove that, or change what makes it a replace.",
            ("tasks", step.address.kind, step.address.name),
        )
        for step in planned
        if step.action == "replace" and step.lifecycle.prevent_destroy
    ]
