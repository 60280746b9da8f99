"""Making a plan: the compiled graph is matched with the ledger, observed on its hosts, and put into steps.

The one place where compiler and agents meet. It changes nothing anywhere ([P-pure]), and two calls with the same stack, state and
world differ only in the stamp ([P-same]).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from g8r import parameters
from g8r.address import Address
from g8r.catalog import Catalog, CatalogTask
from g8r.compiler import planner
from g8r.compiler.planner import Ground, Kind
from g8r.compiler.prune import Pruned, Scope, prune
from g8r.diagnostics import Diagnostic, DocumentPath, Span
from g8r.executor.agent import Agent
from g8r.executor.judge import Kinds
from g8r.executor.observe import observe
from g8r.executor.stack_outputs import known_outputs
from g8r.executor.survey import Outlook
from g8r.plan import Plan, Step
from g8r.reference import SecretReference, references
from g8r.state import State
from g8r.value import Document, Value


class Stamp(msgspec.Struct, frozen=True):
    """What makes this plan this plan: the only parts that may differ between two plans of the same things. RFC 3339, UTC."""

    id: str
    created: str
    expires: str
    g8r_version: str


class Request(msgspec.Struct, frozen=True):
    """What is asked for beside the stack. `covers` tells whether the selection includes an address; `kept` are the tasks in it."""

    workspace: str = "default"
    kept: frozenset[Address] | None = None
    covers: Callable[[Address], bool] = lambda _address: True
    replace: frozenset[Address] = frozenset()
    selection: dict[str, tuple[str, ...]] = {}
    destroy: bool = False
    refresh_only: bool = False
    allow_empty: bool = False


class Subject(msgspec.Struct, frozen=True):
    """What is planned: the parts of a compiled stack that a plan is made from.

    `tasks` are all of the graph in topological order, `catalogs` the same by host; `connections` says how hosts are reached;
    `selected` names the hosts that label selectors in references mean.
    """

    name: str
    config_digest: str
    tasks: Mapping[Address, CatalogTask]
    catalogs: Mapping[str, Catalog]
    declared: frozenset[str]
    hosts: dict[str, str]
    connections: dict[str, str]
    vars: Document = {}
    selected: dict[str, tuple[str, ...]] = {}
    outputs: Document = {}
    sensitive_outputs: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()


class Planned(msgspec.Struct, frozen=True):
    """The plan, and what forbids it where that is an error. `paths` lead from step ids back to the source."""

    plan: Plan
    diagnostics: tuple[Diagnostic, ...]
    paths: Mapping[str, DocumentPath]


Seal = Callable[[Value, str], str]
"""Seals a value for its place, an address and a param."""


def make_plan(
    subject: Subject, state: State, agents: Mapping[str, Agent], request: Request, stamp: Stamp, kinds: Kinds, seal: Seal
) -> Planned:
    tasks = {address: task for address, task in subject.tasks.items() if request.kept is None or address in request.kept}
    scope = Scope(frozenset(subject.hosts), subject.declared, _covers(request, subject.tasks), request.allow_empty, request.destroy)
    pruned = prune(subject.tasks, state, scope)
    surveyed = {} if request.destroy else tasks
    catalogs = {host: _part(catalog, surveyed) for host, catalog in subject.catalogs.items()}
    observation = observe(
        {host: catalog for host, catalog in catalogs.items() if catalog.tasks},
        agents,
        pruned.records,
        [(orphan.resource, orphan.wish) for orphan in pruned.orphans],
        Outlook(selected=subject.selected, replace=request.replace),
    )
    ground = Ground(
        tasks=surveyed,
        findings=observation.findings,
        pruned=_known_version(pruned, kinds),
        orphan_findings=observation.orphans,
        state=state,
        kinds=lambda kind: Kind(kinds(kind).version, kinds(kind).triggers, kinds(kind).creates),
        seal=lambda task: _sealed(task, kinds, seal),
        every=subject.tasks,
        replace=request.replace,
        refresh_only=request.refresh_only,
    )
    made = planner.steps(ground)
    plan = Plan(
        id=stamp.id,
        stack=subject.name,
        workspace=request.workspace,
        lineage=state.lineage,
        serial=state.serial,
        config_digest=subject.config_digest,
        created=stamp.created,
        expires=stamp.expires,
        g8r_version=stamp.g8r_version,
        steps=made.steps,
        barriers=made.barriers,
        hosts=dict(sorted(subject.hosts.items())),
        connections=dict(sorted(subject.connections.items())),
        vars=subject.vars,
        selected=subject.selected,
        selection=request.selection,
        stack_outputs={} if request.destroy else subject.outputs,
        known_outputs={} if request.destroy else known_outputs(subject.outputs, subject.selected, _outputs(made.steps, subject)),
        sensitive_outputs=subject.sensitive_outputs,
        blobs=subject.blobs,
        complete=not request.selection,
        destroy=request.destroy,
        refresh_only=request.refresh_only,
    )
    paths = {str(address): task.path for address, task in surveyed.items()}
    return Planned(plan, made.diagnostics, paths)


def with_spans(planned: Planned, locate: Callable[[Sequence[DocumentPath]], Mapping[DocumentPath, Span]]) -> Plan:
    """The plan with the source place of every step that does something."""
    steps = [step for step in planned.plan.steps if step.action != "no-op" and str(step.address) in planned.paths and step.wish is None]
    wanted = sorted({planned.paths[str(step.address)] for step in steps})
    found = locate(wanted) if wanted else {}
    if not found:
        return planned.plan
    ids = {step.id: found[planned.paths[str(step.address)]] for step in steps if planned.paths[str(step.address)] in found}
    return msgspec.structs.replace(planned.plan, steps=tuple(_placed(step, ids.get(step.id)) for step in planned.plan.steps))


def _outputs(steps: Sequence[Step], subject: Subject) -> dict[Address, Document]:
    """What tasks put out, as far as the steps know; nothing is gathered where the stack has no outputs."""
    return {step.address: step.outputs for step in steps if step.outputs and not step.verb} if subject.outputs else {}


def _covers(request: Request, tasks: Mapping[Address, CatalogTask]) -> Callable[[Address], bool]:
    """Whether an address is in the selection: of a task, if it was kept; one that only the ledger knows, if it was asked for."""
    kept = request.kept
    return request.covers if kept is None else lambda address: address in kept if address in tasks else request.covers(address)


def _placed(step: Step, span: Span | None) -> Step:
    return step if span is None else msgspec.structs.replace(step, span=span)


def _part(catalog: Catalog, kept: Mapping[Address, CatalogTask]) -> Catalog:
    if all(task.address in kept for task in catalog.tasks):
        return catalog
    pairs = [(task, wave) for task, wave in zip(catalog.tasks, catalog.waves, strict=True) if task.address in kept]
    return Catalog(catalog.host, catalog.address, tuple(task for task, _ in pairs), tuple(wave for _, wave in pairs))


def _known_version(pruned: Pruned, kinds: Kinds) -> Pruned:
    """Records that another version of a kind made are of no use to compare with: only that they are there counts."""
    records = {
        address: record
        if record.version in {0, kinds(address.kind).version}
        else msgspec.structs.replace(record, version=0, params={}, sealed=(), state=None)
        for address, record in pruned.records.items()
    }
    return msgspec.structs.replace(pruned, records=records)


def _sealed(task: CatalogTask, kinds: Kinds, seal: Seal) -> tuple[Document, tuple[str, ...]]:
    names = parameters.sensitive_fields(kinds(task.address.kind), task.sensitive) & task.params.keys()
    if not names:
        return task.params, ()
    sealed = tuple(sorted(name for name in names if not _is_secret(task.params[name])))
    return {**task.params, **{name: seal(task.params[name], f"{task.address}.{name}") for name in sealed}}, sealed


def _is_secret(value: Value) -> bool:
    """Whether nothing of the value need be hidden, since all that is secret in it is referred to."""
    return any(isinstance(reference, SecretReference) for reference in references(value))
