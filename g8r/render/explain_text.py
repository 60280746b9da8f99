"""`g8r explain`: all about one task on one host, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from g8r.claim import Claims
from g8r.plan import Step
from g8r.render import plan_text, style
from g8r.render.style import PLAIN, Palette
from g8r.state import Resource
from g8r.value import Value


class Param(msgspec.Struct, frozen=True, omit_defaults=True):
    """A param: its value, where that is from, and what was written where it came to something else."""

    name: str
    value: Value
    origin: Literal["set", "default", "filled in"]
    written: Value = None
    place: str = ""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """A var of the host: who set it, and whom that won against."""

    name: str
    value: Value
    winner: str
    others: tuple[str, ...] = ()
    place: str = ""


class Tie(msgspec.Struct, frozen=True, omit_defaults=True):
    """An edge, seen from this task."""

    address: str
    reason: str
    note: str = ""
    soft: bool = False
    place: str = ""


class Explained(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it. `before` comes first, `after` follows; `record` is the ledger's, `step` the next plan's."""

    address: str
    identity: str
    declared: str
    params: tuple[Param, ...]
    vars: tuple[Origin, ...] = ()
    before: tuple[Tie, ...] = ()
    after: tuple[Tie, ...] = ()
    after_packages: bool = False
    claims: Claims = Claims()
    triggers: dict[str, tuple[str, ...]] = {}
    record: Resource | None = None
    owed: tuple[str, ...] = ()
    step: Step | None = None


def render(told: Explained, palette: Palette = PLAIN) -> str:
    where = f", declared at {style.clean(told.declared)}" if told.declared else ""
    lines = [f"{palette.paint('strong', style.clean(told.address))}: {style.clean(told.identity)}{where}"]
    sections: tuple[tuple[str, Iterable[str]], ...] = (
        ("Params", _params(told.params)),
        ("Vars of its host", _vars(told.vars)),
        ("Comes after", (*_ties(told.before), *(["every package task of its host"] if told.after_packages else []))),
        ("Comes before", _ties(told.after)),
        ("Claims", _claims(told.claims)),
        ("Triggers", (f"{name}: {', '.join(sources)}" for name, sources in told.triggers.items())),
        ("In the ledger", _record(told)),
        ("In the next plan", _verdict(told.step, palette)),
    )
    for title, found in sections:
        shown = list(found)
        if shown:
            lines += ["", palette.paint("strong", f"{title}:"), *(f"  {line}" for line in shown)]
    return "\n".join(lines) + "\n"


def _params(params: Iterable[Param]) -> Iterator[str]:
    """What is set first; defaults of nothing are left out."""
    for param in sorted(params, key=lambda param: param.origin == "default"):
        if param.origin == "default" and param.value in (None, [], {}, ""):
            continue
        notes = [param.origin if param.origin != "set" else param.place or "set"]
        if param.written is not None:
            notes.append(f"written as {style.value_text(param.written)}")
        yield f"{param.name} = {style.value_text(param.value)}  ({style.clean('; '.join(notes))})"


def _vars(found: Iterable[Origin]) -> Iterator[str]:
    for origin in found:
        over = f", over {', '.join(reversed(origin.others))}" if origin.others else ""
        place = f" at {origin.place}" if origin.place else ""
        yield f"{style.clean(origin.name)} = {style.value_text(origin.value)}  ({style.clean(f'from {origin.winner}{place}{over}')})"


def _ties(ties: Iterable[Tie]) -> Iterator[str]:
    for tie in ties:
        why = tie.reason + (f" {tie.note}" if tie.note else "") + (", only for the order" if tie.soft else "")
        place = f" ({tie.place})" if tie.place else ""
        yield style.clean(f"{tie.address}: {why}{place}")


def _claims(claims: Claims) -> Iterator[str]:
    for word in ("provides", "requires", "follows", "excludes", "locks"):
        names: tuple[str, ...] = getattr(claims, word)
        if names:
            yield style.clean(f"{word}: {', '.join(names)}")


def _record(told: Explained) -> Iterator[str]:
    record = told.record
    if record is None:
        yield "nothing yet"
    else:
        by = "created by g8r" if record.created else "adopted: it was there before g8r"
        yield f"{by}, last touched by run {style.clean(record.run)}" if record.run else by
        if record.pulled_in:
            yield style.clean(f"brought along {', '.join(record.pulled_in)}")
        if record.lifecycle.prevent_destroy:
            yield "its lifecycle prevents its removal"
    for verb in told.owed:
        yield f"owes {style.clean(verb)}"


def _verdict(step: Step | None, palette: Palette) -> Iterator[str]:
    if step is None:
        yield "nothing: it is not in the selection"
    elif step.action == "no-op" and not step.drifted:
        yield "no change: it is as wanted"
    else:
        entry = plan_text.Entry(step, (step.address.host,))
        if step.drifted:
            yield from plan_text.drift_lines(entry, palette)
        if step.action != "no-op":
            yield from plan_text.entry_lines(entry, palette)
