"""Packages through the whole engine: how often apt is asked what it would do, and what ends a step because of its answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from fleet import Fleet, outcomes, site

from g8r.executor.fake_host import FakeHost
from g8r.executor.fake_programs import apt
from g8r.executor.fake_programs.apt_archive import OFFERED, Archive, Deb

TWO = {"package": {"nginx": {}, "curl": {}}}


def simulations(host: FakeHost) -> int:
    """How many there were since the last time that this was asked."""
    runs = [argv for name, argv in host.calls if name == "run"]
    host.calls.clear()
    return sum(argv[0] == "apt-get" and "-s" in argv for argv in runs)


@pytest.mark.parametrize("after", [{"package": {"bash": {}}}, {"package": {name: {"ensure": "absent"} for name in TWO["package"]}}])
def test_packages_are_simulated_once_by_a_plan_and_once_by_an_apply(after: dict[str, Any]) -> None:
    fleet = Fleet()
    for tasks in (TWO, after):
        plan = fleet.plan(site(tasks))
        assert simulations(fleet.host) == 1
        assert Counter(outcomes(fleet.apply(plan)).values())["changed"] == len(TWO["package"])
        assert simulations(fleet.host) == 1
    assert "curl" not in apt.packages(fleet.host)


def test_nothing_to_do_simulates_nothing() -> None:
    fleet = Fleet()
    fleet.converge(site(TWO))
    fleet.host.calls.clear()
    fleet.converge(site(TWO))
    assert simulations(fleet.host) == 0


def test_a_package_whose_removals_grew_since_the_plan_is_stale() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"package": {"postfix": {}}, "file": {"a": {"path": "/etc/a", "content": ""}}}))
    apt.install(fleet.host, "exim4-daemon-light", auto=("exim4-base",))
    assert outcomes(fleet.apply(plan)) == {"file.a": "changed", "package.postfix": "stale"}
    assert "exim4-daemon-light" in apt.packages(fleet.host)
    assert "postfix" not in apt.packages(fleet.host)


def test_a_package_whose_removals_were_planned_is_installed() -> None:
    fleet = Fleet()
    apt.install(fleet.host, "exim4-daemon-light")
    fleet.converge(site({"package": {"postfix": {}}}))
    assert apt.packages(fleet.host)["exim4-daemon-light"].status == "config-files"


def test_a_package_whose_planned_version_is_gone_is_stale_and_no_other_is_installed() -> None:
    fleet = Fleet()
    plan = fleet.plan(site({"package": {"tree": {}}}))
    newer = (*(deb for deb in OFFERED if deb.name != "tree"), Deb("tree", "3.0"))
    fleet.host.databases["apt"] = Archive(newer, newer, sources=apt.archive(fleet.host).sources)
    assert outcomes(fleet.apply(plan)) == {"package.tree": "stale"}
    assert "tree" not in apt.packages(fleet.host)


def test_a_removal_that_somebody_needs_since_the_plan_is_stale() -> None:
    fleet = Fleet()
    fleet.converge(site(TWO))
    plan = fleet.plan(site({"package": {"nginx": {}}}))
    there = apt.packages(fleet.host)
    fleet.host.databases["dpkg"] = {**there, "git": apt.Package(Deb("git", "2", depends=("curl",)))}
    assert set(outcomes(fleet.apply(plan)).values()) == {"stale", "unchanged"}
    assert {"curl", "git"} <= apt.packages(fleet.host).keys()
