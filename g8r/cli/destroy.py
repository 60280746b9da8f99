"""g8r destroy."""

from __future__ import annotations

from typing import Any

import click

from g8r.cli import console, options
from g8r.cli.apply import How, planned


@click.command("destroy")
@options.source_argument
@click.option("--yes", "--auto-approve", "-y", "yes", is_flag=True, help="Do not ask.")
@click.option("--skip-blocked", is_flag=True, help="Remove what can be, and leave what is blocked.")
@options.parallelism_option
@options.json_option
@options.policy_option
@options.selection_options
@options.source_options
@options.state_options
def command(*, yes: bool, skip_blocked: bool, parallelism: int, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Remove what g8r created, after asking, and forget what it adopted. `g8r plan --destroy` only shows it.

    \b
    Examples:
      g8r destroy
      g8r destroy --target file.motd --yes

    \b
    Exit codes: as of `g8r apply`.
    """
    session = options.session({**chosen, "destroy": True})
    with console.streaming(as_json=as_json) as stream:
        how = How(parallelism=parallelism, skip_blocked=skip_blocked, stream=stream)
        return planned(session, how, yes=yes, question="Do you really want to destroy all of this? It cannot be undone.")
