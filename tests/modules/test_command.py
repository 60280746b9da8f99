"""The kind `command`: its cases, its trigger, and what is refused at compile time."""

from __future__ import annotations

from typing import Any

import laws
import pytest
from case import Case
from cases.command import CASES, complainer

from g8r.change import Absent, Applied, Change, Failed, NoChange
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost, Invocation, Program
from g8r.host import Ran
from g8r.module import Ahead, Wanted, Work
from g8r.modules.command import Command, CommandParams, CommandState

COMMAND = Command()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def params(**more: Any) -> CommandParams:
    return CommandParams(**{"name": "c", "argv": ("touch", "/srv/x"), **more})


def verdict(given: CommandParams, recorded: CommandState | None, host: FakeHost) -> Any:
    (before,) = COMMAND.read([Wanted(given, recorded)], host)
    return COMMAND.diff(given, before, Ahead())  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"creates": "/x"}, {"unless": ("true",)}, {"only_if": ("true",)}, {"run": "once"}, {"run": "always"}])
def test_something_must_say_when_it_is_due(given: dict[str, Any]) -> None:
    (problem,) = COMMAND.validate(params(), frozenset())
    assert problem.summary == "nothing says when this command is due"
    assert "run_on" in problem.detail
    assert list(COMMAND.validate(params(**given), frozenset())) == []
    assert list(COMMAND.validate(params(), frozenset({"run_on"}))) == []


@pytest.mark.parametrize("guard", [{"creates": "/x"}, {"unless": ("true",)}])
def test_run_goes_with_only_if_alone(guard: dict[str, Any]) -> None:
    (problem,) = COMMAND.validate(params(run="once", **guard), frozenset())
    assert problem.param == "run"
    assert list(COMMAND.validate(params(run="once", only_if=("true",)), frozenset())) == []


def test_once_is_over_when_the_ledger_says_so() -> None:
    host = FakeHost.debian()
    once = params(run="once")
    assert isinstance(verdict(once, None, host), Change)
    (result,) = COMMAND.apply([Work(once, verdict(once, None, host))], host)
    assert isinstance(result, Applied)
    assert result.state == CommandState(done=True, exit_code=0, stdout="")
    assert verdict(once, result.state, host) == NoChange()
    assert verdict(params(run="once", argv=("touch", "/srv/y")), result.state, host) == NoChange()


def test_always_is_never_over() -> None:
    host = FakeHost.debian()
    always = params(run="always")
    (result,) = COMMAND.apply([Work(always, verdict(always, None, host))], host)
    assert isinstance(result, Applied)
    assert isinstance(verdict(always, result.state, host), Change)


def test_what_a_guarded_command_printed_stays_known() -> None:
    host = FakeHost.debian(files={"/srv/x": ""})
    (state,) = COMMAND.read([Wanted(params(creates="/srv/x"), CommandState(done=True, exit_code=0, stdout="42"))], host)
    assert state == CommandState(done=True, exit_code=0, stdout="42")
    assert COMMAND.outputs(params(), state) == {"exit_code": 0, "stdout": "42"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"creates": "/x"}, True), ({"unless": ("true",)}, True), ({"run": "once"}, False), ({"run": "always"}, False), ({}, False)],
)
def test_only_what_can_be_read_again_may_be_run_again(given: dict[str, Any], *, expected: bool) -> None:
    assert COMMAND.idempotent(params(**given)) is expected


def test_a_trigger_runs_it_whatever_the_guards_say() -> None:
    host = FakeHost.debian(files={"/srv/x": ""})
    result = COMMAND.trigger("run", params(argv=("echo", "ran"), creates="/srv/x"), host)
    assert result == Applied(CommandState(done=True, exit_code=0, stdout="ran"))


def test_a_trigger_does_not_repeat_secrets() -> None:
    host = FakeHost.debian()
    complainer(host)
    failure = COMMAND.trigger("run", params(argv=("complain",), stdin="hunter2"), host)
    assert isinstance(failure, Failed)
    assert "hunter2" not in str(failure)


def test_a_run_in_the_same_change_makes_the_trigger_needless() -> None:
    change = Change("run", CommandState(done=False), CommandState(done=True))
    assert COMMAND.satisfies(change, "run")


def test_output_is_bounded_and_loses_its_last_newline() -> None:
    host = FakeHost.debian()
    host.programs["chatter"] = Program(lambda _host, _call: Ran(0, b"x" * 100_000 + b"\n", b""))
    result = COMMAND.trigger("run", params(argv=("chatter",)), host)
    assert isinstance(result, Applied)
    assert result.state is not None
    assert len(result.state.stdout) == 65536
    assert COMMAND.trigger("run", params(argv=("echo", "a")), host) == Applied(CommandState(done=True, exit_code=0, stdout="a"))


def test_a_failure_says_what_the_program_said() -> None:
    def moan(_host: FakeHost, _call: Invocation) -> Ran:
        return Ran(4, b"out\n", b"first\nno good\n")

    host = FakeHost.debian()
    host.programs["moan"] = Program(moan)
    (failure,) = COMMAND.apply([Work(params(argv=("moan",), run="once"), Change("run", Absent(), CommandState(done=True)))], host)
    assert failure == Failed("moan failed with exit code 4: no good", "out\nfirst\nno good\n")


def test_claims() -> None:
    assert COMMAND.claims(params()) == Claims()
    assert COMMAND.claims(params(creates="/opt//app", cwd="/srv/src")) == Claims(
        ("path:/opt/app",), ("path:/srv/src",), follows=("path:/opt",)
    )
    assert COMMAND.identity(params()) == "c"
