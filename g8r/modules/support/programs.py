"""What kinds that act through programs share: how their failures are worded, and what only root may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from g8r.change import Blocked, Failed
from g8r.host import Ran
from g8r.module import Ahead

OUTPUT_LIMIT: Final = 64 * 1024
"""Bytes of a program's output that a Failed or a State carries at most."""


def failed(argv: Sequence[str], ran: Ran, context: str = "") -> Failed:
    """A program that was not content: its own last words as the reason, all that it said as the output."""
    words = context or f"`{' '.join(argv)}` failed"
    return Failed(f"{words}: {ran.complaint}", said(ran))


def said(ran: Ran) -> str:
    """What a program wrote, stdout first, the last 64 KiB."""
    return bounded(ran.stdout + ran.stderr)


def bounded(raw: bytes) -> str:
    """The last 64 KiB of some output, as text."""
    return raw[-OUTPUT_LIMIT:].decode("utf-8", "replace")


def needs_root(ahead: Ahead, act: str) -> Blocked | None:
    """Why an agent that is not root cannot `act` ("install packages"); None where it is."""
    if ahead.privileged:
        return None
    return Blocked(f'only root may {act}, and g8r acts as "{ahead.user}" here: run it as root')
