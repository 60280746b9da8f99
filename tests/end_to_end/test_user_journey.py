"""g8r as its users meet it: one stack with every common kind on a booted Debian, planned, applied, edited by hand, mended, destroyed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Final

import machines
import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("user_journey")]

SITE: Final = "/root/site"
CANARY: Final = "CANARY-7f3a"
SECRET_HASH: Final = f"$6${CANARY}$" + "x" * 86
UNIT: Final = "[Unit]\nDescription=a tiny service\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"

STACK: Final = """
{
  name = "journey",
  vars.greeting | default = "hello",
  tasks = {
    group.deploy = { gid = 2000 },
    user.deploy = { uid = 2000, group = "deploy", shell = "/bin/bash", remove_home = true, password = "@{secret.deploy}" },
    directory.app = { path = "/srv/app", owner = "deploy", group = "deploy", mode = "0750" },
    file.token = { path = "/srv/app/token", content = "token=@{secret.token}\\n", owner = "deploy", mode = "0600" },
    template.page = {
      path = "/srv/app/page", content = "{{ greeting }} from {{ host }}\\n",
      vars = { greeting = "@{vars.greeting}", host = "@{host.name}" },
    },
    line.setting = { path = "/etc/journey.conf", line = "colour = green", regex = "^colour =", create = true },
    link.current = { path = "/srv/app/current", target = "page" },
    package.jq = {},
    file.unit = { path = "/etc/systemd/system/tiny.service", content = %{UNIT}, mode = "0644" },
    service.tiny = { running = true, enabled = true, restart_on = ["file.unit"] },
    command.count = {
      argv = ["sh", "-c", "wc -c <page >/srv/size; umask 77; cat >/srv/stdin"],
      stdin = "@{secret.token}", cwd = "/srv/app", creates = "/srv/size", run_on = ["template.page"],
    },
  },
}
"""
ALL: Final = [
    *("command.count", "directory.app", "file.token", "file.unit", "group.deploy", "line.setting", "link.current", "package.jq"),
    *("service.tiny", "template.page", "user.deploy"),
]
WITHOUT_SECRETS: Final = """
{
  name = "journey",
  tasks = {
    user.deploy = { shell = "/bin/bash" },
    package.jq = {},
    service.tiny.running = true,
    file.own = { path = "/home/ada/own", content = "mine" },
  },
}
"""
"""For somebody who is not root: of four tasks one is hers to do."""
OWN: Final = ("/root", "/var/lib/g8r", "/etc/g8r")
FORGIVEN: Final = (
    *(*OWN, "/etc/machine-id", "/var/lib/dpkg/status", "/var/lib/dpkg/status-old", "/var/lib/apt/extended_states", "/etc/.pwd.lock"),
    *(f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
)
"""Beside what is g8r's own: what dpkg and apt write anew (compared as packages), and the backups that useradd leaves."""
MADE_BY_COMMAND: Final = ("/srv/size", "/srv/stdin")
"""What a command makes is not g8r's to remove."""


def stack() -> str:
    return STACK.replace("%{UNIT}", json.dumps(UNIT))


def arrange(machine: machines.Machine) -> None:
    machine.run(["apt-get", "update", "-q"], check=True)
    machine.put(f"{SITE}/main.ncl", stack())
    machine.put("/etc/g8r/secrets/deploy", SECRET_HASH, mode=0o600)
    machine.put("/etc/g8r/secrets/token", CANARY, mode=0o600)


@pytest.fixture(scope="module")
def host(shared_boot: machines.Boot) -> machines.Machine:
    machine = shared_boot("journey")
    arrange(machine)
    return machine


@pytest.fixture
def site(host: machines.Machine) -> machines.Machine:
    """The host, as the stack says."""
    host.put(f"{SITE}/main.ncl", stack())
    host.g8r("apply", "--yes", cwd=SITE, check=True)
    return host


def changes(machine: machines.Machine, *options: str) -> dict[str, list[str]]:
    """What a plan would do, by task; its exit code must agree."""
    ran = machine.g8r("plan", "--json", "--detailed-exitcode", *options, cwd=SITE)
    assert ran.code in {0, 2}, ran.stdout[-3000:] + ran.stderr[-3000:]
    document: dict[str, Any] = json.loads(ran.stdout)
    found = {each["address"].removeprefix("localhost/"): each["change"]["actions"] for each in document["resource_changes"]}
    acting = {address: actions for address, actions in sorted(found.items()) if actions != ["no-op"]}
    assert bool(acting or document["g8r"]["triggers"]) is (ran.code == 2), ran
    return acting


def test_from_plan_to_destroy(boot: machines.Boot) -> None:
    """[P-pure], laws 1, 3, 4 and 7 by the command line, on a machine of its own."""
    machine = boot("whole")
    arrange(machine)
    before = machine.snapshot()
    assert sorted(changes(machine, "-o", "p.g8r")) == ALL
    assert before.differences(machine.snapshot(), forgiven=OWN) == [], "a plan changed the machine"

    with watched(machine) as watching:
        ran = machine.g8r("apply", "p.g8r", "--yes", cwd=SITE, check=True)
    assert CANARY not in ran.stdout + ran.stderr
    assert watching == [], "a secret stood in the process list"
    again = machine.g8r("plan", "--detailed-exitcode", cwd=SITE)
    assert again.code == 0, again.stdout
    assert "No changes" in again.stdout
    only_where_it_belongs(machine)


def test_destroy_leaves_the_machine_as_it_was(destroyed: list[str]) -> None:
    assert destroyed == []


@pytest.fixture(scope="module")
def destroyed(shared_boot: machines.Boot) -> list[str]:
    """What is not as it was after apply and destroy, without what the command itself made."""
    machine = shared_boot("destroyed")
    arrange(machine)
    before = machine.snapshot()
    machine.g8r("apply", "--yes", cwd=SITE, check=True)
    machine.g8r("destroy", "--yes", cwd=SITE, check=True)
    left = before.differences(machine.snapshot(), times=False, forgiven=(*FORGIVEN, *MADE_BY_COMMAND))
    return [line.split("\t")[0] for line in left]


WATCH: Final = """
import os, sys, time
canary = os.environ["CANARY"].encode()
print("watching", flush=True)
while not os.path.exists("/run/watched"):
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                line = open(f"/proc/{name}/cmdline", "rb").read()
            except OSError:
                continue
            if canary in line:
                print(repr(line), flush=True)
    time.sleep(0.002)
"""


@contextlib.contextmanager
def watched(machine: machines.Machine) -> Iterator[list[str]]:
    """The command lines of all processes that show the canary, while the block runs."""
    machine.run(["rm", "-f", "/run/watched"])
    process = machine.start(["python3", "-c", WATCH], env={"CANARY": CANARY})
    assert process.stdout is not None
    assert process.stdout.readline() == b"watching\n"
    seen: list[str] = []
    yield seen
    machine.put("/run/watched", "")
    seen += process.communicate(timeout=30)[0].decode("utf-8", "replace").splitlines()


def only_where_it_belongs(machine: machines.Machine) -> None:
    """The files of the machine that hold the secret: those that must, closed to others."""
    grep = ["grep", "--recursive", "--files-with-matches", "--binary-files=text", CANARY]
    places = ["/etc", "/root", "/srv", "/var", "/home", "/opt", "/run", "/tmp", "/usr/local"]
    found = machine.run([*grep, *places]).stdout.splitlines()
    allowed = {"/etc/shadow", "/etc/shadow-", "/srv/app/token", "/srv/stdin", "/etc/g8r/secrets/deploy", "/etc/g8r/secrets/token"}
    assert set(found) - allowed == set(), "a secret is where it should not be"
    assert "/etc/shadow" in found
    assert "/srv/app/token" in found
    assert CANARY not in machine.run(["journalctl", "--no-pager"], check=True).stdout


EDITS: Final = {
    "group.deploy": "groupmod --gid 2100 deploy",
    "user.deploy": "usermod --shell /bin/sh deploy",
    "directory.app": "chmod 0777 /srv/app",
    "file.token": "echo leaked >/srv/app/token",
    "template.page": "echo by hand >/srv/app/page",
    "line.setting": "sed -i s/green/red/ /etc/journey.conf",
    "link.current": "ln -sfn /etc/passwd /srv/app/current",
    "package.jq": "apt-get purge -qqy --auto-remove jq",
    "file.unit": "rm /etc/systemd/system/tiny.service",
    "service.tiny": "systemctl disable -q --now tiny",
    "command.count": "rm /srv/size",
}
"""A hand on each task; what it breaks beside that task, `ALSO` says."""
ALSO: Final = {
    "group.deploy": {"user.deploy", "directory.app", "file.token"},
    "file.unit": {"service.tiny"},
}


def test_every_task_has_an_edit() -> None:
    assert sorted(EDITS) == ALL


@pytest.mark.parametrize("address", sorted(EDITS))
def test_a_hand_edit_is_shown_and_mended(site: machines.Machine, address: str) -> None:
    assert site.g8r("drift", "--detailed-exitcode", cwd=SITE).code == 0
    site.run(["sh", "-c", EDITS[address]], check=True)
    told = site.g8r("drift", "--detailed-exitcode", cwd=SITE)
    assert told.code == 2, told
    assert address in told.stdout
    planned = set(changes(site))
    assert address in planned
    assert planned <= {address} | ALSO.get(address, set())
    applied = site.g8r("apply", "--yes", cwd=SITE)
    assert applied.code == 0, applied
    assert changes(site) == {}
    assert site.run(["stat", "--format=%U:%G %a", "/srv/app"]).stdout == "deploy:deploy 750\n"


def test_without_root_a_plan_says_that_root_is_needed(site: machines.Machine) -> None:
    site.run(["sh", "-c", EDITS["package.jq"] + "; " + EDITS["service.tiny"] + "; " + EDITS["user.deploy"]], check=True)
    site.run(["useradd", "--create-home", "ada"], check=True)
    site.put("/home/ada/main.ncl", WITHOUT_SECRETS)
    before = site.snapshot()
    environment = {"HOME": "/home/ada", "USER": "ada"}
    ran = site.run(["/opt/g8r/bin/g8r", "plan", "--json"], user="ada", cwd="/home/ada", env=environment)
    assert "Traceback" not in ran.stderr
    assert ran.code == 1, ran.stdout[-3000:] + ran.stderr[-3000:]
    document = json.loads(ran.stdout)
    reasons = {
        each["address"].removeprefix("localhost/"): each["g8r"]["reason"]["text"]
        for each in document["resource_changes"]
        if each["g8r"]["verdict"] == "blocked"
    }
    for address in ("package.jq", "service.tiny", "user.deploy"):
        assert "root" in reasons[address], reasons
    assert sorted(reasons) == ["package.jq", "service.tiny", "user.deploy"]
    refused = site.run(["/opt/g8r/bin/g8r", "apply", "--yes"], user="ada", cwd="/home/ada", env=environment)
    assert refused.code == 1, refused
    assert before.differences(site.snapshot(), forgiven=("/home/ada",)) == []


SLOW: Final = '{ name = "journey", tasks = { package.tree = {}, package.bc = {}, file.after = { path = "/srv/after", content = "x" } } }\n'


@pytest.fixture(scope="module")
def killed(shared_boot: machines.Boot) -> machines.Machine:
    machine = shared_boot("killed")
    arrange(machine)
    machine.put(f"{SITE}/main.ncl", SLOW)
    return machine


@pytest.mark.parametrize("moment", ["dpkg", "apt-get"])
def test_kill_9_in_a_package_install_is_mended_by_the_next_apply(killed: machines.Machine, moment: str) -> None:
    """Killed with its children as soon as the program runs: what dpkg left half done is finished."""
    machine = killed
    machine.run(["apt-get", "purge", "-qqy", "tree", "bc"], check=True)
    process = machine.start(["/opt/g8r/bin/g8r", "apply", "--yes"], cwd=SITE)
    machine.run(["python3", "-c", KILL, moment], check=True, timeout=60)
    process.communicate(timeout=30)
    assert process.returncode != 0
    shown = machine.g8r("plan", "--detailed-exitcode", cwd=SITE)
    assert shown.code == 2, shown
    applied = machine.g8r("apply", "--yes", cwd=SITE)
    assert applied.code == 0, applied
    assert changes(machine) == {}
    for name in ("tree", "bc"):
        assert machine.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name]).stdout == "ii "
    assert machine.run(["dpkg", "--audit"]).stdout == ""
    assert machine.read("/srv/after") == "x"


KILL: Final = """
import os, signal, sys, time

def processes():
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                yield int(name), open(f"/proc/{name}/cmdline", "rb").read().split(b"\\0")
            except OSError:
                continue

def called(words):
    return words[0].rpartition(b"/")[2]

def due(words):
    if called(words) == b"apt-get":
        return sys.argv[1] == "apt-get" and b"install" in words and b"-s" not in words
    return sys.argv[1] == "dpkg" and called(words) == b"dpkg" and b"--unpack" in words

end = time.monotonic() + 50
while not any(due(words) for _, words in processes()):
    if time.monotonic() > end:
        sys.exit("nobody ran it")
for number, words in processes():
    if called(words) in (b"apt-get", b"dpkg", b"dpkg-deb") or b"/opt/g8r/bin/g8r" in words:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass
"""
"""Kills g8r and what it started as soon as it runs the program that it is told."""
