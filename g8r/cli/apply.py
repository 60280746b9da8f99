"""g8r apply."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from g8r.cli import console, options
from g8r.cli.session import Session
from g8r.diagnostics import reject
from g8r.outcome import Failure, Stale
from g8r.plan import Plan

STALE = 3
INTERRUPTED = 130


@click.command("apply")
@options.source_argument
@click.option("--yes", "--auto-approve", "-y", "yes", is_flag=True, help="Do not ask.")
@click.option("--resume", is_flag=True, help="Go on with the last run, which did not get done.")
@click.option("--skip-blocked", is_flag=True, help="Apply what can be, and leave out what is blocked.")
@options.parallelism_option
@options.json_option
@options.planning_options
@options.selection_options
@options.source_options
@options.state_options
def command(*, source: Path, yes: bool, resume: bool, skip_blocked: bool, parallelism: int, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Make the machine as the stack says: plan, ask, apply. With a saved plan, do exactly that plan.

    \b
    Examples:
      g8r apply
      g8r apply p.g8r
      g8r apply --yes --var env=prod
    """
    if resume:
        return resumed(options.session({**chosen, "source": source}), parallelism=parallelism, as_json=as_json)
    if source.is_file() and _is_plan(source):
        return saved(
            options.session({**chosen, "source": source}), source, skip_blocked=skip_blocked, parallelism=parallelism, as_json=as_json
        )
    session = options.session({**chosen, "source": source})
    return planned(session, yes=yes, skip_blocked=skip_blocked, parallelism=parallelism, as_json=as_json, question="Apply this plan?")


def planned(session: Session, *, yes: bool, skip_blocked: bool, parallelism: int, as_json: bool, question: str) -> int:
    """Plan, ask, apply; one lease over all of it."""
    from g8r.cli.applying import leased  # noqa: PLC0415 imports what only applying needs
    from g8r.executor.planning import with_spans  # noqa: PLC0415

    with leased(session, "apply") as lease:
        made, loaded = session.plan(durable=True)
        plan = with_spans(made, session.places(loaded))
        console.tell(made.diagnostics)
        loaded.close()
        if not as_json:
            _show(plan)
        _refuse_blocked(plan, skip_blocked=skip_blocked)
        if plan.summary().any and not yes and not _agreed(question, as_json=as_json):
            console.write("Nothing was changed.\n")
            return 1
        return _perform(session, plan, lease, parallelism=parallelism, as_json=as_json)


def saved(session: Session, file: Path, *, skip_blocked: bool, parallelism: int, as_json: bool) -> int:
    """Apply a saved plan: its stack is not read."""
    from g8r.cli.applying import check, leased  # noqa: PLC0415 imports what only applying needs
    from g8r.executor import plan_file, sealing  # noqa: PLC0415

    plan, blobs = plan_file.read(file, sealing.load_key(session.state_folder / "key"))
    session.adopt_blobs(blobs)
    session = _in_workspace(session, plan)
    with leased(session, "apply") as lease:
        check(plan, session, session.store.load(plan.stack, plan.workspace))
        _refuse_blocked(plan, skip_blocked=skip_blocked)
        session.agents_by_host = session.agents(dict(plan.connections))
        return _perform(session, plan, lease, parallelism=parallelism, as_json=as_json)


def resumed(session: Session, *, parallelism: int, as_json: bool) -> int:
    """Go on with the last run of this stack, with its own plan ([A-resume])."""
    from g8r.cli.applying import leased  # noqa: PLC0415 imports what only applying needs

    with leased(session, "apply --resume") as lease, session.load() as loaded:
        runs = session.store.runs(loaded.stack.name, session.choice.workspace, 1)
        if not runs:
            raise reject("nothing-to-resume", "there is no run to resume", "Start one with `g8r apply`.")
        plan = session.store.plan_of(runs[0].id)
        session.adopt_blobs(session.store.blobs_of(runs[0].id))
        session.key(make=True)
        session.agents_by_host = session.agents(dict(plan.connections))
        return _perform(session, plan, lease, parallelism=parallelism, as_json=as_json, resume=runs[0].id)


def _perform(session: Session, plan: Plan, lease: Any, *, parallelism: int, as_json: bool, resume: str | None = None) -> int:  # noqa: ANN401 a Lease
    from g8r.cli.applying import perform  # noqa: PLC0415 imports what only applying needs

    listen = console.listener(as_json=as_json, plan=plan)
    report = perform(session, plan, session.agents_by_host, lease, listen, parallelism=parallelism, resume=resume)
    if report.status == "interrupted":
        return INTERRUPTED
    if report.status == "done":
        return 0
    outcomes = list(report.outcomes.values())
    only_stale = any(isinstance(outcome, Stale) for outcome in outcomes) and not any(isinstance(outcome, Failure) for outcome in outcomes)
    return STALE if only_stale else 1


def _show(plan: Plan) -> None:
    from g8r.cli.plan import show  # noqa: PLC0415 shares its look

    show(plan)


def _refuse_blocked(plan: Plan, *, skip_blocked: bool) -> None:
    if plan.blocked and not skip_blocked:
        names = ", ".join(step.id for step in plan.blocked[:5])
        detail = f"{names}. Mend that first, or apply the rest with --skip-blocked."
        raise reject("blocked", f"the plan is blocked in {len(plan.blocked)} place{'s' if len(plan.blocked) > 1 else ''}", detail)


def _agreed(question: str, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise reject("not-approved", "nobody can be asked to approve the plan", "Apply a saved plan, or say --yes.")
    return click.confirm(f"\n{question}", default=False)


def _is_plan(file: Path) -> bool:
    """A zip, or named as one of ours: a damaged plan file must not be taken for a stack."""
    if file.suffix == ".g8r":
        return True
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"


def _in_workspace(session: Session, plan: Plan) -> Session:
    """The session of the plan's own workspace: a plan says itself where it belongs."""
    import msgspec  # noqa: PLC0415 for one call

    session.choice = msgspec.structs.replace(session.choice, workspace=plan.workspace)
    return session
