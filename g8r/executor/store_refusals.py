"""What every store refuses, in the same words. Rejections are for the user; lookup errors are bugs of the caller."""

from __future__ import annotations

from typing import Final

from g8r.diagnostics import RejectedError, reject
from g8r.plan import Plan

REFUSED_PLAN: Final = 3
"""The exit code for a plan that is not applied at all."""
OVER: Final = ("done", "abandoned")
"""Statuses of runs that cannot go on."""


def other_lineage(plan: Plan) -> RejectedError:
    return reject(
        "plan-other-lineage",
        f"this plan was made for another state of {plan.stack} (workspace {plan.workspace})",
        f"Its lineage {plan.lineage} is not the one of this state: the state was lost or replaced, or another was named. Plan again.",
        exit_code=REFUSED_PLAN,
    )


def applied_before(run: str) -> RejectedError:
    return reject(
        "plan-applied",
        "this plan has been applied already",
        f"Run {run} performed it, and a plan is applied once. Plan again; `g8r apply --resume` goes on with a run that was cut short.",
        exit_code=REFUSED_PLAN,
    )


def over(run: str, status: str, follower: str | None) -> RejectedError:
    why = f"run {follower} was made since" if follower else f"it is {status}"
    return reject("run-over", f"run {run} cannot be resumed: {why}", "Make a new plan.", exit_code=REFUSED_PLAN)


def no_plan(run: str) -> RejectedError:
    return reject("run-plan-unknown", f"the plan of run {run} is not kept", "See `g8r history` for the runs of this state, and plan again.")


def unknown_run(run: str) -> LookupError:
    return LookupError(f"no run {run}")


def ended_run(run: str) -> LookupError:
    return LookupError(f"run {run} has ended")


def unknown_ledger(stack: str, workspace: str) -> LookupError:
    return LookupError(f"no ledger of {stack}, {workspace}: its lineage comes first")
