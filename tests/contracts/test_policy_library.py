"""Every policy of contracts/policy: what it lets pass and what it finds, asked through the engine as g8r asks it."""

import json
import re
from typing import Any, NamedTuple

import pytest
from probing import CONTRACTS, NICKEL, Prober

from g8r.compiler.evaluator import Reported
from g8r.compiler.nickel_text import string

SUNDAY = {"timestamp": "2026-11-22T17:03:00Z", "date": "2026-11-22", "time": "17:03", "weekday": "Sunday", "hour": 17, "minute": 3}
HOSTS = {name: {"labels": labels} for name, labels in {"web1": {"env": "prod"}, "web2": {"env": "dev"}, "db.example": {}}.items()}


class Asked(NamedTuple):
    """A policy, what it is asked about, and the violations that it is to find: task, field, and a part of the message."""

    policy: str
    input: dict[str, Any]
    found: list[tuple[str | None, Any, str]]


def stack(*tasks, **sections):
    return {"name": "s", "now": SUNDAY, "hosts": HOSTS, "vars": {}, "groups": {}, "outputs": {}, "tasks": list(tasks), **sections}


def task(address, hosts=("web1",), **params):
    kind, _, name = address.partition(".")
    return {"address": address, "kind": kind, "name": name, "hosts": list(hosts), "params": params}


def plan(*changes, triggers=(), hosts=HOSTS, **now):
    """changes and triggers: an address and an action, or a verb."""
    listed = [
        {
            "address": address,
            "index": address.split("/")[0],
            "type": address.split("/")[1].split(".")[0],
            "change": {"actions": action.split("+")},
        }
        for address, action in changes
    ]
    fired = [{"address": address, "verb": verb} for address, verb in triggers]
    return {"stack": {**stack(hosts=hosts), "now": {**SUNDAY, **now}}, "plan": {"resource_changes": listed, "g8r": {"triggers": fired}}}


def file(path="/etc/sudoers.d/a", name="a", **params):
    return task(f"file.{name}", **{"path": path, "mode": "0440", "ensure": "present", **params})


def package(name="nginx", ensure="present", version=None):
    return task(f"package.{name}", name=name, ensure=ensure, version=version)


def text(content, **params):
    return stack(task("file.a", content=content, **params))


def at(weekday, clock):
    """A plan that restarts one service, made at this time."""
    hour, minute = map(int, clock.split(":"))
    return plan(triggers=[("web1/service.a", "restart")], weekday=weekday, hour=hour, minute=minute, time=clock)


RESTARTED = [("web1/service.a", None, "It would restart")]
FLEET = {f"h{number}": {"labels": {}} for number in range(8)}
CHANGED = [(f"h{number}/file.a", "update") for number in range(3)]
TOKEN = [("file.a", ["content"], "looks like a")]

# Put together here, so that nobody who looks for secrets finds these.
SECRETS = {
    "a private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nabc\n",
    "an age key": "AGE-SECRET" + "-KEY-1" + "Q" * 30,
    "an access key of AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a token of GitHub": "gh" + "p_" + "a" * 36,
    "a token of GitLab": "glpat" + "-" + "a" * 20,
    "a token of Slack": "xox" + "b-" + "1" * 12,
    "a webhook of Slack": "https://hooks.slack" + ".com/services/T0AB/B0AB/" + "x" * 20,
    "a live key of Stripe": "sk_" + "live_" + "a" * 24,
    "a key of Google": "AIza" + "b" * 35,
    "a key of SendGrid": "SG." + "a" * 22 + "." + "b" * 43,
    "a token of npm": "npm_" + "a" * 36,
    "a token of PyPI": "pypi-" + "AgE" + "a" * 60,
    "a token of DigitalOcean": "dop" + "_v1_" + "0" * 64,
    "a token of Vault": "hvs" + "." + "a" * 24,
    "a key of an AI provider": "sk-" + "ant-" + "a" * 40,
    "a JSON web token": "eyJ" + "a" * 12 + ".eyJ" + "b" * 12 + "." + "c" * 12,
    "an address with a password in it": "postgres://app:" + "geheim@db1/app",
}
HARMLESS = [
    "",
    "Welcome\n",
    "PasswordAuthentication no\n",
    "password = @{secret.db/password}\n",
    "password=$DB_PASSWORD\n",
    "token: {{ token }}\n",
    "password required pam_unix.so\n",
    "secret_file = /run/secret\n",
    "password=''\n",
    "require_password: true\n",
    "https://example.org/a?b=c",
    "https://user@example.org/",
    "postgres://app:@{secret.db}@db1/app",
    "skills and tokens are words\n",
]

CASES = {
    "no_deletes": [
        Asked("no_deletes {}", plan(("web1/file.a", "create"), ("web1/file.b", "no-op"), ("web1/file.c", "forget")), []),
        Asked("no_deletes {}", plan(("web1/file.a", "delete")), [("web1/file.a", None, "It would be deleted")]),
        Asked("no_deletes {}", plan(("web1/file.a", "delete+create")), [("web1/file.a", None, "It would be replaced")]),
        Asked("no_deletes { replacements = false }", plan(("web1/file.a", "delete+create")), []),
        Asked(
            'no_deletes { kinds = ["package", "us*"] }',
            plan(("web1/file.a", "delete"), ("web1/user.a", "delete")),
            [("web1/user.a", None, "")],
        ),
        Asked(
            'no_deletes { hosts = { env = "prod" } }',
            plan(("web1/file.a", "delete"), ("web2/file.a", "delete"), ("gone/file.a", "delete")),
            [("web1/file.a", None, "")],
        ),
        Asked(
            'no_deletes { hosts = "*.example" }',
            plan(("web1/file.a", "delete"), ("db.example/file.a", "delete")),
            [("db.example/file.a", None, "")],
        ),
    ],
    "no_restarts": [
        Asked("no_restarts {}", at("Sunday", "12:00"), []),
        Asked("no_restarts {}", at("Monday", "07:59"), []),
        Asked("no_restarts {}", at("Monday", "08:00"), RESTARTED),
        Asked("no_restarts {}", at("Friday", "17:59"), RESTARTED),
        Asked("no_restarts {}", at("Friday", "18:00"), []),
        Asked('no_restarts { utc_offset = "+02:00" }', at("Monday", "06:00"), RESTARTED),
        Asked('no_restarts { utc_offset = "-05:30" }', at("Monday", "13:29"), []),
        Asked('no_restarts { days = ["Mon"], utc_offset = "+09:00" }', at("Sunday", "23:30"), RESTARTED),
        Asked('no_restarts { days = ["sat"], from = "22:00", to = "04:00" }', at("Sunday", "03:59"), RESTARTED),
        Asked('no_restarts { days = ["sat"], from = "22:00", to = "04:00" }', at("Saturday", "03:59"), []),
        Asked('no_restarts { days = ["Sunday"], from = "22:00", to = "04:00" }', at("Monday", "01:00"), RESTARTED),
        Asked('no_restarts { days = ["Sunday"], from = "00:00", to = "00:00" }', at("Sunday", "23:59"), RESTARTED),
        Asked('no_restarts { days = ["Sunday"], verbs = [\'reload] }', at("Sunday", "12:00"), []),
        Asked(
            'no_restarts { days = ["Sunday"], verbs = [\'reload, "run"] }',
            plan(triggers=[("db.example/service.a", "reload"), ("web1/command.b", "run"), ("web1/service.c", "restart")]),
            [("db.example/service.a", None, "It would reload, and now is Sunday, 17:03 UTC"), ("web1/command.b", None, "It would run")],
        ),
        Asked('no_restarts { days = ["Sun"], hosts = { env = "dev" } }', at("Sunday", "12:00"), []),
        Asked('no_restarts { days = ["Sun"], kinds = "command" }', at("Sunday", "12:00"), []),
    ],
    "blast_radius": [
        Asked("blast_radius {}", plan(("web1/file.a", "update")), []),
        Asked("blast_radius {}", plan(*CHANGED[:2], hosts=FLEET), []),
        Asked(
            "blast_radius {}",
            plan(*CHANGED, hosts=FLEET),
            [(None, None, "The plan changes 3 of 8 hosts, and at most 2 may change: h0, h1, h2.")],
        ),
        Asked("blast_radius { hosts = 3 }", plan(*CHANGED, hosts=FLEET), []),
        Asked("blast_radius { hosts = 2 }", plan(*CHANGED, hosts=FLEET), [(None, None, "at most 2")]),
        Asked("blast_radius { hosts = 0 }", plan(*CHANGED[:1], hosts=FLEET), [(None, None, "at most 0")]),
        Asked("blast_radius { hosts = 8, percent = 10 }", plan(*CHANGED, hosts=FLEET), [(None, None, "at most 1")]),
        Asked("blast_radius { hosts = 1, percent = 100 }", plan(*CHANGED, hosts=FLEET), [(None, None, "at most 1")]),
        Asked("blast_radius { percent = 10 }", plan(*CHANGED[:1], hosts=FLEET), []),
        Asked("blast_radius { hosts = 1 }", plan(*((name, "no-op") for name, _ in CHANGED), ("h7/file.a", "forget"), hosts=FLEET), []),
        Asked("blast_radius { hosts = 1 }", plan(("h1/file.a", "update"), ("h1/file.b", "delete"), hosts=FLEET), []),
        Asked(
            "blast_radius { hosts = 1 }",
            plan(CHANGED[0], triggers=[("h1/service.a", "restart")], hosts=FLEET),
            [(None, None, "changes 2 of 8")],
        ),
        Asked('blast_radius { hosts = 1, kinds = "package" }', plan(*CHANGED, triggers=[("h1/service.a", "restart")], hosts=FLEET), []),
        Asked(
            "blast_radius { hosts = 1 }",
            plan(*((f"h{number}/file.a", "update") for number in range(8)), hosts=FLEET),
            [(None, None, ": h0, h1, h2, h3, h4 and 3 more.")],
        ),
    ],
    "modes": [
        Asked("modes {}", stack(file(), file("/etc/sudoers"), file("/etc/sudoersx", mode="0777"), file("/a", mode="0666")), []),
        Asked("modes {}", stack(file(mode="440")), []),
        Asked("modes {}", stack(file(ensure="absent", mode=None)), []),
        Asked("modes {}", stack(file(mode="0644")), [("file.a", "mode", 'has mode "0644", and may have 0440')]),
        Asked("modes {}", stack(file("/etc/sudoers", mode=None)), [("file.a", None, "has whatever mode it has")]),
        Asked("modes {}", stack(file(mode="@{host.vars.mode}")), [("file.a", "mode", "@{host.vars.mode}")]),
        Asked("modes {}", stack(task("directory.d", path="/etc/sudoers.d", mode="0750")), []),
        Asked('modes { under = "/srv/", modes = ["0600", "0400"] }', stack(file("/srv/a", mode="0400"), file("/srvx", mode="0444")), []),
        Asked('modes { under = "/srv/", modes = "0600" }', stack(file("/srv/a/b", mode="0640")), [("file.a", "mode", "may have 0600")]),
        Asked('modes { under = "/home/*/.ssh", modes = "0600" }', stack(file("/home/ada/.ssh/id", mode="0644")), [("file.a", "mode", "")]),
        Asked('modes { under = "/home/*/.ssh", modes = "0600" }', stack(file("/home/ada/xssh/id", mode="0644")), []),
        Asked('modes { under = "/", modes = "0750", kinds = "directory" }', stack(task("directory.d", path="/d", mode="0750")), []),
    ],
    "pinned": [
        Asked("pinned {}", stack(package(version="1.2"), package(version="1.*"), package(ensure="absent"), task("file.a")), []),
        Asked("pinned {}", stack(package()), [("package.nginx", None, "nginx has no version")]),
        Asked("pinned {}", stack(package(ensure="latest")), [("package.nginx", "ensure", "always the latest")]),
        Asked("pinned { globs = false }", stack(package(version="1.2")), []),
        Asked("pinned { globs = false }", stack(package(version="1.*")), [("package.nginx", "version", "1.*")]),
        Asked('pinned { except = ["ca-*", "nginx"] }', stack(package(), package("ca-certificates")), []),
    ],
    "allowed_kinds": [
        Asked('allowed_kinds { kinds = ["file", "pack*"] }', stack(file(), package()), []),
        Asked(
            'allowed_kinds { kinds = "file" }',
            stack(file(), package()),
            [("package.nginx", None, "It is a package, and allowed are: file")],
        ),
    ],
    "allowed_hosts": [
        Asked('allowed_hosts { hosts = "web*" }', stack(task("file.a", ["web1", "web2"]), task("file.b", [])), []),
        Asked(
            'allowed_hosts { hosts = ["web1"] }', stack(task("file.a", ["web1", "web2"])), [("file.a", "on", "It is on web2, and allowed")]
        ),
        Asked('allowed_hosts { hosts = { env = "prod" } }', stack(task("file.a", ["web1"])), []),
        Asked(
            'allowed_hosts { hosts = { env = "prod" } }',
            stack(task("file.a", ["web1", "web2", "db.example"])),
            [("file.a", "on", "It is on web2 and 1 more, and allowed are: env=prod")],
        ),
        Asked('allowed_hosts { hosts = "web1", kinds = "package" }', stack(task("file.a", ["web2"])), []),
    ],
    "no_plaintext_secrets": [
        *(Asked("no_plaintext_secrets {}", text(harmless), []) for harmless in HARMLESS),
        *(Asked("no_plaintext_secrets {}", text(f"a\n{secret}\n"), [(*TOKEN[0][:2], what)]) for what, secret in SECRETS.items()),
        Asked("no_plaintext_secrets {}", text("user = a\npassword = hunter2\n"), TOKEN),
        Asked("no_plaintext_secrets {}", text("export DB_PASSWORD='hunter2'\n"), TOKEN),
        Asked("no_plaintext_secrets {}", text('{"api-key": "hunter2"}'), TOKEN),
        Asked("no_plaintext_secrets {}", text("host=db1 user=app password=hunter2"), TOKEN),
        Asked("no_plaintext_secrets {}", text("password=$A\nother_password=hunter2\n"), TOKEN),
        Asked(
            "no_plaintext_secrets {}",
            stack(task("command.a", env={"DB_PASSWORD": "hunter2", "DB_HOST": "db1"}, argv=["a", "--token=hunter2"])),
            [("command.a", ["argv", 1], "a password or token"), ("command.a", ["env", "DB_PASSWORD"], "a db_password")],
        ),
        Asked(
            "no_plaintext_secrets {}",
            stack(vars={"db": {"password": "hunter2"}}, hosts={"web1": {"labels": {}, "vars": {"token": "hunter2"}}}, outputs={"a": ["x"]}),
            [(None, ["vars", "db", "password"], "a password"), (None, ["hosts", "web1", "vars", "token"], "a token")],
        ),
        Asked("no_plaintext_secrets {}", stack(vars={"password": "@{secret.db}", "token_file": "x", "keys": ["hunter2"]}), []),
        Asked("no_plaintext_secrets {}", text("(sensitive)"), [("file.a", ["content"], "a sensitive value")]),
        Asked("no_plaintext_secrets {}", text("(sensitive)@{secret.a}(sensitive)", password_hash="(sensitive)"), []),
        Asked("no_plaintext_secrets { sensitive = false }", text("(sensitive)"), []),
        Asked('no_plaintext_secrets { except = ["cont*"] }', text("password = hunter2"), []),
        Asked('no_plaintext_secrets { forms.ours = "SHOP-[0-9]{4}" }', text("SHOP-1234"), [("file.a", ["content"], "looks like ours")]),
    ],
}
LISTED = [(name, case) for name, cases in CASES.items() for case in cases]


def answers(prober):
    """What each policy of LISTED finds: one evaluation."""
    inputs = [case.input if "plan" in case.input else {"stack": case.input, "plan": None} for _, case in LISTED]
    path = prober.child.write("inputs.json", json.dumps(inputs).encode())
    asked = ",\n".join(
        f"Engine.run {{ policies.p = Policy.{case.policy} }} (std.array.at {index} all)" for index, (_, case) in enumerate(LISTED)
    )
    lets = f'let Engine = import "policy/engine.ncl" in let Policy = import "policy/all.ncl" in let all = import {string(path)} in'
    return [found[0] for found in prober.evaluate(f"{lets}\n[\n{asked}\n]")]


@pytest.fixture(scope="module")
def found(prober):
    return answers(prober)


@pytest.mark.parametrize("index", range(len(LISTED)), ids=[f"{name}-{number}" for number, (name, _) in enumerate(LISTED)])
def test_a_policy_finds_what_it_is_to_find(found, index):
    case = LISTED[index][1]
    violations = found[index]["violations"]
    told = [(one.get("task"), one.get("field")) for one in violations]
    assert sorted(told, key=str) == sorted(((task, field) for task, field, _ in case.found), key=str), violations
    for wanted_task, field, part in case.found:
        assert any(part in one["message"] for one in violations if (one.get("task"), one.get("field")) == (wanted_task, field)), violations


def test_every_policy_is_tested_both_ways_and_says_what_it_wants(prober, found):
    names = prober.evaluate('std.record.fields (import "policy/all.ncl")')
    assert sorted(CASES) == names
    for name, cases in CASES.items():
        assert any(case.found for case in cases), name
        assert any(not case.found for case in cases), name
    assert all(answer["doc"] for answer in found)


def test_no_message_repeats_a_secret(found):
    secrets = [*SECRETS.values(), "hunter2", "geheim"]
    assert not [one for answer in found for one in answer["violations"] if any(secret.strip() in one["message"] for secret in secrets)]


def test_every_form_of_a_secret_is_tested():
    forms = re.findall(r'^  "(an? [^"]+)" = ', (CONTRACTS / "policy" / "secrets.ncl").read_text("utf-8"), re.MULTILINE)
    assert set(forms) == set(SECRETS)


@pytest.mark.skipif(NICKEL is None, reason="no nickel command: G8R_TEST_NICKEL names one")
def test_the_nickel_command_finds_the_same(found, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", NICKEL)
    command = Prober()
    assert answers(command) == found
    command.child.close()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("no_deletes { kindss = [] }", "extra field `kindss`"),
        ("no_deletes { kinds = 3 }", "expected a name or glob, or a list of them, got 3"),
        ("allowed_kinds {}", "missing definition for `kinds`"),
        ("allowed_hosts {}", "missing definition for `hosts`"),
        ("allowed_hosts { hosts = { env = 3 } }", "expected hosts: a name or glob"),
        ('no_restarts { days = ["someday"] }', 'expected a day of the week such as Mon or Monday, got "someday"'),
        ('no_restarts { from = "8" }', 'expected a time of the day such as 03:30, got "8"'),
        ('no_restarts { utc_offset = "CET" }', 'expected an offset from UTC such as +02:00, got "CET"'),
        ("no_restarts { verbs = ['stop] }", "expected one of restart, reload, run, got 'stop"),
        ("blast_radius { percent = 0 }", "expected a part in percent (1-100), got 0"),
        ("blast_radius { hosts = -1 }", "expected a whole number, zero or more, got -1"),
        ('modes { modes = "rw" }', "expected an octal mode in quotes"),
        ('modes { under = "etc" }', 'expected an absolute path, got "etc"'),
    ],
)
def test_a_setting_that_is_wrong_is_told(prober, policy, message):
    answer = prober.child.evaluate(f'let Policy = import "policy/all.ncl" in std.seq (Policy.{policy}) null')
    assert isinstance(answer, Reported), answer
    assert message in re.sub(r"\x1b\[[0-9;]*m", "", answer.report)
