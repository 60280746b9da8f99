"""Which ledger a command means, and which of its resources."""

from __future__ import annotations

from collections.abc import Iterable

from g8r.address import Address
from g8r.cli import console
from g8r.cli.session import Session
from g8r.compiler.selection import address_matches
from g8r.diagnostics import RejectedError, did_you_mean, reject
from g8r.state import Resource, State


def stack_name(session: Session) -> str:
    """The name of the stack. Where its source cannot be read, but the state knows one stack only, that: what is recorded can be
    looked at, and mended, without a source that is in order.
    """
    try:
        return session.load(whole=False).stack.name
    except RejectedError as rejected:
        names = sorted({stack for stack, _ in session.store.ledgers()}) if session.choice.source.is_dir() else []
        if len(names) != 1:
            raise
        first = rejected.diagnostics[0].summary
        console.tell(
            [console.note("source-unread", f"the stack cannot be read: {first}", f'This is of "{names[0]}", which the state knows.')]
        )
        return names[0]


def state_of(session: Session) -> State:
    """The ledger that the session is about."""
    return session.store.load(stack_name(session), session.choice.workspace)


def resources(state: State, pattern: str) -> list[Resource]:
    """The resources recorded at an address: of one host, or of all where it names none. Raises RejectedError where there are none."""
    found = [resource for resource in state.resources.values() if address_matches(pattern, resource.address)]
    if not found:
        raise unknown(pattern, [resource.address for resource in state.resources.values()], "The ledger knows no such address.")
    return sorted(found, key=lambda resource: (resource.address, resource.key))


def unknown(pattern: str, known: Iterable[Address], detail: str) -> RejectedError:
    names = {str(address) if "/" in pattern else address.task for address in known}
    return reject("unknown-address", f'unknown address "{pattern}"', f"{detail}{did_you_mean(pattern, names)}")
