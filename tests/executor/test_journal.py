"""What every journal holds, and what only the one in a file can do wrong."""

from __future__ import annotations

import os
import signal
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ledger_samples import key

from g8r.diagnostics import RejectedError
from g8r.executor.journal import MemoryJournal, SqliteJournal
from g8r.executor.ports import Conflict, Effect, Owner
from g8r.outcome import Changed, Failure

JOURNALS = {"sqlite": lambda folder: SqliteJournal(folder / "g8r" / "journal.db"), "memory": lambda folder: MemoryJournal()}
KEYS = [key("a"), key("b"), key("c")]
WEB, SHOP = Owner("web", "default"), Owner("shop", "default")


@pytest.fixture(params=sorted(JOURNALS))
def journal(request, tmp_path):
    made = JOURNALS[request.param](tmp_path)
    yield made
    made.close()


class TestOwners:
    """[S-owner]"""

    def test_nobody_owns_anything_at_first(self, journal):
        assert journal.owners(KEYS) == {}

    def test_a_claim_is_kept(self, journal):
        assert journal.claim(KEYS[:2], "web", "default") == ()
        assert journal.claim(KEYS[:2], "web", "default") == ()
        journal.close()
        assert journal.owners(KEYS) == {KEYS[0]: WEB, KEYS[1]: WEB}

    @pytest.mark.parametrize("other", [Owner("shop", "default"), Owner("web", "production")])
    def test_anothers_is_a_conflict_and_nothing_is_taken(self, journal, other):
        journal.claim(KEYS[1:], "web", "default")
        found = journal.claim([key("z"), *reversed(KEYS)], other.stack, other.workspace)
        assert found == (Conflict(KEYS[1], WEB), Conflict(KEYS[2], WEB))
        assert journal.owners([key("z"), *KEYS]) == {KEYS[1]: WEB, KEYS[2]: WEB}

    def test_the_name_of_the_host_does_not_matter(self, journal):
        journal.claim([key("a", host="localhost")], "web", "default")
        assert journal.claim([key("a", host="web1")], "shop", "default") == (Conflict(key("a", host="web1"), WEB),)
        assert journal.claim([key("a", kind="directory")], "shop", "default") == ()

    def test_release_frees_only_ones_own(self, journal):
        journal.claim(KEYS[:1], "web", "default")
        journal.claim(KEYS[1:], "shop", "default")
        journal.release(KEYS, "web", "default")
        assert journal.owners(KEYS) == {KEYS[1]: SHOP, KEYS[2]: SHOP}
        assert journal.claim(KEYS[:1], "shop", "default") == ()

    def test_hand_over(self, journal):
        journal.claim(KEYS[:2], "web", "default")
        journal.hand_over(KEYS[1:], "shop", "default")
        assert journal.owners(KEYS) == {KEYS[0]: WEB, KEYS[1]: SHOP, KEYS[2]: SHOP}


class TestThreads:
    """Steps run in threads, and all of them write to their agent's one journal."""

    def test_steps_that_begin_and_end_at_once_are_all_kept(self, journal):
        threads, steps = 8, 25
        together = threading.Barrier(threads)

        def work(number):
            together.wait()
            for step in range(steps):
                name = f"{number}-{step}"
                assert journal.effect("run", name) is None
                journal.started("run", name, 1)
                journal.done("run", name, Changed())

        with ThreadPoolExecutor(threads) as pool:
            for each in [pool.submit(work, number) for number in range(threads)]:
                each.result()
        kept = [journal.effect("run", f"{number}-{step}") for number in range(threads) for step in range(steps)]
        assert kept == [Effect(1, Changed())] * threads * steps


class TestEffects:
    """[A-intent]"""

    def test_an_effect_is_started_then_done(self, journal):
        assert journal.effect("run-1", "s") is None
        journal.started("run-1", "s", 1)
        journal.close()
        assert journal.effect("run-1", "s") == Effect(1, None)
        journal.done("run-1", "s", Changed({"a": [1]}, {"b": None}))
        journal.close()
        assert journal.effect("run-1", "s") == Effect(1, Changed({"a": [1]}, {"b": None}))
        assert journal.effect("run-2", "s") is None

    def test_another_attempt_is_open_again(self, journal):
        journal.started("run-1", "s", 1)
        journal.done("run-1", "s", Failure("no"))
        journal.started("run-1", "s", 2)
        assert journal.effect("run-1", "s") == Effect(2, None)

    def test_done_without_started_is_a_bug(self, journal):
        with pytest.raises(LookupError):
            journal.done("run-1", "s", Changed())

    def test_a_settled_run_is_forgotten(self, journal):
        journal.settle("run-0")
        journal.started("run-1", "s", 1)
        journal.started("run-2", "s", 1)
        journal.settle("run-1")
        assert (journal.effect("run-1", "s"), journal.effect("run-2", "s")) == (None, Effect(1, None))


class TestFences:
    """[S-lock]"""

    def test_a_lower_fence_is_not_admitted(self, journal):
        assert journal.admit("line-1", 5)
        assert journal.admit("line-1", 5)
        assert not journal.admit("line-1", 4)
        journal.close()
        assert not journal.admit("line-1", 4)
        assert journal.admit("line-1", 6)
        assert not journal.admit("line-1", 5)

    def test_every_ledger_counts_for_itself(self, journal):
        journal.admit("line-1", 5)
        assert journal.admit("line-2", 1)


class TestFile:
    def test_reading_makes_nothing(self, tmp_path):
        """[P-pure]"""
        journal = SqliteJournal(tmp_path / "g8r" / "journal.db")
        assert (journal.owners(KEYS), journal.effect("run-1", "s")) == ({}, None)
        journal.settle("run-1")
        journal.close()
        assert list(tmp_path.iterdir()) == []

    def test_it_is_private(self, tmp_path):
        journal = SqliteJournal(tmp_path / "g8r" / "journal.db")
        journal.started("run-1", "s", 1)
        assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
        assert not (journal.path.parent / ".gitignore").exists()
        journal.close()

    def test_damage_is_refused_and_left_alone(self, tmp_path):
        journal = SqliteJournal(tmp_path / "journal.db")
        journal.path.write_bytes(b"damaged " * 1000)
        with pytest.raises(RejectedError) as caught:
            journal.claim(KEYS, "web", "default")
        assert [said.code for said in caught.value.diagnostics] == ["journal-damaged"]
        assert journal.path.read_bytes() == b"damaged " * 1000

    def test_a_state_file_is_no_journal(self, tmp_path):
        from g8r.executor.store import SqliteStore

        store = SqliteStore(tmp_path / "state.db")
        store.lineage("web", "default", "line-1")
        store.close()
        with pytest.raises(RejectedError, match="is not a journal"):
            SqliteJournal(tmp_path / "state.db").started("run-1", "s", 1)

    def test_what_was_started_outlives_the_process(self, tmp_path):
        path = tmp_path / "journal.db"
        child = os.fork()
        if child == 0:
            journal = SqliteJournal(path)
            journal.started("run-1", "a", 1)
            journal.done("run-1", "a", Changed())
            journal.started("run-1", "b", 1)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        journal = SqliteJournal(path)
        assert (journal.effect("run-1", "a"), journal.effect("run-1", "b")) == (Effect(1, Changed()), Effect(1, None))
        journal.close()
