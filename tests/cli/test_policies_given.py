"""--policy on validate, plan, apply and destroy."""

import json

import pytest
import sarif_schema

from g8r.cli import policies

STACK = """\
name: site
hosts:
  web1: {connection: fake, labels: {env: prod}}
  web2: {connection: fake, labels: {env: dev}}
tasks:
  file:
    a:
      path: /etc/a
      mode: "0666"
    b: {path: /etc/b, mode: "0644"}
"""
POLICIES = """\
let Policy = import "policy/all.ncl" in
{
  policies = {
    modes = Policy.modes { under = "/etc", modes = "0644" },
    owned = { level = 'advisory, each = fun task => task.params.owner != null },
    deletes = Policy.no_deletes {},
    radius = { on = 'plan, check = fun input => if input.applyable then [{ message = "Too much." }] else [] },
  },
}
"""


@pytest.fixture
def site(folder, monkeypatch):
    monkeypatch.setattr(policies, "now", lambda: "2026-11-22T17:03:00Z")
    folder.write("main.yaml", STACK)
    folder.write("p.ncl", POLICIES)
    return folder


def exempt(*lines, task="a"):
    """The stack with an exemption of a task, one line for each, and mended modes."""
    listed = "".join(f"        - {line}\n" for line in lines)
    return STACK.replace(f"    {task}:\n", f"    {task}:\n      lifecycle:\n        exempt:\n{listed}", 1)


LEGACY = "{policy: modes, reason: legacy, until: 2026-12-31}"


# ---- validate ----


def test_violations_have_their_lines_and_fail(site):
    ran = site.g8r("validate", "--policy", "p.ncl")
    assert ran.code == 1
    assert 'error: file.a breaks the policy "modes"\n --> main.yaml:9:13\n' in ran.err
    assert 'warning: file.a breaks the policy "owned"\n' in ran.err
    assert ran.out.splitlines() == [
        "2 policies were checked.",
        "2 policies were not, being of plans, which `g8r plan --policy` checks: deletes, radius.",
    ]
    assert ran.err.endswith("1 error, 2 warnings\n")


def test_an_advisory_policy_fails_nothing(site):
    site.write("main.yaml", STACK.replace("0666", "0644"))
    ran = site.g8r("validate", "--policy", "p.ncl")
    assert ran.code == 0
    assert "Success! The stack is valid: 2 tasks on 2 hosts.\n" in ran.out
    assert ran.err.endswith("2 warnings\n")


def test_without_policies_nothing_is_said_of_exemptions(site):
    site.write("main.yaml", exempt(LEGACY))
    assert site.g8r("validate").err == ""


def test_an_exemption_in_yaml_and_in_toml(site):
    """TOML has dates of its own, which are no text."""
    site.write("main.yaml", exempt(LEGACY))
    ran = site.g8r("validate", "--policy", "p.ncl")
    assert ran.code == 0
    assert 'warning: file.a breaks the policy "modes", and is exempt until 2026-12-31' in ran.err
    for written in ("2026-12-31", '"2026-12-31"'):
        grant = f'{{policy = "modes", reason = "x", until = {written}}}'
        toml = f'name = "s"\n[tasks.file.a]\npath = "/etc/a"\nmode = "0666"\nlifecycle.exempt = [{grant}]\n'
        site.write("s.toml", toml)
        ran = site.g8r("validate", "s.toml", "--policy", "p.ncl")
        assert (ran.code, "and is exempt until 2026-12-31" in ran.err) == (0, True), written


def test_an_exemption_that_has_ended_does_not_count(site):
    site.write("main.yaml", exempt(LEGACY.replace("2026-12-31", "2026-11-21")))
    ran = site.g8r("validate", "--policy", "p.ncl")
    assert ran.code == 1
    assert "It was exempt until 2026-11-21: legacy" in ran.err
    assert "note: the exemption that has ended\n  --> main.yaml:10:11\n" in ran.err


def test_an_exemption_without_a_reason_is_a_mistake_of_the_stack(site):
    site.write("main.yaml", exempt("{policy: modes, until: 2026-12-31}"))
    ran = site.g8r("validate", "--policy", "p.ncl")
    assert ran.code == 1
    assert '"reason" is missing' in ran.err
    assert "warning: the policies were not checked" in ran.err
    assert "breaks the policy" not in ran.err


def test_policies_are_not_asked_of_a_stack_that_does_not_compile(site):
    site.write("main.yaml", STACK.replace("path: /etc/b", 'path: /etc/b, content: "@{file.c.path}"'))
    ran = site.g8r("validate", "--policy", "p.ncl")
    assert ran.code == 1
    assert "warning: the policies were not checked" in ran.err


def test_several_files_and_import_paths(site):
    site.write("lib/ours.ncl", '{ kinds = "package" }')
    site.write("q.ncl", '{ policies.kinds = (import "policy/all.ncl").allowed_kinds (import "ours.ncl") }')
    ran = site.g8r("validate", "--policy", "p.ncl", "--policy", "q.ncl", "--import-path", "lib")
    assert "3 policies were checked." in ran.out
    assert 'file.b breaks the policy "kinds"' in ran.err


def test_a_policy_file_that_is_not_there(site):
    ran = site.g8r("validate", "--policy", "nothing.ncl")
    assert ran.code == 1
    assert "error: cannot read " in ran.err


def test_json_names_the_policies(site):
    ran = site.g8r("validate", "--policy", "p.ncl", "--json")
    assert ran.code == 1
    assert ran.json["g8r"] == {"policies": {"checked": ["modes", "owned"], "skipped": ["deletes", "radius"]}}
    first = ran.json["diagnostics"][0]
    assert first["g8r"] | {"path": ""} == {"code": "policy", "path": "", "related": [], "policy": first["g8r"]["policy"]}
    assert "g8r" not in site.g8r("validate", "--json").json


def test_sarif_has_a_rule_for_each_policy_and_suppresses_what_is_exempt(site, tmp_path_factory):
    site.write("main.yaml", exempt(LEGACY))
    ran = site.g8r("validate", "--policy", "p.ncl", "--format", "sarif")
    assert sarif_schema.problems(ran.json, tmp_path_factory.mktemp("sarif")) == []
    (run,) = ran.json["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [(rule["id"], rule["shortDescription"]["text"]) for rule in rules] == [
        ("policy/modes", "The policy modes"),
        ("policy/owned", "The policy owned"),
    ]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"]
    suppressed = [result for result in run["results"] if "suppressions" in result]
    assert [result["ruleId"] for result in suppressed] == ["policy/modes"]
    assert suppressed[0]["suppressions"][0]["justification"].startswith("The reason given: legacy")


def test_github_annotates_the_line(site):
    ran = site.g8r("validate", "--policy", "p.ncl", "--format", "github")
    assert '::error file=main.yaml,line=9,col=13,endLine=9,endColumn=19,title=file.a breaks the policy "modes"::' in ran.out


# ---- plan ----


def test_a_plan_that_breaks_a_policy_is_shown_and_not_saved(site):
    ran = site.g8r("plan", "--policy", "p.ncl", "-o", "p.g8r")
    assert ran.code == 1
    assert "Plan: 4 to create" in ran.out
    assert "Saved to" not in ran.out
    assert 'error: the plan breaks the policy "radius"\n --> main.yaml:1:7\n' in ran.err
    assert 'error: file.a breaks the policy "modes"\n' in ran.err
    assert "warning: the plan was not saved to p.g8r\n" in ran.err
    assert not (site.path / "p.g8r").exists()


def test_an_older_plan_is_not_taken_for_the_one_that_was_refused(site):
    site.ok("plan", "-o", "p.g8r")
    before = (site.path / "p.g8r").read_bytes()
    ran = site.g8r("plan", "--policy", "p.ncl", "-o", "p.g8r")
    assert "The p.g8r that is there is of an earlier plan." in ran.err
    assert (site.path / "p.g8r").read_bytes() == before


def test_a_plan_that_holds_is_saved_and_applied(site):
    site.write("q.ncl", "{ policies.quiet = { on = 'plan, level = 'advisory, each = fun change => \"hm\" } }")
    ran = site.g8r("plan", "--policy", "q.ncl", "-o", "p.g8r", "--detailed-exitcode")
    assert ran.code == 2
    assert 'warning: web1/file.a (and one more host) breaks the policy "quiet"' in ran.err
    site.ok("apply", "p.g8r")


def test_a_deleted_task_is_exempt_by_the_stack(site):
    site.ok("apply", "--yes")
    site.write("q.ncl", '{ policies.deletes = (import "policy/all.ncl").no_deletes {} }')
    gone = STACK.replace('    b: {path: /etc/b, mode: "0644"}\n', "")
    site.write("main.yaml", gone)
    ran = site.g8r("plan", "--policy", "q.ncl")
    assert ran.code == 1
    assert 'web1/file.b (and one more host) breaks the policy "deletes"' in ran.err
    assert '`exemptions = [{ task = "file.b", policy = "deletes", reason = "WHY", until = "YYYY-MM-DD" }]`' in ran.err
    site.write("main.yaml", gone + "exemptions:\n  - {policy: deletes, task: file.b, reason: unused, until: 2026-12-31}\n")
    ran = site.g8r("plan", "--policy", "q.ncl")
    assert ran.code == 0
    assert "and is exempt until 2026-12-31" in ran.err


def test_json_of_a_plan_that_breaks_a_policy_is_what_is_wrong(site):
    ran = site.g8r("plan", "--policy", "p.ncl", "--json")
    assert ran.code == 1
    assert ran.json["valid"] is False
    assert {found["g8r"].get("policy") for found in ran.json["diagnostics"]} == {"modes", "owned", "radius"}


def test_a_policy_sees_the_plan_as_json_shows_it(site):
    site.write("q.ncl", "{ policies.seen = { on = 'plan, check = fun input => [{ message = std.serialize 'Json input }] } }")
    ran = site.g8r("plan", "--policy", "q.ncl", "--json")
    seen = json.loads(ran.json["diagnostics"][0]["detail"].partition("\nTo exempt")[0])
    shown = site.g8r("plan", "--json").json
    assert set(seen) - set(shown) == {"stack", "now"}
    for varying in ("timestamp", "g8r", "stack", "now"):
        seen.pop(varying), shown.pop(varying, None)
    assert seen == shown


# ---- apply ----


def test_apply_is_refused_before_it_asks(site):
    ran = site.g8r("apply", "--policy", "p.ncl", "--yes")
    assert ran.code == 1
    assert "Plan: 4 to create" in ran.out
    assert 'error: the plan breaks the policy "radius"' in ran.err
    assert "Plan: 4 to create" in site.ok("plan")


def test_apply_tells_warnings_and_goes_on(site):
    site.write("q.ncl", '{ policies.quiet = { level = \'advisory, each = fun task => "hm" } }')
    ran = site.g8r("apply", "--policy", "q.ncl", "--yes")
    assert ran.code == 0
    assert 'warning: file.a breaks the policy "quiet"' in ran.err


def test_apply_as_json_streams_what_is_wrong(site):
    ran = site.g8r("apply", "--policy", "p.ncl", "--yes", "--json")
    assert ran.code == 1
    assert next(line["diagnostic"]["summary"] for line in ran.lines if line.get("@level") == "error").endswith('"')
    assert ran.err == ""


def test_destroy_is_checked_too(site):
    site.ok("apply", "--yes")
    site.write("q.ncl", '{ policies.deletes = (import "policy/all.ncl").no_deletes { hosts = { env = "prod" } } }')
    ran = site.g8r("destroy", "--policy", "q.ncl", "--yes")
    assert ran.code == 1
    assert 'web1/file.a breaks the policy "deletes"' in ran.err
    assert "No changes" in site.ok("plan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("p.g8r",), "--policy means nothing for the saved plan p.g8r"),
        (("--resume",), "--policy means nothing with --resume"),
    ],
)
def test_where_a_policy_means_nothing(site, arguments, message):
    site.ok("plan", "-o", "p.g8r")
    ran = site.g8r("apply", *arguments, "--policy", "p.ncl")
    assert ran.code == 1
    assert message in ran.err
