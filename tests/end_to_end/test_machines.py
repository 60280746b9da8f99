"""The harness itself: what the tests on booted hosts take for granted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import leftovers
import machines
import outer
import pytest
import rootfs

pytestmark = pytest.mark.real

KILLED_RUN = """
import sys, time; sys.path.insert(0, sys.argv[1])
import machines, rootfs
boot = machines.Boot(rootfs.prepare())
machine = boot("h1", bridge=boot.bridge())
print(machine.leader, machine._record.name, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def pair(shared_boot: machines.Boot) -> list[machines.Machine]:
    return shared_boot.together("h1", "h2")


def test_machine_runs_its_own_systemd(pair: list[machines.Machine]) -> None:
    for machine in pair:
        assert machine.run(["systemctl", "is-system-running"]) == machines.Ran(0, "running\n", "")
        assert machine.run(["cat", "/proc/1/comm"]).stdout == "systemd\n"
        assert machine.run(["hostname"]).stdout.strip() == machine.name


def test_machines_see_nothing_of_each_other(pair: list[machines.Machine]) -> None:
    first, second = pair
    first.put("/etc/only-here", "one\n")
    first.run(["useradd", "ada"], check=True)
    assert not second.exists("/etc/only-here")
    assert second.run(["id", "ada"]).code != 0
    assert not Path("/etc/only-here").exists()
    first.run(["systemd-run", "--unit=lonely", "sleep", "1000"], check=True)
    assert second.run(["systemctl", "is-active", "lonely"]).code != 0
    assert "sleep" not in second.run(["sh", "-c", "cat /proc/[0-9]*/comm"]).stdout
    first.run(["systemctl", "stop", "lonely"], check=True, timeout=20)


def test_service_of_the_same_name_ends_on_one_machine_only(pair: list[machines.Machine]) -> None:
    """Machines in one shared cgroup fail this: each systemd would wait for, or kill, the other's processes."""
    for machine in pair:
        machine.run(["systemd-run", "--unit=same", "sleep", "1000"], check=True)
    for machine in pair:
        inside = machine.run(
            ["sh", "-c", "find /sys/fs/cgroup -path '*/same.service/cgroup.procs' -exec cat '{}' +"], check=True
        ).stdout.split()
        assert inside, "systemd keeps its services in cgroups"
        assert "0" not in inside, "0 is a process of another machine"
    pair[0].run(["systemctl", "stop", "same"], check=True, timeout=20)
    assert pair[0].run(["systemctl", "is-active", "same"]).code != 0
    assert pair[1].run(["systemctl", "is-active", "same"]).stdout == "active\n"
    pair[1].run(["systemctl", "stop", "same"], check=True, timeout=20)


def test_run_takes_input_environment_folder_and_user(pair: list[machines.Machine]) -> None:
    machine = pair[0]
    assert machine.run(["cat"], stdin="text").stdout == "text"
    assert machine.run(["sh", "-c", "echo $COLOUR; pwd"], env={"COLOUR": "red"}, cwd="/etc").stdout == "red\n/etc\n"
    assert machine.run(["id", "-un"], user="nobody").stdout == "nobody\n"
    assert machine.run(["sh", "-c", "echo no >&2; exit 3"]) == machines.Ran(3, "", "no\n")
    with pytest.raises(machines.MachineError, match=r"h1: false ended with 1"):
        machine.run(["false"], check=True)


def test_run_that_takes_too_long_leaves_no_process(pair: list[machines.Machine]) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        pair[0].run(["sleep", "4242"], timeout=0.5)
    assert pair[0].run(["pgrep", "-f", "sleep 4242"]).code != 0 or "4242" not in pair[0].run(["sh", "-c", "cat /proc/*/cmdline"]).stdout


def test_files_go_in_and_come_out(pair: list[machines.Machine], tmp_path: Path) -> None:
    machine = pair[1]
    machine.put("/opt/new/folder/note", "ä\n", mode=0o600)
    assert machine.read("/opt/new/folder/note") == "ä\n"
    assert machine.run(["stat", "-c", "%a %U", "/opt/new/folder/note"]).stdout == "600 root\n"
    (tmp_path / "stack" / "below").mkdir(parents=True)
    (tmp_path / "stack" / "below" / "main.ncl").write_text("{}")
    machine.push(tmp_path / "stack", "/srv/site")
    assert machine.read("/srv/site/below/main.ncl") == "{}"
    assert machine.run(["stat", "-c", "%U", "/srv/site/below"]).stdout == "root\n"
    with pytest.raises(machines.MachineError, match="No such file"):
        machine.read("/nowhere")


def test_snapshot_is_unchanged_by_reading_and_sees_every_change(boot: machines.Boot) -> None:
    machine = boot("h1")
    before = machine.snapshot()
    assert len(before.files) > 5000
    assert any(line.startswith("systemd:") for line in before.packages)
    assert before.units["dbus.service"].startswith("static active")
    machine.run(["find", "/etc", "-type", "f"], check=True)
    machine.run(["dpkg-query", "-W"], check=True)
    machine.run(["systemctl", "show", "dbus.service"], check=True)
    machine.run(["apt-get", "--simulate", "install", "hello"], check=True)
    assert before.differences(machine.snapshot()) == []

    machine.run(["touch", "/etc/issue"], check=True)
    machine.run(["chmod", "600", "/etc/debian_version"], check=True)
    machine.put("/srv/new", "x")
    machine.run(["systemctl", "mask", "getty@tty1.service"], check=True)
    after = machine.snapshot()
    told = before.differences(after)
    assert "time ~ /etc/issue" in told
    assert [line.split("\t")[0] for line in before.differences(after, times=False)] == [
        "file + /etc/systemd/system/getty@tty1.service",
        "file + /srv/new",
        "file ~ /etc/debian_version",
        "unit + getty@tty1.service",
    ]
    assert before.differences(after, times=False, forgiven=("/etc", "/srv/new")) == ["unit + getty@tty1.service\tmasked"]


@pytest.mark.parametrize("network", ["shared", "its own"])
def test_apt_installs_a_package(boot: machines.Boot, network: str) -> None:
    machine = boot("h1", bridge=boot.bridge(apt=True) if network == "its own" else None)
    before = machine.snapshot()
    machine.run(["apt-get", "update", "-q"], check=True)
    machine.run(["apt-get", "install", "-qy", "hello"], check=True)
    assert machine.run(["hello"], check=True).stdout == "Hello, world!\n"
    after = machine.snapshot()
    assert [line.split()[2] for line in before.differences(after) if line.startswith("package")] == ["hello:amd64"]
    assert any(line == "manual + hello" for line in before.differences(after))


def test_bridged_machines_reach_each_other_until_cut_off(boot: machines.Boot) -> None:
    first, second = boot.together("h1", "h2", bridge=boot.bridge())
    assert first.address != second.address
    second.run(["systemd-run", "--unit=web", "python3", "-m", "http.server", "8080", "--directory=/etc"], check=True)
    ask = ["curl", "--silent", "--fail", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "3"]
    url = f"http://{second.address}:8080/hostname"
    assert first.run([*ask, url], check=True).stdout == "h2\n"
    second.cut()
    assert first.run(["curl", "--silent", "--max-time", "1", url]).code != 0
    second.mend()
    assert first.run([*ask, url], check=True).stdout == "h2\n"


def test_closed_machine_leaves_nothing(debian: rootfs.Debian) -> None:
    with machines.park(debian) as boot:
        machine = boot("h1", bridge=boot.bridge())
        record = machine._record
        assert record.links
        assert record.cgroups
        assert all(Path(cgroup, "payload").is_dir() for cgroup in record.cgroups)
        machine.put("/etc/written", "x")
    assert not Path(f"/proc/{machine.leader}").exists()
    assert not any(Path(cgroup).exists() for cgroup in record.cgroups)
    assert record.links[0] not in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert not (debian.root / "etc" / "written").exists()


def test_machines_of_a_killed_run_are_cleared_by_the_next(debian: rootfs.Debian) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED_RUN, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        leader, name = run.stdout.readline().split()
        run.send_signal(signal.SIGKILL)
    assert Path(f"/proc/{leader}").exists()
    cleared = leftovers.sweep()
    assert name in cleared
    assert len(cleared) >= 2  # its bridge
    deadline = time.monotonic() + 10
    while Path(f"/proc/{leader}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{leader}").exists()
    assert leftovers.sweep() == []


def test_machine_that_cannot_boot_says_why(debian: rootfs.Debian, tmp_path: Path) -> None:
    with machines.park(debian._replace(root=tmp_path)) as boot, pytest.raises(machines.MachineError, match=r"h1 did not boot .*console"):
        boot("h1")


def test_g8r_has_what_it_needs_inside(pair: list[machines.Machine]) -> None:
    script = "import apsw, click, jinja2, msgspec, networkx, nickel, nacl, yaml, rich, g8r; print(g8r.__file__, g8r.__version__)"
    ran = pair[0].run(["/opt/g8r/bin/python3", "-c", script], check=True)
    assert ran.stdout.startswith(f"{rootfs.SOURCE}/g8r/__init__.py ")


def test_missing_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    reasons = rootfs.missing()
    assert "no systemd-nspawn here: apt-get install systemd-container" in reasons
    assert "no ip here: apt-get install iproute2" in reasons
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert rootfs.missing()[0] == "booting hosts needs root: run the tests with sudo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deb http://mirror.test/debian bookworm main\n", "http://mirror.test/debian"),
        ("deb [arch=amd64 signed-by=/x] http://mirror.test/debian bookworm main contrib\n", "http://mirror.test/debian"),
        ("deb http://other.test/x bookworm extra\n# deb http://off.test/debian bookworm main\n", None),
        ("deb http://mirror.test/debian trixie main\n", None),
        ("Types: deb\nURIs: http://mirror.test/d\nSuites: bookworm bookworm-updates\nComponents: main\n", "http://mirror.test/d"),
        ("Types: deb\nURIs: http://s.test/d\nSuites: bookworm-security\nComponents: main\n", None),
    ],
)
def test_mirror_is_read_from_either_form_of_sources(text: str, expected: str | None) -> None:
    assert outer._mirror_in(text, "bookworm") == expected
