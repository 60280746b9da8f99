"""`python -m benchmarks`: see the package's docstring."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks import peers, race, scale, table, validate
from benchmarks.measure import BenchmarkError
from benchmarks.peers import Missing, Peer
from benchmarks.race import Result


def main(arguments: list[str]) -> int:
    """Run what is asked for and print it; 1 where g8r itself could not be measured."""
    options = _options(arguments)
    scratch = Path(tempfile.mkdtemp(prefix="g8r-benchmarks.", dir=options.dir))
    try:
        report = _measure(options, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    return 1 if report["failures"] else 0


def _measure(options: argparse.Namespace, scratch: Path) -> dict[str, object]:
    found = [peers.find(name) for name in options.peers]
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"note: others are busy here (load {busy:.1f}): times will be long, and ratios rough", file=sys.stderr)
    present = [peer for peer in found if isinstance(peer, Peer)]
    missing = [peer for peer in found if isinstance(peer, Missing)]
    results: list[Result | Missing] = []
    if present and options.rounds:
        results = race.run(present, scratch, n=options.n, rounds=options.rounds, everything=options.everything)
    results += missing
    _say(options, f"{options.n:,} files, {options.rounds} rounds, medians; {_machine()}\n\n{table.race(results)}\n")
    failures = [str(result) for result in results if isinstance(result, Missing) and result.name == "g8r"]
    small: dict[str, float] = {}
    points: list[scale.Point] = []
    checked: list[validate.Figure] = []
    if "g8r" in options.peers and not failures:
        try:
            command = peers.g8r_command()
            small = scale.small(command, scratch)
            _say(options, table.small(small) + "\n")
            checked = validate.figures(command, scratch, max(options.rounds, 5))
            _say(options, table.validate(checked) + "\n")
            points = scale.curve(command, scratch, options.scale, options.hosts) if options.scale else []
            _say(options, table.curve(points) if points else "")
        except BenchmarkError as error:
            failures.append(str(error))
    for failure in failures:
        print(f"g8r could not be measured: {failure}", file=sys.stderr)
    measured = [
        {**msgspec.to_builtins(result), **({"first": result.first, "again": result.again} if isinstance(result, Result) else {})}
        for result in results
    ]
    return {
        "machine": _machine(),
        "n": options.n,
        "load_before": busy,
        "peers": measured,
        "small": small,
        "validate": checked,
        "scale": points,
        "failures": failures,
    }


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="g8r beside its peers, for the same work")
    parser.add_argument("--n", type=int, default=2000, metavar="FILES", help="how many files (default 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer runs; medians are shown (default 3)")
    parser.add_argument(
        "--peers", type=lambda text: text.split(","), default=list(peers.TABLE), metavar="A,B", help=f"of {','.join(peers.TABLE)}"
    )
    parser.add_argument("--everything", action="store_true", help="let the slow peers do all the work, too: an hour and more")
    parser.add_argument(
        "--scale", type=_sizes, default=_sizes("1000,2500,5000,10000"), metavar="TASKS", help="sizes of the curve; empty: none"
    )
    parser.add_argument("--hosts", type=int, default=10, help="simulated hosts of the curve (default 10)")
    parser.add_argument("--dir", metavar="FOLDER", help="where to work (default: the folder for temporary files)")
    parser.add_argument("--json", action="store_true", help="print all samples as JSON instead of tables")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.peers) - set(peers.TABLE)):
        parser.error(f"unknown peer {unknown[0]!r}; there are {', '.join(peers.TABLE)}")
    if options.n < 2 or options.rounds < 1:
        parser.error("--n must be at least 2, and --rounds at least 1")
    return options


def _sizes(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _say(options: argparse.Namespace, text: str) -> None:
    if not options.json:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
