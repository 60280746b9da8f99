"""A machine in memory that keeps the promises of the Host port.

What it has beyond a real one: `snapshot` tells whether anything changed, `frozen` forbids changes, `fail_after` kills the agent
between two calls, `refuse` makes a call fail, `calls` is the log. Programs are functions (`fake_programs`); accounts are what its own
/etc/passwd and /etc/group say. An AssertionError from here is a bug of the caller: it wrote where it had promised to read.
"""

from __future__ import annotations

import copy
import posixpath
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import msgspec

from g8r.executor import fake_debian, refusals
from g8r.executor.accounts import Names, parse
from g8r.executor.fake_databases import Databases, check_thawed
from g8r.executor.fake_tree import Actor, Node, Tree
from g8r.host import Account, AccountGroup, Facts, Host, HostError, Ran, Stat
from g8r.value import digest


class Killed(BaseException):
    """The agent was killed here. Its clean-up does not run either: every later call raises this again, until `revive`."""


class Invocation(msgspec.Struct, frozen=True):
    """A program that was started."""

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str]
    cwd: str


def never(_argv: Sequence[str]) -> bool:
    return False


def always(_argv: Sequence[str]) -> bool:
    return True


class Program(msgspec.Struct, frozen=True):
    """`act` gets the host as the program's user sees it; a HostError out of it is the program's complaint, exit code 1."""

    act: Callable[[FakeHost, Invocation], Ran]
    reads: Callable[[Sequence[str]], bool] = never
    """Whether this argv only reads. If so, the program gets a frozen host."""


class Snapshot(msgspec.Struct, frozen=True):
    """All that a fake host is, at one moment. Equal snapshots mean that nothing changed."""

    nodes: Mapping[str, Node]
    databases: Mapping[str, object]

    def differences(self, other: Snapshot) -> tuple[str, ...]:
        """The paths and `database NAME`s that differ, sorted."""
        paths = {path for path in self.nodes.keys() | other.nodes.keys() if self.nodes.get(path) != other.nodes.get(path)}
        names = self.databases.keys() | other.databases.keys()
        changed = {f"database {name}" for name in names if self.databases.get(name) != other.databases.get(name)}
        return tuple(sorted(paths | changed))


class _Refusal(msgspec.Struct, frozen=True):
    message: str
    calls: frozenset[str]


_FIRST_SYSTEM = 60000  # uids from here on are not given to people


class FakeHost(Host):
    """`calls` holds (call, path or argv) of every call from outside, the last `remember` of them (all, where that is None)."""

    def __init__(
        self,
        user: str = "root",
        facts: Facts = fake_debian.FACTS,
        files: Mapping[str, str | bytes] | None = None,
        programs: Mapping[str, Program] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        remember: int | None = None,
    ) -> None:
        self.programs: dict[str, Program] = dict(programs or {})
        self.blobs: dict[str, bytes] = dict(blobs or {})
        self.calls: deque[tuple[str, str | tuple[str, ...]]] = deque(maxlen=remember)
        self._facts = facts
        self._values: dict[str, object] = {}
        self._refusals: dict[str, _Refusal] = {}
        self._left: int | None = None  # calls until the agent is killed
        self._freezes = 0
        self._inside = False  # the host as a program sees it: not logged, not killed half-way
        self._lock = threading.RLock()
        self._names: tuple[Node | None, Node | None, Names] = (None, None, parse(b"", b""))
        self._tree = fake_debian.tree()
        self._acting: tuple[Names | None, Actor] = (None, Actor(user, 0, 0, frozenset({0})))
        for path, content in sorted((files or {}).items()):
            self.place(path, content)
        if user != "root" and user not in self._known().accounts:
            self._add_user(user)
        self._user = user

    @classmethod
    def debian(
        cls,
        user: str = "root",
        facts: Facts = fake_debian.FACTS,
        files: Mapping[str, str | bytes] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        remember: int | None = None,
    ) -> FakeHost:
        """A booted Debian with every fake program there is, each at /usr/bin."""
        from g8r.executor.fake_programs import PROGRAMS  # noqa: PLC0415 - the programs need this file

        host = cls(user, facts, files, PROGRAMS, blobs, remember)
        host.place_directory("/run/systemd/system")
        for name in PROGRAMS:
            host.place(f"/usr/bin/{name}", "", mode=0o755)
        return host

    # ---- for tests: setting up, looking, breaking ----------------------------------------------------------------------------

    def place(self, path: str, content: str | bytes, *, mode: int = 0o644, owner: str = "root", group: str = "root") -> None:
        """Put a file with the directories that it needs, whoever the agent is."""
        raw = content.encode() if isinstance(content, str) else content
        self._grow(path, Node("file", mode, self._uid(owner), self._gid(group), raw))

    def place_directory(self, path: str, *, mode: int = 0o755, owner: str = "root", group: str = "root") -> None:
        self._grow(path, Node("directory", mode, self._uid(owner), self._gid(group)))

    def place_link(self, path: str, target: str, *, owner: str = "root", group: str = "root") -> None:
        self._grow(path, Node("link", 0o777, self._uid(owner), self._gid(group), target=target))

    @property
    def databases(self) -> MutableMapping[str, object]:
        """What programs know, by name: `dpkg`, `systemd`. Values are replaced, never edited in place."""
        return Databases(self._values, frozen=self._freezes > 0)

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(dict(self._tree.nodes), copy.deepcopy(self._values))

    def become(self, snapshot: Snapshot) -> None:
        """Be as the snapshot says, whatever the host was before."""
        with self._lock:
            self._tree = Tree(dict(snapshot.nodes))
            self._values = copy.deepcopy(dict(snapshot.databases))

    def copy(self) -> FakeHost:
        """Another machine just like this one, with an empty log and no faults."""
        with self._lock:
            twin = FakeHost(facts=self._facts, programs=self.programs, blobs=self.blobs, remember=self.calls.maxlen)
            twin._user, twin._acting = self._user, (None, self._actor())
            twin._tree, twin._values = self._tree.copy(), copy.deepcopy(self._values)
            return twin

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, every call that writes is an AssertionError."""
        self._freezes += 1
        try:
            yield
        finally:
            self._freezes -= 1

    def fail_after(self, calls: int) -> None:
        """Let so many calls happen; instead of the next one the agent is killed."""
        self._left = calls

    def revive(self) -> None:
        """The machine after the agent was killed, for a new agent."""
        self._left = None

    def refuse(self, what: str, message: str, calls: Collection[str] = ()) -> None:
        """Make calls on a path, or runs of a program, raise HostError(message): all, or those named (`("write",)` for a full disk)."""
        self._refusals[what] = _Refusal(message, frozenset(calls))

    def allow(self, what: str) -> None:
        """Take a `refuse` back."""
        self._refusals.pop(what, None)

    # ---- the port: reading ---------------------------------------------------------------------------------------------------

    @property
    def privileged(self) -> bool:
        return self._actor().uid == 0

    @property
    def user(self) -> str:
        return self._user

    def facts(self) -> Facts:
        with self._call("facts", ""):
            return self._facts

    def accounts(self) -> Mapping[str, Account]:
        with self._call("accounts", ""):
            return self._known().accounts

    def groups(self) -> Mapping[str, AccountGroup]:
        with self._call("groups", ""):
            return self._known().groups

    def stat(self, path: str) -> Stat | None:
        with self._call("stat", path):
            return self._stat(self._tree.get(path, self._actor(), "reading"))

    def follow(self, path: str) -> Stat | None:
        with self._call("follow", path):
            return self._stat(self._tree.followed(path, self._actor(), "reading"))

    def read(self, path: str, limit: int | None = None) -> bytes:
        with self._call("read", path):
            return self._tree.readable(path, self._actor()).content[:limit]

    def checksum(self, path: str) -> str:
        with self._call("checksum", path):
            return digest(self._tree.readable(path, self._actor()).content)

    def fetch(self, digest: str) -> bytes:
        with self._call("fetch", digest):
            if digest not in self.blobs:
                raise refusals.no_blob(digest)
            return self.blobs[digest]

    def list(self, path: str) -> tuple[str, ...]:
        with self._call("list", path):
            return self._tree.names(path, self._actor())

    # ---- the port: writing ---------------------------------------------------------------------------------------------------

    def write(self, path: str, content: bytes, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        with self._call("write", path, writes=True):
            actor = self._actor()
            there = self._tree.get(path, actor, "writing")
            replaced = there if there is not None and there.type == "file" else None
            node = self._owned(Node("file", mode, content=bytes(content)), replaced, owner, group)
            self._tree.place(path, node, actor, "writing")

    def make_directory(self, path: str, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        with self._call("make_directory", path, writes=True):
            node = self._owned(Node("directory", mode), None, owner, group)
            self._tree.make_directory(path, node, self._actor())

    def make_link(self, path: str, target: str, *, owner: str | None = None, group: str | None = None) -> None:
        with self._call("make_link", path, writes=True):
            node = self._owned(Node("link", 0o777, target=target), None, owner, group)
            self._tree.place(path, node, self._actor(), "linking")

    def set_attributes(self, path: str, *, mode: int | None = None, owner: str | None = None, group: str | None = None) -> None:
        with self._call("set_attributes", path, writes=True):
            doing, actor = "setting the attributes of", self._actor()
            before = self._tree.existing(path, actor, doing)
            if mode is not None and before.type == "link":
                raise refusals.link_mode(path)
            node = before if mode is None else msgspec.structs.replace(before, mode=mode)
            self._tree.change(path, self._owned(node, before, owner, group), actor)

    def remove(self, path: str) -> None:
        with self._call("remove", path, writes=True):
            self._tree.remove(path, self._actor())

    def remove_tree(self, path: str) -> None:
        with self._call("remove_tree", path, writes=True):
            self._tree.remove(path, self._actor(), whole=True)

    # ---- the port: programs --------------------------------------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - fake programs end at once
        changes: bool = True,
    ) -> Ran:
        words = tuple(argv)
        with self._call("run", words):
            program = self.programs.get(words[0]) or self.programs.get(posixpath.basename(words[0]))
            if program is None:
                raise refusals.no_program(words[0])
            reads = program.reads(words)
            check_thawed(not changes and not reads, f"{' '.join(words)} was run with changes=False, and it changes things")
            check_thawed(self._freezes > 0 and not reads, f"{' '.join(words)} was run")
            if user is not None and user != self._user and not self.privileged:
                raise refusals.other_user(words[0], user, self._user)
            inside = self._as_program(user or self._user, reads=reads)
            account = inside._known().accounts.get(inside._user)  # noqa: SLF001 - its own kind
            home = account.home if account else "/"
            clean = {"PATH": fake_debian.PATH, "HOME": home, "LANG": "C.UTF-8", **(env or {})}
            try:
                return program.act(inside, Invocation(words, stdin, clean, cwd or "/"))
            except HostError as error:
                return Ran(1, b"", f"{posixpath.basename(words[0])}: {error}\n".encode())

    def _as_program(self, user: str, *, reads: bool) -> FakeHost:
        """The same machine, as a program sees it that runs as `user`: not logged, never killed half-way."""
        if user != self._user and user not in self._known().accounts:
            raise refusals.no_user(user)
        inside = copy.copy(self)
        inside._user, inside._inside, inside._left = user, True, None  # noqa: SLF001 - its own kind
        inside._acting = (None, self._acting[1])  # noqa: SLF001 - its own kind
        inside._freezes = self._freezes + reads  # noqa: SLF001 - its own kind
        return inside

    # ---- within --------------------------------------------------------------------------------------------------------------

    def _call(self, name: str, on: str | tuple[str, ...], *, writes: bool = False) -> AbstractContextManager[object]:
        """Log a call, or break it; the lock to hold while it happens."""
        if not self._inside:
            if self._left is not None:
                if self._left <= 0:
                    raise Killed
                self._left -= 1
            self.calls.append((name, on))
        if writes:
            check_thawed(self._freezes > 0, f"{on} was changed by {name}")
        if self._refusals:
            refused = self._refusals.get(on if isinstance(on, str) else on[0])
            if refused is not None and (not refused.calls or name in refused.calls):
                raise HostError(refused.message)
        return self._lock

    def _actor(self) -> Actor:
        """Whom the agent acts as; where /etc/passwd no longer says it, as before."""
        names = self._known()
        if self._acting[0] is not names:
            account = names.accounts.get(self._user)
            actor = Actor(self._user, account.uid, account.gid, names.groups_of(self._user)) if account else self._acting[1]
            self._acting = (names, actor)
        return self._acting[1]

    def _known(self) -> Names:
        """/etc/passwd and /etc/group, parsed once for each content."""
        passwd, group = self._tree.nodes.get("/etc/passwd"), self._tree.nodes.get("/etc/group")
        if self._names[0] is not passwd or self._names[1] is not group:
            self._names = (passwd, group, parse(passwd.content if passwd else b"", group.content if group else b""))
        return self._names[2]

    def _stat(self, node: Node | None) -> Stat | None:
        if node is None:
            return None
        names = self._known()
        return Stat(node.type, node.mode, names.owner(node.uid), names.group(node.gid), node.size, node.target)

    def _owned(self, node: Node, there: Node | None, owner: str | None, group: str | None) -> Node:
        """The node with its owner and group: those given, else those of what is there, else the agent's."""
        actor = self._actor()
        uid = self._uid(owner) if owner is not None else there.uid if there else actor.uid
        gid = self._gid(group) if group is not None else there.gid if there else actor.gid
        return msgspec.structs.replace(node, uid=uid, gid=gid)

    def _uid(self, owner: str) -> int:
        uid = self._known().uid(owner)
        if uid is None:
            raise refusals.no_user(owner)
        return uid

    def _gid(self, group: str) -> int:
        gid = self._known().gid(group)
        if gid is None:
            raise refusals.no_group(group)
        return gid

    def _grow(self, path: str, node: Node) -> None:
        with self._lock:
            self._tree.grow(path, node)

    def _add_user(self, name: str) -> None:
        """An account with its own group and home, as adduser makes it."""
        passwd, group = (self._tree.nodes[path].content.decode() for path in ("/etc/passwd", "/etc/group"))
        uid = max([999, *(account.uid for account in self._known().accounts.values() if account.uid < _FIRST_SYSTEM)]) + 1
        self.place("/etc/passwd", f"{passwd}{name}:x:{uid}:{uid}::/home/{name}:/bin/bash\n")
        self.place("/etc/group", f"{group}{name}:x:{uid}:\n")
        self.place_directory(f"/home/{name}", owner=name, group=name)
