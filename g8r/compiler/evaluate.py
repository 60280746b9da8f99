"""From a source to a checked Stack. The only place, beside `locate`, that has Nickel started.

    with evaluate.start(source, variables, files) as pending:
        import ...                     # what is needed later is imported while the child works
        loaded = pending.finish()

A source in Nickel is evaluated under the contract of stacks. YAML, JSON and TOML are read here, and go through the same contract
as JSON. If the contract accepts, the document is decoded. If not, the stack is evaluated once more without it, and `decode` finds
every mistake with its path; if it finds none, a contract of the user's own has failed, or the evaluation itself, and Nickel's
report of that is shown without our frames. Mistakes that decode finds do not reject: the stack is loaded as far as it can be
understood, so that the compiler can find the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from g8r.compiler import reach as reaches
from g8r.compiler import source as sources
from g8r.compiler import written
from g8r.compiler.evaluator import Limits
from g8r.compiler.kinds import SHIPPED
from g8r.compiler.languages import NickelStack, PlainStack, given_overrides
from g8r.compiler.locate import MOST, Locator, with_spans
from g8r.compiler.overrides import Override, last_wins
from g8r.compiler.reach import Reach
from g8r.compiler.session import Session
from g8r.compiler.source import Source
from g8r.diagnostics import Diagnostic, RejectedError, Span, errors
from g8r.module import AnyModule
from g8r.stack import Stack
from g8r.value import Value, canonical, digest

if TYPE_CHECKING:
    from g8r.compiler.decode import Decoded

__all__ = ["Limits", "Loaded", "Pending", "find_source", "start"]

find_source = sources.find_source


def contracts_folder() -> Path:
    """The shipped contracts: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "contracts"
    return inside if inside.is_dir() else package.parent / "contracts"


class Loaded:
    """A stack, whole or, where `diagnostics` has errors, as much of it as can be understood: hand them to the compiler, or
    `reject_mistakes`. `locator` finds the line of anything in it; close this (or the Pending it came from) when done.
    """

    def __init__(self, session: Session, document: Value, decoded: Decoded, locator: Locator, places: int | None) -> None:
        assert decoded.stack is not None  # noqa: S101 what is no stack at all is rejected before
        self.stack: Stack = decoded.stack
        self.diagnostics = decoded.diagnostics
        self.document = document
        self.config_digest = digest(canonical(document))
        self.locator = locator
        self._session = session
        self._places = places

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def source(self) -> Source:
        return self._session.source

    @property
    def reach(self) -> Reach:
        return self._session.reach

    @property
    def contracts(self) -> Path:
        """Where the contracts are that it was checked with."""
        return self._session.contracts

    def reject_mistakes(self) -> None:
        """Raises RejectedError where there are any."""
        if errors(self.diagnostics):
            raise RejectedError(self.located(self.diagnostics))

    def located(self, found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """With their lines, and in order of them; of those that take an evaluation each, the first ones have theirs."""
        return tuple(_in_order(with_spans(found, self.locator, self._places)))

    def close(self) -> None:
        """End the child. A locator that is asked after that starts another."""
        self.locator.end()
        self._session.close()


def start(  # noqa: PLR0913 the settings of one evaluation, all by name
    source: Path,
    variables: Sequence[tuple[str, str]] = (),
    variable_files: Sequence[Path] = (),
    import_paths: Sequence[Path] = (),
    *,
    limits: Limits = Limits(),  # noqa: B008 a frozen value
    cache: Path | None = None,
    contracts: Path | None = None,
    kinds: Mapping[str, AnyModule] = SHIPPED,
    places: int | None = MOST,
    root: Path | None = None,
) -> Pending:
    """Begin to evaluate. Returns at once with the child working; what is wrong with the source is raised by `finish`.

    variables: NAME and VALUE of every `--var`; they win over variable_files, the later over the earlier. cache: a folder to keep
    results in. contracts, kinds: others than the shipped ones, for tests. places: of so many mistakes the lines are looked up.
    root: what the stack may read, beside the import paths (see `reach`); a stack's own repository, where nothing is said.
    """
    shipped = contracts or contracts_folder()
    paths = (shipped, *(path.resolve() for path in import_paths))
    session = Session(sources.of(source), shipped, paths, limits, reaches.of(source, root, paths))
    pending = Pending(session, variables, variable_files, cache, kinds, places)
    pending.begin()
    return pending


class Pending:
    """An evaluation under way."""

    def __init__(
        self,
        session: Session,
        variables: Sequence[tuple[str, str]],
        variable_files: Sequence[Path],
        cache: Path | None,
        kinds: Mapping[str, AnyModule],
        places: int | None,
        given: Sequence[Override] = (),
    ) -> None:
        """given: values for vars from elsewhere, which win over variables and variable_files."""
        self._session = session
        self._variables = variables
        self._variable_files = variable_files
        self._cache = cache
        self._kinds = kinds
        self._places = places
        self._given = tuple(given)
        self._rejected: RejectedError | None = None
        self._work: NickelStack | PlainStack | None = None
        self._loaded: Loaded | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def begin(self) -> None:
        """Read what is to be read and hand it to the child; a rejection waits for `finish`."""
        work = self.prepare()
        if work is None:
            return
        try:
            work.begin(self._cache)
        except RejectedError as rejected:
            self._rejected = rejected

    @property
    def working(self) -> bool:
        """Whether a child works, so that what the caller does meanwhile takes no time."""
        return self._rejected is None and self._work is not None and not self._work.known

    def prepare(self) -> NickelStack | PlainStack | None:
        """What is to be evaluated, without handing it to the child; None where it is rejected already."""
        if self._work is None and self._rejected is None:
            try:
                self._session.check_reach()
                self._session.check_text()
                found = given_overrides(self._session, self._variables, self._variable_files)
                given = last_wins((*found, *self._given)) if self._given else found
                work = NickelStack(self._session, given) if self._session.source.language == "nickel" else PlainStack(self._session, given)
                self._work = work
            except RejectedError as rejected:
                self._rejected = rejected
        return self._work

    def read_places(self) -> None:
        """Read from the text where things stand in it, while the child works."""
        if self._work is not None:
            self._work.read_places()

    def finish(self) -> Loaded:
        """The stack, with its mistakes. Raises RejectedError where it cannot be evaluated, and where what it gives is no stack."""
        if self._rejected is not None:
            raise self._rejected
        from g8r.compiler.decode import decode  # noqa: PLC0415 0.02 s that the child works in, too

        work = self._work
        assert work is not None  # noqa: S101 begin() gave it, or a rejection
        accepted = work.accepted()
        found = work.document() if accepted is None else accepted
        decoded = decode(found, self._kinds, thorough=accepted is None)
        document = written.untagged(found) if accepted is None else found
        locator = work.locator(document)
        if decoded.stack is None:
            raise RejectedError(with_spans(decoded.diagnostics, locator))
        if accepted is None and not errors(decoded.diagnostics):
            raise RejectedError(work.contract_report())
        self._loaded = Loaded(self._session, document, decoded, locator, self._places)
        return self._loaded

    def close(self) -> None:
        """End the child, and what still asks it."""
        if self._loaded is not None:
            self._loaded.close()
        self._session.close()


def _in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """As a reader of the source meets them; those without a place come last."""
    return sorted(diagnostics, key=lambda diagnostic: (diagnostic.span is None, diagnostic.span or Span("", 0, 0)))
