"""How a stack in each language becomes a document: Nickel by the child, the others here and then through the same contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from g8r.compiler import overrides, written
from g8r.compiler.evaluator import Died, Evaluated, Reported
from g8r.compiler.locate import Locator, NickelLocator, PlainLocator
from g8r.compiler.nickel_text import string
from g8r.compiler.overrides import Override
from g8r.compiler.positions import Positions
from g8r.compiler.session import Kept, Session
from g8r.compiler.source import Language
from g8r.diagnostics import Diagnostic, RejectedError, reject
from g8r.value import Value

if TYPE_CHECKING:
    from g8r.compiler.nickel_scan import NickelPositions

_UNDECLARED: Final = "g8r-undeclared"


class NickelStack:
    """A stack in Nickel."""

    def __init__(self, session: Session, given: tuple[Override, ...]) -> None:
        self._session = session
        self._overrides = given
        self._stack = overrides.nickel("source", given)
        self._prelude = f"let Vars = {session.contract('lib/vars.ncl')} in\nlet source = import {string(session.source.path)} in"
        self.expression = f"{self._prelude}\n{self._checked(session.under_contract(self._stack))}"
        self._kept: Kept | None = None
        self._answer: Evaluated | None = None
        self._failure: Reported | Died | None = None

    def answered(self, answer: Evaluated) -> None:
        """What `expression` evaluates to, where it was evaluated elsewhere, as one of many."""
        self._answer = answer

    def begin(self, cache: Path | None) -> None:
        if self._answer is not None:
            return
        self._session.read(self._session.source.path)
        self._kept = Kept.of(self._session, self.expression, [self._session.source.path], cache)
        if self._kept is None or self._kept.content is None:
            self._session.evaluator().submit(self.expression)

    @property
    def known(self) -> bool:
        """Whether the cache has the result, so that no child works."""
        return self._kept is not None and self._kept.content is not None

    def accepted(self) -> Value:
        """The document, if the contract accepts it; else None."""
        if self._kept is not None and self._kept.content is not None:
            return decoded(self._kept.content)
        from g8r.compiler import nickel_scan  # noqa: F401, PLC0415 `locator` needs it: while the child works

        answer = self._answer or self._session.evaluator().result()
        if not isinstance(answer, Evaluated):
            self._failure = answer
            if isinstance(answer, Died):
                raise RejectedError(self._session.failed(answer))
            return None
        document = self._declared(decoded(answer.json))
        if self._kept is not None:
            self._kept.keep(answer.json)
        return document

    def document(self) -> Value:
        """The document without the contract, with what `written` tells besides. Raises RejectedError where the stack itself fails."""
        evaluator = self._session.evaluator()
        answer = evaluator.evaluate(f"{self._prelude}\n({written.EXPRESSION}) ({self._checked(self._stack)})")
        if isinstance(answer, Reported):  # once more, for a report that names the fields as they are
            answer = evaluator.evaluate(f"{self._prelude}\n{self._checked(self._stack)}")
            if isinstance(answer, Evaluated):
                return self._declared(decoded(answer.json))
        if not isinstance(answer, Evaluated):
            raise RejectedError(self._session.failed(answer))
        return self._declared(written.value(decoded(answer.json)))

    def contract_report(self) -> tuple[Diagnostic, ...]:
        assert self._failure is not None  # noqa: S101 the contract has refused
        return self._session.failed(self._failure)

    def locator(self, document: Value) -> Locator:
        prelude = f"{self._prelude}\nlet stack = {self._stack} in"
        file = str(self._session.source.path)
        return NickelLocator(self._session.evaluator, prelude, file, self._session.hidden, document, self._overrides, self._positions)

    def read_places(self) -> None:
        """Read from the text what will be asked of `locator`, or of most stacks will: some 0.03 s for 2,000 tasks."""
        self._positions.read()

    @cached_property
    def _positions(self) -> NickelPositions:
        from g8r.compiler.nickel_scan import NickelPositions  # noqa: PLC0415 see `accepted`

        return NickelPositions(self._session.source.path, self._session.import_paths, self._session.contracts, self._session.reach.holds)

    def _checked(self, expression: str) -> str:
        """The expression, or the names of the overrides that the stack does not declare."""
        if not self._overrides:
            return expression
        missing = f"Vars.undeclared source {overrides.nickel_paths(self._overrides)}"
        otherwise = f'{{ "{_UNDECLARED}" = missing, names = Vars.names source }}'
        return f"let missing = {missing} in\nif missing == [] then (\n{expression}\n) else {otherwise}"

    def _declared(self, document: Value) -> Value:
        if isinstance(document, dict) and _UNDECLARED in document:
            paths, names = msgspec.convert((document[_UNDECLARED], document["names"]), tuple[set[tuple[str, ...]], list[str]])
            raise RejectedError(overrides.undeclared([each for each in self._overrides if each.path in paths], names))
        return document


class PlainStack:
    """A stack in YAML, JSON or TOML."""

    def __init__(self, session: Session, given: tuple[Override, ...]) -> None:
        self._session = session
        self._overrides = given
        self._failure: Reported | Died | None = None
        self._document: Value = None
        self._written: Value = None
        self._positions: Positions | None = None
        self._content = session.read(session.source.path)
        self._kept: Kept | None = None

    def begin(self, cache: Path | None) -> None:
        expression = f"{self._session.source.language} {self._overrides!r}"
        self._kept = Kept.of(self._session, expression, [], cache, self._content)
        if self._kept is not None and self._kept.content is not None:
            return
        evaluator = self._session.evaluator()  # starts while the source is read
        plain, _ = self._read()
        self._document = overrides.apply(filled(plain), self._overrides)
        path = evaluator.write("document.json", msgspec.json.encode(self._document))
        evaluator.submit(self._session.under_contract(f"(import {string(path)})"))

    @property
    def known(self) -> bool:
        """Whether the cache has the result, so that no child works."""
        return self._kept is not None and self._kept.content is not None

    def accepted(self) -> Value:
        """The document, if the contract accepts it; else None."""
        if self._kept is not None and self._kept.content is not None:
            return decoded(self._kept.content)
        answer = self._session.evaluator().result()
        if isinstance(answer, Died):
            raise RejectedError(self._session.failed(answer))
        if isinstance(answer, Reported):
            self._failure = answer
            return None
        if self._kept is not None:
            self._kept.keep(answer.json)
        return decoded(answer.json)

    def document(self) -> Value:
        return self._document

    def contract_report(self) -> tuple[Diagnostic, ...]:
        assert self._failure is not None  # noqa: S101 the contract has refused
        return self._session.failed(self._failure)

    def read_places(self) -> None:
        """They are known once the source is read."""

    def locator(self, document: Value) -> Locator:  # noqa: ARG002 the same for both languages
        _, positions = self._read()
        return PlainLocator(positions, str(self._session.source.path), self._overrides)

    def _read(self) -> tuple[Value, Positions]:
        """The source as plain data, read once."""
        if self._positions is None:
            self._written, self._positions = _load(self._session.source.language, self._content, str(self._session.source.path))
        return self._written, self._positions


def given_overrides(session: Session, variables: Sequence[tuple[str, str]], files: Sequence[Path]) -> tuple[Override, ...]:
    """What `--vars` and `--var` say: a later file wins over an earlier one, and a single var over all files."""
    found: list[Override] = []
    for file in files:
        found += _from_file(session, file)
    return overrides.last_wins([*found, *(overrides.from_option(name, text) for name, text in variables)])


def _from_file(session: Session, file: Path) -> Iterator[Override]:
    """What a vars file says. One that lies elsewhere than the stack is evaluated apart from it, and what it may read is its own."""
    apart = session.apart(file)
    apart.check_reach()
    source = apart.source
    content = session.read(source.path)
    if source.language != "nickel":
        document, positions = _load(source.language, content, str(source.path))
        for override in overrides.from_document(document, str(source.path)):
            place = positions.find(override.path)
            yield override if place is None else msgspec.structs.replace(override, span=place.value)
        return
    asked = session if session.reach.root == apart.reach.root else apart
    try:
        answer = asked.evaluator().evaluate(f"import {string(source.path)}")
        if not isinstance(answer, Evaluated):
            raise RejectedError(asked.failed(answer, source.path))
    finally:
        apart.close()
    yield from overrides.from_document(decoded(answer.json), str(source.path))


def _load(language: Language, content: bytes, file: str) -> tuple[Value, Positions]:
    if language == "yaml":
        from g8r.compiler import yaml_source  # noqa: PLC0415 PyYAML takes 0.04 s to import

        return yaml_source.load(content, file)
    from g8r.compiler import plain_source  # noqa: PLC0415 few need it

    return plain_source.load_json(content, file) if language == "json" else plain_source.load_toml(content, file)


def filled(document: Value) -> Value:
    """Nothing where a record is wanted is an empty record: `nginx:` with nothing behind it is a task."""
    if not isinstance(document, dict):
        return document
    depths = {"vars": 0, "outputs": 0, "hosts": 1, "groups": 1, "tasks": 2}
    return {key: _filled_to(value, depths[key]) if key in depths else value for key, value in document.items()}


def _filled_to(value: Value, depth: int) -> Value:
    if value is None:
        return {}
    if depth and isinstance(value, dict):
        return {key: _filled_to(part, depth - 1) for key, part in value.items()}
    return value


def decoded(content: bytes, what: str = "the stack") -> Value:
    """What an evaluation gave, which is `what` to the user. Raises RejectedError where JSON cannot hold it."""
    try:
        value: Value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as broken:
        raise reject("not-plain-data", f"{what} gives no usable data: {broken}") from broken
    return value
