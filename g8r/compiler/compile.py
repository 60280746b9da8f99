"""Compiling: a Stack becomes a checked task graph, with whatever else a plan is made of.

Pure but for `read_source`, which gives the files beside the stack. All mistakes are collected; where one is an error, the graph is
empty, and the caller rejects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from g8r import modules, parameters
from g8r import reference as refs
from g8r.compiler import assemble, expand, flaws, references, settle, sources
from g8r.compiler.expand import NOWHERE, ExpandedHost
from g8r.compiler.flaws import Flaws
from g8r.compiler.graph import TaskGraph
from g8r.compiler.references import Kinds, Link, Mention, Place, Scope
from g8r.compiler.settle import Settled, Study
from g8r.compiler.sources import ReadSource
from g8r.diagnostics import Diagnostic, DocumentPath, error, errors, warning
from g8r.reference import OutputReference, Reference, SecretReference
from g8r.selector import Labels
from g8r.stack import Stack
from g8r.value import Document, Value


class Compiled(msgspec.Struct, frozen=True):
    """A compiled stack. `outputs` are the stack's own, with references to outputs (each with its host) and secrets still in them.

    `blobs` maps digests to the content of sources that are large or no text. `selected` has, for every label selector in a reference
    to outputs (`[role=web]`), the hosts it means, sorted. `diagnostics` holds warnings and errors, in the order of the document.
    """

    stack: Stack
    hosts: dict[str, ExpandedHost]
    graph: TaskGraph
    blobs: dict[str, bytes] = {}
    outputs: dict[str, Value] = {}
    selected: dict[str, tuple[str, ...]] = {}
    diagnostics: tuple[Diagnostic, ...] = ()


def compile_stack(
    stack: Stack,
    facts: Mapping[str, Document],
    read_source: ReadSource,
    kinds: Kinds = modules.load,
    mistakes: Sequence[Diagnostic] = (),
) -> Compiled:
    """Compile a stack. `facts` are those of each host, as plain records; what hangs on facts that are missing is deferred.

    mistakes: what decode has found, where the stack holds only what could be understood. They are among the diagnostics, and nothing
    is that only follows from them.
    """
    hosts, warnings = expand.expand_hosts(stack, facts)
    placed, wrong = expand.place(stack, hosts)
    told = flaws.of(stack, mistakes)
    found = [one for one in (*warnings, *wrong) if not told.explains(one)]
    known = flaws.of(stack, (*mistakes, *found))
    scope = Scope(hosts, _surely(placed, stack, known), stack.vars, kinds, known)
    found += _inert(stack)
    studies: dict[str, Study] = {}
    for task in sorted(stack.tasks, key=str):
        studied, troubles = settle.study(task, scope)
        found += troubles
        if studied is not None:
            studies[str(task)] = studied
    if known.unplaced or len(studies) < len(stack.tasks):
        studies = _without_doubtful_links(studies, scope)
    settled, blobs, troubles = _settle(studies, scope, sources.loader(read_source))
    found += troubles
    outputs, troubles = _outputs(stack, scope)
    found += troubles
    assembled, troubles = assemble.assemble(settled, hosts, _sensitive(studies))
    found = [*mistakes, *(one for one in (*found, *troubles) if not told.explains(one))]
    graph = TaskGraph(hosts={name: host.address for name, host in hosts.items()}) if errors(found) else assembled
    ordered = _ordered(found)
    return Compiled(stack, hosts, graph, blobs, outputs, _selected(studies, outputs, scope), ordered)


# ---- tasks ----------------------------------------------------------------------------------------------------------------------------


def _surely(placed: Mapping[str, tuple[str, ...]], stack: Stack, known: Flaws) -> Mapping[str, tuple[str, ...]]:
    """The hosts that tasks are on for sure: labels say nothing of a host whose labels are not known."""
    if not known.labels:
        return placed
    doubtful = {str(task) for task in stack.tasks if isinstance(task.meta.on, Labels)}
    return {
        name: tuple(host for host in hosts if name not in doubtful or not known.blurs(host, "labels")) for name, hosts in placed.items()
    }


def _without_doubtful_links(studies: Mapping[str, Study], scope: Scope) -> dict[str, Study]:
    """The studies without the links to tasks of which it is not known what they are, or where."""
    sure = studies.keys() - scope.flaws.unplaced

    def is_sure(link: Link) -> bool:
        return link.task in sure and (link.host is None or link.host in scope.placed[link.task])

    return {name: msgspec.structs.replace(study, links=tuple(filter(is_sure, study.links))) for name, study in studies.items()}


def _settle(
    studies: Mapping[str, Study], scope: Scope, load: settle.Load
) -> tuple[dict[str, dict[str, Settled]], dict[str, bytes], list[Diagnostic]]:
    """All tasks on all their hosts, by host and task name; one Settled for all hosts where it is the same. Of a task that is on no host
    that is known, only what is wrong is found.
    """
    settled: dict[str, dict[str, Settled]] = {host: {} for host in scope.hosts}
    blobs: dict[str, bytes] = {}
    diagnostics: list[Diagnostic] = []
    for name, studied in studies.items():
        shared: Settled | None = None
        if not studied.hosts and name in scope.flaws.unplaced:
            diagnostics += settle.settle(studied, NOWHERE, scope, load)[1]
        for host in studied.hosts:
            if shared is None or studied.varies:
                shared, wrong = settle.settle(studied, scope.hosts[host], scope, load, shared)
                diagnostics += wrong
                blobs |= shared.blobs
            settled[host][name] = shared
    return settled, dict(sorted(blobs.items())), diagnostics


def _sensitive(studies: Mapping[str, Study]) -> dict[str, tuple[str, ...]]:
    """For each task the params that are sensitive beside those its kind declares.

    A param that refers to an output which hangs on a sensitive param is sensitive itself, and so on.
    """
    found = {name: frozenset(study.sensitive) for name, study in studies.items()}
    referring = [
        (name, str(mention.at[0]), reference)
        for name, study in studies.items()
        for mention in study.mentions
        for reference in mention.references
        if isinstance(reference, OutputReference) and reference.task in studies
    ]
    growing = bool(referring)
    while growing:
        growing = False
        for name, param, reference in referring:
            if param not in found[name] and _is_sensitive(reference, studies, found):
                found[name] |= {param}
                growing = True
    return {name: tuple(sorted(params)) for name, params in found.items()}


def _is_sensitive(reference: OutputReference, studies: Mapping[str, Study], found: Mapping[str, frozenset[str]]) -> bool:
    module = studies[reference.task].module
    hidden = parameters.sensitive_fields(module, tuple(found[reference.task]))
    return reference.output in parameters.determined(module, hidden)


# ---- the stack's own --------------------------------------------------------------------------------------------------------------------


def _outputs(stack: Stack, scope: Scope) -> tuple[dict[str, Value], list[Diagnostic]]:
    """The stack's outputs, every reference in them with its host, and all replaced that is known."""
    outputs: dict[str, Value] = {}
    diagnostics: list[Diagnostic] = []
    only = next(iter(scope.hosts.values())) if len(scope.hosts) == 1 else None
    for name, value in sorted(stack.outputs.items()):
        place = Place(f"the output {name}", ("outputs", name))
        found, invalid = references.mentions(value, place)
        wrong = [*invalid, *(one for mention in found for check in (_homeless, _checked) for one in check(mention, place, scope))]
        if not errors(wrong):
            outputs[name], missing = references.replace(found, value, only, place, scope)
            outputs[name] = refs.substitute(outputs[name], lambda reference: _with_host(reference, scope))
            wrong += missing
        diagnostics += wrong
    return outputs, diagnostics


def _homeless(mention: Mention, place: Place, scope: Scope) -> Iterator[Diagnostic]:
    """References without a host to tasks that are on several."""
    for reference in mention.references:
        if not isinstance(reference, OutputReference) or reference.host is not None or reference.task in scope.flaws.unplaced:
            continue
        if len(scope.placed.get(reference.task, ("one",))) != 1:
            hosts = scope.placed[reference.task]
            written = refs.text_of(reference)
            remedy = f"Write @{{{hosts[0]}/{written[2:]}, or select several by their labels." if hosts else "It is on no host."
            summary = f"{written} does not say which host"
            yield error("which-host", summary, f"{reference.task} is on {len(hosts)} hosts. {remedy}", place.path(mention.at))


def _checked(mention: Mention, place: Place, scope: Scope) -> Iterator[Diagnostic]:
    path = place.path(mention.at)
    for reference in mention.references:
        if isinstance(reference, OutputReference):
            given, missing = references.check(reference, (), place, scope)
            if missing:
                yield error(*missing, path)
            elif not mention.whole:
                yield from references.in_text(reference, given, path)
        if not isinstance(reference, SecretReference | refs.VarReference):
            nobody = references.labels_warning(reference, path, scope)
            if nobody:
                yield nobody


def _with_host(reference: Reference, scope: Scope) -> Reference:
    if isinstance(reference, OutputReference) and reference.host is None and len(scope.placed.get(reference.task, ())) == 1:
        return msgspec.structs.replace(reference, host=scope.placed[reference.task][0])
    return reference


def _selected(studies: Mapping[str, Study], outputs: dict[str, Value], scope: Scope) -> dict[str, tuple[str, ...]]:
    mentioned = [reference for study in studies.values() for mention in study.mentions for reference in mention.references]
    found = {
        f"[{expand.selector_text(reference.host)}]": expand.matching(reference.host, scope.hosts)
        for reference in (*mentioned, *refs.references(outputs))
        if isinstance(reference, OutputReference) and isinstance(reference.host, Labels)
    }
    return dict(sorted(found.items()))


def _inert(stack: Stack) -> Iterator[Diagnostic]:
    """Warnings for references in vars: they are plain text there."""
    everywhere: list[tuple[DocumentPath, Document]] = [(("vars",), stack.vars)]
    everywhere += [(("groups", name, "vars"), group.vars) for name, group in sorted(stack.groups.items())]
    everywhere += [(("hosts", name, "vars"), host.vars) for name, host in sorted(stack.hosts.items())]
    for base, values in everywhere:
        for at, text in refs.walk(values):
            detail = "Vars are plain: a param that uses this one gets the text as it stands. Put the reference into the param."
            yield warning("reference-in-vars", f"{_clipped(text)} is not resolved in a var", detail, (*base, *at))


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 the width of a line of messages


# ---- messages ---------------------------------------------------------------------------------------------------------------------------


def _ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In the order of their places, each message once: what is wrong on ten hosts is told for the first."""
    told: dict[tuple[str, DocumentPath | None, str], Diagnostic] = {}
    for diagnostic in diagnostics:
        told.setdefault((diagnostic.code, diagnostic.path, diagnostic.summary), diagnostic)
    return tuple(sorted(told.values(), key=lambda one: (_path_key(one.path or ()), one.code, one.summary)))


def _path_key(path: DocumentPath) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)
