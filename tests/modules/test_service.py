"""The kind `service`: its cases, its triggers, and what is refused at compile time."""

from __future__ import annotations

from typing import Any

import laws
import pytest
from case import Case
from cases.service import CASES, LIB, UNIT, unit

from g8r.change import ABSENT, Applied, Change, Failed, NoChange
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost
from g8r.executor.fake_programs import systemd
from g8r.module import Wanted
from g8r.modules.service import Service, ServiceParams, ServiceState

SERVICE = Service()
APP = ServiceParams(name="app")
RELOADS = UNIT.replace("[Install]", "ExecReload=/bin/kill -HUP $MAINPID\n[Install]")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def app(content: str = UNIT, *, running: bool = True) -> FakeHost:
    host = FakeHost.debian()
    unit(content, running=running)(host)
    return host


def runtime(host: FakeHost) -> systemd.Runtime:
    return systemd.runtimes(host).get("app.service", systemd.Runtime())


def state(**more: Any) -> ServiceState:
    return ServiceState(**{"unit": "app.service", "running": False, "enabled": False, "masked": False, **more})


def test_one_call_reads_fifty_units() -> None:
    host = app()
    states = SERVICE.read([Wanted(ServiceParams(name=f"x{number}")) for number in range(49)] + [Wanted(APP)], host)
    assert states == [ABSENT] * 49 + [state(running=True)]
    assert len([call for call in host.calls if call[0] == "run"]) == 1


def test_reload_reloads() -> None:
    host = app(RELOADS)
    assert SERVICE.trigger("reload", APP, host) == Applied()
    assert (runtime(host).starts, runtime(host).reloads) == (1, 1)


def test_reload_restarts_what_cannot_reload() -> None:
    host = app()
    assert SERVICE.trigger("reload", APP, host) == Applied()
    assert (runtime(host).starts, runtime(host).reloads) == (2, 0)


def test_restart_restarts() -> None:
    host = app(RELOADS)
    assert SERVICE.trigger("restart", APP, host) == Applied()
    assert runtime(host).starts == 2


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_a_trigger_leaves_alone_what_does_not_run(verb: str) -> None:
    host = app(running=False)
    assert SERVICE.trigger(verb, APP, host) == Applied()
    assert runtime(host).starts == 0


def test_a_restart_reads_an_edited_unit_file_and_tells_when_it_fails_then() -> None:
    host = app()
    host.place(LIB, UNIT.replace("/usr/bin/app", "/bin/false"))
    failure = SERVICE.trigger("restart", APP, host)
    assert ("run", ("systemctl", "daemon-reload")) in host.calls
    assert isinstance(failure, Failed)
    assert "is failed now (exit-code); its journal ends: " in failure.reason


def test_a_reload_that_fails() -> None:
    host = app(RELOADS.replace("/bin/kill -HUP $MAINPID", "/bin/false"))
    failure = SERVICE.trigger("reload", APP, host)
    assert isinstance(failure, Failed)
    assert "Job for app.service failed" in failure.reason


def test_a_start_in_the_same_change_makes_reload_and_restart_needless() -> None:
    started = Change("update", state(), state(running=True))
    for verb in ("reload", "restart"):
        assert SERVICE.satisfies(started, verb)
        assert SERVICE.satisfies(Change("create", ABSENT, state(running=True)), verb)
        assert not SERVICE.satisfies(Change("create", ABSENT, state(running=True), ("running",)), verb)
        assert not SERVICE.satisfies(Change("update", state(running=True), state(running=True, enabled=True)), verb)
        assert not SERVICE.satisfies(Change("update", state(running=True), state()), verb)


def test_destroying_stops_and_disables() -> None:
    before = state(running=True, enabled=True)
    assert SERVICE.remove(APP, before) == Change("update", before, state())
    assert SERVICE.remove(APP, state(running=True, enabled=None)) == Change(
        "update", state(running=True, enabled=None), state(enabled=None)
    )
    assert SERVICE.remove(APP, state()) == NoChange()


def test_identity_claims_and_outputs() -> None:
    assert SERVICE.identity(APP) == "app.service"
    assert SERVICE.identity(ServiceParams(name="apt-daily.timer")) == "apt-daily.timer"
    assert SERVICE.identity(ServiceParams(name="getty@tty1")) == "getty@tty1.service"
    assert SERVICE.claims(APP) == Claims(("service:app.service",), ("unit:app.service",))
    outputs = SERVICE.outputs(ServiceParams(name="app", port=80), state(running=True))
    assert outputs == {"unit": "app.service", "running": True, "enabled": False, "port": 80}


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"name": "getty@"}, "name"),
        ({"name": "app", "masked": True, "running": True}, "running"),
        ({"name": "app", "masked": True, "enabled": True}, "enabled"),
    ],
)
def test_params_that_contradict_each_other(params: dict[str, Any], param: str) -> None:
    (problem,) = SERVICE.validate(ServiceParams(**params), frozenset())
    assert problem.param == param
    assert problem.detail
