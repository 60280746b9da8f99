"""The real signatures: Ed25519 by pynacl. The one place in delivery that knows a key."""

from __future__ import annotations

from g8r.executor.delivery.order import Check, Sign


def signer(seed: bytes) -> Sign:
    """Signs with the key that this seed of 32 bytes gives."""
    from nacl.signing import SigningKey  # noqa: PLC0415 costs 30 ms, and most runs sign nothing

    key = SigningKey(seed)
    return lambda content: bytes(key.sign(content).signature)


def public_key(seed: bytes) -> bytes:
    """What an agent pins to check what the seed's owner signs."""
    from nacl.signing import SigningKey  # noqa: PLC0415 see `signer`

    return bytes(SigningKey(seed).verify_key)


def checker(public: bytes) -> Check:
    """Checks signatures against the pinned key; False for whatever is none."""
    from nacl.exceptions import BadSignatureError  # noqa: PLC0415 see `signer`
    from nacl.exceptions import ValueError as WrongLengthError  # noqa: PLC0415 see `signer`
    from nacl.signing import VerifyKey  # noqa: PLC0415 see `signer`

    key = VerifyKey(public)

    def check(content: bytes, signature: bytes) -> bool:
        try:
            key.verify(content, signature)
        except (BadSignatureError, WrongLengthError):
            return False
        return True

    return check
