"""Surveying one host: read everything once, in batches by kind, then judge tasks in waves as the outputs of others become known.

Nothing here writes to the host ([P-pure]). A survey is told outputs of tasks on other hosts between waves; what it finds out about
its own tasks it knows itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

import msgspec

from g8r.address import Address
from g8r.catalog import Catalog, CatalogTask, Exactly, Expect, Finding, Predicted, Unforeseen
from g8r.change import ABSENT, Blocked, Change, NoChange, Undecided, Unreadable, Verdict
from g8r.executor import requirements
from g8r.executor.acting_host import acting
from g8r.executor.judge import (
    Kinds,
    Prepared,
    Secrets,
    ahead_of,
    change_of,
    judge,
    masked,
    outputs,
    prepare,
    read,
    recorded_state,
    rehearse,
    replacing,
    state_digest,
    unknown_lookup,
)
from g8r.executor.veil import Veil
from g8r.host import Host
from g8r.module import Ahead, AnyModule, Module, Wanted, Work
from g8r.reference import OutputReference, Reference, SecretReference, host_text, may_refer, walk
from g8r.selector import Labels
from g8r.state import Resource
from g8r.value import Document, Partial, Unknown

_PENDING: Final = frozenset({"change", "unknown"})

Key: TypeAlias = tuple[str, str]
"""A resource on this host: kind and identity."""


class Outlook(msgspec.Struct, frozen=True):
    """What a survey is told of the rest of the fleet: outputs by address, reasons for those not known, and fan-in by labels text."""

    known: Mapping[Address, Document] = {}
    unknown: Mapping[Address, Mapping[str, str]] = {}
    selected: Mapping[str, tuple[str, ...]] = {}
    """For the text of a label selector in a reference, the hosts it means, sorted."""
    blocked: frozenset[Address] = frozenset()
    """Tasks of other hosts that are blocked."""
    replace: frozenset[Address] = frozenset()
    """Tasks whose resources the user wants made anew."""


class Judged(msgspec.Struct, frozen=True):
    """A task with its verdict, before the machine was asked what it foretells."""

    task: CatalogTask
    prepared: Prepared
    before: Any
    verdict: Verdict[Any]
    ahead: Ahead


class Survey:
    """One host's reading, and the judging of its tasks. `find` is to be called wave by wave, in topological order."""

    def __init__(
        self, catalog: Catalog, recorded: Mapping[Key, Resource], host: Host, *, key: bytes, secrets: Secrets, veil: Veil, kinds: Kinds
    ) -> None:
        self._catalog = catalog
        self._recorded = recorded
        self._host = host
        self._key = key
        self._secrets = secrets
        self._veil = veil
        self._kinds = kinds
        self._findings: dict[Address, Finding] = {}
        self._prepared: dict[Address, Prepared] = {}
        self._nothing_ahead = ahead_of(host)
        self._queue: dict[Address, Judged] = {}
        self._pending_packages: list[str] = []
        self._tasks = {task.address: task for task in catalog.tasks}
        self._plain = frozenset(task.address for task in catalog.tasks if not _refers(task.params))
        self._states = self._read()
        self._missing = self._look_up_requirements()

    def find(self, addresses: Iterable[Address], outlook: Outlook) -> list[Finding]:
        """Judge these tasks, in the order given; all that they refer to has been judged, or is in the outlook.

        A task that the outlook says to replace is judged as if its resource were absent.
        """
        wanted = list(addresses)
        for address in wanted:
            task = self._tasks[address]
            if self._queue and self._stands_on_queue(task):
                self._rehearse()
            judged = self._judge(task, outlook)
            if isinstance(judged, Finding):
                self._settle(judged)
            else:
                self._queue[address] = judged
        self._rehearse()
        return [self._findings[address] for address in wanted]

    def _settle(self, finding: Finding) -> None:
        self._findings[finding.address] = finding
        if finding.address.kind == "package" and finding.judgement in _PENDING:
            self._pending_packages.append(finding.address.task)

    def _stands_on_queue(self, task: CatalogTask) -> bool:
        if any(edge.before in self._queue for edge in task.edges):
            return True
        return task.after_packages and any(address.kind == "package" for address in self._queue)

    def _rehearse(self) -> None:
        """Ask the machine what it foretells of the changes judged so far, by kind and many at once."""
        queue, self._queue = self._queue, {}
        by_kind: dict[str, list[Judged]] = {}
        for judged in queue.values():
            by_kind.setdefault(judged.task.address.kind, []).append(judged)
        for kind, several in sorted(by_kind.items()):
            work: list[Work[Any, Any]] = [
                Work(
                    judged.prepared.params,
                    change_of(judged.verdict),
                    sensitive=tuple(sorted(judged.prepared.sensitive)),
                    ahead=judged.ahead,
                )
                for judged in several
            ]
            for judged, foretold in zip(several, rehearse(self._kinds(kind), work, self._host), strict=True):
                self._settle(self._finding(msgspec.structs.replace(judged, verdict=foretold)))

    # ---- reading ----

    def _read(self) -> dict[Address, Any]:
        batches: dict[tuple[str, str | None, float | None], list[CatalogTask]] = {}
        for task in self._catalog.tasks:
            batches.setdefault((task.address.kind, task.become, task.timeout), []).append(task)
        states: dict[Address, Any] = {}
        for (kind, become, timeout), tasks in sorted(batches.items(), key=lambda batch: repr(batch[0])):
            module = self._kinds(kind)
            wanted = [self._wanted(module, task) for task in tasks]
            found = read(module, wanted, acting(self._host, become, timeout))
            states |= {task.address: state for task, state in zip(tasks, found, strict=True)}
        return states

    def _wanted(self, module: AnyModule, task: CatalogTask) -> Wanted[Any, Any]:
        prepared = prepare(module, task.params, unknown_lookup, task.sensitive, task.lifecycle)
        if task.address in self._plain:
            self._prepared[task.address] = prepared
        record = self._recorded.get((task.address.kind, task.identity)) if module.remembers else None
        return Wanted(prepared.params, recorded_state(module, record))

    def _look_up_requirements(self) -> frozenset[str]:
        wanted = {
            claim
            for task in self._catalog.tasks
            for claim in task.claims.requires
            if claim not in task.provided and claim.partition(":")[0] in requirements.JUDGED
        }
        return requirements.missing(wanted, self._host) if wanted else frozenset()

    # ---- judging ----

    def _judge(self, task: CatalogTask, outlook: Outlook) -> Finding | Judged:
        """A finding, or what is still to be rehearsed."""
        module = self._kinds(task.address.kind)
        before = self._states[task.address]
        obstacle = self._obstacle(task, outlook) or (before.reason if isinstance(before, Unreadable) else "")
        if obstacle:
            return Finding(task.address, "blocked", reason=obstacle)
        try:
            prepared = self._prepared.get(task.address) or self._prepare(module, task, outlook)
        except msgspec.ValidationError as mismatch:
            return Finding(task.address, "blocked", reason=f"what a reference gives does not fit: {mismatch}")
        except KeyError as absent_secret:
            return Finding(task.address, "blocked", reason=f"there is no secret {absent_secret.args[0]!r} on this host")
        anew = task.address in outlook.replace
        ahead = self._ahead(task)
        verdict = judge(prepared, ABSENT if anew else before, ahead)
        judged = Judged(task, prepared, before, replacing(verdict, before) if anew else verdict, ahead)
        if isinstance(verdict, Change) and type(module).rehearse is not Module.rehearse and not self._awaited(task):
            return judged
        return self._finding(judged)

    def _ahead(self, task: CatalogTask) -> Ahead:
        promised = frozenset(claim for claim in task.claims.requires if self._promised(task, claim))
        return msgspec.structs.replace(self._nothing_ahead, promised=promised) if promised else self._nothing_ahead

    def _prepare(self, module: AnyModule, task: CatalogTask, outlook: Outlook) -> Prepared:
        return prepare(module, task.params, self._lookup(outlook), task.sensitive, task.lifecycle)

    def _finding(self, judged: Judged) -> Finding:
        task, prepared, verdict = judged.task, judged.prepared, judged.verdict
        awaited = self._awaited(task)
        if awaited and not isinstance(verdict, Blocked):
            verdict = Undecided(f"expected from {awaited}", verdict if isinstance(verdict, Change) else None)
        document = masked(judged.before, prepared.sensitive, self._key)
        hidden = tuple(sorted(prepared.sensitive))
        grounded = not awaited and not self._moving(task)
        expect: Expect = Exactly(state_digest(prepared, judged.before, self._key)) if grounded else Predicted()
        match verdict:
            case NoChange():
                known, unknown = outputs(prepared, judged.before, frozenset(), "")
                return Finding(
                    task.address,
                    "no-change",
                    before=document,
                    after=document,
                    sensitive=hidden,
                    expect=expect,
                    outputs=self._veil.over(known, prepared.sensitive, task.address),
                    unknown_outputs=unknown,
                )
            case Change():
                return self._changing(task, prepared, verdict, document, expect)
            case Undecided(reason=reason, likely=likely):
                return self._undecided(task, prepared, document, reason, likely)
            case Blocked(reason=reason):
                return Finding(task.address, "blocked", before=document, sensitive=hidden, reason=reason)

    def _undecided(
        self, task: CatalogTask, prepared: Prepared, before: Document | None, reason: str, likely: Change[Any] | None
    ) -> Finding:
        everything = dict.fromkeys(prepared.module.Outputs.__struct_fields__, str(task.address))
        found = Finding(
            task.address,
            "unknown",
            before=before,
            sensitive=tuple(sorted(prepared.sensitive)),
            expect=Unforeseen(),
            reason=reason,
            unknown_outputs=everything,
        )
        if likely is None:
            return found
        shown = self._changing(task, prepared, likely, before, Unforeseen())
        found = msgspec.structs.replace(found, after=shown.after, unknown=shown.unknown, because=shown.because)
        if not prepared.unknown:
            return found
        return msgspec.structs.replace(found, outputs=shown.outputs, unknown_outputs=shown.unknown_outputs)

    def _changing(self, task: CatalogTask, prepared: Prepared, change: Change[Any], before: Document | None, expect: Expect) -> Finding:
        after = masked(change.after, prepared.sensitive, self._key)
        known, unknown = outputs(prepared, change.after, frozenset(change.unknown), str(task.address))
        return Finding(
            task.address,
            "change",
            action=change.action,
            before=before,
            after={name: value for name, value in after.items() if name not in change.unknown} if after is not None else None,
            unknown=change.unknown,
            sensitive=tuple(sorted(prepared.sensitive)),
            expect=expect,
            because=change.because,
            outputs=self._veil.over(known, prepared.sensitive, task.address),
            unknown_outputs=unknown,
            satisfies=tuple(sorted(verb for verb in prepared.module.triggers.values() if prepared.module.satisfies(change, verb))),
        )

    def _obstacle(self, task: CatalogTask, outlook: Outlook) -> str:
        """Why this task cannot be done, whatever its own state; empty where nothing stands in its way."""
        for edge in task.edges:
            if edge.soft:
                continue
            finding = self._findings.get(edge.before)
            if edge.before in outlook.blocked or (finding is not None and finding.judgement == "blocked"):
                return f"it needs {edge.before.task}, which is blocked"
        if not self._pending_packages or not task.after_packages:
            for claim in task.claims.requires:
                if claim in self._missing and claim not in task.provided:
                    return requirements.sentence(claim)
        if task.become is not None and not self._host.privileged and task.become != self._host.user:
            return f"become = {task.become!r} needs root, and this agent runs as {self._host.user}"
        return ""

    def _awaited(self, task: CatalogTask) -> str:
        """The pending packages that a requirement without provider may come from; empty where all requirements hold."""
        if any(claim in self._missing and claim not in task.provided for claim in task.claims.requires):
            return ", ".join(self._pending_packages)
        return ""

    def _promised(self, task: CatalogTask, claim: str) -> bool:
        provider = task.provided.get(claim)
        finding = self._findings.get(provider) if provider else None
        return finding is not None and finding.judgement in _PENDING and finding.before is None

    def _moving(self, task: CatalogTask) -> bool:
        """Whether something that this task stands on, or that holds the same lock, changes earlier in the plan."""
        for provider in task.provided.values():
            finding = self._findings.get(provider)
            if finding is not None and finding.judgement in _PENDING:
                return True
        return task.after_packages and bool(self._pending_packages)

    def _lookup(self, outlook: Outlook) -> Callable[[Reference], Partial]:
        def find(reference: Reference) -> Partial:
            match reference:
                case SecretReference(name=name):
                    return self._secrets(name)
                case OutputReference(host=Labels()):
                    hosts = outlook.selected[host_text(reference.host)]
                    return [self._output(Address(host, reference.kind, reference.name), reference.output, outlook) for host in hosts]
                case OutputReference(host=str() | None as host):
                    return self._output(Address(host or self._catalog.host, reference.kind, reference.name), reference.output, outlook)
                case _:
                    message = f"{reference} should have been resolved by the compiler"
                    raise AssertionError(message)

        return find

    def _output(self, address: Address, name: str, outlook: Outlook) -> Partial:
        own = self._findings.get(address)
        known = own.outputs if own is not None else outlook.known.get(address, {})
        if name in known:
            return cast("Partial", self._veil.lifted(known[name], address, name))
        reasons = own.unknown_outputs if own is not None else outlook.unknown.get(address, {})
        return Unknown(reasons.get(name, str(address)))


def _refers(params: Document) -> bool:
    return any(True for value in params.values() if may_refer(value) for _ in walk(value))
