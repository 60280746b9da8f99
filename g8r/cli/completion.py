"""g8r completion."""

from __future__ import annotations

import click

from g8r.cli import console

VARIABLE = "_G8R_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> int:
    r"""Print the completion script of a shell, for the `g8r` command.

    \b
    Examples:
      g8r completion bash > ~/.local/share/bash-completion/completions/g8r
      g8r completion zsh > "${fpath[1]}/_g8r"
      g8r completion fish > ~/.config/fish/completions/g8r.fish
    """
    from click import shell_completion  # noqa: PLC0415 only this needs it

    found = shell_completion.get_completion_class(shell)
    assert found is not None  # noqa: S101 click has all three
    context = click.get_current_context().find_root()
    complete = found(context.command, {}, "g8r", VARIABLE)
    console.write(complete.source_template % complete.source_vars() + "\n")
    return 0
