"""The entry point: the command group, with every command imported only when it is asked for, and the last word on errors."""

from __future__ import annotations

import gc
import importlib
import io
import itertools
import os
import signal
import sys
from typing import Any, Final

import click

import g8r

COMMANDS: Final = {
    "init": "a commented starter stack that plans cleanly",
    "validate": "check a stack: all errors, each with its line",
    "test": "run the tests beside a stack, on fake hosts",
    "plan": "show what would change, and why",
    "show": "show a saved plan again",
    "apply": "make the machine as the stack says",
    "drift": "show what has changed outside g8r",
    "destroy": "remove what g8r created",
    "history": "list past runs",
    "output": "show the stack's outputs",
    "explain": "tell all about one task: params, edges, vars, why",
    "trigger": "fire a task's trigger by hand",
    "state": "look into the ledger, and mend it",
    "graph": "draw the task graph",
    "modules": "list the kinds, and what each takes",
    "schema": "write contracts for Nickel, and a JSON schema for editors",
    "completion": "print shell completion for bash, zsh or fish",
}

EXIT_ERROR: Final = 1
EXIT_INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Commands by name; the file of one is imported when it is run or its help is shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click's signature
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"g8r.cli.{cmd_name}").command
        _keep_paragraphs(found)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 click's signature
        """As click does, without importing every command for its one line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as unknown:
            from g8r.diagnostics import did_you_mean  # noqa: PLC0415 only errors need it

            raise click.UsageError(f"{unknown.message.rstrip('.')}.{did_you_mean(args[0], COMMANDS)}", ctx) from None


def _version(context: click.Context, _param: click.Parameter, asked: bool) -> None:  # noqa: FBT001 click gives it so
    if not asked or context.resilient_parsing:
        return
    from g8r.compiler import jail  # noqa: PLC0415 only this needs it

    click.echo(f"g8r {g8r.__version__}\na stack is kept to its root by {jail.layer()}")
    context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version, and what confines evaluation."
)
@click.option("--chdir", "-C", type=click.Path(exists=True, file_okay=False), help="Work as if started in this folder.")
@click.option("--no-color", is_flag=True, help="No colours, no live progress (as with NO_COLOR set).")
def main(chdir: str | None, no_color: bool) -> None:  # noqa: FBT001 click gives it so
    r"""g8r ("gator") makes machines as a stack says: plan shows what would change, apply does exactly that.

    A stack is a file or a folder with main.ncl, main.yaml, main.json or main.toml in it; the current folder where none is given.

    \b
    Examples:
      g8r init mysite && cd mysite
      g8r plan -o p.g8r
      g8r apply p.g8r

    \b
    Exit codes: 0 done or nothing to do; 1 error; 2 there are changes (with --detailed-exitcode);
    3 the plan is stale or refused; 130 interrupted.
    """
    if chdir:
        os.chdir(chdir)
    if no_color:
        os.environ["NO_COLOR"] = "1"


def _keep_paragraphs(command: click.Command) -> None:
    """Have click leave alone what a help text marks as laid out: docstrings are raw, so in them the mark stands as two characters."""
    if command.help:
        command.help = command.help.replace("\\b\n", "\b\n")
    if isinstance(command, click.Group) and not isinstance(command, LazyGroup):
        for inner in command.commands.values():
            _keep_paragraphs(inner)


_keep_paragraphs(main)


def run() -> None:
    """The console script. No traceback reaches a user; a bug's is kept in a file that the message names."""
    gc.disable()  # a command is short and its graphs live to its end; `apply` turns it on again before a run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    gc.set_threshold(100_000, 20, 100)  # a command is short: collecting while it imports and compiles is a tenth of its time
    code = _run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to do: a Ctrl-C from here on just ends it
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", arguments)
    try:
        code = _ran(arguments, as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unheard()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return EXIT_INTERRUPTED
    except OSError as full:
        sys.stderr.write(f"error: cannot write the output: {full.strerror}\n")
        return _unheard()
    return code


def _ran(arguments: list[str], *, as_json: bool) -> int:
    try:
        result: Any = main.main(arguments, prog_name="g8r", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as mistake:
        if as_json:
            return _told(_usage(mistake), as_json=True)
        mistake.show()
        return EXIT_ERROR
    except (click.Abort, KeyboardInterrupt):
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 the last boundary: whatever it is, the user is told in words
        return _told(error, as_json=as_json)
    return result if isinstance(result, int) else 0


def _unheard() -> int:
    """Nobody reads on: what is still to be written goes nowhere, so that nothing complains at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_ERROR


def _usage(mistake: click.ClickException) -> Exception:
    from g8r.diagnostics import reject  # noqa: PLC0415 only errors need it

    context = getattr(mistake, "ctx", None)
    command = context.command_path if context is not None else "g8r"
    return reject("usage", mistake.format_message(), f"See `{command} --help`.")


def _told(error: Exception, *, as_json: bool) -> int:
    from g8r.cli import console  # noqa: PLC0415 only errors need it
    from g8r.diagnostics import RejectedError  # noqa: PLC0415

    code = EXIT_ERROR
    match error:
        case RejectedError():
            found, code = error.diagnostics, error.exit_code
        case OSError():
            name = f" {error.filename}" if error.filename else ""
            found = (console.failure("system", f"the system refuses{name}: {error.strerror or error}", "Nothing more was started."),)
        case MemoryError():
            found = (console.failure("memory", "there is not enough memory", "Nothing more was started."),)
        case _:
            found = (console.tell_bug(error),)
    if as_json:
        console.tell_json(found)
    else:
        console.tell(found)
    return code
