"""The core's side, rule by rule; what comes of all of them together is `tests/simulation`'s."""

import pytest

from g8r.executor.delivery import ed25519, messages, order
from g8r.executor.delivery.core_peer import AgentRecord, Peer, Sending, Work
from g8r.executor.delivery.core_side import CoreSide
from g8r.executor.delivery.messages import VERSION, Ending, Greet, Hello, Refusal, Result, Signed, Unwelcome, Want
from g8r.executor.delivery.order import Acknowledgement, Order, key_of
from g8r.executor.delivery.ports import (
    Closed,
    Cut,
    Ended,
    Enrolled,
    Fetch,
    HandOut,
    Persist,
    Persisted,
    Received,
    Revoked,
    Send,
    Started,
    Tick,
)

SIGN = ed25519.signer(b"s" * 32)
CHECK = ed25519.checker(ed25519.public_key(b"s" * 32))
PLAN = "1" * 64
WORK = HandOut("web1", PLAN, 9, ("command.migrate",), 1, "lineage", 5, idempotent=False)
CHANGED = Ending("changed", b"yes")


class Rig:
    """A core with a disk that is durable at once, unless it is told to wait."""

    def __init__(self, stored=()) -> None:
        self.stored = dict(stored)
        self.side = CoreSide(SIGN, 1, sorted(self.stored.items()))
        self.now = 100.0
        self.commands: list[object] = []
        self.tell(Started())

    def tell(self, event, *, durable: bool = True) -> "Rig":
        commands = self.side.handle(event, self.now)
        self.commands += commands
        for command in commands:
            if isinstance(command, Persist) and durable:
                for key in command.deletes:
                    self.stored.pop(key, None)
                self.stored.update(command.puts)
                self.tell(Persisted(command.ticket))
        return self

    def hear(self, message, peer: str = "web1", *, durable: bool = True) -> "Rig":
        return self.tell(Received(peer, messages.encode(message)), durable=durable)

    def greeted(self) -> "Rig":
        return self.tell(Enrolled("web1")).hear(Hello(VERSION, 1))

    def said(self, kind):
        read = [messages.from_core(each.frame) for each in self.commands if isinstance(each, Send)]
        read = [order.opened(each, "web1", CHECK) if isinstance(each, Signed) else each for each in read]
        return [each for each in read if isinstance(each, kind)]

    def done(self, kind):
        return [each for each in self.commands if isinstance(each, kind)]


def result(given: Order, **changed: object) -> Result:
    told = {"epoch": given.epoch, "sequence": given.sequence, "work": key_of(given), "attempt": given.attempt, "fence": given.fence}
    return Result(**{**told, "ending": CHANGED, **changed})


def test_an_order_is_sent_until_it_is_taken_and_its_result_announced_and_acknowledged_once_durable() -> None:
    rig = Rig().greeted().tell(WORK)
    rig.now += 2
    given = rig.tell(Tick()).said(Order)
    assert [each.sequence for each in given] == [1, 1]
    rig.hear(result(given[0]), durable=False)
    assert not rig.done(Ended)
    assert not rig.said(Acknowledgement)
    rig.tell(Persisted(rig.done(Persist)[-1].ticket))
    assert [each.word for each in rig.done(Ended)] == ["changed"]
    assert [each.work for each in rig.said(Acknowledgement)] == [key_of(given[0])]


def test_after_a_restart_open_work_is_sent_and_ended_work_announced_again() -> None:
    rig = Rig().greeted().tell(WORK)
    back = Rig(rig.stored).hear(Hello(VERSION, 2))
    assert [each.sequence for each in back.said(Order)] == [1]
    back.hear(result(back.said(Order)[0]))
    assert [each.word for each in Rig(back.stored).done(Ended)] == ["changed"]


@pytest.mark.parametrize("wrong", [{"attempt": 2}, {"fence": 4}, {"fence": 6}, {"sequence": 2}, {"epoch": 2}, {"work": "f" * 64}])
def test_results_of_what_was_not_given_so_are_refused(wrong: dict[str, object]) -> None:
    rig = Rig().greeted().tell(WORK)
    rig.hear(result(rig.said(Order)[0], **wrong))
    if wrong != {"work": "f" * 64}:
        assert [each.reason for each in rig.done(Refusal)] == ["not-given"]
    assert not rig.done(Ended)
    assert [each for each in rig.said(Acknowledgement) if each.work == key_of(rig.said(Order)[0])] == []


def test_another_agents_result_is_refused() -> None:
    rig = Rig().greeted().tell(Enrolled("web2")).hear(Hello(VERSION, 1), "web2").tell(WORK)
    rig.hear(result(rig.said(Order)[0]), "web2")
    assert [each.reason for each in rig.done(Refusal)] == ["not-given"]


def test_an_agent_that_is_not_heard_from_is_unreachable_and_its_late_result_is_taken() -> None:
    rig = Rig().greeted().tell(WORK)
    given = rig.said(Order)[0]
    assert given.expires <= rig.now + 60
    rig.now += 59
    assert not rig.tell(Tick()).done(Ended)
    rig.now += 2
    assert [each.word for each in rig.tell(Tick()).done(Ended)] == ["unreachable"]
    assert not rig.side.reachable("web1")
    rig.hear(Hello(VERSION, 3)).hear(result(given))
    assert [(each.word, each.late) for each in rig.done(Ended)] == [("unreachable", False), ("changed", True)]


def test_a_decline_counts_for_its_own_order_and_a_result_outweighs_it() -> None:
    rig = Rig().greeted().tell(WORK)
    given = rig.said(Order)[0]
    rig.hear(messages.Declined(1, 1, "f" * 64, "fence"))
    assert not rig.done(Ended)
    rig.hear(messages.Declined(1, 1, key_of(given), "fence")).hear(result(given))
    assert [(each.word, each.late) for each in rig.done(Ended)] == [("declined", False), ("changed", True)]


def test_an_agent_that_takes_long_is_not_unreachable() -> None:
    rig = Rig().greeted().tell(WORK)
    rig.hear(messages.Accepted(1, 1))
    for nonce in range(100):
        rig.now += 10
        rig.hear(messages.Alive(nonce)).tell(Tick())
    assert not rig.done(Ended)
    assert len(rig.said(Order)) == 1


def test_what_may_have_happened_is_not_given_again() -> None:
    rig = Rig().greeted().tell(WORK)
    rig.hear(result(rig.said(Order)[0], ending=Ending("unknown")))
    rig.tell(HandOut("web1", PLAN, 9, ("command.migrate",), 2, "lineage", 5, idempotent=False))
    assert [(each.attempt, each.word) for each in rig.done(Ended)] == [(1, "unknown"), (2, "unknown")]
    assert len(rig.said(Order)) == 1


def test_a_revoked_agent_is_cut_its_work_cancelled_and_nothing_it_says_acted_on() -> None:
    rig = Rig().greeted().tell(WORK)
    given = rig.said(Order)[0]
    rig.tell(Revoked("web1"))
    assert rig.done(Cut) == [Cut("web1")]
    assert [each.word for each in rig.done(Ended)] == ["cancelled"]
    sent = len(rig.done(Send))
    for core in (rig, Rig(rig.stored)):
        core.tell(Enrolled("web1")).hear(Hello(VERSION, 2)).hear(result(given)).tell(WORK)
        assert {each.word for each in core.done(Ended)} == {"cancelled"}
    assert len(rig.done(Send)) == sent


def test_strangers_and_other_versions_get_no_session() -> None:
    rig = Rig().tell(Enrolled("web1")).hear(Hello(VERSION, 1), "nobody").hear(Hello(VERSION + 1, 1))
    assert [each.reason for each in rig.done(Refusal)] == ["stranger", "version"]
    assert len(rig.said(Unwelcome)) == 1
    assert rig.hear(Want(PLAN, 0)).said(Greet)


def test_an_agent_is_given_blobs_of_its_open_work_only() -> None:
    rig = Rig().greeted().tell(WORK).hear(Want(PLAN, 0)).hear(Want("2" * 64, 0))
    assert rig.done(Fetch) == [Fetch("web1", PLAN, 0)]
    rig.hear(result(rig.said(Order)[0])).hear(Want(PLAN, 0))
    assert len(rig.done(Fetch)) == 1


def test_closed_work_is_forgotten_and_its_results_disowned() -> None:
    rig = Rig().greeted().tell(WORK)
    given = rig.said(Order)[0]
    rig.hear(result(given)).tell(Closed(PLAN))
    assert not any(key.startswith("work/") for key in rig.stored)
    assert len(rig.hear(result(given)).said(Acknowledgement)) == 2


def test_the_floor_does_not_pass_what_is_not_durable() -> None:
    peer = Peer(AgentRecord("web1", 1, next=4))
    orders = [Order("web1", PLAN, 9, (step,), 1, "lineage", 5, 1, number, 0, 0, idempotent=True) for number, step in enumerate("abc", 1)]
    for ticket, given in enumerate(orders, 1):
        peer.put(Work(given), ticket)
        peer.sending[given.sequence] = Sending(0.0)
    peer.put(Work(orders[0], "changed"), 4)
    assert (peer.floor(3), peer.floor(4)) == (1, 2)
    replaced = Order("web1", PLAN, 9, ("b",), 2, "lineage", 5, 1, 4, 0, 0, idempotent=True)
    peer.put(Work(replaced), 5)
    peer.settle(4)
    assert (peer.floor(4), peer.floor(5)) == (2, 3)
