"""Judging: levels, who is exempt and until when, and which exemptions are of no use."""

from __future__ import annotations

import pytest

from g8r.compiler.policy.answers import Answers, Policy, Violation
from g8r.compiler.policy.judging import judge
from g8r.diagnostics import error
from g8r.stack import Exemption, Meta, Stack, Task

TODAY = "2026-11-22"


def policy(*violations, name="p", on="stack", level="mandatory", doc="Be good."):
    return Policy(name, on, level, doc, "check", "p.ncl", (), violations)


def grant(policy="p", until="2026-12-31", task=None, reason="legacy"):
    return Exemption(policy, reason, until, task)


def stack(*exempt, top=()):
    """One task, file.a, with these exemptions; and those of the stack."""
    return Stack("s", (Task("file", "a", {}, Meta(exempt=tuple(exempt))), Task("file", "b", {})), exemptions=tuple(top))


def judged(stack, *policies, failed=(), unread=False):
    return judge(Answers(policies, (), failed, unread), stack, TODAY)


def only(stack, *policies, **settings):
    (found,) = judged(stack, *policies, **settings)
    return found


def codes(stack, *policies, **settings):
    return [(one.severity.value, one.code) for one in judged(stack, *policies, **settings)]


A = Violation("bad", "file.a", ("mode",))


# ---- violations ----


def test_a_violation_names_the_policy_the_task_its_place_and_how_to_be_exempted():
    found = only(stack(), policy(A))
    assert (found.severity.value, found.code, found.rule) == ("error", "policy", "p")
    assert found.summary == 'file.a breaks the policy "p"'
    assert found.path == ("tasks", "file", "a", "mode")
    assert found.detail.splitlines() == [
        "bad",
        "The policy: Be good.",
        'To exempt it, in file.a: `lifecycle.exempt = [{ policy = "p", reason = "WHY", until = "YYYY-MM-DD" }]`.',
    ]


def test_an_advisory_policy_warns():
    assert codes(stack(), policy(A, level="advisory")) == [("warning", "policy")]


def test_what_a_policy_wants_is_not_said_twice():
    assert "Be good" not in only(stack(), policy(Violation("bad", "file.a"), doc="")).detail
    assert only(stack(), policy(Violation("Be good.", "file.a"))).detail.count("Be good.") == 1


@pytest.mark.parametrize(
    ("violation", "on", "summary", "path", "remedy"),
    [
        (Violation("x"), "stack", "the stack breaks", ("name",), "at the top of the stack: `exemptions = [{ policy"),
        (Violation("x"), "plan", "the plan breaks", ("name",), "at the top of the stack: `exemptions = [{ policy"),
        (Violation("x", None, ("vars", "a")), "stack", "vars.a breaks", ("vars", "a"), "at the top of the stack: `exemptions = [{ policy"),
        (Violation("x", "web1/file.a"), "plan", "web1/file.a breaks", ("tasks", "file", "a"), "in file.a: `lifecycle.exempt"),
        (Violation("x", "db.example/file.a.b"), "plan", "db.example/file.a.b breaks", ("name",), 'exemptions = [{ task = "file.a.b"'),
        (Violation("x", "web1/file.old"), "plan", "web1/file.old breaks", ("name",), 'exemptions = [{ task = "file.old", policy = "p"'),
    ],
)
def test_what_is_of_no_task_of_the_stack(violation, on, summary, path, remedy):
    found = only(stack(), policy(violation, on=on))
    assert found.summary.startswith(summary)
    assert found.path == path
    assert remedy in found.detail


def test_hosts_are_told_together():
    many = [Violation("x", f"h{number}/file.a") for number in range(3)]
    assert only(stack(), policy(*many, on="plan")).summary == 'h0/file.a (and 2 more hosts) breaks the policy "p"'
    assert only(stack(), policy(*many[:2], on="plan")).summary == 'h0/file.a (and one more host) breaks the policy "p"'
    assert len(judged(stack(), policy(many[0], Violation("y", "h1/file.a"), Violation("x", "h1/file.b"), on="plan"))) == 3


def test_what_the_policies_failed_with_comes_along():
    broken = error("policy-fails", "x")
    assert judge(Answers((), (broken,)), stack(), TODAY) == (broken,)


# ---- exemptions ----


def test_what_is_exempt_is_told_with_the_reason():
    found = only(stack(grant()), policy(A))
    assert (found.severity.value, found.code, found.rule) == ("warning", "policy-exempt", "p")
    assert found.summary == 'file.a breaks the policy "p", and is exempt until 2026-12-31'
    assert found.detail.splitlines()[:2] == ["The reason given: legacy", "bad"]
    assert [(one.note, one.path) for one in found.related] == [("the exemption", ("tasks", "file", "a", "lifecycle", "exempt", 0))]


@pytest.mark.parametrize(("until", "code"), [("2026-11-22", "policy-exempt"), ("2026-11-21", "policy"), ("2027-01-01", "policy-exempt")])
def test_the_last_day_counts(until, code):
    assert only(stack(grant(until=until)), policy(A)).code == code


def test_an_exemption_that_has_ended_is_told_of():
    found = only(stack(grant(until="2026-11-21")), policy(A))
    assert found.severity.value == "error"
    assert "It was exempt until 2026-11-21: legacy" in found.detail
    assert [(one.note, one.path) for one in found.related] == [
        ("the exemption that has ended", ("tasks", "file", "a", "lifecycle", "exempt", 0))
    ]


def test_one_that_holds_wins_over_one_that_has_ended():
    assert codes(stack(grant(until="2026-01-01"), grant()), policy(A)) == [("warning", "policy-exempt")]


@pytest.mark.parametrize(
    ("violation", "task", "covered"),
    [
        (Violation("x"), None, True),
        (Violation("x", None, ("vars",)), None, True),
        (Violation("x", "file.old"), None, False),
        (Violation("x"), "file.old", False),
        (Violation("x", "file.old"), "file.old", True),
        (Violation("x", "web1/file.old"), "file.old", True),
        (Violation("x", "web1/file.old"), "web1/file.old", True),
        (Violation("x", "web2/file.old"), "web1/file.old", False),
        (Violation("x", "file.old"), "web1/file.old", False),
        (Violation("x", "web1/file.older"), "file.old", False),
    ],
)
def test_what_an_exemption_of_the_stack_covers(violation, task, covered):
    found = judged(stack(top=[grant(task=task)]), policy(violation, on="plan"))
    assert [one.code for one in found] == ["policy-exempt" if covered else "policy"]


def test_an_exemption_of_a_task_is_for_that_task_and_policy_alone():
    b, other = Violation("x", "file.b"), policy(A, name="q")
    assert codes(stack(grant()), policy(A, b), other) == [("warning", "policy-exempt"), ("error", "policy"), ("error", "policy")]


def test_hosts_with_and_without_an_exemption_are_told_apart():
    both = policy(Violation("x", "web1/file.old"), Violation("x", "web2/file.old"), on="plan")
    assert codes(stack(top=[grant(task="web1/file.old")]), both) == [("warning", "policy-exempt"), ("error", "policy")]


# ---- of no use ----


def test_an_exemption_from_nothing():
    found = only(stack(grant()), policy())
    assert (found.severity.value, found.code) == ("warning", "exemption-unused")
    assert found.path == ("tasks", "file", "a", "lifecycle", "exempt", 0)


def test_an_exemption_may_wait_for_a_plan():
    assert codes(stack(grant()), policy(on="plan")) == []
    skipped = Policy("p", "plan", "mandatory", "", "check", "p.ncl", (), None)
    assert codes(stack(grant()), skipped) == []


@pytest.mark.parametrize("on", ["stack", "plan"])
def test_an_exemption_that_has_ended_and_that_nothing_needs(on):
    found = only(stack(grant(until="2026-01-01")), policy(on=on))
    assert (found.code, found.path[-1]) == ("exemption-ended", "until")


def test_an_exemption_from_an_unknown_policy():
    found = only(stack(top=[grant("sudoes")]), policy(name="sudoers"))
    assert (found.severity.value, found.code, found.path) == ("warning", "exemption-unknown", ("exemptions", 0, "policy"))
    assert 'Did you mean "sudoers"?' in found.detail


def test_nothing_is_said_of_a_policy_that_could_not_be_asked():
    assert codes(stack(grant()), failed=("p",)) == []
    assert codes(stack(grant()), unread=True) == []
