"""g8r apply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from g8r.cli import console, options, places, policies, saved
from g8r.cli.session import Session
from g8r.diagnostics import reject
from g8r.outcome import Failure, Stale

if TYPE_CHECKING:
    from g8r.compiler.evaluate import Loaded
    from g8r.executor.run import Report
    from g8r.plan import Plan
    from g8r.render.progress_json import JsonProgress
    from g8r.state import Lease

STALE = 3
INTERRUPTED = 130

_FROZEN = (
    "variables",
    "variable_files",
    "import_paths",
    "root",
    "policies",
    "on",
    "target",
    "exclude",
    "replace",
    "refresh_only",
    "allow_empty",
)


@click.command("apply")
@click.argument("source", metavar="[STACK|PLANFILE]", default=".", type=click.Path(path_type=Path))
@click.option("--yes", "--auto-approve", "-y", "yes", is_flag=True, help="Do not ask.")
@click.option("--resume", is_flag=True, help="Go on with the last run, which did not get done.")
@click.option("--skip-blocked", is_flag=True, help="Apply what can be, and leave out what is blocked.")
@options.parallelism_option
@options.json_option
@options.policy_option
@options.planning_options
@options.selection_options
@options.source_options
@options.state_options
def command(*, source: Path, yes: bool, resume: bool, skip_blocked: bool, parallelism: int, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Make the machine as the stack says: plan, ask, apply. With a saved plan, do exactly that plan, and ask nothing.

    \b
    Examples:
      g8r apply
      g8r apply p.g8r
      g8r apply --yes --var env=prod
      g8r apply --policy policies.ncl
      g8r apply --resume

    \b
    Exit codes: 0 done, or nothing to do; 1 error, or not approved; 3 the plan is stale or refused; 130 interrupted.
    """
    session = options.session({**chosen, "source": source})
    with console.streaming(as_json=as_json) as stream:
        how = How(parallelism=parallelism, skip_blocked=skip_blocked, stream=stream)
        if saved.is_plan(source):
            _refuse_frozen(chosen, source, resume=resume)
            return apply_saved(session, source, how)
        if resume:
            _refuse_policies(session)
            return resumed(session, how)
        return planned(session, how, yes=yes, question="Do you want to apply this plan?")


class How:
    """How a plan is to be applied, whatever plan it is."""

    def __init__(self, *, parallelism: int = 10, skip_blocked: bool = False, stream: JsonProgress | None = None) -> None:
        self.parallelism = parallelism
        self.skip_blocked = skip_blocked
        self.stream = stream


def planned(session: Session, how: How, *, yes: bool, question: str) -> int:
    """Plan, ask, apply; one lease over all of it."""
    from g8r.cli.applying import leased  # noqa: PLC0415 imports what only applying needs

    with leased(session, "destroy" if session.choice.destroy else "apply") as lease:
        plan, loaded = _made(session, how)
        found = policies.of_plan(session, loaded, plan)
        loaded.close()
        if how.stream is None:
            _show(plan)
        else:
            how.stream.planned(plan)
        policies.enforce(found, how.stream)
        _refuse_blocked(plan, how)
        if not plan.summary().any:
            return 0 if _settled(session, plan) else perform(session, plan, lease, how, quiet=True)
        if not yes and not _approved(question, how):
            console.write("Not approved. Nothing was changed.\n")
            return 1
        return perform(session, plan, lease, how)


def apply_saved(session: Session, file: Path, how: How) -> int:
    """Apply a saved plan: its stack is not read."""
    from g8r.cli.applying import check, leased  # noqa: PLC0415 imports what only applying needs

    plan = saved.opened(session, file)
    with leased(session, "apply") as lease:
        check(plan, session, session.store.load(plan.stack, plan.workspace))
        _refuse_blocked(plan, how)
        if how.stream is not None:
            how.stream.planned(plan)
        session.agents_by_host = session.agents(dict(plan.connections))
        return perform(session, plan, lease, how)


def resumed(session: Session, how: How) -> int:
    """Go on with the last run of this stack, with its own plan ([A-resume])."""
    from g8r.cli.applying import leased  # noqa: PLC0415 imports what only applying needs
    from g8r.cli.ledgers import stack_name  # noqa: PLC0415

    name = stack_name(session)
    runs = session.store.runs(name, session.choice.workspace, 1)
    if not runs:
        raise reject("nothing-to-resume", "there is no run to resume", "Start one with `g8r apply`.")
    with leased(session, "apply --resume") as lease:
        plan = session.store.plan_of(runs[0].id)
        session.adopt_blobs(session.store.blobs_of(runs[0].id))
        session.key(make=True)
        session.agents_by_host = session.agents(dict(plan.connections))
        return perform(session, plan, lease, how, resume=runs[0].id)


def perform(session: Session, plan: Plan, lease: Lease, how: How, *, resume: str | None = None, quiet: bool = False) -> int:
    """Perform the plan and tell of it; the exit code."""
    from g8r.cli import applying  # noqa: PLC0415 imports what only applying needs

    with console.listening(how.stream, quiet=quiet) as listen:
        report = applying.perform(session, plan, session.agents_by_host, lease, listen, parallelism=how.parallelism, resume=resume)
    return _code(report)


def _code(report: Report) -> int:
    match report.status:
        case "interrupted":
            return INTERRUPTED
        case "done":
            return 0
        case _:
            outcomes = list(report.outcomes.values())
            failed = any(isinstance(outcome, Failure) for outcome in outcomes)
            return STALE if not failed and any(isinstance(outcome, Stale) for outcome in outcomes) else 1


def _made(session: Session, how: How) -> tuple[Plan, Loaded]:
    made, loaded = session.plan(durable=True)
    console.tell(made.diagnostics, how.stream)
    return places.placed(made, loaded), loaded


def _settled(session: Session, plan: Plan) -> bool:
    """Whether the ledger says already what this plan would have it say: a run of it would leave no trace but itself."""
    from g8r.executor.stack_outputs import known_outputs  # noqa: PLC0415 imports what only applying needs

    store = session.store
    if any(step.reason.code != "none" for step in plan.steps) or store.open_run(plan.stack, plan.workspace) is not None:
        return False
    outputs = known_outputs(plan.stack_outputs, plan.selected, {step.address: step.outputs for step in plan.steps if not step.verb})
    return store.load(plan.stack, plan.workspace).outputs == outputs


def _show(plan: Plan) -> None:
    from g8r.cli.plan import show  # noqa: PLC0415 shares its look

    show(plan)


def _refuse_blocked(plan: Plan, how: How) -> None:
    if plan.blocked and not how.skip_blocked:
        names = ", ".join(step.id for step in plan.blocked[:5])
        detail = f"{names}. Mend that first, or apply the rest with --skip-blocked."
        raise reject("blocked", f"the plan is blocked in {len(plan.blocked)} place{'s' if len(plan.blocked) > 1 else ''}", detail)


def _refuse_frozen(chosen: dict[str, Any], file: Path, *, resume: bool) -> None:
    """A saved plan is applied as it is: options that would make it another are a mistake."""
    given = [name for name in _FROZEN if chosen.get(name)]
    if given or resume:
        option = (
            "--resume"
            if resume
            else {"variables": "--var", "variable_files": "--vars", "import_paths": "--import-path", "policies": "--policy"}.get(given[0])
        )
        named = option or f"--{given[0].replace('_', '-')}"
        raise reject(
            "plan-frozen", f"{named} means nothing for the saved plan {file}", "It is applied as it is. Plan again with the option."
        )


def _refuse_policies(session: Session) -> None:
    """A run that goes on does so with its own plan; to say nothing of the policies would look as if they had been asked."""
    if session.choice.policies:
        raise reject("usage", "--policy means nothing with --resume", "The run goes on with its own plan. Plan anew to have it checked.")


def _approved(question: str, how: How) -> bool:
    unasked = "Plan with `-o FILE` and apply that, or say --yes."
    if how.stream is not None:
        raise reject("not-approved", "nobody can be asked to approve this", unasked)
    return console.agreed(question, unasked=unasked)
