"""A run on a terminal: a bar with counts, what is under way, and above it whatever failed. Only here and in `plan_svg` is rich known.

The picture is drawn by rich's own thread a few times a second from what the events left behind, so that an event costs next to
nothing however many steps there are.
"""

from __future__ import annotations

from typing import Final, assert_never

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from g8r.event import Event, Interrupted, RunEnded, RunStarted, StepEnded, StepRetried, StepRunning, StepStarted
from g8r.outcome import succeeded
from g8r.plan import Step
from g8r.render import progress, style
from g8r.render.progress import Tally
from g8r.render.style import COLOUR, Palette

SHOWN: Final = 6
"""Steps under way that are named at once."""
PER_SECOND: Final = 8


class LiveProgress:
    """A listener that draws on `console`, which must be a terminal. The drawing is gone when the run has ended; the report stays."""

    def __init__(self, console: Console, palette: Palette = COLOUR) -> None:
        self._console = console
        self._palette = palette
        self._tally = Tally()
        self._running: dict[str, Step] = {}
        self._at = 0.0
        self._spinner = Spinner("dots")
        self._live = Live(console=console, get_renderable=self.picture, refresh_per_second=PER_SECOND, transient=True)

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._tally.steps = event.steps
                self._live.start()
            case StepStarted():
                self._running[event.step.id] = event.step
                self._at = event.at
            case StepRunning():
                self._at = event.at
            case StepRetried() | Interrupted():
                self._print(progress.happening(event, self._palette))
            case StepEnded():
                self._running.pop(event.step.id, None)
                self._at = event.at
                self._tally.add(event)
                if not succeeded(event.outcome):
                    self._print(*progress.ended(event, self._palette))
            case RunEnded():
                self.close()
                self._print(*progress.report(self._tally, event, self._palette))
            case _:
                assert_never(event)

    def close(self) -> None:
        """Take the drawing away. Must be called also where a run ends without its last event, or the cursor stays hidden."""
        self._running.clear()
        self._live.stop()

    def picture(self) -> Group:
        """What the terminal shows now."""
        counts, running = dict(self._tally.counts), list(self._running.values())
        head = Table.grid(padding=(0, 1))
        told = [f"{number:,} {word.replace('-', ' ')}" for word, number in sorted(counts.items())]
        share = f"{self._tally.ended:,}/{self._tally.steps:,}"
        bar = ProgressBar(total=max(self._tally.steps, 1), completed=self._tally.ended, width=30)
        head.add_row(self._spinner, bar, Text(share, "bold"), Text(", ".join(told)), Text(style.duration(self._at), "dim"))
        lines = [
            Text(f"  {progress.step_name(step)}: {progress.doing(step)}", no_wrap=True, overflow="ellipsis") for step in running[:SHOWN]
        ]
        if len(running) > SHOWN:
            lines.append(Text(f"  and {len(running) - SHOWN:,} more", "dim"))
        return Group(head, *lines)

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(Text.from_ansi(line), soft_wrap=True)
