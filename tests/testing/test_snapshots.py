"""Snapshots: written when they are new, compared when they are there, changed when that is asked for; and their file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trying import results, run, told

from g8r.testing import snapshots

STACK = """\
{
  name = "site",
  vars.text | default = "one",
  tasks.file = {
    motd = { path = "/etc/motd", content = "%{vars.text}\\n" },
    key = { path = "/etc/key", content = "@{secret.key}\\n", mode = "0600" },
    pin = { path = "/etc/pin", content = "CANARY-pin", sensitive = ["content"] },
  },
}
"""
TEST = '{ tests = { kept = { secrets.key = "CANARY-key", expect.snapshot = true }, plain.expect.has = ["file.motd"] } }\n'
BOTH = (("kept", "plan"), ("kept", "tasks"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "main.ncl").write_text(STACK)
    (tmp_path / "main.test.ncl").write_text(TEST)
    return tmp_path


def place(folder):
    return folder / "__snapshots__" / "main.test.ncl.snap"


def test_a_new_snapshot_is_written_and_then_compared(folder):
    (first,) = run(folder)
    assert first.passed
    assert first.written == BOTH
    text = place(folder).read_text()
    (again,) = run(folder)
    assert again.passed
    assert again.written == again.updated == ()
    assert place(folder).read_text() == text
    assert text.startswith(
        '# Snapshots of main.test.ncl. `g8r test --update` writes them; review them as you review code.\n\nplan of "kept"\n'
    )
    assert "\n    localhost/file.motd\n" in text
    assert "        +one\n" in text.replace("          +one", "        +one")


def test_secrets_are_masked(folder):
    run(folder)
    text = place(folder).read_text()
    assert "CANARY" not in text
    assert "(sensitive)" in text


def test_what_differs_fails_with_a_diff_and_update_takes_it_over(folder):
    run(folder)
    (folder / "main.ncl").write_text(STACK.replace('"one"', '"two"'))
    kept = place(folder).read_text()
    found = results(folder)["kept"]
    assert [text.partition("\n")[0] for text in told(found)] == [
        "1: the plan is not as in the snapshot",
        "1: the tasks are not as in the snapshot",
    ]
    assert "+one" in (found.failures[1].expected or "")
    assert "+two" in (found.failures[1].got or "")
    assert place(folder).read_text() == kept
    (updated,) = run(folder, update=True)
    assert updated.passed
    assert updated.updated == BOTH
    assert run(folder)[0].passed


def test_in_ci_a_missing_one_fails_and_nothing_is_written(folder):
    (result,) = run(folder, frozen=True)
    assert not result.passed
    assert told(result.results[0])[0].startswith("1: there is no snapshot of the plan\nIn CI none is made")
    assert not place(folder).exists()
    assert run(folder, frozen=True, update=True)[0].passed


def test_obsolete_ones_are_told_and_update_removes_them(folder):
    run(folder)
    (folder / "main.test.ncl").write_text(TEST.replace("kept =", "renamed ="))
    (told_of,) = run(folder)
    assert told_of.passed
    assert told_of.obsolete == BOTH
    (updated,) = run(folder, update=True)
    assert updated.removed == BOTH
    assert '"kept"' not in place(folder).read_text()


def test_the_file_goes_with_the_last_one(folder):
    run(folder)
    (folder / "main.test.ncl").write_text('{ tests.plain.expect.has = ["file.motd"] }')
    run(folder, update=True)
    assert not place(folder).exists()


def test_a_filter_leaves_the_others_alone(folder):
    run(folder)
    kept = place(folder).read_text()
    (folder / "main.test.ncl").write_text(TEST.replace("kept =", "renamed ="))
    (result,) = run(folder, name="plain", update=True)
    assert result.obsolete == result.removed == ()
    assert place(folder).read_text() == kept


def test_one_of_them_alone(folder):
    (folder / "main.test.ncl").write_text("{ tests.kept.expect.snapshot = 'tasks }")
    assert run(folder)[0].written == (("kept", "tasks"),)


def test_a_test_that_cannot_be_tried_keeps_its_snapshots(folder):
    run(folder)
    kept = place(folder).read_text()
    (folder / "main.ncl").write_text("{ name = 1 }")
    (result,) = run(folder, update=True)
    assert not result.passed
    assert place(folder).read_text() == kept


KEYS = st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["plan", "tasks"]))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(KEYS, TEXTS))
def test_a_file_says_again_what_was_written(entries):
    assert snapshots.read(snapshots.write("x.test.ncl", entries)) == {key: snapshots.normal(text) for key, text in entries.items()}


def test_a_text_that_looks_like_a_head_is_none():
    entries = {("a", "plan"): 'tasks of "b"\n# no comment\n', ("b", "tasks"): "x\n"}
    assert snapshots.read(snapshots.write("x", entries)) == entries
