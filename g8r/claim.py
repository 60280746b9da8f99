"""Claims: what a task provides, requires and holds. One declaration gives edges, conflicts, locks and the hand-over of orphans."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import Final

import msgspec

UNIT_FOLDER: Final = "/etc/systemd/system"
_PATHS: Final = 1 << 14
UNIT_SUFFIXES: Final = (".automount", ".mount", ".path", ".service", ".slice", ".socket", ".swap", ".target", ".timer")


class Claims(msgspec.Struct, frozen=True):
    """What a task provides, requires and holds on its host: `KIND:NAME` strings, normalised.

    Two tasks that provide the same claim, or one that provides what the other `excludes`, are an error. A required claim that a task
    provides makes an edge; `path:` requires its nearest provided ancestor. A claim that no task provides must hold on the host. With
    `removes`, what is provided is provided by being taken away, and the edges turn round. Locks are never held twice at once.
    What it `follows` makes an edge where a task provides it, as `requires` does, but need not hold.
    """

    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    removes: bool = False
    follows: tuple[str, ...] = ()


@lru_cache(_PATHS)
def normal_path(path: str) -> str:
    """`/a//b/../c` as `/a/c`: the form of identities and claims. Remembered: a path is asked for some ten times in a plan."""
    return "/" + posixpath.normpath(path).lstrip("/")


def path_claim(path: str) -> str:
    return f"path:{normal_path(path)}"


def parent_claim(path: str) -> tuple[str, ...]:
    """What a path requires: the directory it is in; nothing where that is the root."""
    parent = posixpath.dirname(normal_path(path))
    return () if parent == "/" else (f"path:{parent}",)


def unit_claims(path: str) -> tuple[str, ...]:
    """What a file provides by being a systemd unit (systemd.unit(5), the units of the administrator)."""
    folder, name = posixpath.split(normal_path(path))
    return (f"unit:{name}",) if folder == UNIT_FOLDER and name.endswith(UNIT_SUFFIXES) else ()


def account_claims(owner: str | None, group: str | None) -> tuple[str, ...]:
    """The user and group that a path's attributes require; numeric ids require nothing."""
    owners = (f"user:{owner}",) if owner and not owner.isdigit() else ()
    groups = (f"group:{group}",) if group and not group.isdigit() else ()
    return owners + groups
