"""Which file is the stack, and in which language."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from g8r.diagnostics import did_you_mean, reject

Language: TypeAlias = Literal["nickel", "yaml", "json", "toml"]
LANGUAGES: Final[dict[str, Language]] = {".ncl": "nickel", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_STEMS: Final = ("main", "stack")


class Source(msgspec.Struct, frozen=True):
    """A stack's file, by its absolute path."""

    path: Path
    language: Language


def find_source(argument: str | Path = ".") -> Path:
    """The stack that an argument means: a file, or a folder with one `main.*`, or else one `stack.*`. Raises RejectedError.

    Its absolute path as it was named: what it links to is looked at later (see `reach`).
    """
    path = Path(argument)
    if path.is_file():
        return _named(path)
    if not path.exists():
        near = did_you_mean(path.name, _names(path.parent)) if path.parent.is_dir() else ""
        raise reject("no-source", f"there is no {path}", f"Name a file or a folder with a stack in it.{near}")
    if not path.is_dir():
        raise reject("no-source", f"{path} is neither a file nor a folder")
    for stem in _STEMS:
        found = [path / f"{stem}{suffix}" for suffix in LANGUAGES if (path / f"{stem}{suffix}").is_file()]
        if len(found) == 1:
            return _named(found[0])
        if found:
            names = ", ".join(file.name for file in found)
            raise reject("several-sources", f"{path} has several stacks: {names}", "Name the one that is meant, or remove the others.")
    wanted = ", ".join(f"{stem}{suffix}" for stem in _STEMS for suffix in LANGUAGES)
    raise reject("no-source", f"{path.resolve()} has no stack in it", f"Looked for {wanted}. `g8r init` makes one.")


def of(path: Path) -> Source:
    """The source at a path. Raises RejectedError where its ending says no language."""
    return _known(path)


def _named(path: Path) -> Path:
    _known(path)
    return path.parent.resolve() / path.name if ".." in path.parts else path.absolute()


def _known(path: Path) -> Source:
    language = LANGUAGES.get(path.suffix.lower())
    if language is None:
        raise reject("unknown-language", f"{path} is no stack", f"A stack's file ends in one of {', '.join(LANGUAGES)}.")
    return Source(path.resolve(), language)


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]
