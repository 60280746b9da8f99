"""The kind `directory`: its cases, its claims, what is refused at compile time, and what is never removed."""

from __future__ import annotations

import laws
import pytest
from case import Case
from cases.directory import CASES

from g8r.change import ABSENT, Blocked, Change, Failed
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost
from g8r.module import Ahead, Wanted, Work
from g8r.modules.directory import Directory, DirectoryParams, DirectoryState

DIRECTORY = Directory()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def test_claims() -> None:
    params = DirectoryParams(path="/srv//app/", owner="deploy", group="www")
    assert DIRECTORY.identity(params) == "/srv/app"
    assert DIRECTORY.claims(params) == Claims(("path:/srv/app",), ("path:/srv", "user:deploy", "group:www"))
    assert DIRECTORY.claims(DirectoryParams(path="/srv/app", ensure="absent")) == Claims(("path:/srv/app",), ("path:/srv",), removes=True)


@pytest.mark.parametrize(
    ("params", "param", "summary"),
    [
        ({"recurse": True}, "recurse", "nothing to set"),
        ({"file_mode": "0644"}, "file_mode", "without recurse"),
        ({"path": "//", "ensure": "absent"}, "path", "cannot be absent"),
    ],
)
def test_params_that_contradict_each_other(params: dict[str, object], param: str, summary: str) -> None:
    (problem,) = DIRECTORY.validate(DirectoryParams(**{"path": "/srv/x", **params}), frozenset())
    assert problem.param == param
    assert summary in problem.summary


def test_what_deviates_below_is_named_in_the_plan() -> None:
    host = FakeHost.debian()
    host.place("/srv/app/deep/x y", "x", mode=0o600, owner="mail", group="adm")
    host.place_link("/srv/app/link", "/etc/shadow", owner="mail")
    params = DirectoryParams(path="/srv/app", owner="root", group="root", mode="0755", recurse=True)
    (before,) = DIRECTORY.read([Wanted(params)], host)
    assert isinstance(before, DirectoryState)
    assert before.deviating == ("0600 mail:adm deep/x y",)
    verdict = DIRECTORY.diff(params, before, Ahead())
    assert isinstance(verdict, Change)
    assert isinstance(verdict.after, DirectoryState)
    assert verdict.after.deviating == ()


def made_and_filled(params: DirectoryParams) -> tuple[FakeHost, Work[DirectoryParams, DirectoryState]]:
    host = FakeHost.debian()
    host.place("/srv/app/precious", "x")
    (state,) = DIRECTORY.read([Wanted(params)], host)
    assert isinstance(state, DirectoryState)
    undo = DIRECTORY.remove(params, state)
    assert isinstance(undo, Change)
    return host, Work(params, undo)


def test_a_created_directory_that_is_not_empty_is_not_removed() -> None:
    host, work = made_and_filled(DirectoryParams(path="/srv/app"))
    (result,) = DIRECTORY.apply([work], host)
    assert isinstance(result, Failed)
    assert "/srv/app is not empty (precious)" in result.reason
    assert host.stat("/srv/app/precious")


def test_a_created_directory_that_is_not_empty_is_removed_by_force() -> None:
    host, work = made_and_filled(DirectoryParams(path="/srv/app", force=True))
    list(DIRECTORY.apply([work], host))
    assert host.stat("/srv/app") is None


def test_what_took_the_place_of_a_created_directory_is_not_removed() -> None:
    now = DirectoryState(path="/srv/x", type="file", mode="0644", owner="root", group="root")
    assert isinstance(DIRECTORY.remove(DirectoryParams(path="/srv/x"), now), Blocked)


def test_a_directory_that_was_full_cannot_be_restored() -> None:
    was = DirectoryState(path="/srv/x", mode="0755", owner="root", group="root", entries=3)
    verdict = DIRECTORY.restore(DirectoryParams(path="/srv/x", ensure="absent", force=True), ABSENT, was)
    assert isinstance(verdict, Blocked)
    assert "held 3 entries" in verdict.reason
