"""Plan files: a saved plan and the blobs it names, in a zip. Equal plans give equal bytes.

    plan.json        the plan, canonical
    blobs/DIGEST     each blob
    MAC              which key, and a keyed digest of everything else

A plan that was edited, or made with another state's key, is refused whole [P-once]; so is one that a newer g8r wrote.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

import g8r
from g8r import value
from g8r.diagnostics import RejectedError, reject
from g8r.executor import sealing, store_folder
from g8r.executor.store_refusals import REFUSED_PLAN
from g8r.plan import PLAN_FORMAT, Plan

if TYPE_CHECKING:
    import zipfile

PLAN_ENTRY: Final = "plan.json"
MAC_ENTRY: Final = "MAC"
BLOBS: Final = "blobs/"
LARGEST: Final = 4 << 30
"""Bytes, unpacked. More is refused before it is unpacked."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LEVEL: Final = 1
_DIGEST_BYTES: Final = 32

_Noun = TypeVar("_Noun")


class _Head(msgspec.Struct, frozen=True):
    """What every format of a plan has, so that a newer one can be told apart."""

    format: int
    g8r_version: str


class _Mac(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`key` tells keys apart and gives nothing away."""

    key: str
    mac: str


class _BrokenError(Exception):
    """What was read is no whole plan file; the message says in what way."""


def write(path: Path, plan: Plan, blobs: Mapping[str, bytes], key: bytes) -> None:
    """Puts the plan file in place, whole or not at all, readable by its owner only. `blobs` are those that the plan names."""
    if sorted(blobs) != sorted(plan.blobs):
        missing = "the plan names other blobs than it was given"
        raise ValueError(missing)
    entries = {PLAN_ENTRY: value.canonical(plan)}
    entries.update({BLOBS + digest: blobs[digest] for digest in sorted(blobs)})
    entries[MAC_ENTRY] = value.canonical(_Mac(_key_id(key), _mac(entries, key)))
    try:
        store_folder.replace(path, lambda draft: _pack(draft, entries))
    except OSError as problem:
        raise _not_written(path, problem) from problem


def read(path: Path, key: bytes | None) -> tuple[Plan, dict[str, bytes]]:
    """The plan and its blobs. `key` is the state's; None where it has none yet, and so cannot have made a plan."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise _not_read(path, problem) from problem
    try:
        entries = _unpack(content)
        mac = _decoded(entries.pop(MAC_ENTRY), _Mac)
        _check_format(path, _decoded(entries[PLAN_ENTRY], _Head))
        _check_mac(path, mac, entries, key)
        plan = _decoded(entries.pop(PLAN_ENTRY), Plan)
        blobs = _blobs(plan, entries)
    except _BrokenError as problem:
        raise _damaged(path, problem) from problem
    return plan, blobs


def _pack(draft: Path, entries: Mapping[str, bytes]) -> None:
    import zipfile  # noqa: PLC0415 costs 10 ms, and only saved plans need it

    with zipfile.ZipFile(draft, "w") as packed:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = store_folder.PRIVATE << 16
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED, _LEVEL)


def _unpack(content: bytes) -> dict[str, bytes]:
    """All entries by name. `_BrokenError`: not a zip, cut short, or without what every plan file has."""
    import zipfile  # noqa: PLC0415 see `_pack`

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            found = packed.infolist()
            complaint = _complaint(found)
            entries = {} if complaint else {entry.filename: packed.read(entry) for entry in found}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, OverflowError) as problem:
        complaint = f"it cannot be unpacked ({problem})"
        raise _BrokenError(complaint) from problem
    if complaint:
        raise _BrokenError(complaint)
    return entries


def _complaint(found: list[zipfile.ZipInfo]) -> str | None:
    """What is wrong with the table of contents."""
    missing = sorted({PLAN_ENTRY, MAC_ENTRY} - {entry.filename for entry in found})
    if missing:
        return f"it has no {missing[0]}"
    if sum(entry.file_size for entry in found) > LARGEST:
        return "it would unpack to more than 4 GiB"
    return None


def _decoded(content: bytes, noun: type[_Noun]) -> _Noun:
    try:
        return msgspec.json.decode(content, type=noun)
    except msgspec.DecodeError as problem:
        raise _BrokenError(str(problem)) from problem


def _check_format(path: Path, head: _Head) -> None:
    if head.format > PLAN_FORMAT:
        raise _newer(path, head)


def _check_mac(path: Path, mac: _Mac, entries: Mapping[str, bytes], key: bytes | None) -> None:
    if key is None or not hmac.compare_digest(mac.key.encode(), _key_id(key).encode()):
        raise _foreign(path)
    if not hmac.compare_digest(mac.mac.encode(), _mac(entries, key).encode()):
        raise _edited(path)


def _blobs(plan: Plan, entries: Mapping[str, bytes]) -> dict[str, bytes]:
    """By digest. `_BrokenError`: not those that the plan names, or not what their digests say."""
    blobs = {name.removeprefix(BLOBS): content for name, content in entries.items()}
    wrong = sorted({*blobs} ^ {*plan.blobs}) + [digest for digest, content in sorted(blobs.items()) if value.digest(content) != digest]
    if wrong:
        complaint = f"the blob {wrong[0]} is not what the plan names"
        raise _BrokenError(complaint)
    return blobs


def _key_id(key: bytes) -> str:
    return sealing.subkey(key, "plan-key-id").hex()


def _mac(entries: Mapping[str, bytes], key: bytes) -> str:
    """Over all entries but the MAC: each one's name and content, with their lengths, in the order of names."""
    keyed = hashlib.blake2b(key=sealing.subkey(key, "plan-mac"), digest_size=_DIGEST_BYTES)
    for name in sorted(entries):
        for part in (name.encode(), entries[name]):
            keyed.update(len(part).to_bytes(8, "big"))
            keyed.update(part)
    return keyed.hexdigest()


def _not_written(path: Path, problem: OSError) -> RejectedError:
    return reject("plan-not-written", f"cannot write the plan {path}", f"{problem.strerror}. Name another place with `-o`.")


def _not_read(path: Path, problem: OSError) -> RejectedError:
    return reject("plan-not-read", f"cannot read the plan {path}", f"{problem.strerror}. `g8r plan -o FILE` makes one.")


def _damaged(path: Path, problem: _BrokenError) -> RejectedError:
    return reject("plan-damaged", f"{path} is not a whole plan file", f"{problem}. Copy it again, or plan again.", exit_code=REFUSED_PLAN)


def _newer(path: Path, head: _Head) -> RejectedError:
    detail = (
        f"It has format {head.format}, of g8r {head.g8r_version}; this g8r {g8r.__version__} knows formats up to {PLAN_FORMAT}. "
        "Upgrade g8r, or plan again with this one."
    )
    return reject("plan-newer", f"the plan {path} was written by a newer g8r", detail, exit_code=REFUSED_PLAN)


def _foreign(path: Path) -> RejectedError:
    detail = "Apply it where it was made, or where that state's `.g8r/key` is; or plan again here."
    return reject("plan-foreign", f"the plan {path} was not made with this state's key", detail, exit_code=REFUSED_PLAN)


def _edited(path: Path) -> RejectedError:
    detail = "What it holds is not what was planned and reviewed. Plan again."
    return reject("plan-edited", f"the plan {path} was edited after it was made", detail, exit_code=REFUSED_PLAN)
