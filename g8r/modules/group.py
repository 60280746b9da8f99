"""The kind `group`: a group of /etc/group.

Who is in it is not said here: memberships are the param `groups` of `user`, so that each has one owner. A group that is still some
user's primary one is not removed; the host says whose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from g8r.change import ABSENT, Absent, Applied, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims
from g8r.host import Host, HostError
from g8r.module import AccountName, Ahead, Module, Params, Problem, State, Wanted, Work, param
from g8r.modules.support.accounts import AccountNumber
from g8r.modules.support.programs import failed, needs_root


class GroupParams(Params, frozen=True, kw_only=True):
    name: Annotated[AccountName, param("The group; the task's name where it is left out.", known=True)]
    ensure: Annotated[Literal["present", "absent"], param("Whether it shall be there.", known=True)] = "present"
    gid: Annotated[AccountNumber | None, param("Its number. Left out, the host chooses one.", example=2000)] = None
    system: Annotated[
        bool, param("Choose the number of a new group from those for system accounts. Of a group that exists it means nothing.")
    ] = False


class GroupState(State, frozen=True, kw_only=True):
    """gid is None only in a prediction, where it is unknown."""

    name: str
    gid: int | None


class GroupOutputs(msgspec.Struct, frozen=True):
    name: str
    gid: int | None


class Group(Module[GroupParams, GroupState]):
    kind = "group"
    summary = "A group of accounts"
    Params: ClassVar[type[Any]] = GroupParams
    State: ClassVar[type[Any]] = GroupState
    Outputs: ClassVar[type[Any]] = GroupOutputs
    natural = "name"
    batch = 50

    def validate(self, params: GroupParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        if params.name.isdigit():
            return (Problem(f"{params.name} is a number, not a name", "Name the group, and give the number as gid.", "name"),)
        if params.ensure == "absent" and params.gid is not None:
            return (Problem("gid says what a group has that shall be absent", "Remove gid, or ensure.", "gid"),)
        return ()

    def identity(self, params: GroupParams) -> str:
        return params.name

    def claims(self, params: GroupParams) -> Claims:
        return Claims((f"group:{params.name}",), locks=("lock:passwd",), removes=params.ensure == "absent")

    def read(self, wanted: Sequence[Wanted[GroupParams, GroupState]], host: Host) -> Sequence[GroupState | Absent | Unreadable]:
        try:
            groups = host.groups()
        except HostError as error:
            return [Unreadable(str(error))] * len(wanted)
        found = [groups.get(each.params.name) for each in wanted]
        return [ABSENT if group is None else GroupState(name=group.name, gid=group.gid) for group in found]

    def diff(self, params: GroupParams, before: GroupState | Absent, ahead: Ahead) -> Verdict[GroupState]:
        refused = needs_root(ahead, "manage groups")
        if params.ensure == "absent":
            return NoChange() if isinstance(before, Absent) else refused or Change("delete", before, ABSENT)
        if isinstance(before, Absent):
            unknown = ("gid",) if params.gid is None else ()
            return refused or Change("create", before, GroupState(name=params.name, gid=params.gid), unknown)
        if params.gid is None or params.gid == before.gid:
            return NoChange()
        because = f"files of group {before.gid} keep that number"
        return refused or Change("update", before, GroupState(name=params.name, gid=params.gid), because=(because,))

    def apply(self, work: Sequence[Work[GroupParams, GroupState]], host: Host) -> Iterator[Applied[GroupState] | Failed]:
        for each in work:
            argv = _argv(each)
            ran = host.run(argv)
            yield Applied() if ran.code == 0 else failed(argv, ran)


def _argv(work: Work[GroupParams, GroupState]) -> tuple[str, ...]:
    name, before, after = work.params.name, work.change.before, work.change.after
    if isinstance(after, Absent):
        return ("groupdel", name)
    number = () if after.gid is None or "gid" in work.change.unknown else ("--gid", str(after.gid))
    if isinstance(before, Absent):
        return ("groupadd", *(("--system",) if work.params.system else ()), *number, name)
    return ("groupmod", *number, name)
