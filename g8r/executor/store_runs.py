"""Runs in a state file: their plans, intents and outcomes. Every function works within its caller's transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from g8r import outcome as outcomes_of
from g8r import value
from g8r.executor import entries, store_ledger, store_record, store_refusals
from g8r.outcome import Outcome
from g8r.plan import Plan, Step
from g8r.state import Ended, Intent, Run, RunStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import apsw

KEPT_RUNS: Final = 50
"""Of each ledger, so many of the newest runs keep their plan and outcomes; the others only their line in the history."""
CHUNK: Final = 1000
"""Intents in one row."""


class RunRow(msgspec.Struct, frozen=True):
    """A run as its row has it; `n` names it within the file only."""

    n: int
    ledger: int
    status: RunStatus
    ended: str | None
    serial: int


class BegunRun(msgspec.Struct, frozen=True):
    """The rows of a run that begins, encoded before the transaction."""

    head: bytes
    steps: bytes
    bulk: str | None
    intents: tuple[store_record.Row, ...]
    blobs: dict[str, bytes]


def encoded(plan: Plan, intents: Sequence[Intent], blobs: Mapping[str, bytes]) -> BegunRun:
    steps = store_record.encode_all(plan.steps)
    head = value.canonical(msgspec.structs.replace(plan, steps=()))
    unstarted = [msgspec.structs.replace(intent, started=False) if intent.started else intent for intent in intents]
    chunks = tuple(store_record.encode_all(unstarted[start : start + CHUNK]) for start in range(0, len(intents), CHUNK))
    kept = {**blobs, **steps.blobs}
    for chunk in chunks:
        kept.update(chunk.blobs)
    bulk = msgspec.structs.replace(steps, blobs=dict.fromkeys((*plan.blobs, *steps.blobs), b"")).bulk
    return BegunRun(store_record.deflated(head), steps.body, bulk, chunks, kept)


def insert(db: apsw.Connection, ledger: int, serial: int, run: Run, plan: Plan) -> int:
    db.execute(
        "INSERT INTO runs (ledger, id, plan, status, operator, started, serial) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (ledger, run.id, plan.id, "running", run.operator, run.started, serial),
    )
    return db.last_insert_rowid()


def insert_begun(db: apsw.Connection, run: int, begun: BegunRun) -> None:
    store_ledger.keep_blobs(db, begun.blobs)
    db.execute("INSERT INTO plans (run, head, steps, bulk) VALUES (?, ?, ?, ?)", (run, begun.head, begun.steps, begun.bulk))
    db.executemany(
        "INSERT INTO intents (run, chunk, body, bulk) VALUES (?, ?, ?, ?)",
        [(run, chunk, row.body, row.bulk) for chunk, row in enumerate(begun.intents)],
    )


def outcome_rows(ended: Sequence[Ended]) -> tuple[list[tuple[str, str, bytes, str | None]], dict[str, bytes]]:
    """Step, word, body, bulk; and the blobs."""
    rows, blobs = [], {}
    for step in ended:
        row = store_record.encode(step.outcome)
        blobs.update(row.blobs)
        rows.append((step.step, outcomes_of.word(step.outcome), row.body, row.bulk))
    return rows, blobs


def insert_outcomes(db: apsw.Connection, run: int, rows: Sequence[tuple[str, str, bytes, str | None]]) -> None:
    db.executemany("INSERT OR REPLACE INTO outcomes (run, step, word, body, bulk) VALUES (?, ?, ?, ?, ?)", [(run, *row) for row in rows])


def add_fidelity(db: apsw.Connection, ended: Sequence[Ended]) -> None:
    db.executemany(
        "INSERT INTO fidelity (kind, predicted, right) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET predicted = predicted + excluded.predicted, right = right + excluded.right",
        [(kind, predicted, right) for kind, (predicted, right) in entries.fidelity(ended).items()],
    )


def find(db: apsw.Connection, run: str) -> RunRow | None:
    row: Any = db.execute("SELECT n, ledger, status, ended, serial FROM runs WHERE id = ?", (run,)).get
    return None if row is None else RunRow(*row)


def listed(db: apsw.Connection, ledger: int, limit: int, *, only_open: bool) -> Iterator[Run]:
    """The newest first."""
    columns = "n, id, plan, status, operator, started, ended, serial, counts"
    still = "AND ended IS NULL" if only_open else ""
    query = f"SELECT {columns} FROM runs WHERE ledger = ? {still} ORDER BY n DESC LIMIT ?"  # noqa: S608 our own words
    rows: list[Any] = list(db.execute(query, (ledger, limit)))
    for n, run, plan, status, operator, started, ended, serial, kept in rows:
        counted = counts(db, n) if kept is None else msgspec.json.decode(kept, type=dict[str, int])
        yield Run(run, plan, status, operator, started, ended, serial, counted)


def counts(db: apsw.Connection, run: int) -> dict[str, int]:
    rows: list[tuple[Any, Any]] = list(db.execute("SELECT word, count(*) FROM outcomes WHERE run = ? GROUP BY word ORDER BY word", (run,)))
    return dict(rows)


def close(db: apsw.Connection, run: RunRow, status: RunStatus, ended: str, serial: int) -> None:
    db.execute(
        "UPDATE runs SET status = ?, ended = ?, serial = ?, counts = ? WHERE n = ?",
        (status, ended, serial, msgspec.json.encode(counts(db, run.n)), run.n),
    )
    if status in store_refusals.OVER:
        db.execute("DELETE FROM intents WHERE run = ?", (run.n,))


def open_again(db: apsw.Connection, run: int, again: Collection[str]) -> None:
    db.execute("UPDATE runs SET status = 'running', ended = NULL, counts = NULL WHERE n = ?", (run,))
    db.executemany("DELETE FROM outcomes WHERE run = ? AND step = ?", [(run, step) for step in again])


def applied(db: apsw.Connection, plan: str) -> str | None:
    """The run that performs this plan, or did."""
    found = db.execute("SELECT id FROM runs WHERE plan = ?", (plan,)).get
    return None if found is None else str(found)


def follower(db: apsw.Connection, run: RunRow) -> str | None:
    """A later run of the same ledger."""
    found = db.execute("SELECT id FROM runs WHERE ledger = ? AND n > ? ORDER BY n LIMIT 1", (run.ledger, run.n)).get
    return None if found is None else str(found)


def thin_out(db: apsw.Connection, ledger: int) -> None:
    """Drops what only the newest runs keep: the intents of runs that have ended, and the plans and outcomes of old ones."""
    db.execute("DELETE FROM intents WHERE run IN (SELECT n FROM runs WHERE ledger = ? AND ended IS NOT NULL)", (ledger,))
    old = (
        "run IN (SELECT n FROM runs WHERE ledger = ? AND ended IS NOT NULL "
        "AND n NOT IN (SELECT n FROM runs WHERE ledger = ? ORDER BY n DESC LIMIT ?) AND n IN (SELECT run FROM plans))"
    )
    for table in ("outcomes", "plans"):
        db.execute(f"DELETE FROM {table} WHERE {old}", (ledger, ledger, KEPT_RUNS))  # noqa: S608 our own tables


def outcomes(db: apsw.Connection, run: int) -> list[tuple[str, Outcome]]:
    rows: list[tuple[Any, Any, Any]] = list(db.execute("SELECT step, body, bulk FROM outcomes WHERE run = ? ORDER BY step", (run,)))
    wanted: Any = Outcome
    return [(step, store_record.decode(body, bulk, wanted, partial(store_ledger.blob, db))) for step, body, bulk in rows]


def plan(db: apsw.Connection, run: int) -> Plan | None:
    row: Any = db.execute("SELECT head, steps, bulk FROM plans WHERE run = ?", (run,)).get
    if row is None:
        return None
    head, steps, bulk = row
    kept = msgspec.json.decode(store_record.inflated(head), type=Plan)
    decoded = store_record.decode_all(steps, bulk, Step, partial(store_ledger.blob, db))
    return msgspec.structs.replace(kept, steps=tuple(decoded))
