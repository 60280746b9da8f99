"""The kind `command`: a program, run when a guard or the ledger says that it is due.

A task demands one of `creates`, `unless`, `only_if`, `run` or the meta-argument `run_on`; a command that ran on every apply without
anybody having asked for that would never converge. What each says:

- `creates`, `unless`, `only_if` are probes of the machine. All that are given must agree that the command is due: the path is missing,
  `unless` fails, `only_if` succeeds. They are asked when planning, so they must change nothing. After the run they are asked again, and a
  command that is still due has failed: it would run on every apply.
- `run = "once"`: until it has succeeded once, which the ledger remembers under the task's name. Losing the ledger runs it again.
- `run = "always"`: on every apply; the plan is never empty. With `only_if`, on every apply where that succeeds.
- `run_on = ["file.conf"]` alone: never by itself, only when one of those changed, whatever the guards say.

There is no shell: `argv` goes to the program as it stands. Where a pipe or a glob is needed, say so: `["sh", "-c", "sort a | uniq > b"]`.

The identity is the name, so that argv may hold outputs of other tasks; an edited argv does not run a finished `once` again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from g8r.change import Absent, Applied, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, normal_path, parent_claim, path_claim
from g8r.host import Host, HostError
from g8r.module import AbsolutePath, Ahead, Module, Params, Problem, State, Wanted, Work, param
from g8r.modules.support.programs import OUTPUT_LIMIT, failed

Program: TypeAlias = tuple[str, ...]
OkCode: TypeAlias = Annotated[int, Meta(ge=0, le=255)]

_ONE_OF: Final = (
    "Give creates, unless or only_if, so that g8r can tell when it is due; or run = 'once or 'always (in YAML: once, always); "
    "or run_on, the tasks whose changes fire it."
)


class CommandParams(Params, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1), param("What the command is remembered by: the task's name where it is left out.", known=True)]
    argv: Annotated[
        Program,
        Meta(min_length=1),
        param(
            'The program and its arguments, one string each. No shell reads them: for a pipe or a glob, `["sh", "-c", "..."]`.',
            example=["make", "install"],
            public=True,
        ),
    ]
    cwd: Annotated[AbsolutePath | None, param("The directory to run it in; `/` where it is left out.", known=True)] = None
    env: Annotated[dict[str, str], param("Environment variables, added to a clean environment (PATH, HOME, LANG).")] = msgspec.field(
        default_factory=dict
    )
    stdin: Annotated[
        str,
        param(
            "What the program reads on its standard input: the place for secrets. What a command prints that was given a secret here or "
            "in `env` is sensitive itself; `argv` may hold none, since every process on a host can read it."
        ),
    ] = ""
    creates: Annotated[
        AbsolutePath | None, param("A path that the command makes: where it exists, there is nothing to do.", known=True)
    ] = None
    unless: Annotated[
        Program,
        param("A program that succeeds where there is nothing to do. It is asked when planning, and must change nothing.", known=True),
    ] = ()
    only_if: Annotated[
        Program,
        param("A program that succeeds where there is something to do. It is asked when planning, and must change nothing.", known=True),
    ] = ()
    run: Annotated[
        Literal["once", "always"] | None,
        param("`once`: until it has succeeded, which the ledger remembers. `always`: on every apply.", known=True),
    ] = None
    ok_codes: Annotated[tuple[OkCode, ...], Meta(min_length=1), param("Exit codes that mean success.")] = (0,)


class CommandState(State, frozen=True, kw_only=True):
    """`done`: nothing is left to do. The others are of the last run that the ledger knows; exit_code is None where it knows none.

    stdout is without trailing newlines, and at most its first 64 KiB.
    """

    done: bool
    exit_code: int | None = None
    stdout: str = ""


class CommandOutputs(msgspec.Struct, frozen=True):
    exit_code: int | None
    stdout: str


class Command(Module[CommandParams, CommandState]):
    kind = "command"
    summary = "A program that is run when a guard says it is due, once, always, or when other tasks change"
    Params: ClassVar[type[Any]] = CommandParams
    State: ClassVar[type[Any]] = CommandState
    Outputs: ClassVar[type[Any]] = CommandOutputs
    natural = "name"
    triggers: ClassVar[Mapping[str, str]] = {"run_on": "run"}
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {"env": ("stdout",), "stdin": ("stdout",)}
    remembers = True
    of_stack = True
    becomes = True

    def validate(self, params: CommandParams, triggers: frozenset[str]) -> Sequence[Problem]:
        problems = []
        if not _guarded(params) and params.run is None and "run_on" not in triggers:
            problems.append(Problem("nothing says when this command is due", _ONE_OF))
        if params.run is not None and (params.creates or params.unless):
            guard = "creates" if params.creates else "unless"
            detail = f"{guard} already says when it is done; remove one of the two. Only only_if goes with run."
            problems.append(Problem(f"run = '{params.run} and {guard} contradict each other", detail, "run"))
        return problems

    def identity(self, params: CommandParams) -> str:
        return params.name

    def claims(self, params: CommandParams) -> Claims:
        provides = (path_claim(params.creates),) if params.creates else ()
        requires = (path_claim(params.cwd),) if params.cwd and normal_path(params.cwd) != "/" else ()
        return Claims(provides, requires, follows=parent_claim(params.creates) if params.creates else ())

    def idempotent(self, params: CommandParams) -> bool:
        """With guards alone the machine itself tells whether it was done; else only the ledger does, and a crash leaves that open."""
        return _guarded(params) and params.run is None

    def read(self, wanted: Sequence[Wanted[CommandParams, CommandState]], host: Host) -> Sequence[CommandState | Absent | Unreadable]:
        return [_read(each, host) for each in wanted]

    def diff(
        self,
        params: CommandParams,
        before: CommandState | Absent,
        ahead: Ahead,  # noqa: ARG002 the protocol's
    ) -> Verdict[CommandState]:
        there = CommandState(done=False) if isinstance(before, Absent) else before
        if there.done or not (_guarded(params) or params.run):
            return NoChange()
        return Change("run", before, CommandState(done=params.run != "always"), ("exit_code", "stdout"))

    def remove(
        self,
        params: CommandParams,  # noqa: ARG002 the protocol's
        before: CommandState,  # noqa: ARG002 the protocol's
    ) -> NoChange:
        """What a command did cannot be known, so it is not undone."""
        return NoChange()

    def restore(
        self,
        params: CommandParams,  # noqa: ARG002 the protocol's
        before: CommandState | Absent,  # noqa: ARG002 the protocol's
        original: CommandState,  # noqa: ARG002 the protocol's
    ) -> NoChange:
        return NoChange()

    def apply(self, work: Sequence[Work[CommandParams, CommandState]], host: Host) -> Iterator[Applied[CommandState] | Failed]:
        for each in work:
            if "argv" in each.sensitive:
                yield Failed("argv holds a secret, which every process on the host could read: pass it in stdin or env")
                continue
            secret = "stdout" in each.sensitive or any(getattr(each.params, name, None) for name in each.sensitive)
            done = _run(each.params, host, secret=secret)
            if isinstance(done, Applied) and _guarded(each.params) and each.params.run is None:
                still = _why_due(each.params, host)
                yield Failed(f"it succeeded, but {still}: it would run on every apply") if still else done
            else:
                yield done

    def trigger(self, verb: str, params: CommandParams, host: Host) -> Applied[CommandState] | Failed:  # noqa: ARG002 there is only "run"
        return _run(params, host, secret=bool(params.stdin or params.env))

    def satisfies(self, change: Change[CommandState], verb: str) -> bool:
        return verb == "run" and change.action == "run"


def _guarded(params: CommandParams) -> bool:
    return bool(params.creates or params.unless or params.only_if)


def _read(wanted: Wanted[CommandParams, CommandState], host: Host) -> CommandState | Unreadable:
    params, recorded = wanted.params, wanted.recorded or CommandState(done=False)
    try:
        due = _why_due(params, host) is not None if _guarded(params) else True
    except HostError as error:
        return Unreadable(f"whether it is due cannot be told: {error}")
    if params.run == "once":
        due = due and not recorded.done
    elif params.run is None and not _guarded(params):
        return recorded
    return msgspec.structs.replace(recorded, done=not due)


def _why_due(params: CommandParams, host: Host) -> str | None:
    """What the guards say for running it; None where one of them says that there is nothing to do. The cheapest is asked first."""
    reasons = []
    if params.creates:
        if host.stat(normal_path(params.creates)) is not None:
            return None
        reasons.append(f"{params.creates} does not exist")
    if params.unless:
        if host.run(params.unless, cwd=params.cwd, env=params.env, changes=False).code == 0:
            return None
        reasons.append(f"`{' '.join(params.unless)}` still fails")
    if params.only_if:
        if host.run(params.only_if, cwd=params.cwd, env=params.env, changes=False).code != 0:
            return None
        reasons.append(f"`{' '.join(params.only_if)}` still succeeds")
    return " and ".join(reasons)


def _run(params: CommandParams, host: Host, *, secret: bool) -> Applied[CommandState] | Failed:
    ran = host.run(params.argv, stdin=params.stdin.encode(), env=params.env, cwd=params.cwd)
    if ran.code not in params.ok_codes:
        if secret:
            return Failed(f"{params.argv[0]} failed with exit code {ran.code}; what it says may hold secrets and is not shown")
        return failed(params.argv, ran, f"{params.argv[0]} failed with exit code {ran.code}")
    stdout = ran.stdout[:OUTPUT_LIMIT].decode("utf-8", "replace").rstrip("\n")
    return Applied(CommandState(done=params.run != "always", exit_code=ran.code, stdout=stdout))
