"""The invariants: what must hold whatever happens, and at the end."""

from typing import Any

from delivery_parts import CORE, DIRECTIVE, ENTRY, MARKS, WORK, Given, Node, key_of_event

from g8r.executor.delivery import messages
from g8r.executor.delivery.core_peer import Work
from g8r.executor.delivery.holdings import KEPT_BLOBS, MAX_INCOMING
from g8r.executor.delivery.marks import WINDOW, Marks
from g8r.executor.delivery.messages import NO_EFFECT
from g8r.executor.delivery.order import Acknowledgement, CatalogNotice, Order, key_of
from g8r.executor.delivery.ports import (
    Closed,
    Ended,
    Persist,
)


class Judges:
    """A part of `World`."""

    def _judge_word(self, given: Given, ended: Ended) -> None:
        """The word is true of what happened on the host."""
        stored = [WORK.decode(value) for key, value in self.nodes[CORE].disk.stored.items() if key.endswith(key_of_event(given.event))]
        if ended.word != "cancelled" and any(work.order.agent == ended.agent and work.order.attempt > ended.attempt for work in stored):
            self.broken(f"{ended.steps}: a result of attempt {ended.attempt} was taken; {given.event.attempt} was given last")
        if ended.word == "changed" and not given.effects:
            self.broken(f"{ended.steps} ended changed, and nothing was done")
        if ended.word in NO_EFFECT and given.effects and not given.event.idempotent:
            self.broken(f"{ended.steps} ended {ended.word}, and it was done")
        if ended.word == "unknown" and not given.crashed:
            self.broken(f"{ended.steps} ended unknown, and its agent never crashed")
        if ended.word == "declined" and ended.content != b"fence":
            self.broken(f"{ended.steps} was declined: {ended.content!r}")

    def _judge_revoked(self, ended: Ended) -> None:
        """What had become durable before the revocation may still be said again."""
        work = self.nodes[CORE].disk.stored
        if not any(WORK.decode(value).word == ended.word for key, value in work.items() if key.startswith("work/")):
            self.broken(f"{ended.agent} was revoked, and {ended.steps} ended {ended.word}")

    def _judge_directive(self, agent: str, frame: bytes) -> None:
        if agent in self.revoked:
            self.broken(f"something is sent to {agent}, which was revoked")
        message = messages.from_core(frame)
        if not isinstance(message, messages.Signed):
            return
        directive = DIRECTIVE.decode(message.body)
        stored = self.nodes[CORE].disk.stored
        works = (WORK.decode(value) for key, value in stored.items() if key.startswith("work/"))
        mine = (
            [work for work in works if work.order.agent == agent and work.order.sequence == directive.sequence and _fits(work, directive)]
            if not isinstance(directive, CatalogNotice)
            else []
        )
        if isinstance(directive, Acknowledgement) and any(not work.result for work in mine):
            self.broken(f"order {directive.sequence} of {agent} is acknowledged before its result is durable")
        if isinstance(directive, Order) and not mine:
            self.broken(f"order {directive.sequence} of {agent} is sent before it is durable")

    def _judge_word_of_agent(self, node: Node, frame: bytes) -> None:
        """An agent says only what its disk would say again."""
        message = messages.from_agent(frame)
        if not isinstance(message, messages.Accepted | messages.Result):
            return
        entries = [ENTRY.decode(value) for key, value in node.disk.stored.items() if key.startswith("work/")]
        said = [entry for entry in entries if entry.order.sequence == message.sequence]
        if not said or (isinstance(message, messages.Result) and said[0].ending != message.ending):
            self.broken(f"{node.name} says {type(message).__name__} of order {message.sequence} before that is durable")

    def _judge_journal(self, persist: Persist) -> None:
        marks = [MARKS.decode(value) for key, value in persist.puts if key == "marks"]
        for key, value in persist.puts:
            if key.startswith("work/"):
                entry = ENTRY.decode(value)
                if marks and entry.order.fence < marks[0].highest_fence(entry.order.lineage):
                    self.broken(f"an order with fence {entry.order.fence} is taken after {marks[0].fences}")
                if entry.stage == "accepted" and entry.order.expires < self.now:
                    self.broken(f"an order that expired at {entry.order.expires} is taken")

    def _judge_marks(self, name: str, before: Marks, after: Marks) -> None:
        if (after.epoch, after.floor) < (before.epoch, before.floor):
            self.broken(f"the floor of {name} sank from {before.floor} to {after.floor}")
        if any(after.fences.get(lineage, 0) < fence for lineage, fence in before.fences.items()):
            self.broken(f"a fence of {name} sank from {before.fences} to {after.fences}")

    def _bounded(self) -> None:
        for name, node in self.nodes.items():
            if not node.alive:
                continue
            sizes = node.side.sizes()
            works = sum(1 for agent, _ in self.given if name in {CORE, agent})
            wanted = 1 + len(self.plans)
            limits = {"peers": len(self.agents), "works": works, "sending": works, "after": len(node.disk.pending), "entries": works,
                      "waiting": works, "settled": min(works * 4, WINDOW), "held": KEPT_BLOBS + wanted, "incoming": MAX_INCOMING,
                      "running": 2}  # fmt: skip
            over = {kind: size for kind, size in sizes.items() if size > limits[kind]}
            if over:
                self.broken(f"{name} keeps more than it may: {over}")

    def _unrest(self) -> list[str]:
        """What has not come to rest yet."""
        found = [f"{agent} {given.event.steps} has not ended" for (agent, _), given in self.given.items()
                 if given.event.attempt not in given.words]  # fmt: skip
        for name in self.agents:
            if name in self.revoked:
                continue
            if any(key.startswith("work/") for key in self.nodes[name].disk.stored):
                found.append(f"{name} has an order or a result left")
            if self.in_force.get(name) != self.catalog[name]:
                found.append(f"{name} has an old catalog")
        return found

    def _at_rest(self) -> bool:
        """Whether all has ended; once all work has, its runs are closed, which frees what nobody waits for."""
        if self.events % 8:
            return False
        ended = all(given.event.attempt in given.words for given in self.given.values())
        if ended and not self.closed and not self._owed() and not any(happens == self._again for _, _, happens, _ in self._heap):
            self.closed = set(self.plans)
            for plan in self.plans:
                self._tell(CORE, Closed(plan))
        quiet = ended and bool(self.closed) and not self._unrest()
        return quiet and not any(node.disk.pending for node in self.nodes.values())

    def _owed(self) -> bool:
        """Whether an agent has an order or a result left that its run still waits for."""
        for name in self.agents:
            for key, value in self.nodes[name].disk.stored.items():
                if key.startswith("work/") and name not in self.revoked:
                    order = ENTRY.decode(value).order
                    if order.attempt == self.given[name, key_of(order)].event.attempt:
                        return True
        return False

    def _final(self) -> None:
        for (agent, _), given in self.given.items():
            word = given.words[given.event.attempt]
            untrue = word in NO_EFFECT or (word == "unreachable" and given.event.attempt == 1)
            if given.effects and untrue and not given.event.idempotent and agent not in self.revoked:
                self.broken(f"{agent} {given.event.steps} ended {word} in the end, and it was done")
        self._bounded()
        for name, node in self.nodes.items():
            left = {
                kind: size
                for kind, size in node.side.sizes().items()
                if size and kind in {"works", "sending", "after", "entries", "running"}
            }
            if left and name not in self.revoked:
                self.broken(f"{name} still keeps {left} when all is done")


def _fits(work: Work, directive: Any) -> bool:
    return not isinstance(directive, Acknowledgement) or directive.work == key_of(work.order)
