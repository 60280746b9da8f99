"""Substitution keeps what it puts in inert, whatever stands beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g8r.reference import (
    InvalidReferenceError,
    OutputReference,
    Reference,
    SecretReference,
    VarReference,
    parse,
    resolve,
    substitute,
    text_of,
)
from g8r.value import Value

ALPHABET = st.text(alphabet="@{}ax ", max_size=6)


@given(before=ALPHABET, put=ALPHABET, between=ALPHABET, after=ALPHABET)
def test_substituting_and_then_resolving_is_resolving_at_once(before: str, put: str, between: str, after: str) -> None:
    def quote(text: str) -> str:
        return text.replace("@{", "@@{")

    text = f"{quote(before)}@{{vars.x}}{quote(between)}@{{secret.s}}{quote(after)}"

    def now(reference: Reference) -> Value | Reference:
        return put if isinstance(reference, VarReference) else reference

    def later(reference: Reference) -> Value:
        return put if isinstance(reference, VarReference) else "secret"

    try:
        at_once = resolve(text, later)
        substituted = substitute(text, now)
    except InvalidReferenceError:
        return
    assert resolve(substituted, later) == at_once


def test_a_mark_that_two_pieces_make_together_is_text() -> None:
    def give(reference: Reference) -> Value | Reference:
        return "user@" if isinstance(reference, VarReference) else reference

    assert resolve(substitute("@{vars.x}{home}", give), lambda _: "?") == "user@{home}"


def test_an_at_sign_right_before_a_reference_that_stays_is_refused() -> None:
    def give(reference: Reference) -> Value | Reference:
        return "user@" if isinstance(reference, VarReference) else reference

    with pytest.raises(InvalidReferenceError, match="cannot stand right before"):
        substitute("@{vars.x}@{secret.s}", give)


def test_what_stays_reads_as_before() -> None:
    kept = OutputReference("file", "a", "checksum", "web1")
    assert substitute(f"x {text_of(kept)}", lambda reference: reference) == f"x {text_of(kept)}"
    assert parse(text_of(SecretReference("a/b"))) == (SecretReference("a/b"),)
