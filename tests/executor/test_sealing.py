"""[S-secret] [P-same]"""

from __future__ import annotations

import base64
import os
import stat

import hypothesis.strategies as st
import pytest
from hypothesis import given

from g8r.diagnostics import RejectedError
from g8r.executor import sealing

KEY = bytes(range(32))
OTHER = bytes(32)
FROM_V1 = "sealed:v1:w+OXi+dFMFiW+xYJiC1TwF1aeE+CLfm1+GaX9x1c0WiOwd45BQPVK2NUjAHirQuJpQ=="
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def refused(call, code):
    with pytest.raises(RejectedError) as caught:
        call()
    assert [said.code for said in caught.value.diagnostics] == [code]
    return caught.value.diagnostics[0]


class TestSeal:
    @given(values, st.text())
    def test_what_is_sealed_is_unsealed(self, plain, place):
        sealed = sealing.seal(plain, place, KEY)
        assert sealing.is_sealed(sealed)
        assert sealing.unseal(sealed, place, KEY) == plain
        assert sealed == sealing.seal(plain, place, KEY), "the same plan twice has the same bytes"

    def test_the_form_is_stable(self):
        """A plan that was sealed by an earlier release is still opened: this text is from format v1."""
        assert sealing.seal("hunter2", "web1/file.a:content", KEY) == FROM_V1
        assert sealing.unseal(FROM_V1, "web1/file.a:content", KEY) == "hunter2"

    def test_neither_place_nor_key_nor_value_show(self):
        texts = {
            sealing.seal("hunter2", "a", KEY), sealing.seal("hunter2", "b", KEY),
            sealing.seal("hunter2", "a", OTHER), sealing.seal("hunter3", "a", KEY),
        }  # fmt: skip
        assert len({text[:40] for text in texts}) == 4, "each has its own nonce"
        assert not any(b"hunter" in base64.b64decode(text.removeprefix(sealing.PREFIX)) for text in texts)

    @pytest.mark.parametrize(("place", "key"), [("elsewhere", KEY), ("here", OTHER)])
    def test_it_opens_only_in_its_place_with_its_key(self, place, key):
        sealed = sealing.seal("hunter2", "here", KEY)
        said = refused(lambda: sealing.unseal(sealed, place, key), "sealed-closed")
        assert place in said.detail

    @given(st.integers(min_value=0), st.integers(1, 255))
    def test_an_edited_one_does_not_open(self, where, by):
        content = bytearray(base64.b64decode(sealing.seal("hunter2", "here", KEY).removeprefix(sealing.PREFIX)))
        content[where % len(content)] ^= by
        edited = sealing.PREFIX + base64.b64encode(content).decode()
        refused(lambda: sealing.unseal(edited, "here", KEY), "sealed-closed")

    @pytest.mark.parametrize("text", ["sealed:v1:", "sealed:v1:AAAA", "sealed:v1:%%%", "sealed:v1:\xe9", "plain"])
    def test_what_was_never_sealed_does_not_open(self, text):
        refused(lambda: sealing.unseal(text, "here", KEY), "sealed-closed")

    def test_every_purpose_has_its_own_key(self):
        keys = {sealing.subkey(key, purpose) for key in (KEY, OTHER) for purpose in ("seal", "nonce", "digest", "plan-mac", "plan-key-id")}
        assert len(keys | {KEY, OTHER}) == 12
        assert {len(key) for key in keys} == {32}


class TestKey:
    def test_looking_makes_nothing(self, tmp_path):
        assert sealing.load_key(tmp_path / ".g8r" / "key") is None
        assert list(tmp_path.iterdir()) == []

    def test_it_is_made_once_and_private(self, tmp_path):
        path = tmp_path / ".g8r" / "key"
        key = sealing.obtain_key(path)
        assert len(key) == 32
        assert key == sealing.obtain_key(path) == sealing.load_key(path) == path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sorted(found.name for found in path.parent.iterdir()) == [".gitignore", "key"]
        assert key != sealing.obtain_key(tmp_path / "other" / "key")

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
    def test_one_that_others_can_read_is_refused(self, tmp_path, mode):
        path = tmp_path / "key"
        sealing.obtain_key(path)
        path.chmod(mode)
        said = refused(lambda: sealing.obtain_key(path), "key-exposed")
        assert f"chmod 600 {path}" in said.detail
        refused(lambda: sealing.load_key(path), "key-exposed")

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_a_damaged_one_is_refused_and_kept(self, tmp_path, size):
        path = tmp_path / "key"
        path.write_bytes(b"k" * size)
        path.chmod(0o600)
        refused(lambda: sealing.obtain_key(path), "key-damaged")
        assert path.read_bytes() == b"k" * size

    def test_one_that_cannot_be_read_or_made(self, tmp_path):
        (tmp_path / "key").mkdir()
        refused(lambda: sealing.load_key(tmp_path / "key"), "key-unusable")
        (tmp_path / "file").write_text("")
        refused(lambda: sealing.obtain_key(tmp_path / "file" / "key"), "key-unusable")

    def test_racers_get_the_same_one(self, tmp_path):
        path = tmp_path / ".g8r" / "key"
        read, write = os.pipe()
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                try:
                    os.write(write, sealing.obtain_key(path))
                finally:
                    os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        os.close(write)
        with os.fdopen(read, "rb") as keys:
            assert keys.read() == path.read_bytes() * 8
