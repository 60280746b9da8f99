"""The Host port: everything a module may do to a machine. The agent gives it the real machine, a test a fake one.

Modules never import os or subprocess; they get a Host. All paths are absolute and normalised by the caller. No call follows a
symbolic link in the last component of a path unless it says so, and none crosses a link in a parent that someone less
privileged could have planted. A program is an argv, never a shell string. Every call raises `HostError` for what the world
refuses (no permission, a full disk, a missing program); the message is for the user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

FileType = Literal["file", "directory", "link", "other"]


class HostError(Exception):
    """The host refused; the message says what and why, as a user should read it."""


class MissingProgramError(HostError):
    """The program of an argv is not on the host."""


class TimedOutError(HostError):
    """A program ran longer than it was allowed to, and was killed with its children."""


class Stat(msgspec.Struct, frozen=True):
    """What lstat tells. `mode` is the permission bits, 0 to 0o7777; `owner` and `group` are names, or decimal ids without a name."""

    type: FileType
    mode: int
    owner: str
    group: str
    size: int
    target: str | None = None
    """Of a link: what it points at, as it stands there."""


class Ran(msgspec.Struct, frozen=True):
    """A finished program."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Stdout as UTF-8, undecodable bytes replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last line of stderr (of stdout where that is empty) that says anything: what to quote to a user."""
        for stream in (self.stderr, self.stdout):
            lines = [line.strip() for line in stream.decode("utf-8", "replace").splitlines() if line.strip()]
            if lines:
                return lines[-1]
        return f"exit code {self.code}"


class Account(msgspec.Struct, frozen=True):
    """A line of /etc/passwd. `group` is the name of the primary group, or its decimal id without a name."""

    name: str
    uid: int
    gid: int
    group: str
    comment: str
    home: str
    shell: str


class AccountGroup(msgspec.Struct, frozen=True):
    """A line of /etc/group; `members` are those that the line lists."""

    name: str
    gid: int
    members: tuple[str, ...]


class Facts(msgspec.Struct, frozen=True):
    """What a stack may ask of a host: `@{host.facts.os.family}`. Cheap to read, no programs started.

    `os` has id (debian), family (debian), version (12), codename (bookworm), name (the pretty one); `kernel` has name and
    release; `cpu` has count and architecture; `memory` has total_bytes.
    """

    hostname: str
    fqdn: str
    os: dict[str, str]
    kernel: dict[str, str]
    cpu: dict[str, str | int]
    memory: dict[str, int]
    addresses: tuple[str, ...] = ()
    init: str = ""
    """`systemd`, or empty where something else is process 1."""
    packager: str = ""
    """`apt`, or empty where g8r knows no package manager here."""


class Host(Protocol):
    """One machine. Thread-safe. What is cached (accounts) is forgotten by the calls that may change it: `run` and the writers."""

    @property
    def privileged(self) -> bool:
        """Whether this agent may do what root may."""
        ...

    @property
    def user(self) -> str:
        """The account that this agent acts as."""
        ...

    def facts(self) -> Facts: ...

    def accounts(self) -> Mapping[str, Account]:
        """By name, from /etc/passwd."""
        ...

    def groups(self) -> Mapping[str, AccountGroup]:
        """By name, from /etc/group."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        timeout: float | None = None,
        changes: bool = True,
    ) -> Ran:
        """Run a program to its end. `env` is added to a clean one (PATH, HOME, LANG=C.UTF-8); `user` needs privilege.

        `changes=False` promises that the program only reads, so that caches stay; the fake host refuses a read-only call to a
        program that writes. A non-zero exit is no error here. Raises MissingProgramError, TimedOutError.
        """
        ...

    def stat(self, path: str) -> Stat | None:
        """lstat; None where nothing is there. A parent that may not be searched is a HostError, never None."""
        ...

    def follow(self, path: str) -> Stat | None:
        """stat: as `stat`, of what a link finally points at; None where that is missing."""
        ...

    def look(self, path: str, limit: int) -> tuple[Stat, bytes | None] | None:
        """`stat`, and with it the content of a regular file of at most `limit` bytes; None where nothing is there."""
        found = self.stat(path)
        if found is None:
            return None
        return found, self.read(path) if found.type == "file" and found.size <= limit else None

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The content of a regular file, at most `limit` bytes. Does not follow a link."""
        ...

    def checksum(self, path: str) -> str:
        """`value.digest` of a regular file's content, in bounded memory."""
        ...

    def fetch(self, digest: str) -> bytes:
        """A blob that travelled with the plan, by its digest (a large or binary `source`)."""
        ...

    def list(self, path: str) -> tuple[str, ...]:
        """The names in a directory, sorted."""
        ...

    def write(self, path: str, content: bytes, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        """Put a regular file at `path` in one step: beside it, with owner, mode and security context set, then renamed over.

        Never readable by others than the final mode allows, at no instant. owner and group None: those of the file that is
        replaced, else of the agent's user. Replaces a link itself, not what it points at; a directory is a HostError.
        """
        ...

    def make_directory(self, path: str, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        """Make one directory; its parent must exist."""
        ...

    def make_link(self, path: str, target: str, *, owner: str | None = None, group: str | None = None) -> None:
        """Put a symbolic link at `path` in one step, replacing a file or link there."""
        ...

    def set_attributes(self, path: str, *, mode: int | None = None, owner: str | None = None, group: str | None = None) -> None:
        """Change what is given of an existing path, without following a link."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, link or empty directory. One that is gone already is no error; a directory that is not empty is."""
        ...

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all that is in it, never following a link, never leaving its file system."""
        ...
