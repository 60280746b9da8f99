"""Runs inside a booted Debian: the archive of the fake host as a real one, and what cases do to the fakes' apt, dpkg and systemd.

Each `Deb` of the fake archive becomes a real package in /opt/archive, from which the real apt installs: so that the same cases, to the
same words, hold for the fake apt and the real one, with no network. `take_the_place_of_the_fakes` points the functions that cases
call (`apt.install`, `systemd.start`, ...) at the real programs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from g8r.executor.fake_programs import apt, systemd
from g8r.executor.fake_programs.apt_archive import BASE, OFFERED, Archive, Deb, Package
from g8r.executor.fake_programs.systemd import Runtime

if TYPE_CHECKING:
    from booted_host import BootedHost

PLACE: Final = "/opt/archive"
SOURCES: Final = "/etc/apt/sources.list"
SOURCE: Final = f"Types: deb\nURIs: copy:{PLACE}\nSuites: ./\nTrusted: yes\n"
LISTS: Final = "/var/lib/apt/lists"
APP: Final = "#!/bin/sh\nmkdir -p /run/app\necho >>/run/app/starts\nexec sleep infinity\n"
"""What `/usr/bin/app` of the cases of `service` is, and every program that a package brings."""
LOCKER: Final = """
import ctypes, fcntl, sys, time
ctypes.CDLL(None).prctl(15, b"unattended-upgr", 0, 0, 0)
handle = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def prepare() -> None:
    """Make this machine one whose only packages to be had are those of the fake archive."""
    _run("apt-get", "purge", "-qqy", "--auto-remove", "curl", "ca-certificates", "libcurl4", "libssh2-1")
    for path in Path("/etc/apt/sources.list.d").iterdir():
        path.unlink()
    shutil.rmtree(LISTS)
    os.makedirs(f"{LISTS}/partial")
    Path("/etc/apt/apt.conf.d/99archive").write_text('Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::https::Proxy "DIRECT";\n')
    Path(SOURCES).write_text(f"deb [trusted=yes] copy:{PLACE} ./\n")
    Path("/usr/bin/app").write_text(APP)
    os.chmod("/usr/bin/app", 0o755)
    offer(OFFERED)
    _run("apt-get", "update", "-qq")


def offer(debs: Iterable[Deb]) -> None:
    """Let the archive have these, as far as they are not this Debian's own."""
    os.makedirs(PLACE, exist_ok=True)
    stanzas = [_stanza(deb) for deb in debs if deb.name not in {own.name for own in BASE}]
    Path(f"{PLACE}/Packages").write_text("\n".join(stanzas))


def _stanza(deb: Deb) -> str:
    path = f"{PLACE}/{deb.name}_{deb.version.replace(':', '%3a')}.deb"
    if not os.path.exists(path):
        _build(deb, path)
    content = Path(path).read_bytes()
    return f"{_control(deb)}Filename: ./{os.path.basename(path)}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"


def _control(deb: Deb) -> str:
    conflicts = f"Conflicts: {', '.join(deb.conflicts)}\n" if deb.conflicts else ""
    return f"{deb.stanza()}{conflicts}Maintainer: nobody <nobody@localhost>\nDescription: {deb.name}, of the fake archive\n"


def _build(deb: Deb, path: str) -> None:
    root = Path("/tmp/deb")
    shutil.rmtree(root, ignore_errors=True)
    for name, content in {**deb.files, **deb.conffiles}.items():
        place = root / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content or APP)
        place.chmod(0o755 if "bin/" in name else 0o644)
    control = {"control": _control(deb)}
    if deb.conffiles:
        control["conffiles"] = "".join(f"{name}\n" for name in deb.conffiles)
    script = "#!/bin/sh\nset -e\n"
    if deb.fails:
        control["postinst"] = f"{script}exit 1\n"
    if deb.units:
        units = " ".join(deb.units)
        control["postinst"] = f"{script}systemctl daemon-reload\nsystemctl --quiet enable --now {units}\n"
        control["prerm"] = f'{script}[ "$1" != remove ] || systemctl --quiet disable --now {units}\n'
    for name, content in control.items():
        place = root / "DEBIAN" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        place.chmod(0o755 if content.startswith("#!") else 0o644)
    _run("dpkg-deb", "--build", "--root-owner-group", "-Znone", str(root), path)
    shutil.rmtree(root)


class Databases:
    """What the fake keeps in memory; here an assignment makes the machine so."""

    def __init__(self, host: BootedHost) -> None:
        self._host = host

    def __setitem__(self, name: str, value: Any) -> None:
        match name:
            case "dpkg":
                self._dpkg(value)
            case "apt":
                self._apt(value)
            case "dpkg-lock":
                self._lock()
            case _:
                raise KeyError(name)

    def _dpkg(self, wanted: Mapping[str, Package]) -> None:
        for name, found in packages(self._host).items():
            if wanted[name].held and not found.held:
                _run("apt-mark", "hold", name)
            if wanted[name].status == "unpacked":
                _run("dpkg", "--unpack", f"{PLACE}/{name}_{found.deb.version}.deb")

    def _apt(self, archive: Archive) -> None:
        if archive.unreachable:
            Path(SOURCES).write_text(f"deb [trusted=yes] {archive.unreachable} ./\n")
        if archive.listed is None:
            shutil.rmtree(LISTS)
            os.makedirs(f"{LISTS}/partial")
        else:
            offer(archive.listed)
            _run("apt-get", "update", "-qq")
        offer(archive.offered)
        if archive.age:  # a change time cannot be set; to be older than the sources is as good as to be old
            os.utime(SOURCES)

    def _lock(self) -> None:
        holder = subprocess.Popen(["/usr/bin/python3", "-c", LOCKER], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        HOLDERS.append(holder)


HOLDERS: Final[list[subprocess.Popen[str]]] = []


def holder() -> int:
    """The process that holds dpkg's lock for a case; 0 where none does."""
    return HOLDERS[0].pid if HOLDERS else 0


def let_go() -> None:
    """End whoever holds dpkg's lock for a case."""
    while HOLDERS:
        holder = HOLDERS.pop()
        holder.kill()
        holder.wait()
        if holder.stdout:
            holder.stdout.close()


# ---- what cases call --------------------------------------------------------------------------------------------------------


def take_the_place_of_the_fakes() -> None:
    real: dict[Any, dict[str, Any]] = {
        apt: {"install": install, "packages": packages, "automatic": automatic, "archive": lambda _host: Archive(OFFERED, OFFERED)},
        systemd: {"enable": enable, "start": start, "runtimes": Runtimes},
    }
    for module, functions in real.items():
        for name, function in functions.items():
            assert hasattr(module, name)
            setattr(module, name, function)


def install(_host: BootedHost, *names: str, auto: Sequence[str] = ()) -> None:
    _run("apt-get", "install", "-qqy", "--no-install-recommends", *names)
    if auto:
        _run("apt-mark", "auto", *auto)


def packages(_host: BootedHost) -> dict[str, Package]:
    form = "${Package}\t${Version}\t${db:Status-Status}\t${db:Status-Want}\n"
    rows = [line.split("\t") for line in _run("dpkg-query", "-W", "-f", form).splitlines()]
    return {name: Package(Deb(name, version), msgspec.convert(status, Any), want) for name, version, status, want in rows}  # type: ignore[arg-type]


def automatic(_host: BootedHost) -> frozenset[str]:
    return frozenset(_run("apt-mark", "showauto").split())


def enable(_host: BootedHost, name: str) -> None:
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "-q", name)


def start(_host: BootedHost, name: str) -> None:
    _run("systemctl", "daemon-reload")
    _run("systemctl", "start", name)


class Runtimes:
    """By unit, what systemd has of it; `seen` is empty where it should read its file again."""

    def __init__(self, _host: BootedHost) -> None:
        pass

    def __getitem__(self, name: str) -> Runtime:
        shown = _run("systemctl", "show", "--property=ActiveState,SubState,Result,NeedDaemonReload", name)
        values = dict(line.split("=", 1) for line in shown.splitlines())
        starts = Path("/run/app/starts")
        return Runtime(
            values["ActiveState"],
            values["SubState"],
            values["Result"],
            "" if values["NeedDaemonReload"] == "yes" else "read",
            len(starts.read_text()) if starts.exists() else 0,
        )


def _run(*argv: str) -> str:
    ran = subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    assert ran.returncode == 0, f"{argv} ended with {ran.returncode}: {ran.stdout[-800:]} {ran.stderr[-800:]}"
    return ran.stdout
