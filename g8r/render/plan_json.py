"""Plans as documents in Terraform's plan format 1.2 (https://developer.hashicorp.com/terraform/internals/json-format).

The names are Terraform's, so that people's tooling carries over: `type` is the kind, `index` the host, `address` ours. What is ours
stands under `g8r`, at the top, in each change. Triggers are no resource changes and stand in `g8r.triggers`; an unknown step counts as
the change it would be; a blocked one is a no-op in a plan that is `errored`. Sensitive values are masked, in both states.
"""

from __future__ import annotations

from typing import Final

import msgspec

from g8r.plan import Plan, ReasonCode, Step
from g8r.render import diff
from g8r.render.diff import Difference, Mark
from g8r.value import MASK, Document, Value

FORMAT_VERSION: Final = "1.2"

_ACTION_REASONS: Final[dict[tuple[str, ReasonCode], str]] = {
    ("replace", "replaced"): "replace_because_cannot_update",
    ("replace", "requested"): "replace_by_request",
    ("delete", "removed"): "delete_because_no_resource_config",
}


def render(plan: Plan, prior_outputs: Document | None = None) -> Document:
    """The plan's document. `prior_outputs` are the stack's outputs before, if any."""
    resources = [step for step in plan.steps if step.action != "trigger"]
    return {
        "format_version": FORMAT_VERSION,
        "variables": {name: {"value": value} for name, value in sorted(plan.vars.items())},
        "resource_changes": [resource_change(step) for step in resources],
        "resource_drift": [_drift(step) for step in resources if step.drifted],
        "output_changes": _output_changes(plan, prior_outputs or {}),
        "timestamp": plan.created,
        "applyable": plan.summary().any and not plan.blocked,
        "complete": plan.complete,
        "errored": bool(plan.blocked),
        "g8r": _ours(plan),
    }


def resource_change(step: Step) -> Document:
    """One step as an element of `resource_changes`."""
    found = diff.fields(step)
    before, after = _before(step.before, found), _after(step.after, found)
    change = _change(actions(step), before, after, found)
    if step.action == "unknown" and after is None:
        change["after_unknown"] = True
    document: Document = {"address": str(step.address)}
    if step.moved_from:
        document["previous_address"] = step.moved_from
    document |= {
        "mode": "managed",
        "type": step.address.kind,
        "name": step.address.name,
        "index": step.address.host,
        "provider_name": "g8r",
        "change": change,
    }
    reason = _ACTION_REASONS.get((step.action, step.reason.code))
    if reason:
        document["action_reason"] = reason
    document["g8r"] = _ours_of(step, found)
    return document


def actions(step: Step) -> list[Value]:
    """Terraform's words for what a step does."""
    match step.action:
        case "create" | "update" | "delete" | "forget" | "no-op":
            return [step.action]
        case "replace":
            return ["delete", "create"]
        case "run" | "unknown":
            return ["create" if step.before is None else "update"]
        case "trigger" | "blocked":
            return ["no-op"]


def _change(named: list[Value], before: Value, after: Value, found: tuple[Difference, ...]) -> Document:
    return {
        "actions": named,
        "before": before,
        "after": after,
        "after_unknown": {field.name: True for field in found if field.after is diff.LATER},
        "before_sensitive": {field.name: True for field in found if field.before is diff.SENSITIVE} if before is not None else False,
        "after_sensitive": {field.name: True for field in found if field.after is diff.SENSITIVE} if after is not None else False,
    }


def _before(state: Document | None, found: tuple[Difference, ...]) -> Value:
    return None if state is None else {field.name: plain(field.before) for field in found if field.name in state}


def _after(state: Document | None, found: tuple[Difference, ...]) -> Value:
    if state is None:
        return None
    return {field.name: plain(field.after) for field in found if field.name in state and field.after is not diff.LATER}


def plain(value: diff.Shown) -> Value:
    """What is shown as a plain value."""
    return value.text if isinstance(value, Mark) else value


def _drift(step: Step) -> Document:
    """From what the ledger recorded to what was read."""
    found = diff.between(step.recorded, step.before, (), step.sensitive)
    named: list[Value] = ["delete" if step.before is None else "create" if step.recorded is None else "update"]
    change = _change(named, _before(step.recorded, found), _after(step.before, found), found)
    keep = ("address", "mode", "type", "name", "index", "provider_name")
    whole = resource_change(step)
    return {name: whole[name] for name in keep} | {"change": change}


def _output_changes(plan: Plan, prior: Document) -> Document:
    changes: Document = {}
    for name in sorted(plan.stack_outputs.keys() | prior.keys()):
        hidden = name in plan.sensitive_outputs
        later = name in plan.stack_outputs and name not in plan.known_outputs
        before, after = prior.get(name), plan.known_outputs.get(name)
        action = "delete" if name not in plan.stack_outputs else "create" if name not in prior else "no-op" if before == after else "update"
        changes[name] = {
            "actions": [action],
            "before": MASK if hidden and before is not None else before,
            "after": MASK if hidden and after is not None else after,
            "after_unknown": later,
            "before_sensitive": hidden,
            "after_sensitive": hidden,
        }
    return changes


def _ours(plan: Plan) -> Document:
    return {
        "id": plan.id,
        "version": plan.g8r_version,
        "stack": plan.stack,
        "workspace": plan.workspace,
        "lineage": plan.lineage,
        "serial": plan.serial,
        "config_digest": plan.config_digest,
        "expires": plan.expires,
        "destroy": plan.destroy,
        "refresh_only": plan.refresh_only,
        "selection": {name: list(chosen) for name, chosen in sorted(plan.selection.items())},
        "summary": msgspec.to_builtins(plan.summary()),
        "triggers": [_trigger(step) for step in plan.steps if step.action == "trigger"],
    }


def _ours_of(step: Step, found: tuple[Difference, ...]) -> Document:
    return {
        "id": step.id,
        "action": step.action,
        "identity": step.identity,
        "verdict": step.judgement,
        "reason": {"code": step.reason.code, "text": step.reason.text},
        "because": list(step.because),
        "changed": [field.name for field in found if field.differs],
        "needs": list(step.needs),
        "expect": str(step.expect.__struct_config__.tag),
        "created": step.created,
        "pulled_in": list(step.pulled_in),
        "triggers": {verb: list(sources) for verb, sources in sorted(step.triggers.items())},
        "span": _span(step),
    }


def _trigger(step: Step) -> Document:
    return {
        "id": step.id,
        "address": str(step.address),
        "verb": step.verb,
        "verdict": step.judgement,
        "reason": {"code": step.reason.code, "text": step.reason.text},
        "owed": step.owed,
        "waits_for": list(step.waits_for),
        "needs": list(step.needs),
        "span": _span(step),
    }


def _span(step: Step) -> Value:
    if step.span is None:
        return None
    found: Document = {"file": step.span.file, "line": step.span.line, "column": step.span.column}
    return found
