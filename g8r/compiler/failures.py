"""What Nickel's failures mean to the user."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

from g8r.compiler import report
from g8r.compiler.evaluator import Died, Limits, Reported
from g8r.diagnostics import Diagnostic, error

_GIBIBYTE: Final = 1 << 30
_LOOK: Final = "Most often a function calls itself without an end, or a value grows without one. Look at what was changed last."


def diagnostics(answer: Reported | Died, hidden: Callable[[str], bool], source: Path, limits: Limits) -> tuple[Diagnostic, ...]:
    """At least one error for an evaluation that gave no value."""
    if isinstance(answer, Died):
        return (_died(answer, source, limits),)
    found = report.diagnostics(answer.report, hidden)
    if found:
        return found
    detail = f"It said: {_last_line(answer.report)}"
    return (error("evaluation-error", f"{source.name} cannot be evaluated", detail),)


def _died(answer: Died, source: Path, limits: Limits) -> Diagnostic:
    match answer.reason:
        case "memory":
            summary = f"evaluating {source.name} takes more than {limits.memory / _GIBIBYTE:g} GiB of memory"
            return error("out-of-memory", summary, _LOOK)
        case "stack":
            return error("out-of-stack", f"evaluating {source.name} nests too deep", _LOOK)
        case "timeout":
            return error("timeout", f"evaluating {source.name} takes more than {limits.seconds:g} s", _LOOK)
        case "size":
            summary = f"{source.name} evaluates to more than {limits.output >> 20} MiB of data"
            return error("out-of-memory", summary, "Keep large files beside the stack, and name them with `source`.")
        case "killed":
            detail = "The evaluator got SIGKILL, perhaps because the machine has too little memory. Free some and try again."
            return error("evaluator-killed", f"the evaluation of {source.name} was killed", detail)
        case _:
            said = _last_line(answer.text)
            if "permission denied" in answer.text.lower():
                advice = "It may read only what it needs to start, and that may be more here: G8R_JAIL=off lets it start."
            else:
                advice = "This is a defect of the evaluator; G8R_NICKEL=embedded or another nickel command may help."
            detail = f"It said: {said}. {advice}"
            return error("evaluator-failed", f"the evaluator failed on {source.name}", detail)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    panics = [following for line, following in pairwise(lines) if "panicked at" in line]
    return (panics or lines or ["nothing"])[-1 if not panics else 0]
