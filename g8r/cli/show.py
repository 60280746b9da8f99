"""g8r show."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from g8r.cli import options, saved
from g8r.cli.plan import show, show_json
from g8r.diagnostics import reject


@click.command("show")
@click.argument("planfile", metavar="[PLANFILE]", required=False, type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Markdown, for a comment on a pull request.")
@click.option("--full", is_flag=True, help="Show long texts whole.")
@options.json_option
@options.state_options
def command(*, planfile: Path | None, markdown: bool, full: bool, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Show a saved plan again. Without one, what the ledger of the stack in this folder holds (`g8r state list`).

    \b
    Examples:
      g8r show p.g8r
      g8r show p.g8r --json | jq '.resource_changes[].address'
      g8r show p.g8r --markdown > comment.md

    \b
    Exit codes: 0 shown; 1 error; 3 the plan file is damaged, edited, or of another state.
    """
    session = options.session({**chosen, "source": Path()})
    if planfile is None:
        if markdown or full:
            raise reject("usage", "--markdown and --full are of plans", "Name a plan file: `g8r plan -o p.g8r` makes one.")
        from g8r.cli.state import show_list  # noqa: PLC0415 not what this is mostly for

        return show_list(session, as_json=as_json)
    if not planfile.is_file():
        raise reject("no-plan", f"there is no plan file {planfile}", "`g8r plan -o FILE` makes one.")
    plan = saved.opened(session, planfile)
    if as_json:
        show_json(session, plan)
    elif markdown:
        from g8r.render import plan_markdown  # noqa: PLC0415 imports what only this needs

        sys.stdout.write(plan_markdown.render(plan))
    else:
        show(plan, full=full)
    return 0
