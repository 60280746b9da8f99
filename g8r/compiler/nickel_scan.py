"""Where the values of a Nickel stack stand, read from its text, as far as that is certain: see `nickel_scan_records`.

The law is that the evaluator, asked for the same place by `locate`, gives the same one. An `import` of a file by a plain name is
followed, by Nickel's rules: beside the file that imports it, then in the import paths; `..` goes up in the name, not in the folders.
Each file is read once, when something in it is asked for. What the evaluator may not read is not read here: see `reach`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from g8r.compiler.nickel_scan_records import Node, Text
from g8r.compiler.nickel_scan_tokens import Lines
from g8r.compiler.positions import Place, Positions
from g8r.compiler.reach import SCANNED
from g8r.diagnostics import DocumentPath, Span

_STACK_CONTRACT: Final = "g8r.ncl"


class NickelPositions(Positions):
    """The places in a Nickel file and in what it imports. contracts: the folder of those that g8r ships: they change no value, and
    have no places of the user's. readable: whether a file may be read.
    """

    def __init__(
        self,
        file: Path,
        import_paths: Sequence[Path] = (),
        contracts: Path | None = None,
        readable: Callable[[Path], bool] = lambda _path: True,
    ) -> None:
        self._file = file
        self._import_paths = import_paths
        self._contracts = contracts
        self._readable = readable
        self._read: dict[Path, _File | None] = {}

    def read(self) -> None:
        """Read the file now, and not when something in it is asked for."""
        self._opened(self._file)

    def find(self, path: DocumentPath) -> Place | None:
        """The place of a value, where it is certain."""
        file, value = self._value(path) or (None, None)
        if file is None or value is None or value.at is None:
            return None
        return Place(file.span(value.at), None if value.key is None else file.span(value.key))

    def merged(self, path: DocumentPath) -> bool:
        """Whether it is certain that this is a record made of pieces, and has no place but those of what is in it."""
        found = self._value(path)
        return found is not None and found[1].merged

    def _value(self, path: DocumentPath) -> tuple[_File, Node] | None:
        file = self._main
        value = None if file is None else file.text.root
        for part in path:
            while file is not None and value is not None and not value.uncertain and value.imported is not None:
                file = self._imported(file, value.imported)
                value = None if file is None else file.text.root
            value = None if value is None else value.child(part)
        return None if file is None or value is None else (file, value)

    @cached_property
    def _main(self) -> _File | None:
        return self._opened(self._file)

    def _imported(self, file: _File, name: str) -> _File | None:
        """The file that an import means, if it is one in Nickel, and the user's."""
        found = self._resolved(file, name) if name.endswith(".ncl") else None
        if found is None or (self._contracts is not None and found.is_relative_to(self._contracts)):
            return None
        return self._opened(found)

    def _resolved(self, file: _File, name: str) -> Path | None:
        for folder in (file.path.parent, *self._import_paths):
            path = folder / name
            plain = Path(os.path.normpath(path))
            if "\0" in name or not self._readable(plain):
                return None
            if plain.is_file():
                return plain if ".." not in path.parts or (path.is_file() and plain.samefile(path)) else None
        return None

    def _opened(self, path: Path) -> _File | None:
        if path not in self._read:
            self._read[path] = file = _read(path)
            if file is not None and file.text.contract is not None and not self._harmless(file, file.text.contract):
                file.text.root.uncertain = True
        return self._read[path]

    def _harmless(self, file: _File, contract: str) -> bool:
        """Whether the contract `Stack` of a file is the shipped one."""
        return self._contracts is not None and self._resolved(file, contract) == self._contracts / _STACK_CONTRACT


class _File:
    """A file that was read."""

    def __init__(self, path: Path, content: str) -> None:
        self.path = path
        self.text = Text(content)
        self._name = str(path)
        self._lines = Lines(content)

    def span(self, offset: int) -> Span:
        return Span(self._name, *self._lines.at(offset))


def _read(path: Path) -> _File | None:
    try:
        return _File(path, path.read_bytes().decode()) if path.stat().st_size <= SCANNED else None
    except (OSError, UnicodeDecodeError):
        return None
