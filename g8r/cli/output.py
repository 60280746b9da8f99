"""g8r output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from g8r.cli import console, options
from g8r.cli.ledgers import state_of
from g8r.diagnostics import did_you_mean, reject

if TYPE_CHECKING:
    from g8r.state import State
    from g8r.value import Value


@click.command("output")
@click.argument("name", required=False)
@click.option("--stack", "-s", "source", default=".", metavar="STACK", type=click.Path(path_type=Path), help="The stack: a file or folder.")
@click.option("--raw", is_flag=True, help="The value of NAME alone, as it is, for scripts: a text, number or boolean.")
@options.json_option
@options.source_options
@options.state_options
def command(*, name: str | None, raw: bool, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Show the stack's outputs, as the last apply left them.

    \b
    Examples:
      g8r output
      g8r output url --raw
      g8r output --json | jq -r .url.value

    \b
    Exit codes: 0 done; 1 error, an unknown output too.
    """
    if raw and (name is None or as_json):
        raise reject("usage", "--raw shows one output", "Name it, and leave out --json: `g8r output NAME --raw`.")
    state = state_of(options.session(chosen))
    if name is not None:
        return _one(state, name, raw=raw, as_json=as_json)
    if as_json:
        console.write_json({key: _described(state, key) for key in sorted(state.outputs)})
        return 0
    from g8r.render import state_text  # noqa: PLC0415 imports what only this needs

    console.write(state_text.outputs(state.outputs, state.sensitive_outputs, console.palette(sys.stdout)))
    return 0


def _one(state: State, name: str, *, raw: bool, as_json: bool) -> int:
    if name not in state.outputs:
        detail = f"The stack has no output of that name that an apply has settled.{did_you_mean(name, state.outputs)}"
        raise reject("unknown-output", f'unknown output "{name}"', detail)
    value = state.outputs[name]
    if raw:
        console.write(_raw(name, value))
    elif as_json:
        console.write_json(value)
    else:
        console.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    return 0


def _raw(name: str, value: Value) -> str:
    match value:
        case str():
            return value
        case bool() | int() | float():
            return msgspec.json.encode(value).decode()
        case _:
            raise reject(
                "not-raw",
                f"the output {name} is no plain value",
                f"Only texts, numbers and booleans can be shown with --raw. Use `g8r output {name} --json`.",
            )


def _described(state: State, name: str) -> dict[str, Any]:
    from g8r.render.progress_json import type_of  # noqa: PLC0415 imports what only this needs

    hidden = name in state.sensitive_outputs
    value = state.outputs[name]
    return {"sensitive": hidden, "type": type_of(value), **({} if hidden else {"value": value})}
