"""What one command evaluates with: its source, a child that is started when it is needed, and the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from g8r.compiler import cache as caches
from g8r.compiler import evaluator as evaluators
from g8r.compiler import failures
from g8r.compiler import reach as reaches
from g8r.compiler import source as sources
from g8r.compiler.evaluator import Died, Evaluator, Limits, Reported
from g8r.compiler.nickel_text import string
from g8r.compiler.reach import Reach
from g8r.compiler.source import Source
from g8r.diagnostics import Diagnostic, RejectedError, Severity, Span, reject

_CACHE_VERSION: Final = b"1"


class Session:
    """What one command evaluates with: the source, where imports are looked for, and a child that is started when it is needed."""

    def __init__(self, source: Source, contracts: Path, import_paths: tuple[Path, ...], limits: Limits, reach: Reach) -> None:
        self.source = source
        self.contracts = contracts.resolve()
        self.import_paths = import_paths
        self.limits = limits
        self.reach = reach
        self._evaluator: Evaluator | None = None

    def evaluator(self) -> Evaluator:
        if self._evaluator is None:
            with _no_evaluator():
                self._evaluator = evaluators.start(self.limits, self.import_paths, self.reach.readable())
        return self._evaluator

    def close(self) -> None:
        if self._evaluator is not None:
            self._evaluator.close()
            self._evaluator = None

    def check_reach(self) -> None:
        """Refuse a source that leads out of what may be read, and every import that does."""
        broken = reaches.refused_source(self.reach, self.source.path)
        if broken is not None:
            raise RejectedError([broken])
        sources = [self.source.path] if self.source.language == "nickel" else []
        with _no_evaluator():
            found = reaches.refused(self.reach, sources, self.import_paths, evaluators.confined)
        if found:
            raise RejectedError(found)

    def apart(self, file: Path) -> Session:
        """For another file that the user has named: what it may read is the same where it lies in there, else what is its own."""
        source = sources.of(file)
        reach = reaches.apart(self.reach, file, self.import_paths)
        return Session(source, self.contracts, self.import_paths, self.limits, reach)

    def read(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > reaches.SCANNED:
                raise reject("source-too-large", f"{path} is larger than {reaches.SCANNED >> 20} MiB", "A stack is far smaller. Is it one?")
            return path.read_bytes()
        except OSError as broken:
            raise reject("unreadable-source", f"cannot read {path}: {broken.strerror}") from broken

    def check_text(self) -> None:
        """Refuse a source in Nickel that cannot be read or is no text: Nickel says of both that it could not be found."""
        if self.source.language != "nickel":
            return
        try:
            self.read(self.source.path).decode("utf-8")
        except UnicodeDecodeError as broken:
            where = broken.object[: broken.start]
            line, column = where.count(b"\n") + 1, len(where) - (where.rfind(b"\n") + 1) + 1
            raise RejectedError(
                [
                    Diagnostic(
                        Severity.ERROR,
                        "not-text",
                        "this is no UTF-8 text",
                        "A source is text in UTF-8. Convert it, or remove what is no text here.",
                        span=Span(str(self.source.path), line, column),
                    )
                ]
            ) from broken

    def hidden(self, file: str) -> bool:
        """Whether a report's frame is in no file of the user, or in one that may not be read, and so not be shown: a stack can word its
        own errors, and with them what looks like a frame.
        """
        return self.evaluator().internal(file) or Path(file).is_relative_to(self.contracts) or not self.reach.holds(Path(file))

    def contract(self, name: str) -> str:
        return f"(import {string(self.contracts / name)})"

    def under_contract(self, stack: str) -> str:
        return f"let G8r = {self.contract('g8r.ncl')} in\n(G8r.without_free {stack}) | G8r.Stack"

    def failed(self, answer: Reported | Died, path: Path | None = None) -> tuple[Diagnostic, ...]:
        """The errors of an evaluation of the source, or of another file."""
        return failures.diagnostics(answer, self.hidden, path or self.source.path, self.limits)


@contextmanager
def _no_evaluator() -> Iterator[None]:
    """Says what it means that the evaluator is not there."""
    try:
        yield
    except OSError as broken:
        detail = "Set G8R_NICKEL to the nickel command, or unset it for the embedded one."
        if isinstance(broken, PermissionError):
            detail = "It may run nothing but itself. Name the program, and no script around it, with G8R_NICKEL; or set G8R_JAIL=off."
        raise reject("no-evaluator", f"cannot start the evaluator: {broken}", detail) from broken


class Kept:
    """What the cache has under the key of this evaluation, and where to keep a new result."""

    def __init__(self, folder: Path, key: str, again: Callable[[], str | None], content: bytes | None) -> None:
        self._folder = folder
        self._key = key
        self._again = again
        self.content = content

    @classmethod
    def of(cls, session: Session, expression: str, roots: Sequence[Path], folder: Path | None, *more: bytes) -> Kept | None:
        if folder is None:
            return None
        contracts = [path.read_bytes() for path in sorted(session.contracts.rglob("*.ncl"))]
        with _no_evaluator():
            fingerprint = evaluators.fingerprint()
        parts = (_CACHE_VERSION, expression.encode(), fingerprint.encode(), *contracts, *more)

        def key() -> str | None:
            return caches.key(roots, session.import_paths, *parts)

        now = key()
        return None if now is None else cls(folder, now, key, caches.read(folder, now))

    def keep(self, content: bytes) -> None:
        """Keep a result, if what it was made from has not changed in the meantime."""
        if self._again() == self._key:
            caches.write(self._folder, self._key, content)
