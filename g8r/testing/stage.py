"""A stage: fake hosts with a ledger in memory, on which the engine plans and applies a compiled stack. It touches nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

import g8r
from g8r import modules
from g8r.compiler.compile import Compiled
from g8r.executor import sealing
from g8r.executor.agent import Agent
from g8r.executor.effects import JournalEffects
from g8r.executor.fake_host import FakeHost
from g8r.executor.journal import MemoryJournal
from g8r.executor.ledger import newly_owed
from g8r.executor.memory import MemoryTransport
from g8r.executor.planning import Planned, Request, Stamp, make_plan
from g8r.executor.run import Report, Runner, Settings
from g8r.executor.store_memory import MemoryStore
from g8r.executor.subjects import subject
from g8r.executor.veil import Veil
from g8r.plan import Plan, Step
from g8r.state import Ended, Intent, Lease, Owed, Run, RunStatus
from g8r.value import Document, Value

_KEY: Final = bytes(sealing.KEY_BYTES)
"""Nothing that is sealed with it leaves this process."""
_WHEN: Final = "2000-01-01T00:00:00Z"
_LATER: Final = "2999-01-01T00:00:00Z"
_WORKSPACE: Final = "test"
_TICK: Final = 60.0
"""Seconds that pass between two looks at the clock of a run: delays between attempts are not waited for."""


class Stage:
    """The hosts of one test."""

    def __init__(self, hosts: Mapping[str, FakeHost], secrets: Mapping[str, str]) -> None:
        self.hosts = dict(sorted(hosts.items()))
        self._secrets = dict(secrets)
        self._journals = {name: MemoryJournal() for name in self.hosts}
        self._agents = {name: self._agent(name) for name in self.hosts}
        self._store = MemoryStore()
        self._plans = itertools.count(1)

    def plan(self, compiled: Compiled) -> Planned:
        """The plan of this stack, on the hosts as they are now."""
        name = compiled.stack.name
        for host in self.hosts.values():
            host.blobs |= compiled.blobs
        self._store.lineage(name, _WORKSPACE, "test")
        state = self._store.load(name, _WORKSPACE)
        stamp = Stamp(f"{next(self._plans):08d}", _WHEN, _LATER, g8r.__version__)
        what = subject(compiled, "", dict.fromkeys(self.hosts, "fake"))
        return make_plan(what, state, self._agents, Request(_WORKSPACE, allow_empty=True), stamp, modules.load, _seal)

    def apply(self, plan: Plan) -> Report:
        """Perform a plan that is not blocked, to its end."""
        lease = self._store.lease("test", "apply", _WHEN, _TICK, lambda _owner: False)
        clock = itertools.count(0.0, _TICK)
        settings = Settings(
            run=f"run-{plan.id}",
            now=lambda: next(clock),
            batch_of=lambda kind: modules.load(kind).batch,
            idempotent=lambda _step: True,  # it is asked for what was cut off, and nothing is
        )
        state = self._store.load(plan.stack, plan.workspace)
        ledger = _Ledger(self._store, lease, settings.run, state.owed)
        return Runner(plan, state, MemoryTransport(self._agents), ledger, lambda _event: None, _Never(), settings).run()

    def _agent(self, name: str) -> Agent:
        return Agent(
            self.hosts[name],
            key=sealing.subkey(_KEY, "digest"),
            secrets=self._secret,
            unseal=_unsealed,
            veil=Veil(_seal, _unseal),
            effects=JournalEffects(self._journals[name]),
        )

    def _secret(self, name: str) -> str:
        return self._secrets.get(name, f"secret:{name}")


class _Ledger:
    """The store as one run sees it."""

    def __init__(self, store: MemoryStore, lease: Lease, run: str, owed: Sequence[Owed]) -> None:
        self._store = store
        self._fence = lease.fence
        self._run = run
        self._owed = owed

    def begin(self, plan: Plan, intents: Sequence[Intent]) -> None:
        run = Run(self._run, plan.id, "running", "test", _WHEN, None, plan.serial, {})
        self._store.begin(self._fence, run, plan, intents, newly_owed(plan, self._run, self._owed), {})

    def record(self, ended: Sequence[Ended]) -> None:
        self._store.record(self._fence, self._run, ended)

    def finish(self, status: RunStatus, outputs: Document, sensitive: tuple[str, ...]) -> None:
        self._store.finish(self._fence, self._run, status, _WHEN, outputs, sensitive)

    def renew(self) -> None:
        """Nobody else wants it."""


class _Never(msgspec.Struct, frozen=True):
    """Nobody stops the run of a test half-way."""

    stopping: bool = False
    aborting: bool = False


def _seal(value: Value, place: str) -> str:
    return sealing.seal(value, place, _KEY)


def _unseal(text: str, place: str) -> Value:
    return sealing.unseal(text, place, _KEY)


def _unsealed(step: Step) -> Document:
    """The step's params with the sealed ones opened."""
    return {**step.params, **{name: _unseal(str(step.params[name]), f"{step.address}.{name}") for name in step.sealed}}
