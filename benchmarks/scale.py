"""What g8r takes as it grows: many tasks on simulated hosts, and the small commands that one waits for."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import measure, work
from benchmarks.measure import Command, Taken


class Point(msgspec.Struct, frozen=True):
    """One size of the curve: `validate` compiles, `plan` compiles and plans."""

    tasks: int
    hosts: int
    validate: Taken
    plan: Taken

    @property
    def addresses(self) -> int:
        return self.tasks * self.hosts


def curve(command: str, scratch: Path, sizes: Sequence[int], hosts: int) -> list[Point]:
    """A point for each number of tasks, each in a fresh folder."""
    points = []
    for tasks in sizes:
        folder = scratch / f"scale-{tasks}"
        folder.mkdir()
        (folder / "main.ncl").write_text(work.g8r_fleet(tasks, hosts), "utf-8")
        validate = measure.run(Command((command, "validate", "."), folder), memory=True)
        plan = measure.run(Command((command, "plan", "."), folder), memory=True)
        print(f"scale: {tasks} tasks on {hosts} hosts: {plan.seconds:.2f} s, {(plan.peak_bytes or 0) / 2**20:.0f} MiB", file=sys.stderr)
        points.append(Point(tasks, hosts, validate, plan))
    return points


def small(command: str, scratch: Path, times: int = 9) -> dict[str, float]:
    """Medians of `g8r --version` and of `g8r plan` with five tasks, nothing there yet."""
    folder = scratch / "five"
    (folder / "out").mkdir(parents=True)
    (folder / "main.ncl").write_text(work.g8r(folder, 5), "utf-8")

    def median(*arguments: str) -> float:
        return statistics.median(measure.run(Command((command, *arguments), folder)).seconds for _ in range(times))

    return {"version": median("--version"), "plan of five tasks": median("plan", ".")}
