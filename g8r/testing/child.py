"""One child for a whole run of tests: every test file and every stack is evaluated in it, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from g8r.compiler.evaluate import contracts_folder
from g8r.compiler.evaluator import Evaluator, Limits
from g8r.compiler.session import Session
from g8r.compiler.source import Source


class Child:
    """The evaluator that the sessions of a run share; started when it is first needed. Close it when the run is over."""

    def __init__(self, import_paths: Sequence[Path] = (), limits: Limits = Limits()) -> None:  # noqa: B008 a frozen value
        self.contracts = contracts_folder()
        self.import_paths = (self.contracts, *(path.resolve() for path in import_paths))
        self.limits = limits
        self._owner: Session | None = None

    def session(self, source: Source) -> Session:
        """A session on this source. Closing it leaves the child alive."""
        return _Shared(self, source)

    def evaluator(self, source: Source) -> Evaluator:
        if self._owner is None:
            self._owner = Session(source, self.contracts, self.import_paths, self.limits)
        return self._owner.evaluator()

    def close(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None


class _Shared(Session):
    """A session whose child is that of the run."""

    def __init__(self, child: Child, source: Source) -> None:
        super().__init__(source, child.contracts, child.import_paths, child.limits)
        self._child = child

    def evaluator(self) -> Evaluator:
        return self._child.evaluator(self.source)

    def close(self) -> None:
        """The run closes the child."""
