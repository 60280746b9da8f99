"""Frames: what travels between an agent and the core. msgpack, tagged, closed, bounded.

Decoding never raises: bytes that are no message are a `Refusal`. An agent never says who it is: the transport knows that from its key.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

VERSION: Final = 1
"""What this code speaks. A hello in another version is refused: nobody is talked down to an older one."""
MAX_FRAME: Final = 262_144
MAX_CHUNK: Final = MAX_FRAME - 1024
"""The most content in one chunk, so that the frame around it keeps the limit."""
MAX_CONTENT: Final = 131_072
"""The most that a result carries itself."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
StepId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]
Digest: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Steps: TypeAlias = Annotated[tuple[StepId, ...], Meta(min_length=1, max_length=512)]

Word = Literal["changed", "unchanged", "failed", "skipped", "stale", "unknown", "not-started"]
NO_EFFECT: Final = frozenset({"failed", "skipped", "stale", "not-started"})
"""Endings after which a newer attempt may act again, also where acting twice is not acting once."""

RefusalReason = Literal[
    "size", "malformed", "signature", "agent", "epoch", "replayed", "expired", "fence", "attempt", "busy", "unsafe",
    "digest", "version", "revoked", "stranger", "not-given", "not-expected",
]  # fmt: skip


class Refusal(msgspec.Struct, frozen=True):
    """Something that was received and is not acted on. `peer` is whom it came from; `detail` is for the log, and bounded."""

    reason: RefusalReason
    detail: str = ""
    peer: str = ""


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="t"):
    """What every message has in common."""


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an order ended on its host: the outcome's word, and the outcomes themselves, which delivery does not look into."""

    word: Word
    content: Annotated[bytes, Meta(max_length=MAX_CONTENT)] = b""


# ---- from an agent ----


class Hello(Message, frozen=True, tag="hello"):
    """Opens a session. `nonce` comes back in the answer; `catalog` is the one that the agent holds."""

    version: Count
    nonce: Count
    catalog: Digest | None = None


class Alive(Message, frozen=True, tag="alive"):
    """A sign of life that wants to be heard; of an agent in step with its catalog, all there is to say."""

    nonce: Count
    catalog: Digest | None = None


class Accepted(Message, frozen=True, tag="accepted"):
    """The order is durable at the agent; it will end there, so it need not be sent again."""

    epoch: Count
    sequence: Count


class Declined(Message, frozen=True, tag="declined"):
    """The order is good, but the agent will not take it. `work` as in a result: what is said of one order must not fit another."""

    epoch: Count
    sequence: Count
    work: Digest
    reason: Literal["fence", "attempt", "busy", "expired", "epoch", "replayed", "unsafe"]


class Result(Message, frozen=True, tag="result"):
    """How an order ended; said again until it is acknowledged. `work` is the digest of its plan and steps."""

    epoch: Count
    sequence: Count
    work: Digest
    attempt: Count
    fence: Count
    ending: Ending


class Want(Message, frozen=True, tag="want"):
    """Asks for the chunk of a blob that starts there."""

    digest: Digest
    offset: Count


# ---- from the core ----


class Welcome(Message, frozen=True, tag="welcome"):
    """The answer to a hello: a session."""

    version: Count
    nonce: Count


class Unwelcome(Message, frozen=True, tag="unwelcome"):
    """The answer to a hello in a version that the core does not speak."""

    nonce: Count
    version: Count


class Greet(Message, frozen=True, tag="greet"):
    """The core knows of no session: say hello first."""


class Heard(Message, frozen=True, tag="heard"):
    """The answer to a sign of life."""

    nonce: Count


class Signed(Message, frozen=True, tag="signed"):
    """A directive with the core's signature over its bytes."""

    body: Annotated[bytes, Meta(max_length=MAX_FRAME)]
    signature: Annotated[bytes, Meta(max_length=64)]


class Chunk(Message, frozen=True, tag="chunk"):
    """A piece of a blob; empty where the blob has no such offset."""

    digest: Digest
    offset: Count
    content: Annotated[bytes, Meta(max_length=MAX_CHUNK)]


FromAgent: TypeAlias = Hello | Alive | Accepted | Declined | Result | Want
FromCore: TypeAlias = Welcome | Unwelcome | Greet | Heard | Signed | Chunk

_ENCODER: Final = msgspec.msgpack.Encoder()
_FROM_AGENT: Final[msgspec.msgpack.Decoder[FromAgent]] = msgspec.msgpack.Decoder(FromAgent)
_FROM_CORE: Final[msgspec.msgpack.Decoder[FromCore]] = msgspec.msgpack.Decoder(FromCore)
_T = TypeVar("_T")


def encode(message: FromAgent | FromCore) -> bytes:
    """The frame of a message."""
    return _ENCODER.encode(message)


def from_agent(frame: bytes) -> FromAgent | Refusal:
    """What an agent said; for any bytes at all."""
    return parse(frame, _FROM_AGENT)


def from_core(frame: bytes) -> FromCore | Refusal:
    """What the core, or somebody in its place, said; for any bytes at all."""
    return parse(frame, _FROM_CORE)


def parse(frame: bytes, decoder: msgspec.msgpack.Decoder[_T]) -> _T | Refusal:
    """The value in the bytes, or why there is none.

    msgspec lets two more than its own errors out (0.20): `RecursionError` for deep nesting, `UnicodeDecodeError` for a text that is none.
    """
    if len(frame) > MAX_FRAME:
        return Refusal("size", f"{len(frame)} bytes; the limit is {MAX_FRAME}")
    try:
        return decoder.decode(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as problem:
        return Refusal("malformed", str(problem)[:200])
