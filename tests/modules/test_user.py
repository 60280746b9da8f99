"""The kind `user`: its cases, its claims, and what is refused at compile time."""

from __future__ import annotations

from typing import Any

import laws
import msgspec
import pytest
from case import Case
from cases.user import CASES, HASH, ada

from g8r.change import ABSENT, Absent, Blocked
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost
from g8r.module import Wanted
from g8r.modules.user import User, UserParams, UserState

USER = User()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def read(host: FakeHost, **more: Any) -> UserState:
    (state,) = USER.read([Wanted(UserParams(name="ada", **more))], host)
    assert isinstance(state, UserState)
    return state


def test_a_user_brings_its_group_and_its_home() -> None:
    provides = ("user:ada", "group:ada", "path:/home/ada")
    assert USER.claims(UserParams(name="ada")) == Claims(provides, locks=("lock:passwd",))
    assert USER.claims(UserParams(name="ada", ensure="absent")) == Claims(provides, locks=("lock:passwd",), removes=True)


def test_a_user_requires_the_groups_that_it_names() -> None:
    params = UserParams(name="ada", group="ada", groups=("sudo", "27"), create_home=False)
    assert USER.claims(params) == Claims(("user:ada",), ("group:ada", "group:sudo"), ("lock:passwd",))
    assert USER.claims(UserParams(name="ada", system=True)).provides == ("user:ada", "group:ada")


def test_a_state_holds_no_password_hash() -> None:
    host = FakeHost.debian()
    ada()(host)
    assert HASH not in str(read(host, password=HASH))
    assert read(host, password=HASH).password is not None
    assert read(host).password is None


def test_the_shadow_file_is_read_once_for_all() -> None:
    host = FakeHost.debian()
    USER.read([Wanted(UserParams(name=name)) for name in ("root", "daemon", "bin")], host)
    assert [call for call in host.calls if call == ("read", "/etc/shadow")] == [("read", "/etc/shadow")]


def test_a_password_that_was_replaced_cannot_be_restored() -> None:
    host = FakeHost.debian()
    ada()(host)
    before = read(host, password=HASH)
    other = msgspec.structs.replace(before, password="sha256:other")
    verdict = USER.restore(UserParams(name="ada"), before, other)
    assert isinstance(verdict, Blocked)
    assert "not kept" in verdict.reason
    assert isinstance(USER.restore(UserParams(name="ada"), Absent(), before), Blocked)


def test_a_group_that_the_task_named_outlives_the_user() -> None:
    host = FakeHost.debian()
    ada()(host)
    params = UserParams(name="ada", group="ada")
    task = laws.Task(Case(kind="user", name="x", params={"name": "ada", "group": "ada"}, verdict="delete"))
    change = USER.remove(params, read(host))
    task.apply(change, host)
    assert USER.read([Wanted(params)], host) == [ABSENT]
    assert host.groups()["ada"].members == ()


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"name": "1000"}, "name"),
        ({"name": "ada", "groups_only": True}, "groups_only"),
        ({"name": "ada", "locked": False}, "locked"),
    ],
)
def test_params_that_contradict_each_other(params: dict[str, Any], param: str) -> None:
    (problem,) = USER.validate(UserParams(**params), frozenset())
    assert problem.param == param
    assert problem.detail


@pytest.mark.parametrize(
    "params",
    [{"password": "hunter2"}, {"password": "$6$a:b"}, {"comment": "a:b"}, {"expires": "2030-1-2"}, {"uid": -1}, {"shell": "bash"}],
)
def test_values_that_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert({"name": "ada", **params}, UserParams)
    assert "hunter2" not in str(error.value)
