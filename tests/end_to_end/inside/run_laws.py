"""Runs inside a booted Debian, as root, with LocalHost: the laws over the kinds' cases.

Argument: a file with a JSON list of [law, case]; those are told, each as one JSON line `{"law", "case", "wrong", "seconds"}`, in the order
of `booted_laws.tests()`. `wrong` is empty, or what broke.
"""

from __future__ import annotations

import contextlib
import json
import os
import reprlib
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import booted_laws
import booted_packages
import laws
import msgspec
from booted_host import BootedHost, Watched
from booted_tree import Baseline, Snapshot
from case import CANARY, Case

from g8r.change import Applied, Change, NoChange, Undecided
from g8r.modules.support import apt

WIDE = {"package", "service"}


class Runner:
    def __init__(self, wanted: set[tuple[str, str]]) -> None:
        self._wanted = wanted
        self.baseline = Baseline()

    # ---- telling -------------------------------------------------------------------------------------------------------------

    def tell(self, law: str, case: object, test: Callable[[], None]) -> None:
        """Runs it, wanted or not, since later ones may build on it."""
        started, wrong = time.monotonic(), ""
        try:
            test()
        except BaseException:  # noqa: BLE001 - told to the test outside, whatever it is
            wrong = explained()
        if (law, str(case)) in self._wanted:
            told = {"law": law, "case": str(case), "wrong": wrong, "seconds": round(time.monotonic() - started, 2)}
            print(json.dumps(told), flush=True)

    def wants(self, case: object, *lawful: str) -> bool:
        return any((law, str(case)) in self._wanted for law in lawful)

    # ---- machines ------------------------------------------------------------------------------------------------------------

    def fresh(self, *cases: Case) -> BootedHost:
        """This machine as at first, arranged as all these cases want it."""
        booted_packages.let_go()
        wide = any(case.kind in WIDE for case in cases)
        self.baseline.wide = self.baseline.wide or wide  # what the last one may have touched is put back, too
        self.baseline.reset()
        self.baseline.wide = wide
        host = BootedHost(self.baseline, {digest: blob for case in cases for digest, blob in case.blobs.items()})
        host.arranging = True
        for case in cases:
            laws.arrange(case, host)
        host.arranging = False
        host.calls.clear()
        return host

    # ---- the laws ------------------------------------------------------------------------------------------------------------

    def all(self) -> None:
        for case in booted_laws.CASES:
            if self.wants(case, "as it stands", "law 1", "law 2", "law 3"):
                self.plain(case)
            if self.wants(case, "law 4"):
                self.tell("law 4", case, partial(self.removal, case))
            if self.wants(case, "law 7"):
                self.tell("law 7", case, partial(self.secrets, case))
        self.all_of_several()

    def all_of_several(self) -> None:
        for name in booted_laws.CRASHES:
            case = booted_laws.named(name)
            if self.wants(case, "law 5"):
                self.tell("law 5", case, partial(self.crashes, case))
        for first, second in booted_laws.pairs():
            pair = f"{first} + {second}"
            if self.wants(pair, "law 6"):
                self.tell("law 6", pair, partial(self.order, first, second))
        if self.wants("the watch sees", "law 7"):
            self.tell("law 7", "the watch sees", self.watch_sees)
        for all_of_a_shard in ("is touched", "is touched by any package: "):
            self.tell("nothing else", all_of_a_shard, self.nothing_else)

    def plain(self, case: Case) -> None:
        """The case as it stands, with laws 3, 2 and 1 on the way: one arrangement tells them all."""
        made: dict[str, Any] = {}

        def planning_writes_nothing() -> None:
            host = made["host"] = self.fresh(case)
            task = made["task"] = laws.Task(case)
            before = host.snapshot(times=True)
            _, made["verdict"] = task.plan(host)
            differences = host.snapshot(times=True).differences(before)
            assert differences == ()

        def as_it_stands() -> None:
            host, task, verdict = made["host"], made["task"], made["verdict"]
            assert laws.word(verdict) == case.verdict, verdict
            assert case.says in laws.reasons(verdict), verdict
            if isinstance(verdict, Change) or (isinstance(verdict, Undecided) and verdict.likely is not None):
                result = made["result"] = task.apply(laws.expected_change(verdict), host)
                if case.fails:
                    assert case.fails.replace("4711", str(booted_packages.holder())) in getattr(result, "reason", ""), result
                else:
                    assert isinstance(result, Applied), result
            laws.check_after(case, host)
            if case.check and str(case) not in booted_laws.OTHER_NUMBERS:
                host.checking = True
                case.check(host)  # type: ignore[arg-type]  # it has what checks ask of a fake host

        def prediction_holds() -> None:
            assert isinstance(made["result"], Applied), made["result"]
            laws.assert_as_predicted(made["task"], laws.expected_change(made["verdict"]), made["host"])

        def second_plan_is_empty() -> None:
            assert isinstance(made["result"], Applied), made["result"]
            _, verdict = made["task"].plan(made["host"])
            assert isinstance(verdict, NoChange), verdict

        self.tell("law 3", case, planning_writes_nothing)
        self.tell("as it stands", case, as_it_stands)
        if laws.changes(case):
            self.tell("law 2", case, prediction_holds)
        if laws.changes(case) and not case.repeats:
            self.tell("law 1", case, second_plan_is_empty)

    def removal(self, case: Case) -> None:
        """Law 4."""
        left = msgspec.structs.replace(case, leaves=(*case.leaves, *booted_laws.ALSO_LEFT.get(str(case), ())))
        laws.removal_undoes(left, self.fresh(left))

    def crashes(self, case: Case) -> None:
        """Law 5: the process is killed before each single call of its apply; planned and applied again, it comes to the same machine."""

        def change(host: BootedHost) -> Change[Any]:
            return laws.expected_change(laws.Task(case).plan(host)[1])

        host = self.fresh(case)
        calls = apart(lambda watched: laws.Task(case).apply(change(host), watched), Watched(host))
        assert calls is not None
        assert calls, "an apply that calls nothing cannot be killed"
        peaceful = host.snapshot()
        for number, call in enumerate(calls):
            host = self.fresh(case)
            planned = change(host)
            died = apart(partial(laws.Task(case).apply, planned), Watched(host, number))
            assert died is None, f"not killed before call {number}, {call}"
            host = BootedHost(self.baseline, case.blobs)
            again = laws.Task(case)
            _, second = again.plan(host)
            if not isinstance(second, NoChange):
                result = again.apply(laws.expected_change(second), host)
                assert isinstance(result, Applied), f"killed before call {number}, {call}: {result}"
            differences = host.snapshot().differences(peaceful)
            assert differences == (), f"killed before call {number}, {call}: {differences}"
            laws.assert_as_predicted(again, planned, host)

    def order(self, first: Case, second: Case) -> None:
        """Law 6."""
        ends: list[Snapshot] = []
        for order in ((first, second), (second, first)):
            host = self.fresh(first, second)
            for case in order:
                laws.Task(case).converge(host)
            ends.append(host.snapshot())
        host = self.fresh(first, second)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda case: laws.Task(case).converge(host), (first, second)))
        ends.append(host.snapshot())
        assert ends[0].differences(ends[1]) == (), "in the other order"
        assert ends[0].differences(ends[2]) == (), "at once"

    def secrets(self, case: Case) -> None:
        """Law 7: beside what the law says of values, no process shows the canary, and no file but the managed one holds it."""
        host = self.fresh(case)
        with processes_watched() as seen:
            laws.secrets_stay_inside(case, host)  # type: ignore[arg-type]  # it asks for calls, which this has
        assert seen == []
        managed = {"/srv/consumed-t20", laws.Task(case).module.identity(laws.Task(case).params), *case.after, "/etc/shadow", "/etc/shadow-"}
        touched = [path for path in self.baseline.changed() if os.path.isfile(path) and not path.startswith("/root/laws")]
        holding = [path for path in touched if CANARY.encode() in Path(path).read_bytes()]
        assert set(holding) <= {path.partition("#")[0] for path in managed}
        assert holding or case.kind == "command" or not laws.changes(case), "nothing has become of the secret, so this proves nothing"
        for path in {*holding} & {"/etc/shadow", "/etc/shadow-"}:
            assert os.stat(path).st_mode & 0o7 == 0, path

    def watch_sees(self) -> None:
        """The watch of law 7 would see a secret in an argv, of a program of ours and of one that it starts in turn."""
        with processes_watched() as seen:
            subprocess.run(["sh", "-c", "sleep 0.4", CANARY], check=True)
        assert any("subprocess.Popen" in line for line in seen)
        with processes_watched() as seen:
            subprocess.run(["sh", "-c", 'sh -c "sleep 0.4; exit 0" $(cat); exit 0'], input=CANARY.encode(), check=True)
        assert seen
        assert not any("subprocess.Popen" in line for line in seen)

    def nothing_else(self) -> None:
        """No case reached beyond what was watched for it, and the machine is what it was before them all."""
        booted_packages.let_go()
        self.baseline.reset()
        self.baseline.wide = True
        changed = self.baseline.changed()
        assert changed == []


def explained() -> str:
    """The exception in hand, with what the names in its last frame stand for: there is no pytest in here to tell that."""
    told = traceback.format_exc(limit=-6)
    tail = sys.exc_info()[2]
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    names = {} if tail is None else tail.tb_frame.f_locals
    return told + "".join(f"    {name} = {reprlib.repr(value)[:400]}\n" for name, value in names.items() if name != "self")


def apart(act: Callable[[Any], object], watched: Watched) -> list[str] | None:
    """Do it in a process of its own: the calls that it made, or None where it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        wrong = ""
        try:
            os.close(reader)
            result = act(watched)
            wrong = "" if isinstance(result, Applied) else str(result)
        except BaseException:  # noqa: BLE001 - told to the parent
            wrong = traceback.format_exc(limit=-4)
        with os.fdopen(writer, "w") as pipe:
            json.dump({"calls": watched.log, "wrong": wrong}, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    told = json.loads(said)
    assert not told["wrong"], told["wrong"]
    calls: list[str] = told["calls"]
    return calls


@contextlib.contextmanager
def processes_watched() -> Iterator[list[str]]:
    """The command lines with the canary in them, while the block runs: all that this process starts, and what can be caught in /proc."""
    seen: list[str] = []
    done = threading.Event()
    AUDITED.append(seen)

    def watch() -> None:
        while not done.is_set():
            for name in os.listdir("/proc"):
                if name.isdigit():
                    with contextlib.suppress(OSError):
                        line = Path(f"/proc/{name}/cmdline").read_bytes()
                        if CANARY.encode() in line:
                            seen.append(repr(line))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
        AUDITED.remove(seen)


reprlib.aRepr.maxlist = reprlib.aRepr.maxtuple = reprlib.aRepr.maxset = 12
reprlib.aRepr.maxstring = reprlib.aRepr.maxother = 300
AUDITED: list[list[str]] = []


def audit(event: str, arguments: tuple[Any, ...]) -> None:
    if AUDITED and event in {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"} and CANARY in str(arguments[:2]):
        AUDITED[-1].append(f"{event} {arguments[:2]}")


def main() -> None:
    wanted = {(law, case) for law, case in json.loads(Path(sys.argv[1]).read_text())}
    booted_packages.prepare()
    booted_packages.take_the_place_of_the_fakes()
    apt.LOCK_TIMEOUT = 2  # type: ignore[misc]  # seconds that a case waits for a lock that nobody lets go of
    sys.addaudithook(audit)
    Runner(wanted).all()


if __name__ == "__main__":
    main()
