"""One child for a whole run of tests: every test file and every stack is evaluated in it, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from g8r.compiler import reach as reaches
from g8r.compiler.evaluate import contracts_folder
from g8r.compiler.evaluator import Evaluator, Limits
from g8r.compiler.reach import Reach
from g8r.compiler.session import Session
from g8r.compiler.source import Source


class Child:
    """The evaluator that the sessions of a run share; started when it is first needed. Close it when the run is over.

    They share what they may read, too: the root of `folder`, where the tests are, or of the first source; `root` chooses another.
    """

    def __init__(
        self,
        import_paths: Sequence[Path] = (),
        limits: Limits = Limits(),  # noqa: B008 a frozen value
        folder: Path | None = None,
        root: Path | None = None,
    ) -> None:
        self.contracts = contracts_folder()
        self.import_paths = (self.contracts, *(path.resolve() for path in import_paths))
        self.limits = limits
        self._folder = folder
        self._root = root
        self._owner: Session | None = None

    def reach(self, source: Source) -> Reach:
        """What the tests, and a stack among them, may read."""
        self._folder = self._folder or source.path.parent
        shared = reaches.of(self._folder / source.path.name, self._root, self.import_paths)
        return msgspec.structs.replace(shared, named=source.path)

    def session(self, source: Source) -> Session:
        """A session on this source. Closing it leaves the child alive."""
        return _Shared(self, source)

    def evaluator(self, source: Source) -> Evaluator:
        if self._owner is None:
            self._owner = Session(source, self.contracts, self.import_paths, self.limits, self.reach(source))
        return self._owner.evaluator()

    def close(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None


class _Shared(Session):
    """A session whose child is that of the run."""

    def __init__(self, child: Child, source: Source) -> None:
        super().__init__(source, child.contracts, child.import_paths, child.limits, child.reach(source))
        self._child = child

    def evaluator(self) -> Evaluator:
        return self._child.evaluator(self.source)

    def close(self) -> None:
        """The run closes the child."""
