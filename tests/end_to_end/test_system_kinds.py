"""package, service, user, group and command on a booted Debian: the fakes' answers are worth what the real programs say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import machines
import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]

HASH = "$6$salt$" + "x" * 86
UNIT = "[Service]\nExecStart={}\n[Install]\nWantedBy=multi-user.target\n"
DPKG = ("/var/lib/dpkg/status", "/var/lib/dpkg/status-old", "/var/lib/apt/extended_states")
"""Files that dpkg and apt write out anew in an order of their own; what the first says is compared as packages."""
FORGIVEN = ("/root", "/etc/machine-id", *DPKG)


class Kinds:
    """Steps on one machine, each in a process of its own."""

    def __init__(self, machine: machines.Machine) -> None:
        self.machine = machine
        machine.push(Path(__file__).parent / "kinds_inside.py", "/root/kinds_inside.py")

    def step(self, kind: str, **step: Any) -> dict[str, Any]:
        line = json.dumps({"kind": kind, **step})
        ran = self.machine.run(["/opt/g8r/bin/python3", "-B", "/root/kinds_inside.py"], stdin=line, check=True)
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    def done(self, kind: str, action: str, **step: Any) -> dict[str, Any]:
        """A change that works: as predicted, and there is none left (laws 1 and 2)."""
        answer = self.step(kind, **step)
        assert answer["verdict"] == action, answer
        assert answer["applied"], answer
        assert answer["predicted"], answer
        assert answer["second_is_empty"], answer
        return answer

    def verdict(self, kind: str, verdict: str, says: str = "", **params: Any) -> None:
        answer = self.step(kind, params=params)
        assert answer["verdict"] == verdict, answer
        assert says in answer.get("reason", ""), answer

    def fails(self, kind: str, says: str, **params: Any) -> None:
        answer = self.step(kind, params=params)
        assert answer["applied"] is False, answer
        assert says in answer["reason"], answer


@pytest.fixture(scope="module")
def kinds(shared_boot: machines.Boot) -> Kinds:
    machine = shared_boot("kinds")
    machine.run(["apt-get", "update", "-q"], check=True)
    return Kinds(machine)


def test_law_4_a_package_leaves_with_what_it_pulled_in(kinds: Kinds) -> None:
    before = kinds.machine.snapshot()
    created = kinds.done("package", "create", params={"name": "jq"})
    assert created["unknown"] == []
    assert created["because"] == ["pulls in libjq1, libonig5"]
    kinds.verdict("package", "NoChange", name="jq", version="1.*")
    kinds.verdict("package", "NoChange", name="jq", ensure="latest")
    kinds.done("package", "update", params={"name": "libjq1"})
    kinds.machine.run(["apt-mark", "auto", "libjq1"], check=True)
    kinds.done("package", "update", params={"name": "jq", "hold": True})
    kinds.verdict("package", "Blocked", "held", name="jq", ensure="absent")
    kinds.done("package", "update", params={"name": "jq", "hold": False})
    gone = kinds.done("package", "delete", params={"name": "jq"}, undo=True, pulled_in=created["pulled_in"])
    assert "purges what it had pulled in: libjq1, libonig5" in gone["because"]
    assert before.differences(kinds.machine.snapshot(), times=False, forgiven=FORGIVEN) == []


def test_packages_that_cannot_be(kinds: Kinds) -> None:
    kinds.verdict("package", "Blocked", "Unable to locate package nonesuch-at-all", name="nonesuch-at-all")
    kinds.verdict("package", "Blocked", "It offers ", name="jq", version="99.*")
    kinds.verdict("package", "Blocked", "virtual package", name="mail-transport-agent")
    before = kinds.machine.snapshot()
    kinds.verdict("package", "Blocked", name="nonesuch-at-all")
    assert before.differences(kinds.machine.snapshot()) == [], "planning wrote something"


def test_services(kinds: Kinds) -> None:
    put = kinds.machine.put
    put("/usr/lib/systemd/system/good.service", UNIT.format("/bin/sleep 1000"))
    put("/etc/systemd/system/bad.service", UNIT.format("/bin/sh -c 'echo out of luck; sleep 0.1; exit 3'"))
    put("/etc/systemd/system/once.service", UNIT.format("/bin/true\nType=oneshot"))
    kinds.done("service", "update", params={"name": "good", "running": True, "enabled": True})
    put("/usr/lib/systemd/system/good.service", UNIT.format("/bin/sleep 2000"))
    assert kinds.step("service", params={"name": "good"}, verb="reload")["applied"]
    shown = kinds.machine.run(["systemctl", "show", "--property=NeedDaemonReload,ExecStart", "good"]).stdout
    assert "NeedDaemonReload=no" in shown
    assert "2000" in shown
    kinds.done("service", "update", params={"name": "good", "running": False, "enabled": False})
    kinds.done("service", "update", params={"name": "good", "masked": True})
    kinds.verdict("service", "Blocked", "set masked = false", name="good", running=True)
    kinds.done("service", "update", params={"name": "good", "masked": False, "running": True})
    kinds.fails("service", "out of luck", name="bad", running=True)
    kinds.fails("service", "RemainAfterExit=yes", name="once", running=True)
    kinds.verdict("service", "Blocked", "is a file of this host itself", name="bad", masked=True)
    kinds.verdict("service", "Blocked", "no [Install] section", name="systemd-tmpfiles-clean", enabled=True)
    kinds.verdict("service", "NoChange", name="dbus.socket", running=True, enabled=False)


def test_users_and_groups(kinds: Kinds) -> None:
    accounts = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
    before = [kinds.machine.read(path) for path in accounts]
    kinds.done("group", "create", params={"name": "deploy", "gid": 2000})
    kinds.done("group", "update", params={"name": "deploy", "gid": 2001})
    kinds.fails("group", "GID '2001' already exists", name="other", gid=2001)
    kinds.verdict("user", "Blocked", 'say group = "deploy"', name="deploy")
    kinds.done("user", "create", params={"name": "deploy", "group": "deploy", "remove_home": True})
    kinds.done("user", "update", params={"name": "deploy", "password": HASH})
    kinds.done("user", "update", params={"name": "deploy", "password": HASH, "locked": True, "expires": "2030-01-02"})
    kinds.done("user", "update", params={"name": "deploy", "groups": ["sudo", "adm"], "shell": "/bin/bash", "comment": "D", "uid": 3000})
    kinds.done("user", "update", params={"name": "deploy", "groups": [], "groups_only": True})
    kinds.done("user", "update", params={"name": "deploy", "home": "/srv/deploy", "move_home": True})
    assert kinds.machine.exists("/srv/deploy/.profile")
    kinds.done("user", "create", params={"name": "ada", "system": True})
    kinds.fails("user", "no password that could be unlocked", name="ada", locked=False)
    kinds.done("user", "delete", params={"name": "ada"}, undo=True)
    kinds.done("user", "delete", params={"name": "deploy", "group": "deploy", "remove_home": True}, undo=True)
    assert not kinds.machine.exists("/srv/deploy")
    kinds.verdict("group", "NoChange", name="deploy")
    kinds.done("group", "delete", params={"name": "deploy"}, undo=True)
    assert [kinds.machine.read(path) for path in accounts] == before


def test_commands(kinds: Kinds) -> None:
    kinds.done("command", "run", params={"name": "c", "argv": ["touch", "/srv/x"], "creates": "/srv/x"})
    kinds.done(
        "command", "run", params={"name": "c", "argv": ["sh", "-c", "cat >/srv/y"], "stdin": "in", "unless": ["test", "-s", "/srv/y"]}
    )
    assert kinds.machine.read("/srv/y") == "in"
    kinds.fails("command", "sh failed with exit code 3: no good", name="c", argv=["sh", "-c", "echo no good >&2; exit 3"], run="once")
