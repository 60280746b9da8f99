"""Performing steps on one host: read again, check that the ground has not moved, act, read back, compare with what was planned.

A step ends `stale` where the world differs from what the plan found ([P-stale]), or where the diff, made again because something was
not known, does not refine what was approved ([P-expect]). Every known planned value must be read afterwards ([A-exact]).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast

import msgspec

from g8r import parameters
from g8r.address import Address
from g8r.catalog import Exactly
from g8r.change import Absent, Applied, Blocked, Change, Failed, NoChange, Undecided, Unreadable, Verdict
from g8r.executor import orphans, requirements
from g8r.executor.acting_host import acting
from g8r.executor.judge import (
    Kinds,
    Prepared,
    Secrets,
    ahead_of,
    differences,
    judge,
    masked,
    outputs,
    prepare,
    read,
    replacing,
    state_digest,
)
from g8r.executor.veil import Veil
from g8r.host import Host, HostError
from g8r.module import Ahead, AnyModule, Wanted, Work
from g8r.outcome import Changed, Failure, Outcome, Stale, Unchanged
from g8r.plan import Step
from g8r.reference import OutputReference, Reference, SecretReference, host_text
from g8r.selector import Labels
from g8r.state import Fidelity
from g8r.value import Document, Partial, Unknown

Unseal: TypeAlias = Callable[[Step], Document]
"""Gives a step's params with sealed values opened."""


class Effects(Protocol):
    """The agent's own memory of what must not be done twice ([A-intent]). Durable when a call returns."""

    def started(self, run: str, step: str) -> None: ...

    def done(self, run: str, step: str, outcome: Outcome) -> None: ...

    def effect(self, run: str, step: str) -> Outcome | None:
        """The outcome of a step that is done; `InDoubt` of one that was started; None of one never begun."""
        ...


class Given(msgspec.Struct, frozen=True):
    """What steps may refer to: outputs by address, and the hosts that label selectors mean. `recorded` is of kinds that remember."""

    run: str
    outputs: Mapping[Address, Document] = {}
    selected: Mapping[str, tuple[str, ...]] = {}
    recorded: Mapping[str, Document] = {}


class Performed(msgspec.Struct, frozen=True):
    """A step that ended. `state` in `outcome` is masked; `fidelity` counts what was predicted and read back."""

    step: Step
    outcome: Outcome
    fidelity: Fidelity | None = None


class _Ready(msgspec.Struct, frozen=True):
    """A step that is to be done as planned; `wanted` is the state that its change leads to, masked."""

    step: Step
    prepared: Prepared
    before: Any
    change: Change[Any]
    wanted: Document | None


class Performer:
    """Performs batches of steps of one kind on one host; any number of batches at once, from different threads."""

    def __init__(self, host: Host, *, key: bytes, secrets: Secrets, unseal: Unseal, veil: Veil, effects: Effects, kinds: Kinds) -> None:
        self._host = host
        self._key = key
        self._secrets = secrets
        self._unseal = unseal
        self._veil = veil
        self._effects = effects
        self._kinds = kinds

    def perform(self, steps: Sequence[Step], given: Given) -> Iterator[Performed]:
        """Perform steps of one kind and one way to act (become, timeout); each ends once, in any order."""
        module = self._kinds(steps[0].address.kind)
        host = acting(self._host, steps[0].become, steps[0].timeout)
        prepared: dict[str, Prepared] = {}
        todo = []
        for step in steps:
            ready = self._prepare(module, step, given)
            if isinstance(ready, Prepared):
                prepared[step.id] = ready
                todo.append(step)
            else:
                yield Performed(step, ready)
        if todo and todo[0].verb:
            yield from (self._trigger(module, step, prepared[step.id], host, given) for step in todo)
            return
        ready_steps = []
        for decided in self._decide(module, todo, prepared, host, given):
            if isinstance(decided, Performed):
                yield decided
            else:
                ready_steps.append(decided)
        yield from self._act(module, ready_steps, host, given)

    # ---- what is to be done, as things are now ----

    def _prepare(self, module: AnyModule, step: Step, given: Given) -> Prepared | Outcome:
        if step.wish is None and step.version != module.version:
            return Failure(f"this plan knows version {step.version} of kind {module.kind}, and this agent {module.version}", touched=False)
        if step.wish is not None:
            return orphans.prepare_recorded(step.address.kind, step.params, step.sealed, step.sensitive, self._kinds)
        try:
            return prepare(module, self._unseal(step), self._lookup(step, given), step.sensitive_params, step.lifecycle)
        except msgspec.ValidationError as mismatch:
            return Failure(f"what a reference gives does not fit: {mismatch}", touched=False)
        except KeyError as absent_secret:
            return Failure(f"there is no secret {absent_secret.args[0]!r} on this host", touched=False)

    def _decide(
        self, module: AnyModule, steps: Sequence[Step], prepared: Mapping[str, Prepared], host: Host, given: Given
    ) -> Iterator[Performed | _Ready]:
        missing = self._missing(steps)
        states = read(module, [self._wanted(module, step, prepared[step.id], given) for step in steps], host) if steps else ()
        judged: list[tuple[Step, Any, Verdict[Any]]] = []
        ahead = ahead_of(self._host)
        for step, before in zip(steps, states, strict=True):
            lacking = [claim for claim in step.claims.requires if claim in missing]
            if lacking and step.wish is None:
                yield Performed(step, Failure(requirements.sentence(lacking[0]), touched=False))
            elif isinstance(before, Unreadable):
                yield Performed(step, Failure(before.reason, touched=False))
            else:
                judged.append((step, before, _verdict(step, prepared[step.id], before, ahead)))
        verdicts = [_as_planned(step, prepared[step.id], verdict) for step, _, verdict in judged]
        if not module.rehearses_itself:
            ready = [prepared[step.id] for step, _, _ in judged]
            verdicts = orphans.rehearsed(module, ready, verdicts, [step.pulled_in for step, _, _ in judged], host)
        for (step, before, _), verdict in zip(judged, verdicts, strict=True):
            yield self._checked(step, prepared[step.id], before, verdict)

    def _missing(self, steps: Sequence[Step]) -> frozenset[str]:
        """Required claims that do not hold, of the steps whose ground earlier steps were to make."""
        wanted = {
            claim
            for step in steps
            if not isinstance(step.expect, Exactly) and step.wish is None
            for claim in step.claims.requires
            if claim.partition(":")[0] in requirements.JUDGED
        }
        return requirements.missing(wanted, self._host) if wanted else frozenset()

    def _wanted(self, module: AnyModule, step: Step, prepared: Prepared, given: Given) -> Wanted[Any, Any]:
        recorded = given.recorded.get(step.id) if module.remembers else None
        return Wanted(prepared.params, msgspec.convert(recorded, module.State) if recorded is not None else None)

    def _checked(self, step: Step, prepared: Prepared, before: Any, verdict: Verdict[Any]) -> Performed | _Ready:  # noqa: ANN401
        """Whether what would be done now is what was approved. `before` is any kind's State."""
        match verdict:
            case NoChange():
                document = masked(before, prepared.sensitive, self._key)
                note = "" if step.action == "unknown" else "it is as planned already"
                return Performed(step, Unchanged(document, self._outputs(step, prepared, before), note))
            case Blocked(reason=reason) | Undecided(reason=reason):
                return Performed(step, Failure(reason, touched=False))
            case Change():
                ready = _Ready(step, prepared, before, verdict, masked(verdict.after, prepared.sensitive, self._key))
                stale = self._stale(ready)
                return Performed(step, Stale(stale)) if stale else ready

    def _stale(self, ready: _Ready) -> str:
        """How the world, or the change it now takes, differs from the plan; empty where it does not."""
        step, prepared, before, change = ready.step, ready.prepared, ready.before, ready.change
        if isinstance(step.expect, Exactly) and step.expect.digest != state_digest(prepared, before, self._key):
            found = masked(before, prepared.sensitive, self._key)
            if found is None or step.before is None:
                return "it is gone since the plan was made" if found is None else "it has appeared since the plan was made"
            return f"since the plan was made, {', '.join(differences(step.before, found))} changed"
        unseen = [note for note in change.because if note.startswith("also removes") and note not in step.because]
        if unseen and step.action != "unknown":
            return f"it would now take more than was planned: {'; '.join(unseen)}"
        adopts = not prepared.module.creates and (step.action, change.action) == ("create", "update")
        if step.action not in {"unknown", change.action} and not adopts:  # a unit is there once its file is: to set it up is one deed
            return f"planned was to {step.action} it, and now it would take to {change.action} it"
        if step.after is None:
            return "" if isinstance(change.after, Absent) or step.action == "unknown" else "planned was that it is absent afterwards"
        after = ready.wanted or {}
        free = {*step.unknown, *change.unknown, *_ignored(prepared, before)}
        wrong = [name for name in step.after if name not in free and after.get(name) != step.after[name]]
        return f"{', '.join(sorted(wrong))} would not become what was planned" if wrong else ""

    # ---- doing it ----

    def _act(self, module: AnyModule, ready: Sequence[_Ready], host: Host, given: Given) -> Iterator[Performed]:
        safe = [each for each in ready if module.idempotent(each.prepared.params)]
        yield from self._apply(module, safe, host)
        for each in ready:
            if module.idempotent(each.prepared.params):
                continue
            known = self._effects.effect(given.run, each.step.id)
            if known is not None:
                yield Performed(each.step, known)
                continue
            self._effects.started(given.run, each.step.id)
            for performed in self._apply(module, [each], host):
                self._effects.done(given.run, each.step.id, performed.outcome)
                yield performed

    def _apply(self, module: AnyModule, ready: Sequence[_Ready], host: Host) -> Iterator[Performed]:
        applied: list[tuple[_Ready, Applied[Any]]] = []
        failed: list[tuple[_Ready, Failed]] = []
        waiting = list(ready)
        while waiting:
            work = [Work(r.prepared.params, r.change, r.step.pulled_in, r.prepared.hidden) for r in waiting]
            ended = 0
            try:
                for each, result in zip(waiting, module.apply(work, host), strict=True):
                    ended += 1
                    if isinstance(result, Applied):
                        applied.append((each, result))
                    elif result.stale:
                        yield Performed(each.step, Stale(result.reason))
                    else:
                        failed.append((each, result))
            except HostError as refusal:
                failed.append((waiting[ended], Failed(str(refusal))))
                ended += 1
            waiting = waiting[ended:]
        yield from self._read_back(module, applied, host)
        yield from self._after_failure(module, failed, host)

    def _read_back(self, module: AnyModule, applied: Sequence[tuple[_Ready, Applied[Any]]], host: Host) -> Iterator[Performed]:
        if not applied:
            return
        states = read(module, [Wanted(ready.prepared.params, result.state) for ready, result in applied], host)
        for (ready, result), state in zip(applied, states, strict=True):
            yield self._compared(ready, result, state)

    def _compared(self, ready: _Ready, result: Applied[Any], state: Any) -> Performed:  # noqa: ANN401 any kind's State
        if isinstance(state, Unreadable):
            return Performed(ready.step, Failure(f"it cannot be read after it was changed: {state.reason}"))
        module, change = ready.prepared.module, ready.change
        found = masked(state, ready.prepared.sensitive, self._key)
        wanted = ready.wanted
        if wanted is None or found is None:
            right = wanted is None and found is None
            fidelity = Fidelity(module.kind, 1, int(right))
            if not right:
                what = "it is still there" if wanted is None else "it is not there"
                return Performed(ready.step, Failure(f"{what} after it was changed; this is a bug of kind {module.kind}"), fidelity)
            return Performed(ready.step, Changed(None, {}, result.pulled_in), fidelity)
        free = {*change.unknown, *_ignored(ready.prepared, ready.before)}
        names = [name for name in wanted if name not in free]
        wrong = [name for name in names if wanted[name] != found.get(name)]
        fidelity = Fidelity(module.kind, len(names), len(names) - len(wrong))
        if wrong:
            values = "; ".join(f"{name}: planned {_shown(wanted[name])}, found {_shown(found.get(name))}" for name in wrong)
            return Performed(
                ready.step, Failure(f"after the change it is not as planned ({values}); this is a bug of kind {module.kind}"), fidelity
            )
        known = self._outputs(ready.step, ready.prepared, state)
        satisfied = tuple(sorted(verb for verb in set(module.triggers.values()) if module.satisfies(change, verb)))
        return Performed(ready.step, Changed(found, known, result.pulled_in, satisfied=satisfied, found=self._unforeseen(ready)), fidelity)

    def _unforeseen(self, ready: _Ready) -> Document | None:
        return masked(ready.before, ready.prepared.sensitive, self._key) if ready.step.action == "unknown" else None

    def _after_failure(self, module: AnyModule, failed: Sequence[tuple[_Ready, Failed]], host: Host) -> Iterator[Performed]:
        """A failure that left something behind says so: what was to be created and now is there is g8r's to remove."""
        if not failed:
            return
        states = read(module, [Wanted(ready.prepared.params) for ready, _ in failed], host)
        for (ready, failure), state in zip(failed, states, strict=True):
            left = None if isinstance(state, Unreadable) else masked(state, ready.prepared.sensitive, self._key)
            yield Performed(ready.step, Failure(failure.reason, failure.output, left=left if isinstance(ready.before, Absent) else None))

    def _trigger(self, module: AnyModule, step: Step, prepared: Prepared, host: Host, given: Given) -> Performed:
        known = self._effects.effect(given.run, step.id) if not module.idempotent(prepared.params) else None
        if known is not None:
            return Performed(step, known)
        if not module.idempotent(prepared.params):
            self._effects.started(given.run, step.id)
        try:
            result = module.trigger(step.verb, prepared.params, host)
            outcome: Outcome = (
                Failure(result.reason, result.output) if isinstance(result, Failed) else self._fired(module, step, prepared, result, host)
            )
        except HostError as refusal:
            outcome = Failure(str(refusal))
        if not module.idempotent(prepared.params):
            self._effects.done(given.run, step.id, outcome)
        return Performed(step, outcome)

    def _fired(self, module: AnyModule, step: Step, prepared: Prepared, result: Applied[Any], host: Host) -> Outcome:
        state = read(module, [Wanted(prepared.params, result.state)], host)[0]
        if isinstance(state, Unreadable):
            return Failure(f"it cannot be read after it was fired: {state.reason}")
        return Changed(masked(state, prepared.sensitive, self._key), self._outputs(step, prepared, state))

    def _outputs(self, step: Step, prepared: Prepared, state: Any) -> Document:  # noqa: ANN401 any kind's State
        known, _ = outputs(prepared, state, frozenset(), "")
        return self._veil.over(known, prepared.sensitive, step.address)

    def _lookup(self, step: Step, given: Given) -> Callable[[Reference], Partial]:
        def output(address: Address, name: str) -> Partial:
            known = given.outputs.get(address, {})
            return cast("Partial", self._veil.lifted(known[name], address, name)) if name in known else Unknown(str(address))

        def find(reference: Reference) -> Partial:
            match reference:
                case SecretReference(name=name):
                    return self._secrets(name)
                case OutputReference(host=Labels()):
                    hosts = given.selected[host_text(reference.host)]
                    return [output(Address(host, reference.kind, reference.name), reference.output) for host in hosts]
                case OutputReference(host=str() | None as host):
                    return output(Address(host or step.address.host, reference.kind, reference.name), reference.output)
                case _:
                    message = f"{reference} should have been resolved by the compiler"
                    raise AssertionError(message)

        return find


def _verdict(step: Step, prepared: Prepared, before: Any, ahead: Ahead) -> Verdict[Any]:  # noqa: ANN401 any kind's State
    """What the step would do now."""
    if step.wish is not None:
        return orphans.verdict_of(step.wish, step.after if step.wish == "restore" else None, step.sensitive, prepared, before)
    if step.reason.code == "requested":
        return replacing(judge(prepared, Absent(), ahead), before)
    return judge(prepared, before, ahead)


def _ignored(prepared: Prepared, before: Any) -> frozenset[str]:  # noqa: ANN401 any kind's State
    """What the task ignores of its resource, once that exists."""
    return frozenset() if isinstance(before, Absent) else prepared.ignored


def _as_planned(step: Step, prepared: Prepared, verdict: Verdict[Any]) -> Verdict[Any]:
    """A verdict; of a kind that rehearses itself with what the plan's rehearsal foretold, for its apply to hold against what is now."""
    if not prepared.module.rehearses_itself or not isinstance(verdict, Change):
        return verdict
    because = tuple(dict.fromkeys((*verdict.because, *step.because)))
    planned = step.after or {}
    known = {name for name in verdict.unknown if name in planned and name not in {*step.unknown, *prepared.sensitive}}
    if not known or isinstance(verdict.after, Absent):
        return msgspec.structs.replace(verdict, because=because)
    values = {**parameters.document(verdict.after), **{name: planned[name] for name in known}}
    after = msgspec.convert(values, prepared.module.State)
    return msgspec.structs.replace(
        verdict, after=after, because=because, unknown=tuple(name for name in verdict.unknown if name not in known)
    )


def _shown(value: object) -> str:
    text = repr(value)
    limit = 80
    return text if len(text) <= limit else f"{text[:limit]}..."
