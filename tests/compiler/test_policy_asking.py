"""Asking policies: the four forms, what fails and where, and that one that fails hides no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluators import NICKEL, SHIPPED

from g8r.compiler.evaluator import Limits
from g8r.compiler.policy import asking
from g8r.compiler.policy.inputs import Inputs

HOSTS = {"web1": {"labels": {"env": "prod"}}, "web2": {"labels": {"env": "dev"}}, "db1": {"labels": {}}}
TASKS = [
    {"address": "file.a", "kind": "file", "name": "a", "hosts": ["web1", "db1"], "params": {"path": "/a", "mode": "0644", "owner": None}},
    {"address": "file.b", "kind": "file", "name": "b", "hosts": ["web2"], "params": {"path": "/b", "mode": "0666", "owner": None}},
    {"address": "file.c", "kind": "file", "name": "c", "hosts": [], "params": {"path": "/c", "mode": "0777", "owner": "ada"}},
    {"address": "service.s", "kind": "service", "name": "s", "hosts": ["web1"], "params": {"name": "s"}},
]
NOW = {"weekday": "Sunday", "hour": 17, "minute": 3, "time": "17:03"}
STACK = {"name": "s", "now": NOW, "vars": {"env": "prod"}, "groups": {}, "outputs": {}, "hosts": HOSTS, "tasks": TASKS}
PLAN = {
    "resource_changes": [
        {"address": "web1/file.a", "type": "file", "index": "web1", "change": {"actions": ["update"]}},
        {"address": "gone/file.old", "type": "file", "index": "gone", "change": {"actions": ["delete"]}},
    ],
    "applyable": True,
    "g8r": {"triggers": []},
}
MODES = 'let Unix = import "lib/unix.ncl" in '


@pytest.fixture(params=["embedded", pytest.param(NICKEL, marks=pytest.mark.skipif(NICKEL is None, reason="no nickel command"))])
def evaluator(request, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", request.param)


@pytest.fixture
def ask(tmp_path, evaluator):
    """Ask the policies of these texts, each in a file of its own."""

    def of(*texts, plan=None, stack=None, **settings):
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"p{number or ''}.ncl")
            files[-1].write_text(text, "utf-8")
        return asking.ask(files, Inputs(stack or STACK, plan), SHIPPED, **settings)

    return of


def found(answers, name="p"):
    """What a policy finds: task, field, message."""
    assert answers.diagnostics == ()
    return [(one.task, one.field, one.message) for policy in answers.policies if policy.name == name for one in policy.violations]


def failures(answers):
    return [
        (one.summary, Path(one.span.file).name, one.span.line, one.span.column) for one in answers.diagnostics if one.code == "policy-fails"
    ]


def policy(body):
    return f"{{ policies.p = {{ {body} }} }}"


# ---- each ----


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("true", []),
        ("null", []),
        ("[]", []),
        ("false", [("service.s", (), "It does not hold.")]),
        ('"no"', [("service.s", (), "no")]),
        ('{ message = "no", field = "name" }', [("service.s", ("name",), "no")]),
        ('{ message = "no", field = ["env", 1] }', [("service.s", ("env", 1), "no")]),
        ('{ message = "no", field = "env.HOME" }', [("service.s", ("env", "HOME"), "no")]),
        ('{ message = "no", task = "file.a" }', [("file.a", (), "no")]),
        ('["no", { message = "never" }, true, false]', [("service.s", (), text) for text in ("no", "never", "It does not hold.")]),
    ],
)
def test_what_each_may_say(ask, said, wanted):
    assert found(ask(policy(f'kinds = "service", each = fun task => {said}'))) == wanted


def test_a_policy_that_does_not_hold_says_what_it_wants(ask):
    assert found(ask(policy('doc = "Be good.", kinds = "service", each = fun task => false'))) == [("service.s", (), "Be good.")]


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ("", ["file.a", "file.b", "file.c", "service.s"]),
        ('kinds = "file",', ["file.a", "file.b", "file.c"]),
        ('kinds = ["s*", "file"],', ["file.a", "file.b", "file.c", "service.s"]),
        ("kinds = [],", []),
        ('hosts = "web?",', ["file.a", "file.b", "service.s"]),
        ('hosts = ["db1", "web2"],', ["file.a", "file.b"]),
        ('hosts = { env = "prod" },', ["file.a", "service.s"]),
        ('kinds = "file", hosts = { env = "prod" },', ["file.a"]),
    ],
)
def test_each_is_asked_of_the_chosen_tasks(ask, chosen, wanted):
    assert [task for task, _, _ in found(ask(policy(f"{chosen} each = fun task => false")))] == wanted


def test_each_of_a_plan_is_asked_of_its_changes(ask):
    body = 'on = \'plan, each = fun change => !(std.array.elem "delete" change.change.actions)'
    assert found(ask(policy(body), plan=PLAN)) == [("gone/file.old", (), "It does not hold.")]
    assert found(ask(policy(body + ', hosts = { env = "prod" }'), plan=PLAN)) == []


def test_a_policy_of_plans_is_not_asked_where_there_is_none(ask):
    answers = ask("{ policies = { p = { on = 'plan, each = fun change => false }, q = { each = fun task => true } } }")
    assert [(one.name, one.violations) for one in answers.policies] == [("p", None), ("q", ())]


def test_a_policy_of_stacks_is_asked_with_a_plan_too(ask):
    assert len(found(ask(policy("each = fun task => false"), plan=PLAN))) == len(TASKS)


# ---- check ----


def test_check_sees_all_of_the_stack(ask):
    body = 'check = fun input => [{ message = "%{input.name} %{input.now.weekday}", field = ["vars", "env"] }]'
    assert found(ask(policy(body))) == [(None, ("vars", "env"), "s Sunday")]


def test_check_of_a_plan_sees_the_stack_and_the_time_too(ask):
    body = 'on = "plan", check = fun input => [{ message = "%{input.stack.name} %{input.now.time}", task = "web1/file.a" }]'
    assert found(ask(policy(body), plan=PLAN)) == [("web1/file.a", (), "s 17:03")]


# ---- contracts ----


def test_params_find_every_task_that_breaks_the_contract(ask):
    answers = ask(MODES + policy("params.file = { mode | Unix.SafeMode, .. }"))
    assert [(task, field) for task, field, _ in found(answers)] == [("file.b", ("mode",)), ("file.c", ("mode",))]
    first = answers.policies[0].violations[0]
    assert first.message == 'expected an octal mode in quotes such as "0644", got "0666": everybody may write'
    assert (Path(first.contract.file).name, first.contract.line) == ("p.ncl", 1)


def test_params_are_asked_on_the_chosen_hosts(ask):
    answers = ask(MODES + policy('hosts = "web*", params.file = { mode | Unix.SafeMode, .. }'))
    assert [task for task, _, _ in found(answers)] == ["file.b"]


def test_params_of_which_nickel_does_not_show_the_place_are_found_all_the_same(ask):
    """A record that a contract was merged with has no place, so the tasks are tried."""
    tasks = [
        {**TASKS[0], "address": f"command.{name}", "kind": "command", "params": {"name": name, "env": env}}
        for name, env in {"a": {"HOME": "/"}, "b": {"X": "1"}, "c": {"HOME": "/"}, "d": {}}.items()
    ]
    answers = ask(policy("params.command = { env = { HOME | String, .. }, .. }"), stack={**STACK, "tasks": tasks})
    assert found(answers) == [(f"command.{name}", (), "missing definition for `HOME`") for name in "bd"]


def test_a_contract_that_fails_itself_is_no_violation(ask):
    answers = ask(policy("params.file = { mode | std.contract.from_predicate (fun mode => std.string.length 3 > 2), .. }"))
    ((told, _, line, _),) = failures(answers)
    assert told.startswith('the policy "p" fails: contract broken by the caller of `length`')
    assert (line, answers.policies) == (1, ())


def test_params_stop_somewhere(ask, monkeypatch):
    monkeypatch.setattr(asking, "MOST", 2)
    answers = ask(policy("params.file = { mode | std.enum.TagOrString | [| 'never |], .. }"))
    assert [one.task for one in answers.policies[0].violations] == ["file.a", "file.b"]
    assert [(one.code, one.severity.value) for one in answers.diagnostics] == [("policy-more", "warning")]


def test_a_contract_for_the_whole_tells_one_violation(ask):
    contract = MODES + policy("contract = { tasks | Array { params | { mode | Unix.SafeMode | optional, .. }, .. }, .. }")
    assert [(task, field) for task, field, _ in found(ask(contract))] == [("file.c", ("mode",))]
    env = policy("contract = { vars | { env | [| 'dev |], .. }, .. }")
    assert [(task, field) for task, field, _ in found(ask(env))] == [(None, ("vars", "env"))]
    assert found(ask(policy("contract = { vars | { env | String, .. }, .. }"))) == []


def test_a_contract_for_a_plan(ask):
    web = 'let Web = (import "lib/make.ncl").Matching "a web server" "^web" in '
    body = "on = 'plan, contract = { resource_changes | Array { type | String, index | Web, .. }, .. }"
    assert [(task, field) for task, field, _ in found(ask(web + policy(body), plan=PLAN))] == [("gone/file.old", ())]
    other = "on = 'plan, contract = { applyable | [| 'yes |], .. }"
    ((task, field, message),) = found(ask(policy(other), plan=PLAN))
    assert (task, field) == (None, ())
    assert message.startswith("applyable: ")


# ---- failures ----


def test_one_that_fails_hides_no_other(ask):
    answers = ask("""{ policies = {
  a = { each = fun task => task.nothing },
  b = { each = fun task => task.kind != "service" },
  c = { each = fun task => 3 },
  d = { check = fun input => [{ text = "no message" }] },
  e = { params.file = fun value => value },
  f = { check = fun input => "no list" },
  g = { level = 'loud, each = fun task => true },
  h = { doc = "nothing" },
  i = { each = fun task => true, check = fun input => [] },
  j = { on = 'plan, params.file = String },
  k = { each = "no function" },
} }""")
    assert [(one.name, [violation.task for violation in one.violations]) for one in answers.policies] == [("b", ["service.s"])]
    assert {one.code for one in answers.diagnostics} == {"policy-fails"}
    told = failures(answers)
    assert [(summary.split('"')[1], file, line) for summary, file, line, _ in told] == [
        (name, "p.ncl", 2 + "abcdefghijk".index(name)) for name in "acdefghijk"
    ]
    assert answers.failed == tuple("acdefghijk")
    assert told[0] == ('the policy "a" fails: missing field `nothing`', "p.ncl", 2, 28)
    by_name = {summary.split('"')[1]: summary for summary, *_ in told}
    assert "expected true, false, a message, { message, field }, or a list of these, got 3" in by_name["c"]
    assert "expected one of mandatory, advisory, got 'loud" in by_name["g"]
    assert "it has none of check, each, contract, params, and needs one" in by_name["h"]
    assert "it has check and each of check, each, contract, params" in by_name["i"]
    assert "params are of stacks" in by_name["j"]
    assert 'expected a function, got "no function"' in by_name["k"]


def test_an_advisory_one_that_fails_is_an_error(ask):
    answers = ask(policy("level = 'advisory, each = fun task => task.nothing"))
    assert [one.severity.value for one in answers.diagnostics] == ["error"]


@pytest.mark.parametrize(
    ("text", "summary", "at"),
    [
        ("{ policies.p = }", "unexpected token", (1, 16)),
        ('{\n  policies = import "missing.ncl" }', "import of missing.ncl failed", (2, 14)),
        ("{ policy = {} }", "extra field `policy`", (1, 1)),
        ("{}", "missing definition for `policies`", (1, 1)),
        ("{ policies = [] }", "expected policies by their names", (1, 14)),
        ('{ policies."a b" = {} }', '"a b" is no name', (1, 12)),
        ("{ policies = nothing }", "unbound identifier `nothing`", (1, 14)),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_line(ask, text, summary, at):
    answers = ask(text, policy("each = fun task => true").replace(".p ", ".q "))
    ((told, file, line, column),) = failures(answers)
    assert told.startswith("the policies of p.ncl cannot be used: ")
    assert summary in told
    assert (file, line, column) == ("p.ncl", *at)
    assert answers.unread
    assert [one.name for one in answers.policies] == ["q"]


@pytest.mark.parametrize(
    ("chosen", "kind", "hint"),
    [
        ('kinds = "fiel", each = fun task => true', "fiel", 'Did you mean "file"?'),
        ('kinds = ["file", "packge"], each = fun task => true', "packge", 'Did you mean "package"?'),
        ("params.xyzzy = Dyn", "xyzzy", "`g8r modules list`"),
    ],
)
def test_a_kind_that_is_not_there_is_an_error(ask, chosen, kind, hint):
    answers = ask(policy(chosen))
    assert failures(answers) == [(f'the policy "p" is about the kind "{kind}"', "p.ncl", 1, 12)]
    assert hint in answers.diagnostics[0].detail
    assert (answers.policies, answers.failed) == ((), ("p",))


def test_a_name_that_two_files_have_is_an_error(ask):
    answers = ask(policy("each = fun task => true"), policy("each = fun task => true"))
    (told,) = answers.diagnostics
    assert (told.code, told.summary, Path(told.span.file).name) == ("policy-twice", 'there are two policies "p"', "p1.ncl")


def test_a_file_that_is_given_twice_is_asked_once(ask, tmp_path):
    ask(policy("each = fun task => false"))
    answers = asking.ask([tmp_path / "p.ncl"] * 2, Inputs(STACK), SHIPPED)
    assert len(answers.policies) == 1


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("p.yaml", b"policies: {}", "policy-file"), ("missing.ncl", None, "unreadable-source"), ("p.ncl", b"\xff\xfe", "not-text")],
)
def test_what_is_no_policy_file(tmp_path, embedded, name, content, code):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    answers = asking.ask([tmp_path / name], Inputs(STACK), SHIPPED)
    assert [one.code for one in answers.diagnostics] == [code]
    assert answers.unread


def test_one_without_an_end_is_stopped_and_the_others_are_asked(ask):
    forever = "let rec f = fun x => f (x + 1) in { policies = { a = { check = fun input => f 0 }, b = { each = fun task => true } } }"
    answers = ask(forever, limits=Limits(memory=500 << 20, seconds=1))
    assert [one.name for one in answers.policies] == ["b"]
    (told,) = answers.diagnostics
    assert told.summary.startswith('the policy "a" fails: evaluating p.ncl ')
    assert told.span.line == 1


def test_the_library_and_files_beside_it_can_be_imported(ask, tmp_path):
    (tmp_path / "modes.ncl").write_text('["0644"]')
    answers = ask('let Policy = import "policy/all.ncl" in { policies.p = Policy.modes { under = "/", modes = import "modes.ncl" } }')
    assert [task for task, _, _ in found(answers)] == ["file.b", "file.c"]


def test_a_policy_may_carry_the_contract_of_policy_files(ask):
    text = '({ policies.p = { kinds = "service", each = fun task => false } } | (import "policy/engine.ncl").File)'
    assert [task for task, _, _ in found(ask(text))] == ["service.s"]
