"""The tables of a state file. A change of them is a new `STATE_FORMAT` and a migration in `store_file`."""

from __future__ import annotations

from typing import Final

from g8r.executor.store_file import FileKind
from g8r.state import STATE_FORMAT

SCHEMA: Final = """
CREATE TABLE ledgers (
  id INTEGER PRIMARY KEY, stack TEXT NOT NULL, workspace TEXT NOT NULL, lineage TEXT NOT NULL, serial INTEGER NOT NULL,
  outputs BLOB NOT NULL, sensitive_outputs BLOB NOT NULL, UNIQUE (stack, workspace)
) STRICT;

-- `record` NULL: dropped at that serial. `bulk`: JSON array of the blobs that the record refers to.
CREATE TABLE resources (
  ledger INTEGER NOT NULL, host TEXT NOT NULL, kind TEXT NOT NULL, identity TEXT NOT NULL,
  serial INTEGER NOT NULL, address TEXT, record BLOB, bulk TEXT, UNIQUE (ledger, host, kind, identity)
) STRICT;
CREATE INDEX resources_by_address ON resources (ledger, address);
CREATE INDEX resources_with_bulk ON resources (bulk) WHERE bulk IS NOT NULL;

CREATE TABLE owed (
  ledger INTEGER NOT NULL, host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, verb TEXT NOT NULL,
  run TEXT NOT NULL, because TEXT NOT NULL, PRIMARY KEY (ledger, host, kind, name, verb)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  n INTEGER PRIMARY KEY, ledger INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, plan TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
  operator TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, serial INTEGER NOT NULL, counts BLOB
) STRICT;
CREATE INDEX runs_by_ledger ON runs (ledger, n);

-- `head` is the plan without its steps; these, and bodies of intents, are deflated JSON.
CREATE TABLE plans (run INTEGER PRIMARY KEY, head BLOB NOT NULL, steps BLOB NOT NULL, bulk TEXT) STRICT;
CREATE TABLE intents (run INTEGER NOT NULL, chunk INTEGER NOT NULL, body BLOB NOT NULL, bulk TEXT, PRIMARY KEY (run, chunk)) STRICT;
CREATE TABLE outcomes (
  run INTEGER NOT NULL, step TEXT NOT NULL, word TEXT NOT NULL, body BLOB NOT NULL, bulk TEXT, PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX outcomes_with_bulk ON outcomes (bulk) WHERE bulk IS NOT NULL;

CREATE TABLE blobs (digest TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE fidelity (kind TEXT PRIMARY KEY, predicted INTEGER NOT NULL, right INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- One row: the newest lease; its fence outlives it.
CREATE TABLE lease (
  only INTEGER PRIMARY KEY CHECK (only = 1), owner TEXT NOT NULL, operation TEXT NOT NULL, fence INTEGER NOT NULL,
  acquired TEXT NOT NULL, heartbeat TEXT NOT NULL, ttl REAL NOT NULL, released INTEGER NOT NULL
) STRICT;

CREATE TABLE copies (only INTEGER PRIMARY KEY CHECK (only = 1), made TEXT NOT NULL) STRICT
"""

STATE_FILE: Final = FileKind(
    noun="state file",
    code="state",
    application_id=0x67387273,
    format=STATE_FORMAT,
    schema=SCHEMA,
    rescue="Move it away and run `g8r state rebuild`, which recovers what reading the hosts can.",
)
