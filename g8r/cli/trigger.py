"""g8r trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from g8r import modules
from g8r.cli import completing, console, ledgers, options
from g8r.cli.apply import How, perform
from g8r.compiler.selection import address_matches
from g8r.diagnostics import did_you_mean, reject

if TYPE_CHECKING:
    from g8r.plan import Plan, Step


@click.command("trigger")
@options.address_argument
@click.argument("verb", shell_complete=completing.verbs)
@options.source_argument
@options.parallelism_option
@options.json_option
@options.source_options
@options.state_options
def command(*, address: str, verb: str, parallelism: int, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Fire a trigger by hand, as things are now: reload or restart a service, run a command. It is recorded as a run.

    A trigger of that name that is owed since an earlier run is struck by it. On all hosts of the task where none is named.

    \b
    Examples:
      g8r trigger service.nginx reload
      g8r trigger web1/command.reindex run

    \b
    Exit codes: 0 fired; 1 error; 130 interrupted.
    """
    from g8r.cli.applying import leased  # noqa: PLC0415 imports what only applying needs

    _check_verb(address, verb)
    session = options.session(chosen)
    with console.streaming(as_json=as_json) as stream, leased(session, f"trigger {address} {verb}") as lease:
        planned, loaded = session.plan(durable=True)
        loaded.close()
        console.tell(planned.diagnostics, stream)
        plan = of_trigger(planned.plan, address, verb)
        pending = [step.id for step in _meant(planned.plan, address) if step.action not in {"no-op", "blocked"}]
        if pending:
            detail = "It is fired as things are now. `g8r apply` makes the change, and fires what hangs on it."
            console.tell([console.note("pending", f"{pending[0]} has a change pending", detail)], stream)
        return perform(session, plan, lease, How(parallelism=parallelism, stream=stream))


def of_trigger(plan: Plan, address: str, verb: str) -> Plan:
    """The plan that only fires the trigger, where the task is. What the task refers to comes along, as far as it is settled."""
    meant = _meant(plan, address)
    if not meant:
        raise ledgers.unknown(address, [step.address for step in plan.steps if step.wish is None], "No task of this stack is called so.")
    fired = [_fired(step, verb) for step in meant]
    settled = [step for step in plan.steps if step.action == "no-op" and step.reason.code == "none"]
    return msgspec.structs.replace(
        plan, steps=(*settled, *fired), barriers={}, stack_outputs=plan.stack_outputs, selection={"target": (address,)}, complete=False
    )


def _meant(plan: Plan, address: str) -> list[Step]:
    return [step for step in plan.steps if not step.verb and step.wish is None and address_matches(address, step.address)]


def _fired(step: Step, verb: str) -> Step:
    from g8r.plan import Reason, Step  # noqa: PLC0415 imports what only this needs

    return Step(
        id=f"{step.address}#{verb}",
        address=step.address,
        identity=step.identity,
        action="trigger",
        judgement="change",
        reason=Reason("requested", "fired by hand"),
        version=step.version,
        params=step.params,
        sensitive_params=step.sensitive_params,
        sealed=step.sealed,
        sensitive=step.sensitive,
        locks=step.locks,
        verb=verb,
        owed=True,
        timeout=step.timeout,
        retry=step.retry,
        become=step.become,
        span=step.span,
    )


def _check_verb(address: str, verb: str) -> None:
    kind = address.rpartition("/")[2].partition(".")[0]
    if kind not in modules.KINDS:
        raise reject(
            "no-address", f'"{address}" is no address of a task', f"Write KIND.NAME, or HOST/KIND.NAME.{did_you_mean(kind, modules.KINDS)}"
        )
    verbs = sorted(set(modules.load(kind).triggers.values()))
    if verb not in verbs:
        known = f"It has {', '.join(verbs)}.{did_you_mean(verb, verbs)}" if verbs else "It has none."
        raise reject("unknown-trigger", f'{kind} has no trigger "{verb}"', known)
