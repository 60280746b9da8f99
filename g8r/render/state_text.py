"""The ledger as text: `g8r state list|show|lock`, `g8r history`, its fidelity, `g8r output`."""

from __future__ import annotations

from collections.abc import Iterable

from g8r.render import attributes, style
from g8r.render.style import PLAIN, Palette
from g8r.state import Fidelity, Lease, Resource, Run, State
from g8r.value import Document

_WHOLE = 10_000
"""A fidelity of 100% in hundredths of a percent."""


def listing(state: State, palette: Palette = PLAIN) -> str:
    """`g8r state list`: every resource, then what is owed and what is in doubt."""
    resources = sorted(state.resources.values(), key=lambda resource: (resource.address, resource.key))
    rows = [_row(resource) for resource in resources]
    lines = style.table(("ADDRESS", "IDENTITY", "BY G8R", "NOW", "DECLARED AT"), rows, palette)
    if not lines:
        lines = ["The ledger holds no resources."]
    for owed in sorted(state.owed):
        what = style.clean(f"owed: {owed.address}#{owed.verb}, since run {owed.run}: {owed.because}")
        lines.append(palette.paint("warning", what))
    for intent in sorted(state.intents, key=lambda intent: intent.step):
        begun = "was begun" if intent.started else "was not begun, as far as is known"
        what = style.clean(f"in doubt: {intent.step}: {intent.action} {begun} in run {intent.run}")
        lines.append(palette.paint("unknown", what))
    return "\n".join(lines) + "\n"


def show(resource: Resource, palette: Palette = PLAIN) -> str:
    """`g8r state show ADDRESS`: all that is recorded of one resource, sensitive fields masked."""
    hidden = (*resource.sensitive, *resource.sealed)
    lines = [f"{palette.paint('strong', style.clean(str(resource.address)))}: {style.clean(str(resource.key))}"]
    told = [
        "made by g8r" if resource.created else "adopted: it was there before g8r",
        f"last touched by run {style.clean(resource.run)}" if resource.run else "",
        f"declared at {style.place(resource.span)}" if resource.span else "",
        f"after {style.some(resource.needs, len(resource.needs))}" if resource.needs else "",
        f"brought along {style.some(resource.pulled_in, len(resource.pulled_in))}" if resource.pulled_in else "",
        "its lifecycle prevents its removal" if resource.lifecycle.prevent_destroy else "",
    ]
    lines += [f"  {text}" for text in told if text]
    parts: tuple[tuple[str, Document | None], ...] = (
        ("state", resource.state), ("outputs", resource.outputs or None), ("before g8r", resource.original),
    )  # fmt: skip
    for title, document in parts:
        if document is not None:
            lines.append(palette.paint("strong", f"{title}:"))
            lines += [f"  {line}" for line in attributes.present(document, hidden, palette, full=True)]
    if resource.state is None:
        lines.append("state: absent")
    return "\n".join(lines) + "\n"


def history(runs: Iterable[Run], palette: Palette = PLAIN) -> str:
    """`g8r history`: runs in the order given, the latest first. Their times do not tell which that is: two may begin in one second."""
    rows = [(run.id, run.status, run.started, run.ended or "", run.operator, str(run.serial), _counts(run.counts)) for run in runs]
    lines = style.table(("RUN", "STATUS", "STARTED", "ENDED", "BY", "SERIAL", "OUTCOMES"), rows, palette)
    return "\n".join(lines or ["There have been no runs."]) + "\n"


def fidelity(found: Iterable[Fidelity], palette: Palette = PLAIN) -> str:
    """`g8r history --fidelity`: of each kind, how much of what was predicted came true. Less than all is never shown as 100%."""
    kinds = sorted(found)
    if not kinds:
        return "Nothing has been predicted and read back yet.\n"
    total = Fidelity("all", sum(kind.predicted for kind in kinds), sum(kind.right for kind in kinds))
    rows = [(kind.kind, f"{kind.predicted:,}", f"{kind.right:,}", _share(kind)) for kind in (*kinds, total)]
    return "\n".join(style.table(("KIND", "PREDICTED", "RIGHT", "FIDELITY"), rows, palette)) + "\n"


def outputs(found: Document, sensitive: Iterable[str], palette: Palette = PLAIN) -> str:
    """`g8r output`: the stack's outputs, sensitive ones masked."""
    lines = list(attributes.present(found, sensitive, palette, full=True))
    return "\n".join(lines or ["The stack has no outputs."]) + "\n"


def lease(held: Lease | None) -> str:
    """`g8r state lock`: who may write."""
    if held is None:
        return "Nobody holds the lock.\n"
    who = f"{style.clean(held.owner)} holds the lock for {style.clean(held.operation)}"
    return f"{who}, since {style.clean(held.acquired)}; last heard of at {style.clean(held.heartbeat)}; fence {held.fence}.\n"


def _row(resource: Resource) -> tuple[str, ...]:
    by = "created" if resource.created else "adopted"
    return str(resource.address), resource.key.identity, by, "absent" if resource.state is None else "present", style.place(resource.span)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in sorted(counts.items()) if number)


def _share(kind: Fidelity) -> str:
    if not kind.predicted:
        return "-"
    hundredths = kind.right * _WHOLE // kind.predicted  # rounded down
    return f"{hundredths // 100}%" if hundredths % 100 == 0 else f"{hundredths // 100}.{hundredths % 100:02d}%"
