"""The kinds: one file each, none knowing another. This table is the only registration; a kind is imported when first used."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final, cast

from g8r.module import AnyModule

_CLASSES: Final = {
    "command": "Command",
    "directory": "Directory",
    "file": "File",
    "group": "Group",
    "line": "Line",
    "link": "Link",
    "package": "Package",
    "service": "Service",
    "template": "Template",
    "user": "User",
}

KINDS: Final = tuple(sorted(_CLASSES))


@cache
def load(kind: str) -> AnyModule:
    """The module of a kind. Raises KeyError for one that is not in `KINDS`."""
    name = _CLASSES[kind]
    return cast("AnyModule", getattr(importlib.import_module(f"g8r.modules.{kind}"), name)())
