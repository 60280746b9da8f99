import os
import threading
import time
from pathlib import Path

import pytest

from g8r.executor import local_process
from g8r.executor.local_host import LocalHost
from g8r.host import HostError, TimedOutError


@pytest.fixture
def host() -> LocalHost:
    return LocalHost()


def _is_alive(pid: int) -> bool:
    """A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for(path: Path) -> str:
    for _ in range(500):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.01)
    pytest.fail(f"{path} never came")


def _wait_dead(*pids: int) -> bool:
    for _ in range(300):
        if not any(_is_alive(pid) for pid in pids):
            return True
        time.sleep(0.01)
    return False


def test_the_environment_is_clean(host: LocalHost, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET", "canary")
    found = dict(line.split("=", 1) for line in host.run(["env"], env={"A": "b"}, changes=False).text.splitlines())
    assert found == {"PATH": local_process.PATH, "HOME": host.accounts()[host.user].home, "LANG": "C.UTF-8", "A": "b"}


def test_exit_codes_and_streams(host: LocalHost):
    ran = host.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (ran.code, ran.stdout, ran.stderr) == (3, b"out\n", b"err\n")
    assert host.run(["sh", "-c", "kill -9 $$"]).code == 137


def test_a_lot_in_and_a_lot_out(host: LocalHost):
    content = os.urandom(3 << 20)
    assert host.run(["cat"], stdin=content).stdout == content
    assert host.run(["true"], stdin=content).code == 0


def test_output_is_bounded_and_the_rest_is_drained(host: LocalHost, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local_process, "KEPT", 1000)
    ran = host.run(["sh", "-c", "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; exit 4"])
    assert (ran.code, len(ran.stdout), len(ran.stderr)) == (4, 1000, 1000)


def test_what_is_kept_is_eight_mebibytes():
    assert local_process.KEPT == 8 * 1024 * 1024


def test_time_is_up_for_children_too(host: LocalHost, tmp_path: Path):
    """The program, its child, and a child in a process group of its own."""
    script = f"""sleep 60 & echo $! > {tmp_path}/a; set -m; sleep 60 & echo $! > {tmp_path}/b; echo $$ > {tmp_path}/c; wait"""
    with pytest.raises(TimedOutError, match=r"^bash ran longer than 0.5 s and was killed"):
        host.run(["bash", "-c", script], timeout=0.5)
    assert _wait_dead(*(int(_wait_for(tmp_path / name)) for name in "abc"))


def test_those_who_do_not_listen_are_killed(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local_process, "_GRACE", 0.1)
    with pytest.raises(TimedOutError):
        host.run(["bash", "-c", f"trap '' TERM; echo $$ > {tmp_path}/pid; while true; do sleep 1; done"], timeout=0.3)
    assert _wait_dead(int(_wait_for(tmp_path / "pid")))


def test_time_is_up_though_it_reads_nothing_and_writes_for_ever(host: LocalHost):
    with pytest.raises(TimedOutError):
        host.run(["yes"], stdin=b"x" * (1 << 20), timeout=0.2)


def test_a_child_that_lives_on_is_not_waited_for(host: LocalHost, tmp_path: Path):
    ran = host.run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; echo done"], timeout=30)
    assert ran.stdout == b"done\n"
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_without_a_pidfd(host: LocalHost, monkeypatch: pytest.MonkeyPatch):
    def missing(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    assert host.run(["sh", "-c", "sleep 0.1; echo done"]).stdout == b"done\n"


def test_nothing_is_left_running_when_the_agent_is_interrupted(host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Interrupt(BaseException):
        pass

    def interrupted(*_arguments: object) -> None:
        _wait_for(tmp_path / "pid")
        raise Interrupt

    monkeypatch.setattr(local_process._Watch, "until_end", interrupted)
    with pytest.raises(Interrupt):
        host.run(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"])
    assert _wait_dead(int((tmp_path / "pid").read_text()))


def test_what_cannot_be_run(host: LocalHost, tmp_path: Path):
    host.write(f"{tmp_path}/text", b"no program\n", mode=0o755)
    with pytest.raises(HostError, match="a script without a #! line"):
        host.run([f"{tmp_path}/text"])
    with pytest.raises(HostError, match="there is no such directory"):
        host.run(["true"], cwd=f"{tmp_path}/no")
    with pytest.raises(HostError, match="permission denied while running"):
        host.run([str(tmp_path)])


def test_many_at_once(host: LocalHost):
    said: list[str] = []
    threads = [threading.Thread(target=lambda n=n: said.append(host.run(["echo", str(n)]).text.strip())) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said, key=int) == [str(n) for n in range(16)]
