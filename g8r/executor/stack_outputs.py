"""The stack's own outputs, resolved with what its tasks put out: at plan time as far as known, after a run for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from g8r.address import Address
from g8r.executor.veil import is_sealed
from g8r.reference import OutputReference, Reference, host_text, resolve, text_of
from g8r.selector import Labels
from g8r.value import MASK, Document, Partial, Unknown, Value, unknowns


def known_outputs(wanted: Document, selected: Mapping[str, tuple[str, ...]], outputs: Mapping[Address, Document]) -> Document:
    """The stack's own outputs, those that can be resolved with what tasks are known to put out; a mask where
    that is sensitive.
    """
    found: Document = {}
    for name, value in sorted(wanted.items()):
        resolved = resolve(value, lambda reference: _output(reference, selected, outputs))
        if not unknowns(resolved):
            found[name] = cast("Value", resolved)
    return found


def _output(reference: Reference, selected: Mapping[str, tuple[str, ...]], outputs: Mapping[Address, Document]) -> Partial:
    if not isinstance(reference, OutputReference) or reference.host is None:
        return Unknown(text_of(reference))
    several = isinstance(reference.host, Labels)
    hosts = selected.get(host_text(reference.host), ()) if isinstance(reference.host, Labels) else (reference.host,)
    found: list[Partial] = []
    for host in hosts:
        known = outputs.get(Address(host, reference.kind, reference.name), {})
        if reference.output not in known:
            found.append(Unknown(f"{host}/{reference.task}"))
            continue
        value = known[reference.output]
        found.append(MASK if is_sealed(value) else cast("Partial", value))
    return found if several else found[0]
