"""The in-memory transport: agents in this process, a thread for each batch that runs.

This is the agent's step boundary for what runs in-process: an exception that gets here is a bug of a module, and fails its steps, so
that the rest goes on and the state stays true.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Iterable, Mapping
from typing import Protocol

from g8r.executor.agent import Agent
from g8r.executor.perform import Given, Performed
from g8r.executor.scheduler import Batch
from g8r.outcome import Failure


class Transport(Protocol):
    """How a run reaches its agents."""

    def perform(self, batch: Batch, given: Given) -> None:
        """Have the batch performed; its ends arrive through `receive`."""
        ...

    def receive(self, timeout: float) -> list[Performed]:
        """What has ended since the last call; waits at most `timeout` seconds for the first. Empty: nothing has."""
        ...

    def sync(self, hosts: Iterable[str]) -> None:
        """Have what was written on these hosts reach their disks."""
        ...

    def abort(self) -> None:
        """Stop what runs, now: programs are killed."""
        ...


class MemoryTransport:
    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents
        self._ended: queue.SimpleQueue[Performed] = queue.SimpleQueue()

    def perform(self, batch: Batch, given: Given) -> None:
        threading.Thread(target=self._perform, args=(batch, given), name=f"{batch.host} {batch.steps[0].id}", daemon=True).start()

    def receive(self, timeout: float) -> list[Performed]:
        found = []
        try:
            found.append(self._ended.get(timeout=timeout))
            while True:
                found.append(self._ended.get_nowait())
        except queue.Empty:
            return found

    def sync(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self._agents[host].sync()

    def abort(self) -> None:
        for agent in self._agents.values():
            agent.abort()

    def _perform(self, batch: Batch, given: Given) -> None:
        left = {step.id: step for step in batch.steps}
        try:
            for performed in self._agents[batch.host].perform(batch.steps, given):
                del left[performed.step.id]
                self._ended.put(performed)
        except Exception as bug:  # noqa: BLE001 the agent's step boundary
            for step in left.values():
                reason = f"a bug in kind {step.address.kind}: {type(bug).__name__}: {bug}"
                self._ended.put(Performed(step, Failure(reason, traceback.format_exc())))
