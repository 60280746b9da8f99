"""Test files: where they are, and what Nickel makes of one. The same child and limits as for stacks, under `contracts/test.ncl`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from g8r.compiler import languages
from g8r.compiler import source as sources
from g8r.compiler.evaluator import Died, Evaluated
from g8r.compiler.locate import Locator, NickelLocator, with_spans
from g8r.compiler.nickel_text import string
from g8r.compiler.session import Session
from g8r.compiler.source import LANGUAGES
from g8r.diagnostics import Diagnostic, RejectedError, did_you_mean, errors, reject
from g8r.testing.cases import SUFFIX, TestFile
from g8r.testing.child import Child
from g8r.testing.decode import decode
from g8r.value import Value

_SKIPPED = frozenset({"node_modules", "__snapshots__", "__pycache__"})


class Found(msgspec.Struct, frozen=True):
    """The test files that an argument means, sorted, and the stack that it names, if it names one."""

    files: tuple[Path, ...]
    root: Path
    stack: Path | None = None


def find(argument: Path) -> Found:
    """The test files of an argument: a test file; a folder with all below it; a stack, with those beside it. Raises RejectedError."""
    if argument.name.endswith(SUFFIX) and argument.is_file():
        return Found((argument.resolve(),), argument.resolve().parent)
    if argument.is_file():
        stack = sources.find_source(argument)
        return _some(Found(_beside(stack), stack.parent, stack), f"{argument.parent} and beside {argument.name}")
    if not argument.is_dir():
        near = did_you_mean(argument.name, [entry.name for entry in argument.parent.iterdir()]) if argument.parent.is_dir() else ""
        raise reject("no-tests", f"there is no {argument}", f"Name a test file (NAME{SUFFIX}), or a folder with tests in it.{near}")
    root = argument.resolve()
    return _some(Found(tuple(sorted(_below(root))), root), f"{root} and all folders below it")


def _some(found: Found, where: str) -> Found:
    if not found.files:
        detail = f"Looked for *{SUFFIX} in {where}. Write main{SUFFIX} beside the stack; docs/testing.md shows how."
        raise reject("no-tests", "there are no tests", detail)
    return found


def _beside(stack: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in stack.parent.glob(f"*{SUFFIX}") if path.is_file()))


def _below(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".") and entry.name not in _SKIPPED:
            yield from _below(entry)
        elif entry.name.endswith(SUFFIX) and entry.is_file():
            yield entry


class Read:
    """A test file that was read. `locator` finds the line of anything in it."""

    def __init__(self, path: Path, file: TestFile, locator: Locator) -> None:
        self.path = path
        self.file = file
        self.locator = locator


def read(path: Path, child: Child) -> Read:
    """The tests of a file. Raises RejectedError with all that is wrong with it."""
    session = child.session(sources.of(path))
    session.check_reach()
    session.check_text()
    imported = f"(import {string(path)})"
    answer = session.evaluator().evaluate(f"{imported} | {session.contract('test.ncl')}.TestFile")
    if isinstance(answer, Died):
        raise RejectedError(session.failed(answer))
    refused: Sequence[Diagnostic] = () if isinstance(answer, Evaluated) else session.failed(answer)
    document = languages.decoded(answer.json, "the test file") if isinstance(answer, Evaluated) else _uncontracted(imported, session)
    locator = NickelLocator(session.evaluator, f"let stack = {imported} in", str(path), session.hidden, document)
    decoded = decode(document)
    if decoded.file is None:
        raise RejectedError(with_spans(decoded.diagnostics, locator))
    if errors(refused):
        raise RejectedError(refused)
    return Read(path, decoded.file, locator)


def _uncontracted(imported: str, session: Session) -> Value:
    """The document without the contract. Raises RejectedError where the file itself fails."""
    answer = session.evaluator().evaluate(imported)
    if not isinstance(answer, Evaluated):
        raise RejectedError(session.failed(answer))
    return languages.decoded(answer.json, "the test file")


def stack_of(path: Path, named: str | None, found: Found, allowed: Sequence[Path]) -> Path:
    """The stack that a test is about: the one it names; else the one that was asked for, the one called like the test file, or that of
    its folder. Raises RejectedError. allowed: the folders below which a test may name one.
    """
    if named is None:
        stem = path.name.removesuffix(SUFFIX)
        alike = [path.with_name(f"{stem}{suffix}") for suffix in LANGUAGES if path.with_name(f"{stem}{suffix}").is_file()]
        return found.stack or (alike[0].resolve() if len(alike) == 1 else sources.find_source(path.parent))
    chosen = (path.parent / named).resolve()
    if Path(named).is_absolute() or not any(chosen.is_relative_to(folder) for folder in allowed):
        detail = "Give its path from the test file's folder, without leaving the folder that `g8r test` works in."
        raise reject("stack-outside", f'the stack "{named}" is not beside the tests', detail)
    return sources.find_source(chosen)
