"""Attacks on the listener. Each is first shown to work on a socket that is weak on purpose, where libzmq would let it."""

import os
import socket
import time
from typing import Any

import forger
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from wires import SERVER, Site, child, context, say, site, stranger, wait, weak_router
from zmq.utils import z85

from g8r.executor.zeromq import authenticator, gauge, keys, listener, zap
from g8r.executor.zeromq.dialer import Link
from g8r.executor.zeromq.listener import Arrival, AuthenticatorDiedError, Departure, Offence, Offended, Sending
from g8r.executor.zeromq.roster import AgentId, Roster

WEB1 = AgentId("web1")
MIB = 1024 * 1024


def port(ours: Site) -> int:
    return int(ours.endpoint.rpartition(":")[2])


# Who gets in.


def test_an_unknown_key_gets_nothing_through():
    with site("web1") as ours:
        dialer = ours.dial(keys.make())
        wait(lambda: dialer.link is Link.REFUSED)
        assert dialer.send(b"hello") is Sending.GONE
        assert ours.quiet(0.2) == []


def test_a_peer_is_its_key_whatever_its_payload_says():
    with site("web1", "web2") as ours:
        dialer = ours.dial("web2")
        say(dialer, b"hello, I am web1")
        arrival = ours.arrival(b"hello, I am web1")
        assert (arrival.peer.agent, arrival.peer.key) == ("web2", ours.keys["web2"].public)


def taken(made: zmq.Context[Any], **options: int) -> bool:
    """Whether a second valid key takes the messages of the first by taking its routing id, on a router with these options."""
    server = keys.make()
    router, endpoint = weak_router(made, server, **options)
    victim = stranger(made, endpoint, server.public, ROUTING_ID=b"web1")
    victim.send(b"hello")
    assert router.poll(5000)
    router.recv_multipart()
    thief = stranger(made, endpoint, server.public, ROUTING_ID=b"web1")
    thief.send(b"hello")
    router.poll(300)
    router.send_multipart([b"web1", b"secret order"])
    return bool(thief.poll(300))


def test_another_key_cannot_take_an_agents_place_by_its_routing_id():
    with context() as made:
        assert taken(made, ROUTER_HANDOVER=1)
    with site("web1", "web2") as ours, context() as made:
        dialer, peer = ours.join("web1")
        thief = stranger(made, ours.endpoint, ours.server.public, ours.keys["web2"], ROUTING_ID=peer.route)
        thief.send(b"hello")
        same = stranger(made, ours.endpoint, ours.server.public, ours.keys["web2"], ROUTING_ID=b"web1")
        same.send(b"hello")
        assert set(ours.quiet(0.4)) == {Offended(AgentId("web2"), Offence.OWN_ROUTE)}
        assert ours.listener.present == ("web1",)
        assert ours.listener.send(WEB1, b"secret order") is Sending.SENT
        wait(lambda: dialer.receive(10) == [b"secret order"])
        assert not thief.poll(50)
        assert not same.poll(50)


def test_a_reconnecting_agent_is_not_locked_out_by_its_own_dead_connection():
    """With routing ids that agents choose and HANDOVER=0, it is: the second connection is not heard."""
    with context() as made:
        server = keys.make()
        router, endpoint = weak_router(made, server, ROUTER_HANDOVER=0)
        pair = keys.make()
        kept = stranger(made, endpoint, server.public, pair, ROUTING_ID=b"web1")
        kept.send(b"first")
        assert router.poll(5000)
        router.recv_multipart()
        again = stranger(made, endpoint, server.public, pair, ROUTING_ID=b"web1")
        again.send(b"second")
        assert not router.poll(400)
    with site("web1") as ours:
        ours.join("web1")
        ours.join("web1")


def test_a_peer_cannot_claim_anothers_user_id_or_descriptor_in_its_handshake():
    """ZMTP lets a client name any property. Where no authenticator has named a User-Id, the client's stands on its frames."""
    claims = {"User-Id": "victim", "__fd": "1"}
    with context() as made:
        server = keys.make()
        router, endpoint = weak_router(made, server)
        with forger.Forger(endpoint, server.public, keys.make(), claims) as forged:
            forged.send(b"hello")
            assert router.poll(5000)
            assert router.recv(copy=False).get("User-Id") == "victim"
    with site("web1", "web2") as ours:
        claims["User-Id"] = ours.keys["web1"].public
        with forger.Forger(ours.endpoint, ours.server.public, ours.keys["web2"], claims) as forged:
            forged.send(b"hello")
            peer = ours.arrival(b"hello").peer
            assert (peer.agent, peer.key) == ("web2", ours.keys["web2"].public)
            (connection,) = ours.listener._connections.all()
            assert ours.listener._routes[peer.route].connection == connection
            assert connection.descriptor > 2


# Revocation.


def test_zap_alone_lets_a_revoked_peer_go_on():
    """The attack: the handshake is all that ZAP ever sees."""
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        ours.listener._authenticator.roster = Roster()
        ours.listener._heard = lambda first, payload: Departure(AgentId(f"{first.get('User-Id')} got {payload!r} in"))
        say(dialer, b"after my revocation")
        (heard,) = ours.until(lambda heard: True)
        assert "after my revocation" in str(heard)


def test_a_revoked_peer_is_not_heard_again_and_is_cut_within_a_second():
    with site("web1", "web2") as ours:
        dialer, peer = ours.join("web1")
        other, _ = ours.join("web2")
        for _ in range(20):
            say(dialer, b"under way")
        time.sleep(0.1)  # they wait in the listener's queue now
        took = ours.cut(dialer, lambda: ours.listener.admit(ours.roster.without_agent(WEB1)))
        assert took < 1.0
        assert ours.quiet(0.2) == [Departure(WEB1)]
        assert ours.listener.present == ("web2",)
        assert ours.listener.send(WEB1, b"order") is Sending.GONE
        assert ours.listener.answer(peer, b"order") is Sending.GONE
        assert not ours.listener.welcome(peer)
        wait(lambda: dialer.link is Link.REFUSED)
        say(other, b"still here")
        assert ours.arrival(b"still here").welcome


def test_the_departure_of_a_revoked_agent_is_told():
    with site("web1") as ours:
        ours.join("web1")
        ours.listener.admit(Roster())
        assert ours.listener.present == ()
        ours.departure("web1")


def test_a_revoked_peer_that_never_said_a_word_is_cut_as_well():
    with site("web1") as ours:
        dialer = ours.dial("web1")
        wait(lambda: ours.listener.receive(5) or dialer.link is Link.UP)
        assert ours.cut(dialer, lambda: ours.listener.admit(Roster())) < 1.0


def test_a_revoked_peer_is_cut_while_it_floods_and_reads_nothing():
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        while dialer.send(bytes(100_000)) is Sending.SENT:
            pass
        assert ours.cut(dialer, lambda: ours.listener.admit(Roster())) < 1.0
        assert not [heard for heard in ours.quiet(0.2) if isinstance(heard, Arrival)]


def test_admitting_more_cuts_nobody():
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        ours.listener.admit(ours.roster.with_key(keys.make().public, AgentId("web2")))
        assert ours.quiet(0.2) == []
        assert (dialer.link, dialer.sessions) == (Link.UP, 1)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        right = socket.create_connection(server.getsockname())
        return server.accept()[0], right


def test_only_sockets_of_ours_are_ever_shut_down():
    """A descriptor that libzmq has closed may be anything by now."""
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        (connection,) = ours.listener._connections.all()
        kept = os.dup(connection.descriptor)
        try:
            for left, right in (socket.socketpair(), tcp_pair()):
                with left, right:
                    os.dup2(left.fileno(), connection.descriptor)  # libzmq's I/O thread waits on; the number means another socket now
                    ours.listener._connections.cut(connection)
                    right.send(b"whole")
                    assert left.recv(5) == b"whole"
            with open(os.devnull) as file:
                os.dup2(file.fileno(), connection.descriptor)
                ours.listener._connections.cut(connection)
        finally:
            os.dup2(kept, connection.descriptor)
            os.close(kept)
        assert dialer.link is Link.UP


def test_a_connection_without_a_welcome_is_cut_in_time(monkeypatch):
    monkeypatch.setattr(listener, "_HELLO_WITHIN", 0.3)
    with site("web1", "web2") as ours:
        welcome, _ = ours.join("web1")
        idle = ours.dial("web2")
        wait(lambda: ours.listener.receive(5) or idle.link is Link.UP)
        assert ours.cut(idle, lambda: None) < 2.0
        ours.quiet(0.4)
        assert (welcome.link, welcome.sessions) == (Link.UP, 1)


# The authenticator.


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_whatever_asks_the_answer_is_a_denial_and_no_exception(request_):
    answer = zap.answer(request_, Roster())
    assert answer is None or answer[4] == b"400"


@given(st.integers(0, 8), st.binary(max_size=40), st.booleans())
@settings(max_examples=300)
def test_only_the_whole_right_request_is_let_in(place, replacement, drop):
    pair = keys.make()
    roster = Roster().with_key(pair.public, WEB1)
    raw = z85.decode(pair.public)
    right = [b"route", b"", b"1.0", b"7", b"g8r-work", b"127.0.0.1", b"", b"CURVE", raw]
    assert zap.answer(right, roster) == [b"route", b"", b"1.0", b"7", b"200", b"", pair.public.encode(), b""]
    wrong = right[:place] + ([] if drop else [replacement]) + right[place + 1 :]
    answer = zap.answer(wrong, roster)
    harmless = not drop and place in (0, 3, 5, 6)  # sender, request, address, routing id: not what decides
    assert (answer is not None and answer[4] == b"200") == (harmless or wrong == right)


def test_malformed_requests_do_not_hurt_the_authenticator():
    with site("web1") as ours:
        asker = ours.near._context.socket(zmq.DEALER)
        asker.connect("inproc://zeromq.zap.01")
        for frames in ([b""], [b"", b""], [b"", b"9.9", b"1"], [b"x"] * 30, [b"", b"1.0", b"1", b"g8r-work", b"", b"", b"CURVE", b"short"]):
            asker.send_multipart(frames)
        answered = []
        while asker.poll(300):
            answered.append(asker.recv_multipart())
        assert {frames[3] for frames in answered} == {b"400"}
        ours.join("web1")


class Explosive:
    """A roster that fails as pyzmq's callback may."""

    agents: dict[str, str] = {}  # noqa: RUF012 as a Roster has it

    def agent_of(self, key: str) -> str:
        raise RuntimeError("in the callback")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("watched", [False, True])
def test_a_dead_authenticator_closes_the_listener(monkeypatch, watched):
    """Without somebody who watches it, the port stays open, welcomed peers are served on, and nobody can log in any more: silently."""
    if not watched:
        monkeypatch.setattr(listener.Listener, "_guard", lambda self: None)
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        ours.listener._authenticator.roster = Explosive()
        late = ours.dial("web1")
        wait(lambda: not ours.listener._authenticator.alive)
        ours.listener._authenticator.roster = ours.roster
        if watched:
            with pytest.raises(AuthenticatorDiedError, match="start it again"):
                ours.listener.receive(0)
            wait(lambda: refuses(port(ours)))
            wait(lambda: dialer.link is not Link.UP)
            assert ours.listener.present == ()
        else:
            assert ours.quiet(0.3) == []
            assert not refuses(port(ours))
            assert dialer.link is Link.UP
        assert late.link is not Link.UP


def refuses(number: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", number), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_watch_is_prompt_while_it_waits():
    with site("web1") as ours:
        ours.listener._authenticator._ending.set()
        begun = time.monotonic()
        with pytest.raises(AuthenticatorDiedError):
            ours.listener.receive(5000)
        assert time.monotonic() - begun < 2.0
        assert authenticator._TICK < 1000


# Sizes.


def test_a_frame_over_the_limit_ends_the_connection():
    with context() as made:
        server = keys.make()
        router, endpoint = weak_router(made, server)
        dealer = stranger(made, endpoint, server.public)
        dealer.send(bytes(SERVER.message_bytes + 1))
        assert router.poll(5000)
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        say(dialer, bytes(SERVER.message_bytes - 100))
        assert ours.arrival(bytes(SERVER.message_bytes - 100)).welcome
        ours.cut(dialer, lambda: say(dialer, bytes(SERVER.message_bytes + 1)))
        ours.departure("web1")
        again = ours.greet(dialer)  # libzmq has given up; the dialer has not
        assert ours.listener.welcome(again)


@pytest.mark.parametrize("frames", [[b"", b"hello"], [b"hello", b""], [b"x"] * 1000])
def test_a_message_of_more_than_one_frame_is_not_heard_and_ends_the_connection(frames):
    with site("web1", "web2") as ours, context() as made:
        good, _ = ours.join("web2")
        dealer = stranger(made, ours.endpoint, ours.server.public, ours.keys["web1"])
        dealer.send_multipart([b"hello"])
        assert ours.listener.welcome(ours.arrival(b"hello").peer)
        dealer.send_multipart(frames)
        assert ours.until(lambda heard: not isinstance(heard, Arrival)) == [Offended(WEB1, Offence.SEVERAL_FRAMES), Departure(WEB1)]
        say(good, b"unhurt")
        assert ours.arrival(b"unhurt").welcome


ENDLESS = """
import sys
from pathlib import Path
from wires import context, stranger
from g8r.executor.zeromq import keys
endpoint, server, own, mebibytes = sys.argv[1:]
with context() as made:
    dealer = stranger(made, endpoint, server, keys.load(Path(own)), LINGER=-1)
    dealer.send(b"hello")
    frame = bytes(131072)
    for _ in range(int(mebibytes) * 8):
        dealer.send(frame, 2, copy=False)  # SNDMORE
    dealer.send(b"")
    dealer.poll(60_000)
"""
FLOOD = 192


def test_endless_frames_of_one_message_are_cut_before_they_fill_the_memory(tmp_path, monkeypatch):
    """MAXMSGSIZE is per frame, and high water marks count whole messages: a weak router takes all of it."""
    monkeypatch.setenv("PYTHONPATH", ":".join(__import__("sys").path))
    pair = keys.generate(tmp_path / "agent.key")
    with context() as made:
        server = keys.make()
        router, endpoint = weak_router(made, server, MAXMSGSIZE=SERVER.message_bytes, RCVHWM=64)
        before = gauge.resident()
        with child(ENDLESS, endpoint, server.public, str(tmp_path / "agent.key"), str(FLOOD)):
            assert router.poll(10_000)
            router.recv_multipart()
            wait(lambda: gauge.resident() - before > 0.9 * FLOOD * MIB)
    with site("web2") as ours:
        good, _ = ours.join("web2")
        ours.listener.admit(ours.roster.with_key(pair.public, WEB1))
        with child(ENDLESS, ours.endpoint, ours.server.public, str(tmp_path / "agent.key"), str(16 * FLOOD)):
            assert ours.listener.welcome(ours.arrival(b"hello").peer)
            before = gauge.resident()
            assert ours.until(lambda heard: isinstance(heard, Offended)) == [Offended(WEB1, Offence.FLOOD)]
            assert gauge.resident() - before < FLOOD * MIB
            ours.departure("web1")
            say(good, b"unhurt")
            assert ours.arrival(b"unhurt").welcome


def test_an_honest_peer_may_send_more_than_may_wait(monkeypatch):
    monkeypatch.setattr(listener, "_SWEEP", 0.0)
    with site("web1") as ours:
        dialer, _ = ours.join("web1")
        ours.listener._gauge.grown = lambda: True
        payload = bytes(200_000)
        for number in range(400):
            say(dialer, payload)
            assert ours.arrival(payload).welcome, number
        assert (dialer.link, dialer.sessions) == (Link.UP, 1)
