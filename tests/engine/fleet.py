"""A fleet for tests: a stack as a plain dict, fake hosts, a store in memory or in a file; planned and applied with the real parts.

It is the composition of the command line (`cli.session`, `cli.applying`) with what reaches the world replaced: no source is
evaluated, hosts are fake, secrets are a dict, plan ids count up.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from g8r import modules
from g8r.cli import applying
from g8r.cli.session import Choice, Session
from g8r.compiler.decode import decode
from g8r.diagnostics import RejectedError
from g8r.event import Event, StepEnded
from g8r.executor import sealing
from g8r.executor.agent import Agent
from g8r.executor.effects import JournalEffects
from g8r.executor.fake_host import FakeHost
from g8r.executor.journal import MemoryJournal
from g8r.executor.memory import MemoryTransport, Transport
from g8r.executor.perform import Given, Performed
from g8r.executor.planning import Planned, make_plan
from g8r.executor.run import Report
from g8r.executor.scheduler import Batch
from g8r.executor.store_memory import MemoryStore
from g8r.executor.veil import Veil
from g8r.outcome import word
from g8r.plan import Plan, Step
from g8r.state import Lease, Resource, State
from g8r.value import canonical, digest

KEY = bytes(range(32))
EPOCH = "2026-01-01T00:00:00Z"
FAR = "2999-01-01T00:00:00Z"


class Nowhere:
    """A locator of a stack that has no source."""

    def locate(self, paths: Iterable[Any]) -> dict[Any, Any]:
        return {}


class FakeLoaded:
    def __init__(self, document: Any) -> None:
        decoded = decode(document)
        if decoded.diagnostics:
            raise RejectedError(decoded.diagnostics)
        self.stack = decoded.stack
        self.config_digest = digest(canonical(document))
        self.diagnostics = decoded.diagnostics
        self.locator = Nowhere()
        self.reach = None

    def located(self, found: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(found)


class FleetSession(Session):
    """A session whose hosts are the fleet's."""

    def __init__(self, fleet: Fleet, choice: Choice) -> None:
        super().__init__(choice)
        self.fleet = fleet
        self.store = fleet.store  # type: ignore[misc,assignment] # stands before the cached property
        self.journals = fleet.journals  # type: ignore[assignment]

    def key(self, *, make: bool) -> bytes:
        return KEY

    def secret(self, name: str) -> str:
        return self.fleet.secrets[name]

    def agent(self, host: str, connection: str | None) -> Agent:
        return Agent(
            self.fleet.hosts[host],
            key=self._digest_key(),
            secrets=self.secret,
            unseal=self.unseal,
            veil=Veil(self.seal, self.opened),
            effects=JournalEffects(self.fleet.journals[host]),
            kinds=self.fleet.kinds,
            sync=lambda _paths: None,
            abort=lambda: None,
        )


class InlineTransport:
    """Performs each batch at once, in this thread: deterministic, and a killed agent kills the run."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self.agents = agents
        self.ended: queue.SimpleQueue[Performed] = queue.SimpleQueue()
        self.batches: list[Batch] = []
        self.synced: list[str] = []

    def perform(self, batch: Batch, given: Given) -> None:
        self.batches.append(batch)
        for performed in self.agents[batch.host].perform(batch.steps, given):
            self.ended.put(performed)

    def receive(self, timeout: float) -> list[Performed]:
        found = []
        while not self.ended.empty():
            found.append(self.ended.get())
        return found

    def sync(self, steps: Iterable[Step]) -> None:
        self.synced += [step.id for step in steps]

    def abort(self) -> None:
        pass


class Fleet:
    """Fake hosts and what is known of them. A lease is taken anew for each apply, as if every earlier process were dead."""

    def __init__(
        self,
        hosts: Mapping[str, FakeHost] | None = None,
        *,
        store: Any = None,
        journals: Mapping[str, MemoryJournal] | None = None,
        secrets: Mapping[str, str] | None = None,
        threads: bool = False,
        workspace: str = "default",
        kinds: Any = modules.load,
    ) -> None:
        self.hosts = dict(hosts or {"localhost": FakeHost.debian()})
        self.store = store or MemoryStore()
        self.journals = dict(journals or {name: MemoryJournal() for name in self.hosts})
        self.secrets = dict(secrets or {})
        self.threads = threads
        self.workspace = workspace
        self.kinds = kinds
        self.events: list[Event] = []
        self.counter = 0
        self.transport: Transport | None = None
        self.control: Any = None

    @property
    def host(self) -> FakeHost:
        """The only host."""
        (only,) = self.hosts.values()
        return only

    # ---- plan ----

    def session(self, **choice: Any) -> FleetSession:
        return FleetSession(self, Choice(workspace=self.workspace, source=Path("/nowhere/stack.yaml"), **choice))

    def planned(self, document: Any, **choice: Any) -> Planned:
        """Plan. Raises RejectedError with what is wrong with the stack, or forbids the plan."""
        session = self.session(**choice)
        loaded = FakeLoaded(document)
        self.store.lineage(loaded.stack.name, self.workspace, f"lineage-{loaded.stack.name}")
        planned = session.plan_loaded(loaded, make_plan)  # type: ignore[arg-type] # as much of a Loaded as is used
        self.counter += 1
        plan = msgspec.structs.replace(planned.plan, id=f"p{self.counter:07d}", created=EPOCH, expires=FAR)
        self.blobs = dict(session._blobs)
        return msgspec.structs.replace(planned, plan=plan)

    def plan(self, document: Any, **choice: Any) -> Plan:
        return self.planned(document, **choice).plan

    def refused(self, document: Any, **choice: Any) -> RejectedError:
        """What is said of a plan that must not be."""
        try:
            plan = self.plan(document, **choice)
        except RejectedError as refusal:
            return refusal
        message = f"this was planned: {shown(plan)}"
        raise AssertionError(message)

    # ---- apply ----

    def lease(self) -> Lease:
        return self.store.lease(f"test:{self.counter}:0", "apply", applying.now(), 60.0, lambda _owner: False)

    def apply(self, plan: Plan, *, parallelism: int = 10, resume: str | None = None, check: bool = False) -> Report:
        """Perform the plan in this process. `check`: as a saved one."""
        session = self.session()
        session.adopt_blobs(getattr(self, "blobs", {}))
        agents = session.agents(dict(plan.connections))
        self.transport = MemoryTransport(agents) if self.threads else InlineTransport(agents)
        lease = self.lease()
        if check:
            applying.check(plan, session, self.store.load(plan.stack, plan.workspace))
        return applying.perform(
            session,
            plan,
            agents,
            lease,
            self.events.append,
            parallelism=parallelism,
            resume=resume,
            transport=self.transport,
            interrupts=self.control,
        )

    def converge(self, document: Any, **choice: Any) -> Report:
        """Plan and apply; it must get done."""
        report = self.apply(self.plan(document, **choice))
        assert report.status == "done", outcomes(report)
        return report

    # ---- look ----

    def state(self, stack: str = "site") -> State:
        return self.store.load(stack, self.workspace)

    def record(self, address: str, stack: str = "site") -> Resource | None:
        """What the ledger knows by this address."""
        host, _, task = address.rpartition("/")
        wanted = f"{host or 'localhost'}/{task}"
        return next((each for each in self.state(stack).resources.values() if str(each.address) == wanted), None)

    def ended(self) -> list[str]:
        """The steps whose end was announced, in order."""
        return [event.step.id for event in self.events if isinstance(event, StepEnded)]

    def text(self, path: str, host: str = "localhost") -> str | None:
        there = self.hosts[host]
        return there.read(path).decode() if there.stat(path) is not None else None


def site(tasks: Any, **more: Any) -> dict[str, Any]:
    return {"name": "site", "tasks": tasks, **more}


def step(plan: Plan, identifier: str) -> Step:
    """The step of this id; without a host it is localhost's."""
    wanted = identifier if "/" in identifier.partition("!")[0] else f"localhost/{identifier}"
    found = [each for each in plan.steps if each.id == wanted]
    assert found, f"{wanted} is not among {[each.id for each in plan.steps]}"
    return found[0]


def shown(plan: Plan) -> dict[str, str]:
    """What the plan would do: action by step, no-ops left out."""
    return {each.id.removeprefix("localhost/"): each.action for each in plan.steps if each.action != "no-op"}


def outcomes(report: Report) -> dict[str, str]:
    """How each step ended."""
    return {identifier.removeprefix("localhost/"): word(outcome) for identifier, outcome in sorted(report.outcomes.items())}


def sealed_key() -> bytes:
    return sealing.subkey(KEY, "digest")
