"""g8r history."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from g8r.cli import console, options
from g8r.cli.ledgers import stack_name
from g8r.cli.session import Session
from g8r.diagnostics import did_you_mean, reject

LIMIT = 20


@click.command("history")
@options.source_argument
@click.option("--run", "run", metavar="RUN", help="How every step of this run ended.")
@click.option("--fidelity", is_flag=True, help="How much of what was predicted came true, by kind.")
@click.option("--limit", "-n", default=LIMIT, show_default=True, type=click.IntRange(1), help="How many runs.")
@options.json_option
@options.source_options
@options.state_options
def command(*, run: str | None, fidelity: bool, limit: int, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""List past runs, the newest first; or tell how the steps of one ended.

    \b
    Examples:
      g8r history
      g8r history --run 20260101-1a2b3c4d
      g8r history --fidelity

    \b
    Exit codes: 0 done; 1 error.
    """
    session = options.session(chosen)
    if fidelity:
        return _fidelity(session, as_json=as_json)
    name = stack_name(session)
    if run is not None:
        return _run(session, name, run, as_json=as_json)
    runs = session.store.runs(name, session.choice.workspace, limit)
    if as_json:
        console.write_json(runs)
        return 0
    from g8r.render import state_text  # noqa: PLC0415 imports what only this needs

    console.write(state_text.history(runs, console.palette(sys.stdout)))
    return 0


def _fidelity(session: Session, *, as_json: bool) -> int:
    found = session.store.fidelity()
    if as_json:
        console.write_json(found)
        return 0
    from g8r.render import state_text  # noqa: PLC0415 imports what only this needs

    console.write(state_text.fidelity(found, console.palette(sys.stdout)))
    return 0


def _run(session: Session, name: str, run: str, *, as_json: bool) -> int:
    known = {found.id: found for found in session.store.runs(name, session.choice.workspace, 1_000_000)}
    if run not in known:
        raise reject("unknown-run", f"there is no run {run}", f"See `g8r history`.{did_you_mean(run, known)}")
    outcomes = session.store.outcomes(run)
    if as_json:
        console.write_json({"run": known[run], "outcomes": [{"step": step, **_masked(outcome)} for step, outcome in outcomes]})
        return 0
    from g8r.render import run_text  # noqa: PLC0415 imports what only this needs

    console.write(run_text.render(known[run], outcomes, console.palette(sys.stdout)))
    return 0


def _masked(outcome: Any) -> dict[str, Any]:  # noqa: ANN401 an Outcome
    """Without the state: which of its fields are sensitive is known to the plan alone."""
    told: dict[str, Any] = msgspec.to_builtins(outcome)
    kept = ("reason", "because", "note", "attempts", "output", "pulled_in", "satisfied")
    return {"outcome": told["type"], **{field: told[field] for field in kept if field in told}}
