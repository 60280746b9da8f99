"""The programs of a fake Debian host, one file for each family. `FakeHost.debian()` installs the whole table.

A program gets the host that it runs on, as its own user sees it, and acts on it like any program: it edits /etc/passwd, or keeps
what it knows in `host.databases` under its own name, as values that are replaced and never edited (snapshots compare them).
"""

from __future__ import annotations

from g8r.executor.fake_host import Program
from g8r.executor.fake_programs import accounts, apt, plain, systemd

PROGRAMS: dict[str, Program] = {**plain.PROGRAMS, **accounts.PROGRAMS, **apt.PROGRAMS, **systemd.PROGRAMS}
