"""The race: all peers in turn, round after round, each in fresh folders."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks import measure, work
from benchmarks.measure import BenchmarkError
from benchmarks.peers import Missing, Peer


class Times(msgspec.Struct, frozen=True):
    """Seconds of each round for one peer, at `n` tasks, and at one task where the rest is extrapolated."""

    n: int
    first: tuple[float, ...] = ()
    again: tuple[float, ...] = ()

    def and_now(self, first: float, again: float) -> Times:
        """With one round more."""
        return Times(self.n, (*self.first, first), (*self.again, again))


class Result(msgspec.Struct, frozen=True):
    """What one peer took. `first` and `again` are medians for `wanted` tasks, extrapolated in a line where fewer were done."""

    peer: str
    version: str
    note: str
    wanted: int
    times: Times
    single: Times | None

    @property
    def extrapolated(self) -> bool:
        return self.single is not None

    @property
    def first(self) -> float:
        return self._for_all(lambda times: times.first)

    @property
    def again(self) -> float:
        return self._for_all(lambda times: times.again)

    def _for_all(self, part: Callable[[Times], Sequence[float]]) -> float:
        measured = statistics.median(part(self.times))
        if self.single is None:
            return measured
        start = statistics.median(part(self.single))
        return start + (measured - start) / (self.times.n - 1) * (self.wanted - 1)


def run(peers: Sequence[Peer], scratch: Path, *, n: int, rounds: int, everything: bool) -> list[Result | Missing]:
    """Results in the order of `peers`. One that fails is missing from then on, with what it said."""
    counts = {peer.name: n if everything or peer.most is None else min(n, peer.most) for peer in peers}
    full = {peer.name: Times(counts[peer.name]) for peer in peers}
    single = {peer.name: Times(1) for peer in peers if counts[peer.name] < n}
    failed: dict[str, str] = {}
    for number in range(rounds):
        turn = number % len(peers)
        for peer in (*peers[turn:], *peers[:turn]):
            if peer.name in failed:
                continue
            try:
                full[peer.name] = full[peer.name].and_now(*_once(peer, scratch / f"{number}-{peer.name}-full", counts[peer.name]))
                if peer.name in single:
                    single[peer.name] = single[peer.name].and_now(*_once(peer, scratch / f"{number}-{peer.name}-single", 1))
            except BenchmarkError as error:
                failed[peer.name] = str(error)
            print(f"round {number + 1}/{rounds}: {peer.name}: {_brief(full[peer.name], failed.get(peer.name))}", file=sys.stderr)
    return [
        Missing(peer.name, failed[peer.name])
        if peer.name in failed
        else Result(peer.name, peer.version, peer.note, n, full[peer.name], single.get(peer.name))
        for peer in peers
    ]


def _once(peer: Peer, folder: Path, n: int) -> tuple[float, float]:
    folder.mkdir()
    (folder / "out").mkdir()
    peer.prepare(folder, n)
    first = measure.run(peer.first(folder)).seconds
    if peer.makes_files and not work.done(folder, n):
        message = f"it ended well, but {folder / 'out'} does not hold the {n} files"
        raise BenchmarkError(message)
    return first, measure.run(peer.again(folder)).seconds


def _brief(times: Times, failure: str | None) -> str:
    if failure is not None:
        return failure
    return f"{times.n} tasks, first {times.first[-1]:.2f} s, no-op {times.again[-1]:.2f} s"
