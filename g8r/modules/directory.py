"""The kind `directory`: one directory and its attributes; with `recurse`, the attributes of all below it as well.

A directory that is not empty is never removed unless `force` says so, neither by `ensure = absent` nor when its task goes. What is to
be removed from it by other tasks of the same plan counts as being there: such a directory goes with the next run, or by force.

`recurse` never follows a link and changes no link. It fights with other tasks that give something below another owner or mode.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, account_claims, normal_path, parent_claim
from g8r.host import FileType, Host, HostError, Stat
from g8r.module import AbsolutePath, Ahead, Mode, Module, Params, Problem, State, Wanted, Work, mode_text, param, parse_mode
from g8r.modules.support import paths
from g8r.modules.support.paths import Ensure, Follow, Group, Owner

NEW_MODE: Final = "0755"
_EXECUTE: Final = 0o111


class DirectoryParams(Params, frozen=True, kw_only=True):
    path: Annotated[AbsolutePath, param("The directory on the host.", known=True, example="/srv/app")]
    ensure: Ensure = "present"
    mode: Annotated[
        Mode | None,
        param(
            "The permission bits, octal and in quotes. Left out: what is there keeps its mode, what is new gets 0755.",
            known=True,
            example="0750",
        ),
    ] = None
    owner: Owner = None
    group: Group = None
    recurse: Annotated[
        bool,
        param(
            "Give all that is below the same owner and group, and mode: directories `mode`, files `file_mode`. Each path that deviates "
            "is named in the plan. What links point at is left alone, and so are the links.",
            known=True,
        ),
    ] = False
    file_mode: Annotated[
        Mode | None,
        param(
            "With `recurse`, the mode of the files below. Left out: `mode`, with its execute bits only for files that their owner may "
            "execute already (as `X` of chmod).",
            known=True,
            example="0640",
        ),
    ] = None
    follow: Follow = False
    force: Annotated[
        bool,
        param(
            "Remove the directory though there is something in it, when it shall be absent or its task is gone; and put a directory in "
            "place of a file or link. Without it, either is blocked.",
        ),
    ] = False


class DirectoryState(State, frozen=True, kw_only=True):
    """What is at the path.

    deviating: with `recurse`, what below has other attributes than wanted, as `MODE OWNER:GROUP PATH`, sorted by path.
    entries: how many names are in it, only where it shall be absent.
    """

    path: str
    type: FileType = "directory"
    mode: str
    owner: str
    group: str
    deviating: tuple[str, ...] = ()
    entries: int | None = None


class DirectoryOutputs(msgspec.Struct, frozen=True):
    path: str
    mode: str
    owner: str
    group: str


class Directory(Module[DirectoryParams, DirectoryState]):
    kind = "directory"
    summary = "A directory: owner, group and mode, of all below too where asked"
    Params: ClassVar[type[Any]] = DirectoryParams
    State: ClassVar[type[Any]] = DirectoryState
    Outputs: ClassVar[type[Any]] = DirectoryOutputs
    batch = 512

    def validate(self, params: DirectoryParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        problems: tuple[Problem, ...] = ()
        if params.recurse and params.mode is None and params.file_mode is None and params.owner is None and params.group is None:
            problems += (Problem("recurse has nothing to set", "Give mode, file_mode, owner or group, or remove recurse.", "recurse"),)
        if params.file_mode is not None and not params.recurse:
            problems += (Problem("file_mode means nothing without recurse", "Add recurse = true, or remove file_mode.", "file_mode"),)
        if params.ensure == "absent" and normal_path(params.path) == "/":
            problems += (Problem("/ cannot be absent", "Give the path of a directory below it.", "path"),)
        return problems

    def identity(self, params: DirectoryParams) -> str:
        return normal_path(params.path)

    def claims(self, params: DirectoryParams) -> Claims:
        path = normal_path(params.path)
        if params.ensure == "absent":
            return Claims((f"path:{path}",), parent_claim(path), removes=True)
        return Claims((f"path:{path}",), parent_claim(path) + account_claims(params.owner, params.group))

    def read(self, wanted: Sequence[Wanted[DirectoryParams, DirectoryState]], host: Host) -> Sequence[DirectoryState | Absent | Unreadable]:
        return [_read(one.params, host) for one in wanted]

    def diff(self, params: DirectoryParams, before: DirectoryState | Absent, ahead: Ahead) -> Verdict[DirectoryState]:
        existing = None if isinstance(before, Absent) else before
        if params.ensure == "absent":
            return _diff_absent(params, existing)
        if existing is not None and existing.type != "directory" and not params.force:
            return _in_the_way(existing)
        kept = existing if existing is not None and existing.type == "directory" else None
        after = DirectoryState(
            path=normal_path(params.path),
            mode=params.mode.zfill(4) if params.mode else kept.mode if kept else NEW_MODE,
            owner=params.owner or (kept.owner if kept else ahead.user),
            group=params.group or (kept.group if kept else ahead.group),
        )
        if after == before:
            return NoChange()
        refused = paths.refused(after.path, after.owner, ahead) or (paths.refused(after.path, kept.owner, ahead) if kept else None)
        return refused or _change(existing, after)

    def remove(self, params: DirectoryParams, before: DirectoryState) -> Change[DirectoryState] | NoChange | Blocked:  # noqa: ARG002 the protocol's
        if before.type == "directory":
            return Change("delete", before, ABSENT)
        what = paths.word(before.type)
        return Blocked(f"g8r made the directory {before.path}, but a {what} is there now: remove that by hand, or forget the resource")

    def restore(
        self,
        params: DirectoryParams,  # noqa: ARG002 the protocol's
        before: DirectoryState | Absent,
        original: DirectoryState,
    ) -> Change[DirectoryState] | NoChange | Blocked:
        if before == original:
            return NoChange()
        if original.type != "directory" or original.entries:
            what = f"held {original.entries} entries" if original.entries else f"was a {paths.word(original.type)}"
            return Blocked(f"{original.path} cannot be put back as it was: it {what}, and g8r kept nothing of that")
        return Change("create" if isinstance(before, Absent) else "update", before, original)

    def apply(self, work: Sequence[Work[DirectoryParams, DirectoryState]], host: Host) -> Iterator[Applied[DirectoryState] | Failed]:
        for piece in work:
            try:
                yield _apply(piece, host)
            except HostError as error:
                yield Failed(str(error))


# ---- read -------------------------------------------------------------------------------------------------------------------


def _read(params: DirectoryParams, host: Host) -> DirectoryState | Absent | Unreadable:
    path, absent = normal_path(params.path), params.ensure == "absent"
    try:
        place, stat = paths.locate(path, host, follow=params.follow and not absent)
        if stat is None:
            return ABSENT
        inside = stat.type == "directory"
        return DirectoryState(
            path=path,
            type=stat.type,
            mode=mode_text(stat.mode),
            owner=paths.spelled(stat.owner, params.owner, host),
            group=paths.spelled(stat.group, params.group, host, group=True),
            deviating=_deviating(place, params, host) if inside and params.recurse and not absent else (),
            entries=len(host.list(place)) if inside and absent else None,
        )
    except HostError as error:
        return paths.unreadable(error)


class _Attributes(msgspec.Struct, frozen=True):
    """What `recurse` wants of all below: names, not ids."""

    mode: int | None
    file_mode: int | None
    owner: str | None
    group: str | None

    def of(self, found: Stat) -> tuple[int, str, str]:
        """Mode, owner and group that something should have; a link and what is no file or directory keeps its mode."""
        mode = found.mode
        if found.type == "directory" and self.mode is not None:
            mode = self.mode
        elif found.type == "file" and self.file_mode is not None:
            mode = self.file_mode
        elif found.type == "file" and self.mode is not None:
            mode = self.mode if found.mode & 0o100 else self.mode & ~_EXECUTE
            mode &= 0o777
        return mode, self.owner or found.owner, self.group or found.group


def _attributes(params: DirectoryParams, host: Host) -> _Attributes:
    return _Attributes(
        parse_mode(params.mode) if params.mode else None,
        parse_mode(params.file_mode) if params.file_mode else None,
        paths.named(params.owner, host) if params.owner else None,
        paths.named(params.group, host, group=True) if params.group else None,
    )


def _deviating(place: str, params: DirectoryParams, host: Host) -> tuple[str, ...]:
    wanted = _attributes(params, host)
    return tuple(_line(name, found) for name, found in _below(place, host) if wanted.of(found) != (found.mode, found.owner, found.group))


def _below(place: str, host: Host) -> Iterator[tuple[str, Stat]]:
    """All that is below a directory but links, by relative path, in the order of paths."""
    pending = [(name, posixpath.join(place, name)) for name in reversed(host.list(place))]
    while pending:
        name, path = pending.pop()
        found = host.stat(path)
        if found is None or found.type == "link":
            continue
        yield name, found
        if found.type == "directory":
            pending += [(f"{name}/{entry}", posixpath.join(path, entry)) for entry in reversed(host.list(path))]


def _line(name: str, found: Stat) -> str:
    return f"{mode_text(found.mode)} {found.owner}:{found.group} {name}"


def _parsed(line: str) -> tuple[str, int, str, str]:
    mode, owners, name = line.split(" ", 2)
    owner, _, group = owners.partition(":")
    return name, parse_mode(mode), owner, group


# ---- diff -------------------------------------------------------------------------------------------------------------------


def _diff_absent(params: DirectoryParams, existing: DirectoryState | None) -> Verdict[DirectoryState]:
    if existing is None:
        return NoChange()
    if existing.type == "directory" and existing.entries and not params.force:
        some = f"{existing.entries} entries" if existing.entries > 1 else "an entry"
        return Blocked(f"{existing.path} is not empty ({some}): empty it first, or set force = true to remove it with all that is in it")
    if existing.type not in ("directory", "link") and not params.force:
        return Blocked(f"{existing.path} is a {paths.word(existing.type)}, not a directory: set force = true to remove it all the same")
    return Change("delete", existing, ABSENT)


def _change(existing: DirectoryState | None, after: DirectoryState) -> Change[DirectoryState]:
    if existing is None:
        return Change("create", ABSENT, after)
    if existing.type != "directory":
        return Change("replace", existing, after, (), (f"a {paths.word(existing.type)} is in the way, and force is set",))
    return Change("update", existing, after)


def _in_the_way(existing: DirectoryState) -> Blocked:
    advice = "set force = true to replace it"
    if existing.type == "link":
        advice = "set follow = true to manage what it points at, or force = true to replace it"
    return Blocked(f"{existing.path} is a {paths.word(existing.type)}, not a directory: {advice}")


# ---- apply ------------------------------------------------------------------------------------------------------------------


def _apply(piece: Work[DirectoryParams, DirectoryState], host: Host) -> Applied[DirectoryState] | Failed:
    params, before, after = piece.params, piece.change.before, piece.change.after
    existing = None if isinstance(before, Absent) else before
    path, _ = paths.locate(normal_path(params.path), host, follow=params.follow and params.ensure == "present")
    if isinstance(after, Absent):
        return Applied() if existing is None else _clear(path, existing, params, host)
    if existing is None or existing.type != "directory":
        if existing is not None:
            host.remove(path)
        host.make_directory(path, mode=parse_mode(after.mode), owner=after.owner, group=after.group)
        return Applied()
    for name, mode, owner, group in _settled(path, params, existing, after, host):
        host.set_attributes(posixpath.join(path, name), mode=mode, owner=owner, group=group)
    paths.settle(path, existing, after, host)
    return Applied()


def _clear(path: str, existing: DirectoryState, params: DirectoryParams, host: Host) -> Applied[DirectoryState] | Failed:
    if existing.type != "directory":
        host.remove(path)
        return Applied()
    if params.force:
        host.remove_tree(path)
        return Applied()
    left = host.list(path)
    if left:
        names = ", ".join(left[:3]) + (", ..." if len(left) > 3 else "")  # noqa: PLR2004 as many as are named
        return Failed(f"{path} is not empty ({names}), so it is not removed: move that away, set force = true, or forget the resource")
    host.remove(path)
    return Applied()


def _settled(
    path: str, params: DirectoryParams, existing: DirectoryState, after: DirectoryState, host: Host
) -> Iterator[tuple[str, int, str, str]]:
    """What to set below: what deviates becomes as wanted, or as `after` records it, in a restore."""
    recorded = {name: (mode, owner, group) for name, mode, owner, group in map(_parsed, after.deviating)}
    wanted = _attributes(params, host)
    names = {_parsed(line)[0] for line in existing.deviating} | recorded.keys()
    for name in sorted(names):
        found = host.stat(posixpath.join(path, name))
        if found is not None:
            yield name, *(recorded.get(name) or wanted.of(found))
