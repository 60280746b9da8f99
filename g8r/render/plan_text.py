"""Plans as text for a reviewer [P-readable]: what is dangerous first, equal changes on many hosts once, the summary last.

The order: blocked, destroys, replaces, updates, creates, runs, triggers, forgotten, unknown; within each, that of the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from g8r.address import HOST_PATTERN, KIND_PATTERN
from g8r.plan import Plan, ReasonCode, Step, StepAction, Summary
from g8r.render import attributes, diff, style
from g8r.render.diff import Difference
from g8r.render.style import PLAIN, Palette, Style

_HOSTED: Final = re.compile(rf"(?<![\w./-])({HOST_PATTERN})/(?={KIND_PATTERN}\.)")


class Look(msgspec.Struct, frozen=True):
    """How an action is shown: its symbol, its style, and what will happen, in words."""

    symbol: str
    style: Style
    words: str


LOOKS: Final[dict[StepAction, Look]] = {
    "blocked": Look("!", "error", "is blocked"),
    "delete": Look("-", "delete", "will be destroyed"),
    "replace": Look("-/+", "replace", "will be replaced"),
    "update": Look("~", "change", "will be changed"),
    "create": Look("+", "create", "will be created"),
    "run": Look(">", "act", "will be run"),
    "trigger": Look("*", "act", "will be fired"),
    "forget": Look(".", "faint", "will be forgotten"),
    "unknown": Look("?", "unknown", "is not known yet"),
    "no-op": Look("=", "faint", "stays as it is"),
}
"""In the order in which a plan is shown."""

REASONS: Final[dict[ReasonCode, str]] = {
    "new": "new",
    "drift": "drift",
    "changed": "changed",
    "trigger": "trigger",
    "owed": "owed by an earlier run",
    "replaced": "replaced",
    "removed": "removed",
    "moved": "moved",
    "adopted": "adopted",
    "requested": "requested",
    "in-doubt": "in doubt since a run that was cut off",
    "refreshed": "refreshed",
    "none": "",
}

SELECTIONS: Final = {"target": "--target", "exclude": "--exclude", "on": "--on"}


class Entry(msgspec.Struct, frozen=True):
    """Steps that are equal but for their host: the first of them, and the hosts in plan order."""

    step: Step
    hosts: tuple[str, ...]


def render(plan: Plan, palette: Palette = PLAIN, *, full: bool = False) -> str:
    """The whole text, with a newline at its end. `full` leaves nothing out: all lines of texts, all hosts, what destroys lose."""
    return "\n".join(lines(plan, palette, full=full)) + "\n"


def lines(plan: Plan, palette: Palette = PLAIN, *, full: bool = False) -> Iterator[str]:
    """The text line by line, for plans of any size."""
    drifted, planned = drift(plan), entries(plan)
    if drifted:
        yield palette.paint("strong", "Changed outside g8r since the last apply:")
        yield ""
        blocks = [list(drift_lines(entry, palette, full=full)) for entry in drifted]
        for block in blocks:
            yield from _indented(block)
            if len(block) > 1:
                yield ""
        if len(blocks[-1]) == 1:
            yield ""
    if planned:
        title = "g8r cannot go on:" if plan.blocked else "g8r takes note of this:"
        yield palette.paint("strong", f"g8r will do this to {_where(plan)}:" if plan.summary().any else title)
        yield ""
        for entry in planned:
            yield from _indented(entry_lines(entry, palette, full=full))
            yield ""
    yield from _outputs(plan, palette, full=full)
    yield from notices(plan, palette)
    yield summary_line(plan, palette)


def entries(plan: Plan) -> tuple[Entry, ...]:
    """All that is to be shown of a plan's steps, in the order of `LOOKS`."""
    rank = {action: index for index, action in enumerate(LOOKS)}
    shown = [step for step in plan.steps if step.action != "no-op" or step.reason.code == "moved"]
    return _grouped(sorted(shown, key=lambda step: rank[step.action]))


def drift(plan: Plan) -> tuple[Entry, ...]:
    """What was found otherwise than the ledger recorded it."""
    return _grouped(step for step in plan.steps if step.drifted)


def entry_lines(entry: Entry, palette: Palette = PLAIN, *, full: bool = False) -> Iterator[str]:
    """One change, from its headline on, without indentation."""
    step, look = entry.step, LOOKS[entry.step.action]
    symbol = palette.paint(look.style, look.symbol)
    yield f"{symbol} {_headline(entry, look, palette, full=full)}"
    notes = [f"note: {_hostless(text, entry)}" for text in step.because if text not in step.reason.text]
    inner = [_why(step, entry), *_waits(step, entry), *notes]
    if step.pulled_in:
        inner.append(f"with it: {style.some(step.pulled_in, len(step.pulled_in) if full else 10)}")
    if step.moved_from and step.moved_from not in step.reason.text:
        inner.append(f"so far recorded as {style.clean(step.moved_from)}")
    for text in inner:
        if text:
            yield "    " + text
    yield from ("    " + line for line in _attributes(step, palette, full=full))


def drift_lines(entry: Entry, palette: Palette = PLAIN, *, full: bool = False) -> Iterator[str]:
    """What was found otherwise than recorded."""
    step = entry.step
    action: StepAction = "delete" if step.before is None else "create" if step.recorded is None else "update"
    words = {"delete": "is gone", "create": "has appeared"}.get(action, "is not as it was left")
    look = LOOKS[action]
    yield f"{palette.paint(look.style, look.symbol)} {_headline(entry, Look(look.symbol, look.style, words), palette, full=full)}"
    if action == "update":
        found = diff.between(step.recorded, step.before, (), step.sensitive)
        yield from ("    " + line for line in attributes.changed(found, palette, full=full))


def notices(plan: Plan, palette: Palette = PLAIN) -> Iterator[str]:
    """What a reviewer must know of the plan as a whole."""
    adopted = [step.id for step in plan.steps if step.action == "no-op" and step.reason.code == "adopted"]
    if adopted:
        yield f"{style.count(len(adopted), 'resource is', 'resources are')} as wanted already and will be managed: {style.some(adopted)}."
        yield ""
    if not plan.complete:
        chosen = [f"{SELECTIONS.get(key, key)} {style.clean(name)}" for key, names in sorted(plan.selection.items()) for name in names]
        limited = f" ({', '.join(chosen)})" if chosen else ""
        yield palette.paint("warning", f"This plan is incomplete{limited}: what is not selected is neither planned nor removed.")
        yield ""
    if plan.blocked:
        yield palette.paint("error", "What is blocked would fail. Mend it and plan again, or apply the rest with --skip-blocked.")
        yield ""


def summary_line(plan: Plan, palette: Palette = PLAIN) -> str:
    """`Plan: 2 to create, 1 to change, 0 to replace, 1 to destroy; 1 reload. 3 unknown. 1 blocked.`"""
    summary = plan.summary()
    if not summary.any and not summary.blocked:
        return palette.paint("good", _nothing(plan, summary))
    parts = [f"{summary.create:,} to create", f"{summary.update:,} to change"]
    parts += [f"{summary.replace:,} to replace", f"{summary.delete:,} to destroy"]
    parts += [f"{number:,} to {verb}" for number, verb in ((summary.run, "run"), (summary.forget, "forget")) if number]
    text = ", ".join(parts)
    verbs: dict[str, int] = {}
    for step in plan.steps:
        if step.action == "trigger":
            verbs[step.verb] = verbs.get(step.verb, 0) + 1
    if verbs:
        text += "; " + ", ".join(style.count(number, style.clean(verb)) for verb, number in sorted(verbs.items()))
    text += "."
    if summary.unknown:
        text += f" {summary.unknown:,} unknown."
    if summary.blocked:
        text += " " + palette.paint("error", f"{summary.blocked:,} blocked.")
    return f"{palette.paint('strong', 'Plan:')} {text}"


def _nothing(plan: Plan, summary: Summary) -> str:
    if plan.destroy:
        return "No changes. There is nothing left to destroy."
    if plan.refresh_only:
        return "No changes. This plan only brings what is recorded up to date."
    if not plan.steps and not summary.no_op:
        return "No changes. The stack has no tasks here."
    hosts = len({step.address.host for step in plan.steps})
    return "No changes. The machine matches the stack." if hosts == 1 else f"No changes. All {hosts:,} hosts match the stack."


def _grouped(steps: Iterable[Step]) -> tuple[Entry, ...]:
    found = list(steps)
    if len({step.address.host for step in found}) <= 1:
        return tuple(Entry(step, (step.address.host,)) for step in found)
    groups: dict[bytes, list[Step]] = {}
    for step in found:
        groups.setdefault(_likeness(step), []).append(step)
    return tuple(Entry(alike[0], tuple(step.address.host for step in alike)) for alike in groups.values())


def _likeness(step: Step) -> bytes:
    """Equal for steps that read the same on any host."""
    host = step.address.host
    texts = (step.reason.text, *step.because, *step.waits_for, step.moved_from or "")
    alike = (
        (step.address.kind, step.address.name, step.action, step.verb, step.identity, step.reason.code, step.owed, step.drifted),
        tuple(without_host(text, host) for text in texts),
        (step.before, step.after, step.recorded if step.drifted else None, step.params if step.action == "run" else None),
        (step.unknown, step.sensitive, step.pulled_in, step.span),
    )
    try:
        return msgspec.json.encode(alike, order="deterministic")
    except UnicodeEncodeError:  # a lone surrogate, which JSON cannot say
        return repr(alike).encode("utf-8", "backslashreplace")


def without_host(text: str, host: str) -> str:
    """The text with this host's addresses as tasks: `web1/file.motd` as `file.motd`."""
    if f"{host}/" not in text:
        return text
    return _HOSTED.sub(lambda found: "" if found[1] == host else found[0], text)


def _hostless(text: str, entry: Entry) -> str:
    return style.clean(text if len(entry.hosts) == 1 else without_host(text, entry.step.address.host))


def _where(plan: Plan) -> str:
    hosts = sorted({step.address.host for step in plan.steps if step.action != "no-op"})
    return style.clean(hosts[0]) if len(hosts) == 1 else style.count(len(hosts), "host")


def _headline(entry: Entry, look: Look, palette: Palette, *, full: bool) -> str:
    step = entry.step
    verb = f"#{step.verb}" if step.verb else ""
    alone = len(entry.hosts) == 1
    name = palette.paint("strong", style.clean(f"{step.address if alone else step.address.task}{verb}"))
    what = "" if verb or step.identity in {"", step.address.name} else f": {style.clean(step.identity)}"
    if alone:
        return f"{name} {look.words}{what}"
    hosts = style.some(entry.hosts, len(entry.hosts) if full else 3)
    return f"{name} {look.words} on {style.count(len(entry.hosts), 'host')} ({hosts}){what}"


def _why(step: Step, entry: Entry) -> str:
    label, text, where = REASONS[step.reason.code], _hostless(step.reason.text, entry), style.place(step.span)
    if text and label and not text.lower().startswith((label, step.reason.code)):
        text = f"{label}: {text}"
    reason = text or ("changed here" if label == "changed" else label)
    if where and where in reason:
        return reason
    return f"{reason} ({where})" if reason and where else reason or where


def _waits(step: Step, entry: Entry) -> Iterator[str]:
    """When a trigger fires."""
    if step.action != "trigger":
        return
    names = [_hostless(name, entry) for name in step.waits_for]
    if step.owed:
        yield "fires in any case: what it waits for changed in a run that ended before it could fire"
    elif names and not all(name in step.reason.text for name in step.waits_for):
        yield f"if {'this changes' if len(names) == 1 else 'any of these changes'}: {style.some(names, 5)}"


def _attributes(step: Step, palette: Palette, *, full: bool) -> Iterator[str]:
    match step.action:
        case "create":
            yield from attributes.new(_fields(step), palette, full=full)
        case "update" | "replace":
            yield from attributes.changed(diff.fields(step), palette, full=full)
        case "run":
            yield from attributes.run(step, palette, full=full)
        case "unknown" if step.after is not None:
            known = attributes.new if step.before is None else attributes.changed
            yield from known(_fields(step), palette, full=full)
        case "delete" if full and step.before is not None:
            yield from attributes.present(step.before, step.sensitive, palette, full=full)
        case _:
            return


def _fields(step: Step) -> tuple[Difference, ...]:
    """The fields of a change, save those that only repeat the headline: the identity, and of something new its kind."""
    said = {step.identity} if step.before is not None else {step.identity, step.address.kind}
    return tuple(field for field in diff.fields(step) if field.differs and not (isinstance(field.after, str) and field.after in said))


def _outputs(plan: Plan, palette: Palette, *, full: bool) -> Iterator[str]:
    if plan.stack_outputs and plan.summary().any:
        yield palette.paint("strong", "Outputs:")
        yield ""
        later = sorted(plan.stack_outputs.keys() - plan.known_outputs.keys())
        shown = diff.between(None, plan.known_outputs, later, plan.sensitive_outputs)
        yield from _indented(attributes.new(shown, palette, full=full))
        yield ""


def _indented(found: Iterable[str]) -> Iterator[str]:
    return ("  " + line for line in found)
