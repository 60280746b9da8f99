"""The lease's row in a state file. Every function works within its caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from g8r.executor.lease import Held
from g8r.state import Lease

if TYPE_CHECKING:
    import apsw


def held(db: apsw.Connection) -> Held | None:
    row: Any = db.execute("SELECT owner, operation, fence, acquired, heartbeat, ttl, released FROM lease").get
    return None if row is None else Held(Lease(*row[:5]), row[5], bool(row[6]))


def keep(db: apsw.Connection, new: Held) -> None:
    lease = new.lease
    columns = (lease.owner, lease.operation, lease.fence, lease.acquired, lease.heartbeat, new.ttl, int(new.released))
    db.execute("INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?, ?, ?)", columns)


def beat(db: apsw.Connection, now: str) -> Lease:
    """A heartbeat of the newest lease."""
    db.execute("UPDATE lease SET heartbeat = ?", (now,))
    row: Any = db.execute("SELECT owner, operation, fence, acquired, heartbeat FROM lease").get
    return Lease(*row)
