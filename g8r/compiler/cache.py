"""A cache of evaluated sources: the same source need not be evaluated twice.

Why it is sound. Nickel is pure: what an expression evaluates to hangs on its text, on the files it imports and on the evaluator,
and on nothing else (no environment, no clock, no network; `NICKEL_IMPORT_PATH` is not handed to the child). The name in an
`import` must be a literal, so the files can be found by scanning the text. The scan errs on one side only: it takes more for an
import than is one (in a comment, in a string), and where something might be an import whose name it cannot read (a package, an
escape in the name, a name in a multi-line string), nothing is cached. An import is resolved anew each time, by Nickel's rules,
so a file that appears in front of another is seen. The key covers the bytes and the path of every file found, the expression,
which has the overrides in it, the contracts and the evaluator; it is taken before the evaluation and again after it, and only if
both are equal is the result kept. Only results that the contracts have accepted are kept, never errors.

An entry holds the digest of its content: one that is cut short or edited is not there. Entries are written beside and renamed,
so two commands at once do no harm.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

MAX_ENTRIES: Final = 32
MAX_FILES: Final = 1000
_IMPORT: Final = re.compile(r"\bimport\b(?:\s*\"(?P<name>[^\"\\%\n]*)\"(?:\s*as\s*'(?P<format>\w+))?)?")
_DATA: Final = frozenset({".json", ".yaml", ".yml", ".toml", ".txt"})


def key(roots: Iterable[Path], import_paths: Sequence[Path], *parts: bytes) -> str | None:
    """The key of an evaluation that imports these files, or None where it cannot be known what it imports.

    parts: everything else that the result hangs on.
    """
    closure = _closure(roots, import_paths)
    if closure is None:
        return None
    found = hashlib.sha256()
    for part in [*parts, *(piece for path, content in sorted(closure.items()) for piece in (str(path).encode(), content))]:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()


def read(folder: Path, name: str) -> bytes | None:
    """The content that was kept under a key."""
    try:
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


def imports(text: str) -> list[str] | None:
    """The names of the files that a Nickel source imports, and perhaps more; None where one cannot be read."""
    found = []
    for match in _IMPORT.finditer(text):
        if match["name"] is not None:
            if match["format"] == "Nickel" and Path(match["name"]).suffix in _DATA:
                return None  # its imports would not be looked for
            found.append(match["name"])
        elif not _only_comment(text, match.start()):
            return None
    return found


def _only_comment(text: str, at: int) -> bool:
    """Whether a word stands in a line that can be nothing but a comment, or text without anything evaluated in it."""
    line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
    return line.lstrip().startswith("#") and "{" not in line


def _closure(roots: Iterable[Path], import_paths: Sequence[Path]) -> dict[Path, bytes] | None:
    """All files that are imported, by path, with their content."""
    found: dict[Path, bytes] = {}
    pending = list(roots)
    while pending:
        path = pending.pop()
        if path in found:
            continue
        try:
            found[path] = path.read_bytes()
            names = imports(found[path].decode()) if path.suffix not in _DATA else []
        except (OSError, UnicodeDecodeError):
            return None
        if names is None or len(found) > MAX_FILES:
            return None
        for name in names:
            resolved = next((base / name for base in (path.parent, *import_paths) if (base / name).is_file()), None)
            if resolved is None:
                return None
            pending.append(Path(os.path.normpath(resolved)))
    return found


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
