"""g8r explain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from g8r import modules, parameters
from g8r.cli import console, ledgers, options, places
from g8r.cli.session import Session
from g8r.compiler.selection import address_matches
from g8r.render.explain_text import Explained, Origin, Param, Tie
from g8r.value import MASK

if TYPE_CHECKING:
    from g8r.address import Address
    from g8r.catalog import CatalogTask, Edge
    from g8r.compiler.evaluate import Loaded
    from g8r.diagnostics import DocumentPath
    from g8r.plan import Plan
    from g8r.stack import Task

OF_REASON = {"needs": "needs"}
"""Reasons of edges, and the field of the task that says so."""


@click.command("explain")
@options.address_argument
@options.source_argument
@options.json_option
@options.source_options
@options.state_options
def command(*, address: str, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Tell all about one task: its params and what they came to, vars and where they are from, what comes before and after it and why,
    its claims, what the ledger knows, and what the next plan would do. Only reads.

    \b
    Examples:
      g8r explain file.motd
      g8r explain web1/service.nginx

    \b
    Exit codes: 0 done; 1 error.
    """
    session = options.session(chosen)
    planned, loaded = session.plan(durable=False)
    console.tell(planned.diagnostics)
    found = [known for known in session.compiled.graph.tasks if address_matches(address, known)]
    if not found:
        raise ledgers.unknown(address, session.compiled.graph.tasks, "No task of this stack is called so, or it is on no host.")
    shown = found if as_json else found[:1]
    told = [explained(session, loaded, planned.plan, name) for name in shown]
    loaded.close()
    if as_json:
        console.write_json([msgspec.to_builtins(one) for one in told])
        return 0
    from g8r.render import explain_text  # noqa: PLC0415 imports what only this needs

    console.write(explain_text.render(told[0], console.palette(sys.stdout)))
    if len(found) > 1:
        others = ", ".join(name.host for name in found[1:6]) + (", ..." if len(found) > len(shown) + 5 else "")
        console.write(f"\nThis is of {found[0].host}; the task is on {others} too. `g8r explain HOST/{found[0].task}` tells of another.\n")
    return 0


def explained(session: Session, loaded: Loaded, plan: Plan, address: Address) -> Explained:
    """All that is known of the task on that host."""
    compiled = session.compiled
    task = compiled.graph.tasks[address]
    written = next(one for one in loaded.stack.tasks if str(one) == address.task)
    after = [(name, edge) for name, other in compiled.graph.tasks.items() for edge in other.edges if edge.before == address]
    step = next((one for one in plan.steps if one.id == str(address)), None)
    state = session.store.load(plan.stack, plan.workspace)
    record = next((one for one in state.resources.values() if one.address == address), None)
    return Explained(
        address=str(address),
        identity=task.identity,
        declared=_place(loaded, task.path),
        params=_params(task, written, loaded),
        vars=_origins(session, loaded, address.host),
        before=tuple(_tie(loaded, edge, edge.before, _because(task, edge)) for edge in sorted(task.edges)),
        after=tuple(_tie(loaded, edge, name, _because(compiled.graph.tasks[name], edge)) for name, edge in sorted(after)),
        after_packages=task.after_packages,
        claims=task.claims,
        triggers={name: tuple(str(source) for source in sources) for name, sources in sorted(task.triggers.items())},
        record=record,
        owed=tuple(sorted(debt.verb for debt in state.owed if debt.address == address)),
        step=step,
    )


def _params(task: CatalogTask, written: Task, loaded: Loaded) -> tuple[Param, ...]:
    module = modules.load(task.address.kind)
    hidden = parameters.sensitive_fields(module, task.sensitive)
    found = []
    for field in parameters.fields(module):
        value = task.params.get(field.name, field.default)
        given = field.name in written.params
        found.append(
            Param(
                name=field.name,
                value=MASK if field.name in hidden and value is not None else value,
                origin="set" if given else "default" if field.name not in task.params else "filled in",
                written=written.params[field.name] if given and field.name not in hidden and written.params[field.name] != value else None,
                place=_place(loaded, (*task.path, field.name)) if given else "",
            )
        )
    return tuple(found)


def _origins(session: Session, loaded: Loaded, host: str) -> tuple[Origin, ...]:
    known = session.compiled.hosts[host]
    found = []
    for name, paths in sorted(known.origins.items()):
        value: Any = known.vars
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        layers = tuple(_layer(path) for path in paths)
        found.append(Origin(name, value, layers[-1], layers[:-1], _place(loaded, paths[-1])))
    return tuple(found)


def _layer(path: DocumentPath) -> str:
    """Who set a var: the stack, a group, the host."""
    match path:
        case ("groups", group, *_):
            return f"group {group}"
        case ("hosts", host, *_):
            return f"host {host}"
        case _:
            return "the stack"


def _because(task: CatalogTask, edge: Edge) -> DocumentPath:
    """What in the source makes that edge: the param or meta-argument of the task that comes later."""
    match edge.reason:
        case "needs":
            return (*task.path, "needs")
        case "trigger":
            names = [name for name, sources in sorted(task.triggers.items()) if edge.before in sources]
            return (*task.path, *names[:1])
        case "reference":
            names = [name for name, value in sorted(task.params.items()) if edge.before.task in str(value)]
            return (*task.path, *names[:1])
        case _:
            return task.path


def _tie(loaded: Loaded, edge: Edge, other: Address, path: DocumentPath) -> Tie:
    return Tie(str(other), edge.reason, edge.note, edge.soft, _place(loaded, path))


def _place(loaded: Loaded, path: DocumentPath) -> str:
    found = places.located(loaded, [path])
    return str(found[path]) if path in found else ""
