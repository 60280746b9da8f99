"""A cache of evaluated sources: the same source need not be evaluated twice.

Why it is sound. Nickel is pure: what an expression evaluates to hangs on its text, on the files it imports and on the evaluator,
and on nothing else (no environment, no clock, no network; `NICKEL_IMPORT_PATH` is not handed to the child). The name in an
`import` must be a literal, so the files can be found by reading the text (see `imports`); where that is not sure of something,
nothing is cached. An import is resolved anew each time, by Nickel's rules, so a file that appears in front of another is seen. The
key covers the bytes and the path of every file found, the expression, which has the overrides in it, the contracts and the
evaluator; it is taken before the evaluation and again after it, and only if both are equal is the result kept. Only results that
the contracts have accepted are kept, never errors.

An entry holds the digest of its content: one that is cut short or edited is not there. Entries are written beside and renamed,
so two commands at once do no harm.

Whoever can write an entry decides what a stack evaluates to, past every contract. So the folder is one of the user's own, never one in the
repository, and entries are taken only from a folder that belongs to the user and that nobody else can write to.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from g8r.compiler.reach import closure

MAX_ENTRIES: Final = 32
MAX_FILES: Final = 1000


def key(roots: Iterable[Path], import_paths: Sequence[Path], *parts: bytes) -> str | None:
    """The key of an evaluation that imports these files, or None where it cannot be known what it imports.

    parts: everything else that the result hangs on.
    """
    found_files = closure(roots, import_paths, MAX_FILES)
    if not found_files.complete or found_files.unsure:
        return None
    found = hashlib.sha256()
    for part in [*parts, *(piece for path, content in sorted(found_files.files.items()) for piece in (str(path).encode(), content))]:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()


def read(folder: Path, name: str) -> bytes | None:
    """The content that was kept under a key."""
    try:
        if not _own(folder):
            return None
        entry = (folder / name).read_bytes()
    except OSError:
        return None
    checksum, _, content = entry.partition(b"\n")
    return content if checksum == _checksum(content) else None


def write(folder: Path, name: str, content: bytes) -> None:
    """Keep content under a key, and throw away the oldest where there are too many. A folder that cannot be written keeps nothing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = folder / f".{name}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_checksum(content) + b"\n" + content)
        beside.replace(folder / name)
        entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in entries[:-MAX_ENTRIES]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _own(folder: Path) -> bool:
    kept = folder.stat()
    return kept.st_uid == os.geteuid() and not kept.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
