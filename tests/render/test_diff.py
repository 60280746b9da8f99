"""Differences, masks, and that a diff says truly what becomes of a text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g8r.render import diff, style
from g8r.render.diff import LATER, SENSITIVE
from g8r.value import digest, keyed_digest

LINES = st.lists(st.sampled_from(["a", "b", "c", "{", "}", ""]), max_size=30)


def patched(before: list[str], found: list[str]) -> list[str]:
    """What `patch` makes of a unified diff; every context and removed line must be where its head says."""
    after, at = [], 0
    for line in found:
        head = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line)
        if head:
            start = int(head[1]) - (head[2] != "0")
            after += before[at:start]
            at = start
            assert len(after) == int(head[3]) - (head[4] != "0")
        elif line[0] == "+":
            after.append(line[1:])
        else:
            assert before[at] == line[1:]
            after += [line[1:]] if line[0] == " " else []
            at += 1
    return after + before[at:]


@given(LINES, LINES, st.integers(0, 20), st.integers(0, 20))
def test_a_diff_applied_gives_the_new_text(before, after, lead, tail):
    old, new = ["x"] * lead + before + ["y"] * tail, ["x"] * lead + after + ["y"] * tail
    found = list(diff.text_lines("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new)))
    assert patched(old, found) == new
    assert (not found) == (old == new)


def test_unchanged_lines_far_away_are_left_out():
    old = [str(number) for number in range(1, 101)]
    new = [*old[:49], "x", *old[50:]]
    found = list(diff.text_lines("\n".join(old) + "\n", "\n".join(new) + "\n"))
    assert found == ["@@ -47,7 +47,7 @@", " 47", " 48", " 49", "-50", "+x", " 51", " 52", " 53"]


def test_a_missing_last_newline_is_said():
    assert list(diff.text_lines("a\n", "a")) == ["@@ -1 +1 @@", "-a", "+a  (no newline at the end)"]


def test_a_huge_rewrite_is_shown_whole_without_being_compared():
    old, new = "".join(f"a{n}\n" for n in range(5000)), "".join(f"b{n}\n" for n in range(5000))
    found = list(diff.text_lines(old + "same\n", new + "same\n"))
    assert found[0] == "@@ -1,5000 +1,5000 @@"
    assert len(found) == 10_001
    assert found[5000] == "-a4999"
    assert found[5001] == "+b0"


@pytest.mark.parametrize("value", [digest(b"x"), keyed_digest("x", b"k" * 32)])
def test_a_digest_beside_a_secret_is_masked_whatever_its_field_is_called(value):
    (found,) = [field for field in diff.between(None, {"stamp": value, "content": "s"}, (), ("content",)) if field.name == "stamp"]
    assert found.after is SENSITIVE
    (open_one,) = diff.between(None, {"stamp": value})
    assert open_one.after == value


def test_a_path_into_a_field_hides_it_whole():
    (found,) = diff.between({"vars": {"password": "a"}}, {"vars": {"password": "b"}}, (), ("vars.password",))
    assert (found.before, found.after, found.differs) == (SENSITIVE, SENSITIVE, True)


def test_unknown_counts_as_different_and_needs_no_value():
    (found,) = diff.between({}, {}, ("checksum",))
    assert (found.before, found.after, found.differs) == (None, LATER, True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0644", "0644"), ("644", '"644"'), ("true", '"true"'), ("", '""'), (" a", '" a"'), ("a b", "a b"), ("a -> b", '"a -> b"'),
        ("(sensitive)", '"(sensitive)"'), (True, "true"), (None, "null"), (12, "12"), (["a", 1], '["a", 1]'),
        ({"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
        ("ü", '"ü"'), ("\x1b", '"\\u001b"'), ("x" * 200, "x" * 120 + "... (200 characters, --full shows all)"),
        (digest(b""), "sha256:e3b0c44298fc"),
    ],
)  # fmt: skip
def test_values_in_a_line_cannot_be_taken_for_something_else(value, text):
    assert style.value_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0s"), (59.94, "59.9s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (90_061, "25h01m")]
)
def test_durations(seconds, text):
    assert style.duration(seconds) == text
