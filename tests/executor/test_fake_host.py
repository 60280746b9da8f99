import pytest

from g8r.executor.fake_host import FakeHost, Killed, Program
from g8r.host import HostError, MissingProgramError, Ran


def test_writes_and_reads_back():
    host = FakeHost()
    host.write("/etc/motd", b"hello\n", mode=0o644)
    assert host.read("/etc/motd") == b"hello\n"
    stat = host.stat("/etc/motd")
    assert stat is not None
    assert (stat.type, stat.mode, stat.owner, stat.group, stat.size) == ("file", 0o644, "root", "root", 6)


def test_accounts_are_what_etc_passwd_says():
    host = FakeHost()
    host.write("/etc/passwd", host.read("/etc/passwd") + b"ada:x:1815:100:Ada:/home/ada:/bin/sh\n", mode=0o644)
    assert host.accounts()["ada"].group == "users"
    host.write("/home/x", b"", mode=0o600, owner="ada")
    assert host.stat("/home/x").owner == "ada"


def test_a_snapshot_tells_what_changed():
    host = FakeHost()
    before = host.snapshot()
    assert host.snapshot() == before
    host.make_directory("/srv/www", mode=0o755)
    host.databases["dpkg"] = ("nginx",)
    assert before.differences(host.snapshot()) == ("/srv/www", "database dpkg")


def test_a_copy_is_another_machine():
    host = FakeHost(files={"/etc/a": "a"})
    twin = host.copy()
    twin.write("/etc/a", b"b", mode=0o644)
    twin.databases["dpkg"] = 1
    assert host.read("/etc/a") == b"a"
    assert "dpkg" not in host.databases
    assert list(host.calls) == [("read", "/etc/a")]


def test_frozen_forbids_writing_calls_and_programs():
    host = FakeHost.debian()
    with host.frozen():
        assert host.run(["cat", "/etc/hostname"], changes=False).text == "fake\n"
        with pytest.raises(AssertionError, match="/etc/motd was changed by write"):
            host.write("/etc/motd", b"", mode=0o644)
        with pytest.raises(AssertionError, match="touch /etc/motd was run"):
            host.run(["touch", "/etc/motd"])
        with pytest.raises(AssertionError, match="database dpkg"):
            host.databases["dpkg"] = 1
    host.write("/etc/motd", b"", mode=0o644)


def test_a_read_only_call_of_a_writing_program_is_a_bug():
    with pytest.raises(AssertionError, match="changes=False"):
        FakeHost.debian().run(["touch", "/etc/motd"], changes=False)


def test_a_program_that_says_it_only_reads_cannot_write():
    def lie(host, call):
        host.write("/etc/motd", b"", mode=0o644)
        return Ran(0, b"", b"")

    host = FakeHost(programs={"lie": Program(lie, reads=lambda argv: "--dry" in argv)})
    with pytest.raises(AssertionError):
        host.run(["lie", "--dry"])
    assert host.run(["lie"]).code == 0


def test_killed_between_two_calls_and_every_call_after():
    host = FakeHost()
    host.fail_after(1)
    host.write("/etc/a", b"", mode=0o644)
    for _ in range(2):
        with pytest.raises(Killed):
            host.write("/etc/b", b"", mode=0o644)
    host.revive()
    assert host.stat("/etc/a") is not None
    assert host.stat("/etc/b") is None


def test_a_program_is_one_call():
    host = FakeHost.debian()
    host.fail_after(1)
    assert host.run(["mkdir", "-p", "/srv/a/b/c"]).code == 0
    host.revive()
    assert list(host.calls) == [("run", ("mkdir", "-p", "/srv/a/b/c"))]
    assert host.stat("/srv/a/b/c").type == "directory"


def test_refused_paths_and_programs():
    host = FakeHost.debian()
    host.refuse("/etc/a", "the disk is full", ("write",))
    host.refuse("true", "no such luck")
    assert host.stat("/etc/a") is None
    with pytest.raises(HostError, match="the disk is full"):
        host.write("/etc/a", b"", mode=0o644)
    with pytest.raises(HostError, match="no such luck"):
        host.run(["true"])
    host.allow("/etc/a")
    host.write("/etc/a", b"", mode=0o644)


def test_a_program_that_fails_inside_complains():
    host = FakeHost.debian(user="deploy")
    ran = host.run(["touch", "/etc/motd"])
    assert ran.code == 1
    assert "permission denied while writing /etc/motd" in ran.complaint


def test_a_missing_program():
    with pytest.raises(MissingProgramError, match="dpkg"):
        FakeHost().run(["dpkg", "-l"])


def test_an_ordinary_user_may_do_what_it_may():
    host = FakeHost(user="deploy", files={"/etc/secret": ""})
    host.place("/etc/secret", "s", mode=0o600)
    assert not host.privileged
    host.write("/home/deploy/a", b"", mode=0o644)
    assert host.stat("/home/deploy/a").owner == "deploy"
    with pytest.raises(HostError, match="the agent runs as deploy"):
        host.read("/etc/secret")
    with pytest.raises(HostError, match="permission denied while writing /etc/motd"):
        host.write("/etc/motd", b"", mode=0o644)
    with pytest.raises(HostError):
        host.write("/home/deploy/b", b"", mode=0o644, owner="root")
    with pytest.raises(HostError):
        host.stat("/root/x")
    with pytest.raises(HostError, match="only root may become another user"):
        host.run(["true"], user="root") if host.programs else FakeHost.debian(user="deploy").run(["true"], user="root")


def test_programs_run_as_their_user():
    host = FakeHost.debian()
    assert host.run(["id", "-un"], user="nobody").text == "nobody\n"
    assert host.run(["touch", "/etc/x"], user="nobody").code == 1
    assert host.run(["touch", "/tmp/x"], user="nobody").code == 0
    assert host.stat("/tmp/x").owner == "nobody"
    with pytest.raises(HostError, match='no user "ghost"'):
        host.run(["true"], user="ghost")


def test_links_are_followed_in_parents_only_where_nobody_can_plant_them():
    host = FakeHost()
    host.write("/var/run/x.pid", b"1", mode=0o644)
    assert host.read("/run/x.pid") == b"1"
    host.place_directory("/srv/pub", mode=0o777)
    host.place_link("/srv/pub/etc", "/etc")
    host.place_link("/srv/theirs", "/etc", owner="nobody")
    for link in ("/srv/pub/etc", "/srv/theirs"):
        with pytest.raises(HostError, match="symbolic link that another user"):
            host.write(f"{link}/passwd", b"", mode=0o644)
        with pytest.raises(HostError, match="symbolic link that another user"):
            host.stat(f"{link}/passwd")


def test_plain_programs():
    host = FakeHost.debian(files={"/etc/a": "a"})
    assert host.run(["test", "-f", "/etc/a"], changes=False).code == 0
    assert host.run(["test", "!", "-d", "/etc/a"], changes=False).code == 0
    assert host.run(["test", "-e", "/etc/b"], changes=False).code == 1
    assert host.run(["rm", "/etc/b"]).code == 1
    assert host.run(["rm", "-rf", "/etc"]).code == 0
    assert host.stat("/etc") is None
    assert host.run(["echo", "-n", "a", "b"]).stdout == b"a b"
    assert host.run(["cat"], stdin=b"in").stdout == b"in"
