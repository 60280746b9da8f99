"""The state's folder, `.g8r`, and files in it that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

STATE_FOLDER: Final = ".g8r"
PRIVATE: Final = 0o600


def prepare(folder: Path) -> None:
    """Makes the folder where it is not there: for its owner only; `.g8r` out of version control. An existing one is left alone."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if folder.name == STATE_FOLDER:
            (folder / ".gitignore").write_text("*\n", encoding="ascii")


def replace(path: Path, fill: Callable[[Path], None]) -> None:
    """Puts what `fill` writes to a path beside in the place of `path`, durably, readable by the owner only."""
    with _draft(path, fill) as draft:
        draft.replace(path)
    sync_folder(path.parent)


def create(path: Path, fill: Callable[[Path], None]) -> bool:
    """The same, unless `path` is there already: then it stays, and the answer is False. One of two racers wins."""
    with _draft(path, fill) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _draft(path: Path, fill: Callable[[Path], None]) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    try:
        fill(draft)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
