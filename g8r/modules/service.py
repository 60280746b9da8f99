"""The kind `service`: a systemd unit, running or not, enabled or not, masked or not. What is left out is left as it is.

g8r never creates a unit here: the package, or a file in /etc/systemd/system, does. So a service is adopted, and forgetting its task
leaves it as it was last set; with `on_remove = 'destroy`, or where its unit file is removed by the same plan, it is stopped and disabled.
systemd is told to read changed unit files whenever it has not (NeedDaemonReload), before anything is started.

A start that systemd calls done is looked at again: a unit that fails right after is a failed step, with its last journal lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Undecided, Unreadable, Verdict
from g8r.claim import Claims
from g8r.host import Host, HostError
from g8r.module import Ahead, Module, Params, Port, Problem, State, Wanted, Work, param
from g8r.modules.support import systemd
from g8r.modules.support.programs import needs_root
from g8r.modules.support.systemd import UnitStatus
from g8r.value import Value


class ServiceParams(Params, frozen=True, kw_only=True):
    name: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9:_.\\@-]+$"),
        param("The unit; the task's name where it is left out. `nginx` is `nginx.service`.", known=True, example="nginx"),
    ]
    running: Annotated[bool | None, param("Whether it shall run. Left out, that is left as it is.")] = None
    enabled: Annotated[bool | None, param("Whether it shall start at boot. Left out, that is left as it is.")] = None
    masked: Annotated[bool | None, param("Whether starting it shall be impossible. Left out, that is left as it is.")] = None
    port: Annotated[
        Port | None, param("The port it listens on, for others to refer to as `@{service.NAME.port}`. Nothing is done with it here.")
    ] = None


class ServiceState(State, frozen=True, kw_only=True):
    """enabled is None where systemd has nothing to enable: a static, generated or masked unit."""

    unit: str
    running: bool
    enabled: bool | None
    masked: bool


class ServiceOutputs(msgspec.Struct, frozen=True):
    unit: str
    running: bool
    enabled: bool | None
    port: int | None


class Service(Module[ServiceParams, ServiceState]):
    kind = "service"
    summary = "A systemd unit: running, enabled, masked; reloaded or restarted when other tasks change"
    Params: ClassVar[type[Any]] = ServiceParams
    State: ClassVar[type[Any]] = ServiceState
    Outputs: ClassVar[type[Any]] = ServiceOutputs
    natural = "name"
    creates = False
    triggers: ClassVar[Mapping[str, str]] = {"reload_on": "reload", "restart_on": "restart"}
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {"port": ()}

    def validate(self, params: ServiceParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        problems = []
        unit = systemd.unit_name(params.name)
        if "@." in unit:
            detail = f"Say which instance: {unit.replace('@.', '@NAME.')}"
            problems.append(Problem(f"{unit} is a template, not a unit that can run", detail, "name"))
        if params.masked and (params.running or params.enabled):
            given = "running" if params.running else "enabled"
            problems.append(Problem(f"masked and {given} contradict each other", "A masked unit cannot be started. Remove one.", given))
        return problems

    def identity(self, params: ServiceParams) -> str:
        return systemd.unit_name(params.name)

    def claims(self, params: ServiceParams) -> Claims:
        unit = systemd.unit_name(params.name)
        return Claims((f"service:{unit}",), (f"unit:{unit}",))

    def read(self, wanted: Sequence[Wanted[ServiceParams, ServiceState]], host: Host) -> Sequence[ServiceState | Absent | Unreadable]:
        if host.facts().init != "systemd":
            return [Unreadable("services need systemd, and this host was not booted with it: there is no systemd here")] * len(wanted)
        try:
            found = systemd.show([systemd.unit_name(each.params.name) for each in wanted], host)
        except HostError as error:
            return [Unreadable(str(error))] * len(wanted)
        return [_state(status) for status in found]

    def diff(self, params: ServiceParams, before: ServiceState | Absent, ahead: Ahead) -> Verdict[ServiceState]:
        if isinstance(before, Absent):
            return needs_root(ahead, "manage services") or _expected(params)
        blocked = _blocked(params, before)
        if blocked is not None:
            return blocked
        masked = before.masked if params.masked is None else params.masked
        enabled = before.enabled if params.enabled is None or before.enabled is None else params.enabled
        unknown: tuple[str, ...] = ()
        if masked:
            enabled = None
        elif before.masked:
            enabled, unknown = params.enabled, () if params.enabled is not None else ("enabled",)
        running = before.running if params.running is None else params.running
        after = ServiceState(unit=before.unit, running=running, enabled=enabled, masked=masked)
        if after == before:
            return NoChange()
        return needs_root(ahead, "manage services") or Change("update", before, after, unknown)

    def outputs(self, params: ServiceParams, state: ServiceState) -> Mapping[str, Value]:
        return {"unit": state.unit, "running": state.running, "enabled": state.enabled, "port": params.port}

    def remove(
        self,
        params: ServiceParams,  # noqa: ARG002 the protocol's
        before: ServiceState,
    ) -> Change[ServiceState] | NoChange:
        after = msgspec.structs.replace(before, running=False, enabled=before.enabled and False)
        return NoChange() if after == before else Change("update", before, after)

    def rehearse(
        self, work: Sequence[Work[ServiceParams, ServiceState]], host: Host
    ) -> Sequence[Change[ServiceState] | Undecided[ServiceState] | Blocked]:
        """Blocked where a unit is to be masked whose own file is where the mask would be."""
        masking = {each.change.before.unit for each in work if not isinstance(each.change.before, Absent) and _masks(each.change)}
        paths = {status.unit: status.path for status in systemd.show(sorted(masking), host)}
        return [_in_the_way(each.change, paths) or each.change for each in work]

    def apply(self, work: Sequence[Work[ServiceParams, ServiceState]], host: Host) -> Iterator[Applied[ServiceState] | Failed]:
        for each in work:
            yield _apply(each, host)

    def trigger(self, verb: str, params: ServiceParams, host: Host) -> Applied[ServiceState] | Failed:
        """A unit that does not run is left alone; one that cannot reload is restarted."""
        unit = systemd.unit_name(params.name)
        was = systemd.prepared(unit, host)
        failure = systemd.act("try-reload-or-restart" if verb == "reload" else "try-restart", unit, host)
        if failure is None and was.running:
            failure = systemd.stays_up(unit, host)
        return failure or Applied()

    def satisfies(self, change: Change[ServiceState], verb: str) -> bool:  # noqa: ARG002 a start reads everything anew
        started = not isinstance(change.after, Absent) and change.after.running and "running" not in change.unknown
        return started and (isinstance(change.before, Absent) or not change.before.running)


def _state(status: UnitStatus) -> ServiceState | Absent:
    if not status.exists:
        return ABSENT
    return ServiceState(unit=status.unit, running=status.running, enabled=status.enabled, masked=status.masked)


def _expected(params: ServiceParams) -> Change[ServiceState]:
    """For a unit that an earlier step brings: what is asked for is known, the rest is as that step leaves it."""
    unit, left = systemd.unit_name(params.name), {"running": params.running, "enabled": params.enabled, "masked": params.masked}
    after = ServiceState(unit=unit, running=bool(params.running), enabled=bool(params.enabled), masked=bool(params.masked))
    if params.masked:
        after, left = msgspec.structs.replace(after, enabled=None), {**left, "enabled": False}
    return Change("create", ABSENT, after, tuple(sorted(name for name, value in left.items() if value is None)))


def _blocked(params: ServiceParams, before: ServiceState) -> Blocked | None:
    if before.masked and params.masked is None and (params.running or params.enabled):
        act = "started" if params.running else "enabled"
        return Blocked(f"{before.unit} is masked and cannot be {act}: set masked = false to unmask it")
    if params.enabled and before.enabled is None and not before.masked:
        return Blocked(
            f"{before.unit} cannot be enabled: its unit file has no [Install] section, so other units or events start it. "
            "Leave out enabled, or add an [Install] section"
        )
    return None


def _masks(change: Change[ServiceState]) -> bool:
    before, after = change.before, change.after
    return not isinstance(before, Absent) and not isinstance(after, Absent) and after.masked and not before.masked


def _in_the_way(change: Change[ServiceState], paths: Mapping[str, str]) -> Blocked | None:
    path = "" if isinstance(change.before, Absent) else paths.get(change.before.unit, "")
    if not path.startswith(systemd.LOCAL_UNITS):
        return None
    return Blocked(
        f"{path} is a file of this host itself, and masking would replace it: set running and enabled to false, or remove the file"
    )


def _apply(work: Work[ServiceParams, ServiceState], host: Host) -> Applied[ServiceState] | Failed:
    before, after, unknown = work.change.before, work.change.after, work.change.unknown
    unit = systemd.unit_name(work.params.name) if isinstance(before, Absent) else before.unit
    if isinstance(after, Absent):
        return Failed(f"{unit} cannot be made absent: remove the package or the file that brings it")
    was = _state(systemd.prepared(unit, host))
    if isinstance(was, Absent):
        return Failed(f"there is no unit {unit} on this host")
    for verb in _verbs(was, after, unknown, disable=work.params.enabled is False):
        failure = systemd.act(verb, was.unit, host)
        if failure is None and verb == "start":
            failure = systemd.stays_up(was.unit, host)
        if failure is not None:
            return failure
    return Applied()


def _verbs(was: ServiceState, after: ServiceState, unknown: Sequence[str], *, disable: bool) -> list[str]:
    """What to say to systemctl, in order: unmask before anything, mask after everything."""
    verbs = []
    if was.masked and not after.masked and "masked" not in unknown:
        verbs.append("unmask")
    if after.masked:
        verbs += ["disable"] if disable and was.enabled else []
    elif after.enabled is not None and after.enabled != was.enabled and "enabled" not in unknown:
        verbs.append("enable" if after.enabled else "disable")
    if after.running != was.running and "running" not in unknown:
        verbs.append("start" if after.running else "stop")
    if after.masked and not was.masked:
        verbs.append("mask")
    return verbs
