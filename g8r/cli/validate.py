"""g8r validate."""

from __future__ import annotations

from typing import Any

import click
import msgspec

import g8r
from g8r.cli import console, options, places, policies
from g8r.cli.session import Session
from g8r.diagnostics import Diagnostic, RejectedError, errors
from g8r.value import Document

EVERY_PLACE = {"sarif", "github", "gitlab"}
"""Formats that annotate lines: for them every place is looked up, not only the first few."""


class Checked(msgspec.Struct, frozen=True):
    """What validation found: all messages, how much there is of a stack that is valid, and which policies were asked and which not."""

    diagnostics: tuple[Diagnostic, ...]
    tasks: int = 0
    hosts: int = 0
    asked: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@click.command("validate")
@options.source_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github", "gitlab"]),
    default="text",
    show_default=True,
    help="For whom.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@options.policy_option
@options.source_options
def command(*, form: str, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Check a stack: all errors at once, each with its line. Touches no host and needs no state.

    \b
    Examples:
      g8r validate
      g8r validate site.yaml --var env=prod
      g8r validate --policy policies.ncl
      g8r validate --format github    # annotates the lines of a pull request
      g8r validate --format sarif > g8r.sarif
      g8r validate --format gitlab > g8r-quality.json

    \b
    Exit codes: 0 the stack is valid, and breaks no mandatory policy; 1 it is not, or does.
    """
    form = "json" if as_json else form
    checked = check(options.session(chosen), every_place=form in EVERY_PLACE)
    _tell(checked, form)
    return 1 if errors(checked.diagnostics) else 0


def check(session: Session, *, every_place: bool) -> Checked:
    """Evaluate, decode and compile, without any facts: what hangs on them is left to the plan."""
    try:
        loaded = session.load(every_place=every_place)
    except RejectedError as rejected:
        return Checked((*rejected.diagnostics, *_unasked(session)))
    compiled = session.compile(loaded, {})
    located = loaded.located(compiled.diagnostics)
    if errors(located):
        loaded.close()
        return Checked((*located, *_unasked(session)))
    judged = policies.judged(session, loaded, compiled)
    loaded.close()
    found = (*located, *judged.diagnostics)
    return Checked(found, len(loaded.stack.tasks), len(compiled.hosts), judged.asked, judged.skipped)


def _unasked(session: Session) -> tuple[Diagnostic, ...]:
    """That policies were given and not asked: they are about stacks without mistakes."""
    if not session.choice.policies:
        return ()
    return (console.note("policies-not-checked", "the policies were not checked", "They look at a stack without mistakes. Mend it first."),)


def _tell(checked: Checked, form: str) -> None:
    if form == "text":
        console.tell(checked.diagnostics)
        if not errors(checked.diagnostics):
            console.write(f"Success! The stack is valid: {_number(checked.tasks, 'task')} on {_number(checked.hosts, 'host')}.\n")
        _tell_policies(checked)
        return
    from g8r.render import diagnostic_json  # noqa: PLC0415 imports what only this needs

    found = places.told(checked.diagnostics)
    match form:
        case "github":
            console.write(diagnostic_json.github(found))
        case "gitlab":
            console.write_json(diagnostic_json.gitlab(found))
        case "sarif":
            console.write_json(diagnostic_json.sarif(found, g8r.__version__))
        case _:
            document = diagnostic_json.render(found)
            names: Document = {"checked": list(checked.asked), "skipped": list(checked.skipped)}
            console.write_json(document | ({"g8r": {"policies": names}} if checked.asked or checked.skipped else {}))


def _tell_policies(checked: Checked) -> None:
    if checked.asked:
        console.write(f"{_policies(len(checked.asked))} checked.\n")
    if checked.skipped:
        console.write(
            f"{_policies(len(checked.skipped))} not, being of plans, which `g8r plan --policy` checks: {', '.join(checked.skipped)}.\n"
        )


def _policies(number: int) -> str:
    return f"{_number(number, 'policy').replace('policys', 'policies')} {'was' if number == 1 else 'were'}"


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
