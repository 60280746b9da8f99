"""g8r state list, show, mv, forget, rebuild, lock."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
import msgspec

from g8r import address as addresses
from g8r.address import Address
from g8r.cli import completing, console, ledgers, options
from g8r.cli.session import Session, now
from g8r.compiler.selection import address_matches
from g8r.diagnostics import reject
from g8r.value import MASK

if TYPE_CHECKING:
    from g8r.state import Entry, Resource, State


@click.group("state")
def command() -> None:
    r"""Look into the ledger of a stack, and mend it.

    \b
    Examples:
      g8r state list
      g8r state show file.motd
      g8r state mv file.motd file.greeting
      g8r state lock
    """


# ---- looking ------------------------------------------------------------------------------------------------------------------


@command.command("list")
@options.source_argument
@options.json_option
@options.source_options
@options.state_options
def list_(*, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""List what the ledger holds: every resource, what is owed, what is in doubt.

    \b
    Examples:
      g8r state list
      g8r state list --workspace prod --json
    """
    return show_list(options.session(chosen), as_json=as_json)


def show_list(session: Session, *, as_json: bool) -> int:
    """The ledger of the session's stack."""
    state = ledgers.state_of(session)
    if as_json:
        found = sorted(state.resources.values(), key=lambda resource: (resource.address, resource.key))
        owed = [{"address": str(debt.address), "verb": debt.verb, "run": debt.run, "because": debt.because} for debt in state.owed]
        doubts = [{"step": intent.step, "action": intent.action, "run": intent.run} for intent in state.intents]
        head = {"stack": state.stack, "workspace": state.workspace, "lineage": state.lineage, "serial": state.serial}
        console.write_json({**head, "resources": [_described(resource) for resource in found], "owed": owed, "in_doubt": doubts})
        return 0
    from g8r.render import state_text  # noqa: PLC0415 imports what only this needs

    console.write(state_text.listing(state, console.palette(sys.stdout)))
    return 0


@command.command("show")
@options.address_argument
@options.source_argument
@options.json_option
@options.source_options
@options.state_options
def show(*, address: str, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Show all that is recorded of a resource.

    \b
    Examples:
      g8r state show file.motd
      g8r state show web1/service.nginx --json
    """
    found = ledgers.resources(ledgers.state_of(options.session(chosen)), address)
    if as_json:
        console.write_json([_described(resource) for resource in found] if len(found) > 1 else _described(found[0]))
        return 0
    from g8r.render import state_text  # noqa: PLC0415 imports what only this needs

    console.write("\n".join(state_text.show(resource, console.palette(sys.stdout)) for resource in found))
    return 0


def _described(resource: Resource) -> dict[str, Any]:
    """A record as JSON, sensitive values masked."""
    told: dict[str, Any] = msgspec.to_builtins(resource)
    hidden = {*resource.sensitive, *resource.sealed}
    for part in ("params", "state", "original", "outputs"):
        if told.get(part):
            told[part] = {name: MASK if name in hidden else value for name, value in told[part].items()}
    return {**told, "address": str(resource.address), "key": msgspec.to_builtins(resource.key)}


# ---- mending ------------------------------------------------------------------------------------------------------------------


@command.command("mv")
@click.argument("old", metavar="OLD", shell_complete=completing.addresses)
@click.argument("new", metavar="NEW", shell_complete=completing.addresses)
@options.source_argument
@options.source_options
@options.state_options
def move(*, old: str, new: str, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Give a resource another address in the ledger. Touches no host. On all hosts where none is named.

    A task that is renamed and keeps its identity needs no `mv`: the plan sees that itself. `moved_from` in the task says it for good.

    \b
    Examples:
      g8r state mv file.motd file.greeting
      g8r state mv web1/file.motd web1/file.greeting
    """
    session = options.session(chosen)
    state = ledgers.state_of(session)
    moved = {resource.address: _target(resource.address, old, new) for resource in ledgers.resources(state, old)}
    taken = sorted(resource.address for resource in state.resources.values() if resource.address in set(moved.values()))
    if taken:
        detail = f"The ledger has a resource of that address. Name another, or let go of it first with `g8r state forget {taken[0]}`."
        raise reject("address-taken", f"{taken[0]} is taken", detail)
    _edit(session, state, "state mv", _renamed(state, moved))
    console.write("".join(f"{before} is {after} now.\n" for before, after in sorted(moved.items())))
    return 0


def _target(address: Address, old: str, new: str) -> Address:
    parsed = addresses.parse(new)
    if parsed is None or addresses.parse(old) is None:
        wrong = new if parsed is None else old
        raise reject("no-address", f'"{wrong}" is no address', "Write KIND.NAME, or HOST/KIND.NAME for a task on one host.")
    target = parsed.on(address.host)
    if target.kind != address.kind or target.host != address.host:
        what = "kind" if target.kind != address.kind else "host"
        raise reject("other-resource", f"{address} cannot become {target}", f"It is another resource: the {what} must stay the same.")
    return target


def _renamed(state: State, moved: dict[Address, Address]) -> list[Entry]:
    """Every record and debt that speaks of the old addresses, speaking of the new ones."""
    from g8r.state import Owes, Recorded, Struck  # noqa: PLC0415 imports what only this needs

    names = {str(old): str(new) for old, new in moved.items()}

    def renamed(resource: Resource) -> Resource:
        return msgspec.structs.replace(
            resource,
            address=moved.get(resource.address, resource.address),
            needs=tuple(sorted(names.get(needed, needed) for needed in resource.needs)),
            triggers={name: tuple(names.get(source, source) for source in sources) for name, sources in resource.triggers.items()},
        )

    entries: list[Entry] = [Recorded(renamed(resource)) for resource in state.resources.values() if renamed(resource) != resource]
    for debt in state.owed:
        if debt.address in moved:
            entries += [Struck(debt.address, debt.verb), Owes(msgspec.structs.replace(debt, address=moved[debt.address]))]
    return entries


@command.command("forget")
@options.address_argument
@options.source_argument
@options.source_options
@options.state_options
def forget(*, address: str, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Let go of a resource: drop its record, and let another stack manage it. Touches nothing of it on the host.

    \b
    Examples:
      g8r state forget file.motd
      g8r state forget 'web1/*'
    """
    from g8r.state import Dropped, Struck  # noqa: PLC0415 imports what only this needs

    session = options.session(chosen)
    state = ledgers.state_of(session)
    doubts = [intent for intent in state.intents if address_matches(address, intent.record.address)]
    found = (
        ledgers.resources(state, address)
        if not doubts
        else [one for one in state.resources.values() if address_matches(address, one.address)]
    )
    keys = sorted({resource.key for resource in found} | {intent.record.key for intent in doubts})
    gone = {resource.address for resource in found} | {intent.record.address for intent in doubts}
    entries: list[Entry] = [Dropped(key) for key in keys]
    entries += [Struck(debt.address, debt.verb) for debt in state.owed if debt.address in gone]
    _edit(session, state, "state forget", entries, [(intent.run, intent.step) for intent in doubts])
    for host in sorted({key.host for key in keys}):
        session.journal(host, fake=session.fake_file(host).exists()).release(
            [key for key in keys if key.host == host], state.stack, state.workspace
        )
    console.write("".join(f"{name} is forgotten; what is on the host stays as it is.\n" for name in sorted(map(str, gone))))
    return 0


def _edit(session: Session, state: State, operation: str, entries: Iterable[Entry], doubts: Iterable[tuple[str, str]] = ()) -> None:
    """Change the ledger under a lease; it must still be as it was looked at. Doubts, by run and step, are settled as given up."""
    from g8r.cli.applying import leased  # noqa: PLC0415 imports what only this needs
    from g8r.outcome import InDoubt  # noqa: PLC0415
    from g8r.state import Ended  # noqa: PLC0415

    with leased(session, operation) as lease:
        if session.store.load(state.stack, state.workspace).serial != state.serial:
            raise reject("state-changed", "the ledger has changed in this moment", "Look at it again, with `g8r state list`.")
        for run, step in doubts:
            session.store.record(lease.fence, run, [Ended(step, InDoubt("nobody looked any further: it was forgotten"))])
        session.store.edit(lease.fence, state.stack, state.workspace, list(entries))


@command.command("rebuild")
@options.source_argument
@click.option("--yes", "--auto-approve", "-y", "yes", is_flag=True, help="Do not ask.")
@options.source_options
@options.state_options
def rebuild(*, yes: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Record again what the stack declares and the hosts have, after the ledger was lost. Only reads the hosts.

    What was not on record counts as adopted: g8r does not remove it with its task. Reading cannot recover what was created by g8r, what
    tasks that are gone had made, owed triggers, kept `prevent_destroy`, or which commands ran.

    \b
    Examples:
      g8r state rebuild
    """
    from g8r.cli import applying  # noqa: PLC0415 imports what only this needs

    session = options.session({**chosen, "refresh_only": True})
    with applying.leased(session, "state rebuild") as lease:
        planned, loaded = session.plan(durable=True)
        loaded.close()
        console.tell(planned.diagnostics)
        plan = planned.plan
        there = [step for step in plan.steps if step.before is not None]
        news = [step for step in there if step.reason.code != "none"]
        if not news:
            console.write(f"Nothing to record: the ledger knows all {len(there):,} that are there.\n")
            return 0
        question = f"Record {len(news):,} of the {len(there):,} resources that are there?"
        if not yes and not console.agreed(question, unasked="Say --yes."):
            console.write("Not approved. Nothing was recorded.\n")
            return 1
        applying.perform(session, plan, session.agents_by_host, lease, lambda _event: None, parallelism=1)
    adopted = sum(step.reason.code == "adopted" for step in news)
    absent = len(plan.steps) - len(there)
    console.write(
        f"Recorded {len(news):,}, {adopted:,} of them as adopted; {absent:,} are not there. `g8r plan` shows what is left to do.\n"
    )
    return 0


@command.command("lock")
@options.source_argument
@click.option("--break", "break_", is_flag=True, help="Take the lock from its owner, who must stop then.")
@click.option("--yes", "-y", "yes", is_flag=True, help="Do not ask.")
@options.json_option
@options.state_options
def lock(*, break_: bool, yes: bool, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Show who holds the lock on the ledger; or take it from an owner that is dead, or out of reach.

    The lock of a process of this machine that has died lapses by itself; another machine's lapses a minute after its last sign of life.

    \b
    Examples:
      g8r state lock
      g8r state lock --break
    """
    session = options.session(chosen)
    holder = session.store.holder()
    if break_ and holder is not None:
        return _broken(session, holder.owner, yes=yes)
    if as_json:
        console.write_json(holder)
        return 0
    from g8r.render import state_text  # noqa: PLC0415 imports what only this needs

    console.write(state_text.lease(holder))
    return 0


def _broken(session: Session, owner: str, *, yes: bool) -> int:
    from g8r.executor import store_owner  # noqa: PLC0415 imports what only this needs

    alive = store_owner.alive(owner)
    warned = "It may still be at work: whatever it does from then on is not recorded." if alive else "It is dead."
    if not yes and not console.agreed(f"Take the lock from {owner}? {warned}", unasked="Say --yes."):
        console.write("Not approved. The lock stays.\n")
        return 1
    taken = session.store.lease(store_owner.this_process(), "state lock --break", now(), 0.0, lambda _owner: False)
    session.store.release(taken)
    console.write(f"The lock is free; {owner} can write no more.\n")
    return 0
