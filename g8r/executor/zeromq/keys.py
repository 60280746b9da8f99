"""CURVE key pairs: in files that only their owner may read, in Z85 (rfc.zeromq.org/spec/32) for machines, as fingerprints for people.

A peer is its key: who holds the secret half is that agent, whatever its messages say. So a file that another user can read, or could
have put there, is refused rather than used.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Final, NewType

import msgspec
import zmq

from g8r.diagnostics import RejectedError, reject
from g8r.executor import store_folder

PublicKey = NewType("PublicKey", str)
"""Z85: 40 printable characters for 32 bytes."""

KEY_BYTES: Final = 32
_TEXT: Final = 40
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_OTHERS: Final = 0o077
_MOST: Final = 256
_HEAD: Final = "g8r-curve-key 1"
_FINGERPRINT_BYTES: Final = 20


class KeyPair(msgspec.Struct, frozen=True):
    """Both halves in Z85. Its representation shows the public one alone."""

    public: PublicKey
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def make() -> KeyPair:
    """A new pair, in memory only."""
    public, secret = zmq.curve_keypair()
    return KeyPair(PublicKey(public.decode("ascii")), secret.decode("ascii"))


def generate(path: Path) -> KeyPair:
    """A new pair in a new file (0600, there whole or not at all). Refused where the file exists: a key is never written over."""
    pair = make()
    text = f"{_HEAD}\n{pair.public}\n{pair.secret}\n"
    try:
        store_folder.prepare(path.parent)
        made = store_folder.create(path, lambda draft: _fill(draft, text))
    except OSError as problem:
        raise _unusable(path, problem) from problem
    if not made:
        raise reject(
            "agent-key-exists", f"there is a key at {path} already", "Enrolled hosts keep theirs. To enrol anew, move it away first."
        )
    return pair


def load(path: Path) -> KeyPair:
    """The pair in the file. Refused where others may read or could have written it, and where it is damaged."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(opened)
            content = os.read(opened, _MOST) if stat.S_ISREG(status.st_mode) else b""
        finally:
            os.close(opened)
    except OSError as problem:
        raise _unusable(path, problem) from problem
    if status.st_uid != os.geteuid():
        raise _foreign(path, status.st_uid)
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise _exposed(path)
    return _parse(path, content)


def parse_public(text: str) -> PublicKey | None:
    """A public key as people paste it, None where it is none."""
    stripped = text.strip()
    return PublicKey(stripped) if _is_key(stripped) else None


def to_text(raw: bytes) -> PublicKey | None:
    """A key as it comes over the wire, None where it does not have 32 bytes. Total: it never raises."""
    if len(raw) != KEY_BYTES:
        return None
    return PublicKey("".join(_digits(int.from_bytes(raw[start : start + 4], "big")) for start in range(0, KEY_BYTES, 4)))


def fingerprint(public: PublicKey) -> str:
    """What two people compare: 160 bits of the key's SHA-256 in eight groups of four letters and digits."""
    digest = hashlib.sha256(b"g8r curve key\0" + public.encode("ascii")).digest()[:_FINGERPRINT_BYTES]
    text = base64.b32encode(digest).decode("ascii").lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _fill(draft: Path, text: str) -> None:
    draft.write_text(text, encoding="ascii")


def _digits(number: int) -> str:
    return "".join(_ALPHABET[number // 85**power % 85] for power in (4, 3, 2, 1, 0))


def _is_key(text: str) -> bool:
    return len(text) == _TEXT and frozenset(_ALPHABET).issuperset(text)


def _parse(path: Path, content: bytes) -> KeyPair:
    lines = content.decode("ascii", errors="replace").splitlines()
    if len(lines) != 3 or lines[0] != _HEAD or not all(map(_is_key, lines[1:])):  # noqa: PLR2004 head, public, secret
        raise _damaged(path)
    try:
        public = zmq.curve_public(lines[2].encode("ascii")).decode("ascii")
    except zmq.ZMQError as problem:
        raise _damaged(path) from problem
    if public != lines[1]:
        raise _damaged(path)
    return KeyPair(PublicKey(public), lines[2])


def _unusable(path: Path, problem: OSError) -> RejectedError:
    detail = f"{problem.strerror}. This machine proves who it is with that key; `g8r agent join` makes one, and needs an invitation."
    return reject("agent-key-unusable", f"cannot use the key {path}", detail)


def _foreign(path: Path, owner: int) -> RejectedError:
    detail = f"It belongs to user {owner}, this process runs as user {os.geteuid()}. Whoever could put it there could be this machine."
    return reject("agent-key-foreign", f"the key {path} is another user's", f"{detail} Run as its owner, or enrol anew.")


def _exposed(path: Path) -> RejectedError:
    detail = f"Run `chmod 600 {path}`, and rotate the key (`g8r hosts rotate`) if others use this machine."
    return reject("agent-key-exposed", f"other users may read the key {path}", detail)


def _damaged(path: Path) -> RejectedError:
    detail = "It is not what was written there. Put the original back from a backup, or move it away and enrol anew."
    return reject("agent-key-damaged", f"the key {path} is damaged", detail)
