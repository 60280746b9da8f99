"""The kind `package`: a package of the host's package manager; apt so far.

Choices where two people would differ:

- A package that a task names is marked as manually installed, even where it came as a dependency: nobody's clean-up takes it away.
- `version` is exact, or a glob (`1.22.*`) that any installed version may match. Without it any installed version will do.
- A plan foretells the version, what is pulled in and what must go, by simulating the transaction. Lists that are missing or older than
  a day foretell no version; apply fetches them, once, before it installs anything. Planning never does.
- Packages that are ready together go in one transaction, simulated again before it is made: whoever cannot go in fails alone, and if
  packages would be removed that the plan did not tell of, or the version that it foretold is gone, nothing is done. Simulating takes
  most of the time that a package takes, so planning does it once for all that come and once for all that go, and so does apply.
- A removal looks at what is installed alone: it installs nothing in the place of what goes.
- What a transaction pulled in for a package is purged with that package, as far as it is still automatic and nothing else needs it.
- `purge` left out: a package that g8r installed takes its configuration files along, one that `ensure = "absent"` removes does not.
- Configuration files that somebody edited are kept on upgrades. Recommended packages are not installed unless `recommends` says so.
- A held package is not touched unless the task says what it wants of `hold`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Undecided, Unreadable, Verdict
from g8r.claim import Claims
from g8r.host import Host, HostError
from g8r.module import Ahead, Module, Params, Problem, State, Wanted, Work, param
from g8r.modules.support import apt, apt_batches
from g8r.modules.support.apt import Installed
from g8r.modules.support.programs import needs_root

_NO_APT: Final = "packages need apt, and this host has no package manager that g8r knows"

Version: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9*?\[][A-Za-z0-9.+:~*?\[\]-]*$", extra={"expected": "a version or a glob such as 1.22.*"})
]


class PackageParams(Params, frozen=True, kw_only=True):
    name: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?$", extra={"expected": "a package name"}),
        param("The package; the task's name where it is left out.", known=True, example="nginx"),
    ]
    ensure: Annotated[
        Literal["present", "absent", "latest"],
        param("`latest` upgrades whenever the package lists offer a newer version.", known=True),
    ] = "present"
    version: Annotated[
        Version | None, param("The version, or a glob that it must match. Left out, any will do.", known=True, example="1.22.*")
    ] = None
    hold: Annotated[bool | None, param("Whether upgrades by others leave it alone. Left out, that is left as it is.")] = None
    recommends: Annotated[bool, param("Whether to install the packages that it recommends, too.", known=True)] = False
    purge: Annotated[
        bool | None,
        param("Whether its configuration files go when it is removed. Left out: yes if g8r installed it, else no.", known=True),
    ] = None


class PackageState(State, frozen=True, kw_only=True):
    """status is `broken` where an installation was never finished, `residual` where a purge has only configuration files left to remove.

    newest is None unless the task wants the latest version: then whether it is that, and None where the lists are too old to tell.
    """

    name: str
    version: str
    held: bool = False
    manual: bool = True
    status: Literal["installed", "broken", "residual"] = "installed"
    newest: bool | None = None


class PackageOutputs(msgspec.Struct, frozen=True):
    name: str
    version: str


class Package(Module[PackageParams, PackageState]):
    kind = "package"
    summary = "A package of the host's package manager (apt): present, absent, latest, held"
    Params: ClassVar[type[Any]] = PackageParams
    State: ClassVar[type[Any]] = PackageState
    Outputs: ClassVar[type[Any]] = PackageOutputs
    natural = "name"
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {"hold": ("held",)}
    batch = 200
    rehearses_itself = True

    def validate(self, params: PackageParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        problems = []
        if params.version is not None and params.ensure != "present":
            detail = "Remove one of them. A glob such as 1.22.* takes any version that matches."
            problems.append(Problem(f"version and ensure = '{params.ensure} contradict each other", detail, "version"))
        if params.hold and params.ensure == "absent":
            problems.append(Problem("a package that shall be absent cannot be held", "Remove hold, or ensure.", "hold"))
        return problems

    def identity(self, params: PackageParams) -> str:
        return params.name

    def claims(self, params: PackageParams) -> Claims:
        return Claims((f"package:{params.name}",), locks=("lock:dpkg",), removes=params.ensure == "absent")

    def read(self, wanted: Sequence[Wanted[PackageParams, PackageState]], host: Host) -> Sequence[PackageState | Absent | Unreadable]:
        if host.facts().packager != "apt":
            return [Unreadable(_NO_APT)] * len(wanted)
        try:
            found = apt.installed([each.params.name for each in wanted], host)
            automatic = apt.automatic(host) if found else frozenset()
            latest = {each.params.name for each in wanted if each.params.ensure == "latest"}
            newest = _newest({name: found[name].version for name in sorted(latest & found.keys())}, host)
        except HostError as error:
            return [Unreadable(str(error))] * len(wanted)
        return [_state(each.params, found.get(each.params.name), automatic, newest) for each in wanted]

    def diff(self, params: PackageParams, before: PackageState | Absent, ahead: Ahead) -> Verdict[PackageState]:
        refused = needs_root(ahead, "manage packages")
        if params.ensure == "absent":
            return NoChange() if isinstance(before, Absent) else refused or _removal(params, before, purge=params.purge is True)
        exact = params.version if params.version is not None and not _is_glob(params.version) else None
        newest = True if params.ensure == "latest" else None
        if isinstance(before, Absent):
            after = PackageState(name=params.name, version=exact or "", held=bool(params.hold), newest=newest)
            return refused or Change("create", before, after, () if exact else ("version",))
        moves = not _fits(params, before)
        if moves and before.held and params.hold is None:
            return Blocked(
                f"{params.name} is held at {before.version} on this host: "
                "set hold = false to release it, or hold = true to hold what is new"
            )
        after = PackageState(
            name=before.name,
            version=(exact or "") if moves else before.version,
            held=before.held if params.hold is None else params.hold,
            newest=newest,
        )
        unknown = ("version",) if moves and not exact else ()
        if after == before:
            return NoChange()
        return refused or Change("update", before, after, unknown)

    def remove(self, params: PackageParams, before: PackageState) -> Change[PackageState] | Blocked:
        return _removal(params, before, purge=params.purge is not False)

    def restore(
        self,
        params: PackageParams,
        before: PackageState | Absent,
        original: PackageState,
    ) -> Change[PackageState] | NoChange | Blocked:
        """The version, the marks and the hold that it had; not that its installation was never finished."""
        if original.status == "residual":
            return Blocked(f"the configuration files that were left of {original.name} are not kept by g8r; set on_remove = 'forget")
        newest = None if isinstance(before, Absent) else before.newest
        after = msgspec.structs.replace(original, status="installed", newest=newest)
        if after == before:
            return NoChange()
        unknown = ("newest",) if params.ensure == "latest" else ()
        return Change("create" if isinstance(before, Absent) else "update", before, after, unknown)

    def rehearse(
        self, work: Sequence[Work[PackageParams, PackageState]], host: Host
    ) -> Sequence[Change[PackageState] | Undecided[PackageState] | Blocked]:
        """The version that comes, what is pulled in, upgraded and removed with it; blocked where apt refuses."""
        return apt_batches.rehearse([_order(each) for each in work], [each.change for each in work], host)

    def apply(self, work: Sequence[Work[PackageParams, PackageState]], host: Host) -> Iterator[Applied[PackageState] | Failed]:
        orders = [_order(each) for each in work]
        done = apt_batches.carry_out(orders, [each.change.because for each in work], host)
        read = self.read([Wanted(each.params) for each in work], host)
        for each, result, state in zip(work, done, read, strict=True):
            yield _judged(each, result, state)


def _is_glob(version: str) -> bool:
    return any(letter in version for letter in "*?[")


def _fits(params: PackageParams, before: PackageState) -> bool:
    if params.ensure == "latest":
        return before.newest is True
    return params.version is None or fnmatchcase(before.version, params.version)


def _newest(found: Mapping[str, str], host: Host) -> Mapping[str, bool | None]:
    """For each installed package and its version, whether that is what apt would have; None where the lists are too old to tell."""
    if not found:
        return {}
    if apt.lists_age(host) != "fresh":
        return dict.fromkeys(found)
    offered = apt.candidates(list(found), apt.Oracle(host))
    return {name: offered.get(name, version) == version for name, version in found.items()}


def _state(
    params: PackageParams, found: Installed | None, automatic: frozenset[str], newest: Mapping[str, bool | None]
) -> PackageState | Absent:
    if found is None or (found.status == "residual" and not (params.ensure == "absent" and params.purge)):
        return ABSENT
    return PackageState(
        name=params.name,
        version=found.version,
        held=found.held,
        manual=found.name not in automatic,
        status=found.status,
        newest=newest.get(params.name),
    )


def _removal(params: PackageParams, before: PackageState, *, purge: bool) -> Change[PackageState] | Blocked:
    if before.held and params.hold is None:
        return Blocked(f"{before.name} is held on this host: set hold = false, or release it with `apt-mark unhold {before.name}`")
    return Change("delete", before, ABSENT, because=("its configuration files are removed, too",) if purge else ())


def _order(work: Work[PackageParams, PackageState]) -> apt_batches.Order:
    """What apt is to be told, of a change: `after` alone says what is wanted, params only how to ask for what is not known."""
    params, before, after = work.params, work.change.before, work.change.after
    held = not isinstance(before, Absent) and before.held
    if isinstance(after, Absent):
        purge = params.purge is True if params.ensure == "absent" else params.purge is not False
        return apt_batches.Order(name=params.name, act="purge" if purge else "remove", was_held=held, pulled_in=work.pulled_in)
    moves = isinstance(before, Absent) or before.version != after.version or "version" in work.change.unknown
    broken = not isinstance(before, Absent) and before.status != after.status
    return apt_batches.Order(
        name=params.name,
        act="install" if moves or broken else "mark",
        version=(params.version or "") if "version" in work.change.unknown else after.version if moves else "",
        pinned=not isinstance(before, Absent) and ("version" not in work.change.unknown or params.version is not None),
        recommends=params.recommends,
        was_held=held,
        hold=after.held,
        manual=after.manual,
        may_change_sources=any(claim.startswith("path:/etc/apt/") for claim in work.ahead.promised),
    )


def _foretold_version(work: Work[PackageParams, PackageState]) -> bool:
    """Whether it is the plan that asks for this very version, not the task."""
    after = work.change.after
    return not isinstance(after, Absent) and "version" not in work.change.unknown and after.version != work.params.version


def _judged(
    work: Work[PackageParams, PackageState], result: apt_batches.Result, state: PackageState | Absent | Unreadable
) -> Applied[PackageState] | Failed:
    """What really came of it, whatever apt said of the whole transaction."""
    wanted = work.change.after
    if isinstance(state, Unreadable):
        return Failed(result.complaint or state.reason, result.output)
    if isinstance(wanted, Absent) or isinstance(state, Absent):
        right = isinstance(wanted, Absent) and isinstance(state, Absent)
    else:
        fields = [name for name in wanted.__struct_fields__ if name not in work.change.unknown]
        right = all(getattr(wanted, name) == getattr(state, name) for name in fields)
    if right and not result.refused:
        return Applied(pulled_in=result.pulled_in)
    if result.refused:
        return Failed(result.complaint, result.output, stale=result.stale or _foretold_version(work))
    return Failed(result.complaint or f"apt did as it was told, and {work.params.name} is still not as it shall be", result.output)
