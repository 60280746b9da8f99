"""g8r drift."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from g8r.cli import console, options
from g8r.cli.plan import CHANGES

if TYPE_CHECKING:
    from g8r.plan import Plan


@click.command("drift")
@options.source_argument
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where there is drift.")
@click.option("--full", is_flag=True, help="Show long texts whole.")
@options.json_option
@options.selection_options
@options.source_options
@options.state_options
def command(*, detailed_exitcode: bool, full: bool, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Show what has changed on the hosts since g8r last recorded it. Only reads.

    `g8r apply` puts it back as the stack says, where the stack says anything of it; `g8r apply --refresh-only` takes note of it as it is.

    \b
    Examples:
      g8r drift
      g8r drift --detailed-exitcode || mail -s drift ops@example.org

    \b
    Exit codes: 0 done; 1 error; 2 there is drift, with --detailed-exitcode.
    """
    session = options.session(chosen)
    planned, loaded = session.plan(durable=False)
    loaded.close()
    console.tell(planned.diagnostics)
    plan = planned.plan
    if as_json:
        from g8r.render import plan_json  # noqa: PLC0415 imports what only this needs

        document = plan_json.render(plan)
        console.write_json({name: document[name] for name in ("format_version", "resource_drift") if name in document})
    else:
        _show(plan, full=full)
    return CHANGES if detailed_exitcode and any(step.drifted for step in plan.steps) else 0


def _show(plan: Plan, *, full: bool) -> None:
    from g8r.render import plan_text, style  # noqa: PLC0415 imports what only this needs

    palette = console.palette(sys.stdout)
    entries = plan_text.drift(plan)
    for entry in entries:
        console.write("\n".join(plan_text.drift_lines(entry, palette, full=full)) + "\n\n")
    unread = [step for step in plan.blocked if step.before is None]
    for step in unread:
        console.write(f"! {style.clean(step.id)} cannot be read: {style.clean(step.reason.text)}\n\n")
    number = sum(step.drifted for step in plan.steps)
    if number:
        told = "1 resource is not as g8r left it" if number == 1 else f"{number:,} resources are not as g8r left them"
        console.write(f"Drift: {told}.\n")
    else:
        console.write(f"No drift. {'What could be read' if unread else 'Everything recorded'} is as g8r left it.\n")
