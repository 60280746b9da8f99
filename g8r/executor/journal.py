"""The journal: what an agent remembers of its own host, for all stacks at once. It lives in the agent's home, not beside a stack.

Who manages which resource [S-owner]; which effects that must not happen twice have begun and ended [A-intent]; the highest fence
seen of each ledger, so that a writer that was superseded is refused here too. It refuses to know what a step does.

Steps run in threads, and all of them write here through one connection: each transaction is one thread's alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from g8r.executor import store_file
from g8r.executor.ports import Conflict, Effect, Owner
from g8r.executor.store_file import FileKind
from g8r.outcome import Outcome
from g8r.state import ResourceKey

if TYPE_CHECKING:
    import apsw

JOURNAL_FORMAT: Final = 1

SCHEMA: Final = """
CREATE TABLE owners (
  kind TEXT NOT NULL, identity TEXT NOT NULL, stack TEXT NOT NULL, workspace TEXT NOT NULL, PRIMARY KEY (kind, identity)
) STRICT, WITHOUT ROWID;
CREATE TABLE effects (run TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, outcome BLOB, PRIMARY KEY (run, step)) STRICT;
CREATE TABLE fences (lineage TEXT PRIMARY KEY, fence INTEGER NOT NULL) STRICT, WITHOUT ROWID
"""

JOURNAL_FILE: Final = FileKind(
    noun="journal",
    code="journal",
    application_id=0x6738726A,
    format=JOURNAL_FORMAT,
    schema=SCHEMA,
    rescue="Move it away: a new one is made. Then nobody knows which stack manages what here until each has been applied once, "
    "and commands that were under way are in doubt.",
)

_OUTCOME: Final[Any] = Outcome


class SqliteJournal:
    """A `ports.Journal` in the file at `path`, which is opened at the first call and made at the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: apsw.Connection | None = None
        self._one_at_a_time = threading.Lock()

    def owners(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, Owner]:
        with self._reading() as db:
            return _owners(db, keys) if db else {}

    def claim(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> tuple[Conflict, ...]:
        with self._writing() as db:
            conflicts = _conflicts(_owners(db, keys), Owner(stack, workspace))
            if not conflicts:
                _own(db, keys, stack, workspace)
        return conflicts

    def release(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> None:
        with self._writing() as db:
            db.executemany(
                "DELETE FROM owners WHERE kind = ? AND identity = ? AND stack = ? AND workspace = ?",
                [(key.kind, key.identity, stack, workspace) for key in keys],
            )

    def hand_over(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> None:
        with self._writing() as db:
            _own(db, keys, stack, workspace)

    def started(self, run: str, step: str, attempt: int) -> None:
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO effects (run, step, attempt, outcome) VALUES (?, ?, ?, NULL)", (run, step, attempt))

    def done(self, run: str, step: str, outcome: Outcome) -> None:
        with self._writing() as db:
            db.execute("UPDATE effects SET outcome = ? WHERE run = ? AND step = ?", (msgspec.json.encode(outcome), run, step))
            if db.changes() == 0:
                raise _never_started(run, step)

    def effect(self, run: str, step: str) -> Effect | None:
        with self._reading() as db:
            row: Any = db and db.execute("SELECT attempt, outcome FROM effects WHERE run = ? AND step = ?", (run, step)).get
            if row is None:
                return None
            attempt, outcome = row
            return Effect(attempt, None if outcome is None else msgspec.json.decode(outcome, type=_OUTCOME))

    def settle(self, run: str) -> None:
        if self.path.exists():
            with self._writing() as db:
                db.execute("DELETE FROM effects WHERE run = ?", (run,))

    def admit(self, lineage: str, fence: int) -> bool:
        with self._writing() as db:
            highest: Any = db.execute("SELECT fence FROM fences WHERE lineage = ?", (lineage,)).get
            if highest is not None and highest > fence:
                return False
            if highest != fence:
                db.execute("INSERT OR REPLACE INTO fences (lineage, fence) VALUES (?, ?)", (lineage, fence))
        return True

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with store_file.refusals(self.path, JOURNAL_FILE):
                connection.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[apsw.Connection | None]:
        """None where there is no file."""
        with self._one_at_a_time:
            if self._connection is None:
                self._connection = store_file.open_file(self.path, JOURNAL_FILE)
            db = self._connection
            if db is None:
                yield None
                return
            with store_file.refusals(self.path, JOURNAL_FILE), store_file.transaction(db, "DEFERRED"):
                yield db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        with self._one_at_a_time:
            if self._connection is None:
                self._connection = store_file.make_file(self.path, JOURNAL_FILE)
            db = self._connection
            with store_file.refusals(self.path, JOURNAL_FILE), store_file.transaction(db, "IMMEDIATE"):
                yield db


class MemoryJournal:
    """A `ports.Journal` for a fake host: it holds the same contract, but for what survives."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], Owner] = {}
        self._effects: dict[tuple[str, str], Effect] = {}
        self._fences: dict[str, int] = {}

    def owners(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, Owner]:
        return {key: self._owners[key.kind, key.identity] for key in keys if (key.kind, key.identity) in self._owners}

    def claim(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> tuple[Conflict, ...]:
        conflicts = _conflicts(self.owners(keys), Owner(stack, workspace))
        if not conflicts:
            self.hand_over(keys, stack, workspace)
        return conflicts

    def release(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> None:
        for key, owner in self.owners(keys).items():
            if owner == Owner(stack, workspace):
                self._owners.pop((key.kind, key.identity), None)

    def hand_over(self, keys: Collection[ResourceKey], stack: str, workspace: str) -> None:
        self._owners.update({(key.kind, key.identity): Owner(stack, workspace) for key in keys})

    def started(self, run: str, step: str, attempt: int) -> None:
        self._effects[run, step] = Effect(attempt, None)

    def done(self, run: str, step: str, outcome: Outcome) -> None:
        if (run, step) not in self._effects:
            raise _never_started(run, step)
        self._effects[run, step] = Effect(self._effects[run, step].attempt, outcome)

    def effect(self, run: str, step: str) -> Effect | None:
        return self._effects.get((run, step))

    def settle(self, run: str) -> None:
        self._effects = {key: effect for key, effect in self._effects.items() if key[0] != run}

    def admit(self, lineage: str, fence: int) -> bool:
        highest = max(fence, self._fences.get(lineage, fence))
        self._fences[lineage] = highest
        return highest == fence

    def close(self) -> None:
        """Nothing is held open."""


def _owners(db: apsw.Connection, keys: Iterable[ResourceKey]) -> dict[ResourceKey, Owner]:
    found: dict[ResourceKey, Owner] = {}
    for key in keys:
        row: Any = db.execute("SELECT stack, workspace FROM owners WHERE kind = ? AND identity = ?", (key.kind, key.identity)).get
        if row is not None:
            found[key] = Owner(*row)
    return found


def _own(db: apsw.Connection, keys: Iterable[ResourceKey], stack: str, workspace: str) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO owners (kind, identity, stack, workspace) VALUES (?, ?, ?, ?)",
        [(key.kind, key.identity, stack, workspace) for key in keys],
    )


def _conflicts(owners: dict[ResourceKey, Owner], wanted: Owner) -> tuple[Conflict, ...]:
    return tuple(sorted(Conflict(key, owner) for key, owner in owners.items() if owner != wanted))


def _never_started(run: str, step: str) -> LookupError:
    return LookupError(f"step {step} of run {run} was never started")
