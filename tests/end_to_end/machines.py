"""Whole Debian machines with systemd, users and packages of their own, booted for a test and thrown away after it.

    with machines.park(debian) as boot:
        machine = boot("h1")
        machine.run(["systemctl", "is-active", "dbus"], check=True).stdout

A machine boots in about half a second and takes a few MB: systemd-nspawn over a shared read-only tree, its writes in memory. By
default it shares the network of the machine around it, so that apt works; with a bridge it has an address of its own and reaches
only its neighbours. Commands enter its namespaces with nsenter. Nothing is written outside the cache folder, save kernel objects
(cgroups, links) that are recorded before they are made: what a killed run leaves behind is cleared at the next start.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import leftovers
import outer
import snapshots
from relay import Relay
from rootfs import Debian, nspawn, source_binds

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
BOOT_SECONDS: Final = 90.0
NUMBERS: Final = itertools.count()
"""Makes the names of kernel objects unique in this process."""


class MachineError(Exception):
    """A machine did not do what the harness itself needs; the message holds what it said."""


class Ran(NamedTuple):
    code: int
    stdout: str
    stderr: str


class Machine:
    """A booted host. `address` is None where it shares the outer network."""

    def __init__(self, name: str, record: leftovers.Record, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.address: str | None = None
        self.leader = 0
        self._record = record
        self._process = process
        self._link: str | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = False,
        stdin: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        user: str | None = None,
        timeout: float = 280,
    ) -> Ran:
        """Run a program as root or `user`, in a clean environment (HOME is root's). `check`: any code but 0 is a MachineError."""
        with self.start(argv, env=env, cwd=cwd, user=user) as process:
            try:
                out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                raise
        ran = Ran(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        if check and ran.code != 0:
            message = f"{self.name}: {' '.join(argv)} ended with {ran.code}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
            raise MachineError(message)
        return ran

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str = "/", user: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program and leave it running; `os.killpg(process.pid, SIGKILL)` kills it with its children."""
        settings = [f"{name}={value}" for name, value in {**ENVIRONMENT, **(env or {})}.items()]
        become = ["runuser", f"--user={user}", "--"] if user else []
        command = [*self._enter(), "env", "-i", f"--chdir={cwd}", *settings, *become, *argv]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)

    def g8r(
        self, *arguments: str, cwd: str = "/root", check: bool = False, env: Mapping[str, str] | None = None, timeout: float = 280
    ) -> Ran:
        """Run the checkout's g8r on the machine."""
        return self.run(["/opt/g8r/bin/g8r", *arguments], cwd=cwd, check=check, env=env, timeout=timeout)

    def put(self, path: str, text: str | bytes, *, mode: int = 0o644) -> None:
        """Write one file, making its parents."""
        content = text.encode() if isinstance(text, str) else text
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(Path(path).name)
            entry.size, entry.mode = len(content), mode
            entry.mtime = time.time()  # to the microsecond: systemd tells by it whether a unit has changed
            archive.addfile(entry, io.BytesIO(content))
        self._unpack(packed.getvalue(), str(Path(path).parent))

    def push(self, local: Path | str, remote: str) -> None:
        """Copy a file, or a folder with all in it, from here to `remote`, owned by root."""

        def as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return entry

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(local, arcname=Path(remote).name, filter=as_root)
        self._unpack(packed.getvalue(), str(Path(remote).parent))

    def read(self, path: str) -> str:
        """The text of a file; MachineError where it cannot be read."""
        return self.run(["cat", "--", path], check=True).stdout

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`, a dangling link included."""
        return self.run(["stat", "--", path]).code == 0

    def snapshot(self) -> snapshots.Snapshot:
        """All that a plan must leave as it was: see `snapshots`."""
        script = [*("python3", "-IB", "-", json.dumps(snapshots.UNWATCHED))]
        return snapshots.decode(self.run(script, stdin=snapshots.SCRIPT, check=True).stdout)

    def cut(self) -> None:
        """Take a bridged machine off its network, as a pulled cable does."""
        _ip("link", "set", self._bridged(), "down")

    def mend(self) -> None:
        """Put it back on."""
        _ip("link", "set", self._bridged(), "up")

    def console(self) -> str:
        """What the machine wrote on its console."""
        return leftovers.console_of(self._record).read_text("utf-8", "replace")

    def close(self) -> None:
        """Throw the machine away at once, with all that it wrote. May be called twice."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            leftovers.clear(self._record, lambda: self._process.wait(10))

    def _bridged(self) -> str:
        if self._link is None:
            message = f"{self.name} shares the outer network: boot it with a bridge to cut it off"
            raise MachineError(message)
        return self._link

    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"]

    def _unpack(self, packed: bytes, folder: str) -> None:
        self.run(["mkdir", "-p", "--", folder], check=True)
        self.run(["tar", "--extract", "--file=-", f"--directory={folder}", "--no-same-owner", "-p"], stdin=packed, check=True)

    def _wait(self) -> None:
        """Until systemd says that it has started all that it should."""
        deadline = time.monotonic() + BOOT_SECONDS
        state = "nothing yet"
        while time.monotonic() < deadline and self._process.poll() is None:
            if not self.leader:
                self.leader = leftovers.leader_of(self._process.pid) or 0
            else:
                said = self.run(["systemctl", "is-system-running"], timeout=BOOT_SECONDS)
                state = said.stdout.strip() or said.stderr.strip()
                if state == "running":
                    self._record = self._record.saved_with(leader=leftovers.identify(self.leader))
                    return
                if state == "degraded":
                    state += ", failed: " + self.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout.strip()
                    break
            time.sleep(0.05)
        ended = "" if self._process.poll() is None else f" systemd-nspawn ended with {self._process.returncode}."
        tail = "\n".join(self.console().splitlines()[-25:])
        message = f"{self.name} did not boot (its systemd says: {state}).{ended} The end of its console:\n{tail}"
        raise MachineError(message)

    def _settle(self, bridge: Bridge | None) -> None:
        """What a machine knows of the world around it."""
        self.put("/etc/hostname", f"{self.name}\n")
        self.put("/etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{self.name}\n")
        self.put("/etc/resolv.conf", outer.resolv_conf())
        options = outer.apt_options() + (bridge.apt_options() if bridge else "")
        self.put("/etc/apt/apt.conf.d/00outer", f'{options}Acquire::Languages "none";\n')

    def _join(self, bridge: Bridge) -> None:
        self._link = f"gv{os.getpid() % 100000}x{next(NUMBERS)}"
        self._record = self._record.saved_with(links=(*self._record.links, self._link))
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "host0", "netns", str(self.leader))
        _ip("link", "set", self._link, "master", bridge.name, "up")
        address = bridge.next_address()
        within = ["nsenter", f"--target={self.leader}", "--net", "ip"]
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{address}/24", "dev", "host0"), ("link", "set", "host0", "up")):
            subprocess.run([*within, *words], check=True, capture_output=True)
        self.address = address


class Bridge:
    """A private network for machines, 254 addresses; the outer machine is the first of them, `address`, and nothing is routed out.

    With `apt`, a relay on the outer machine lets apt reach its mirror all the same.
    """

    def __init__(self, *, apt: bool = False) -> None:
        self.name = f"gb{os.getpid() % 100000}x{next(NUMBERS)}"
        self._record = leftovers.Record.new(self.name, links=(self.name,))
        self._prefix = _free_prefix()
        self._last = itertools.count(2)
        self.address = f"{self._prefix}.1"
        _ip("link", "add", self.name, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self.name)
        _ip("link", "set", self.name, "up")
        self._relay = Relay(self.address) if apt else None

    def apt_options(self) -> str:
        """What apt on a machine of this bridge needs; later options win over the outer machine's own."""
        return self._relay.apt_options(self.address) if self._relay else ""

    def next_address(self) -> str:
        """One that no machine of this bridge has had."""
        return f"{self._prefix}.{next(self._last)}"

    def close(self) -> None:
        """Take the network away."""
        if self._relay:
            self._relay.close()
        leftovers.clear(self._record)


class Boot:
    """Boots machines and knows them all, so that they can all be thrown away. Calling it boots one."""

    def __init__(self, debian: Debian) -> None:
        self._debian = debian
        self._close: list[Callable[[], None]] = []

    def __call__(self, name: str = "h1", *, bridge: Bridge | None = None) -> Machine:
        """A machine called `name`, running; on `bridge` with an address of its own, else in the outer network."""
        return self.together(name, bridge=bridge)[0]

    def together(self, *names: str, bridge: Bridge | None = None) -> list[Machine]:
        """Several at once, which takes little longer than one."""
        started = [self._start(name, private=bridge is not None) for name in names]
        for machine in started:
            machine._wait()
            machine._settle(bridge)
            if bridge is not None:
                machine._join(bridge)
        return started

    def bridge(self, *, apt: bool = False) -> Bridge:
        """A network for machines of their own; with `apt`, packages can be had there, and nothing else from outside."""
        made = Bridge(apt=apt)
        self._close.append(made.close)
        return made

    def close(self) -> None:
        """Throw all away, the youngest first."""
        while self._close:
            self._close.pop()()

    def _start(self, name: str, *, private: bool) -> Machine:
        unique = f"g8r-{os.getpid()}-{next(NUMBERS)}-{name}"
        cgroups = leftovers.cgroups_for(unique)
        record = leftovers.Record.new(unique, cgroups=tuple(map(str, cgroups)))
        options = [f"--machine={unique}", f"--hostname={name}", "--boot", f"--bind-ro={self._debian.venv}:/opt/g8r", *source_binds()]
        command = nspawn(self._debian.root, *options, *(["--private-network"] if private else []))
        with leftovers.console_of(record).open("wb") as output:
            process = subprocess.Popen(
                leftovers.inside(cgroups, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        machine = Machine(name, record.saved_with(nspawn=leftovers.identify(process.pid)), process)
        self._close.append(machine.close)
        return machine


@contextlib.contextmanager
def park(debian: Debian) -> Iterator[Boot]:
    """A Boot whose machines are gone when the block is left, in whatever way."""
    boot = Boot(debian)
    try:
        yield boot
    finally:
        boot.close()


def _ip(*words: str) -> None:
    ran = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        message = f"ip {' '.join(words)}: {ran.stderr.strip()}"
        raise MachineError(message)


def _free_prefix() -> str:
    """A /24 of the private range 10.203 that no route here leads to."""
    routes = subprocess.run(["ip", "-4", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    start = os.getpid() % 256
    for number in (*range(start, 256), *range(start)):
        if f"10.203.{number}." not in routes:
            return f"10.203.{number}"
    message = "all of 10.203.0.0/16 is in use here"
    raise MachineError(message)
