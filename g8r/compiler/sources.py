"""Sources: the files beside a stack that its tasks name (`source = "files/motd"`).

Only what is in the stack's folder can be named, so that a plan never carries what its author cannot have meant: no absolute path, no
`..`. A symbolic link may lead to another place of what the stack may read (its repository and the import paths, see `reach`), and no
further. What is below `.git` and `.g8r` is no part of a stack. `folder_reader` is the one place that touches the disk; what leads out
is not looked at there, not even for whether it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

import msgspec

from g8r.compiler.reach import Reach
from g8r.diagnostics import did_you_mean
from g8r.reference import escape
from g8r.value import digest

TEXT_LIMIT: Final = 256 * 1024
"""Bytes of text that go into a param; what is larger, or no UTF-8, travels as a blob."""
_LISTED: Final = 2000

ReadSource: TypeAlias = Callable[[str], bytes]
"""Gives the bytes of a source by its path as the user wrote it, or raises SourceError."""


class SourceError(Exception):
    """A source cannot be used; `summary` and `detail` are for the user."""

    def __init__(self, summary: str, detail: str) -> None:
        self.summary = summary
        self.detail = detail
        super().__init__(f"{summary}: {detail}")


class Loaded(msgspec.Struct, frozen=True):
    """A source: its text, escaped so that nothing in it is taken for a reference, or the digest of its bytes in `blobs`."""

    text: str | None
    digest: str = ""
    blobs: dict[str, bytes] = {}


def loader(read_source: ReadSource) -> Callable[[str], Loaded]:
    """What gives sources by path, each read once. It raises SourceError."""

    @cache
    def load(path: str) -> Loaded:
        check_inside(path)
        content = read_source(path)
        if len(content) <= TEXT_LIMIT:
            try:
                return Loaded(str(escape(content.decode())))
            except UnicodeDecodeError:
                pass
        name = digest(content)
        return Loaded(None, name, {name: content})

    return load


def check_inside(path: str) -> None:
    """Raises SourceError where a path does not lead to a place below the stack's folder, by its wording alone."""
    pure = PurePosixPath(path)
    if not path or "\0" in path or not pure.parts:
        refusal = SourceError("a source needs a path", 'Name a file beside the stack, such as "files/motd".')
        raise refusal
    if pure.is_absolute():
        refusal = SourceError(
            f'the source "{path}" is not beside the stack', "Give its path relative to the stack's folder, and put it there."
        )
        raise refusal
    if ".." in pure.parts:
        refusal = SourceError(
            f'the source "{path}" leads out of the stack\'s folder', "Put the file beside the stack, and name it without `..`."
        )
        raise refusal


def folder_reader(folder: Path, reach: Reach | None = None) -> ReadSource:
    """Reads sources from a stack's folder, through links wherever the reach allows; without one, only there."""
    root = folder.resolve()
    allowed = reach or Reach(root, "folder", root / "stack")

    def read(path: str) -> bytes:
        check_inside(path)
        real = _real(root, path, allowed)
        if not real.is_file():
            if not real.exists():
                raise _missing(root, path, allowed)
            refusal = SourceError(f'the source "{path}" is no file', "A source is one regular file.")
            raise refusal
        try:
            return real.read_bytes()
        except FileNotFoundError:
            raise _missing(root, path, allowed) from None
        except OSError as refused:
            refusal = SourceError(f'the source "{path}" cannot be read', f"{refused.strerror or refused}.")
            raise refusal from refused

    return read


def _real(root: Path, path: str, allowed: Reach) -> Path:
    """Where a source leads, whether or not it is there."""
    try:
        real = (root / path).resolve()
    except (OSError, RuntimeError) as refused:  # RuntimeError: a loop of links, before Python 3.13
        refusal = SourceError(f'the source "{path}" cannot be read', f"{refused}.")
        raise refusal from refused
    if not allowed.holds(real):
        detail = (
            f"It is {real}. A stack may read {allowed.text()}. Put the file beside the stack, or allow its folder with --import-path DIR."
        )
        refusal = SourceError(f'the source "{path}" leads out of what the stack may read', detail)
        raise refusal
    return real


def _missing(root: Path, path: str, allowed: Reach) -> SourceError:
    parent = (root / path).parent.resolve()
    beside = parent.iterdir() if parent.is_dir() and allowed.holds(parent) else root.rglob("*")
    near = did_you_mean(path, _names(root, beside))
    return SourceError(f'there is no source "{path}"', f"It is looked for in the stack's folder.{near}")


def _names(root: Path, found: Iterable[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in islice(found, _LISTED) if path.is_relative_to(root) and path.is_file()]
