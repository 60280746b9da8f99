"""Judging: what policies found, less what is exempt on this day, as messages to the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from g8r.compiler.policy.answers import Answers, Policy, Violation
from g8r.diagnostics import Diagnostic, DocumentPath, Related, Severity, did_you_mean, warning
from g8r.stack import Exemption, Stack

BROKEN: Final = "policy"
EXEMPT: Final = "policy-exempt"


class _Grant(msgspec.Struct, frozen=True):
    """An exemption, with the task that it is for and where it stands."""

    exemption: Exemption
    task: str | None
    path: DocumentPath

    def covers(self, policy: str, violation: Violation) -> bool:
        """Whether it is for this, whatever the day is."""
        if self.exemption.policy != policy:
            return False
        if self.task is None or violation.task is None:
            return self.task is violation.task
        return self.task in {violation.task, _without_host(violation.task)}

    def ended(self, today: str) -> bool:
        return self.exemption.until < today


class _Case(msgspec.Struct, frozen=True):
    """A violation on one or several hosts, and what exempts it or did."""

    policy: Policy
    violation: Violation
    hosts: tuple[str, ...]
    valid: _Grant | None
    ended: _Grant | None


def judge(answers: Answers, stack: Stack, today: str) -> tuple[Diagnostic, ...]:
    """Every violation, every policy that could not be asked, and every exemption that is of no use. today: `2026-11-22`, in UTC."""
    grants = list(_grants(stack))
    cases = _cases(answers.policies, grants, today)
    used = {grant.path for case in cases for grant in (case.valid, case.ended) if grant is not None}
    idle = [grant for grant in grants if grant.path not in used]
    declared = {str(task) for task in stack.tasks}
    told = [_exempt(case, declared) if case.valid else _broken(case, declared) for case in cases]
    return (*answers.diagnostics, *told, *_useless(idle, answers, today))


def _grants(stack: Stack) -> Iterator[_Grant]:
    for task in stack.tasks:
        for index, exemption in enumerate(task.meta.exempt):
            yield _Grant(exemption, str(task), ("tasks", task.kind, task.name, "lifecycle", "exempt", index))
    for index, exemption in enumerate(stack.exemptions):
        yield _Grant(exemption, exemption.task, ("exemptions", index))


def _cases(policies: Sequence[Policy], grants: Sequence[_Grant], today: str) -> list[_Case]:
    """The violations of all policies, those together that differ by their host alone."""
    found: dict[object, _Case] = {}
    for policy in policies:
        mine = [grant for grant in grants if grant.exemption.policy == policy.name]
        for violation in policy.violations or ():
            covering = [grant for grant in mine if grant.covers(policy.name, violation)]
            valid = next((grant for grant in covering if not grant.ended(today)), None)
            ended = next((grant for grant in covering if grant.ended(today)), None)
            host = _host(violation)
            task = _without_host(violation.task) if violation.task else None
            key = (policy.name, policy.file, task, violation.field, violation.message, valid and valid.path, ended and ended.path)
            before = found.get(key)
            hosts = (*(before.hosts if before else ()), *((host,) if host else ()))
            found[key] = _Case(policy, before.violation if before else violation, hosts, valid, ended)
    return list(found.values())


# ---- messages ---------------------------------------------------------------------------------------------------------------------------


def _broken(case: _Case, declared: set[str]) -> Diagnostic:
    policy, violation = case.policy, case.violation
    lines = [*_what(case)]
    related = [Related("the contract", None, violation.contract)] if violation.contract else []
    if case.ended is None:
        lines.append(_remedy(policy, violation, declared))
    else:
        ended = case.ended.exemption
        lines.append(f"It was exempt until {ended.until}: {ended.reason}")
        lines.append("Mend it, or say there why it still may, and until when.")
        related.append(Related("the exemption that has ended", case.ended.path))
    severity = Severity.ERROR if policy.level == "mandatory" else Severity.WARNING
    summary = f'{_who(case)} breaks the policy "{policy.name}"'
    return Diagnostic(severity, BROKEN, summary, "\n".join(lines), _path(violation, declared), None, tuple(related), policy.name)


def _exempt(case: _Case, declared: set[str]) -> Diagnostic:
    assert case.valid is not None  # noqa: S101 the caller has looked
    granted = case.valid.exemption
    summary = f'{_who(case)} breaks the policy "{case.policy.name}", and is exempt until {granted.until}'
    detail = "\n".join([f"The reason given: {granted.reason}", *_what(case)])
    related = (Related("the exemption", case.valid.path),)
    return Diagnostic(Severity.WARNING, EXEMPT, summary, detail, _path(case.violation, declared), None, related, case.policy.name)


def _what(case: _Case) -> Iterator[str]:
    """What is wrong, and what the policy wants, if that says more."""
    yield case.violation.message
    if case.policy.doc and case.policy.doc != case.violation.message:
        yield f"The policy: {case.policy.doc}"


def _remedy(policy: Policy, violation: Violation, declared: set[str]) -> str:
    fields = f'policy = "{policy.name}", reason = "WHY", until = "YYYY-MM-DD"'
    task = _without_host(violation.task) if violation.task else None
    if task is None:
        return f"To exempt it, at the top of the stack: `exemptions = [{{ {fields} }}]`."
    if task in declared:
        return f"To exempt it, in {task}: `lifecycle.exempt = [{{ {fields} }}]`."
    return f'To exempt it, at the top of the stack: `exemptions = [{{ task = "{task}", {fields} }}]`.'


def _who(case: _Case) -> str:
    violation = case.violation
    if violation.task is None:
        return f"the {case.policy.on}" if not violation.field else ".".join(map(str, violation.field))
    more = len(case.hosts) - 1
    return violation.task + (f" (and {more} more hosts)" if more > 1 else " (and one more host)" if more == 1 else "")


def _path(violation: Violation, declared: set[str]) -> DocumentPath:
    """Where in the stack it is. What is of the whole, or of a task that is gone, is where the stack says its name."""
    if violation.task is None:
        return violation.field or ("name",)
    task = _without_host(violation.task)
    kind, _, name = task.partition(".")
    return ("tasks", kind, name, *violation.field) if task in declared else ("name",)


def _useless(idle: Iterable[_Grant], answers: Answers, today: str) -> Iterator[Diagnostic]:
    asked = {policy.name: policy for policy in answers.policies}
    known = {*asked, *answers.failed}
    for grant in idle:
        name, until = grant.exemption.policy, grant.exemption.until
        if name not in known:
            if not answers.unread:
                detail = f"This exempts from it, and it is in no policy file that was given.{did_you_mean(name, known)}"
                yield warning("exemption-unknown", f'there is no policy "{name}"', detail, (*grant.path, "policy"))
        elif grant.ended(today):
            detail = "It covers nothing that the policy finds today. Remove it."
            yield warning("exemption-ended", f'the exemption from "{name}" ended on {until}', detail, (*grant.path, "until"))
        elif name in asked and asked[name].on == "stack":
            detail = "The policy finds nothing here. Remove it."
            yield warning("exemption-unused", f'the exemption from "{name}" exempts from nothing', detail, grant.path)


# ---- addresses --------------------------------------------------------------------------------------------------------------------------


def _without_host(address: str) -> str:
    """`file.motd` of `web1/file.motd`: neither a host nor a task has a slash in its name."""
    return address.rpartition("/")[2]


def _host(violation: Violation) -> str | None:
    return (violation.task or "").rpartition("/")[0] or None
