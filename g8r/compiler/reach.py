"""What an evaluation may read: a stack that comes with a pull request must not read the files of the machine that checks it.

It may read what is in its root, the shipped contracts, and the folders that the user names with `--import-path`. The root is the
repository that the stack is in: the nearest folder above it that holds a `.git`, because that is what a pull request changes, and
repositories of many stacks share files between them. Without one, or where it is the home folder or `/` that holds it, the root is the
stack's own folder. `--root DIR` chooses another; `--root /` allows everything. What is named on the command line is the user's own: a
vars file in another place has a root of its own, and is evaluated apart.

Never part of a root: what is below `.git` (it may hold credentials) and below `.g8r` (it holds the key of the state).

It is held in two layers, because the first alone could be fooled, and the second alone has nothing to say to the user:

1. `refused` follows the imports before anything is evaluated (`imports` finds them), and gives an error with its line for each that
   leads out. Symbolic links are followed. Where it cannot be known what a file imports, it stays silent and leaves it to the second.
2. The evaluator is started in a `jail` of the kernel, in which other files cannot be opened at all.

Where the kernel has no jail (Linux before 5.13, another system, `G8R_JAIL=off`, a `nickel` command that is a script), the first layer is
alone and becomes strict: what it is not sure of is an error with its line. Nothing that Nickel parses today is in that class but the
import of a package, so no stack of one's own is hurt; `--root /` is the way out if ever one is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from g8r.compiler import imports
from g8r.diagnostics import Diagnostic, Span, error

SCANNED: Final = 64 << 20
"""Bytes of a source: no source is larger, and what is larger is no source."""
_APART: Final = frozenset({".git", ".g8r"})
_CHOICES: Final = "Put the file there, or allow its folder with --import-path DIR, or another root with --root DIR."


class Reach(msgspec.Struct, frozen=True):
    """What may be read: `root`, chosen in this way, and `others`; all real paths. `named` is the stack's file as the user named it."""

    root: Path
    chosen: Literal["repository", "folder", "option"]
    named: Path
    others: tuple[Path, ...] = ()

    def holds(self, path: Path) -> bool:
        """Whether a file may be read; symbolic links are followed."""
        real = Path(os.path.realpath(path))
        return any(_below(real, base) for base in (self.root, *self.others))

    @property
    def everything(self) -> bool:
        return self.root == Path("/")

    def text(self) -> str:
        """The root, for the user."""
        match self.chosen:
            case "repository":
                return f"the repository {self.root}"
            case "folder":
                return f"the stack's folder {self.root} (it is in no git repository)"
            case _:
                return f"the root {self.root}"

    def readable(self) -> tuple[Path, ...]:
        """Files and folders that together are what may be read, for a jail that knows no exceptions below a folder: of the root, what
        is beside the folders that are apart, on the way down to the stack.
        """
        return (*_beside(self.root, Path(os.path.realpath(self.named.parent))), *self.others)


class Closure(msgspec.Struct, frozen=True):
    """All files that are imported. `complete`: whether those are all; `outside`, `unsure`: the places that lead out, or cannot be read."""

    files: dict[Path, bytes]
    complete: bool
    outside: tuple[Diagnostic, ...]
    unsure: tuple[Diagnostic, ...]


def of(named: Path, root: Path | None, others: Iterable[Path]) -> Reach:
    """The reach of a stack. named: its file as the user named it, whatever it may link to."""
    absolute = Path(os.path.normpath(Path.cwd() / named))  # as it is written: a link in the repository stays in the repository
    real = tuple(Path(os.path.realpath(other)) for other in others)
    if root is not None:
        return Reach(Path(os.path.realpath(root)), "option", absolute, real)
    repository = _repository(absolute.parent)
    if repository is not None:
        return Reach(Path(os.path.realpath(repository)), "repository", absolute, real)
    return Reach(Path(os.path.realpath(absolute.parent)), "folder", absolute, real)


def apart(reach: Reach | None, file: Path, others: Iterable[Path]) -> Reach:
    """The reach of another file that the user has named, such as a vars file. What lies in the reach of the stack is held as the stack
    is; else it is the user's own, and reads what is in its own repository or folder, wherever a link may lead. But a link in a repository
    is the repository's.
    """
    if reach is not None and reach.holds(file.parent):
        return msgspec.structs.replace(reach, named=file)
    others = tuple(others)
    own = of(file, None, others)
    if own.chosen == "repository" or own.holds(file):
        return own
    return of(Path(os.path.realpath(file)), None, others)


def refused(reach: Reach, sources: Sequence[Path], import_paths: Sequence[Path], confined: Callable[[], bool]) -> tuple[Diagnostic, ...]:
    """Every import that leads out of the reach, and where the evaluator is not confined by the kernel, every one that may."""
    if reach.everything:
        return ()
    found = closure(sources, import_paths, reach=reach)
    return found.outside if not found.unsure or confined() else (*found.outside, *found.unsure)


def refused_source(reach: Reach, source: Path) -> Diagnostic | None:
    """The error for a stack whose own file is a link that leads out. It has no place: the line there is not to be shown."""
    if reach.holds(source):
        return None
    detail = f"It is a symbolic link to {source}. A stack may read {reach.text()}, and nothing else. {_CHOICES}"
    return error("outside-root", f"the stack {reach.named.name} leads out of {_place(reach)}", detail)


def closure(sources: Iterable[Path], import_paths: Sequence[Path], most: int | None = None, reach: Reach | None = None) -> Closure:
    """Everything that is imported, by Nickel's rules: relative to the importing file, then in the import paths, symbolic links followed
    only by the opening. most: no more files than that. What is outside the reach is not read.
    """
    walk = _Walk(tuple(import_paths), reach)
    walk.pending = [(source, "Nickel") for source in sources]
    while walk.pending:
        path, form = walk.pending.pop()
        content = _content(path)
        if content is None or (most is not None and len(walk.files) >= most):
            walk.complete = False
            continue
        walk.files[path] = content
        if form == "Nickel":
            walk.follow(path, content.decode("utf-8", "replace"))
    return Closure(walk.files, walk.complete, tuple(walk.outside), tuple(walk.unsure))


class _Walk:
    """A closure while it grows."""

    def __init__(self, import_paths: tuple[Path, ...], reach: Reach | None) -> None:
        self._import_paths = import_paths
        self._reach = reach
        self._seen: set[tuple[Path, str]] = set()
        self.pending: list[tuple[Path, str]] = []
        self.files: dict[Path, bytes] = {}
        self.outside: list[Diagnostic] = []
        self.unsure: list[Diagnostic] = []
        self.complete = True

    def follow(self, path: Path, text: str) -> None:
        """Take in what one source imports."""
        scan = imports.scan(text)
        if scan.unsure_at is not None:
            self.unsure.append(_unsure(Span(str(path), *scan.unsure_at), 'An import is written `import "NAME"`, with the name in full.'))
        for found in scan.imports:
            span = Span(str(path), found.line, found.column, found.line, found.end_column)
            if found.name is None:
                self.unsure.append(_unsure(span, "A package is imported, and g8r has none. Import a file by its name."))
                continue
            match _resolved(found.name, path, self._import_paths, self._reach):
                case Path() as resolved:
                    if (resolved, found.form) not in self._seen:
                        self._seen.add((resolved, found.form))
                        self.pending.append((resolved, found.form))
                case "outside" if self._reach is not None:
                    self.outside.append(_outside(self._reach, found.name, path, span))
                case _:
                    self.complete = False


def _resolved(name: str, path: Path, import_paths: Sequence[Path], reach: Reach | None) -> Path | Literal["outside", "missing"]:
    """The file that an import means. Where it leads out, it makes no difference whether there is such a file: that is nobody's business."""
    if "\0" in name:
        return "missing"
    left = False
    for base in (path.parent, *import_paths):
        candidate = Path(os.path.normpath(base / name))
        if reach is not None and not reach.holds(candidate):
            if candidate.is_file():
                return "outside"
            left = True
        elif candidate.is_file():
            return candidate
    return "outside" if left else "missing"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= SCANNED else None
    except OSError:
        return None


def _repository(folder: Path) -> Path | None:
    """The nearest folder, from here upwards, that holds a `.git` (a folder, or the file of a work tree or a submodule)."""
    unlikely = {Path("/"), Path(os.path.expanduser("~"))}  # noqa: PTH111 it does not raise where there is no home
    for above in (folder, *folder.parents):
        if os.path.lexists(above / ".git"):
            return None if above in unlikely else above
    return None


def _below(real: Path, base: Path) -> bool:
    if not real.is_relative_to(base):
        return False
    return not any(part.lower() in _APART for part in real.relative_to(base).parts)


def _beside(root: Path, stack: Path) -> Iterator[Path]:
    apart = any(os.path.lexists(folder / name) for name in _APART for folder in _between(root, stack))
    if not apart:
        yield root
        return
    on_the_way = set(_between(root, stack))
    for folder in sorted(on_the_way):
        for entry in os.scandir(folder):
            if entry.name.lower() not in _APART and not entry.is_symlink() and Path(entry.path) not in on_the_way:
                yield Path(entry.path)  # never a link: what it leads to would be allowed, wherever that is


def _between(root: Path, stack: Path) -> Iterator[Path]:
    """The root, and every folder on the way down to the stack's."""
    yield root
    if stack.is_relative_to(root):
        folder = root
        for part in stack.relative_to(root).parts:
            folder /= part
            yield folder


def _outside(reach: Reach, name: str, path: Path, span: Span) -> Diagnostic:
    real = Path(os.path.realpath(path.parent / name))
    apart = next((part for part in real.parts if part.lower() in _APART), None)
    if apart is not None and real.is_relative_to(reach.root):
        detail = f"It is {real}. What is below {apart} is no part of a stack, and is not read."
        return _at(span, "outside-root", f'the import "{name}" leads into {apart}', detail)
    others = "".join(f", {other}" for other in reach.others)
    detail = f"It is {real}. A stack may import from {reach.text()}{others}, and from nowhere else. {_CHOICES}"
    return _at(span, "outside-root", f'the import "{name}" leads out of {_place(reach)}', detail)


def _place(reach: Reach) -> str:
    return {"repository": "the repository", "folder": "the stack's folder", "option": "the root"}[reach.chosen]


def _unsure(span: Span, why: str) -> Diagnostic:
    detail = (
        f"{why} Nothing but this check keeps the evaluation inside its root here: the kernel has no Landlock, G8R_JAIL is off, or the "
        "nickel command is a script. With `--root /` it may read everything, and is not checked."
    )
    return _at(span, "unsure-import", "it cannot be known what is imported here", detail)


def _at(span: Span, code: str, summary: str, detail: str) -> Diagnostic:
    return msgspec.structs.replace(error(code, summary, detail), span=span)
