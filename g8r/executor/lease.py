"""Leases, decided purely: whether one is live, and what is said to whoever must wait. The stores keep them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from g8r.diagnostics import RejectedError, error, reject
from g8r.executor.ports import Alive
from g8r.state import Lease


class FencedError(RejectedError):
    """Somebody else has taken over, or the lease was given back: this writer must stop."""

    def __init__(self, fence: int, newest: Lease | None) -> None:
        who = f"{newest.owner} took it over for {newest.operation}, at {newest.acquired}" if newest else "it has been given back"
        detail = f"What was acknowledged before is kept (fence {fence}): {who}. See `g8r state lock`, then plan again."
        super().__init__((error("fenced", "this run no longer holds the lock on the state", detail),))


class Held(msgspec.Struct, frozen=True):
    """A lease as it is kept: `ttl` is in seconds, as its owner asked for; `released` when it was given back."""

    lease: Lease
    ttl: float
    released: bool = False


def taken(held: Held | None, wanted: Held, alive: Alive) -> Held:
    """The wanted lease with the next fence; raises a `RejectedError` while another owner's is live."""
    if held is None:
        return _fenced(wanted, 1)
    other = held.lease
    if not held.released and other.owner != wanted.lease.owner and is_live(held, wanted.lease.acquired, alive):
        raise _locked(other)
    return _fenced(wanted, other.fence + 1)


def is_live(held: Held, now: str, alive: Alive) -> bool:
    silence = datetime.fromisoformat(now) - datetime.fromisoformat(held.lease.heartbeat)
    return silence.total_seconds() <= held.ttl and alive(held.lease.owner)


def check(held: Held | None, fence: int) -> Held:
    """The newest lease; raises `FencedError` unless `fence` is its, and it was not given back."""
    if held is None or held.released or held.lease.fence != fence:
        raise FencedError(fence, held.lease if held and not held.released else None)
    return held


def _locked(other: Lease) -> RejectedError:
    return reject(
        "state-locked",
        f"the state is in use: {other.operation} by {other.owner} since {other.acquired}",
        f"Its last sign of life was at {other.heartbeat}; the lock of a process that has died lapses by itself. "
        "Wait for it to end, or look at `g8r state lock`.",
    )


def _fenced(wanted: Held, fence: int) -> Held:
    return msgspec.structs.replace(wanted, lease=msgspec.structs.replace(wanted.lease, fence=fence))
