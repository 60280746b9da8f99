"""Described hosts: what is put on a fake Debian is there, what cannot be is refused with its place, and apt has what the stack needs."""

from __future__ import annotations

import msgspec
import pytest

from g8r.executor.fake_host import FakeHost
from g8r.executor.fake_programs import apt, systemd
from g8r.testing import worlds
from g8r.testing.cases import GivenFacts, World


def built(document, **facts):
    made = worlds.build(msgspec.convert(document, World), worlds.facts_of("web1", {}, msgspec.convert(facts, GivenFacts)))
    assert made.mistakes == ()
    return made.host


def refused(document):
    made = worlds.build(msgspec.convert(document, World), worlds.facts_of("web1", {}, GivenFacts()))
    return [(mistake.path, mistake.detail) for mistake in made.mistakes]


def test_a_fresh_debian_of_its_name():
    host = built({})
    assert (host.facts().hostname, host.facts().fqdn, host.facts().os["codename"]) == ("web1", "web1.example.org", "bookworm")
    assert host.read("/etc/hostname") == b"web1\n"
    assert worlds.facts_of("db.example.com", {}, GivenFacts()).fqdn == "db.example.com"


def test_facts_of_the_stack_and_above_them_those_of_the_test():
    given = msgspec.convert({"os": {"codename": "trixie"}, "addresses": ["192.0.2.9"]}, GivenFacts)
    facts = worlds.facts_of("web1", {"os": {"codename": "sid", "version": "13"}, "cpu": {"count": 8}}, given)
    assert (facts.os["codename"], facts.os["version"], facts.os["family"]) == ("trixie", "13", "debian")
    assert facts.cpu["count"] == 8
    assert facts.addresses == ("192.0.2.9",)


def test_facts_that_are_none_are_refused():
    with pytest.raises(msgspec.ValidationError):
        worlds.facts_of("web1", {"os": 12}, GivenFacts())


def test_files_directories_links_and_who_owns_them():
    host = built(
        {
            "groups": {"dev": {"gid": 2000}},
            "users": {"ada": {"uid": 1500, "groups": ["dev"], "shell": "/bin/bash", "home": "/srv/ada", "comment": "Ada"}},
            "files": {"/etc/motd": "hi", "/srv/x": {"content": "y", "mode": "0600", "owner": "ada", "group": "dev"}},
            "directories": {"/srv/deep/er": {"mode": "0750", "owner": "ada"}},
            "links": {"/srv/l": "x"},
        }
    )
    assert host.read("/etc/motd") == b"hi"
    stat = host.stat("/srv/x")
    assert (stat.mode, stat.owner, stat.group) == (0o600, "ada", "dev")
    assert host.stat("/srv/deep/er").mode == 0o750
    assert host.stat("/srv/l").target == "x"
    account = host.accounts()["ada"]
    assert (account.uid, account.shell, account.home, account.comment) == (1500, "/bin/bash", "/srv/ada", "Ada")
    assert host.groups()["dev"].members == ("ada",)


def test_packages_and_services():
    host = built(
        {
            "packages": {"nginx": "1.18.0-6", "app": {"version": "3", "files": {"/opt/app": "x"}, "units": ["app"]}},
            "available": {"app": "4"},
            "services": {"redis": {"running": True, "enabled": True}, "nginx": {"running": False}},
        }
    )
    versions = {name: package.deb.version for name, package in apt.packages(host).items()}
    assert (versions["nginx"], versions["app"]) == ("1.18.0-6", "3")
    assert [deb.version for deb in apt.archive(host).offered if deb.name == "nginx"] == ["1.18.0-6", "1.22.1-9"]
    assert host.read("/opt/app") == b"x"
    assert {name: unit.active for name, unit in systemd.runtimes(host).items()} == {
        "app.service": "active",
        "nginx.service": "inactive",
        "redis.service": "active",
    }
    assert host.stat("/etc/systemd/system/multi-user.target.wants/redis.service") is not None
    assert host.stat("/etc/systemd/system/multi-user.target.wants/nginx.service") is None


def test_programs_do_as_they_are_told():
    host = built({"programs": {"make": {"exit": 3, "stdout": "out", "stderr": "err", "creates": {"/opt/made": "x"}}}})
    ran = host.run(("make", "all"))
    assert (ran.code, ran.stdout, ran.stderr) == (3, b"out", b"err")
    assert host.read("/opt/made") == b"x"


@pytest.mark.parametrize("users", [{}, {"ada": {"uid": 1500}}])
def test_somebody_else_than_root(users):
    host = built({"user": "ada", "users": users, "files": {"/etc/motd": "hi"}, "programs": {"make": {}}})
    assert (host.user, host.privileged) == ("ada", False)
    assert host.read("/etc/motd") == b"hi"
    assert host.run(("make",)).code == 0


@pytest.mark.parametrize(
    ("document", "path", "detail"),
    [
        ({"files": {"/x": {"owner": "nobody-here"}}}, ("files", "/x"), 'no user "nobody-here"'),
        ({"files": {"/etc/passwd/x": ""}}, ("files", "/etc/passwd/x"), "/etc/passwd is no directory but a file"),
        ({"files": {"/a": "", "/a/b/c/d": ""}}, ("files", "/a/b/c/d"), "/a is no directory but a file"),
        ({"users": {"root": {}}}, ("users", "root"), "already exists"),
        ({"groups": {"a": {"gid": 0}}}, ("groups", "a"), "GID"),
        ({"packages": {"a": {"depends": ["nowhere"]}}}, ("packages", "a"), "nowhere"),
    ],
)
def test_what_cannot_be(document, path, detail):
    ((found, told),) = refused(document)
    assert found == path
    assert detail in told


def test_the_same_description_gives_the_same_host():
    document = {"packages": {"nginx": ""}, "users": {"ada": {}}, "files": {"/a": "b"}}
    assert built(document).snapshot() == built(document).snapshot()
    assert isinstance(built(document), FakeHost)
