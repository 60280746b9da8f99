"""The kind `line`: its cases, its claims, what is refused at compile time, and lines that share a file."""

from __future__ import annotations

import laws
import pytest
from case import Case
from cases.line import CASES
from hypothesis import given
from hypothesis import strategies as st

from g8r.change import ABSENT, Applied, Change, NoChange
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost
from g8r.module import Ahead, Wanted, Work
from g8r.modules.line import Line, LineParams, LineState

LINE = Line()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def test_claims() -> None:
    params = LineParams(path="/etc//hosts", line="::1 me", regex="^::1 ")
    assert LINE.identity(params) == "/etc/hosts#^::1 "
    assert LINE.claims(params) == Claims(
        provides=("line:/etc/hosts#^::1 ",), requires=("path:/etc/hosts",), locks=("lock:/etc/hosts",), excludes=("content:/etc/hosts",)
    )
    assert LINE.identity(LineParams(path="/etc/hosts", line="::1 me")) == "/etc/hosts#::1 me"


def test_a_file_that_need_not_be_there_is_followed_not_required() -> None:
    created = LINE.claims(LineParams(path="/etc/app/x", line="x", create=True))
    assert (created.requires, created.follows) == (("path:/etc/app",), ("path:/etc/app/x",))
    absent = LINE.claims(LineParams(path="/etc/app/x", line="x", ensure="absent"))
    assert (absent.requires, absent.follows, absent.removes) == ((), ("path:/etc/app/x",), False)


@pytest.mark.parametrize(
    ("params", "param", "summary"),
    [
        ({}, "line", "needs its line"),
        ({"ensure": "absent"}, "line", "needs line or regex"),
        ({"line": "a\nb"}, "line", "more than one line"),
        ({"line": ""}, "regex", "does not tell which line"),
        ({"line": "p", "regex": "^#p"}, "regex", "does not match line"),
        ({"line": "p", "regex": "("}, "regex", "no regular expression"),
        ({"line": "p", "after": "a", "before": "b"}, "before", "exclude each other"),
        ({"line": "p", "validate": ("x",)}, "validate", "where the file goes"),
    ],
)
def test_params_that_contradict_each_other(params: dict[str, object], param: str, summary: str) -> None:
    (problem,) = LINE.validate(LineParams(**{"path": "/srv/x", **params}), frozenset())
    assert problem.param == param
    assert summary in problem.summary
    assert problem.detail


def test_params_that_do_not() -> None:
    assert not LINE.validate(LineParams(path="/srv/x", line="", regex="^x"), frozenset())
    assert not LINE.validate(LineParams(path="/srv/x", regex="^x", ensure="absent"), frozenset())


def test_a_step_on_one_line_does_not_make_the_next_one_stale() -> None:
    host = FakeHost.debian(files={"/srv/x": "a=1\nb=1\n"})
    wanted = [LineParams(path="/srv/x", line=f"{name}=2", regex=f"^{name}=") for name in "abc"]
    states = list(LINE.read([Wanted(params) for params in wanted], host))
    verdicts = [LINE.diff(params, state, Ahead()) for params, state in zip(wanted, states, strict=True)]  # type: ignore[arg-type]
    for params, state, verdict in zip(wanted, states, verdicts, strict=True):
        assert list(LINE.read([Wanted(params)], host)) == [state]
        assert isinstance(verdict, Change)
        assert [type(result) for result in LINE.apply([Work(params, verdict)], host)] == [Applied]
    assert host.read("/srv/x") == b"a=2\nb=2\nc=2\n"


def test_a_file_is_read_once_for_all_its_lines() -> None:
    host = FakeHost.debian(files={"/srv/x": "a\n"})
    LINE.read([Wanted(LineParams(path="/srv/x", line=str(number))) for number in range(50)], host)
    assert [call for call in host.calls if call[0] == "read"] == [("read", "/srv/x")]


def test_only_the_line_that_was_created_is_removed() -> None:
    host = FakeHost.debian(files={"/srv/x": "x=1\nx=2\ny\nx=1\n"})
    params = LineParams(path="/srv/x", line="x=2", regex="^x=")
    (state,) = LINE.read([Wanted(params)], host)
    assert isinstance(state, LineState)
    undo = LINE.remove(params, state)
    assert isinstance(undo, Change)
    list(LINE.apply([Work(params, undo)], host))
    assert host.read("/srv/x") == b"x=1\ny\nx=1\n"
    assert list(LINE.read([Wanted(params)], host)) == [undo.after]
    assert isinstance(LINE.remove(params, undo.after), NoChange)  # type: ignore[arg-type]


def test_a_created_line_that_was_sealed_is_removed() -> None:
    host = FakeHost.debian(files={"/srv/x": "x=1\nx=secret\ny\n"})
    params = LineParams(path="/srv/x", line="", regex="^x=")  # as the engine has it when the task is gone
    (state,) = LINE.read([Wanted(params)], host)
    assert isinstance(state, LineState)
    undo = LINE.remove(params, state)
    assert isinstance(undo, Change)
    list(LINE.apply([Work(params, undo)], host))
    assert host.read("/srv/x") == b"x=1\ny\n"


def test_a_file_that_create_made_stays_if_others_use_it() -> None:
    host = FakeHost.debian()
    params = LineParams(path="/srv/x", line="mine", create=True)
    verdict = LINE.diff(params, ABSENT, Ahead())
    assert isinstance(verdict, Change)
    (applied,) = LINE.apply([Work(params, verdict)], host)
    assert applied == Applied(pulled_in=("/srv/x",))
    host.place("/srv/x", "mine\ntheirs\n")
    list(LINE.apply([Work(params, Change("delete", verdict.after, ABSENT), ("/srv/x",))], host))
    assert host.read("/srv/x") == b"theirs\n"


RAW = st.lists(st.sampled_from([b"a", b"b", b"x=1", b"x=2", b"\xff", b"", b"\r"])).map(b"\n".join) | st.binary(max_size=40)
PARAMS = st.sampled_from(
    [
        {"line": "x=3", "regex": "^x="},
        {"line": "x=3", "regex": "^x=", "ensure": "absent"},
        {"line": "new"},
        {"line": "new", "after": "^x"},
        {"line": "new", "before": "^"},
        {"line": "a", "ensure": "absent"},
        {"regex": "", "ensure": "absent"},
    ]
)


@given(raw=RAW, params=PARAMS, more=st.booleans())
def test_whatever_the_file_holds_it_converges_and_the_rest_stays(raw: bytes, params: dict[str, str], more: bool) -> None:
    content = raw + b"\n" if more else raw
    host = FakeHost()
    host.place("/srv/x", content)
    line = LineParams(path="/srv/x", **params)
    (before,) = LINE.read([Wanted(line)], host)
    verdict = LINE.diff(line, before, Ahead())  # type: ignore[arg-type]
    if isinstance(verdict, NoChange):
        return
    assert isinstance(verdict, Change)
    list(LINE.apply([Work(line, verdict)], host))
    assert list(LINE.read([Wanted(line)], host)) == [verdict.after]
    mine = {b"x=3", b"new", b"a", b"x=1", b"x=2"}
    if params.get("regex") != "":
        rest = [[part.rstrip(b"\r") for part in text.split(b"\n")] for text in (content, host.read("/srv/x"))]
        kept = [[part for part in parts if part and part not in mine] for parts in rest]
        assert kept[0] == kept[1]
