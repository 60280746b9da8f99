"""Directives: what only the core may say, so it signs it. The edge carries them and can drop them, but not alter,
make up or readdress them.

A signature is over a prefix of its own and the exact bytes that travel, so what was checked is what is read, and no signature made for
another purpose fits. Each directive names the agent that it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from g8r.executor.delivery import blobs, messages
from g8r.executor.delivery.messages import Count, Digest, Message, Name, Refusal, Signed, Steps

Sign: TypeAlias = Callable[[bytes], bytes]
"""The signature of these bytes."""
Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Whether the second is the core's signature of the first. Never raises."""

Size: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]

PURPOSE: Final = b"g8r directive 1\0"


class Order(Message, frozen=True, tag="order"):
    """A work order: these steps of that plan, once. One that is not `idempotent` has a single step.

    `plan` is the digest of the agent's part of the plan, `size` its length in bytes. `attempt` tells tries of the same steps apart.
    `fence` is the writer's of that `lineage`. `epoch` and `sequence` name the order among all of this agent's; below `floor`, all are
    settled. After `expires` (seconds since the epoch) it is not taken any more; one that was taken is performed.
    """

    agent: Name
    plan: Digest
    size: Size
    steps: Steps
    attempt: Annotated[int, Meta(ge=1, le=2**31)]
    lineage: Name
    fence: Count
    epoch: Count
    sequence: Count
    floor: Count
    expires: Count
    idempotent: bool


class Acknowledgement(Message, frozen=True, tag="acknowledged"):
    """The core has the result of that order durably, or needs none: the agent may forget it.

    It names the work beside the number: a result that somebody made up for a number of ours must not earn an acknowledgement of another.
    """

    agent: Name
    work: Digest
    epoch: Count
    sequence: Count
    floor: Count


class CatalogNotice(Message, frozen=True, tag="catalog"):
    """The catalog that is in force for the agent from now on; a higher number replaces a lower one."""

    agent: Name
    epoch: Count
    number: Count
    digest: Digest
    size: Size


Directive: TypeAlias = Order | Acknowledgement | CatalogNotice
WorkKey: TypeAlias = str
"""What is the same for all attempts: the digest of plan and steps."""

_DECODER: Final[msgspec.msgpack.Decoder[Directive]] = msgspec.msgpack.Decoder(Directive)


def key_of(order: Order) -> WorkKey:
    return blobs.digest_of(msgspec.msgpack.encode((order.plan, order.steps)))


def seal(directive: Directive, sign: Sign) -> bytes:
    """The frame of a directive."""
    body = msgspec.msgpack.encode(directive)
    return messages.encode(Signed(body, sign(PURPOSE + body)))


def opened(signed: Signed, agent: str, check: Check) -> Directive | Refusal:
    """The directive, if the core signed it and means this agent. Nothing of it is read before the signature holds."""
    if not check(PURPOSE + signed.body, signed.signature):
        return Refusal("signature")
    directive = messages.parse(signed.body, _DECODER)
    if isinstance(directive, Refusal):
        return directive
    if directive.agent != agent:
        return Refusal("agent", f"it is for {directive.agent}")
    return directive
