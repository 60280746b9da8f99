import os
import stat
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from g8r.diagnostics import RejectedError
from g8r.executor.zeromq import keys
from g8r.executor.zeromq.roster import AgentId, Roster


def refused(path: Path) -> str:
    with pytest.raises(RejectedError) as raised:
        keys.load(path)
    (diagnostic,) = raised.value.diagnostics
    assert str(path) in diagnostic.summary
    assert diagnostic.detail
    return diagnostic.code


def test_a_generated_pair_is_loaded_again_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "keys" / "agent.key"
    pair = keys.generate(path)
    assert keys.load(path) == pair
    assert zmq.curve_public(pair.secret.encode()).decode() == pair.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["agent.key"]


def test_generate_never_writes_over_a_key(tmp_path):
    path = tmp_path / "agent.key"
    pair = keys.generate(path)
    with pytest.raises(RejectedError) as raised:
        keys.generate(path)
    assert raised.value.diagnostics[0].code == "agent-key-exists"
    assert keys.load(path) == pair


def test_generate_does_not_follow_a_link_that_somebody_planted(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "agent.key"
    path.symlink_to(victim)
    with pytest.raises(RejectedError):
        keys.generate(path)
    assert not victim.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_touch_is_refused(tmp_path, mode):
    path = tmp_path / "agent.key"
    keys.generate(path)
    path.chmod(mode)
    assert refused(path) == "agent-key-exposed"


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN: only root can give files away; run the tests as root")
def test_another_users_key_is_refused(tmp_path):
    path = tmp_path / "agent.key"
    keys.generate(path)
    os.chown(path, 65534, 65534)
    assert refused(path) == "agent-key-foreign"


def test_what_is_no_file_is_refused(tmp_path):
    path = tmp_path / "agent.key"
    keys.generate(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    assert refused(link) == "agent-key-unusable"
    assert refused(fifo) == "agent-key-damaged"
    assert refused(tmp_path / "none") == "agent-key-unusable"


def test_a_damaged_key_is_refused(tmp_path):
    path = tmp_path / "agent.key"
    keys.generate(path)
    whole = path.read_text()
    other = keys.make()
    lines = whole.splitlines()
    for text in (
        "",
        whole[:-20],
        whole.replace("curve", "Curve"),
        whole + "more\n",
        "\n".join((lines[0], other.public, lines[2])),
        "é" * 90,
    ):
        path.write_text(text)
        assert refused(path) == "agent-key-damaged", text


def test_the_secret_is_in_no_representation():
    pair = keys.make()
    assert pair.secret not in repr(pair)
    assert pair.secret not in f"{pair}"
    assert pair.public in repr(pair)


@given(st.binary(max_size=40))
def test_text_is_z85_for_32_bytes_and_none_for_all_else(raw):
    assert keys.to_text(raw) == (z85.encode(raw).decode() if len(raw) == 32 else None)


def test_public_keys_are_parsed_as_people_paste_them():
    pair = keys.make()
    assert keys.parse_public(f"  {pair.public}\n") == pair.public
    for text in ("", pair.public[:-1], pair.public + "a", pair.public[:-1] + "~", "é" * 40):
        assert keys.parse_public(text) is None


def test_fingerprints_tell_keys_apart():
    pair = keys.make()
    text = keys.fingerprint(pair.public)
    assert len(text) == 39
    assert text == keys.fingerprint(pair.public) != keys.fingerprint(keys.make().public)
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz234567-")


def test_a_roster_denies_by_default_and_is_never_edited():
    one, two = keys.make().public, keys.make().public
    first = Roster().with_key(one, AgentId("web1"))
    second = first.with_key(two, AgentId("web1"))
    assert (first.agent_of(one), first.agent_of(two), first.agent_of(None), first.agent_of("")) == ("web1", None, None, None)
    assert second.agent_of(two) == "web1"
    assert second.without_key(one).agent_of(one) is None
    assert second.without_key(one).agent_of(two) == "web1"
    assert second.without_agent(AgentId("web1")) == Roster()
    with pytest.raises(ValueError, match="web1"):
        first.with_key(one, AgentId("web2"))
    with pytest.raises(TypeError):
        first.agents[two] = AgentId("web9")
