"""The kind `link`: one symbolic link. It is the link that is managed, never what it points at, which need not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, account_claims, normal_path, parent_claim
from g8r.host import FileType, Host, HostError
from g8r.module import AbsolutePath, Ahead, Module, Params, Problem, State, Wanted, Work, param
from g8r.modules.support import paths
from g8r.modules.support.paths import Ensure, Group, Owner


class LinkParams(Params, frozen=True, kw_only=True):
    path: Annotated[AbsolutePath, param("Where the link is on the host.", known=True, example="/etc/localtime")]
    target: Annotated[
        Annotated[str, Meta(pattern=r"^[^\x00]+$", extra={"expected": "a path"})] | None,
        param(
            "What the link points at, as it is to stand in the link: absolute, or relative to the directory of the link. It need not "
            "exist. Required unless `ensure = absent`.",
            example="/usr/share/zoneinfo/Europe/Berlin",
            stand_in="?",
        ),
    ] = None
    ensure: Ensure = "present"
    owner: Owner = None
    group: Group = None
    force: Annotated[
        bool,
        param(
            "Replace (or with `ensure = absent` remove) what is no link: a file, or a directory with all that is in it. Without it, "
            "such a thing in the way blocks the task."
        ),
    ] = False


class LinkState(State, frozen=True, kw_only=True):
    """What is at the path; `target` is None where that is no link."""

    path: str
    type: FileType = "link"
    target: str | None
    owner: str
    group: str


class LinkOutputs(msgspec.Struct, frozen=True):
    path: str
    target: str | None


class Link(Module[LinkParams, LinkState]):
    kind = "link"
    summary = "A symbolic link"
    Params: ClassVar[type[Any]] = LinkParams
    State: ClassVar[type[Any]] = LinkState
    Outputs: ClassVar[type[Any]] = LinkOutputs
    batch = 512

    def validate(self, params: LinkParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        if params.ensure == "present" and params.target is None:
            return (Problem("a link needs a target", "Say in target what it points at.", "target"),)
        return ()

    def identity(self, params: LinkParams) -> str:
        return normal_path(params.path)

    def claims(self, params: LinkParams) -> Claims:
        path = normal_path(params.path)
        if params.ensure == "absent":
            return Claims((f"path:{path}",), parent_claim(path), removes=True)
        return Claims((f"path:{path}",), parent_claim(path) + account_claims(params.owner, params.group))

    def read(self, wanted: Sequence[Wanted[LinkParams, LinkState]], host: Host) -> Sequence[LinkState | Absent | Unreadable]:
        return [_read(one.params, host) for one in wanted]

    def diff(self, params: LinkParams, before: LinkState | Absent, ahead: Ahead) -> Verdict[LinkState]:
        existing = None if isinstance(before, Absent) else before
        if existing is not None and existing.type != "link" and not params.force:
            verb = "remove" if params.ensure == "absent" else "replace"
            whole = " with all that is in it" if existing.type == "directory" else ""
            return Blocked(f"{existing.path} is a {paths.word(existing.type)}, not a link: set force = true to {verb} it{whole}")
        if params.ensure == "absent":
            return NoChange() if existing is None else Change("delete", existing, ABSENT)
        kept = existing if existing is not None and existing.type == "link" else None
        after = LinkState(
            path=normal_path(params.path),
            target=params.target,
            owner=params.owner or (kept.owner if kept else ahead.user),
            group=params.group or (kept.group if kept else ahead.group),
        )
        if after == before:
            return NoChange()
        refused = paths.refused(after.path, after.owner, ahead)
        if refused is None and kept is not None and kept.target == after.target:
            refused = paths.refused(after.path, kept.owner, ahead)
        if refused is not None:
            return refused
        if existing is None:
            return Change("create", ABSENT, after)
        because = () if kept else (f"a {paths.word(existing.type)} is in the way, and force is set",)
        return Change("update" if kept else "replace", existing, after, (), because)

    def remove(self, params: LinkParams, before: LinkState) -> Change[LinkState] | NoChange | Blocked:  # noqa: ARG002 the protocol's
        if before.type == "link":
            return Change("delete", before, ABSENT)
        what = paths.word(before.type)
        return Blocked(f"g8r made the link {before.path}, but a {what} is there now: remove that by hand, or forget the resource")

    def restore(
        self,
        params: LinkParams,  # noqa: ARG002 the protocol's
        before: LinkState | Absent,
        original: LinkState,
    ) -> Change[LinkState] | NoChange | Blocked:
        if before == original:
            return NoChange()
        if original.type != "link":
            return Blocked(f"{original.path} cannot be put back as it was: it was a {paths.word(original.type)}, which g8r did not keep")
        return Change("create" if isinstance(before, Absent) else "update", before, original)

    def apply(self, work: Sequence[Work[LinkParams, LinkState]], host: Host) -> Iterator[Applied[LinkState] | Failed]:
        for piece in work:
            try:
                _apply(piece.change, host)
                yield Applied()
            except HostError as error:
                yield Failed(str(error))


def _read(params: LinkParams, host: Host) -> LinkState | Absent | Unreadable:
    path = normal_path(params.path)
    try:
        stat = host.stat(path)
        if stat is None:
            return ABSENT
        owner = paths.spelled(stat.owner, params.owner, host)
        group = paths.spelled(stat.group, params.group, host, group=True)
    except HostError as error:
        return paths.unreadable(error)
    return LinkState(path=path, type=stat.type, target=stat.target, owner=owner, group=group)


def _apply(change: Change[LinkState], host: Host) -> None:
    before, after = change.before, change.after
    existing = None if isinstance(before, Absent) else before
    if isinstance(after, Absent):
        if existing is not None:
            _clear(existing, host)
        return
    if existing is not None and existing.target == after.target:
        owner = after.owner if after.owner != existing.owner else None
        group = after.group if after.group != existing.group else None
        host.set_attributes(after.path, owner=owner, group=group)
        return
    if existing is not None and existing.type == "directory":
        _clear(existing, host)
    host.make_link(after.path, after.target or "", owner=after.owner, group=after.group)


def _clear(existing: LinkState, host: Host) -> None:
    if existing.type == "directory":
        host.remove_tree(existing.path)
    else:
        host.remove(existing.path)
