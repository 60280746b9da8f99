"""What an attacker does: somebody in the edge's place, or a compromised agent. Every frame that was ever sent is known to it."""

import hashlib

import msgspec
from delivery_parts import CORE, flipped

from g8r.executor.delivery import blobs, messages
from g8r.executor.delivery.messages import Ending
from g8r.executor.delivery.order import PURPOSE, Order


class Attacks:
    """A part of `World`."""

    def _attack(self) -> None:
        """Somebody in the edge's place, or a compromised agent, sends what it likes."""
        if not self.tape:
            return
        kind = self.random.choice([self._garbage, self._forgery, self._misdirected, self._replay, self._made_up_result])
        source, target, frames = kind()
        self.note("attack", kind.__name__, "by", source, "on", target, *(frame.hex()[:40] for frame in frames[:3]))
        for frame in frames:
            self._at(self.now + self.random.random() * 3, self._arrive, source, target, frame)

    def _garbage(self) -> tuple[str, str, list[bytes]]:
        victim = self.random.choice([CORE, *self.agents])
        source = CORE if victim != CORE else self.random.choice([*self.agents, "stranger"])
        return (
            source,
            victim,
            [self.random.randbytes(int(self.random.random() * 40)), flipped(self.random, self.random.choice(self.tape)[2])],
        )

    def _forgery(self) -> tuple[str, str, list[bytes]]:
        victim = self.random.choice(self.agents)
        forged = Order(victim, self.plans[0], 1, ("file.evil",), 1, "l", 99, 1, 500, 499, int(self.now) + 900, idempotent=True)
        body = msgspec.msgpack.encode(forged)
        return CORE, victim, [messages.encode(messages.Signed(body, hashlib.blake2b(PURPOSE + body, digest_size=16).digest()))]

    def _misdirected(self) -> tuple[str, str, list[bytes]]:
        """What was for another agent, or another agent's word as one's own."""
        victim = self.random.choice([CORE, *self.agents])
        frames = [frame for source, _, frame in self.tape if (source == CORE) == (victim != CORE)]
        source = CORE if victim != CORE else self.random.choice([*self.agents, "stranger"])
        return source, victim, [self.random.choice(frames)] if frames else []

    def _replay(self) -> tuple[str, str, list[bytes]]:
        """All that an agent was sent last, once more, in another order."""
        victim = self.random.choice(self.agents)
        frames = [frame for _, target, frame in self.tape if target == victim][-40:]
        self.random.shuffle(frames)
        return CORE, victim, frames

    def _made_up_result(self) -> tuple[str, str, list[bytes]]:
        agent = self.random.choice(self.agents)
        work = self.random.choice([blobs.digest_of(b"none"), *(work for _, work in self.given)])
        results = [messages.Result(1, 1 + number, work, 1, self.fence, Ending("failed", b"evil")) for number in range(8)]
        return agent, CORE, [messages.encode(each) for each in results if (agent, work) not in self.given]
