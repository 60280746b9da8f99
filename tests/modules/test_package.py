"""The kind `package`: its cases, and what many packages at once are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import laws
import pytest
from case import Case
from cases.package import CASES, lists, there

from g8r.change import ABSENT, Applied, Blocked, Change, Failed
from g8r.claim import Claims
from g8r.executor.fake_host import FakeHost
from g8r.executor.fake_programs import apt
from g8r.executor.fake_programs.apt_archive import OFFERED, Archive, Deb
from g8r.module import Ahead, Wanted, Work
from g8r.modules.package import Package, PackageParams, PackageState
from g8r.modules.support.apt import INSTALLED_ONLY
from g8r.modules.support.apt_batches import removals

PACKAGE = Package()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def named(*names: str, **more: Any) -> list[PackageParams]:
    return [PackageParams(name=name, **more) for name in names]


def plan(params: Sequence[PackageParams], host: FakeHost) -> list[Work[Any, Any]]:
    """The work of those that change, rehearsed together."""
    states = PACKAGE.read([Wanted(each) for each in params], host)
    work = []
    for each, state in zip(params, states, strict=True):
        verdict = PACKAGE.diff(each, state, Ahead())  # type: ignore[arg-type]
        if isinstance(verdict, Change):
            work.append(Work(each, verdict))
    answers = PACKAGE.rehearse(work, host)
    return [Work(each.params, answer) for each, answer in zip(work, answers, strict=True)]  # type: ignore[arg-type]


def calls(host: FakeHost, program: str, *words: str) -> list[tuple[str, ...]]:
    runs = [argv for name, argv in host.calls if name == "run"]
    return [tuple(argv) for argv in runs if argv[0] == program and set(words) <= set(argv)]


def transactions(host: FakeHost) -> list[tuple[str, ...]]:
    return [argv for argv in calls(host, "apt-get") if "-s" not in argv and "update" not in argv]


def test_one_query_reads_all_and_nothing_is_simulated() -> None:
    host = FakeHost.debian()
    states = PACKAGE.read([Wanted(each) for each in named("bash", "dpkg", "nonesuch", "apt")], host)
    assert [state.name if isinstance(state, PackageState) else state for state in states] == ["bash", "dpkg", ABSENT, "apt"]
    assert len(calls(host, "dpkg-query")) == 1
    assert calls(host, "apt-get") == []


def test_what_is_ready_together_goes_in_one_transaction() -> None:
    host = FakeHost.debian()
    work = plan(named("nginx", "curl", "tree"), host)
    assert [each.change.because for each in work] == [("pulls in nginx-common",), ("pulls in libcurl4, libssh2-1",), ()]
    assert [each.change.after.version for each in work] == ["1.22.1-9", "7.88.1-10+deb12u5", "2.1.0-1"]
    results = list(PACKAGE.apply(work, host))
    assert results == [Applied(pulled_in=("nginx-common",)), Applied(pulled_in=("libcurl4", "libssh2-1")), Applied()]
    assert len(transactions(host)) == 1


def test_the_lists_are_fetched_once_for_a_batch_and_only_when_needed() -> None:
    host = FakeHost.debian()
    lists(listed=False)(host)
    assert all(isinstance(result, Applied) for result in PACKAGE.apply(plan(named("nginx", "tree"), host), host))
    assert len(calls(host, "apt-get", "update")) == 1
    assert all(isinstance(result, Applied) for result in PACKAGE.apply(plan(named("curl"), host), host))
    assert len(calls(host, "apt-get", "update")) == 1


def test_who_cannot_be_installed_fails_alone() -> None:
    host = FakeHost.debian()
    work = plan(named("nginx", "ngin", "tree"), host)
    assert [type(each.change) for each in work] == [Change, Blocked, Change]
    unplanned = Work(PackageParams(name="ngin"), Change("create", ABSENT, PackageState(name="ngin", version=""), ("version",)))
    results = list(PACKAGE.apply([work[0], unplanned, work[2]], host))
    assert isinstance(results[0], Applied)
    assert isinstance(results[1], Failed)
    assert 'Did you mean "nginx"?' in results[1].reason
    assert isinstance(results[2], Applied)


def test_a_member_that_fails_to_configure_does_not_taint_the_others() -> None:
    host = FakeHost.debian()
    results = list(PACKAGE.apply(plan(named("broken", "tree"), host), host))
    assert isinstance(results[0], Failed)
    assert "error processing package broken" in results[0].output
    assert results[1] == Applied()


def test_two_that_exclude_each_other_are_blocked_and_the_others_are_not() -> None:
    host = FakeHost.debian()
    first, tree, second = (each.change for each in plan(named("postfix", "tree", "exim4-daemon-light"), host))
    assert isinstance(first, Blocked)
    assert isinstance(second, Blocked)
    assert "not together with exim4-daemon-light: " in first.reason
    assert "not together with postfix: " in second.reason
    assert isinstance(tree, Change)


def simulations(host: FakeHost) -> int:
    """How many there were since the last time that this was asked."""
    count = len(calls(host, "apt-get", "-s"))
    host.calls.clear()
    return count


def removals_of(installed: Sequence[Work[Any, Any]], done: Sequence[Any], host: FakeHost) -> list[Work[Any, Any]]:
    """The work of undoing what was installed, rehearsed together."""
    states = PACKAGE.read([Wanted(each.params) for each in installed], host)
    undo = [PACKAGE.remove(each.params, state) for each, state in zip(installed, states, strict=True)]  # type: ignore[arg-type]
    work = [Work(each.params, change, result.pulled_in) for each, change, result in zip(installed, undo, done, strict=True)]  # type: ignore[arg-type]
    answers = PACKAGE.rehearse(work, host)
    return [Work(each.params, answer, each.pulled_in) for each, answer in zip(work, answers, strict=True)]  # type: ignore[arg-type]


def test_all_that_comes_and_all_that_goes_is_simulated_once_when_planned_and_once_when_done() -> None:
    host = FakeHost.debian()
    work = plan([*named("nginx", "curl"), *named("redis", purge=False)], host)
    assert simulations(host) == 1
    done = list(PACKAGE.apply(work, host))
    assert simulations(host) == 1
    leaving = removals_of(work[:2], done[:2], host)
    assert simulations(host) == 1
    assert [each.change.because[1] for each in leaving] == [
        "purges what it had pulled in: nginx-common",
        "purges what it had pulled in: libcurl4, libssh2-1",
    ]
    assert list(PACKAGE.apply(leaving, host)) == [Applied(), Applied()]
    assert simulations(host) == 1
    assert not {"nginx-common", "libcurl4", "libssh2-1"} & apt.packages(host).keys()


def test_what_is_purged_and_what_is_only_removed_is_planned_with_one_simulation() -> None:
    host = FakeHost.debian()
    installed = plan([*named("nginx", "curl"), *named("redis", purge=False)], host)
    leaving = removals_of(installed, list(PACKAGE.apply(installed, host)), host)
    host.calls.clear()
    PACKAGE.rehearse(leaving, host)
    assert simulations(host) == 1
    assert list(PACKAGE.apply(leaving, host)) == [Applied()] * 3
    assert len(transactions(host)) == 2
    assert simulations(host) == 2, "one for each transaction"
    assert apt.packages(host)["redis"].status == "config-files"


def test_what_goes_along_is_told_apart_from_what_nobody_needs_anyway() -> None:
    host = FakeHost.debian()
    there("ssl-cert", auto=("ssl-cert",))(host)
    installed = plan(named("curl"), host)
    leaving = removals_of(installed, list(PACKAGE.apply(installed, host)), host)
    assert leaving[0].change.because[1:] == ("purges what it had pulled in: libcurl4, libssh2-1",)
    assert list(PACKAGE.apply(leaving, host)) == [Applied()]
    assert "ssl-cert" in apt.packages(host)
    assert "libcurl4" not in apt.packages(host)


def test_a_removal_knows_of_no_sources_neither_planned_nor_done() -> None:
    host = FakeHost.debian()
    installed = plan(named("curl"), host)
    done = list(PACKAGE.apply(installed, host))
    host.calls.clear()
    list(PACKAGE.apply(removals_of(installed, done, host), host))
    argvs = calls(host, "apt-get")
    assert [("-s" in argv) for argv in argvs] == [True, True, False]
    assert all(set(INSTALLED_ONLY) <= set(argv) for argv in argvs)


def test_the_latest_is_read_without_a_simulation() -> None:
    host = FakeHost.debian()
    there("redis=5:6.*", "tree")(host)
    host.calls.clear()
    states = PACKAGE.read([Wanted(each) for each in named("redis", "tree", "curl", ensure="latest")], host)
    assert [getattr(state, "newest", None) for state in states] == [False, True, None]
    assert len(calls(host, "apt-cache")) == 1
    assert simulations(host) == 0


def test_a_slip_among_many_costs_few_simulations() -> None:
    host = FakeHost.debian()
    plan(named("nginx", "curl", "tree", "ssl-cert", "redis", "exim4-base", "nonesuch"), host)
    assert len(calls(host, "apt-get", "-s")) <= 5


def test_a_removal_that_the_plan_did_not_tell_of_is_not_made() -> None:
    host = FakeHost.debian()
    work = plan(named("postfix"), host)
    there("exim4-daemon-light", auto=("exim4-base",))(host)
    before = host.snapshot()
    (result,) = PACKAGE.apply(work, host)
    assert isinstance(result, Failed)
    assert result.stale
    assert result.reason.startswith("it would now also remove exim4-daemon-light")
    assert host.snapshot() == before


def test_the_planned_version_and_no_other() -> None:
    host = FakeHost.debian()
    work = plan(named("tree"), host)
    newer = (*(deb for deb in OFFERED if deb.name != "tree"), Deb("tree", "3.0"))
    host.databases["apt"] = Archive(newer, newer, sources=apt.archive(host).sources)
    (result,) = PACKAGE.apply(work, host)
    assert isinstance(result, Failed)
    assert result.stale
    assert "Version '2.1.0-1' for 'tree' was not found. It offers 3.0." in result.reason


def test_removal_takes_what_was_pulled_in_unless_somebody_needs_it() -> None:
    host = FakeHost.debian()
    (result,) = PACKAGE.apply(plan(named("curl"), host), host)
    assert isinstance(result, Applied)
    assert result.pulled_in == ("libcurl4", "libssh2-1")
    host.databases["dpkg"] = {**apt.packages(host), "git": apt.Package(Deb("git", "2", depends=("libssh2-1",)))}
    (state,) = PACKAGE.read([Wanted(PackageParams(name="curl"))], host)
    removal = PACKAGE.remove(PackageParams(name="curl"), state)  # type: ignore[arg-type]
    assert isinstance(removal, Change)
    work = [Work(PackageParams(name="curl"), removal, result.pulled_in)]
    (foretold,) = PACKAGE.rehearse(work, host)
    assert isinstance(foretold, Change)
    assert "purges what it had pulled in: libcurl4" in foretold.because
    assert list(PACKAGE.apply([Work(work[0].params, foretold, result.pulled_in)], host)) == [Applied()]
    assert "libcurl4" not in apt.packages(host)
    assert "libssh2-1" in apt.packages(host)


def test_a_clean_up_that_nobody_asked_for_is_not_made() -> None:
    host = FakeHost.debian()
    there("tree", "ssl-cert", auto=("ssl-cert",))(host)
    (state,) = PACKAGE.read([Wanted(PackageParams(name="tree"))], host)
    removal = PACKAGE.remove(PackageParams(name="tree"), state)  # type: ignore[arg-type]
    assert list(PACKAGE.apply([Work(PackageParams(name="tree"), removal)], host)) == [Applied()]  # type: ignore[arg-type]
    assert "ssl-cert" in apt.packages(host)


def test_planning_never_writes_apts_caches() -> None:
    host = FakeHost.debian()
    plan(named("nginx", "ngin"), host)
    simulated = [*calls(host, "apt-get"), *calls(host, "apt-cache")]
    assert simulated
    assert all("Dir::Cache::pkgcache=" in argv and "Dir::Cache::srcpkgcache=" in argv for argv in simulated)


def test_removals_are_told_and_found_again() -> None:
    assert removals(("pulls in a", "also removes b, c", "also removes d")) == {"b", "c", "d"}


def test_configuration_files_stay_unless_g8r_brought_them_or_is_told() -> None:
    before = PackageState(name="redis", version="7")
    purges = ("its configuration files are removed, too",)
    absent = PackageParams(name="redis", ensure="absent")
    assert PACKAGE.diff(absent, before, Ahead()) == Change("delete", before, ABSENT)
    assert PACKAGE.diff(PackageParams(name="redis", ensure="absent", purge=True), before, Ahead()) == Change(
        "delete", before, ABSENT, (), purges
    )
    assert PACKAGE.remove(PackageParams(name="redis"), before) == Change("delete", before, ABSENT, (), purges)
    assert PACKAGE.remove(PackageParams(name="redis", purge=False), before) == Change("delete", before, ABSENT)


def test_claims() -> None:
    assert PACKAGE.claims(PackageParams(name="nginx")) == Claims(("package:nginx",), locks=("lock:dpkg",))
    assert PACKAGE.claims(PackageParams(name="nginx", ensure="absent")).removes


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"version": "1.2", "ensure": "latest"}, "version"),
        ({"version": "1.2", "ensure": "absent"}, "version"),
        ({"hold": True, "ensure": "absent"}, "hold"),
    ],
)
def test_params_that_contradict_each_other(params: dict[str, Any], param: str) -> None:
    (problem,) = PACKAGE.validate(PackageParams(name="nginx", **params), frozenset())
    assert problem.param == param
    assert problem.detail
