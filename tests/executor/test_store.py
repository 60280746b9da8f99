"""The store in a file: what only files can do wrong. What it shares with every store is in test_store_contract.py."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import apsw
import pytest
from ledger_samples import NOW, STACK, begun, ended, fence, intent, key, plan, resource, run

from g8r.diagnostics import RejectedError
from g8r.executor import store_runs
from g8r.executor.store import SqliteStore
from g8r.outcome import Failure, Unchanged
from g8r.state import Dropped, Ended, Recorded


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / ".g8r" / "state.db")
    yield made
    made.close()


def refused(call, *, code):
    with pytest.raises(RejectedError) as caught:
        call()
    [said] = caught.value.diagnostics
    assert said.code == code
    return said


def query(store, sql):
    connection = apsw.Connection(str(store.path))
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def used(store):
    """A store with a ledger of two resources, closed."""
    held = begun(store)
    store.record(held, "run-1", [ended("a"), ended("b")])
    store.finish(held, "run-1", "done", NOW)
    store.close()
    return store.load(*STACK)


class TestFolder:
    def test_reading_makes_nothing(self, store, tmp_path):
        store.load(*STACK)
        assert (store.runs(*STACK, 1), store.outcomes("x"), store.fidelity(), store.holder(), store.applied("x")) == (
            [],
            [],
            [],
            None,
            None,
        )
        assert store.touched_since(*STACK, 0) == set()
        assert list(tmp_path.iterdir()) == []

    def test_the_folder_is_private_and_out_of_version_control(self, store):
        store.lineage(*STACK, "line-1")
        folder = store.path.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert (folder / ".gitignore").read_text() == "*\n"
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("state.db*")} == {0o600}

    def test_a_folder_of_the_user_is_left_alone(self, tmp_path):
        tmp_path.chmod(0o755)
        made = SqliteStore(tmp_path / "mine.db")
        made.lineage(*STACK, "line-1")
        made.close()
        assert [path.name for path in tmp_path.iterdir()] == ["mine.db"]
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    def test_a_closed_store_is_one_file(self, store):
        used(store)
        store.close()
        assert sorted(path.name for path in store.path.parent.iterdir()) == [".gitignore", "state.db"]

    def test_every_commit_is_synchronised(self, store):
        store.lineage(*STACK, "line-1")
        assert (store._connection.pragma("journal_mode"), store._connection.pragma("synchronous")) == ("wal", 2)


class TestDamage:
    def test_what_is_no_database_is_left_as_it_is(self, store):
        store.path.parent.mkdir()
        store.path.write_bytes(b"not a database at all, but long enough to be looked at" * 40)
        before = store.path.read_bytes()
        for call in (lambda: store.load(*STACK), lambda: store.lineage(*STACK, "line-1")):
            said = refused(call, code="state-damaged")
            assert str(store.path) in said.summary
            assert "g8r state rebuild" in said.detail
        assert store.path.read_bytes() == before

    def test_an_empty_file_is_damage(self, store):
        store.path.parent.mkdir()
        store.path.touch()
        refused(lambda: store.lineage(*STACK, "line-1"), code="state-damaged")
        assert store.path.stat().st_size == 0

    def test_overwritten_pages(self, store):
        used(store)
        store.close()
        content = bytearray(store.path.read_bytes())
        content[4096:] = b"\x5a" * (len(content) - 4096)
        store.path.write_bytes(content)
        refused(lambda: store.load(*STACK), code="state-damaged")
        refused(lambda: fence(store), code="state-damaged")
        store.close()
        assert store.path.read_bytes() == content

    def test_a_record_that_is_no_record(self, store):
        used(store)
        query(store, "UPDATE resources SET record = CAST('{\"key\":1}' AS BLOB)")
        refused(lambda: store.load(*STACK), code="state-damaged")

    def test_a_plan_that_is_no_plan(self, store):
        used(store)
        query(store, "UPDATE plans SET steps = x'00'")
        refused(lambda: store.plan_of("run-1"), code="state-damaged")

    def test_a_blob_that_is_gone(self, store):
        held = begun(store)
        store.record(held, "run-1", [Ended("s", Unchanged(), (Recorded(resource("a", "long" * 5000)),))])
        query(store, "DELETE FROM blobs")
        refused(lambda: store.load(*STACK), code="state-damaged")

    def test_another_programs_database(self, store):
        store.path.parent.mkdir()
        query(store, "CREATE TABLE theirs (x)")
        refused(lambda: store.lineage(*STACK, "line-1"), code="state-foreign")
        assert query(store, "SELECT name FROM sqlite_schema") == [("theirs",)]

    def test_a_newer_format(self, store):
        state = used(store)
        store.close()
        query(store, "PRAGMA user_version = 99")
        said = refused(lambda: store.load(*STACK), code="state-newer")
        assert "99" in said.detail
        refused(lambda: fence(store), code="state-newer")
        query(store, "PRAGMA user_version = 1")
        assert store.load(*STACK) == state

    def test_a_good_file_has_no_problems(self, store):
        assert store.problems() == []
        used(store)
        assert store.problems() == []


class TestCopy:
    def test_the_copy_is_named_and_works(self, store):
        state = used(store)
        begun(store, 2)
        store.close()
        copy = store.path.with_name("state.db.backup")
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        store.path.write_bytes(b"damaged " * 1000)
        said = refused(lambda: store.load(*STACK), code="state-damaged")
        assert str(copy) in said.detail
        for name in ("state.db", "state.db-wal", "state.db-shm"):
            store.path.with_name(name).unlink(missing_ok=True)
        copy.rename(store.path)
        assert store.load(*STACK) == state

    def test_the_first_run_has_nothing_to_copy(self, store):
        begun(store)
        assert list(store.path.parent.glob("*.backup")) == []

    def test_it_is_made_anew_after_an_hour(self, store):
        used(store)
        made = []
        for number, started in ((2, NOW), (3, "2026-03-01T12:59:00Z"), (4, "2026-03-01T13:00:01Z")):
            held = fence(store)
            store.begin(held, run(number, started), plan(number), [], [], {})
            made.append(store.path.with_name("state.db.backup").stat().st_ino)
        assert made[0] == made[1] != made[2]

    def test_damage_is_never_copied_over_it(self, store):
        used(store)
        begun(store, 2)
        store.close()
        copy = store.path.with_name("state.db.backup")
        good = copy.read_bytes()
        copy.write_bytes(good)
        query(store, "UPDATE copies SET made = '2020-01-01T00:00:00Z'")
        content = bytearray(store.path.read_bytes())
        content[4096 * 3 :] = b"\x5a" * (len(content) - 4096 * 3)
        store.path.write_bytes(content)
        refused(lambda: begun(store, 3), code="state-damaged")
        assert copy.read_bytes() == good


class TestBulk:
    def blobs(self, store):
        return query(store, "SELECT count(*) FROM blobs")[0][0]

    def test_equal_contents_are_kept_once_and_dropped_with_the_last(self, store):
        held = fence(store)
        store.edit(held, *STACK, [Recorded(resource("a", "x" * 9000)), Recorded(resource("b", "x" * 9000))])
        assert self.blobs(store) == 1
        store.edit(held, *STACK, [Dropped(key("a"))])
        assert self.blobs(store) == 1
        assert store.load(*STACK).resources == {key("b"): resource("b", "x" * 9000)}
        store.edit(held, *STACK, [Recorded(resource("b", "short"))])
        assert self.blobs(store) == 0

    def test_a_rows_size_does_not_grow_with_its_contents(self, store):
        held = fence(store)
        store.edit(held, *STACK, [Recorded(resource("a", "x" * 1_000_000))])
        assert query(store, "SELECT max(length(record)) FROM resources")[0][0] < 4096

    def test_an_outcome_and_a_plan_hold_theirs(self, store):
        held = begun(store, blobs={})
        store.record(held, "run-1", [Ended("s", Failure("no", "y" * 9000))])
        store.finish(held, "run-1", "failed", NOW)
        store.edit(held, *STACK, [Recorded(resource("a"))])
        assert store.outcomes("run-1") == [("s", Failure("no", "y" * 9000))]

    def test_old_runs_keep_only_their_line(self, store, monkeypatch):
        monkeypatch.setattr(store_runs, "KEPT_RUNS", 2)
        for number in range(1, 6):
            held = begun(store, number, steps=("a",))
            store.record(held, f"run-{number}", [Ended("s", Failure("no", f"{number}" * 9000))])
            store.finish(held, f"run-{number}", "failed", NOW)
        assert [found.counts for found in store.runs(*STACK, 9)] == [{"failed": 1}] * 5
        assert [len(store.outcomes(f"run-{number}")) for number in range(1, 6)] == [0, 0, 1, 1, 1]
        assert (store.applied("plan-1"), self.blobs(store)) == ("run-1", 3)
        refused(lambda: store.plan_of("run-1"), code="run-plan-unknown")


class TestOthers:
    def test_two_processes_take_turns(self, store, tmp_path):
        """[S-lock] Two stores on one file: the second sees what the first wrote, and is fenced."""
        second = SqliteStore(store.path)
        held = begun(store)
        assert second.load(*STACK).intents == (intent("a"), intent("b"))
        store.record(held, "run-1", [ended("a")])
        assert second.load(*STACK).serial == 1
        second.close()

    def test_a_dead_process_loses_its_lease(self, store):
        from g8r.executor import store_owner

        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        host = store_owner.this_process().rsplit(":", 2)[0]
        owner = f"{host}:{child.pid}:{store_owner._started(child.pid)}"
        assert store_owner.alive(owner)
        assert not store_owner.alive(f"{host}:{child.pid}:1")
        child.kill()
        child.wait()
        assert not store_owner.alive(owner)
        assert store_owner.alive(f"other.{host}:{child.pid}:1")
        assert store_owner.alive(store_owner.this_process())

    def test_racers_make_one_file(self, tmp_path):
        """Six processes plan at once in a new folder: all get the same lineage."""
        path = tmp_path / ".g8r" / "state.db"
        read, write = os.pipe()
        children = []
        for number in range(6):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    lineage = SqliteStore(path).lineage(*STACK, f"line-{number}")
                    os.write(write, f"{lineage}\n".encode())
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
        os.close(write)
        with os.fdopen(read) as lines:
            assert len(set(lines.read().split())) == 1


class TestTransactions:
    def test_what_fails_in_the_middle_has_not_happened(self, store):
        """A key that SQLite cannot hold, after the outcomes were written: neither they nor anything else stays."""
        held = begun(store)
        store.record(held, "run-1", [ended("a")])
        before = store.load(*STACK), store.outcomes("run-1")
        with pytest.raises(UnicodeEncodeError):
            store.record(held, "run-1", [ended("b", Dropped(key("\ud800")), outcome=Unchanged())])
        assert (store.load(*STACK), store.outcomes("run-1")) == before
        store.record(held, "run-1", [ended("b")])
