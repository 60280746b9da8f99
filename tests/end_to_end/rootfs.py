"""The one Debian that all booted hosts share, read only, and g8r's dependencies in a venv beside it. Built once, kept in a cache.

    ${G8R_CACHE:-~/.cache/g8r}/
        bookworm-KEY/         debootstrap's tree; KEY is the digest of the recipe below
        venv-KEY/             what hosts see at /opt/g8r; KEY is of the recipe and of the dependencies in pyproject.toml
        machines/             a record of each running host, so that those of a killed run can be cleared away

Everything is built into a temporary folder, under a lock, and renamed into place when it is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import outer

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SUITE: Final = "bookworm"
PACKAGES: Final = ("systemd", "systemd-sysv", "dbus", "python3", "python3-venv", "iproute2", "ca-certificates", "curl")
MASKED: Final = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")
"""Units that would take dpkg's lock or change the disk in the middle of a test."""
SOURCE: Final = "/opt/g8r-source"
"""Where a host sees the checkout."""
REVISION: Final = 1
"""Counted up when `_settle` changes."""

OUTER_PACKAGES: Final = ("debootstrap", "systemd-container", "iproute2", "util-linux")
"""What apt must install on the machine that runs these tests."""


class CannotBootError(Exception):
    """This machine cannot boot hosts; the message says why and what to do."""


class Debian(NamedTuple):
    """What hosts are booted from. `built` says what had to be made for it and how many seconds that took."""

    root: Path
    venv: Path
    built: dict[str, float]


def cache() -> Path:
    """The folder that outlives a run."""
    folder = Path(os.environ.get("G8R_CACHE") or Path.home() / ".cache" / "g8r")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Held by one process at a time, among all workers and all checkouts; let go of when its holder dies."""
    with (cache() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def missing() -> list[str]:
    """Why hosts cannot be booted here; empty where nothing is known against it."""
    reasons = [] if os.geteuid() == 0 else ["booting hosts needs root: run the tests with sudo"]
    commands = {"systemd-nspawn": "systemd-container", "nsenter": "util-linux", "ip": "iproute2"}
    if not (cache() / f"{SUITE}-{_recipe()}").is_dir():
        commands["debootstrap"] = "debootstrap"
    reasons += [f"no {command} here: apt-get install {package}" for command, package in commands.items() if shutil.which(command) is None]
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        reasons.append("this kernel has no overlayfs")
    return reasons


def prepare() -> Debian:
    """The Debian and the venv, built where they are not there yet (about 90 and 30 s). Raises CannotBootError."""
    if reasons := missing():
        raise CannotBootError("; ".join(reasons))
    built: dict[str, float] = {}
    root = _once(f"{SUITE}-{_recipe()}", _debootstrap, built)
    _probe(root)
    venv = _once(f"venv-{_digest(_recipe(), _dependencies())}", lambda folder: _make_venv(root, folder), built)
    return Debian(root, venv, built)


def nspawn(root: Path, *options: str) -> list[str]:
    """The part of the command that every use has: all writes go to memory, and no other process is told."""
    return ["systemd-nspawn", "-q", "-D", str(root), "--register=no", "--keep-unit", "--volatile=overlay", "--resolv-conf=off", *options]


def _once(name: str, make: Callable[[Path], None], built: dict[str, float]) -> Path:
    place = cache() / name
    with lock(name):
        if not place.is_dir():
            started = time.monotonic()
            folder = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".part", dir=cache()))
            try:
                make(folder)
                folder.chmod(0o755)
                folder.rename(place)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            built[name] = time.monotonic() - started
    return place


def _debootstrap(root: Path) -> None:
    source = outer.mirror(SUITE)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), *([source] if source else [])]
    _complete(command, f"debootstrap could not make a Debian from {source or 'its default mirror'} (G8R_MIRROR names another)")
    _settle(root)


def _settle(root: Path) -> None:
    """Make the tree fit for many hosts: no identity of its own, nothing that runs by itself."""
    for name in ("hostname", "machine-id", "resolv.conf"):
        (root / "etc" / name).unlink(missing_ok=True)
    (root / "etc" / "machine-id").touch()
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)


def _make_venv(root: Path, folder: Path) -> None:
    """Made inside a host, by Debian's own python3, so that its wheels are those which a Debian machine gets."""
    environment = outer.pip_environment()
    script = "set -e; python3 -m venv /opt/g8r; /opt/g8r/bin/pip install --quiet -- " + " ".join(f"'{text}'" for text in _dependencies())
    with tempfile.NamedTemporaryFile("w", prefix="resolv.", suffix=".conf") as resolv:
        resolv.write(outer.resolv_conf())
        resolv.flush()
        command = nspawn(
            root,
            f"--bind={folder}:/opt/g8r",
            f"--bind-ro={resolv.name}:/etc/resolv.conf",
            *(f"--bind-ro={path}" for path in outer.pip_files(environment)),
            *(f"--setenv={name}={value}" for name, value in environment.items()),
        )
        _complete([*command, "/bin/sh", "-c", script], "pip could not install g8r's dependencies inside a Debian host")
    packages = next(folder.glob("lib/python3*/site-packages"))
    (packages / "g8r-checkout.pth").write_text(f"{SOURCE}\n")
    command_file = folder / "bin" / "g8r"
    module, _, function = _pyproject()["project"]["scripts"]["g8r"].partition(":")
    command_file.write_text(f"#!/opt/g8r/bin/python3\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    command_file.chmod(0o755)


def source_binds() -> list[str]:
    """The checkout's own code over the venv, read only: what is tested is always what is in the tree, with nothing to build."""
    shared = [name for name in ("g8r", "contracts", "examples") if (CHECKOUT / name).is_dir()]
    return [f"--bind-ro={CHECKOUT / name}:{SOURCE}/{name}" for name in shared]


def _probe(root: Path) -> None:
    """A namespace that this kernel or container does not grant must be told from a host that fails to boot."""
    ran = subprocess.run([*nspawn(root), "/bin/true"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if ran.returncode != 0:
        message = f"systemd-nspawn is refused here, so no host can boot: {ran.stderr.strip()[-500:]}"
        raise CannotBootError(message)


def _complete(command: list[str], complaint: str) -> None:
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ran.returncode != 0:
        tail = "\n".join(ran.stdout.splitlines()[-20:])
        message = f"{complaint}: {command[0]} ended with {ran.returncode}\n{tail}"
        raise CannotBootError(message)


def _pyproject() -> dict[str, dict]:  # type: ignore[type-arg]
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))


def _dependencies() -> list[str]:
    return sorted(_pyproject()["project"]["dependencies"])


def _recipe() -> str:
    return _digest(SUITE, PACKAGES, MASKED, REVISION)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
