"""What the shell completes: addresses, kinds, verbs and workspaces. Whatever goes wrong here completes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from g8r import modules
from g8r.cli.session import Choice, Session
from g8r.diagnostics import RejectedError

if TYPE_CHECKING:
    from g8r.stack import Stack


def addresses(context: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """`KIND.NAME` of the stack's tasks; `HOST/KIND.NAME` once a slash is written, from what the ledger holds as well."""
    session = _session(context)
    try:
        return sorted({found for found in _addresses(session, hosts="/" in begun) if found.startswith(begun)})
    finally:
        session.close()


def kinds(_context: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [kind for kind in modules.KINDS if kind.startswith(begun)]


def verbs(context: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """The verbs of the address that stands before, or of all kinds."""
    kind = str(context.params.get("address") or "").rpartition("/")[2].partition(".")[0]
    known = [kind] if kind in modules.KINDS else modules.KINDS
    return sorted({verb for name in known for verb in modules.load(name).triggers.values() if verb.startswith(begun)})


def workspaces(context: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    session = _session(context)
    try:
        return sorted({workspace for _, workspace in session.store.ledgers() if workspace.startswith(begun)})
    except (RejectedError, OSError):
        return []
    finally:
        session.close()


def _session(context: click.Context) -> Session:
    given: dict[str, Any] = {name: value for name, value in context.params.items() if value is not None}
    state = given.get("state")
    return Session(
        Choice(source=Path(given.get("source", ".")), workspace=given.get("workspace", "default"), state=Path(state) if state else None)
    )


def _addresses(session: Session, *, hosts: bool) -> Iterator[str]:
    try:
        stack = session.load(whole=False).stack
        yield from _of_stack(stack) if hosts else (str(task) for task in stack.tasks)
        recorded = session.store.load(stack.name, session.choice.workspace).resources.values()
        yield from (str(resource.address) if hosts else resource.address.task for resource in recorded)
    except (RejectedError, OSError):
        return


def _of_stack(stack: Stack) -> Iterator[str]:
    from g8r.compiler import expand  # noqa: PLC0415 only this needs it

    placed, _ = expand.place(stack, expand.expand_hosts(stack, {})[0])
    yield from (f"{host}/{task}" for task, found in placed.items() for host in found)
