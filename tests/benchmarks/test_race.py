"""The benchmarks' own arithmetic and honesty, with peers that are shell scripts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import measure, race, table, validate, work
from benchmarks.__main__ import main
from benchmarks.measure import BenchmarkError, Command
from benchmarks.peers import Missing, Peer
from benchmarks.race import Result, Times
from benchmarks.validate import Figure
from g8r.compiler import evaluate
from g8r.compiler.compile import compile_stack
from g8r.compiler.sources import folder_reader
from g8r.diagnostics import errors

WRITE = "import sys; from benchmarks import work; from pathlib import Path\nfor i in range(int(Path('n').read_text())): "
GOOD = WRITE + "p = work.target(Path.cwd(), i); p.write_text(work.text(i)); p.chmod(0o644)"
WRONG_MODE = WRITE + "p = work.target(Path.cwd(), i); p.write_text(work.text(i)); p.chmod(0o600)"


def peer(name: str, first: str = GOOD, again: str = "", most: int | None = None) -> Peer:
    python = f"import sys; sys.path.insert(0, {str(Path(work.__file__).parents[1])!r})\n"

    def command(script: str, folder: Path) -> Command:
        return Command((sys.executable, "-c", python + script), folder)

    def prepare(folder: Path, n: int) -> None:
        (folder / "n").write_text(str(n))

    return Peer(name, "1", prepare, lambda folder: command(first, folder), lambda folder: command(again, folder), most=most)


def result(name: str, n: int, first: float, again: float, *, single: Times | None = None, wanted: int = 2000) -> Result:
    return Result(name, "1", "", wanted, Times(n, (first,), (again,)), single)


def test_every_peer_runs_every_round_in_a_fresh_folder(tmp_path: Path) -> None:
    found = race.run([peer("a"), peer("b", most=2)], tmp_path, n=4, rounds=2, everything=False)
    assert [(each.times.n, len(each.times.first), each.extrapolated) for each in found if isinstance(each, Result)] == [
        (4, 2, False),
        (2, 2, True),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"{number}-{name}" for number in range(2) for name in ("a-full", "b-full", "b-single")]
    )


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (peer("bad", first="sys.exit(3)"), "ended with 3"),
        (peer("bad", first=WRONG_MODE), "does not hold the 2 files"),
        (peer("bad", first=""), "does not hold the 2 files"),
        (peer("bad", again="print('boom'); sys.exit(1)"), "boom"),
    ],
)
def test_peer_that_does_not_do_the_work_is_missing_not_fast(tmp_path: Path, bad: Peer, complaint: str) -> None:
    good, failed = race.run([peer("good"), bad], tmp_path, n=2, rounds=1, everything=False)
    assert isinstance(good, Result)
    assert isinstance(failed, Missing)
    assert complaint in failed.reason
    assert f"bad is missing: {failed.reason}" in table.race([good, failed])


def test_plan_that_finds_something_to_do_counts_for_nothing(tmp_path: Path) -> None:
    command = Command((sys.executable, "-c", "print('ok=1 changed=12')"), tmp_path, never=r"changed=[1-9]\d*")
    with pytest.raises(BenchmarkError, match="found something to do where nothing was: changed=12"):
        measure.run(command)
    assert measure.run(Command((sys.executable, "-c", "print('changed=0')"), tmp_path, never=r"changed=[1-9]")).seconds > 0


def test_memory_counts_children_too(tmp_path: Path) -> None:
    child = "import time; held = bytearray(80 << 20); time.sleep(.3)"
    script = f"import subprocess, sys; held = bytearray(80 << 20); subprocess.run([sys.executable, '-c', {child!r}])"
    peak = measure.run(Command((sys.executable, "-c", script), tmp_path), memory=True).peak_bytes
    assert peak is not None
    assert 160 << 20 < peak < 320 << 20


def test_extrapolation_keeps_the_start_apart() -> None:
    slow = result("slow", 11, 12.0, 3.0, single=Times(1, (2.0,), (1.0,)), wanted=101)
    assert slow.first == pytest.approx(102)
    assert slow.again == pytest.approx(21)


def test_table_says_what_was_reached() -> None:
    shown = table.race([result("g8r", 2000, 0.5, 0.5), result("Salt", 2000, 6.0, 4.0)])
    assert "first apply: 12.0 times faster than Salt (reached: at least 10)" in shown
    assert "no-op plan: 8.0 times faster than Salt (NOT REACHED: at least 10)" in shown
    assert table.small({"version": 0.2}) == "version: 0.200 s (NOT REACHED: at most 0.1 s)"


def test_done_wants_all_files_as_they_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for number in range(3):
        work.target(tmp_path, number).write_text(work.text(number))
        work.target(tmp_path, number).chmod(0o644)
    assert work.done(tmp_path, 3)
    assert not work.done(tmp_path, 4)
    work.target(tmp_path, 1).write_text("other")
    assert not work.done(tmp_path, 3)


def test_unknown_peer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--peers", "chef"])
    assert "unknown peer 'chef'" in capsys.readouterr().err


def errors_of(folder: Path) -> int:
    with evaluate.start(folder / "main.ncl").finish() as loaded:
        compiled = compile_stack(loaded.stack, {}, folder_reader(folder), mistakes=loaded.diagnostics)
        return len(errors(compiled.diagnostics))


def test_the_stacks_for_validate_are_as_clean_and_as_wrong_as_they_say(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    (tmp_path / "main.ncl").write_text(work.g8r_mixed(200))
    assert errors_of(tmp_path) == 0
    written = work.g8r_mistakes(5, 50)
    assert len(written) == 5
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    assert errors_of(tmp_path) == 50


def test_validate_is_judged_by_the_clock() -> None:
    found = table.validate([Figure("clean, cold", 0.61, 0.4, 0.6), Figure("clean, warm", 0.2, 0.1, 0.6)])
    assert "NOT REACHED: at most 0.6 s" in found.splitlines()[2]
    assert "NOT" not in found.splitlines()[3]
    assert "0.20 s" in found.splitlines()[3]
    assert "0.10 s" in found.splitlines()[3]


def test_a_command_that_fails_has_no_figure(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="ended with 1"):
        validate.figures("/bin/false", tmp_path, 1)


def test_processor_time_is_that_of_the_command(tmp_path: Path) -> None:
    busy = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    taken = measure.run(Command((sys.executable, "-c", busy), tmp_path))
    assert 0.2 <= taken.cpu_seconds < 2
    idle = measure.run(Command((sys.executable, "-c", "import time; time.sleep(0.3)"), tmp_path))
    assert idle.cpu_seconds < taken.cpu_seconds
