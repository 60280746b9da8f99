"""The answer to a request of ZAP (rfc.zeromq.org/spec/27), as a pure and total function: whatever comes, it does not raise.

libzmq asks once per handshake. An answer other than 200 refuses the peer, and so does none: the handshake runs out of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from g8r.executor.zeromq import keys
from g8r.executor.zeromq.roster import Roster

DOMAIN: Final = b"g8r-work"
_VERSION: Final = b"1.0"
_FRAMES: Final = 9
"""Sender's route, empty, version, request, domain, address, routing id, mechanism, the key of CURVE."""


def answer(request: Sequence[bytes], roster: Roster) -> list[bytes] | None:
    """The frames to send back; None where there is nobody to send them to. 200 only for CURVE, our domain and an admitted key."""
    if len(request) < 4 or request[1] != b"":  # noqa: PLR2004 what an answer repeats
        return None
    known = _admitted(request, roster)
    head = [request[0], b"", _VERSION, request[3]]
    return [*head, b"200", b"", known, b""] if known else [*head, b"400", b"denied", b"", b""]


def _admitted(request: Sequence[bytes], roster: Roster) -> bytes | None:
    """The key in Z85: it becomes the User-Id, a C string, of every frame of the peer, so raw bytes will not do."""
    if len(request) != _FRAMES or request[2] != _VERSION or request[4] != DOMAIN or request[7] != b"CURVE":
        return None
    key = keys.to_text(request[8])
    if key is None or roster.agent_of(key) is None:
        return None
    return key.encode("ascii")
