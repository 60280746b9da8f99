"""What a machine is, as one value that two moments can be compared by: every file, every package, every unit."""

from __future__ import annotations

import json
from typing import NamedTuple

SCRIPT = r"""
import hashlib, json, os, stat, subprocess, sys

unwatched = set(json.loads(sys.argv[1]))
with open("/proc/self/mountinfo") as mounts:
    unwatched |= {line.split()[4] for line in mounts} - {"/"}

def digest(path):
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

def describe(path):
    found = os.lstat(path)
    told = [stat.filemode(found.st_mode), found.st_uid, found.st_gid]
    if stat.S_ISLNK(found.st_mode):
        told.append(os.readlink(path))
    elif stat.S_ISREG(found.st_mode):
        told.append(digest(path))
    marks = {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in sorted(os.listxattr(path, follow_symlinks=False))}
    return [" ".join(map(str, told + ([marks] if marks else []))), found.st_mtime_ns]

def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

files = {}
for folder, below, names in os.walk("/"):
    below[:] = sorted(name for name in below if os.path.join(folder, name) not in unwatched)
    for name in below + sorted(names):
        path = os.path.join(folder, name)
        if path not in unwatched:
            files[path] = describe(path)

kinds = "--type=service,socket,timer,path,mount"
units = {}
for line in run("systemctl", "list-unit-files", "--no-legend", "--plain", "--no-pager", kinds):
    name, state = line.split()[:2]
    units[name] = state
for line in run("systemctl", "list-units", "--no-legend", "--plain", "--no-pager", "--full", kinds):
    name, _, active, sub = line.split()[:4]
    if not name.startswith(("user@", "user-runtime-dir@", "run-user-")):
        units[name] = units.get(name, "none") + " " + active + " " + sub
packages = run("dpkg-query", "-W", "-f", "${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\n")
manual = run("apt-mark", "showmanual")
print(json.dumps({"files": files, "packages": sorted(packages), "manual": sorted(manual), "units": units}))
"""

UNWATCHED = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", "/var/cache", "/var/lib/systemd/random-seed", "/var/lib/systemd/timers")
"""What changes by itself on a machine that nobody touches; and what is mounted (the outer machine's own)."""


class Snapshot(NamedTuple):
    """Files by path as type, mode, owner and content; times apart, since a file that was removed and made again has a new one."""

    files: dict[str, str]
    times: dict[str, int]
    packages: tuple[str, ...]
    manual: tuple[str, ...]
    units: dict[str, str]

    def differences(self, later: Snapshot, *, times: bool = True, forgiven: tuple[str, ...] = ()) -> list[str]:
        """One line for each thing that is not as it was, sorted; `forgiven` are paths, with all below them."""
        found = [f"file {line}" for line in _changes(self.files, later.files) if not _within(line[2:].split("\t")[0], forgiven)]
        found += [f"package - {name}" for name in self.packages if name not in later.packages]
        found += [f"package + {name}" for name in later.packages if name not in self.packages]
        found += [f"manual - {name}" for name in self.manual if name not in later.manual]
        found += [f"manual + {name}" for name in later.manual if name not in self.manual]
        found += [f"unit {line}" for line in _changes(self.units, later.units)]
        if times:
            both = sorted(self.times.keys() & later.times.keys())
            found += [f"time ~ {path}" for path in both if self.times[path] != later.times[path] and not _within(path, forgiven)]
        return sorted(found)


def decode(text: str) -> Snapshot:
    """What SCRIPT prints."""
    read = json.loads(text)
    files = {path: described for path, (described, _) in read["files"].items()}
    times = {path: time for path, (_, time) in read["files"].items()}
    return Snapshot(files, times, tuple(read["packages"]), tuple(read["manual"]), read["units"])


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def _changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    lines = [f"- {name}\t{before[name]}" for name in before if name not in after]
    lines += [f"+ {name}\t{after[name]}" for name in after if name not in before]
    return lines + [f"~ {name}\t{before[name]} -> {after[name]}" for name in before if name in after and before[name] != after[name]]
