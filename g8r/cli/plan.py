"""g8r plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from g8r.cli import console, options, places, policies
from g8r.cli.session import Session
from g8r.diagnostics import Diagnostic, errors
from g8r.plan import Plan

CHANGES = 2


@click.command("plan")
@options.source_argument
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save the plan, for `g8r apply FILE`.")
@click.option("--destroy", is_flag=True, help="Plan to remove all that g8r created.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where there are changes.")
@click.option("--full", is_flag=True, help="Show long texts whole.")
@options.json_option
@options.policy_option
@options.planning_options
@options.selection_options
@options.source_options
@options.state_options
def command(*, out: Path | None, detailed_exitcode: bool, full: bool, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Show what would change, and why. Nothing is changed.

    \b
    Examples:
      g8r plan
      g8r plan -o p.g8r && g8r apply p.g8r
      g8r plan --policy policies.ncl -o p.g8r
      g8r plan site.yaml --var env=prod --target service.nginx

    \b
    A plan that breaks a mandatory policy is shown and not saved.

    \b
    Exit codes: 0 planned; 1 error, something is blocked, or a mandatory policy is broken; 2 there are changes, with --detailed-exitcode.
    """
    session = options.session(chosen)
    plan, found = prepared(session, out=out)
    if errors(found) and not as_json:
        show(plan, full=full)
    policies.enforce(found, out=out)
    if as_json:
        show_json(session, plan)
    else:
        show(plan, full=full)
        if out is not None:
            console.write(f"\nSaved to {out}. Apply exactly this with: g8r apply {out}\n")
    if plan.blocked:
        return 1
    return CHANGES if detailed_exitcode and plan.summary().any else 0


def prepared(session: Session, *, out: Path | None) -> tuple[Plan, tuple[Diagnostic, ...]]:
    """The plan, with warnings told and source places filled in, and what policies say of it; saved where that was asked for and no
    mandatory policy is broken.
    """
    planned, loaded = session.plan(durable=out is not None)
    plan = places.placed(planned, loaded)
    console.tell(planned.diagnostics)
    found = policies.of_plan(session, loaded, plan)
    loaded.close()
    if out is not None and not errors(found):
        from g8r.executor import plan_file  # noqa: PLC0415 imports what only saving needs

        plan_file.write(out, plan, session.blobs(plan), session.key(make=True))
    return plan, found


def show(plan: Plan, *, full: bool = False) -> None:
    import sys  # noqa: PLC0415 for its stdout

    from g8r.render import plan_text  # noqa: PLC0415 imports what only this needs

    console.write(plan_text.render(plan, console.palette(sys.stdout), full=full))


def show_json(session: Session, plan: Plan) -> None:
    from g8r.render import plan_json  # noqa: PLC0415 imports what only this needs

    console.write_json(plan_json.render(plan, session.state(plan.stack).outputs))
