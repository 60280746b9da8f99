"""The store in a file: SQLite in WAL mode, every transaction synchronised (`PRAGMA synchronous=FULL`) before it is acknowledged.

It refuses to know what a plan is for, who calls it and what time it is. Nothing is opened before the first call, and reading
makes no file. At the start of a run the file is copied beside itself, at most once an hour, since it cannot be made again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from g8r.executor import entries, lease, store_file, store_lease, store_ledger, store_refusals, store_runs
from g8r.executor.ports import Alive
from g8r.executor.store_schema import STATE_FILE
from g8r.outcome import Outcome
from g8r.plan import Plan
from g8r.state import Ended, Entry, Fidelity, Intent, Lease, Owed, ResourceKey, Run, RunStatus, State
from g8r.value import Document

if TYPE_CHECKING:
    import apsw

COPY_EVERY: Final = timedelta(hours=1)


class SqliteStore:
    """A `ports.Store` in the file at `path`. What its methods promise stands there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: apsw.Connection | None = None

    def load(self, stack: str, workspace: str) -> State:
        with self._reading() as db:
            ledger = store_ledger.find(db, stack, workspace) if db else None
            if db is None or ledger is None:
                return State(stack, workspace, lineage="", serial=0)
            return store_ledger.state(db, ledger, stack, workspace)

    def ledgers(self) -> list[tuple[str, str]]:
        with self._reading() as db:
            rows: list[tuple[Any, ...]] = list(db.execute("SELECT stack, workspace FROM ledgers ORDER BY stack, workspace")) if db else []
        return [(stack, workspace) for stack, workspace in rows]

    def lineage(self, stack: str, workspace: str, fresh: str) -> str:
        with self._reading() as db:
            known = store_ledger.find(db, stack, workspace) if db else None
        if known is not None:
            return known.lineage
        with self._writing(None) as db:
            return (store_ledger.find(db, stack, workspace) or store_ledger.make(db, stack, workspace, fresh)).lineage

    def holder(self) -> Lease | None:
        with self._reading() as db:
            held = store_lease.held(db) if db else None
        return held.lease if held and not held.released else None

    def lease(self, owner: str, operation: str, now: str, ttl: float, alive: Alive) -> Lease:
        with self._writing(None) as db:
            wanted = lease.Held(Lease(owner, operation, 0, now, now), ttl)
            held = lease.taken(store_lease.held(db), wanted, alive)
            store_lease.keep(db, held)
        return held.lease

    def renew(self, lease: Lease, now: str) -> Lease:
        with self._writing(lease.fence) as db:
            return store_lease.beat(db, now)

    def release(self, lease: Lease) -> None:
        with self._writing(None) as db:
            held = store_lease.held(db)
            if held and held.lease.fence == lease.fence:
                store_lease.keep(db, msgspec.structs.replace(held, released=True))

    def begin(self, fence: int, run: Run, plan: Plan, intents: Sequence[Intent], owed: Sequence[Owed], blobs: Mapping[str, bytes]) -> int:
        begun = store_runs.encoded(plan, intents, blobs)
        copied = self._copy(run.started)
        with self._writing(fence) as db:
            ledger = _ledger_for(db, plan)
            if copied:
                db.execute("INSERT OR REPLACE INTO copies VALUES (1, ?)", (run.started,))
            serial = ledger.serial + bool(owed)
            store_runs.thin_out(db, ledger.id)
            number = store_runs.insert(db, ledger.id, serial, run, plan)
            store_runs.insert_begun(db, number, begun)
            store_ledger.owe(db, ledger.id, list(owed))
            store_ledger.set_serial(db, ledger.id, serial)
            store_ledger.sweep(db)
        return serial

    def record(self, fence: int, run: str, ended: Sequence[Ended]) -> int:
        rows, blobs = store_runs.outcome_rows(ended)
        effects = entries.of_steps(ended)
        with self._writing(fence) as db:
            of_run = _open(db, run)
            serial = store_ledger.serial(db, of_run.ledger) + bool(effects)
            store_ledger.keep_blobs(db, blobs)
            store_runs.insert_outcomes(db, of_run.n, rows)
            store_runs.add_fidelity(db, ended)
            store_ledger.bring_in(db, of_run.ledger, serial, effects)
            store_ledger.set_serial(db, of_run.ledger, serial)
            db.execute("UPDATE runs SET serial = ? WHERE n = ?", (serial, of_run.n))
        return serial

    def finish(
        self,
        fence: int,
        run: str,
        status: RunStatus,
        ended: str,
        outputs: Document | None = None,
        sensitive_outputs: Sequence[str] = (),
    ) -> int:
        with self._writing(fence) as db:
            of_run = _open(db, run)
            serial = store_ledger.serial(db, of_run.ledger)
            if outputs is not None and store_ledger.set_outputs(db, of_run.ledger, outputs, tuple(sensitive_outputs)):
                serial += 1
                store_ledger.set_serial(db, of_run.ledger, serial)
            store_runs.close(db, of_run, status, ended, serial)
            store_ledger.sweep(db)
        return serial

    def reopen(self, fence: int, run: str, again: Collection[str]) -> None:
        with self._writing(fence) as db:
            of_run = _known(db, run)
            follower = store_runs.follower(db, of_run)
            if of_run.status in store_refusals.OVER or follower is not None:
                raise store_refusals.over(run, of_run.status, follower)
            store_runs.open_again(db, of_run.n, again)

    def abandon(self, fence: int, run: str, ended: str) -> None:
        with self._writing(fence) as db:
            of_run = _open(db, run)
            store_runs.close(db, of_run, "abandoned", ended, of_run.serial)
            store_ledger.sweep(db)

    def edit(self, fence: int, stack: str, workspace: str, changes: Sequence[Entry]) -> int:
        effects = entries.total(changes)
        with self._writing(fence) as db:
            ledger = store_ledger.find(db, stack, workspace)
            if ledger is None:
                raise store_refusals.unknown_ledger(stack, workspace)
            serial = ledger.serial + bool(effects)
            store_ledger.bring_in(db, ledger.id, serial, effects)
            store_ledger.set_serial(db, ledger.id, serial)
            store_ledger.sweep(db)
        return serial

    def runs(self, stack: str, workspace: str, limit: int) -> list[Run]:
        return self._runs(stack, workspace, limit, only_open=False)

    def open_run(self, stack: str, workspace: str) -> Run | None:
        return next(iter(self._runs(stack, workspace, 1, only_open=True)), None)

    def outcomes(self, run: str) -> list[tuple[str, Outcome]]:
        with self._reading() as db:
            of_run = store_runs.find(db, run) if db else None
            return store_runs.outcomes(db, of_run.n) if db and of_run else []

    def plan_of(self, run: str) -> Plan:
        with self._reading() as db:
            of_run = store_runs.find(db, run) if db else None
            plan = store_runs.plan(db, of_run.n) if db and of_run else None
        if plan is None:
            raise store_refusals.no_plan(run)
        return plan

    def blobs_of(self, run: str) -> dict[str, bytes]:
        names = self.plan_of(run).blobs
        with self._reading() as db:
            return {name: store_ledger.blob(db, name) for name in names} if db else {}

    def applied(self, plan: str) -> str | None:
        with self._reading() as db:
            return store_runs.applied(db, plan) if db else None

    def fidelity(self) -> list[Fidelity]:
        with self._reading() as db:
            rows: list[tuple[Any, ...]] = list(db.execute("SELECT kind, predicted, right FROM fidelity ORDER BY kind")) if db else []
        return [Fidelity(*row) for row in rows]

    def touched_since(self, stack: str, workspace: str, serial: int) -> set[ResourceKey]:
        with self._reading() as db:
            ledger = store_ledger.find(db, stack, workspace) if db else None
            return store_ledger.touched_since(db, ledger.id, serial) if db and ledger else set()

    def problems(self) -> list[str]:
        """What SQLite's integrity check finds wrong with the file: nothing, as a rule. Reads all of it."""
        with self._reading() as db:
            found = [str(line) for (line,) in db.execute("PRAGMA integrity_check")] if db else []
        return [line for line in found if line != "ok"]

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with store_file.refusals(self.path, STATE_FILE):
                connection.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[apsw.Connection | None]:
        """One consistent view; None where there is no file."""
        if self._connection is None:
            self._connection = store_file.open_file(self.path, STATE_FILE)
        db = self._connection
        if db is None:
            yield None
            return
        with store_file.refusals(self.path, STATE_FILE), store_file.transaction(db, "DEFERRED"):
            yield db

    @contextlib.contextmanager
    def _writing(self, fence: int | None) -> Iterator[apsw.Connection]:
        """One transaction, made by the holder of `fence`."""
        if self._connection is None:
            self._connection = store_file.make_file(self.path, STATE_FILE)
        db = self._connection
        with store_file.refusals(self.path, STATE_FILE), store_file.transaction(db, "IMMEDIATE"):
            if fence is not None:
                lease.check(store_lease.held(db), fence)
            yield db

    def _runs(self, stack: str, workspace: str, limit: int, *, only_open: bool) -> list[Run]:
        with self._reading() as db:
            ledger = store_ledger.find(db, stack, workspace) if db else None
            return list(store_runs.listed(db, ledger.id, limit, only_open=only_open)) if db and ledger else []

    def _copy(self, now: str) -> bool:
        """Copies the file unless that was done within the hour, or there is nothing to lose yet."""
        with self._reading() as db:
            if db is None or db.execute("SELECT 1 FROM ledgers WHERE serial > 0").get is None:
                return False
            made: Any = db.execute("SELECT made FROM copies").get
        if made and store_file.backup_of(self.path).exists():
            age = datetime.fromisoformat(now) - datetime.fromisoformat(made)
            if abs(age) < COPY_EVERY:
                return False
        store_file.copy_file(db, self.path, STATE_FILE)
        return True


def _ledger_for(db: apsw.Connection, plan: Plan) -> store_ledger.Ledger:
    ledger = store_ledger.find(db, plan.stack, plan.workspace)
    if ledger is None or ledger.lineage != plan.lineage:
        raise store_refusals.other_lineage(plan)
    run = store_runs.applied(db, plan.id)
    if run is not None:
        raise store_refusals.applied_before(run)
    return ledger


def _known(db: apsw.Connection, run: str) -> store_runs.RunRow:
    found = store_runs.find(db, run)
    if found is None:
        raise store_refusals.unknown_run(run)
    return found


def _open(db: apsw.Connection, run: str) -> store_runs.RunRow:
    found = _known(db, run)
    if found.ended is not None:
        raise store_refusals.ended_run(run)
    return found
