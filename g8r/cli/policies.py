"""Policies for the commands that take --policy: which files, what they are asked about, and on which day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from g8r.cli import console
from g8r.cli.session import Session, now
from g8r.diagnostics import Diagnostic, RejectedError, errors

if TYPE_CHECKING:
    from pathlib import Path

    from g8r.compiler.compile import Compiled
    from g8r.compiler.evaluate import Loaded
    from g8r.plan import Plan
    from g8r.render.progress_json import JsonProgress
    from g8r.value import Document


class Judged(msgspec.Struct, frozen=True):
    """What policies say, with its places; `asked` and `skipped` are their names, skipped those that are of plans where there is none."""

    diagnostics: tuple[Diagnostic, ...] = ()
    asked: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def judged(session: Session, loaded: Loaded, compiled: Compiled, plan: Document | None = None) -> Judged:
    """What the chosen policies say of a stack without mistakes, and of a plan's document."""
    files = session.choice.policies
    if not files:
        return Judged()
    from g8r.compiler.policy import asking, inputs, judging  # noqa: PLC0415 few commands are given policies

    moment = now()
    given = inputs.Inputs(inputs.of_stack(compiled.stack, compiled.hosts, moment), plan)
    answers = asking.ask(files, given, loaded.contracts, [path.resolve() for path in session.choice.import_paths], reach=loaded.reach)
    return Judged(
        loaded.located(judging.judge(answers, compiled.stack, moment[:10])),
        tuple(policy.name for policy in answers.policies if policy.violations is not None),
        tuple(policy.name for policy in answers.policies if policy.violations is None),
    )


def of_plan(session: Session, loaded: Loaded, plan: Plan) -> tuple[Diagnostic, ...]:
    """What they say of a plan that was just made."""
    if not session.choice.policies:
        return ()
    from g8r.render import plan_json  # noqa: PLC0415 as above

    document = plan_json.render(plan, session.state(plan.stack).outputs)
    return judged(session, loaded, session.compiled, document).diagnostics


def enforce(found: tuple[Diagnostic, ...], stream: JsonProgress | None = None, out: Path | None = None) -> None:
    """Tell what policies said. Raises RejectedError with it where a mandatory one is broken; `out` is what is then not written."""
    if not errors(found):
        console.tell(found, stream)
        return
    if out is not None:
        stale = f" The {out} that is there is of an earlier plan." if out.exists() else ""
        found = (*found, console.note("plan-not-saved", f"the plan was not saved to {out}", f"It breaks a mandatory policy.{stale}"))
    raise RejectedError(found)
