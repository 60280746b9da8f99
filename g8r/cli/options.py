"""Options that several commands share, and the `Choice` they add up to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from g8r.cli import completing
from g8r.cli.session import Choice, Session

F = TypeVar("F", bound=Callable[..., Any])


def _variables(_context: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        pairs.append((name, value))
    return tuple(pairs)


def _workspace(_context: click.Context, _param: click.Parameter, given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", given):
        raise click.BadParameter(f"{given!r} is no name of a workspace: letters, digits, '.', '_' and '-'")
    return given


_FILE = click.Path(path_type=Path)

_REACH = (
    click.option(
        "--import-path", "import_paths", multiple=True, type=_FILE, metavar="DIR", help="Where Nickel imports are looked for, too."
    ),
    click.option("--root", type=_FILE, metavar="DIR", help="What the stack may read; its git repository, or else its folder, by default."),
)

_SOURCE = (
    click.option(
        "--var", "variables", multiple=True, callback=_variables, metavar="NAME=VALUE", help="Set a var of the stack; may be repeated."
    ),
    click.option(
        "--vars", "variable_files", multiple=True, type=_FILE, metavar="FILE", help="Set vars from a file (ncl, yaml, json, toml)."
    ),
    *_REACH,
)

_STATE = (
    click.option(
        "--workspace",
        "-w",
        default="default",
        envvar="G8R_WORKSPACE",
        show_default=True,
        callback=_workspace,
        shell_complete=completing.workspaces,
        help="Which ledger of this stack.",
    ),
    click.option("--state", type=_FILE, envvar="G8R_STATE", metavar="DIR", help="Where the ledger is; .g8r beside the stack by default."),
)

_SELECTION = (
    click.option("--on", metavar="SELECTOR", help='Only these hosts: a name or glob, or labels such as "role=web,env!=dev".'),
    click.option(
        "--target",
        multiple=True,
        metavar="ADDR",
        shell_complete=completing.addresses,
        help="Only this task and what it needs; a glob may be given.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="ADDR",
        shell_complete=completing.addresses,
        help="Not this task, nor what needs it; a glob may be given.",
    ),
)

_PLANNING = (
    click.option(
        "--replace",
        multiple=True,
        metavar="ADDR",
        shell_complete=completing.addresses,
        help="Make this task's resource anew, or run its command again.",
    ),
    click.option("--refresh-only", is_flag=True, help="Change nothing; only take note of what is there."),
    click.option("--allow-empty", is_flag=True, help="Allow a stack without tasks, or a selector that stopped matching, to destroy."),
)


def _all(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def source_argument(function: F) -> F:
    """STACK, a file or folder."""
    return click.argument("source", metavar="[STACK]", default=".", type=_FILE)(function)


def address_argument(function: F) -> F:
    """ADDR, completed from the stack."""
    return click.argument("address", metavar="ADDR", shell_complete=completing.addresses)(function)


def source_options(function: F) -> F:
    return _all(function, _SOURCE)


def reach_options(function: F) -> F:
    """What a stack may read, beside its repository."""
    return _all(function, _REACH)


def state_options(function: F) -> F:
    return _all(function, _STATE)


def selection_options(function: F) -> F:
    return _all(function, _SELECTION)


def planning_options(function: F) -> F:
    return _all(function, _PLANNING)


def policy_option(function: F) -> F:
    return click.option(
        "--policy", "policies", multiple=True, type=_FILE, metavar="FILE", help="Check these policies, too; may be repeated."
    )(function)


def parallelism_option(function: F) -> F:
    return click.option(
        "--parallelism", default=10, show_default=True, type=click.IntRange(1, 1000), metavar="N", help="Steps at once on each host."
    )(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")(function)


def session(chosen: dict[str, Any]) -> Session:
    """The session for the options that a command was given; the ones that are no part of a Choice are left alone."""
    made = Session(Choice(**{name: value for name, value in chosen.items() if name in Choice.__struct_fields__}))
    click.get_current_context().call_on_close(made.close)
    return made
