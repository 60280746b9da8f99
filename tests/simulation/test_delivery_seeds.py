"""The delivery protocol under seeded virtual time, network and disk: 2,000 worlds, each of which replays exactly from its seed.

G8R_SEEDS says how many (2000), G8R_SEED runs one alone and prints its trace where it breaks.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from delivery_world import Broken, World

from g8r.executor.delivery.agent_side import AgentSide
from g8r.executor.delivery.core_side import CoreSide

ONE = os.environ.get("G8R_SEED")
SEEDS = range(int(ONE), int(ONE) + 1) if ONE else range(int(os.environ.get("G8R_SEEDS", "2000")))
SHARES = 1 if ONE else 4

MUST_END = {"changed", "failed", "stale", "unknown", "unreachable", "declined", "cancelled"}
MUST_REFUSE = {
    "agent", "expired", "fence", "malformed", "not-expected", "not-given", "replayed", "revoked", "signature", "stranger",
}  # fmt: skip
ENOUGH = 400
"""As many worlds have met every ending and every refusal."""


def world(seed: int, *, keep: bool = False) -> World:
    return World(seed, AgentSide, CoreSide, keep=keep)


@pytest.mark.parametrize("share", range(SHARES))
def test_seeds_hold_every_promise(share: int) -> None:
    ends: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    seeds = SEEDS[share::SHARES]
    for seed in seeds:
        one = world(seed, keep=bool(ONE))
        try:
            one.run()
        except Exception as broken:
            print(*(one.trace or ()), sep="\n")
            if isinstance(broken, Broken):
                raise
            pytest.fail(f"seed {seed}: {broken!r}\nreplay: G8R_SEED={seed} pytest tests/simulation -k seeds -s")
        ends.update(one.words)
        refusals.update(one.refusals)
    if len(seeds) >= ENOUGH:
        assert set(ends) >= MUST_END, "the worlds are too kind to show anything"
        assert set(refusals) >= MUST_REFUSE, "the worlds are too kind to show anything"


def test_a_seed_replays_exactly() -> None:
    for seed in range(20):
        first, second = world(seed, keep=True).run(), world(seed, keep=True).run()
        assert first.trace
        assert "\n".join(first.trace).encode() == "\n".join(second.trace or ()).encode()


def test_a_seed_replays_exactly_in_another_process() -> None:
    """Whatever the order of hashes there."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from delivery_world import World\n"
        "from g8r.executor.delivery.agent_side import AgentSide\n"
        "from g8r.executor.delivery.core_side import CoreSide\n"
        "print('\\n'.join(World(7, AgentSide, CoreSide, keep=True).run().trace), end='')"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(here.parent.parent)}
    traces = {
        subprocess.run(
            [sys.executable, "-c", program, str(here)], env={**environment, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert traces == {"\n".join(world(7, keep=True).run().trace or ()).encode()}


def test_another_seed_is_another_world() -> None:
    assert world(1, keep=True).run().trace != world(2, keep=True).run().trace


def test_what_breaks_says_how_to_replay_it() -> None:
    with pytest.raises(Broken, match=r"seed 3, at .* s: the sky fell\nreplay: G8R_SEED=3 pytest"):
        world(3).broken("the sky fell")


class DeafAgent(AgentSide):
    """Forgets, on a restart, what it was told: the seeds must notice."""

    def __init__(self, agent, core, check, boot, stored, parallelism=10) -> None:
        super().__init__(agent, core, check, boot, (), parallelism)


class HastyCore(CoreSide):
    """Takes what it wrote for durable at once: the seeds must notice."""

    def _persist(self, peer, *works, record=True):
        persist = super()._persist(peer, *works, record=record)
        self._persisted = persist.ticket
        return persist


@pytest.mark.parametrize(("agent", "core"), [(DeafAgent, CoreSide), (AgentSide, HastyCore)])
def test_the_seeds_bite(agent: type, core: type) -> None:
    def some() -> None:
        for seed in range(60):
            World(seed, agent, core).run()

    with pytest.raises(Broken):
        some()
