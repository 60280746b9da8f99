"""What a listener and dialers do for each other, over real CURVE sockets on loopback."""

import signal
import time

import msgspec
import pytest
from wires import ANYWHERE, CLIENT, HASTY, child, say, site, wait

from g8r.executor.zeromq import keys
from g8r.executor.zeromq.dialer import Dialer, Link
from g8r.executor.zeromq.factory import ClientOptions, ServerOptions, SocketFactory
from g8r.executor.zeromq.listener import Arrival, AuthenticatorDiedError, Departure, Sending
from g8r.executor.zeromq.roster import AgentId, Roster

WEB1 = AgentId("web1")


def heard_by(dialer: Dialer, count: int = 1) -> list[bytes]:
    found: list[bytes] = []
    wait(lambda: found.extend(dialer.receive(20)) or len(found) >= count)
    return found


def test_payloads_go_both_ways_whatever_their_bytes():
    with site("web1") as ours:
        dialer, peer = ours.join("web1")
        assert (peer.agent, peer.key, ours.listener.present) == ("web1", ours.keys["web1"].public, ("web1",))
        for payload in (b"", b"\0", b"\xff" * 100_000):
            assert ours.listener.send(WEB1, payload) is Sending.SENT
            assert heard_by(dialer) == [payload]
            say(dialer, payload)
            assert ours.arrival(payload) == Arrival(peer, payload, welcome=True)


def test_a_peer_is_not_welcome_before_its_hello_was_and_can_be_answered_then():
    with site("web1") as ours:
        dialer = ours.dial("web1")
        say(dialer, b"hello")
        arrival = ours.arrival(b"hello")
        assert not arrival.welcome
        assert ours.listener.present == ()
        assert ours.listener.send(WEB1, b"order") is Sending.GONE
        assert ours.listener.answer(arrival.peer, b"not this version") is Sending.SENT
        assert heard_by(dialer) == [b"not this version"]


def test_an_agent_that_leaves_departs_and_is_gone():
    with site("web1") as ours:
        dialer, peer = ours.join("web1")
        dialer.close()
        ours.departure("web1")
        assert ours.listener.present == ()
        assert ours.listener.connected == 0
        assert ours.listener.send(WEB1, b"order") is Sending.GONE
        assert ours.listener.answer(peer, b"order") is Sending.GONE
        assert not ours.listener.welcome(peer)


def test_an_agent_nobody_has_heard_of_is_gone():
    with site("web1") as ours:
        assert ours.listener.send(AgentId("web9"), b"order") is Sending.GONE


def test_dismissing_a_peer_cuts_it_and_it_comes_again():
    with site("web1") as ours:
        dialer, peer = ours.join("web1")
        ours.listener.dismiss(peer)
        ours.departure("web1")
        again = ours.greet(dialer)
        assert again.route != peer.route
        assert ours.listener.welcome(again)


def test_a_second_connection_of_a_key_takes_over_with_its_welcome_and_not_before():
    with site("web1") as ours:
        first, peer = ours.join("web1")
        second = ours.dial("web1")
        other = ours.greet(second)
        assert other.route != peer.route
        assert ours.listener.send(WEB1, b"one") is Sending.SENT
        assert heard_by(first) == [b"one"]
        assert ours.cut(first, lambda: ours.listener.welcome(other)) < 1.0
        assert ours.listener.send(WEB1, b"two") is Sending.SENT
        assert heard_by(second) == [b"two"]
        assert first.receive(100) == []
        assert ours.listener.present == ("web1",)


def test_an_agent_may_have_two_keys_while_it_rotates_them():
    with site("web1") as ours:
        old, _ = ours.join("web1")
        new = keys.make()
        ours.listener.admit(ours.roster.with_key(new.public, WEB1))
        dialer = ours.dial(new)
        peer = ours.greet(dialer)
        assert (peer.agent, peer.key) == ("web1", new.public)
        assert ours.cut(old, lambda: ours.listener.welcome(peer)) < 1.0
        ours.quiet(0.3)
        ours.listener.admit(Roster().with_key(new.public, WEB1))
        assert ours.quiet(0.3) == []
        assert ours.listener.present == ("web1",)


def test_two_server_keys_serve_at_once_and_the_old_one_is_shut():
    with site("web1", "web2") as ours:
        old, _ = ours.join("web1")
        new = keys.make()
        endpoint = ours.listener.open(ANYWHERE, new)
        dialer = Dialer(ours.far, endpoint, ours.keys["web2"], new.public, CLIENT)
        assert ours.listener.welcome(ours.greet(dialer))
        assert ours.listener.present == ("web1", "web2")
        assert ours.cut(old, lambda: ours.listener.shut(ours.endpoint)) < 1.0
        assert ours.quiet(0.3) == [Departure(WEB1)]
        assert old.link is Link.DIALLING
        assert (ours.listener.present, ours.listener.connected) == (("web2",), 1)
        assert ours.listener.send(AgentId("web2"), b"order") is Sending.SENT
        assert heard_by(dialer) == [b"order"]


def test_a_dialer_does_not_talk_to_the_holder_of_another_server_key():
    with site("web1") as ours:
        dialer = Dialer(ours.far, ours.endpoint, ours.keys["web1"], keys.make().public, CLIENT)
        assert ours.quiet(0.4) == []
        assert dialer.link is not Link.UP
        assert dialer.send(b"secret") is Sending.GONE


def test_a_dialer_says_that_its_key_is_refused_and_gets_in_once_admitted():
    with site() as ours:
        pair = keys.make()
        dialer = ours.dial(pair)
        wait(lambda: dialer.link is Link.REFUSED)
        assert dialer.send(b"hello") is Sending.GONE
        ours.listener.admit(Roster().with_key(pair.public, WEB1))
        assert ours.greet(dialer).agent == "web1"
        assert dialer.link is Link.UP


def test_nothing_waits_in_a_dialer_for_a_controller_that_is_not_there():
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        ours.stop()
        wait(lambda: dialer.link is not Link.UP)
        assert dialer.send(b"stale") is Sending.GONE
        ours.start(ours.endpoint)
        assert ours.greet(dialer).agent == "web1"


def test_a_restarted_listener_has_its_agents_back():
    with site(*(f"web{number}" for number in range(20))) as ours:
        dialers = {agent: ours.join(agent)[0] for agent in ours.keys}
        ours.stop()
        for dialer in dialers.values():
            wait(lambda dialer=dialer: dialer.link is not Link.UP)
        ours.start(ours.endpoint)
        for dialer in dialers.values():
            assert ours.listener.welcome(ours.greet(dialer))
        assert ours.listener.present == tuple(sorted(dialers))


def test_redialling_makes_a_new_connection_that_takes_over():
    with site("web1") as ours:
        dialer, peer = ours.join("web1")
        dialer.redial()
        again = ours.greet(dialer)
        assert again.route != peer.route
        assert ours.listener.welcome(again)
        assert ours.listener.send(WEB1, b"order") is Sending.SENT
        assert heard_by(dialer) == [b"order"]


def test_a_peer_that_does_not_read_fills_its_queue_and_no_more():
    with site("web1", "web2") as ours:
        dialer, _ = ours.join("web1")
        other, _ = ours.join("web2")
        said = [ours.listener.send(WEB1, bytes(200_000)) for _ in range(1000)]
        assert said[0] is Sending.SENT
        assert said[-1] is Sending.FULL
        assert set(said) == {Sending.SENT, Sending.FULL}
        assert set(heard_by(dialer)) == {bytes(200_000)}
        assert ours.listener.send(AgentId("web2"), b"order") is Sending.SENT
        assert heard_by(other) == [b"order"]


FROZEN = """
import sys
from pathlib import Path
from wires import CLIENT, say
from g8r.executor.zeromq import keys
from g8r.executor.zeromq.dialer import Dialer
from g8r.executor.zeromq.factory import SocketFactory
endpoint, server, own = sys.argv[1:]
dialer = Dialer(SocketFactory(), endpoint, keys.load(Path(own)), keys.PublicKey(server), CLIENT)
say(dialer, b"hello")
while True:
    dialer.receive(1000)
"""


@pytest.mark.parametrize("heartbeats", [True, False])
def test_a_peer_that_is_dead_on_an_open_connection_is_noticed_by_heartbeats_alone(tmp_path, monkeypatch, heartbeats):
    """A stopped process keeps its TCP connection, as a host does whose cable was cut. Without heartbeats nothing is ever noticed."""
    options = HASTY if heartbeats else msgspec.structs.replace(HASTY, heartbeat=0, silence=0)
    monkeypatch.setenv("PYTHONPATH", ":".join((*[str(tmp_path)], *__import__("sys").path)))
    with site(options=options) as ours:
        pair = keys.generate(tmp_path / "agent.key")
        ours.listener.admit(Roster().with_key(pair.public, WEB1))
        with child(FROZEN, ours.endpoint, ours.server.public, str(tmp_path / "agent.key")) as process:
            assert ours.listener.welcome(ours.arrival(b"hello").peer)
            process.send_signal(signal.SIGSTOP)
            if heartbeats:
                ours.departure("web1")
                assert ours.listener.send(WEB1, b"order") is Sending.GONE
            else:
                assert ours.quiet(1.5) == []
                assert ours.listener.send(WEB1, b"lost") is Sending.SENT


def test_a_closed_listener_says_so():
    with site("web1") as ours:
        ours.listener.close()
        ours.listener.close()
        with pytest.raises(AuthenticatorDiedError):
            ours.listener.receive(0)
        assert ours.listener.send(WEB1, b"order") is Sending.GONE


def test_receiving_waits_as_long_as_it_was_told():
    with site("web1") as ours:
        begun = time.monotonic()
        assert ours.listener.receive(150) == []
        assert time.monotonic() - begun >= 0.14


def test_a_thousand_agents_join(capsys):
    names = [f"web{number:04}" for number in range(1000)]
    with site(*names, options=ServerOptions(), client=ClientOptions()) as ours:
        begun = time.monotonic()
        dialers = [ours.dial(name) for name in names]
        waiting = list(dialers)
        while len(ours.listener.present) < len(names):
            assert time.monotonic() - begun < 60
            waiting = [dialer for dialer in waiting if dialer.send(b"hello") is not Sending.SENT]
            for heard in ours.listener.receive(5):
                assert isinstance(heard, Arrival)
                assert ours.listener.welcome(heard.peer)
        took = time.monotonic() - begun
        assert ours.listener.present == tuple(names)
        assert all(ours.listener.send(AgentId(name), name.encode()) is Sending.SENT for name in names)
        assert [heard_by(dialer) for dialer in dialers] == [[name.encode()] for name in names]
    with capsys.disabled():
        print(f"\n1,000 CURVE and ZAP joins with a hello: {took:.1f} s")


def test_a_factory_has_one_authenticator():
    import zmq

    with site("web1") as ours, pytest.raises(zmq.ZMQError, match="in use"):
        ours.near.authority(lambda: None)
    with SocketFactory() as factory:
        factory.authority(lambda: None)
