from __future__ import annotations

import pytest
from tiny_kinds import at, good, task

from g8r.compiler.selection import select
from g8r.diagnostics import RejectedError
from g8r.selector import Labels, Requirement
from g8r.stack import HostEntry

WEB = Labels((Requirement("role", ("web",)),))
FLEET = good(
    task("thing.base"),
    task("thing.app", needs=("thing.base",)),
    task("file.conf", {"path": "/conf"}, needs=("thing.app",)),
    task("service.app", on=WEB, triggers={"reload_on": ("file.conf",)}),
    hosts={"web1": HostEntry(labels={"role": "web"}), "web2": HostEntry(labels={"role": "web"}), "db1": HostEntry()},
)


def chosen(**more):
    return select(FLEET.graph, FLEET.hosts, **more)


def kept(**more):
    return sorted(str(address) for address in chosen(**more).kept)


def test_without_flags_everything_is_kept() -> None:
    found = chosen()
    assert found.kept == frozenset(FLEET.graph.tasks)
    assert found.complete
    assert found.covers(at("gone/file.x"))


def test_a_target_brings_what_it_needs() -> None:
    assert kept(target=["web1/thing.app"]) == ["web1/thing.app", "web1/thing.base"]
    assert kept(target=["service.app"]) == ["web1/service.app", "web2/service.app"]
    assert not chosen(target=["*"]).complete


def test_an_exclusion_takes_what_needs_it() -> None:
    assert kept(exclude=["thing.app"]) == ["db1/thing.base", "web1/service.app", "web1/thing.base", "web2/service.app", "web2/thing.base"]
    assert kept(target=["web1/*"], exclude=["web1/file.*"]) == ["web1/service.app", "web1/thing.app", "web1/thing.base"]


def test_on_bounds_everything() -> None:
    assert kept(on="db1") == ["db1/file.conf", "db1/thing.app", "db1/thing.base"]
    assert kept(on="role=web", target=["thing.base"]) == ["web1/thing.base", "web2/thing.base"]
    assert not chosen(on="*").complete


def test_what_nothing_is_called_is_an_error() -> None:
    with pytest.raises(RejectedError) as caught:
        chosen(target=["file.cnof", "web9/file.conf"], exclude=["nope.*"])
    assert [one.summary for one in caught.value.diagnostics] == [
        'unknown address "file.cnof"',
        'unknown address "web9/file.conf"',
        'unknown address "nope.*"',
    ]
    assert 'Did you mean "file.conf"?' in caught.value.diagnostics[0].detail


@pytest.mark.parametrize(("on", "code"), [("web9", "unknown-host"), ("a=b=c", "invalid-selector"), ("", "invalid-selector")])
def test_on_must_make_sense(on, code) -> None:
    with pytest.raises(RejectedError) as caught:
        chosen(on=on)
    assert [one.code for one in caught.value.diagnostics] == [code]


def test_on_that_means_nobody_keeps_nothing() -> None:
    found = chosen(on="role=gone")
    assert (found.kept, [one.code for one in found.diagnostics]) == (frozenset(), ["matches-nobody"])
    assert not found.covers(at("web1/file.x"))


def test_orphans_are_covered_by_what_was_asked_for() -> None:
    found = chosen(target=["file.*"], exclude=["web1/file.old"], on="role=web", orphans=[at("web1/file.old")])
    assert [found.covers(at(name)) for name in ("web2/file.old", "web1/file.old", "web2/thing.old", "db1/file.old")] == [
        True,
        False,
        False,
        False,
    ]
    assert chosen(target=["file.old"], orphans=[at("web1/file.old")]).covers(at("web1/file.old"))
