"""Snapshots: what a test saw last, in a text file beside the test file, `__snapshots__/main.test.ncl.snap`. Pure: text in, text out.

    # Snapshots of main.test.ncl. `g8r test --update` writes them; review them as you review code.

    plan of "a new host"
        g8r will do this to localhost:
        ...

Entries are sorted and their lines are indented, so that nothing in them can be taken for a head and a change is a small difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, cast

import msgspec

from g8r.testing.cases import SnapshotOf

FOLDER: Final = "__snapshots__"
SUFFIX: Final = ".snap"
_HEAD: Final = re.compile(r'^(plan|tasks) of ("(?:[^"\\]|\\.)*")$')
_INDENT: Final = "    "

Key: TypeAlias = tuple[str, SnapshotOf]
"""The test's name, and what the snapshot is of."""
Verdict: TypeAlias = Literal["same", "written", "updated", "missing", "different"]


def read(text: str) -> dict[Key, str]:
    """The entries of a file. What stands before the first head is a comment."""
    found: dict[Key, list[str]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        head = _HEAD.match(line)
        if head is not None:
            current = found.setdefault((msgspec.json.decode(head[2], type=str), cast("SnapshotOf", head[1])), [])
        else:
            current.append(line.removeprefix(_INDENT))
    return {key: "\n".join(lines).strip("\n") + "\n" for key, lines in found.items()}


def write(file: str, entries: Mapping[Key, str]) -> str:
    """The file with these entries; empty where there are none."""
    if not entries:
        return ""
    blocks = [f"# Snapshots of {file}. `g8r test --update` writes them; review them as you review code.\n"]
    for (name, of), text in sorted(entries.items()):
        lines = [f"{_INDENT}{line}".rstrip() for line in normal(text).removesuffix("\n").split("\n")]
        blocks.append("\n".join([f"{of} of {msgspec.json.encode(name).decode()}", *lines]) + "\n")
    return "\n".join(blocks)


def normal(text: str) -> str:
    """A text as it comes back from the file."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n") + "\n"


def judge(kept: str | None, taken: str, *, update: bool, frozen: bool) -> Verdict:
    """What is to be done about one snapshot. frozen: none may be added that nobody has looked at, as in CI."""
    if kept is None:
        return "missing" if frozen and not update else "written"
    if normal(taken) == normal(kept):
        return "same"
    return "updated" if update else "different"


def obsolete(kept: Iterable[Key], declared: Iterable[Key]) -> tuple[Key, ...]:
    """The snapshots that no test asks for any more."""
    return tuple(sorted(set(kept) - set(declared)))
