"""g8r modules list, g8r modules show."""

from __future__ import annotations

import sys
from typing import Any

import click

from g8r import modules
from g8r.cli import completing, console, options
from g8r.diagnostics import did_you_mean, reject


@click.group("modules")
def command() -> None:
    r"""List the kinds of resources, and show what each takes.

    \b
    Examples:
      g8r modules list
      g8r modules show file
    """


@command.command("list")
@options.json_option
def list_(*, as_json: bool) -> int:
    r"""List the kinds, a line each.

    \b
    Examples:
      g8r modules list
      g8r modules list --json
    """
    kinds = [modules.load(kind) for kind in modules.KINDS]
    if as_json:
        console.write_json([{"kind": module.kind, "summary": module.summary, "version": module.version} for module in kinds])
        return 0
    from g8r.render import kind_pages  # noqa: PLC0415 imports what only this needs

    console.write(kind_pages.listing(kinds, console.palette(sys.stdout)))
    return 0


@command.command("show")
@click.argument("kind", shell_complete=completing.kinds)
@click.option("--markdown", is_flag=True, help="The reference page, in Markdown.")
@options.json_option
def show(*, kind: str, markdown: bool, as_json: bool) -> int:
    r"""Show the params, outputs and triggers of a kind, with an example.

    \b
    Examples:
      g8r modules show service
      g8r modules show file --markdown > file.md
    """
    if kind not in modules.KINDS:
        detail = f"There are {', '.join(modules.KINDS)}.{did_you_mean(kind, modules.KINDS)}"
        raise reject("unknown-kind", f'unknown kind "{kind}"', detail)
    from g8r.render import kind_pages  # noqa: PLC0415 imports what only this needs

    module = modules.load(kind)
    if as_json:
        console.write_json(described(kind))
    elif markdown:
        sys.stdout.write(kind_pages.reference(module))
    else:
        console.write(kind_pages.text(module, console.palette(sys.stdout)))
    return 0


def described(kind: str) -> dict[str, Any]:
    """A kind as JSON."""
    from g8r import parameters  # noqa: PLC0415 imports what only this needs
    from g8r.render import kind_pages  # noqa: PLC0415

    module = modules.load(kind)
    params = {
        field.name: {
            "takes": kind_pages.type_words(field),
            "required": field.required and field.name != module.natural,
            "default": field.default,
            "doc": field.doc,
            "known": field.known,
            "sensitive": field.sensitive,
        }
        for field in parameters.fields(module)
    }
    return {
        "kind": kind,
        "summary": module.summary,
        "version": module.version,
        "natural": module.natural,
        "params": params,
        "outputs": dict(kind_pages.outputs_of(module)),
        "triggers": dict(module.triggers),
    }
