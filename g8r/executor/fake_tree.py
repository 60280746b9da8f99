"""A file tree in memory that keeps the promises of the Host port: owners, modes, links, and who may do what.

Nodes are values, so a copy or a snapshot of the tree costs one dictionary. Keys are real paths: no component of a key but the last
is a link, so a parent that is a key of a directory needs no walk.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterator

import msgspec

from g8r.executor import refusals
from g8r.host import FileType, HostError

_FOLLOWED = 40  # links in one path, as in Linux
_OTHERS_WRITE = 0o022
_STICKY = 0o1000
_DIRECTORY_SIZE = 4096

READ, WRITE, SEARCH = 4, 2, 1


class Node(msgspec.Struct, frozen=True):
    """What is at a path. `content` is of a file, `target` of a link."""

    type: FileType
    mode: int
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    target: str | None = None

    @property
    def size(self) -> int:
        match self.type:
            case "directory":
                return _DIRECTORY_SIZE
            case "link":
                return len((self.target or "").encode())
            case _:
                return len(self.content)


class Actor(msgspec.Struct, frozen=True):
    """Who acts: uid 0 may do all."""

    name: str
    uid: int
    gid: int
    gids: frozenset[int]


class _LostError(Exception):
    """A directory is not there; `blocked` where something else is, on the way to it."""

    def __init__(self, *, blocked: bool) -> None:
        super().__init__()
        self.blocked = blocked


class Tree:
    def __init__(self, nodes: dict[str, Node] | None = None) -> None:
        self.nodes: dict[str, Node] = dict(nodes) if nodes else {"/": Node("directory", 0o755)}
        self._children: dict[str, set[str]] = {}
        for path in self.nodes:
            if path != "/":
                parent, name = posixpath.split(path)
                self._children.setdefault(parent, set()).add(name)

    def copy(self) -> Tree:
        return Tree(self.nodes)

    # ---- reading -------------------------------------------------------------------------------------------------------------

    def get(self, path: str, actor: Actor, doing: str) -> Node | None:
        """What lies at a path, not following a link there; None where nothing is, or a parent is missing."""
        real = self._real(path, actor, doing)
        return None if real is None else self.nodes.get(real)

    def followed(self, path: str, actor: Actor, doing: str) -> Node | None:
        for _ in range(_FOLLOWED):
            real = self._real(path, actor, doing)
            node = None if real is None else self.nodes.get(real)
            if real is None or node is None or node.target is None:
                return node
            path = posixpath.join(posixpath.dirname(real), node.target)
        raise refusals.refusal(errno.ELOOP, doing, path, actor.name)

    def existing(self, path: str, actor: Actor, doing: str) -> Node:
        node = self.get(path, actor, doing)
        if node is None:
            raise self._missing(path, actor, doing)
        return node

    def readable(self, path: str, actor: Actor) -> Node:
        """The regular file at a path."""
        node = self.existing(path, actor, "reading")
        if node.type == "link":
            raise refusals.refusal(errno.ELOOP, "reading", path, actor.name)
        if node.type != "file":
            raise refusals.not_a_file(path)
        if not _may(node, actor, READ):
            raise refusals.refusal(errno.EACCES, "reading", path, actor.name)
        return node

    def names(self, path: str, actor: Actor) -> tuple[str, ...]:
        real = self._directory(path, actor, "listing")
        if not _may(self.nodes[real], actor, READ):
            raise refusals.refusal(errno.EACCES, "listing", path, actor.name)
        return tuple(sorted(self._children.get(real, ())))

    def below(self, real: str) -> Iterator[str]:
        """All paths in a directory, deepest first."""
        for name in sorted(self._children.get(real, ())):
            path = posixpath.join(real, name)
            yield from self.below(path)
            yield path

    # ---- writing -------------------------------------------------------------------------------------------------------------

    def place(self, path: str, node: Node, actor: Actor, doing: str) -> None:
        """Put a file or link, replacing what is there unless it is a directory."""
        real = self._writable_slot(path, actor, doing)
        there = self.nodes.get(real)
        if there is not None and there.type == "directory":
            raise refusals.refusal(errno.EISDIR, doing, path, actor.name)
        if there is not None:
            self._check_sticky(real, there, path, actor, doing)
        self._put_new(real, node, path, actor, doing)

    def make_directory(self, path: str, node: Node, actor: Actor) -> None:
        real = self._writable_slot(path, actor, "making")
        if real in self.nodes:
            raise refusals.refusal(errno.EEXIST, "making", path, actor.name)
        self._put_new(real, node, path, actor, "making")

    def change(self, path: str, node: Node, actor: Actor) -> None:
        """Replace the attributes of what is there; `node` is what it becomes."""
        doing = "setting the attributes of"
        real = self._real(path, actor, doing)
        before = None if real is None else self.nodes.get(real)
        if real is None or before is None:
            raise self._missing(path, actor, doing)
        if node == before:
            return
        given = actor.gids | {before.gid}
        if actor.uid not in {0, before.uid} or not _may_give(node, actor, given):
            raise refusals.refusal(errno.EPERM, doing, path, actor.name)
        self.nodes[real] = node

    def remove(self, path: str, actor: Actor, *, whole: bool = False) -> None:
        """Remove what is there; a directory with something in it only `whole`."""
        if path == "/":
            raise refusals.root_removal()
        real = self._real(path, actor, "removing")
        node = None if real is None else self.nodes.get(real)
        if real is None or node is None:
            return
        if whole and node.type != "directory":
            raise refusals.refusal(errno.ENOTDIR, "removing", path, actor.name)
        if self._children.get(real) and not whole:
            raise refusals.refusal(errno.ENOTEMPTY, "removing", path, actor.name)
        for doomed in [*self.below(real), real]:
            if whole and self.nodes[doomed].type == "directory" and not _may(self.nodes[doomed], actor, READ):
                raise refusals.refusal(errno.EACCES, "removing", doomed, actor.name)
            parent = self.nodes[posixpath.dirname(doomed)]
            if not _may(parent, actor, WRITE | SEARCH):
                raise refusals.refusal(errno.EACCES, "removing", doomed, actor.name)
            self._check_sticky(doomed, self.nodes[doomed], doomed, actor, "removing")
            self._drop(doomed)

    def _put_new(self, real: str, node: Node, path: str, actor: Actor, doing: str) -> None:
        if not _may_give(node, actor, actor.gids):
            raise refusals.refusal(errno.EPERM, doing, path, actor.name)
        self.put(real, node)

    def put(self, real: str, node: Node) -> None:
        """Set a node at a real path, nobody asking; its parent must be a directory."""
        if real not in self.nodes:
            parent, name = posixpath.split(real)
            self._children.setdefault(parent, set()).add(name)
        self.nodes[real] = node

    def grow(self, path: str, node: Node) -> None:
        """Set a node with all directories that it needs, following links on the way, nobody asking."""
        parent, name = posixpath.split(path)
        self.put(posixpath.join(self._grown(parent), name), node)

    def _grown(self, path: str) -> str:
        there = self.nodes.get(path)
        if there is None:
            parent, name = posixpath.split(path)
            real = posixpath.join(self._grown(parent), name)
            if real not in self.nodes:
                self.put(real, Node("directory", 0o755))
                return real
            path, there = real, self.nodes[real]
        if there.target is not None:
            return self._grown(posixpath.normpath(posixpath.join(posixpath.dirname(path), there.target)))
        return path

    def _drop(self, real: str) -> None:
        parent, name = posixpath.split(real)
        del self.nodes[real]
        self._children[parent].discard(name)
        self._children.pop(real, None)

    # ---- paths ---------------------------------------------------------------------------------------------------------------

    def _real(self, path: str, actor: Actor, doing: str) -> str | None:
        """A path with the links in its parents followed; None where a parent is missing or no directory."""
        if path == "/":
            return path
        parent, name = posixpath.split(path)
        try:
            if name in {"", ".", ".."}:
                return self._walk(path, actor, doing, path)
            return posixpath.join(parent if self._is_plain(parent, actor) else self._walk(parent, actor, doing, path), name)
        except _LostError:
            return None

    def _is_plain(self, parent: str, actor: Actor) -> bool:
        node = self.nodes.get(parent)
        return actor.uid == 0 and node is not None and node.type == "directory"

    def _walk(self, directory: str, actor: Actor, doing: str, path: str) -> str:
        """The real path of a directory on the way to `path`, every step allowed. Raises _LostError."""
        current, pending, links = "/", [part for part in reversed(directory.split("/")) if part], 0
        while pending:
            here = self.nodes[current]
            if not _may(here, actor, SEARCH):
                raise refusals.refusal(errno.EACCES, doing, path, actor.name)
            part = pending.pop()
            if part == ".":
                continue
            following = posixpath.dirname(current) if part == ".." else posixpath.join(current, part)
            node = self.nodes.get(following)
            if node is None or node.type not in ("directory", "link"):
                raise _LostError(blocked=node is not None)
            if node.target is not None:
                links += 1
                self._check_trusted(following, node, here, actor, doing, path)
                if links > _FOLLOWED:
                    raise refusals.refusal(errno.ELOOP, doing, path, actor.name)
                pending.extend(part for part in reversed(node.target.split("/")) if part)
                current = "/" if node.target.startswith("/") else current
            else:
                current = following
        if not _may(self.nodes[current], actor, SEARCH):
            raise refusals.refusal(errno.EACCES, doing, path, actor.name)
        return current

    @staticmethod
    def _check_trusted(link: str, node: Node, holder: Node, actor: Actor, doing: str, path: str) -> None:
        trusted = {0, actor.uid}
        if node.uid not in trusted or holder.uid not in trusted or holder.mode & _OTHERS_WRITE:
            raise refusals.planted(doing, path, link)

    def _directory(self, path: str, actor: Actor, doing: str) -> str:
        real = self._real(path, actor, doing)
        node = None if real is None else self.nodes.get(real)
        if real is None or node is None:
            raise self._missing(path, actor, doing)
        if node.type != "directory":
            raise refusals.refusal(errno.ELOOP if node.type == "link" else errno.ENOTDIR, doing, path, actor.name)
        return real

    def _writable_slot(self, path: str, actor: Actor, doing: str) -> str:
        """The real path to put something at; its parent is there and the actor may write in it."""
        if path == "/":
            raise refusals.refusal(errno.EISDIR, doing, path, actor.name)
        real = self._real(path, actor, doing)
        holder = None if real is None else self.nodes.get(posixpath.dirname(real))
        if real is None or holder is None or holder.type != "directory":
            raise self._lost(path, actor, doing)
        if not _may(holder, actor, WRITE | SEARCH):
            raise refusals.refusal(errno.EACCES, doing, path, actor.name)
        return real

    def _lost(self, path: str, actor: Actor, doing: str) -> HostError:
        """Why the parent of a path cannot be had."""
        if self._is_blocked(path, actor, doing):
            return refusals.refusal(errno.ENOTDIR, doing, path, actor.name)
        return refusals.no_parent(doing, path, posixpath.dirname(path))

    def _missing(self, path: str, actor: Actor, doing: str) -> HostError:
        number = errno.ENOTDIR if self._is_blocked(path, actor, doing) else errno.ENOENT
        return refusals.refusal(number, doing, path, actor.name)

    def _is_blocked(self, path: str, actor: Actor, doing: str) -> bool:
        """Whether there is something on the way, and it is no directory."""
        try:
            self._walk(posixpath.dirname(path), actor, doing, path)
        except _LostError as error:
            return error.blocked
        return False

    def _check_sticky(self, real: str, node: Node, path: str, actor: Actor, doing: str) -> None:
        holder = self.nodes[posixpath.dirname(real)]
        if holder.mode & _STICKY and actor.uid not in {0, node.uid, holder.uid}:
            raise refusals.refusal(errno.EPERM, doing, path, actor.name)


def _may(node: Node, actor: Actor, wish: int) -> bool:
    if actor.uid == 0:
        return True
    if actor.uid == node.uid:
        granted = node.mode >> 6
    elif node.gid in actor.gids:
        granted = node.mode >> 3
    else:
        granted = node.mode
    return granted & wish == wish


def _may_give(node: Node, actor: Actor, gids: frozenset[int]) -> bool:
    """Whether the actor may make a node belong to whom it says: root may; others only to themselves, and to these groups."""
    return actor.uid == 0 or (node.uid == actor.uid and node.gid in gids)
