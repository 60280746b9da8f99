"""A run as lines of text, as it happens: for pipes, logs and CI. And the report at its end, which every text sink shows.

A listener is called with each event, one at a time, in order. `write` is given whole lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias, assert_never

from g8r import outcome as outcomes
from g8r.event import Event, Interrupted, RunEnded, RunStarted, StepEnded, StepRetried, StepRunning, StepStarted
from g8r.outcome import Changed, Failure, InDoubt, NotStarted, Outcome, Skipped, Stale, Unchanged
from g8r.plan import Step, StepAction
from g8r.render import attributes, style
from g8r.render.style import PLAIN, Palette, Style

Listener: TypeAlias = Callable[[Event], None]
Write: TypeAlias = Callable[[str], object]

OUTPUT_LINES: Final = 10
"""Last lines of what a host said that are shown with a failure."""
LISTED: Final = 20
"""Steps of one sort that the report names."""

_DONE: Final[dict[StepAction, str]] = {
    "create": "created", "update": "changed", "replace": "replaced", "delete": "destroyed", "run": "ran", "forget": "forgotten",
    "unknown": "changed",
}  # fmt: skip
_DOING: Final[dict[StepAction, str]] = {
    "create": "creating", "update": "changing", "replace": "replacing", "delete": "destroying", "run": "running",
    "forget": "forgetting", "unknown": "settling",
}  # fmt: skip
_FIRED: Final = {"reload": "reloaded", "restart": "restarted", "run": "ran"}
_FIRING: Final = {"reload": "reloading", "restart": "restarting", "run": "running"}
_STYLES: Final[dict[str, Style]] = {
    "changed": "good", "unchanged": "faint", "failed": "error", "skipped": "warning", "stale": "warning", "unknown": "unknown",
    "not-started": "faint",
}  # fmt: skip
_ORDER: Final = ("changed", "unchanged", "failed", "skipped", "stale", "unknown", "not-started")


class Tally:
    """What a run has come to so far: counts of outcomes by word, and the ends that the report must name."""

    def __init__(self) -> None:
        self.steps = 0
        self.counts: dict[str, int] = {}
        self.notable: dict[str, list[StepEnded]] = {}

    def add(self, event: StepEnded) -> None:
        word = outcomes.word(event.outcome)
        self.counts[word] = self.counts.get(word, 0) + 1
        if not outcomes.succeeded(event.outcome):
            self.notable.setdefault(word, []).append(event)

    @property
    def ended(self) -> int:
        return sum(self.counts.values())


class PlainProgress:
    """One line for every step that ends, retries or takes long; the report last."""

    def __init__(self, write: Write, palette: Palette = PLAIN) -> None:
        self._write = write
        self._palette = palette
        self._tally = Tally()

    def __call__(self, event: Event) -> None:
        lines: Iterable[str] = ()
        match event:
            case RunStarted():
                self._tally.steps = event.steps
            case StepStarted():
                pass
            case StepRunning() | StepRetried() | Interrupted():
                lines = (happening(event, self._palette),)
            case StepEnded():
                self._tally.add(event)
                lines = ended(event, self._palette)
            case RunEnded():
                lines = report(self._tally, event, self._palette)
            case _:
                assert_never(event)
        text = "".join(f"{line}\n" for line in lines)
        if text:
            self._write(text)


def step_name(step: Step) -> str:
    """What a step is called, clean: its address, with `#VERB` for a trigger, and the identity where an old one is removed."""
    if "!" in step.id:
        return style.clean(f"{step.address} ({step.identity})")
    return style.clean(f"{step.address}#{step.verb}" if step.verb else str(step.address))


def doing(step: Step) -> str:
    """What is being done, as in `still creating`."""
    return _FIRING.get(step.verb, f"firing {style.clean(step.verb)}") if step.verb else _DOING.get(step.action, "settling")


def done(step: Step) -> str:
    """What was done, as in `created in 0.1s`."""
    return _FIRED.get(step.verb, f"fired {style.clean(step.verb)}") if step.verb else _DONE.get(step.action, "changed")


def happening(event: StepRunning | StepRetried | Interrupted, palette: Palette = PLAIN) -> str:
    """A line about what goes on."""
    match event:
        case StepRunning():
            return f"{step_name(event.step)}: still {doing(event.step)} ({style.duration(event.elapsed)} so far)"
        case StepRetried():
            after = f"again in {style.duration(event.delay)}"
            return palette.paint("warning", f"{step_name(event.step)}: attempt {event.attempt} failed, {after}: {_line(event.reason)}")
        case Interrupted(running=()):
            return palette.paint("warning", "Stopping: nothing new is started, and nothing is under way.")
        case Interrupted(hard=False):
            under_way = f"{style.count(len(event.running), 'step')} under way ({style.some(event.running)})"
            text = f"Stopping: nothing new is started; waiting for {under_way}. Press Ctrl-C again to stop what runs as well."
            return palette.paint("warning", text)
        case Interrupted():
            under_way = f"{style.count(len(event.running), 'step')} ({style.some(event.running)})"
            text = f"Stopping now, in the middle of {under_way}. The next plan reads what became of it."
            return palette.paint("warning", text)
        case _:
            assert_never(event)


def ended(event: StepEnded, palette: Palette = PLAIN) -> Iterator[str]:
    """How a step ended: one line, and after a failure the last of what the host said."""
    step, outcome = event.step, event.outcome
    took = f" in {style.duration(event.elapsed)}"
    head = f"{step_name(step)}: "
    painted = _STYLES[outcomes.word(outcome)]
    match outcome:
        case Changed():
            tries = f" (attempt {outcome.attempts})" if outcome.attempts > 1 else ""
            yield f"{head}{palette.paint(painted, done(step))}{took}{tries}"
        case Unchanged():
            yield head + palette.paint(painted, "unchanged" + (f": {_line(outcome.note)}" if outcome.note else ""))
        case Failure():
            tries = f" after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
            where = f" ({step_place(step)})" if step.span else ""
            yield f"{head}{palette.paint(painted, 'failed')}{took}{tries}: {_line(outcome.reason)}{where}"
            yield from (palette.paint("faint", f"    | {line}") for line in _last_lines(outcome.output))
        case Skipped() | Stale() | InDoubt() | NotStarted():
            yield head + palette.paint(painted, _undone(outcome))
        case _:
            assert_never(outcome)


def report(tally: Tally, event: RunEnded, palette: Palette = PLAIN) -> Iterator[str]:
    """The end of a run: what failed and why, what was left out and why, the outputs, the counts, and what to do next."""
    for word in _ORDER:
        found = tally.notable.get(word, [])
        if found and word != "not-started":
            yield ""
            yield palette.paint(_STYLES[word], f"{word.capitalize()}:")
            yield from ("  " + line for line in _named(word, found))
    if event.outputs:
        yield ""
        yield palette.paint("strong", "Outputs:")
        yield from ("  " + line for line in attributes.present(event.outputs, event.sensitive_outputs, palette, full=True))
    yield ""
    yield from closing(tally, event, palette)


def closing(tally: Tally, event: RunEnded, palette: Palette = PLAIN) -> Iterator[str]:
    """The counts in one line, and what to do next, if anything."""
    counts = dict(tally.counts) | event.counts
    missing = tally.steps - sum(counts.values())
    if missing > 0:
        counts["not-started"] = counts.get("not-started", 0) + missing
    listed = ", ".join(f"{counts[word]:,} {word.replace('-', ' ')}" for word in _ORDER if counts.get(word))
    title, painted, advice = _verdict(event, counts)
    yield f"{palette.paint(painted, title)} {listed or 'nothing to do'}, in {style.duration(event.at)}."
    if advice:
        yield advice


def step_place(step: Step) -> str:
    """`main.ncl:12:5`, for editors to jump to."""
    return style.clean(str(step.span)) if step.span else ""


def _verdict(event: RunEnded, counts: dict[str, int]) -> tuple[str, Style, str]:
    match event.status:
        case "done" if not any(counts.get(word) for word in ("failed", "skipped", "stale", "unknown", "not-started")):
            return "Done:", "good", ""
        case "interrupted" | "running":
            return "Stopped:", "warning", "What is recorded is true. `g8r apply --resume` goes on with this run; `g8r plan` looks afresh."
        case "abandoned":
            return "Abandoned:", "warning", "What is recorded is true. `g8r plan` shows what is left to do."
        case _:
            told = "What was done is recorded. Mend what failed, then `g8r plan` shows what is left to do."
            moved = "The ground had moved under what is stale. " if counts.get("stale") else ""
            left = f"{moved}What was done is recorded; `g8r plan` shows what is left to do."
            return ("Failed:", "error", told) if counts.get("failed") else ("Not all done:", "warning", left)


def _named(word: str, found: Sequence[StepEnded]) -> Iterator[str]:
    """The steps of one sort; skipped ones together where the same step is why."""
    if word != "skipped":
        for event in found[:LISTED]:
            where = f" ({step_place(event.step)})" if event.step.span else ""
            yield f"{step_name(event.step)}{where}: {_reason(event.outcome)}"
        if len(found) > LISTED:
            yield f"... and {len(found) - LISTED:,} more"
        return
    causes: dict[str, list[str]] = {}
    for event in found:
        causes.setdefault(_reason(event.outcome), []).append(step_name(event.step))
    for cause, names in causes.items():
        yield f"{style.some(names, LISTED)}: {cause}"


def _reason(outcome: Outcome) -> str:
    match outcome:
        case Failure(reason=reason) | Stale(reason=reason) | InDoubt(reason=reason):
            return _line(reason)
        case Skipped(because=because):
            return f"because of {_line(because)}" if " " not in because.strip() else _line(because)
        case Changed() | Unchanged() | NotStarted():
            return ""
        case _:
            assert_never(outcome)


def _undone(outcome: Skipped | Stale | InDoubt | NotStarted) -> str:
    match outcome:
        case Skipped():
            return f"skipped {_reason(outcome)}" if " " not in outcome.because.strip() else f"skipped: {_reason(outcome)}"
        case Stale():
            return f"stale, left untouched: {_reason(outcome)}"
        case InDoubt():
            return f"unknown: {_reason(outcome)}"
        case NotStarted():
            return "not started"
        case _:
            assert_never(outcome)


def _last_lines(output: str) -> list[str]:
    lines = [line for line in style.clean_lines(output) if line.strip()] if output else []
    return lines[-OUTPUT_LINES:]


def _line(text: str) -> str:
    """A text from a host in one clean line."""
    return style.clean(" ".join(text.split()))
