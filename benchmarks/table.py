"""Results as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.peers import Missing
from benchmarks.race import Result
from benchmarks.scale import Point
from benchmarks.validate import Figure

AIMS: Final = {"version": 0.1, "plan of five tasks": 0.3}
TIMES_SALT: Final = 10
PEAK: Final = 2**30


def race(results: Sequence[Result | Missing]) -> str:
    """A table of times and of how many times g8r's they are."""
    measured = [result for result in results if isinstance(result, Result)]
    own = next((result for result in measured if result.peer == "g8r"), None)
    rows = [("", "tasks done", "first apply", "of g8r's", "no-op plan", "of g8r's", "what")]
    for result in measured:
        about = "~" if result.extrapolated else ""
        first, again = (_ratio(result.first, own.first), _ratio(result.again, own.again)) if own else ("-", "-")
        done = f"{result.times.n:,}"
        rows.append((result.peer, done, f"{about}{result.first:.2f} s", first, f"{about}{result.again:.2f} s", again, result.note))
    lines = _aligned(rows)
    lines += [f"{result.name} is missing: {result.reason}" for result in results if isinstance(result, Missing)]
    for result in measured:
        if result.single is not None:
            lines.append(f"~ {result.peer}: in a line from 1 and {result.times.n} tasks to {result.wanted:,}")
    lines.append("versions: " + ", ".join(f"{result.peer} ({result.version})" for result in measured))
    return "\n".join([*lines, *_against_salt(measured, own)])


def small(seconds: Mapping[str, float]) -> str:
    """The commands one waits for, against what they should take."""
    return "\n".join(f"{name}: {value:.3f} s ({_verdict(value <= AIMS[name])}: at most {AIMS[name]} s)" for name, value in seconds.items())


def validate(figures: Sequence[Figure]) -> str:
    """`g8r validate`, against what it should take."""
    rows = [("g8r validate", "time", "processors", "")]
    for figure in figures:
        verdict = f"{_verdict(figure.seconds <= figure.most)}: at most {figure.most:g} s"
        rows.append((figure.name, f"{figure.seconds:.2f} s", f"{figure.cpu_seconds:.2f} s", verdict))
    return "\n".join(_aligned(rows))


def curve(points: Sequence[Point]) -> str:
    """Time and memory by the number of addresses; linear is where the time for each thousand stays the same."""
    rows = [("addresses", "validate", "plan", "plan per 1,000", "peak memory")]
    for point in points:
        per_thousand = point.plan.seconds / point.addresses * 1000
        peak = max(point.validate.peak_bytes or 0, point.plan.peak_bytes or 0)
        rows.append(
            (
                f"{point.addresses:,}",
                f"{point.validate.seconds:.2f} s",
                f"{point.plan.seconds:.2f} s",
                f"{per_thousand:.3f} s",
                f"{peak / 2**20:.0f} MiB",
            )
        )
    lines = _aligned(rows)
    most = max(max(point.validate.peak_bytes or 0, point.plan.peak_bytes or 0) for point in points)
    return "\n".join([*lines, f"peak memory: {_verdict(most <= PEAK)}: at most 1024 MiB"])


def _against_salt(measured: Sequence[Result], own: Result | None) -> list[str]:
    salt = next((result for result in measured if result.peer == "Salt"), None)
    if own is None or salt is None:
        return []
    ratios = {"first apply": salt.first / own.first, "no-op plan": salt.again / own.again}
    return [
        f"{name}: {ratio:.1f} times faster than Salt ({_verdict(ratio >= TIMES_SALT)}: at least {TIMES_SALT})"
        for name, ratio in ratios.items()
    ]


def _ratio(seconds: float, own: float) -> str:
    return f"{seconds / own:.2f}" if seconds < own else f"{seconds / own:.1f}"


def _verdict(reached: bool) -> str:  # noqa: FBT001 (two words for two answers)
    return "reached" if reached else "NOT REACHED"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *middle = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
