"""When to look for a peer that fills our memory: only after it has grown, as asking the kernel about every connection costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_STEP: Final = 16 * 1024 * 1024
_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Gauge:
    """The resident memory of this process."""

    def __init__(self) -> None:
        self._seen = resident()

    def grown(self) -> bool:
        """Whether it has grown by 16 MiB since this last was so, or since it was lower."""
        now = resident()
        if now < self._seen + _STEP:
            self._seen = min(self._seen, now)
            return False
        self._seen = now
        return True


def resident() -> int:
    """Bytes, as proc_pid_statm(5) has them."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE
