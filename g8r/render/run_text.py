"""One run of the history, as text: how each of its steps ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from g8r import outcome as outcomes
from g8r.outcome import Changed, Failure, InDoubt, NotStarted, Outcome, Skipped, Stale, Unchanged
from g8r.render import style
from g8r.render.style import PLAIN, Palette
from g8r.state import Run


def render(run: Run, ended: Iterable[tuple[str, Outcome]], palette: Palette = PLAIN) -> str:
    """When it was and who did it, then a line for each step that ended, in the order of their names."""
    until = f" until {style.clean(run.ended)}" if run.ended else ", and has no end"
    by = style.clean(run.operator)
    lines = [f"Run {palette.paint('strong', style.clean(run.id))}: {run.status}, by {by}, from {style.clean(run.started)}{until}.", ""]
    rows = [(step, outcomes.word(outcome), _why(outcome)) for step, outcome in sorted(ended, key=lambda found: found[0])]
    lines += style.table(("STEP", "OUTCOME", "WHY"), rows, palette) or ["No step of it is on record: all was as wanted, or it is long ago."]
    return "\n".join(lines) + "\n"


def _why(outcome: Outcome) -> str:
    match outcome:
        case Failure(reason=reason) | Stale(reason=reason) | InDoubt(reason=reason):
            return " ".join(reason.split())
        case Skipped(because=because):
            return because
        case Unchanged(note=note):
            return note
        case Changed(attempts=attempts):
            return f"after {attempts} attempts" if attempts > 1 else ""
        case NotStarted():
            return ""
        case _:
            assert_never(outcome)
