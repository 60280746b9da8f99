"""[P-frozen] [P-once] [P-same]"""

from __future__ import annotations

import io
import stat
import zipfile

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from ledger_samples import plan, rich_step, step

from g8r.diagnostics import RejectedError
from g8r.executor import plan_file
from g8r.value import canonical, digest

KEY = bytes(range(32))
BLOBS = {digest(content): content for content in (b"", b"\x00\xff" * 5000, "ÿ".encode())}
WHOLE = plan(steps=[rich_step("a"), step("b"), rich_step("c")], blobs=tuple(sorted(BLOBS)), vars={"n": [1, 2.5, None]})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "the.g8r"
    plan_file.write(path, WHOLE, BLOBS, KEY)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "the.g8r"


def refused(path, key=KEY, *, code, exit_code=3):
    with pytest.raises(RejectedError) as caught:
        plan_file.read(path, key)
    [said] = caught.value.diagnostics
    assert (said.code, caught.value.exit_code) == (code, exit_code)
    assert str(path) in said.summary
    return said


def rewritten(content, change):
    """The zip with `change` applied to its entries."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        entries = change({name: old.read(name) for name in old.namelist()})
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as new:
        for name, entry in entries.items():
            new.writestr(name, entry)
    return made.getvalue()


def edited(**fields):
    """Fields of the plan set to other values, and the MAC left as it was."""
    return lambda entries: {**entries, "plan.json": canonical({**msgspec.json.decode(entries["plan.json"]), **fields})}


def test_what_is_written_is_read(path):
    plan_file.write(path, WHOLE, BLOBS, KEY)
    assert plan_file.read(path, KEY) == (WHOLE, BLOBS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_equal_plans_give_equal_bytes(path, written):
    plan_file.write(path, WHOLE, dict(reversed(BLOBS.items())), KEY)
    assert path.read_bytes() == written
    plan_file.write(path, plan(steps=[step("a")]), {}, KEY)
    assert plan_file.read(path, KEY) == (plan(steps=[step("a")]), {})


def test_blobs_that_the_plan_does_not_name_are_a_bug(path):
    with pytest.raises(ValueError, match="other blobs"):
        plan_file.write(path, WHOLE, {}, KEY)
    assert not path.exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RejectedError, match="cannot write the plan"):
        plan_file.write(tmp_path / "none" / "the.g8r", WHOLE, BLOBS, KEY)
    refused(tmp_path / "none.g8r", code="plan-not-read", exit_code=1)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" * 100])
def test_what_is_no_plan(path, content):
    path.write_bytes(content)
    refused(path, code="plan-damaged")


def test_a_foreign_plan(path, written):
    path.write_bytes(written)
    said = refused(path, bytes(32), code="plan-foreign")
    assert ".g8r/key" in said.detail
    refused(path, None, code="plan-foreign")


def test_a_newer_plan(path, written):
    path.write_bytes(rewritten(written, edited(format=99, g8r_version="9.9.9", steps="of another shape")))
    said = refused(path, code="plan-newer")
    assert "9.9.9" in said.detail


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (edited(stack="other"), "plan-edited"),
        (edited(steps=[]), "plan-edited"),
        (edited(blobs=[]), "plan-edited"),
        (lambda entries: {**entries, "plan.json": entries["plan.json"] + b" "}, "plan-edited"),
        (lambda entries: {**entries, "plan.json": b"{}"}, "plan-damaged"),
        (lambda entries: {**entries, "extra": b""}, "plan-edited"),
        (lambda entries: {name: entry for name, entry in entries.items() if not name.endswith(max(BLOBS))}, "plan-edited"),
        (lambda entries: {name: b"other" if name.startswith("blobs/") else entry for name, entry in entries.items()}, "plan-edited"),
        (lambda entries: {name: entry for name, entry in entries.items() if name != "MAC"}, "plan-damaged"),
        (lambda entries: {name: entry for name, entry in entries.items() if name != "plan.json"}, "plan-damaged"),
        (lambda entries: {**entries, "MAC": b"x"}, "plan-damaged"),
        (lambda entries: {**entries, "MAC": entries["MAC"].replace(b'"mac":"', b'"mac":"0')}, "plan-edited"),
        (lambda entries: {**entries, "MAC": entries["MAC"].replace(b'"key":"', b'"key":"\xc3\xa9')}, "plan-foreign"),
    ],
)
def test_an_edited_plan(path, written, change, code):
    path.write_bytes(rewritten(written, change))
    refused(path, code=code)


def test_blobs_are_held_to_their_digests(path):
    """A key holder's own mistake: the MAC is right, and the content is not that of the digest."""
    name = digest(b"one")
    plan_file.write(path, plan(blobs=(name,)), {name: b"two"}, KEY)
    refused(path, code="plan-damaged")


@given(cut=st.integers(min_value=0))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_truncated_plan(path, written, cut):
    path.write_bytes(written[: cut % len(written)])
    refused(path, code="plan-damaged")


@given(where=st.integers(min_value=0), by=st.integers(1, 255), count=st.integers(1, 4))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_flipped_bytes_are_refused_or_mean_nothing(path, written, where, by, count):
    """The zip's own times and modes are nobody's business; whatever is read is what was planned."""
    content = bytearray(written)
    for step_on in range(count):
        content[(where + step_on * 7919) % len(content)] ^= by
    path.write_bytes(content)
    try:
        assert plan_file.read(path, KEY) == (WHOLE, BLOBS)
    except RejectedError as caught:
        assert caught.exit_code == 3  # noqa: PT017 either way is right


def test_a_bomb_is_not_unpacked(path, written, monkeypatch):
    monkeypatch.setattr(plan_file, "LARGEST", 1000)
    path.write_bytes(written)
    said = refused(path, code="plan-damaged")
    assert "GiB" in said.detail
