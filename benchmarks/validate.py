"""How long `g8r validate` keeps a developer or a CI waiting: on a clean stack, and on one that is full of mistakes.

Whole processes. Cold is without a cache, as in CI; warm is with the evaluation kept from the time before, as at a developer's desk.
Beside the time by the clock stands that of the processors, which others on the machine disturb less.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import msgspec

from benchmarks import measure, work
from benchmarks.measure import Command, Taken

CLEAN = 1000
FILES, MISTAKES = 5, 50


class Figure(msgspec.Struct, frozen=True):
    """Medians of what one command took, and what it may take by the clock."""

    name: str
    seconds: float
    cpu_seconds: float
    most: float


def figures(command: str, scratch: Path, rounds: int) -> list[Figure]:
    """All of them, taken in turns."""
    clean, warm, wrong = (scratch / name for name in ("validate-clean", "validate-warm", "validate-wrong"))
    for folder in (clean, warm, wrong):
        folder.mkdir()
    for folder in (clean, warm):
        (folder / "main.ncl").write_text(work.g8r_mixed(CLEAN), "utf-8")
    (warm / ".g8r").mkdir()  # where there is a state, evaluations are kept
    for name, text in work.g8r_mistakes(FILES, MISTAKES).items():
        (wrong / name).write_text(text, "utf-8")
    mistakes = f"{MISTAKES} mistakes over {FILES} files"
    runs = {
        (f"{CLEAN:,} clean tasks, cold", 0.6): Command((command, "validate", "."), clean),
        (f"{CLEAN:,} clean tasks, warm", 0.6): Command((command, "validate", "."), warm),
        (f"{mistakes}, text", 3.0): Command((command, "validate", "."), wrong, codes=(1,)),
        (f"{mistakes}, sarif", 3.0): Command((command, "validate", ".", "--format", "sarif"), wrong, codes=(1,)),
    }
    for each in runs.values():  # so that everything is compiled and in the page cache, and the warm one is warm
        measure.run(each)
    taken: dict[tuple[str, float], list[Taken]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, each in runs.items():
            taken[key].append(measure.run(each))
    return [
        Figure(name, statistics.median(one.seconds for one in ones), statistics.median(one.cpu_seconds for one in ones), most)
        for (name, most), ones in taken.items()
    ]
