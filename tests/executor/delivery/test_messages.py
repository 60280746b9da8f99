"""Frames: whatever the bytes, decoding answers with a message or a refusal."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from g8r.executor.delivery import ed25519, messages, order
from g8r.executor.delivery.messages import (
    MAX_CHUNK,
    MAX_CONTENT,
    MAX_FRAME,
    Accepted,
    Alive,
    Chunk,
    Declined,
    Ending,
    Greet,
    Heard,
    Hello,
    Refusal,
    Result,
    Signed,
    Unwelcome,
    Want,
    Welcome,
)
from g8r.executor.delivery.order import Acknowledgement, CatalogNotice, Order

D = "0123456789abcdef" * 4
FROM_AGENT = [
    Hello(1, 7, D), Hello(1, 7), Alive(8, None), Accepted(1, 2), Declined(1, 2, D, "fence"), Want(D, 90),
    Result(1, 2, D, 1, 3, Ending("changed", b"x")),
]  # fmt: skip
FROM_CORE = [Welcome(1, 7), Unwelcome(7, 2), Greet(), Heard(8), Signed(b"body", b"s" * 64), Chunk(D, 90, b"content")]
DIRECTIVES = [
    Order("web1", D, 10, ("file.motd",), 1, "lineage", 3, 1, 2, 1, 1_000, idempotent=False),
    Acknowledgement("web1", D, 1, 2, 1),
    CatalogNotice("web1", 1, 1, D, 10),
]
READERS = [(messages.from_agent, FROM_AGENT), (messages.from_core, FROM_CORE)]
SIGN = ed25519.signer(b"s" * 32)
CHECK = ed25519.checker(ed25519.public_key(b"s" * 32))


def opened(frame: bytes, agent: str = "web1") -> object:
    message = messages.from_core(frame)
    return order.opened(message, agent, CHECK) if isinstance(message, Signed) else message


@pytest.mark.parametrize(("read", "samples"), READERS)
def test_what_is_encoded_is_decoded(read, samples) -> None:
    assert [read(messages.encode(each)) for each in samples] == samples


@pytest.mark.parametrize(("read", "samples"), [(messages.from_agent, FROM_CORE), (messages.from_core, FROM_AGENT)])
def test_one_side_does_not_speak_for_the_other(read, samples) -> None:
    assert all(isinstance(read(messages.encode(each)), Refusal) for each in samples)


@pytest.mark.parametrize("read", [messages.from_agent, messages.from_core])
@given(frame=st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_refusal(read, frame: bytes) -> None:
    assert isinstance(read(frame), Refusal | messages.Message)


@pytest.mark.parametrize(("read", "samples"), READERS)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=6), st.integers(0, 4)), min_size=1, max_size=4),
    pick=st.integers(0, 99),
)
def test_changed_frames_give_a_message_or_a_refusal(read, samples, changes, pick: int) -> None:
    frame = messages.encode(samples[pick % len(samples)])
    for place, put, cut in changes:
        at = place % (len(frame) + 1)
        frame = frame[:at] + put + frame[at + cut :]
    answer = read(frame)
    assert isinstance(answer, Refusal | messages.Message)
    if not isinstance(answer, Refusal):
        assert read(messages.encode(answer)) == answer


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "malformed"),
        (b"\x81\xa1z" * 60_000 + b"\xc0", "malformed"),  # so deep that msgspec raises RecursionError
        (b"\x82\xa1t\xa5alive\xa5nonce\x01"[:-7] + b"\xa1\xff\x01", "malformed"),  # a text that is no UTF-8
        (b"\xdf\xff\xff\xff\xff", "malformed"),
        (b"x" * (MAX_FRAME + 1), "size"),
        (msgspec.msgpack.encode({"t": "alive", "nonce": 1, "catalog": None, "more": 1}), "malformed"),
        (msgspec.msgpack.encode({"t": "alive", "nonce": -1}), "malformed"),
        (msgspec.msgpack.encode({"t": "alive", "nonce": 1.0}), "malformed"),
        (msgspec.msgpack.encode({"t": "want", "digest": "../../etc/passwd", "offset": 0}), "malformed"),
        (msgspec.msgpack.encode({"t": "want", "digest": D + "\n", "offset": 0}), "malformed"),
        (msgspec.msgpack.encode({**msgspec.to_builtins(Accepted(1, 2)), "epoch": 2**60}), "malformed"),
        (msgspec.msgpack.encode({**msgspec.to_builtins(FROM_AGENT[-1]), "ending": {"word": "ok"}}), "malformed"),
    ],
)  # fmt: skip
def test_bad_frames_are_refused(frame: bytes, reason: str) -> None:
    answer = messages.from_agent(frame)
    assert isinstance(answer, Refusal)
    assert answer.reason == reason
    assert len(answer.detail) <= 200


def test_the_largest_frames_keep_the_limit() -> None:
    assert len(messages.encode(Chunk(D, 2**53, b"x" * MAX_CHUNK))) <= MAX_FRAME
    assert len(messages.encode(Result(2**53, 2**53, D, 2**31, 2**53, Ending("not-started", b"x" * MAX_CONTENT)))) <= MAX_FRAME


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_a_directive_is_opened_by_whom_it_is_for_and_nobody_else(directive) -> None:
    frame = order.seal(directive, SIGN)
    assert opened(frame) == directive
    other = opened(frame, "web2")
    assert isinstance(other, Refusal)
    assert other.reason == "agent"


@given(pick=st.integers(0, 2), place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_directive_with_any_byte_changed_is_never_opened_as_another(pick: int, place: int, value: int) -> None:
    frame = bytearray(order.seal(DIRECTIVES[pick], SIGN))
    frame[place % len(frame)] ^= value
    assert opened(bytes(frame)) == DIRECTIVES[pick] or isinstance(opened(bytes(frame)), Refusal)


def test_a_signature_of_another_key_or_purpose_does_not_hold() -> None:
    body = msgspec.msgpack.encode(DIRECTIVES[0])
    for signature in (SIGN(body), ed25519.signer(b"t" * 32)(order.PURPOSE + body), b"", b"s" * 64):
        answer = opened(messages.encode(Signed(body, signature)))
        assert isinstance(answer, Refusal)
        assert answer.reason == "signature"
