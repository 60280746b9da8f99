"""Fake hosts as JSON, so that one outlives the command it was made for: its files, and what its programs know of packages and units.

Pure: a snapshot to bytes and back. Whoever keeps the bytes decides where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from g8r.executor.fake_host import Snapshot
from g8r.executor.fake_programs.apt_archive import Archive, Package
from g8r.executor.fake_programs.systemd import Runtime
from g8r.executor.fake_tree import Node


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A snapshot with a type for each database."""

    nodes: dict[str, Node]
    apt: Archive | None = None
    dpkg: dict[str, Package] | None = None
    systemd: dict[str, Runtime] | None = None


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON. Raises TypeError where a program knows something that has no type here."""
    databases = cast("Mapping[str, Any]", snapshot.databases)
    unknown = sorted(databases.keys() - set(_Kept.__struct_fields__))
    if unknown:
        message = f"no type for the databases {', '.join(unknown)}"
        raise TypeError(message)
    return msgspec.json.encode(_Kept(dict(snapshot.nodes), **databases), order="sorted")


def decode(content: bytes) -> Snapshot:
    """The snapshot. Raises msgspec.DecodeError where the content is none."""
    kept = msgspec.json.decode(content, type=_Kept)
    databases = {"apt": kept.apt, "dpkg": kept.dpkg, "systemd": kept.systemd}
    return Snapshot(kept.nodes, {name: value for name, value in databases.items() if value is not None})
