"""The agent's side, rule by rule; what comes of all of them together is `tests/simulation`'s."""

import msgspec
import pytest

from g8r.executor.delivery import blobs, ed25519, messages, order
from g8r.executor.delivery.agent_side import AgentSide
from g8r.executor.delivery.messages import (
    VERSION,
    Alive,
    Declined,
    Ending,
    Greet,
    Heard,
    Hello,
    Refusal,
    Result,
    Unwelcome,
    Welcome,
)
from g8r.executor.delivery.order import Acknowledgement, CatalogNotice, Order, key_of
from g8r.executor.delivery.ports import NewSession, Perform, Performed, Persist, Persisted, Received, Send, Started, Tick

SIGN = ed25519.signer(b"s" * 32)
CHECK = ed25519.checker(ed25519.public_key(b"s" * 32))
PLAN = b"the plan"
DIGEST = blobs.digest_of(PLAN)
STORED = ((blobs.part_key(DIGEST, 0), PLAN), (f"whole/{DIGEST}", b""))
ORDER = Order("web1", DIGEST, len(PLAN), ("command.migrate",), 1, "lineage", 5, 1, 1, 1, 1_000, idempotent=False)
CHANGED = Ending("changed", b"yes")


def like(**changed: object) -> Order:
    return msgspec.structs.replace(ORDER, **changed)


class Rig:
    """An agent with a disk that is durable at once, unless it is told to wait."""

    def __init__(self, stored=STORED, boot: int = 1) -> None:
        self.stored = dict(stored)
        self.side = AgentSide("web1", "core", CHECK, boot, sorted(self.stored.items()))
        self.now = 100.0
        self.commands: list[object] = []
        self.tell(Started())
        self.hear(Welcome(VERSION, self.said(Hello)[-1].nonce))

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

    def hear(self, message) -> "Rig":
        frame = order.seal(message, SIGN) if isinstance(message, Order | Acknowledgement | CatalogNotice) else messages.encode(message)
        return self.tell(Received("core", frame))

    def said(self, kind):
        read = [messages.from_agent(each.frame) for each in self.commands if isinstance(each, Send)]
        return [each for each in read if isinstance(each, kind)]

    def done(self, kind):
        return [each for each in self.commands if isinstance(each, kind)]

    def again(self) -> "Rig":
        """The process has died and comes back."""
        return Rig(self.stored, boot=2)


def test_an_order_is_performed_once_however_often_it_comes_and_its_result_is_said_until_it_is_acknowledged() -> None:
    rig = Rig().hear(ORDER).hear(ORDER)
    assert rig.done(Perform) == [Perform(ORDER)]
    rig.tell(Performed(key_of(ORDER), CHANGED)).hear(ORDER)
    assert [each.ending for each in rig.said(Result)] == [CHANGED, CHANGED]
    back = rig.again()
    assert [each.ending for each in back.said(Result)] == [CHANGED]
    back.hear(Acknowledgement("web1", key_of(ORDER), 1, 1, 2))
    assert not any(key.startswith("work/") for key in back.stored)
    assert back.again().said(Result) == []


def test_nothing_is_done_before_it_is_durable() -> None:
    rig = Rig()
    rig.tell(Received("core", order.seal(ORDER, SIGN)), durable=False)
    assert not rig.done(Perform)
    assert not rig.said(messages.Accepted)


def test_what_was_started_before_a_crash_is_in_doubt_and_what_is_idempotent_is_performed_again() -> None:
    harmless = like(steps=("file.motd",), sequence=2, idempotent=True)
    back = Rig().hear(ORDER).hear(harmless).again()
    assert back.done(Perform) == [Perform(harmless, again=True)]
    assert [each.ending.word for each in back.said(Result)] == ["unknown"]


def test_a_newer_attempt_gets_the_end_of_an_earlier_one_and_the_earlier_number_is_settled() -> None:
    newer = like(attempt=2, sequence=2)
    rig = Rig().hear(ORDER).tell(Performed(key_of(ORDER), CHANGED)).hear(newer)
    assert len(rig.done(Perform)) == 1
    assert rig.said(Result)[-1] == Result(1, 2, key_of(ORDER), 2, 5, CHANGED)
    rig.hear(Acknowledgement("web1", key_of(ORDER), 1, 2, 1)).hear(ORDER)
    assert len(rig.done(Perform)) == 1
    assert rig.done(Refusal)[-1].reason == "replayed"


def test_a_newer_attempt_acts_again_where_the_earlier_one_had_no_effect() -> None:
    rig = Rig().hear(ORDER).tell(Performed(key_of(ORDER), Ending("failed"))).hear(like(attempt=2, sequence=2))
    assert len(rig.done(Perform)) == 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (like(agent="web2"), "agent"),
        (like(expires=99), "expired"),
        (like(steps=("a", "b")), "unsafe"),
        (like(epoch=0), "epoch"),
        (like(fence=4, steps=("x",), sequence=3), "fence"),
        (like(steps=("x",), sequence=1), "replayed"),
        (like(sequence=3), "attempt"),
    ],
)
def test_orders_that_are_not_taken(given: Order, reason: str) -> None:
    rig = Rig().hear(like(sequence=2, floor=2)).hear(given)
    assert len(rig.done(Perform)) == 1
    assert rig.done(Refusal)[-1].reason == reason
    assert [each.reason for each in rig.said(Declined)] == ([] if reason == "agent" else [reason])


def test_an_order_whose_writer_was_superseded_before_its_turn_is_stale() -> None:
    rig = Rig()
    rig.side._parallelism = 1
    rig.hear(like(steps=("first",), sequence=1)).hear(like(steps=("second",), sequence=2)).hear(like(steps=("third",), sequence=3, fence=6))
    rig.tell(Performed(key_of(like(steps=("first",))), CHANGED))
    assert {each.order.steps for each in rig.done(Perform)} == {("first",), ("third",)}
    assert [each.ending.word for each in rig.said(Result) if each.sequence == 2] == ["stale"]


def test_the_highest_fence_is_kept_over_a_restart() -> None:
    back = Rig().hear(ORDER).again().hear(like(fence=4, steps=("x",), sequence=3))
    assert back.said(Declined)[-1].reason == "fence"


def test_three_unheard_signs_of_life_ask_for_a_new_session() -> None:
    rig = Rig()
    for _ in range(3):
        rig.now += 6
        rig.tell(Tick())
    assert not rig.done(NewSession)
    rig.now += 6
    rig.tell(Tick())
    assert rig.done(NewSession)
    assert isinstance(messages.from_agent(rig.done(Send)[-1].frame), Hello)


def test_a_heard_sign_of_life_keeps_the_session_and_a_core_that_knows_none_is_greeted() -> None:
    rig = Rig()
    for _ in range(10):
        rig.now += 6
        rig.tell(Tick()).hear(Heard(rig.said(Alive)[-1].nonce))
    assert not rig.done(NewSession)
    rig.hear(Greet())
    assert isinstance(messages.from_agent(rig.done(Send)[-1].frame), Hello)


def test_another_version_is_no_session() -> None:
    rig = Rig().hear(Greet())
    rig.hear(Unwelcome(rig.said(Hello)[-1].nonce, VERSION + 1)).hear(Welcome(VERSION + 1, rig.said(Hello)[-1].nonce))
    assert [each.reason for each in rig.done(Refusal)] == ["version", "version"]
    assert not rig.side._session.welcome
