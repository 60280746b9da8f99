"""Runs inside a booted Debian: LocalHost with what tests may do to a FakeHost, so that the very same cases run on the real machine.

`place*` set it up, `programs["consume"] = ...` puts a real program where the fake has a function, `databases[...] = ...` brings dpkg and
apt to where the case wants them, `calls` is the log, `snapshot` tells whether anything changed, `killed_at` ends the process before a call.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from booted_packages import SOURCE, Databases
from booted_tree import Baseline, Snapshot

from g8r.executor.local_host import LocalHost
from g8r.host import Facts, Host, HostError, Ran

PROGRAMS = {
    "consume": '#!/bin/sh\numask 077\n{ cat; printf %s "$TOKEN" "$PWD"; } >"/srv/consumed-$1"\n[ "$2" = three ] && exit 3\nexit 0\n',
    "complain": '#!/bin/sh\necho half done\n{ printf "no good: "; cat; } >&2\nexit 4\n',
}
"""What the fake programs of the cases of `command` do, for a real machine."""


class Programs:
    def __init__(self, host: BootedHost) -> None:
        self._host = host

    def __setitem__(self, name: str, _program: object) -> None:
        self._host.place(f"/usr/local/bin/{name}", PROGRAMS[name], mode=0o755)


class BootedHost(LocalHost):
    """This machine."""

    def __init__(self, baseline: Baseline, blobs: Mapping[str, bytes]) -> None:
        def fetch(digest: str) -> bytes:
            if digest not in blobs:
                message = f"{digest} did not travel"
                raise HostError(message)
            return blobs[digest]

        super().__init__(fetch)
        self.baseline = baseline
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.programs = Programs(self)
        self.databases = Databases(self)
        self.arranging = False
        self.checking = False
        self._facts: Facts | None = None

    # ---- the machine ---------------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        return self._facts or super().facts()

    def run(self, argv: Any, **options: Any) -> Ran:
        if self.arranging and argv[0] == "apt-get":
            argv = (*argv, "-qqy")  # a fake asks nothing
        else:
            self.calls.append(("run", tuple(argv)))
        return super().run(argv, **options)

    def read(self, path: str, limit: int | None = None) -> bytes:
        """While a case is checked, passwords that were set today were set when the fake host sets them."""
        found = super().read(path, limit)
        return re.sub(rb"(?m)^(ada:[^:]*):\d+:", rb"\1:20000:", found) if self.checking and path == "/etc/shadow" else found

    # ---- what a test does to it ----------------------------------------------------------------------------------------------

    def place(self, path: str, content: str | bytes, *, mode: int = 0o644, owner: str = "root", group: str = "root") -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if path.endswith(".sources"):
            content = SOURCE  # what a fake's apt does not read, a real one refuses
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
        self._own(path, owner, group)
        os.chmod(path, mode)

    def place_directory(self, path: str, *, mode: int = 0o755, owner: str = "root", group: str = "root") -> None:
        os.makedirs(path, exist_ok=True)
        self._own(path, owner, group)
        os.chmod(path, mode)

    def place_link(self, path: str, target: str, *, owner: str = "root", group: str = "root") -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
        self._own(path, owner, group)
        if path.startswith("/etc/systemd/"):
            subprocess.run(["systemctl", "daemon-reload"], check=True)  # as `systemctl mask` does

    def _own(self, path: str, owner: str, group: str) -> None:
        self._names.forget()
        uid = int(owner) if owner.isdigit() else self.accounts()[owner].uid
        gid = int(group) if group.isdigit() else self.groups()[group].gid
        os.lchown(path, uid, gid)
        self._names.forget()

    def snapshot(self, *, times: bool = False) -> Snapshot:
        return self.baseline.snapshot(times=times)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        yield  # on a real machine the snapshots, with times, tell


class Watched:
    """A host whose process dies, as by a power cut, before its call number `deadly`; `log` names the calls made so far."""

    def __init__(self, host: Host, deadly: int | None = None) -> None:
        self._host = host
        self._deadly = deadly
        self.log: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._host, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            if len(self.log) == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            self.log.append(f"{name} {args[0] if args else ''}")
            return found(*args, **options)

        return call
