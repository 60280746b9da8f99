"""Ledgers in a state file: reading them, and bringing the effects of entries in. Every function works within its caller's transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from g8r import value
from g8r.address import Address
from g8r.executor import store_record
from g8r.executor.entries import Effects
from g8r.state import Intent, Owed, Resource, ResourceKey, State
from g8r.value import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    import apsw


class Ledger(msgspec.Struct, frozen=True):
    """The row of a ledger. `id` names it within the file only."""

    id: int
    lineage: str
    serial: int
    outputs: Document
    sensitive_outputs: tuple[str, ...]


def find(db: apsw.Connection, stack: str, workspace: str) -> Ledger | None:
    query = "SELECT id, lineage, serial, outputs, sensitive_outputs FROM ledgers WHERE stack = ? AND workspace = ?"
    row = db.execute(query, (stack, workspace)).get
    if row is None:
        return None
    number, lineage, serial, outputs, sensitive = row
    names = msgspec.json.decode(sensitive, type=tuple[str, ...])
    return Ledger(number, lineage, serial, msgspec.json.decode(outputs, type=Document), names)


def make(db: apsw.Connection, stack: str, workspace: str, lineage: str) -> Ledger:
    db.execute(
        "INSERT INTO ledgers (stack, workspace, lineage, serial, outputs, sensitive_outputs) VALUES (?, ?, ?, 0, ?, ?)",
        (stack, workspace, lineage, b"{}", b"[]"),
    )
    return Ledger(db.last_insert_rowid(), lineage, 0, {}, ())


def state(db: apsw.Connection, ledger: Ledger, stack: str, workspace: str) -> State:
    return State(
        stack=stack,
        workspace=workspace,
        lineage=ledger.lineage,
        serial=ledger.serial,
        resources=_resources(db, ledger.id),
        owed=_owed(db, ledger.id),
        intents=_intents(db, ledger.id),
        outputs=ledger.outputs,
        sensitive_outputs=ledger.sensitive_outputs,
    )


def set_serial(db: apsw.Connection, ledger: int, serial: int) -> None:
    db.execute("UPDATE ledgers SET serial = ? WHERE id = ?", (serial, ledger))


def serial(db: apsw.Connection, ledger: int) -> int:
    found: Any = db.execute("SELECT serial FROM ledgers WHERE id = ?", (ledger,)).get
    return int(found)


def set_outputs(db: apsw.Connection, ledger: int, outputs: Document, sensitive: tuple[str, ...]) -> bool:
    """Whether they differ from what was there."""
    new = (value.canonical(outputs), value.canonical(sensitive))
    db.execute(
        "UPDATE ledgers SET outputs = ?1, sensitive_outputs = ?2 WHERE id = ?3 AND (outputs <> ?1 OR sensitive_outputs <> ?2)",
        (*new, ledger),
    )
    return db.changes() > 0


def bring_in(db: apsw.Connection, ledger: int, serial: int, effects: Effects) -> None:
    """The effects, as of `serial`."""
    rows: list[tuple[Any, ...]] = []
    blobs: dict[str, bytes] = {}
    for key, resource in effects.resources.items():
        if resource is None:
            rows.append((ledger, key.host, key.kind, key.identity, serial, None, None, None))
            continue
        row = store_record.encode(resource)
        blobs.update(row.blobs)
        rows.append((ledger, key.host, key.kind, key.identity, serial, str(resource.address), row.body, row.bulk))
    keep_blobs(db, blobs)
    db.executemany(
        "INSERT INTO resources (ledger, host, kind, identity, serial, address, record, bulk) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET serial = excluded.serial, address = excluded.address, record = excluded.record, bulk = excluded.bulk",
        rows,
    )
    debts = [debt for debt in effects.owed.values() if debt is not None]
    owe(db, ledger, debts)
    paid = [(ledger, address, verb) for (address, verb), debt in effects.owed.items() if debt is None]
    db.executemany(
        "DELETE FROM owed WHERE ledger = ? AND host = ? AND kind = ? AND name = ? AND verb = ?",
        [(number, address.host, address.kind, address.name, verb) for number, address, verb in paid],
    )
    db.executemany(
        "UPDATE resources SET serial = ? WHERE ledger = ? AND address = ?", [(serial, number, str(address)) for number, address, _ in paid]
    )


def owe(db: apsw.Connection, ledger: int, owed: list[Owed]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO owed (ledger, host, kind, name, verb, run, because) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(ledger, debt.address.host, debt.address.kind, debt.address.name, debt.verb, debt.run, debt.because) for debt in owed],
    )


def touched_since(db: apsw.Connection, ledger: int, serial: int) -> set[ResourceKey]:
    query = "SELECT host, kind, identity FROM resources WHERE ledger = ? AND serial > ?"
    return {ResourceKey(*row) for row in db.execute(query, (ledger, serial))}


def keep_blobs(db: apsw.Connection, blobs: Mapping[str, bytes]) -> None:
    db.executemany("INSERT OR IGNORE INTO blobs (digest, content) VALUES (?, ?)", blobs.items())


def blob(db: apsw.Connection, digest: str) -> bytes:
    content = db.execute("SELECT content FROM blobs WHERE digest = ?", (digest,)).get
    if not isinstance(content, bytes):
        missing = f"blob {digest} is missing"
        raise msgspec.ValidationError(missing)
    return content


def sweep(db: apsw.Connection) -> None:
    """Drops the blobs that no row names any more."""
    if db.execute("SELECT 1 FROM blobs LIMIT 1").get is None:
        return
    named = " UNION ".join(
        f"SELECT named.value FROM {table}, json_each({table}.bulk) AS named WHERE {table}.bulk IS NOT NULL"  # noqa: S608 our own tables
        for table in ("resources", "outcomes", "intents", "plans")
    )
    db.execute(f"DELETE FROM blobs WHERE digest NOT IN ({named})")  # noqa: S608 the same


def _resources(db: apsw.Connection, ledger: int) -> dict[ResourceKey, Resource]:
    query = "SELECT record, bulk FROM resources WHERE ledger = ? AND record IS NOT NULL ORDER BY host, kind, identity"
    rows: list[tuple[Any, Any]] = list(db.execute(query, (ledger,)))
    plain = iter(msgspec.json.decode(b"[" + b",".join(body for body, bulk in rows if bulk is None) + b"]", type=list[Resource]))
    records = (next(plain) if bulk is None else store_record.decode(body, bulk, Resource, partial(blob, db)) for body, bulk in rows)
    return {record.key: record for record in records}


def _owed(db: apsw.Connection, ledger: int) -> tuple[Owed, ...]:
    query = "SELECT host, kind, name, verb, run, because FROM owed WHERE ledger = ?"
    rows: list[tuple[Any, ...]] = list(db.execute(query, (ledger,)))
    return tuple(sorted(Owed(Address(host, kind, name), verb, run, because) for host, kind, name, verb, run, because in rows))


def _intents(db: apsw.Connection, ledger: int) -> tuple[Intent, ...]:
    query = (
        "SELECT intents.run, body, bulk FROM intents JOIN runs ON runs.n = intents.run "
        "WHERE runs.ledger = ? AND runs.ended IS NULL ORDER BY intents.run, chunk"
    )
    chunks: list[tuple[Any, ...]] = list(db.execute(query, (ledger,)))
    over = {run: {step for (step,) in db.execute("SELECT step FROM outcomes WHERE run = ?", (run,))} for run, _, _ in chunks}
    return tuple(
        intent
        for run, body, bulk in chunks
        for intent in store_record.decode_all(body, bulk, Intent, partial(blob, db))
        if intent.step not in over[run]
    )
