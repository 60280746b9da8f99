"""A plan or a run as a stream of JSON, one object a line, in the messages of Terraform's machine-readable UI 1.2
(https://developer.hashicorp.com/terraform/internals/machine-readable-ui).

Where Terraform has no word, ours is used: types `apply_retried` and `apply_skipped`, actions `trigger`; a reader of that stream shows
the `@message` of what it does not know. Sensitive outputs have no value here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, assert_never

import msgspec

from g8r import outcome as outcomes
from g8r.diagnostics import Diagnostic, Severity
from g8r.event import Event, Interrupted, RunEnded, RunStarted, StepEnded, StepRetried, StepRunning, StepStarted
from g8r.outcome import Changed, Failure, Unchanged
from g8r.plan import Plan, Step
from g8r.render import diagnostic_json, plan_text, progress, style
from g8r.render.progress import Tally, Write
from g8r.value import Document, Value

UI_VERSION: Final = "1.2"

Level = Literal["info", "warn", "error"]


class JsonProgress:
    """A listener, and what goes before and after a run. `clock` gives the time as RFC 3339. The first line is `version()`."""

    def __init__(self, write: Write, clock: Callable[[], str], version: str) -> None:
        self._write = write
        self._clock = clock
        self._version = version
        self._tally = Tally()
        self._changes = {"add": 0, "change": 0, "import": 0, "remove": 0}

    def version(self) -> None:
        self._send("version", f"g8r {self._version}", {"g8r": self._version, "ui": UI_VERSION})

    def planned(self, plan: Plan) -> None:
        """What drifted, every planned change, the summary."""
        for step in plan.steps:
            if step.drifted:
                drifted = "delete" if step.before is None else "update"
                change: Document = {"resource": resource(step), "action": drifted}
                self._send("resource_drift", f"{step.id}: Drift detected ({drifted})", {"change": change})
        for step in plan.steps:
            if step.action not in {"no-op", "blocked"}:
                change = {"resource": resource(step), "action": action(step)}
                if step.action in {"replace", "delete"}:
                    change["reason"] = _reason(step)
                self._send("planned_change", f"{step.id} {plan_text.LOOKS[step.action].words}", {"change": change})
            elif step.action == "blocked":
                self._diagnose(f"{step.id} is blocked", step.reason.text, step)
        counts = {"add": 0, "change": 0, "import": 0, "remove": 0}
        for step in plan.steps:
            _count(counts, step)
        self._send("change_summary", plan_text.summary_line(plan), {"changes": {**counts, "operation": "plan"}})

    def diagnostics(self, found: Iterable[Diagnostic]) -> None:
        for diagnostic in found:
            level: Level = "error" if diagnostic.severity is Severity.ERROR else "warn"
            title = f"{diagnostic.severity.value.capitalize()}: {diagnostic.summary}"
            self._send("diagnostic", title, {"diagnostic": diagnostic_json.one(diagnostic)}, level)

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._tally.steps = event.steps
                self._send("log", f"Run {event.run} of plan {event.plan}: {style.count(event.steps, 'step')}", {})
            case StepStarted(step=step):
                self._send("apply_start", f"{step.id}: {progress.doing(step)}", {"hook": _hook(step)})
            case StepRunning(step=step):
                self._send("apply_progress", progress.happening(event), {"hook": _hook(step, event.elapsed)})
            case StepRetried(step=step):
                tried: Document = {"attempt": event.attempt, "delay_seconds": event.delay, "reason": event.reason}
                self._send("apply_retried", progress.happening(event), {"hook": _hook(step) | tried}, "warn")
            case StepEnded():
                self._ended(event)
            case Interrupted():
                self._send("log", progress.happening(event), {}, "warn")
            case RunEnded():
                self._finished(event)
            case _:
                assert_never(event)

    def _ended(self, event: StepEnded) -> None:
        step, outcome = event.step, event.outcome
        self._tally.add(event)
        message = next(iter(progress.ended(event)))
        hook = _hook(step, event.elapsed)
        match outcome:
            case Changed() | Unchanged():
                if isinstance(outcome, Changed):
                    _count(self._changes, step)
                hook |= {"id_key": "identity", "id_value": step.identity, "outcome": outcomes.word(outcome)}
                self._send("apply_complete", message, {"hook": hook})
            case Failure():
                self._send("apply_errored", message, {"hook": hook}, "error")
                detail = outcome.reason + (f"\n{outcome.output}" if outcome.output else "")
                self._diagnose(f"{step.id} failed", detail, step)
            case _:
                self._send("apply_skipped", message, {"hook": hook | {"outcome": outcomes.word(outcome)}}, "warn")

    def _finished(self, event: RunEnded) -> None:
        ours: Document = {"run": event.run, "status": event.status, "outcomes": dict(sorted(event.counts.items()))}
        level: Level = "info" if event.status == "done" else "error"
        summary = next(progress.closing(self._tally, event))
        self._send("change_summary", summary, {"changes": {**self._changes, "operation": "apply"}, "run": ours}, level)
        outputs: Document = {}
        for name, value in sorted(event.outputs.items()):
            hidden = name in event.sensitive_outputs
            outputs[name] = {"sensitive": hidden, "type": type_of(value)} | ({} if hidden else {"value": value})
        self._send("outputs", f"Outputs: {len(outputs)}", {"outputs": outputs})

    def _diagnose(self, summary: str, detail: str, step: Step) -> None:
        found = Diagnostic(Severity.ERROR, "step", summary, detail, span=step.span)
        self._send("diagnostic", f"Error: {summary}", {"diagnostic": diagnostic_json.one(found) | {"address": step.id}}, "error")

    def _send(self, kind: str, message: str, more: Document, level: Level = "info") -> None:
        head: Document = {"@level": level, "@message": message, "@module": "g8r.ui", "@timestamp": self._clock(), "type": kind}
        self._write(msgspec.json.encode(head | more).decode() + "\n")


def resource(step: Step) -> Document:
    """Terraform's resource object."""
    return {
        "addr": step.id,
        "module": "",
        "resource": step.address.task,
        "implied_provider": "g8r",
        "resource_type": step.address.kind,
        "resource_name": step.address.name,
        "resource_key": step.address.host,
    }


def action(step: Step) -> str:
    """Terraform's word for what a step does, in this stream."""
    match step.action:
        case "run" | "unknown":
            return "create" if step.before is None else "update"
        case "forget":
            return "remove"
        case "no-op" | "blocked":
            return "noop"
        case "create" | "update" | "replace" | "delete" | "trigger":
            return step.action


def _hook(step: Step, elapsed: float | None = None) -> Document:
    hook: Document = {"resource": resource(step), "action": action(step)}
    return hook if elapsed is None else hook | {"elapsed_seconds": int(elapsed)}


def _count(counts: dict[str, int], step: Step) -> None:
    match action(step):
        case "create":
            counts["add"] += 1
        case "update":
            counts["change"] += 1
        case "delete":
            counts["remove"] += 1
        case "replace":
            counts["add"] += 1
            counts["remove"] += 1
        case _:
            pass


def _reason(step: Step) -> str:
    if step.action == "delete":
        return "delete_because_no_resource_config"
    return "requested" if step.reason.code == "requested" else "cannot_update"


def type_of(value: Value) -> Value:
    """The value's type as Terraform writes types."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return ["tuple", [type_of(part) for part in value]]
        case dict():
            return ["object", {name: type_of(part) for name, part in sorted(value.items())}]
        case None:
            return "dynamic"
