"""[S-crash] The store in a file where the disk is read-only or full, and where its process is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest
from ledger_samples import NOW, STACK, begun, ended, fence, key

from g8r.diagnostics import RejectedError
from g8r.executor.store import SqliteStore

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system: run as root")


def refused(call, *, code):
    with pytest.raises(RejectedError) as caught:
        call()
    [said] = caught.value.diagnostics
    assert said.code == code
    return said


def used(store):
    """A store with a ledger of two resources, closed."""
    held = begun(store)
    store.record(held, "run-1", [ended("a"), ended("b")])
    store.finish(held, "run-1", "done", NOW)
    store.close()
    return store.load(*STACK)


class TestReadOnly:
    @needs_root
    def test_a_read_only_folder_is_read_and_not_written(self, tmp_path):
        folder = tmp_path / ".g8r"
        store = SqliteStore(folder / "state.db")
        state = used(store)
        store.close()
        mount("--bind", folder, folder)
        try:
            mount("-o", "remount,ro,bind", folder)
            assert store.load(*STACK) == state
            for call in (lambda: fence(store), lambda: store.lineage("other", "default", "line-9")):
                said = refused(call, code="state-not-writable")
                assert str(folder) in said.detail
            assert store.load(*STACK) == state
            store.close()
        finally:
            umount(folder)
        assert store.load(*STACK) == state

    @needs_root
    def test_no_folder_can_be_made(self, tmp_path):
        mount("-t", "tmpfs", "-o", "ro", "none", tmp_path)
        try:
            store = SqliteStore(tmp_path / ".g8r" / "state.db")
            assert store.load(*STACK).serial == 0
            refused(lambda: store.lineage(*STACK, "line-1"), code="state-not-writable")
        finally:
            umount(tmp_path)

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / ".g8r").write_text("")
        store = SqliteStore(tmp_path / ".g8r" / "state.db")
        refused(lambda: store.lineage(*STACK, "line-1"), code="state-not-writable")


class TestFullDisk:
    @needs_root
    def test_nothing_acknowledged_is_lost(self, tmp_path):
        """[S-crash] A disk of 1 MiB fills up; with space again, the run goes on where it was."""
        mount("-t", "tmpfs", "-o", "size=1m", "none", tmp_path)
        try:
            store = SqliteStore(tmp_path / ".g8r" / "state.db")
            ballast = tmp_path / "ballast"
            ballast.write_bytes(b"x" * 300_000)
            held = begun(store)
            acknowledged = fill(store, held)
            assert acknowledged
            assert set(store.load(*STACK).resources) == acknowledged
            store.close()
            assert store.problems() == []
            assert set(store.load(*STACK).resources) == acknowledged
            ballast.unlink()
            store.record(held, "run-1", [ended("after")])
            assert set(store.load(*STACK).resources) == {*acknowledged, key("after")}
            store.close()
        finally:
            umount(tmp_path)

    @needs_root
    def test_no_space_for_a_new_file(self, tmp_path):
        mount("-t", "tmpfs", "-o", "size=40k", "none", tmp_path)
        try:
            store = SqliteStore(tmp_path / ".g8r" / "state.db")
            refused(lambda: store.lineage(*STACK, "line-1"), code="state-disk-full")
            assert [path.name for path in (tmp_path / ".g8r").iterdir()] == [".gitignore"]
        finally:
            umount(tmp_path)


def fill(store, held):
    """Records until the disk is full; returns the keys that were acknowledged."""
    acknowledged = set()
    for number in range(10_000):
        names = [f"{number}-{index}" for index in range(20)]
        try:
            store.record(held, "run-1", [ended(name) for name in names])
        except RejectedError as caught:
            assert [said.code for said in caught.diagnostics] == ["state-disk-full"]  # noqa: PT017 the loop ends here
            return acknowledged
        acknowledged.update(map(key, names))
    pytest.fail("the disk never filled up")


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def umount(folder):
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class TestCrash:
    def test_kill_9_loses_nothing_acknowledged(self, tmp_path):
        """[S-crash] [A-durable] Fifty writers, each killed at a random moment: every serial that one was told is there."""
        store = SqliteStore(tmp_path / ".g8r" / "state.db")
        begun(store)
        store.close()
        chance = random.Random(8)
        last = 0
        for number in range(50):
            told = self.killed(store.path, number, chance.uniform(0.002, 0.025))
            state = store.load(*STACK)
            assert state.serial >= max(told, last)
            of_this = [int(found.identity.rpartition("-")[2]) for found in state.resources if f"/{number}-" in found.identity]
            assert sorted(of_this) == list(range(state.serial - last)), "a transaction is there whole, or not at all"
            assert len(store.outcomes("run-1")) == len(state.resources)
            assert store.problems() == []
            store.close()
            last = state.serial
        assert last > 50

    def killed(self, path, number, after):
        """Forks a writer, kills it `after` seconds into its work, and returns the last serial that it was told."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.write_on(path, number, write)
            finally:
                os._exit(1)
        os.close(write)
        with os.fdopen(read, "rb") as told:
            assert told.readline() == b"ready\n"
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            assert os.WTERMSIG(status) == signal.SIGKILL
            lines = told.read().split(b"\n")[:-1]
        return int(lines[-1]) if lines else 0

    def write_on(self, path, number, write):
        store = SqliteStore(path)
        held = store.lease(f"child:{number}:1", "apply", NOW, 60.0, lambda owner: False).fence
        os.write(write, b"ready\n")
        for index in range(100_000):
            serial = store.record(held, "run-1", [ended(f"{number}-{index}")])
            os.write(write, f"{serial}\n".encode())
