"""Blobs: chunk by chunk, whole or not at all, and on from where it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g8r.executor.delivery import blobs
from g8r.executor.delivery.blobs import Incoming
from g8r.executor.delivery.holdings import KEPT_BLOBS, MAX_INCOMING, Holdings
from g8r.executor.delivery.messages import Chunk, Refusal
from g8r.executor.delivery.ports import Persist


def settle(stored: dict[str, bytes], persist: Persist) -> None:
    for key in persist.deletes:
        stored.pop(key, None)
    stored.update(persist.puts)


def fetch(holdings: Holdings, content: bytes, stored: dict[str, bytes], chunk: int = 10, most: int = 10_000) -> int:
    """Serves what is wanted; how many chunks it took."""
    digest = blobs.digest_of(content)
    holdings.seek(digest, len(content), {digest})
    for served in range(most):
        wants = holdings.wants({digest}, 10**9, served * 100.0)
        if not wants:
            return served
        taken = holdings.take(Chunk(digest, wants[0].offset, blobs.cut(content, wants[0].offset, chunk)), 1, {digest})
        assert isinstance(taken, Persist)
        settle(stored, taken)
    return most


@given(content=st.binary(min_size=1, max_size=200), chunk=st.integers(1, 60), stop=st.integers(0, 30))
def test_a_transfer_goes_on_after_a_restart_and_repeats_nothing(content: bytes, chunk: int, stop: int) -> None:
    stored: dict[str, bytes] = {}
    before = fetch(Holdings(), content, stored, chunk, stop)
    again = Holdings()
    for key, value in sorted(stored.items()):
        again.load(key, value)
    after = fetch(again, content, stored, chunk)
    assert before + after == -(-len(content) // chunk)
    assert again.holds(blobs.digest_of(content), 1)
    assert b"".join(value for key, value in sorted(stored.items()) if key.startswith("part/")) == content


def test_content_that_is_not_what_its_digest_says_is_thrown_away() -> None:
    digest = blobs.digest_of(b"right")
    holdings, stored = Holdings(), {}
    holdings.seek(digest, 5, {digest})
    for offset, content in ((0, b"wro"), (3, b"ng")):
        taken = holdings.take(Chunk(digest, offset, content), 1, {digest})
        assert isinstance(taken, Persist)
        settle(stored, taken)
    assert stored == {}
    assert not holdings.holds(digest, 1)
    assert fetch(holdings, b"right", stored) == 1


@pytest.mark.parametrize(("offset", "content", "reason"), [(1, b"x", "not-expected"), (0, b"", "size"), (0, b"toolong", "size")])
def test_a_chunk_that_does_not_fit_changes_nothing(offset: int, content: bytes, reason: str) -> None:
    incoming = Incoming("0" * 64, 5)
    refusal = incoming.take(offset, content)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert incoming.want().offset == 0


def test_a_chunk_nobody_asked_for_is_refused_also_of_a_blob_that_was_only_loaded() -> None:
    holdings = Holdings()
    digest = blobs.digest_of(b"abcdef")
    holdings.load(blobs.part_key(digest, 0), b"abc")
    assert isinstance(holdings.take(Chunk(digest, 3, b"def"), 1, set()), Refusal)
    assert isinstance(holdings.take(Chunk("f" * 64, 0, b"def"), 1, set()), Refusal)


def test_what_is_kept_is_bounded() -> None:
    holdings, stored = Holdings(), {}
    for number in range(KEPT_BLOBS * 3):
        fetch(holdings, b"blob %d" % number, stored, chunk=3)
    assert holdings.sizes() == (KEPT_BLOBS, 0)
    assert sum(key.startswith("whole/") for key in stored) == KEPT_BLOBS
    wanted = [f"{number:064x}" for number in range(MAX_INCOMING + 1)]
    assert [holdings.seek(digest, 5, wanted) for digest in wanted] == [True] * MAX_INCOMING + [False]
    assert holdings.seek(wanted[-1], 5, wanted[1:])
