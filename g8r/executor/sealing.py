"""Sealing: how sensitive values stand in plans and ledgers, and the key of a state from which everything secret about it is derived.

XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) through libsodium. The nonce is derived from key, place and plaintext, so that the same
value in the same place gives the same text [P-same]; the same value elsewhere gives another, and cannot be moved there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from g8r import value
from g8r.diagnostics import RejectedError, reject
from g8r.executor import store_folder
from g8r.value import Value

KEY_BYTES: Final = 32
PREFIX: Final = "sealed:v1:"
_NONCE_BYTES: Final = 24
_OTHERS: Final = 0o077

Purpose: TypeAlias = Literal["seal", "nonce", "digest", "plan-mac", "plan-key-id"]


def load_key(path: Path) -> bytes | None:
    """The key in the file, None where there is none. Refused where others can read it, or it is no key."""
    try:
        with path.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(KEY_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _unusable(path, problem) from problem
    if stat.S_IMODE(mode) & _OTHERS:
        raise _exposed(path)
    if len(content) != KEY_BYTES:
        raise _misshapen(path)
    return content


def obtain_key(path: Path) -> bytes:
    """The same, made where there is none: 32 random bytes that only the file's owner may read."""
    known = load_key(path)
    if known is not None:
        return known
    try:
        store_folder.prepare(path.parent)
        store_folder.create(path, _fill)
    except OSError as problem:
        raise _unusable(path, problem) from problem
    return obtain_key(path)


def subkey(key: bytes, purpose: Purpose) -> bytes:
    """A key for one purpose only: BLAKE2b-256 keyed with `key` and personalised with the purpose."""
    return hashlib.blake2b(key=key, person=purpose.encode(), digest_size=KEY_BYTES).digest()


def seal(plain: Value, place: str, key: bytes) -> str:
    """`sealed:v1:` and base64 of nonce and ciphertext. `place` says where the value belongs, such as an address and a param."""
    from nacl import bindings  # noqa: PLC0415 costs 30 ms, and most stacks have no secret

    message, where = value.canonical(plain), place.encode()
    nonce = hashlib.blake2b(len(where).to_bytes(8, "big") + where + message, key=subkey(key, "nonce"), digest_size=_NONCE_BYTES).digest()
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(message, where, nonce, subkey(key, "seal"))
    return PREFIX + base64.b64encode(nonce + sealed).decode()


def is_sealed(text: Value) -> bool:
    return isinstance(text, str) and text.startswith(PREFIX)


def unseal(text: str, place: str, key: bytes) -> Value:
    """The value that was sealed for this place with this key; anything else is refused."""
    from nacl import bindings, exceptions  # noqa: PLC0415 see `seal`

    try:
        content = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        nonce, sealed = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
        message = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, place.encode(), nonce, subkey(key, "seal"))
    except (binascii.Error, ValueError, exceptions.CryptoError) as problem:
        raise _closed(place) from problem
    opened: Value = msgspec.json.decode(message)
    return opened


def _fill(draft: Path) -> None:
    draft.write_bytes(secrets.token_bytes(KEY_BYTES))


def _unusable(path: Path, problem: OSError) -> RejectedError:
    return reject("key-unusable", f"cannot use the key {path}", f"{problem.strerror}. The state's secrets are sealed with it.")


def _exposed(path: Path) -> RejectedError:
    detail = f"Run `chmod 600 {path}`. If others use this machine, change the secrets that the state and its plans hold."
    return reject("key-exposed", f"other users may read the key {path}", detail)


def _misshapen(path: Path) -> RejectedError:
    detail = "Put the original back from a backup. Without it, what is sealed is lost: move it away, and plan again."
    return reject("key-damaged", f"the key {path} does not have {KEY_BYTES} bytes", detail)


def _closed(place: str) -> RejectedError:
    detail = f"The sealed value at {place} was edited, moved, or sealed with another state's key. Plan again where its key is."
    return reject("sealed-closed", "a sensitive value cannot be unsealed", detail)
