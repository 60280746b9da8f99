"""The kind `file`: its cases, its claims, and what is refused at compile time."""

from __future__ import annotations

import laws
import pytest
from case import Case
from cases.file import CASES

from g8r.change import ABSENT, Applied, Blocked, Change, Failed
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost
from g8r.module import Ahead, Wanted, Work
from g8r.modules.file import File, FileParams
from g8r.modules.support.files import FileState

FILE = File()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def test_identity_is_the_normal_path() -> None:
    assert FILE.identity(FileParams(path="/etc//x/../motd")) == "/etc/motd"


def test_claims() -> None:
    params = FileParams(path="/etc/app//x.conf", content="x", owner="deploy", group="1000")
    assert FILE.claims(params) == Claims(("path:/etc/app/x.conf", "content:/etc/app/x.conf"), ("path:/etc/app", "user:deploy"))
    assert FILE.claims(FileParams(path="/x")) == Claims(("path:/x",))
    assert FILE.claims(FileParams(path="/a/x", ensure="absent")) == Claims(("path:/a/x",), ("path:/a",), removes=True)


@pytest.mark.parametrize(
    ("params", "param", "summary"),
    [
        ({"content": "x", "source": "y"}, "source", "exclude each other"),
        ({"content": "x", "ensure": "absent"}, "content", "shall be absent"),
        ({"validate": ("visudo", "-c")}, "validate", "where the file goes"),
        ({"path": "/a/.."}, "path", "no file"),
    ],
)
def test_params_that_contradict_each_other(params: dict[str, object], param: str, summary: str) -> None:
    (problem,) = FILE.validate(FileParams(**{"path": "/srv/x", **params}), frozenset())
    assert problem.param == param
    assert summary in problem.summary
    assert problem.detail


def test_params_that_do_not() -> None:
    assert not FILE.validate(FileParams(path="/srv/x", content="x", validate=("check", "--file={}")), frozenset())


def test_a_batch_gives_one_result_each_though_one_fails() -> None:
    host = FakeHost.debian()
    wanted = [FileParams(path=path, content="x") for path in ("/srv/a", "/nowhere/b", "/srv/c")]
    verdicts = [FILE.diff(params, ABSENT, Ahead()) for params in wanted]
    work = [Work(params, change) for params, change in zip(wanted, verdicts, strict=True) if isinstance(change, Change)]
    results = list(FILE.apply(work, host))
    assert [type(result) for result in results] == [Applied, Failed, Applied]
    assert "/nowhere does not exist" in results[1].reason  # type: ignore[union-attr]


def test_a_file_that_was_not_kept_cannot_be_restored() -> None:
    was = FileState(path="/srv/x", mode="0644", owner="root", group="root", checksum="sha256:0", size=3)
    now = FileState(path="/srv/x", mode="0644", owner="root", group="root", checksum="sha256:1", size=1, content="y")
    verdict = FILE.restore(FileParams(path="/srv/x", content="y"), now, was)
    assert isinstance(verdict, Blocked)
    assert "256 KiB" in verdict.reason
    attributes = FileState(path="/srv/x", mode="0600", owner="root", group="root", checksum="sha256:0", size=3)
    assert isinstance(FILE.restore(FileParams(path="/srv/x"), attributes, was), Change)


def test_sensitive_content_is_not_restored_from_its_mask() -> None:
    was = FileState(path="/srv/x", mode="0644", owner="root", group="root", checksum="b2:1", size=3, content="b2:2")
    verdict = FILE.restore(FileParams(path="/srv/x", content="y"), ABSENT, was)
    assert isinstance(verdict, Blocked)
    assert "sensitive" in verdict.reason


def test_what_took_the_place_of_a_created_file_is_not_removed() -> None:
    now = FileState(path="/srv/x", type="directory", mode="0755", owner="root", group="root")
    verdict = FILE.remove(FileParams(path="/srv/x"), now)
    assert isinstance(verdict, Blocked)
    assert "a directory is there now" in verdict.reason


def test_outputs_are_copied_from_the_state() -> None:
    host = FakeHost.debian(files={"/srv/x": "abc"})
    params = FileParams(path="/srv/x", content="abc")
    (state,) = FILE.read([Wanted(params)], host)
    assert isinstance(state, FileState)
    outputs = FILE.outputs(params, state)
    assert outputs["path"] == "/srv/x"
    assert outputs["size"] == 3
    assert str(outputs["checksum"]).startswith("sha256:")
    assert "content" not in outputs
