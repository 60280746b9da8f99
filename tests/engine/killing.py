"""Kills applies for real: `python killing.py FOLDER KILLS SEED`. Run by `test_kill.py`; exits 1 with what was broken, and the seed.

The parent has everything imported and forks; the child is `g8r apply --yes --json` on this machine, in a folder of its own; the parent
reads what it says and kills it (SIGKILL) at a random moment. Then, with what the child had said until then:

- the store opens and is whole; every outcome that was announced is in it;
- no command that must not run twice has run twice, and none that was announced as done has not run;
- a plan can be made, and the applies that follow converge: the files hold what they should, and the next plan is empty, save commands
  in doubt, which are named as such.

What the killed one had started lives on (a command is not stopped by the death of who started it); the parent adopts it and waits for its
end before it looks, since what is written later would be taken for what a later apply did.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from g8r import modules
from g8r.cli.main import run as command_line
from g8r.executor.store import SqliteStore
from g8r.outcome import word
from g8r.state import State

FILES = 6
COMMANDS = 4
KILLS_IN_A_ROW = 3
PR_SET_CHILD_SUBREAPER = 36


PRELOADED = (
    "apsw",
    "g8r.cli.apply",
    "g8r.cli.applying",
    "g8r.cli.plan",
    "g8r.compiler.compile",
    "g8r.compiler.decode",
    "g8r.compiler.evaluate",
    "g8r.executor.local_host",
    "g8r.executor.plan_file",
    "g8r.executor.planning",
    "g8r.executor.sealing",
    "g8r.render.plan_json",
    "g8r.render.progress_json",
)
"""What every child would import for itself."""


class BrokenError(Exception):
    """A promise that did not hold."""


class Said:
    """What a child said until it ended or was killed."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.rest = b""
        self.text = b""
        self.code: int | None = None
        self.errors = b""

    def feed(self, more: bytes) -> None:
        self.text += more
        *whole, self.rest = (self.rest + more).split(b"\n")
        self.lines += [json.loads(line) for line in whole if line.startswith(b'{"@level')]

    def ended(self) -> dict[str, str]:
        """Of each step whose end was announced, how."""
        found = {}
        for line in self.lines:
            if line["type"] == "apply_complete":
                found[line["hook"]["resource"]["addr"]] = line["hook"]["outcome"]
        return found

    @property
    def run(self) -> str | None:
        for line in self.lines:
            if line["type"] == "log" and line["@message"].startswith("Run "):
                return str(line["@message"].split()[1])
        return None


class Killer:
    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.folder = folder
        self.state = folder / "state"
        self.out = folder / "out"
        self.out.mkdir(parents=True)
        self.generation = 0
        self.kills = 0
        self.inside = 0
        self.resumes = 0
        self.usual = 0.5
        self.doubtful: set[str] = set()
        self.announced: set[str] = set()
        os.environ["G8R_HOME"] = str(folder / "home")

    # ---- the stack ----

    def stack(self) -> dict[str, Any]:
        """Of this generation: other content, other commands, another file; what the last one had alone is to be removed."""
        gen = self.generation
        tasks: dict[str, Any] = {
            "directory": {"d": {"path": f"{self.out}/d{gen % 2}"}},
            "file": {f"f{n}": {"path": f"{self.out}/f{n}", "content": f"{gen} {n}\n"} for n in range(FILES)},
            "line": {
                f"l{n}": {"path": f"{self.out}/lines", "line": f"{gen} {n}", "regex": f"^\\d+ {n}$", "create": True} for n in range(3)
            },
            "command": {f"c{gen}-{n}": {"argv": self.append(f"c{gen}-{n}"), "run": "once"} for n in range(COMMANDS)},
        }
        tasks["file"][f"only{gen}"] = {"path": f"{self.out}/d{gen % 2}/only{gen}", "content": "only\n", "needs": ["file.f0"]}
        tasks["command"]["follows"] = {"argv": self.append(f"follows{gen}"), "run_on": ["file.f1", "file.f2"]}
        tasks["command"][f"guarded{gen}"] = {"argv": ["touch", f"{self.out}/guarded{gen}"], "creates": f"{self.out}/guarded{gen}"}
        return {"name": "site", "tasks": tasks}

    def append(self, text: str) -> list[str]:
        return ["sh", "-c", f"sleep 0.0{self.dice.randint(0, 3)}; echo {text} >> {self.out}/log"]

    def wrote(self) -> list[str]:
        log = self.out / "log"
        return log.read_text().split() if log.exists() else []

    # ---- children ----

    def child(self, *arguments: str, kill: Callable[[Said, float], bool] | None = None) -> Said:
        """The command in a child; killed as soon as `kill` says so."""
        reading, writing = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self.become(writing, arguments)
        os.close(writing)
        said, killed = Said(), False
        while True:
            ready, _, _ = select.select([reading], [], [], 0.001)
            if ready:
                more = os.read(reading, 65536)
                if not more:
                    break
                said.feed(more)
            if kill is not None and not killed and kill(said, time.monotonic() - started):
                os.kill(pid, signal.SIGKILL)
                killed = True
                _, status = os.waitpid(pid, 0)  # what it started may hold the pipe open for a moment: wait for it alone
                self.drain(reading, said)
                self.outlive()
                break
            if time.monotonic() - started > 60:
                os.kill(pid, signal.SIGKILL)
                raise BrokenError(f"stuck: {arguments}")
        os.close(reading)
        if not killed:
            _, status = os.waitpid(pid, 0)
        said.code = os.waitstatus_to_exitcode(status)
        said.errors = (self.folder / "stderr").read_bytes()
        return said

    def outlive(self) -> None:
        """Wait for the end of all that the killed one had started, and left to us."""
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def drain(self, reading: int, said: Said) -> None:
        os.set_blocking(reading, False)
        try:
            while more := os.read(reading, 65536):
                said.feed(more)
        except BlockingIOError:
            pass

    def become(self, writing: int, arguments: tuple[str, ...]) -> None:
        """The child: g8r, with its output where the parent reads it."""
        code = 70
        try:
            os.dup2(writing, 1)
            os.dup2(os.open(self.folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os.chdir(self.folder)
            sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
            sys.argv = ["g8r", *arguments, "--state", str(self.state)]
            command_line()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # ---- the story ----

    def run(self, kills: int) -> None:
        self.grow()
        self.converge()
        while self.kills < kills:
            self.grow()
            for _ in range(self.dice.randint(1, KILLS_IN_A_ROW)):
                resume = self.dice.random() < 0.25
                if resume and self.can_resume():
                    self.resumes += 1
                    said = self.child("apply", "--resume", "--json", kill=self.moment())
                else:
                    said = self.child("apply", "--yes", "--json", kill=self.moment())
                self.kills += said.code == -signal.SIGKILL
                self.inside += said.run is not None and said.code == -signal.SIGKILL
                if said.code not in {-signal.SIGKILL, 0, 1}:
                    raise BrokenError(f"exit {said.code}: {said.errors.decode()}")
                self.check(said)
            self.converge()

    def can_resume(self) -> bool:
        store = SqliteStore(self.state / "state.db")
        try:
            runs = store.runs("site", "default", 1)
        finally:
            store.close()
        return bool(runs) and runs[0].status in {"running", "failed", "interrupted"}

    def grow(self) -> None:
        self.generation += 1
        (self.folder / "main.yaml").write_text(yaml.safe_dump(self.stack()))

    def moment(self) -> Callable[[Said, float], bool]:
        """When to kill: after a random while, or a moment after some line of output."""
        if self.dice.random() < 0.4:
            limit = self.dice.uniform(0, self.usual)
            return lambda _said, passed: passed >= limit
        line, more = self.dice.randint(20, 55), self.dice.uniform(0, 0.03)
        reached: list[float] = []

        def after(said: Said, passed: float) -> bool:
            if len(said.lines) >= line and not reached:
                reached.append(passed)
            return bool(reached) and passed >= reached[0] + more

        return after

    def converge(self) -> None:
        """Apply until it is done; what is in doubt stays so, or is run again where the log shows that it did not run."""
        started = time.monotonic()
        said = self.child("apply", "--yes", "--json")
        self.usual = 0.5 * self.usual + 0.5 * (time.monotonic() - started)
        self.check(said)
        doubtful = self.doubts()
        for task in sorted(doubtful):
            name = task.removeprefix("command.").replace("follows", f"follows{self.generation}")
            if name not in self.wrote():
                said = self.child("apply", "--yes", "--json", "--replace", task)
                self.check(said)
                if self.wrote().count(name) != 1:
                    raise BrokenError(f"{task} was asked for with --replace: {self.wrote()}")
        doubtful = self.doubts()
        if said.code != (1 if doubtful else 0):
            raise BrokenError(f"a whole apply ended with {said.code}: {said.errors.decode()} {said.lines}")
        planned = self.child("plan", "--detailed-exitcode")
        if planned.code != (2 if doubtful else 0):
            raise BrokenError(f"the plan after an apply: {planned.code} {planned.text.decode()[-3000:]} {planned.errors.decode()}")
        self.check_world(doubtful)

    def doubts(self) -> set[str]:
        """The commands of this generation that nobody knows the end of."""
        found = set()
        for record in self.load().resources.values():
            if record.address.kind == "command" and (record.doubt or record.doubtful_triggers):
                found.add(record.address.task)
        return found

    def load(self) -> State:
        store = SqliteStore(self.state / "state.db")
        try:
            return store.load("site", "default")
        finally:
            store.close()

    # ---- what must hold ----

    def check(self, said: Said) -> None:
        store = SqliteStore(self.state / "state.db")
        try:
            if store.problems():
                raise BrokenError(f"the store is damaged: {store.problems()}")
            if said.run is not None:
                written = {step: word(outcome) for step, outcome in store.outcomes(said.run)}
                lost = {step: how for step, how in said.ended().items() if written.get(step) != how}
                if lost:
                    raise BrokenError(f"announced and not in the ledger: {lost}; it has {written}")
        finally:
            store.close()
        self.announced |= {step for step, how in said.ended().items() if how == "changed" and "/command.c" in step}
        self.check_commands()

    def check_commands(self) -> None:
        wrote = self.wrote()
        twice = sorted({text for text in wrote if wrote.count(text) > 1})
        if twice:
            raise BrokenError(f"ran twice: {twice}")
        missing = [step for step in self.announced if step.partition("command.")[2] not in wrote]
        if missing:
            raise BrokenError(f"announced as done, and never ran: {missing}")

    def check_world(self, doubtful: set[str]) -> None:
        gen = self.generation
        for n in range(FILES):
            self.expect(f"f{n}", f"{gen} {n}\n")
        self.expect(f"d{gen % 2}/only{gen}", "only\n")
        self.expect(f"guarded{gen}", "")
        lines = (self.out / "lines").read_text().splitlines()
        if sorted(lines) != [f"{gen} {n}" for n in range(3)]:
            raise BrokenError(f"lines: {lines}")
        if gen > 1 and (self.out / f"d{(gen - 1) % 2}").exists():
            raise BrokenError("what the last generation made is still there")
        for name in [f"c{gen}-{n}" for n in range(COMMANDS)]:
            if name not in self.wrote() and f"command.{name}" not in doubtful:
                raise BrokenError(f"command.{name} never ran")
        if f"follows{gen}" not in self.wrote() and "command.follows" not in doubtful:
            raise BrokenError("the command that follows files was owed and never fired")
        state = self.load()
        if state.owed and "command.follows" not in doubtful:
            raise BrokenError(f"still owed: {state.owed}")
        adopted = [str(key) for key, record in state.resources.items() if not record.created and key.kind in {"file", "directory"}]
        if adopted:
            raise BrokenError(f"made by g8r, and called adopted: {adopted}")

    def expect(self, name: str, content: str) -> None:
        path = self.out / name
        if not path.exists() or path.read_text() != content:
            raise BrokenError(f"{name} holds {path.read_text() if path.exists() else None!r}, not {content!r}")


def adopt_orphans() -> None:
    """Become the parent of what a killed child leaves behind: prctl(2), PR_SET_CHILD_SUBREAPER."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def main() -> int:
    adopt_orphans()
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for name in PRELOADED:
        importlib.import_module(name)
    for kind in ("file", "directory", "line", "command"):
        modules.load(kind)
    killer = Killer(folder, seed)
    try:
        killer.run(kills)
    except BrokenError as broken:
        print(f"BROKEN with seed {seed}, generation {killer.generation}, after {killer.kills} kills, in {folder}: {broken}")
        return 1
    print(f"{killer.kills} kills, {killer.inside} of them within a run, {killer.resumes} resumed, {killer.generation} generations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
