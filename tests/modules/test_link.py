"""The kind `link`: its cases, its claims, and what is refused at compile time."""

from __future__ import annotations

import laws
import msgspec
import pytest
from case import Case
from cases.link import CASES

from g8r.change import ABSENT, Blocked
from g8r.claim import Claims
from g8r.modules.link import Link, LinkParams, LinkState

LINK = Link()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def test_claims() -> None:
    params = LinkParams(path="/srv//app", target="x", owner="deploy")
    assert LINK.identity(params) == "/srv/app"
    assert LINK.claims(params) == Claims(("path:/srv/app",), ("path:/srv", "user:deploy"))
    assert LINK.claims(LinkParams(path="/srv/app", ensure="absent")).removes


def test_a_link_needs_a_target() -> None:
    (problem,) = LINK.validate(LinkParams(path="/srv/x"), frozenset())
    assert problem.param == "target"
    assert not LINK.validate(LinkParams(path="/srv/x", ensure="absent"), frozenset())
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "/srv/x", "target": ""}, LinkParams)


def test_what_was_no_link_is_neither_removed_nor_restored() -> None:
    file = LinkState(path="/srv/x", type="file", target=None, owner="root", group="root")
    params = LinkParams(path="/srv/x", target="y", force=True)
    assert isinstance(LINK.remove(params, file), Blocked)
    assert isinstance(LINK.restore(params, ABSENT, file), Blocked)
