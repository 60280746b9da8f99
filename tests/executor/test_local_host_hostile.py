# ruff: noqa: PTH104, PTH108, PTH208, PTH211 - these tests speak to the kernel in its own words
"""An attacker and an ordinary user, both for real: processes that are `nobody`."""

import ast
import os
import random
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from nobody import NOBODY, become_nobody

from g8r.executor.fake_host import FakeHost
from g8r.executor.local_host import LocalHost
from g8r.host import Host, HostError

AsNobody = Callable[[Callable[[], object]], str]


@pytest.fixture
def trap(open_path: Path, as_nobody: AsNobody) -> Path:
    """A directory of nobody's, with `x` in it, and `outside`, which root keeps."""
    (open_path / "outside").mkdir()
    (open_path / "pub").mkdir()
    os.chown(open_path / "pub", NOBODY, NOBODY)
    (open_path / "pub/x").mkdir()
    os.chown(open_path / "pub/x", NOBODY, NOBODY)
    return open_path


def _attack(trap: Path) -> int:
    """Swap `x` for a link to `outside` and back, for ever."""
    child = os.fork()
    if child:
        return child
    try:
        become_nobody()
        os.chdir(trap / "pub")
        while True:
            os.rename("x", "real")
            os.symlink("../outside", "x")
            os.unlink("x")
            os.rename("real", "x")
    finally:
        os._exit(1)


def test_a_swapped_parent_leads_nowhere(trap: Path):
    host = LocalHost()
    attacker = _attack(trap)
    written = refused = 0
    try:
        for count in range(2000):
            try:
                host.write(f"{trap}/pub/x/f{count % 50}", b"root was here", mode=0o600)
                written += 1
            except HostError:
                refused += 1
            if count % 10 == 0:
                for call in (lambda: host.make_directory(f"{trap}/pub/x/d", mode=0o755), lambda: host.make_link(f"{trap}/pub/x/l", "f")):
                    try:
                        call()
                    except HostError:
                        refused += 1
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)
    assert os.listdir(trap / "outside") == []
    assert written > 0, "the attacker never let one through: the test shows nothing"
    assert refused > 0, "the attacker never hit: the test shows nothing"
    inside = next(path for path in (trap / "pub/real", trap / "pub/x") if path.is_dir() and not path.is_symlink())
    assert {stat.S_IMODE((inside / name).lstat().st_mode) for name in os.listdir(inside) if name[0] == "f"} == {0o600}
    assert [name for name in os.listdir(inside) if name.startswith(".g8r-")] == []


def test_planted_links_lead_nowhere(trap: Path, as_nobody: AsNobody):
    secret = trap / "outside/secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    host = LocalHost()
    assert as_nobody(lambda: os.symlink(trap / "outside", trap / "pub/in")) == "None"
    assert as_nobody(lambda: os.symlink(secret, trap / "pub/f")) == "None"
    for call in (host.read, host.stat, host.checksum, host.remove, host.remove_tree):
        with pytest.raises(HostError, match=f"{trap}/pub/in is a symbolic link that another user"):
            call(f"{trap}/pub/in/secret")
    with pytest.raises(HostError, match="symbolic link"):
        host.read(f"{trap}/pub/f")
    host.set_attributes(f"{trap}/pub/f", owner="daemon")
    host.write(f"{trap}/pub/f", b"new", mode=0o644)
    assert secret.read_text() == "secret"
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode)) == (0, 0o600)


def test_a_whole_tree_of_links_is_removed_without_following(trap: Path, as_nobody: AsNobody):
    (trap / "outside/kept").write_text("")
    assert as_nobody(lambda: [os.symlink(trap / "outside", trap / f"pub/x/l{n}") for n in range(20)]).startswith("[None")
    LocalHost().remove_tree(f"{trap}/pub/x")
    assert os.listdir(trap / "outside") == ["kept"]
    assert not (trap / "pub/x").exists()


def _refusals(path: str) -> list[str]:
    host = LocalHost()
    said = []
    for call in (
        lambda: host.write("/etc/g8r-test", b"", mode=0o644),
        lambda: host.write(f"{path}/a", b"", mode=0o644, owner="root"),
        lambda: host.make_directory(f"{path}/d", mode=0o755, group="root"),
        lambda: host.read("/etc/shadow"),
        lambda: host.stat("/root/x"),
        lambda: host.set_attributes("/etc/passwd", mode=0o777),
        lambda: host.remove("/etc/passwd"),
        lambda: host.run(["true"], user="root"),
    ):
        try:
            call()
            said.append("nothing")
        except HostError as error:
            said.append(str(error))
    return said


def test_an_ordinary_user_is_refused_and_told_so(trap: Path, as_nobody: AsNobody):
    said = ast.literal_eval(as_nobody(lambda: _refusals(f"{trap}/pub")))
    assert len(said) == 8
    assert said[0].startswith("permission denied while writing /etc/g8r-test: the agent runs as nobody; run it as root")
    assert all("permission denied" in line and "the agent runs as nobody" in line for line in said[:7]), said
    assert said[7] == "cannot run true as root: the agent runs as nobody, and only root may become another user"
    assert os.listdir(trap / "pub") == ["x"]


def _own(path: str) -> object:
    host = LocalHost()
    host.write(f"{path}/a", b"a", mode=0o444)
    host.write(f"{path}/a", b"b", mode=0o444)
    host.make_directory(f"{path}/d", mode=0o700)
    host.make_link(f"{path}/l", "d")
    host.write(f"{path}/l/b", b"", mode=0o600)
    found = host.stat(f"{path}/a")
    return (
        host.user,
        host.privileged,
        host.read(f"{path}/a"),
        found.owner,
        found.mode,
        host.list(f"{path}/d"),
        host.run(["id", "-un"]).text,
    )


def test_an_ordinary_user_has_its_own_files(trap: Path, as_nobody: AsNobody):
    assert as_nobody(lambda: _own(f"{trap}/pub/x")) == repr(("nobody", False, b"b", "nobody", 0o444, ("b",), "nobody\n"))


def test_links_of_others_are_not_followed_by_an_ordinary_user(trap: Path, as_nobody: AsNobody):
    """Root's and its own are; those of a third user are not."""
    (trap / "theirs").mkdir()
    os.symlink(trap / "pub/x", trap / "theirs/l")
    os.chown(trap / "theirs/l", 1, 1, follow_symlinks=False)
    assert "symbolic link that another user" in as_nobody(lambda: LocalHost().write(f"{trap}/theirs/l/a", b"", mode=0o644))
    assert as_nobody(lambda: os.symlink(trap / "pub/x", trap / "pub/own")) == "None"
    assert as_nobody(lambda: LocalHost().write(f"{trap}/pub/own/a", b"", mode=0o644)) == "None"


def test_a_program_keeps_no_group_of_the_agents(as_nobody: AsNobody):
    before = os.getgroups()
    os.setgroups([0, 4, 42])
    try:
        assert LocalHost().run(["id", "-G"], user="daemon", changes=False).text == "1\n"
    finally:
        os.setgroups(before)


def test_a_program_becomes_its_user_wholly(as_nobody: AsNobody):
    ran = LocalHost().run(["sh", "-c", "id -u; id -g; id -G; echo $HOME; umask; pwd"], user="daemon", changes=False)
    assert ran.text.split() == ["1", "1", "1", "/usr/sbin", "0022", "/"]
    with pytest.raises(HostError, match='no user "ghost-of-g8r"'):
        LocalHost().run(["true"], user="ghost-of-g8r")


def test_a_program_that_may_not_be_run(trap: Path, as_nobody: AsNobody):
    LocalHost().write(f"{trap}/prog", b"#!/bin/sh\n", mode=0o700)
    assert f"permission denied while running {trap}/prog: the agent runs as nobody" in as_nobody(lambda: LocalHost().run([f"{trap}/prog"]))


CALLS = ("write", "make_directory", "make_link", "set_attributes", "remove", "remove_tree", "stat", "follow", "read", "list")
PATHS = ("a", "d", "d/a", "l/a", "root/f", "root/a", "root/secret", "closed/a", "sticky/f", "sticky/a", "sticky/d", "sticky/l/a")
OWNERS = (None, None, None, "nobody", "root", "daemon")


def _set_up_real(root: Path) -> None:
    root.mkdir()
    for name, mode in DIRECTORIES.items():
        (root / name).mkdir()
        (root / name).chmod(mode)
    for name, mode in FILES.items():
        (root / name).write_text("root's")
        (root / name).chmod(mode)
    os.chown(root, NOBODY, NOBODY)


def _set_up_fake() -> FakeHost:
    host = FakeHost(user="nobody")
    host.place_directory("/t", owner="nobody", group="nogroup")
    for name, mode in DIRECTORIES.items():
        host.place_directory(f"/t/{name}", mode=mode)
    for name, mode in FILES.items():
        host.place(f"/t/{name}", "root's", mode=mode)
    return host


DIRECTORIES = {"root": 0o755, "closed": 0o700, "sticky": 0o1777}
FILES = {"root/f": 0o644, "root/secret": 0o600, "sticky/f": 0o644}


def _compare(parent: Path, seeds: range) -> list[str]:
    """Where the host in memory and this machine differ, for an ordinary user."""
    differences = []
    for seed in seeds:
        chance = random.Random(seed)
        fake, real = _set_up_fake(), LocalHost()
        for _ in range(20):
            call, path, owner = chance.choice(CALLS), chance.choice(PATHS), chance.choice(OWNERS)
            mode = chance.choice((0o644, 0o600, 0o755, 0o000, 0o111))
            said = [_outcome(host, root, call, path, mode, owner) for host, root in ((fake, "/t"), (real, f"{parent}/{seed}"))]
            if said[0] != said[1]:
                differences.append(f"seed {seed}: {call} {path} {mode:o} {owner}: {said}")
                break
    return differences


def _outcome(host: Host, root: str, call: str, path: str, mode: int, owner: str | None) -> object:
    where = f"{root}/{path}"
    try:
        match call:
            case "write":
                host.write(where, b"x", mode=mode, owner=owner)
            case "make_directory":
                host.make_directory(where, mode=mode, owner=owner)
            case "make_link":
                host.make_link(where, "d", owner=owner)
            case "set_attributes":
                host.set_attributes(where, mode=mode, owner=owner)
            case "stat" | "follow":
                found = getattr(host, call)(where)
                return found and (found.type, found.mode, found.owner, found.target)
            case _:
                return getattr(host, call)(where)
    except HostError:  # which of two good reasons is told first is not promised
        return "refused"
    return None


def test_the_fake_ordinary_user_may_what_the_real_one_may(open_path: Path, as_nobody: AsNobody):
    seeds = range(60)
    for seed in seeds:
        _set_up_real(open_path / str(seed))
    assert as_nobody(lambda: _compare(open_path, seeds)) == "[]"
