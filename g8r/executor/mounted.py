"""What is mounted where, as /proc tells it: bind mounts of one file system on itself cannot be told by device number."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from g8r.executor import refusals

_MOUNT_POINT = 4  # the field of a line of mountinfo, proc(5)
_OCTAL = re.compile(rb"\\([0-7]{3})")


def check_none_below(directory: int) -> None:
    """Refuse where a directory (a descriptor) is a mount point, or holds one."""
    path = os.readlink(f"/proc/self/fd/{directory}")  # noqa: PTH115 - a descriptor
    below = path.rstrip("/") + "/"
    for point in _mount_points():
        if point == path or point.startswith(below):
            raise refusals.mounted(point)


def _mount_points() -> Iterator[str]:
    with open("/proc/self/mountinfo", "rb") as lines:  # noqa: PTH123 - a file of the kernel, beside descriptors
        for line in lines:
            point = line.split(b" ")[_MOUNT_POINT]
            yield os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), point))
