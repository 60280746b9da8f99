from __future__ import annotations

from g8r.executor.judge import masked
from g8r.modules.command import CommandState

KEY = b"k" * 32


def test_masking_what_is_masked_changes_nothing() -> None:
    """A command reads back its recorded state: masked twice it would be drift on every plan."""
    once = masked(CommandState(done=True, exit_code=0, stdout="secret"), frozenset({"stdout"}), KEY)
    assert once is not None
    assert "secret" not in str(once)
    again = CommandState(done=True, exit_code=0, stdout=str(once["stdout"]))
    assert masked(again, frozenset({"stdout"}), KEY) == once


def test_what_only_looks_masked_is_masked() -> None:
    for secret in ("b2:" + "g" * 64, "b2:" + "a" * 63, "B2:" + "a" * 64):
        found = masked(CommandState(done=True, exit_code=0, stdout=secret), frozenset({"stdout"}), KEY)
        assert found is not None
        assert found["stdout"] != secret
