# ruff: noqa: PTH104, PTH106, PTH115, PTH208 - these tests speak to the kernel in its own words
import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from g8r.executor import local_writer, mounted, refusals, safe_path
from g8r.executor.local_host import LocalHost
from g8r.executor.local_writer import sync
from g8r.host import HostError

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="NOT RUN: only root can do this; run the tests as root")


@pytest.fixture
def host() -> LocalHost:
    return LocalHost()


def test_var_run_works(host: LocalHost):
    found = host.follow("/var/run")
    assert found == host.stat("/run")
    assert host.list("/var/run/.") == host.list("/run")


def test_the_walk_by_hand_finds_what_the_kernel_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where openat2 is missing (an old kernel, a sandbox), nothing changes."""
    monkeypatch.setattr(safe_path, "_OPENAT2", 100_000)
    host = LocalHost()
    (tmp_path / "d").mkdir()
    host.write(f"{tmp_path}/d/a", b"a", mode=0o644)
    host.make_link(f"{tmp_path}/l", "d")
    assert host.read(f"{tmp_path}/l/a") == b"a"
    assert host.stat(f"{tmp_path}/l").type == "link"
    assert host.stat(f"{tmp_path}/d/a/b") is None
    assert host.stat("/").type == "directory"
    with pytest.raises(HostError, match="symbolic link"):
        host.read(f"{tmp_path}/l")


def test_descriptors_are_given_back(host: LocalHost, tmp_path: Path):
    def use_it_all() -> None:
        host.write(f"{tmp_path}/a", b"a", mode=0o644)
        host.make_link(f"{tmp_path}/l", "a")
        host.make_directory(f"{tmp_path}/d", mode=0o755)
        host.make_link(f"{tmp_path}/ld", "d")
        host.write(f"{tmp_path}/ld/a", b"a", mode=0o644)
        host.set_attributes(f"{tmp_path}/a", mode=0o600)
        host.run(["true"])
        for path in ("a", "l", "d", "ld/a", "no", "a/b", "no/b"):
            for call in (host.stat, host.follow, host.read, host.list, host.remove_tree):
                with suppress(HostError):
                    call(f"{tmp_path}/{path}")
        host.remove_tree(f"{tmp_path}/d")

    use_it_all()
    before = sorted(os.listdir("/proc/self/fd"))
    use_it_all()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_pipes_and_devices_are_refused_and_do_not_hold_the_agent(host: LocalHost, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HostError, match="no regular file"):
        host.read(f"{tmp_path}/pipe")
    assert host.stat(f"{tmp_path}/pipe").type == "other"
    with pytest.raises(HostError, match="no regular file"):
        host.checksum("/dev/null")


def test_files_of_proc_have_content(host: LocalHost):
    assert b"MemTotal" in host.read("/proc/meminfo")
    assert len(host.read("/proc/meminfo", 5)) == 5


def test_a_failed_write_leaves_nothing_behind(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(HostError, match=f"^no space left on device while writing {tmp_path}/a: free some"):
        host.write(f"{tmp_path}/a", b"new", mode=0o644)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@needs_root
def test_a_really_full_disk(host: LocalHost, tmp_path: Path):
    mounted_at = tmp_path / "small"
    mounted_at.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mounted_at], check=False).returncode:
        pytest.skip("NOT RUN: this sandbox lets nobody mount a tmpfs")
    try:
        with pytest.raises(HostError, match="no space left on device while writing"):
            host.write(f"{mounted_at}/a", b"x" * 200_000, mode=0o644)
        assert os.listdir(mounted_at) == []
        with pytest.raises(HostError, match=f"something is mounted at {mounted_at}"):
            host.remove_tree(f"{tmp_path}")
        assert mounted_at.exists()
        subprocess.run(["mount", "-o", "remount,ro", mounted_at], check=True)
        with pytest.raises(HostError, match="the file system is read-only while writing"):
            host.write(f"{mounted_at}/b", b"", mode=0o644)
    finally:
        subprocess.run(["umount", mounted_at], check=True)


def test_mount_points_are_told_though_they_are_bound_within_one_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    odd = tmp_path / "a b"
    odd.mkdir()
    monkeypatch.setattr(mounted, "_mount_points", lambda: iter([f"{odd}/in"]))
    with pytest.raises(HostError, match="unmount it first"):
        LocalHost().remove_tree(str(odd))
    assert odd.exists()


def test_what_a_killed_run_left_is_removed_by_the_next_write(tmp_path: Path):
    """The write is killed at its last instant, before the rename."""
    script = f"""
import os, signal
from g8r.executor.local_host import LocalHost
os.rename = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
LocalHost().write({str(tmp_path / "a")!r}, b"secret", mode=0o644)
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".g8r-")
    host = LocalHost()
    host.write(f"{tmp_path}/b", b"b", mode=0o644)
    assert left in os.listdir(tmp_path)
    host.write(f"{tmp_path}/a", b"a", mode=0o644)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_no_instant_at_which_others_could_read(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Looked at before and after each call to the kernel that changes the file, with the loosest umask."""
    seen: list[tuple[str, int, int]] = []

    def look(name: str) -> None:
        for entry in os.scandir(tmp_path):
            found = entry.stat(follow_symlinks=False)
            seen.append((name, stat.S_IMODE(found.st_mode), found.st_size))

    for name in ("open", "write", "fchown", "fchmod", "rename"):
        real = getattr(os, name)

        def spied(*arguments: object, _real=real, _name=name, **named: object) -> object:
            look(f"before {_name}")
            try:
                return _real(*arguments, **named)
            finally:
                look(f"after {_name}")

        monkeypatch.setattr(os, name, spied)
    before = os.umask(0)
    try:
        host.write(f"{tmp_path}/a", b"secret", mode=0o600)
        host.write(f"{tmp_path}/a", b"secret", mode=0o400)
    finally:
        os.umask(before)
        monkeypatch.undo()
    assert {name for name, _, size in seen if size} >= {"after write", "before fchmod", "before rename", "after rename"}
    assert [entry for entry in seen if entry[1] & 0o077] == []


@needs_root
def test_the_owner_is_set_before_the_rename(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    at_rename = []
    rename = os.rename

    def spied(source: str, target: str, **named: int) -> None:
        found = os.lstat(source, dir_fd=named["src_dir_fd"])
        at_rename.append((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)))
        rename(source, target, **named)

    monkeypatch.setattr(os, "rename", spied)
    host.write(f"{tmp_path}/a", b"", mode=0o4640, owner="1", group="2")
    host.make_link(f"{tmp_path}/l", "a", owner="1", group="2")
    assert at_rename == [(1, 2, 0o4640), (1, 2, 0o777)]


def test_users_attributes_survive_a_write(host: LocalHost, tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("old")
    try:
        os.setxattr(path, "user.origin", b"somewhere")
    except OSError:
        pytest.skip(f"NOT RUN: the file system of {tmp_path} has no extended attributes")
    host.write(str(path), b"new", mode=0o400)
    assert os.getxattr(path, "user.origin") == b"somewhere"


@needs_root
def test_the_security_context_is_copied_and_capabilities_are_not(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without SELinux in this kernel, what is read and set is watched."""
    path = tmp_path / "a"
    path.write_text("old")
    contexts = {"security.selinux": b"system_u:object_r:etc_t:s0\0", "security.capability": b"cap", "system.posix_acl_access": b"acl"}
    monkeypatch.setattr(os, "listxattr", lambda *a, **k: list(contexts))
    monkeypatch.setattr(os, "getxattr", lambda _path, name, **k: contexts[name])
    copied = []
    monkeypatch.setattr(os, "setxattr", lambda _fd, name, value: copied.append((name, value)))
    host.write(str(path), b"new", mode=0o644)
    assert copied == [("security.selinux", contexts["security.selinux"])]
    host.write(f"{tmp_path}/fresh", b"new", mode=0o644)
    assert len(copied) == 1


def test_a_hard_link_that_others_could_have_made_keeps_its_attributes(host: LocalHost, tmp_path: Path):
    (tmp_path / "shadow").write_text("")
    (tmp_path / "pub").mkdir()
    (tmp_path / "pub").chmod(0o777)
    os.link(tmp_path / "shadow", tmp_path / "pub/mine")
    with pytest.raises(HostError, match="a hard link"):
        host.set_attributes(f"{tmp_path}/pub/mine", mode=0o666)
    host.set_attributes(f"{tmp_path}/shadow", mode=0o640)
    assert stat.S_IMODE((tmp_path / "shadow").stat().st_mode) == 0o640


@needs_root
def test_a_directory_swapped_while_it_is_made_is_left_alone(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    mkdir = os.mkdir

    def swapped(name: str, mode: int, **named: int) -> None:
        mkdir(name, mode, **named)
        os.rmdir(tmp_path / name)
        os.rename(tmp_path / "theirs", tmp_path / name)

    monkeypatch.setattr(os, "mkdir", swapped)
    with pytest.raises(HostError, match="changed for something else"):
        host.make_directory(f"{tmp_path}/d", mode=0o755)


def test_very_deep_trees_are_refused_not_crashed_on(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local_writer, "_DEEPEST", 5)
    (tmp_path / "/".join("abcdefgh")).mkdir(parents=True)
    with pytest.raises(HostError, match="too deep"):
        host.remove_tree(f"{tmp_path}/a")
    monkeypatch.undo()
    host.remove_tree(f"{tmp_path}/a")
    assert os.listdir(tmp_path) == []


def test_one_sync_for_each_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[str] = []

    class Library:
        def syncfs(self, fd: int) -> int:
            synced.append(os.readlink(f"/proc/self/fd/{fd}"))
            return 0

    monkeypatch.setattr(local_writer, "_libc", Library())
    sync([f"{tmp_path}/a", f"{tmp_path}/b", f"{tmp_path}/gone/for/good/c"])
    assert synced == [str(tmp_path)]
    synced.clear()
    sync([f"{tmp_path}/a", "/proc/x"])
    assert len(synced) == 2


def test_a_failing_sync_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Library:
        def syncfs(self, _fd: int) -> int:
            return -1

    monkeypatch.setattr(local_writer, "_libc", Library())
    with pytest.raises(HostError, match="while syncing the file system of"):
        sync([f"{tmp_path}/a"])
    monkeypatch.undo()
    sync([f"{tmp_path}/a"])


def test_a_zero_byte_in_a_path(host: LocalHost):
    with pytest.raises(HostError, match="while reading"):
        host.stat("/etc/a\0b")


def test_messages_say_who_the_agent_is():
    assert str(refusals.refusal(13, "writing", "/x", "deploy")) == (
        "permission denied while writing /x: the agent runs as deploy; run it as root, or give that user the permission"
    )
    assert str(refusals.refusal(1, "writing", "/x", "root")) == "permission denied while writing /x: the agent runs as root"
