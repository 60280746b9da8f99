"""Runs inside a booted Debian: what the machine is as a value, and the way back to what it was.

`Baseline` keeps a copy of the whole tree in memory; `reset` puts back whatever differs, stops units that were not running, and so gives
the next case the machine that the last one got. Files, owners, modes, contents, packages and units count; times only where asked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

COPY: Final = "/run/baseline"
UNWATCHED: Final = frozenset({"/proc", "/sys", "/dev", "/run", "/var/log/journal"})
RESTLESS: Final = (
    *(
        "/var/log",
        "/var/cache",
        "/var/lib/systemd",
        "/var/lib/dpkg/status",
        "/var/lib/apt/lists",
        "/var/lib/dpkg/lock",
        "/var/lib/dpkg/lock-frontend",
    ),
    *("/var/lib/dpkg/triggers", "/var/lib/dpkg/available", "/var/lib/apt/daily_lock", "/etc/.pwd.lock", "/etc/machine-id"),
    *("/etc/ld.so.cache", "/var/lib/dpkg/status-old", "/var/lib/apt/extended_states", "/root"),
    *(f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
)
"""What differs without a difference: logs and caches, the databases whose content counts as `packages`, and backups of account files."""

Mark = tuple[int, int, int, int, int, int, int]
"""mode, uid, gid, size, mtime, ctime, inode: while these stay, so has the content."""


class Snapshot(NamedTuple):
    nodes: Mapping[str, tuple[object, ...]]
    rest: Mapping[str, str]

    def differences(self, other: Snapshot) -> tuple[str, ...]:
        """Paths, `package NAME`s, `unit NAME`s."""
        paths = {path for path in self.nodes.keys() | other.nodes.keys() if self.nodes.get(path) != other.nodes.get(path)}
        names = {name for name in self.rest.keys() | other.rest.keys() if self.rest.get(name) != other.rest.get(name)}
        return tuple(sorted(paths | names))


def marks(*, wide: bool) -> dict[str, Mark]:
    """Every path on the root file system; not `wide`: without what no path of a case is below."""
    return dict(_walk("/", os.lstat("/").st_dev, UNWATCHED if wide else UNWATCHED | {"/usr", "/var/lib/dpkg/info"}))


def _walk(folder: str, device: int, unwatched: frozenset[str]) -> Iterator[tuple[str, Mark]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.path in unwatched:
                continue
            found = entry.stat(follow_symlinks=False)
            below = entry.is_dir(follow_symlinks=False)
            if below and os.lstat(entry.path).st_dev != device:
                continue
            mark = (found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            yield entry.path, mark
            if below:
                yield from _walk(entry.path, device, unwatched)


class Baseline:
    """The machine as it is now, to come back to. `wide` is for what touches all of the tree, and five times slower."""

    def __init__(self) -> None:
        shutil.rmtree(COPY, ignore_errors=True)
        subprocess.run(["cp", "-a", "-x", "/", COPY], check=True)
        self.wide = True
        self._marks = marks(wide=True)
        self._units = running()
        self._digests: dict[tuple[str, Mark], str] = {}
        self._packages: tuple[object, dict[str, str]] = (None, {})

    def snapshot(self, *, times: bool = False) -> Snapshot:
        now = marks(wide=self.wide)
        if times:  # dpkg's and apt's databases are among the files; to ask apt-mark would touch its cache
            return Snapshot({path: mark for path, mark in now.items() if not _within(path, UNTIMED)}, running())
        nodes = {path: self._content(path, mark) for path, mark in now.items() if not _within(path, RESTLESS)}
        databases = [now.get(path) for path in ("/var/lib/dpkg/status", "/var/lib/apt/extended_states")]
        if self._packages[0] != databases:
            self._packages = (databases, packages())
        return Snapshot(nodes, {**self._packages[1], **running()})

    def _content(self, path: str, mark: Mark) -> tuple[object, ...]:
        kind = mark[0] >> 12
        if kind == 0o12:
            return (*mark[:3], os.readlink(path))
        if kind != 0o10:
            return mark[:3]
        if (path, mark) not in self._digests:
            self._digests[path, mark] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return (*mark[:3], self._digests[path, mark])

    def changed(self) -> list[str]:
        """The paths that are not as they were, times included, gone ones, too."""
        now = marks(wide=self.wide)
        old = {path: self._marks[path] for path in self._marks.keys() & now.keys()}
        gone = (
            self._marks.keys() - now.keys()
            if self.wide
            else {path for path in self._marks.keys() - now.keys() if not os.path.lexists(path)}
        )
        return sorted({path for path in now if now[path] != old.get(path)} | gone)

    def reset(self) -> list[str]:
        """Make it as it was; the paths that were not."""
        new = [name.removeprefix("unit ") for name, state in running().items() if self._units.get(name) != state]
        for name in new:
            _quietly("systemctl", "kill", "--signal=KILL", name)
            _quietly("systemctl", "stop", name)
            _quietly("systemctl", "reset-failed", name)
        shutil.rmtree("/run/app", ignore_errors=True)
        for path in reversed(wrong := self.changed()):
            if path not in self._marks or not _same_type(path):
                _remove(path)
        for path in wrong:
            if path in self._marks:
                _restore(path)
        for path in reversed(wrong):
            if path in self._marks:
                _attributes(path)
        if new or any("/systemd/" in path for path in wrong):
            subprocess.run(["systemctl", "daemon-reload"], check=True)
        self._marks = {**self._marks, **marks(wide=self.wide)} if wrong else self._marks
        return wrong


UNTIMED: Final = ("/var/log", "/var/lib/systemd/timers", "/root/laws")


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return path.startswith(folders) and any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _same_type(path: str) -> bool:
    try:
        return os.lstat(path).st_mode >> 12 == os.lstat(COPY + path).st_mode >> 12
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    if not os.path.lexists(path):
        return
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _restore(path: str) -> None:
    if os.path.isdir(COPY + path) and not os.path.islink(COPY + path):
        os.makedirs(path, exist_ok=True)
        return
    _remove(path)
    shutil.copy2(COPY + path, path, follow_symlinks=False)


def _attributes(path: str) -> None:
    found = os.lstat(COPY + path)
    os.lchown(path, found.st_uid, found.st_gid)
    if not os.path.islink(path):
        os.chmod(path, found.st_mode & 0o7777)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def packages() -> dict[str, str]:
    """By name: the version, the state, whether somebody asked for it."""
    shown = _lines("dpkg-query", "-W", "-f", "${Package}\t${Version} ${db:Status-Abbrev}\n")
    manual = set(_lines("apt-mark", "showmanual")) if shown else set()
    pairs = (line.split("\t") for line in shown)
    return {f"package {name}": f"{rest} {'manual' if name in manual else ''}" for name, rest in pairs}


def running() -> dict[str, str]:
    """By name: units that are active or failed, and how."""
    options = ("--no-legend", "--plain", "--no-pager", "--full", "--type=service,socket,timer,path", "--state=active,failed,activating")
    units = {}
    for line in _lines("systemctl", "list-units", *options):
        name, _, active, sub = line.split()[:4]
        if not name.startswith(("user@", "user-runtime-dir@", "systemd-")):
            units[f"unit {name}"] = f"{active} {sub}"
    return units


def _lines(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def _quietly(*argv: str) -> None:
    subprocess.run(argv, capture_output=True, check=False)
