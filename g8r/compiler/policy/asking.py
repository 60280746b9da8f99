"""Asking policies: the child of each file, and what its answers and failures mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from g8r.compiler import reach as reaches
from g8r.compiler import report
from g8r.compiler import source as sources
from g8r.compiler.evaluator import Answer, Died, Evaluated, Limits, Reported
from g8r.compiler.kinds import SHIPPED
from g8r.compiler.locate import NickelLocator
from g8r.compiler.nickel_text import string
from g8r.compiler.policy import inputs as documents
from g8r.compiler.policy.answers import Answers, Policy, Violation
from g8r.compiler.policy.inputs import Inputs
from g8r.compiler.reach import Reach
from g8r.compiler.session import Session
from g8r.diagnostics import Diagnostic, DocumentPath, RejectedError, Span, did_you_mean, error, path_text, reject, warning
from g8r.module import AnyModule

MOST: Final = 50
"""How many tasks that break contracts are looked for, for each policy: every one takes an evaluation."""
_BROKEN: Final = ("contract-broken", "missing-definition")
_OF_STACKS: Final = ("missing-definition", "not-plain-data")
"""Failures whose advice is about stacks."""


class _Found(msgspec.Struct, frozen=True):
    message: str
    task: str | None = None
    field: str | list[str | int] = ""


class _Answered(msgspec.Struct, frozen=True):
    name: str
    on: Any
    level: Any
    doc: str
    kinds: tuple[str, ...]
    form: Any
    violations: tuple[_Found, ...] | None = ()


def ask(
    files: Sequence[Path],
    inputs: Inputs,
    contracts: Path,
    import_paths: Sequence[Path] = (),
    limits: Limits = Limits(),  # noqa: B008 a frozen value
    kinds: Mapping[str, AnyModule] = SHIPPED,
    reach: Reach | None = None,
) -> Answers:
    """What the policies of these files find. Those of plans are not asked where there is no plan. reach: what the stack may read; a
    policy in there reads no more.
    """
    paths = (contracts, *import_paths)
    answers = []
    for file in dict.fromkeys(files):
        try:
            session = _session(file, contracts, paths, limits, reach)
        except RejectedError as rejected:
            answers.append(Answers(diagnostics=rejected.diagnostics, unread=True))
        else:
            with closing(session):
                answers.append(_File(session, inputs, kinds).answers())
    policies = tuple(policy for one in answers for policy in one.policies)
    return Answers(
        policies,
        (*(found for one in answers for found in one.diagnostics), *_twice(policies)),
        tuple(name for one in answers for name in one.failed),
        any(one.unread for one in answers),
    )


def _session(file: Path, contracts: Path, import_paths: tuple[Path, ...], limits: Limits, reach: Reach | None) -> Session:
    """What a policy file is evaluated with. Raises RejectedError where it cannot be, or reads what it may not."""
    if file.suffix.lower() != ".ncl":
        raise reject("policy-file", f"{file} is no policy file", "Policies are written in Nickel, in a file that ends in .ncl.")
    source = sources.of(file)
    session = Session(source, contracts, import_paths, limits, reaches.apart(reach, file, import_paths))
    session.check_reach()
    session.read(source.path)
    session.check_text()
    return session


class _File:
    """One policy file, with the inputs laid out for Nickel."""

    def __init__(self, session: Session, inputs: Inputs, kinds: Mapping[str, AnyModule]) -> None:
        self._session = session
        self._inputs = inputs
        self._kinds = kinds
        self._file = str(session.source.path)
        evaluator = session.evaluator()
        self._stack = evaluator.write("stack.json", documents.text(inputs.stack))
        self._plan = None if inputs.plan is None else evaluator.write("plan.json", documents.text(inputs.plan))

    def answers(self) -> Answers:
        """All in one evaluation; where that fails, one policy after the other."""
        together = self._evaluate(f"Engine.run ({self._import}) ({self._given})")
        if isinstance(together, Evaluated):
            found = msgspec.json.decode(together.json, type=tuple[_Answered, ...])
            return self._sound([self._policy(one) for one in found])
        names = self._evaluate(f"Engine.names ({self._import})")
        if not isinstance(names, Evaluated):
            return Answers(
                diagnostics=self._failures(names, f"the policies of {self._session.source.path.name} cannot be used"), unread=True
            )
        policies, diagnostics, failed = [], list[Diagnostic](), []
        for name in msgspec.json.decode(names.json, type=tuple[str, ...]):
            policy, wrong = self._one(name)
            diagnostics += wrong
            if policy is None:
                failed.append(name)
            else:
                policies.append(policy)
        sound = self._sound(policies)
        return msgspec.structs.replace(sound, diagnostics=(*diagnostics, *sound.diagnostics), failed=(*failed, *sound.failed))

    def _one(self, name: str) -> tuple[Policy | None, Sequence[Diagnostic]]:
        """One policy alone. Of `params`, again and again, without the tasks that have failed."""
        described = self._evaluate(f"Engine.describe {string(name)} ({self._import})")
        if not isinstance(described, Evaluated):
            return None, self._failed_policy(name, described)
        policy = self._policy(msgspec.json.decode(described.json, type=_Answered))
        found: list[Violation] = []
        skipped: list[int] = []
        while len(found) < MOST:
            answer = self._asked_alone(name, skipped)
            if isinstance(answer, Evaluated):
                last = self._policy(msgspec.json.decode(answer.json, type=_Answered))
                return msgspec.structs.replace(last, violations=(*found, *last.violations) if last.violations is not None else None), ()
            broken = _broken(answer) if policy.form in {"contract", "params"} else None
            if broken is None:
                return None, self._failed_policy(name, answer)
            place = self._place_in_input(broken)
            if policy.form == "contract":
                return msgspec.structs.replace(policy, violations=(self._violation(place, broken),)), ()
            if place[:2] != ("stack", "tasks"):
                place = ("stack", "tasks", self._first_broken(name, skipped))
            found.append(self._violation(place, broken))
            skipped.append(_number(place))
        more = warning("policy-more", f'the policy "{name}" is broken more often', f"The first {MOST} violations are told.")
        return msgspec.structs.replace(policy, violations=tuple(found)), (msgspec.structs.replace(more, span=self._place(name)),)

    def _asked_alone(self, name: str, skipped: Sequence[int]) -> Answer:
        return self._evaluate(f"Engine.one {string(name)} ({self._import}) ({self._given}) {list(skipped)}")

    def _first_broken(self, name: str, skipped: Sequence[int]) -> int:
        """The number of the first task that fails, where Nickel's report does not show it: the shortest beginning that fails."""
        tasks = self._inputs.stack["tasks"]
        assert isinstance(tasks, list)  # noqa: S101 `inputs` has made it
        low, high = 0, len(tasks)
        while high - low > 1:
            middle = (low + high) // 2
            rest = range(middle, len(tasks))
            if isinstance(self._asked_alone(name, [*skipped, *rest]), Evaluated):
                low = middle
            else:
                high = middle
        return low

    def _sound(self, policies: Sequence[Policy]) -> Answers:
        """The policies, without those that name a kind which there is not."""
        diagnostics = []
        failed = set()
        for policy in policies:
            for kind in policy.kinds:
                if kind not in self._kinds:
                    failed.add(policy.name)
                    hint = did_you_mean(kind, self._kinds) or " `g8r modules list` shows all."
                    detail = f"There is no kind of that name, so nothing would be looked at.{hint}"
                    wrong = error("policy-fails", f'the policy "{policy.name}" is about the kind "{kind}"', detail)
                    diagnostics.append(msgspec.structs.replace(wrong, span=self._place(policy.name)))
        return Answers(tuple(policy for policy in policies if policy.name not in failed), tuple(diagnostics), tuple(sorted(failed)))

    # ---- evaluating ----

    @property
    def _import(self) -> str:
        return f"import {string(self._file)}"

    @property
    def _given(self) -> str:
        plan = "null" if self._plan is None else f"import {string(self._plan)}"
        return f"{{ stack = import {string(self._stack)}, plan = {plan} }}"

    def _evaluate(self, expression: str) -> Answer:
        return self._session.evaluator().evaluate(f"let Engine = {self._session.contract('policy/engine.ncl')} in\n{expression}")

    def _policy(self, answered: _Answered) -> Policy:
        violations = None if answered.violations is None else tuple(map(_as_violation, answered.violations))
        return Policy(
            answered.name, answered.on, answered.level, answered.doc, answered.form, self._file, tuple(answered.kinds), violations
        )

    # ---- failures ----

    def _failures(self, answer: Reported | Died, clause: str) -> tuple[Diagnostic, ...]:
        return tuple(
            msgspec.structs.replace(
                found,
                code="policy-fails",
                summary=f"{clause}: {found.summary}",
                detail="" if found.code in _OF_STACKS else found.detail,
                span=found.span or Span(self._file, 1, 1),
            )
            for found in self._session.failed(answer)
        )

    def _failed_policy(self, name: str, answer: Answer) -> tuple[Diagnostic, ...]:
        assert not isinstance(answer, Evaluated)  # noqa: S101 the callers have looked
        place = self._place(name)
        found = self._failures(answer, f'the policy "{name}" fails')
        unplaced = Span(self._file, 1, 1)
        return tuple(msgspec.structs.replace(one, span=place) if one.span == unplaced and place else one for one in found)

    def _place(self, name: str) -> Span | None:
        """Where a policy stands in its file."""
        path: DocumentPath = ("policies", name)
        prelude = f"let stack = {self._import} in"
        session = self._session
        locator = NickelLocator(session.evaluator, prelude, self._file, session.hidden, {"policies": {name: {}}})
        return locator.locate([path], keys=True).get(path)

    # ---- contracts that were broken ----

    def _place_in_input(self, broken: report.Section) -> DocumentPath:
        """Where in the input the value stands that broke a contract, with `stack` or `plan` in front; empty where nobody knows: a record
        that the contract was merged with has no place.
        """
        for frame in broken.frames:
            for file, document in ((self._stack, self._inputs.stack), (self._plan, self._inputs.plan)):
                if file is not None and frame.span.file == str(file):
                    lines = documents.by_line(document)
                    return (file.stem, *lines[min(frame.span.line, len(lines)) - 1])
        return ()

    def _violation(self, place: DocumentPath, broken: report.Section) -> Violation:
        message = ". ".join(broken.message[1:] or broken.message)
        mine = report.visible(broken.frames, self._session.hidden)
        wanted = mine[0].span if mine else None
        match place:
            case ("stack", "tasks", int(number), *field):
                rest = field[1:] if field[:1] == ["params"] else field
                return Violation(message, _text_at(self._inputs.stack["tasks"], number), tuple(rest), wanted)
            case ("plan", "resource_changes", int(number), *_) if self._inputs.plan is not None:
                return Violation(message, _text_at(self._inputs.plan["resource_changes"], number), (), wanted)
            case ("stack", *field):
                return Violation(message, None, tuple(field), wanted)
            case ("plan", *field) if field:
                return Violation(f"{path_text(tuple(field))}: {message}", None, (), wanted)
            case _:
                return Violation(message, contract=wanted)


def _broken(answer: Answer) -> report.Section | None:
    """The message that a contract is broken by what it was given; None for any other failure."""
    if not isinstance(answer, Reported):
        return None
    section = next((section for section in report.sections(answer.report) if section.level == "error"), None)
    if section is None or "by the caller" in section.message[0] or report.code_of(section) not in _BROKEN:
        return None
    return section


def _number(place: DocumentPath) -> int:
    """The number of the task that a place is in."""
    return int(place[2])


def _text_at(listed: Any, number: int) -> str:  # noqa: ANN401 a list of records with addresses
    return str(listed[number]["address"])


def _as_violation(found: _Found) -> Violation:
    field = tuple(found.field.split(".")) if isinstance(found.field, str) else tuple(found.field)
    return Violation(found.message, found.task, tuple(part for part in field if part != ""))


def _twice(policies: Iterable[Policy]) -> Iterable[Diagnostic]:
    first: dict[str, str] = {}
    for policy in policies:
        if first.setdefault(policy.name, policy.file) != policy.file:
            detail = f"{first[policy.name]} and {policy.file} have it. An exemption names one: call it something else in one of them."
            wrong = error("policy-twice", f'there are two policies "{policy.name}"', detail)
            yield msgspec.structs.replace(wrong, span=Span(policy.file, 1, 1))
