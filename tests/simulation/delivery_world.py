"""A world for the delivery protocol: virtual time, a bad network, disks that forget, processes that crash, and an attacker.

Everything that happens comes from one seed, so a seed replays exactly. Invariants are checked at every event; `run` raises `Broken` with
the seed, the moment and the way to replay it. The code under test is the real one, but for the signature, which is a keyed hash here.
"""

import heapq
import random
from collections.abc import Callable
from typing import Any

import msgspec
from delivery_attacks import Attacks
from delivery_judges import Judges
from delivery_parts import (
    CHUNK,
    CORE,
    ENTRY,
    HEALED_WITHIN,
    MARKS,
    START,
    TICK,
    Broken,
    Given,
    Node,
    check,
    flipped,
    key_of_event,
    shown,
    sign,
)

from g8r.executor.delivery import blobs
from g8r.executor.delivery.core_peer import agent_key
from g8r.executor.delivery.messages import Ending, Refusal
from g8r.executor.delivery.order import key_of
from g8r.executor.delivery.ports import (
    Cut,
    Ended,
    Enrolled,
    Fetch,
    Fetched,
    HandOut,
    InForce,
    NewSession,
    Perform,
    Performed,
    Persist,
    Persisted,
    Published,
    Received,
    Revoked,
    Send,
    Started,
    Tick,
)


class World(Attacks, Judges):
    def __init__(
        self,
        seed: int,
        agent_side: Callable[..., Any],
        core_side: Callable[..., Any],
        *,
        keep: bool = False,
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = START
        self.trace: list[str] | None = [] if keep else None
        self.events = 0
        self._make_agent, self._make_core = agent_side, core_side
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        roll = self.random.random
        self.agents = [f"a{index}" for index in range(1 + int(roll() * 3))]
        self.nodes = {name: Node(name) for name in (CORE, *self.agents)}
        self.drop, self.twice = roll() * 0.3, roll() * 0.2
        self.slow = 0.05 if roll() < 0.5 else 3.0
        self.held, self.flips = roll() * 0.04, roll() * 0.03
        self.fragile = 0.03 if roll() < 0.4 else 0.0
        self.chaos = 20.0 + roll() * 30.0
        self.cut: dict[str, float] = {}
        self.healed = False
        self.given: dict[tuple[str, str], Given] = {}
        self.blobs: dict[str, bytes] = {}
        self.plans = [self._blob() for _ in range(3)]
        self.catalog: dict[str, str] = {}
        self.in_force: dict[str, str] = {}
        self.revoked: set[str] = set()
        self.closed: set[str] = set()
        self.fence = 1
        self.begun: dict[str, int] = {}
        self.tape: list[tuple[str, str, bytes]] = []
        self.words: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self._handlers: dict[type, Callable[[Node, Any], None]] = {
            Persist: self._persist,
            Send: self._send,
            Perform: self._perform,
            Ended: self._ended,
            Fetch: self._fetch,
            InForce: self._took,
            Refusal: self._refused,
            NewSession: self._nothing,
            Cut: self._nothing,
        }

    # ---- running ----

    def run(self) -> "World":
        for name in self.nodes:
            self._start(name)
        for name in self.agents:
            self._tell(CORE, Enrolled(name))
            self._publish(name)
        self._plan_the_day()
        healing = self.now + self.chaos
        self._at(healing, self._heal)
        while self._heap:
            if self.healed and self._at_rest():
                break
            self.now, _, happens, given = heapq.heappop(self._heap)
            if self.now > healing + HEALED_WITHIN:
                self.broken(f"not at rest {HEALED_WITHIN:.0f} s after the network healed: {self._unrest()}")
            happens(*given)
            self.events += 1
            if self.events % 16 == 0:
                self._bounded()
        self._final()
        return self

    def broken(self, what: str) -> None:
        message = f"seed {self.seed}, at {self.now - START:.3f} s: {what}\nreplay: G8R_SEED={self.seed} pytest tests/simulation -k seeds -s"
        raise Broken(message)

    def note(self, *what: object) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now - START:10.4f} " + " ".join(str(each) for each in what))

    def _at(self, when: float, happens: Callable[..., None], *given: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, happens, given))

    def _blob(self) -> str:
        content = self.random.randbytes(1 + int(self.random.random() * 300))
        digest = blobs.digest_of(content)
        self.blobs[digest] = content
        return digest

    def _plan_the_day(self) -> None:
        """What will go wrong, and what is asked for, until the network heals."""
        pick, end = self.random.random, self.now + self.chaos
        for number in range(3 + int(pick() * 10)):
            self._at(self.now + pick() * self.chaos * 0.8, self._ask, f"file.f{number}")
        for _ in range(int(pick() * 5)):
            self._at(self.now + pick() * self.chaos, self._crash, self.random.choice([CORE, *self.agents]))
        for _ in range(int(pick() * 3)):
            self._at(self.now + pick() * self.chaos, self._cut_off, self.random.choice(self.agents))
        for _ in range(int(pick() * 12)):
            self._at(self.now + pick() * self.chaos, self._attack)
        for _ in range(int(pick() * 3)):
            self._at(self.now + pick() * self.chaos, self._supersede)
        if pick() < 0.3:
            self._at(self.now + pick() * self.chaos, self._publish, self.random.choice(self.agents))
        if pick() < 0.12:
            self._at(self.now + pick() * self.chaos, self._revoke, self.random.choice(self.agents))
        if pick() < 0.2:
            name = self.random.choice(self.agents)
            self._at(self.now + pick() * 10, self._cut_off, name, 65 + pick() * 40)
            self.chaos += 110.0
        del end

    # ---- processes and disks ----

    def _start(self, name: str) -> None:
        node = self.nodes[name]
        if node.alive:
            return
        node.life += 1
        node.alive = True
        node.disk.free_at = self.now
        self.note(name, "starts")
        if name == CORE:
            node.side = self._make_core(sign, 1, node.disk.load())
        else:
            node.side = self._make_agent(name, CORE, check, node.life, node.disk.load(), 2)
        self._tell(name, Started())
        if name == CORE:
            self._remind()
        self._at(self.now + TICK * self.random.random(), self._tick, name, node.life)

    def _remind(self) -> None:
        """Who runs the core says again what may not have become durable."""
        for agent in self.agents:
            self._tell(CORE, Enrolled(agent))
            if agent in self.revoked:
                self._tell(CORE, Revoked(agent))
            elif agent in self.catalog:
                digest = self.catalog[agent]
                self._tell(CORE, Published(agent, digest, len(self.blobs[digest])))
        for given in self.given.values():
            if given.event.attempt not in given.words and given.event.plan not in self.closed:
                self._tell(CORE, given.event)

    def _crash(self, name: str) -> None:
        """The process dies; of what was on its way to the disk, a part may have got there."""
        node = self.nodes[name]
        if not node.alive or self.healed:
            return
        node.alive = False
        kept = int(self.random.random() * (len(node.disk.pending) + 1))
        self.note(name, "crashes;", kept, "of", len(node.disk.pending), "writes are kept")
        for persist in node.disk.pending[:kept]:
            self._written(node, persist)
        node.disk.pending = []
        for (agent, _), given in self.given.items():
            given.crashed = given.crashed or agent == name
        self._at(self.now + 0.1 + self.random.random() * 5, self._start, name)

    def _tick(self, name: str, life: int) -> None:
        if self.nodes[name].alive and self.nodes[name].life == life:
            self._tell(name, Tick())
            self._at(self.now + TICK, self._tick, name, life)

    def _tell(self, name: str, event: Any) -> None:
        node = self.nodes[name]
        if not node.alive:
            return
        if self.trace is not None:
            self.note(name, "<", shown(event))
        for command in node.side.handle(event, self.now):
            if self.trace is not None:
                self.note(name, ">", shown(command))
            self._handlers[type(command)](node, command)

    def _persist(self, node: Node, persist: Persist) -> None:
        node.disk.pending.append(persist)
        node.disk.free_at = max(node.disk.free_at, self.now) + 0.001 + self.random.random() * 0.04
        self._at(node.disk.free_at, self._durable, node.name, node.life)
        if self.random.random() < self.fragile and not self.healed:
            self._at(self.now + self.random.random() * 0.03, self._crash, node.name)
        if node.name != CORE:
            self._judge_journal(persist)

    def _durable(self, name: str, life: int) -> None:
        node = self.nodes[name]
        if node.alive and node.life == life:
            persist = node.disk.pending.pop(0)
            self._written(node, persist)
            self._tell(name, Persisted(persist.ticket))

    def _written(self, node: Node, persist: Persist) -> None:
        if node.name != CORE:
            for key, value in persist.puts:
                if key == "marks" and key in node.disk.stored:
                    self._judge_marks(node.name, MARKS.decode(node.disk.stored[key]), MARKS.decode(value))
        node.disk.settle(persist)
        for key, _ in persist.puts:
            if key.startswith("whole/"):
                parts = [node.disk.stored[each] for each in sorted(node.disk.stored) if each.startswith(f"part/{key[6:]}/")]
                if b"".join(parts) != self.blobs[key[6:]]:
                    self.broken(f"{node.name} counts a blob as whole that is not what its digest says")

    # ---- the network ----

    def _send(self, node: Node, send: Send) -> None:
        source, target = node.name, send.peer
        if source == CORE:
            self._judge_directive(target, send.frame)
        else:
            self._judge_word_of_agent(node, send.frame)
        self.tape.append((source, target, send.frame))
        agent = target if source == CORE else source
        if self.healed:
            self._at(self.now + 0.002 + self.random.random() * 0.01, self._arrive, source, target, send.frame)
            return
        if self.cut.get(agent, 0.0) > self.now:
            return
        roll = self.random.random()
        copies = 0 if roll < self.drop else 2 if roll > 1 - self.twice else 1
        for _ in range(copies):
            late = 20 + self.random.random() * 80 if self.random.random() < self.held else 0.0
            frame = flipped(self.random, send.frame) if self.random.random() < self.flips else send.frame
            self._at(self.now + late + 0.001 + self.random.random() ** 3 * self.slow, self._arrive, source, target, frame)

    def _arrive(self, source: str, target: str, frame: bytes) -> None:
        if target in self.nodes:
            self._tell(target, Received(source, frame))

    def _cut_off(self, name: str, seconds: float = 0.0) -> None:
        self.cut[name] = self.now + (seconds or self.random.random() * 20)
        self.note(name, "is cut off")

    def _heal(self) -> None:
        self.healed = True
        self.note("the network heals")
        for name in self.nodes:
            self._start(name)

    # ---- what the runs want ----

    def _ask(self, step: str) -> None:
        agent = self.random.choice(self.agents)
        plan = self.random.choice(self.plans)
        fence = self.fence if self.random.random() < 0.9 else max(1, self.fence - 1)
        event = HandOut(agent, plan, len(self.blobs[plan]), (step,), 1, "lineage", fence, idempotent=self.random.random() < 0.4)
        self.given[agent, key_of_event(event)] = Given(event)
        self._tell(CORE, event)

    def _again(self, agent: str, work: str) -> None:
        """The run tries the work again."""
        given = self.given[agent, work]
        if given.event.plan in self.closed or given.event.attempt not in given.words:
            return
        given.event = msgspec.structs.replace(given.event, attempt=given.event.attempt + 1, fence=self.fence)
        given.attempts[given.event.attempt] = given.event.fence
        self._tell(CORE, given.event)

    def _supersede(self) -> None:
        self.fence += 1

    def _publish(self, agent: str) -> None:
        if agent not in self.revoked:
            self.catalog[agent] = digest = self._blob()
            self._tell(CORE, Published(agent, digest, len(self.blobs[digest])))

    def _revoke(self, agent: str) -> None:
        self.revoked.add(agent)
        self._tell(CORE, Revoked(agent))

    def _fetch(self, node: Node, fetch: Fetch) -> None:
        own = {self.catalog.get(fetch.agent)} | {given.event.plan for (agent, _), given in self.given.items() if agent == fetch.agent}
        if fetch.digest not in own and self.nodes[CORE].disk.stored.get(agent_key(fetch.agent), b"").find(fetch.digest.encode()) < 0:
            self.broken(f"{fetch.agent} is given a blob that is not its own")
        content = blobs.cut(self.blobs[fetch.digest], fetch.offset, CHUNK)
        self._at(self.now, self._tell, CORE, Fetched(fetch.agent, fetch.digest, fetch.offset, content))

    # ---- effects ----

    def _perform(self, node: Node, perform: Perform) -> None:
        order = perform.order
        work = key_of(order)
        given = self.given.get((node.name, work))
        if order.agent != node.name or given is None or given.attempts.get(order.attempt) != order.fence:
            self.broken(f"{node.name} acts on an order that it was not given: {order}")
            return
        if order.fence < self.begun.get(node.name, 0):
            self.broken(f"{node.name} acts on fence {order.fence} after {self.begun[node.name]}")
        self.begun[node.name] = order.fence
        if order.idempotent is False and _stage(node, work) != "started":
            self.broken(f"{node.name} acts before `started` is durable")
        lasts = 0.01 + self.random.random() ** 2 * 4
        if self.random.random() < 0.15:
            self._at(self.now + lasts, self._finish, node.name, node.life, Performed(work, Ending("failed", b"no")))
            return
        self._at(self.now + lasts * self.random.random(), self._effect, node.name, node.life, work)
        self._at(self.now + lasts, self._finish, node.name, node.life, Performed(work, Ending("changed", b"yes")))

    def _effect(self, name: str, life: int, work: str) -> None:
        if not self.nodes[name].alive or self.nodes[name].life != life:
            return
        given = self.given[name, work]
        given.effects += 1
        self.note(name, "EFFECT", work[:8], "number", given.effects)
        if given.effects > 1 and not given.event.idempotent:
            self.broken(f"{name} did {given.event.steps} a second time, and it is not idempotent")

    def _finish(self, name: str, life: int, event: Performed) -> None:
        if self.nodes[name].life == life:
            self._tell(name, event)

    def _ended(self, node: Node, ended: Ended) -> None:
        event = HandOut(ended.agent, ended.plan, 1, ended.steps, 1, "", 0, idempotent=False)
        given = self.given[ended.agent, key_of_event(event)]
        before = given.words.get(ended.attempt)
        self.words[ended.word] = self.words.get(ended.word, 0) + 1
        if before is not None and before != ended.word and before not in {"unreachable", "cancelled"}:
            self.broken(f"{ended.agent} {ended.steps} attempt {ended.attempt} ended {before}, and then {ended.word}")
        if before == "unreachable" and before != ended.word and not ended.late:
            self.broken(f"{ended.agent} {ended.steps} was unreachable and is {ended.word}, and not called late")
        if ended.agent in self.revoked and ended.word != "cancelled" and before is None:
            self._judge_revoked(ended)
        self._judge_word(given, ended)
        given.words[ended.attempt] = ended.word
        if ended.word in {"failed", "unreachable", "stale", "unknown"} and self.random.random() < 0.5 and ended.attempt < 4:
            self._at(self.now + self.random.random() * 5, self._again, ended.agent, key_of_event(event))

    # ---- small ----

    def _took(self, node: Node, command: InForce) -> None:
        self.in_force[node.name] = command.digest

    def _refused(self, node: Node, refusal: Refusal) -> None:
        self.refusals[refusal.reason] = self.refusals.get(refusal.reason, 0) + 1

    def _nothing(self, node: Node, command: Any) -> None:
        """What changes nothing here."""


def _stage(node: Node, work: str) -> str:
    return ENTRY.decode(node.disk.stored[f"work/{work}"]).stage if f"work/{work}" in node.disk.stored else ""
