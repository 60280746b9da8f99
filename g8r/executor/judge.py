"""Judging one task: resolved params, what is there, and the module's diff make a verdict. Used alike by plan and by apply.

Unknown and sensitive values, `ignore_changes` and stand-ins are dealt with here, once, so that no module has to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from g8r import parameters
from g8r.change import Absent, Blocked, Change, NoChange, Undecided, Unreadable, Verdict
from g8r.host import Host, HostError
from g8r.module import Ahead, AnyModule, Wanted, Work
from g8r.plan import REPLACE_NOTE
from g8r.reference import Lookup, Reference, SecretReference, may_refer, resolve
from g8r.stack import Lifecycle
from g8r.state import Resource
from g8r.value import Document, Partial, Unknown, is_keyed_digest, keyed_digest

Secrets: TypeAlias = Callable[[str], str]
"""Gives a secret by name. Raises KeyError for one that does not exist."""

Kinds: TypeAlias = Callable[[str], AnyModule]
"""Gives the module of a kind."""


class Prepared(msgspec.Struct, frozen=True):
    """A task ready to be read and judged. `values` are the resolved params; `hidden` names the sensitive ones among all params,
    `sensitive` the State fields to mask.
    """

    module: Any
    params: Any
    values: Document
    unknown: dict[str, str]
    sensitive: frozenset[str]
    ignored: frozenset[str]
    hidden: tuple[str, ...] = ()


def prepare(
    module: AnyModule, params: Document, lookup: Callable[[Reference], Partial], sensitive: tuple[str, ...], lifecycle: Lifecycle
) -> Prepared:
    """Resolve and build. Raises msgspec.ValidationError where a resolved value does not fit its param."""
    touched_by_secret: set[str] = set()
    resolved: dict[str, Partial] = {}
    for name, value in params.items():
        if not may_refer(value):
            resolved[name] = cast("Partial", value)
            continue
        seen = _Seen(lookup)
        resolved[name] = resolve(value, seen)
        if seen.secret:
            touched_by_secret.add(name)
    built = parameters.build(module, resolved)
    hidden = parameters.sensitive_fields(module, (*sensitive, *sorted(touched_by_secret)))
    return Prepared(
        module=module,
        params=built.params,
        values={name: value for name, value in resolved.items() if name not in built.unknown},  # type: ignore[misc] # what is left is known
        unknown=built.unknown,
        sensitive=parameters.determined(module, hidden) if hidden else frozenset(),
        ignored=parameters.determined(module, frozenset(lifecycle.ignore_changes)) if lifecycle.ignore_changes else frozenset(),
        hidden=tuple(sorted(hidden)),
    )


def judge(prepared: Prepared, before: Any, ahead: Ahead) -> Verdict[Any]:  # noqa: ANN401 any kind's State
    """The module's verdict, with what is unknown marked and what is ignored left out."""
    verdict = prepared.module.diff(prepared.params, before, ahead)
    if prepared.ignored and isinstance(verdict, Change) and verdict.action == "update":
        verdict = _without_ignored(verdict, prepared.ignored)
    if not prepared.unknown:
        return verdict  # type: ignore[no-any-return] # any kind's
    return _with_unknown(prepared, before, verdict)


def ahead_of(host: Host, promised: frozenset[str] = frozenset()) -> Ahead:
    """What a diff on this host is given."""
    account = host.accounts().get(host.user)
    return Ahead(promised, host.privileged, host.user, account.group if account else host.user)


def replacing(verdict: Verdict[Any], before: Any) -> Verdict[Any]:  # noqa: ANN401 any kind's State
    """The verdict for a resource that is to be made anew, or a command to be run again, from the verdict as if it were absent."""
    if not isinstance(verdict, Change) or isinstance(before, Absent):
        return verdict
    action = "replace" if verdict.action == "create" else verdict.action
    return msgspec.structs.replace(verdict, action=action, before=before, because=(*verdict.because, REPLACE_NOTE))


def read(module: AnyModule, wanted: Sequence[Wanted[Any, Any]], host: Host) -> Sequence[Any]:
    """The states of many resources; where the host refuses the reading as a whole, each is unreadable, and says why."""
    try:
        return module.read(wanted, host)
    except HostError as refusal:
        return [Unreadable(str(refusal))] * len(wanted)


def rehearse(module: AnyModule, work: Sequence[Work[Any, Any]], host: Host) -> Sequence[Verdict[Any]]:
    """What the machine foretells of changes; where it refuses to, they are blocked, and say why."""
    try:
        return module.rehearse(work, host)
    except HostError as refusal:
        return [Blocked(str(refusal))] * len(work)


def masked(state: Any, sensitive: frozenset[str], key: bytes) -> Document | None:  # noqa: ANN401 any kind's State
    """A state as a document, with keyed digests in the place of sensitive values; None for an absent one.

    What is masked already stays as it is: kinds that remember (command) read back what was recorded.
    """
    if isinstance(state, Absent) or state is None:
        return None
    found = parameters.document(state)
    for name in sensitive & found.keys():
        if found[name] is not None and not is_keyed_digest(found[name]):
            found[name] = keyed_digest(found[name], key)
    return found


def state_digest(prepared: Prepared | None, state: Any, key: bytes) -> str:  # noqa: ANN401 any kind's State
    """What a step expects to find: the keyed digest of a state, without what the task ignores of it."""
    if isinstance(state, Absent):
        return keyed_digest(None, key)
    if prepared is None or not prepared.ignored:
        return keyed_digest(state, key)
    return keyed_digest({name: value for name, value in parameters.document(state).items() if name not in prepared.ignored}, key)


def outputs(prepared: Prepared, state: Any, unknown: frozenset[str], reason: str) -> tuple[Document, dict[str, str]]:  # noqa: ANN401 any kind's State
    """The outputs of a state: the known ones, and for each other one why it is not known."""
    if isinstance(state, Absent) or state is None:
        return {}, dict.fromkeys(prepared.module.Outputs.__struct_fields__, reason or "it exists")
    found = parameters.document(prepared.module.outputs(prepared.params, state))
    hidden = (unknown | prepared.unknown.keys()) & found.keys()
    why = {name: prepared.unknown.get(name) or reason or "apply" for name in sorted(hidden)}
    return {name: value for name, value in found.items() if name not in hidden}, why


def differences(planned: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names whose values differ, sorted."""
    return tuple(sorted(name for name in planned.keys() | found.keys() if planned.get(name) != found.get(name)))


class _Seen:
    """A lookup that remembers whether a secret was asked for."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.secret = False

    def __call__(self, reference: Reference) -> Partial:
        if isinstance(reference, SecretReference):
            self.secret = True
        return self._lookup(reference)


def _without_ignored(change: Change[Any], ignored: frozenset[str]) -> Verdict[Any]:
    if isinstance(change.before, Absent) or isinstance(change.after, Absent):
        return change
    kept = {name: getattr(change.before, name) for name in ignored if hasattr(change.before, name)}
    after = msgspec.structs.replace(change.after, **kept)
    if after == change.before:
        return NoChange()
    return msgspec.structs.replace(change, after=after)


def _with_unknown(prepared: Prepared, before: Any, verdict: Verdict[Any]) -> Verdict[Any]:  # noqa: ANN401 any kind's State
    reason = ", ".join(sorted(set(prepared.unknown.values())))
    fields = parameters.determined(prepared.module, frozenset(prepared.unknown)) & set(prepared.module.State.__struct_fields__)
    if not fields:
        return verdict
    sentence = f"{', '.join(sorted(prepared.unknown))} {'is' if len(prepared.unknown) == 1 else 'are'} known after {reason}"
    match verdict:
        case NoChange():
            return Undecided(sentence, Change("update", before, before, tuple(sorted(fields))))
        case Change(before=old, after=new) if not isinstance(old, Absent) and not isinstance(new, Absent):
            change = msgspec.structs.replace(verdict, unknown=tuple(sorted({*verdict.unknown, *fields})))
            if any(getattr(old, name) != getattr(new, name) for name in old.__struct_fields__ if name not in fields):
                return change
            return Undecided(sentence, change)
        case Change():
            return msgspec.structs.replace(verdict, unknown=tuple(sorted({*verdict.unknown, *fields})))
        case Undecided() | Blocked():
            return verdict


def unknown_lookup(_reference: Reference) -> Partial:
    """A lookup that knows nothing: enough to read, since no identity or probe hangs on an output."""
    return Unknown("apply")


def recorded_state(module: AnyModule, record: Resource | None) -> Any:  # noqa: ANN401 any kind's State
    """The recorded state of a kind that remembers; None for any other, or where it was recorded by another version."""
    if not module.remembers or record is None or record.state is None or record.version != module.version:
        return None
    return msgspec.convert(record.state, module.State)


def change_of(verdict: Verdict[Any]) -> Change[Any]:
    """The change of a verdict that is one."""
    if not isinstance(verdict, Change):
        message = f"{verdict} is no change"
        raise TypeError(message)
    return verdict
