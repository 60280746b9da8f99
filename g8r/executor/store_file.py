"""SQLite files that lose nothing: how they are made, opened and checked, and in which words they refuse.

A file is made complete beside its place and linked into it, so that a half-made one is never seen and an empty one is damage. A
damaged, foreign or newer file is never written to. Only here is apsw imported, and only when a file is opened.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import msgspec

from g8r.diagnostics import RejectedError, reject
from g8r.executor import store_folder

if TYPE_CHECKING:
    import apsw

BUSY_MILLISECONDS: Final = 10_000
CACHE_KIB: Final = 16_000
"""So that a commit of some thousand outcomes is written once, not also spilled before."""
CHECKPOINT_PAGES: Final = 4000
"""16 MiB of log before it is moved into the file in the middle of a run; else that happens once, when the file is closed."""


class FileKind(msgspec.Struct, frozen=True):
    """What a file must be. `noun` is what users call it; `code` begins its diagnostics' codes; `rescue`: what to do without a copy."""

    noun: str
    code: str
    application_id: int
    format: int
    schema: str
    rescue: str


def open_file(path: Path, kind: FileKind) -> apsw.Connection | None:
    """The file, checked to be of this kind and not newer; None where there is none. Makes and changes nothing."""
    try:
        if not path.exists():
            return None
    except OSError as problem:
        raise _refused(path, kind, problem) from problem
    with refusals(path, kind):
        return _checked(path, kind)


def make_file(path: Path, kind: FileKind) -> apsw.Connection:
    """The file, made where there is none, its folder too."""
    with refusals(path, kind):
        store_folder.prepare(path.parent)
        if not path.exists():
            store_folder.create(path, lambda draft: _fill(draft, kind))
        return _checked(path, kind)


def copy_file(connection: apsw.Connection, path: Path, kind: FileKind) -> Path:
    """A consistent copy beside the file, put in the place of the last one once it is complete."""
    copy = backup_of(path)
    with refusals(path, kind):
        store_folder.replace(copy, lambda draft: _vacuum_into(connection, draft))
    return copy


def backup_of(path: Path) -> Path:
    return path.with_name(path.name + ".backup")


@contextlib.contextmanager
def transaction(connection: apsw.Connection, mode: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """Committed when left, unless by an exception: then as if it had never begun."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def refusals(path: Path, kind: FileKind) -> Iterator[None]:
    """Says in the user's words what SQLite and the file system refuse."""
    import apsw  # noqa: PLC0415 costs 10 ms, and planning without a ledger never needs it

    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError, msgspec.DecodeError) as problem:
        raise damaged(path, kind, str(problem)) from problem
    except apsw.FullError as problem:
        raise _full(path, kind) from problem
    except (apsw.BusyError, apsw.LockedError) as problem:
        raise _busy(path, kind) from problem
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError) as problem:
        raise _unwritable(path, kind, str(problem)) from problem
    except apsw.IOError as problem:
        raise _failing(path, kind, getattr(problem, "extendedresult", 0), str(problem)) from problem
    except OSError as problem:
        raise _refused(path, kind, problem) from problem


def damaged(path: Path, kind: FileKind, why: str) -> RejectedError:
    copy = backup_of(path)
    names = f"{path.name}, {path.name}-wal and {path.name}-shm"
    advice = (
        f"An earlier copy is {copy}: move {names} to another folder, then rename the copy to {path.name}."
        if copy.exists()
        else f"There is no copy ({copy}). {kind.rescue}"
    )
    return reject(f"{kind.code}-damaged", f"the {kind.noun} {path} is damaged", f"It was left as it is ({why}). {advice}")


def _checked(path: Path, kind: FileKind) -> apsw.Connection:
    connection = _readable(path)
    try:
        _check(connection, path, kind)
    except BaseException:
        connection.close()
        raise
    return connection


def _readable(path: Path) -> apsw.Connection:
    """A connection that has read its first page. A folder that cannot be written, without a log beside the file, is read as it stands."""
    import apsw  # noqa: PLC0415 see `refusals`

    connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    try:
        connection.pragma("user_version")
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        connection.close()
        log = path.with_name(path.name + "-wal")
        if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size > 0):
            raise
        uri = f"file:{quote(os.fspath(path.absolute()))}?immutable=1"
        return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    except BaseException:
        connection.close()
        raise
    connection.execute(f"PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}; PRAGMA cache_size=-{CACHE_KIB}")
    return connection


def _check(connection: apsw.Connection, path: Path, kind: FileKind) -> None:
    if path.stat().st_size == 0:
        raise damaged(path, kind, "it is empty")
    if connection.pragma("application_id") != kind.application_id:
        raise _foreign(path, kind)
    found = connection.pragma("user_version")
    if found > kind.format:
        raise _newer(path, kind, found)


def _fill(draft: Path, kind: FileKind) -> None:
    """Writes a new file. Nothing is synchronised here: whoever makes it durable is `store_folder.create`."""
    import apsw  # noqa: PLC0415 see `refusals`

    connection = apsw.Connection(os.fspath(draft), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL")
        connection.execute(f"BEGIN; {kind.schema}; PRAGMA application_id={kind.application_id}; PRAGMA user_version={kind.format}; COMMIT")
    finally:
        connection.close()


def _vacuum_into(connection: apsw.Connection, draft: Path) -> None:
    connection.execute("VACUUM INTO ?", (os.fspath(draft),))


def _busy(path: Path, kind: FileKind) -> RejectedError:
    summary = f"another process keeps the {kind.noun} {path} busy"
    return reject(f"{kind.code}-busy", summary, "Nothing was changed. Try again when it is done.")


def _foreign(path: Path, kind: FileKind) -> RejectedError:
    return reject(
        f"{kind.code}-foreign",
        f"{path} is not a {kind.noun} of g8r",
        "It is a database of another program, and was left as it is. Name another place.",
    )


def _newer(path: Path, kind: FileKind, found: int) -> RejectedError:
    return reject(
        f"{kind.code}-newer",
        f"the {kind.noun} {path} was written by a newer g8r",
        f"It has format {found}, and this g8r knows formats up to {kind.format}; it was left as it is. Upgrade g8r.",
    )


def _full(path: Path, kind: FileKind) -> RejectedError:
    return reject(
        f"{kind.code}-disk-full",
        f"no space left for the {kind.noun} {path}",
        "What was acknowledged before is kept. Free some space on that disk, then go on with `g8r apply --resume`, or plan again.",
    )


def _unwritable(path: Path, kind: FileKind, why: str) -> RejectedError:
    return reject(
        f"{kind.code}-not-writable",
        f"cannot write the {kind.noun} {path}",
        f"{why}. Make {path.parent} and the files in it writable for this user, or name another place with `--state` or G8R_STATE.",
    )


def _failing(path: Path, kind: FileKind, code: int, why: str) -> RejectedError:
    import apsw  # noqa: PLC0415 see `refusals`

    if code in (apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP):
        return _full(path, kind)
    return reject(
        f"{kind.code}-failing",
        f"the disk refuses the {kind.noun} {path}",
        f"{why}. What was acknowledged before is kept; the last outcomes may be missing, and the next plan reads the hosts again.",
    )


def _refused(path: Path, kind: FileKind, problem: OSError) -> RejectedError:
    import errno  # noqa: PLC0415 only refusals need it

    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path, kind)
    return _unwritable(path, kind, f"{problem.strerror}: {problem.filename}")
