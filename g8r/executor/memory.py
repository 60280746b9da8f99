"""The in-memory transport: agents in this process, a thread for each batch that runs.

A batch's ends are taken together: who waits for them is woken when a batch is done, and looks by itself every TOGETHER seconds for those
of a batch that is not. Woken for each end, the two threads would do little but hand the interpreter to each other, and each handful of
ends would be synced and committed by itself.

This is the agent's step boundary for what runs in-process: an exception that gets here is a bug of a module, and fails its steps, so
that the rest goes on and the state stays true.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from g8r.executor.agent import Agent
from g8r.executor.perform import Given, Performed
from g8r.executor.scheduler import Batch
from g8r.outcome import Failure
from g8r.plan import Step

TOGETHER: Final = 0.1
"""Seconds after which an end is taken though its batch goes on."""


class Transport(Protocol):
    """How a run reaches its agents."""

    def perform(self, batch: Batch, given: Given) -> None:
        """Have the batch performed; its ends arrive through `receive`."""
        ...

    def receive(self, timeout: float) -> list[Performed]:
        """What has ended since the last call; waits at most `timeout` seconds for the first. Empty: nothing has."""
        ...

    def sync(self, steps: Iterable[Step]) -> None:
        """Have what these steps wrote reach their hosts' disks."""
        ...

    def abort(self) -> None:
        """Stop what runs, now: programs are killed."""
        ...


class MemoryTransport:
    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents
        self._ended: queue.SimpleQueue[Performed] = queue.SimpleQueue()
        self._done = threading.Event()

    def perform(self, batch: Batch, given: Given) -> None:
        threading.Thread(target=self._perform, args=(batch, given), name=f"{batch.host} {batch.steps[0].id}", daemon=True).start()

    def receive(self, timeout: float) -> list[Performed]:
        deadline = time.monotonic() + timeout
        while True:
            self._done.wait(min(TOGETHER, max(0.0, deadline - time.monotonic())))
            self._done.clear()
            found = self._taken()
            if found or time.monotonic() >= deadline:
                return found

    def sync(self, steps: Iterable[Step]) -> None:
        by_host: dict[str, list[Step]] = {}
        for step in steps:
            by_host.setdefault(step.address.host, []).append(step)
        for host, several in by_host.items():
            self._agents[host].sync(_places(several))

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
        finally:
            self._done.set()

    def _taken(self) -> list[Performed]:
        found = []
        while True:
            try:
                found.append(self._ended.get_nowait())
            except queue.Empty:
                return found


def _places(steps: Iterable[Step]) -> frozenset[str]:
    """Paths on every file system that the steps may have written to: their own, and the root's for what is no path."""
    claims = {claim for step in steps for claim in step.claims.provides}
    return frozenset(claim.removeprefix("path:") if claim.startswith("path:") else "/" for claim in claims) | {"/"}
