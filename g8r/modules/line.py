"""The kind `line`: one line of a file that others own too.

Which line: with `regex`, the lines that match it; without, the lines that equal `line`. Where several do, the last one is set and the
others stay (`present`), or all go (`absent`). `regex` must match `line` as well, or the second run would not find what the first one
wrote: write `^#?Port ` rather than `^#Port `. A new line stands after the last line that matches `after`, before the first that matches
`before` (`^` is the top), else at the end; a line that is there is never moved.

The State holds these lines alone, so that several tasks of one file do not make each other stale; they take turns on a lock. Line
ends (LF or CRLF) stay as the file has them; bytes that are no UTF-8 stay as they are. Groups of `regex` are not put into `line`: a
line is what the task says it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final

import msgspec

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, normal_path, parent_claim
from g8r.host import Host, HostError, Stat
from g8r.module import AbsolutePath, Ahead, Module, Params, Problem, State, Wanted, Work, param
from g8r.modules.support import paths
from g8r.modules.support.paths import Backup, Follow, Validate
from g8r.modules.support.paths import Ensure as _Ensure
from g8r.value import digest

_NEW_MODE: Final = 0o644


class LineParams(Params, frozen=True, kw_only=True):
    path: Annotated[AbsolutePath, param("The file on the host.", known=True, example="/etc/ssh/sshd_config")]
    line: Annotated[
        str | None,
        param(
            "The line as it shall be, without its line end. Required, unless `ensure = absent` and `regex` says which lines go. Where "
            "it is known only later, or secret, `regex` is required: the line is known by it.",
            example="PermitRootLogin no",
            stand_in="",
        ),
    ] = None
    regex: Annotated[
        str | None,
        param(
            "A Python regular expression that says which line this is, searched in each line; `^` is its start.",
            known=True,
            example="^#?PermitRootLogin ",
        ),
    ] = None
    ensure: _Ensure = "present"
    after: Annotated[
        str | None,
        param("A new line goes after the last line that matches this regular expression, or to the end.", example="^# logging$"),
    ] = None
    before: Annotated[
        str | None,
        param("A new line goes before the first line that matches this regular expression, or to the end.", example="^Match "),
    ] = None
    create: Annotated[
        bool,
        param(
            "Make the file where it is missing, mode 0644, in a directory that is there. It goes again with the task if nothing else "
            "is in it. Without it, a missing file blocks the task unless another task makes it.",
            known=True,
        ),
    ] = False
    backup: Backup = False
    validate: Validate = ()
    follow: Follow = False


class LineState(State, frozen=True, kw_only=True):
    """The lines that this task is about, in the order of the file. None of them there is ABSENT."""

    path: str
    lines: tuple[str, ...]


class LineOutputs(msgspec.Struct, frozen=True):
    path: str
    lines: tuple[str, ...]


class Line(Module[LineParams, LineState]):
    kind = "line"
    summary = "One line of a text file"
    Params: ClassVar[type[Any]] = LineParams
    State: ClassVar[type[Any]] = LineState
    Outputs: ClassVar[type[Any]] = LineOutputs
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {"line": ("lines",)}
    batch = 512

    def validate(self, params: LineParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        patterns = {"regex": params.regex, "after": params.after, "before": params.before}
        problems = [problem for name, pattern in patterns.items() if pattern is not None for problem in _pattern_problems(name, pattern)]
        problems += paths.validate_program(params.validate)
        if params.after is not None and params.before is not None:
            problems.append(Problem("after and before exclude each other", "Remove one of them.", "before"))
        if params.line is not None and ("\n" in params.line or "\r" in params.line):
            problems.append(Problem("line holds more than one line", "Write a task for each, without line ends.", "line"))
        if problems:
            return problems
        return (*_identity_problems(params),)

    def identity(self, params: LineParams) -> str:
        return f"{normal_path(params.path)}#{params.regex if params.regex is not None else params.line}"

    def claims(self, params: LineParams) -> Claims:
        path = normal_path(params.path)
        needs_file = params.ensure == "present" and not params.create
        return Claims(
            provides=(f"line:{self.identity(params)}",),
            requires=(f"path:{path}",) if needs_file else parent_claim(path) if params.ensure == "present" else (),
            locks=(f"lock:{path}",),
            excludes=(f"content:{path}",),
            follows=() if needs_file else (f"path:{path}",),
        )

    def read(self, wanted: Sequence[Wanted[LineParams, LineState]], host: Host) -> Sequence[LineState | Absent | Unreadable]:
        texts: dict[tuple[str, bool], _Text | Unreadable] = {}
        return [_read(one.params, host, texts) for one in wanted]

    def diff(self, params: LineParams, before: LineState | Absent, ahead: Ahead) -> Verdict[LineState]:  # noqa: ARG002 the protocol's
        found = () if isinstance(before, Absent) else before.lines
        if params.ensure == "absent":
            return NoChange() if isinstance(before, Absent) else Change("delete", before, ABSENT, (), _backup_note(params))
        line = params.line or ""
        if params.regex is not None and line and not _compiled(params.regex).search(line):
            return Blocked(
                f"regex of the line in {normal_path(params.path)} does not match the line itself: the next run would not find it"
            )
        after = LineState(path=normal_path(params.path), lines=(*found[:-1], line))
        if after == before:
            return NoChange()
        return Change("create" if isinstance(before, Absent) else "update", before, after, (), _backup_note(params))

    def remove(self, params: LineParams, before: LineState) -> Change[LineState] | NoChange | Blocked:
        """Only the line that the task wrote goes; others that its `regex` matches stay. What is sealed was the last of them."""
        written = params.line or before.lines[-1]
        if written not in before.lines:
            return NoChange()
        last = len(before.lines) - 1 - before.lines[::-1].index(written)
        rest = before.lines[:last] + before.lines[last + 1 :]
        return Change("update", before, LineState(path=before.path, lines=rest)) if rest else Change("delete", before, ABSENT)

    def apply(self, work: Sequence[Work[LineParams, LineState]], host: Host) -> Iterator[Applied[LineState] | Failed]:
        for piece in work:
            try:
                yield _apply(piece, host)
            except HostError as error:
                yield Failed(str(error))


# ---- compile time -----------------------------------------------------------------------------------------------------------


def _pattern_problems(name: str, pattern: str) -> Iterator[Problem]:
    try:
        _compiled(pattern)
    except re.error as error:
        yield Problem(f"{name} is no regular expression: {error.msg}", f"At position {error.pos} of {pattern!r}.", name)


def _identity_problems(params: LineParams) -> Iterator[Problem]:
    if params.ensure == "absent" and params.line is None and params.regex is None:
        yield Problem("a line needs line or regex", "Say which lines shall be absent.", "line")
    if params.ensure == "present" and params.line is None:
        yield Problem("a line needs its line", "Say in line how it shall be.", "line")
    if params.line == "" and params.regex is None:
        detail = "It is empty, or known only later, or secret: regex must say which line of the file it is."
        yield Problem("line does not tell which line this is", detail, "regex")
    if params.ensure == "present" and params.line and params.regex is not None and not _compiled(params.regex).search(params.line):
        detail = "The next run would not find what this one wrote, and write it again. Widen regex, as in '^#?Port '."
        yield Problem("regex does not match line", detail, "regex")


# ---- text -------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class _Text(msgspec.Struct, frozen=True):
    """A file as lines without their ends; `end` is what ends them, `whole` whether the last one is ended. Missing files have none."""

    lines: tuple[str, ...] = ()
    end: str = "\n"
    whole: bool = True

    def encoded(self) -> bytes:
        joined = self.end.join(self.lines) + (self.end if self.whole and self.lines else "")
        return joined.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> _Text:
    decoded = raw.decode("utf-8", "surrogateescape")
    end = "\r\n" if decoded.count("\r\n") == decoded.count("\n") > 0 else "\n"
    whole = not decoded or decoded.endswith(end)
    return _Text(tuple(decoded.removesuffix(end).split(end)) if decoded else (), end, whole)


def _places(params: LineParams, lines: Sequence[str]) -> list[int]:
    """Where the lines are that the task is about."""
    if params.regex is None:
        return [index for index, line in enumerate(lines) if line == params.line]
    search = _compiled(params.regex).search
    return [index for index, line in enumerate(lines) if search(line)]


def _insertion(params: LineParams, lines: Sequence[str]) -> int:
    """Where a new line goes."""
    pattern = params.after if params.after is not None else params.before
    if pattern is None:
        return len(lines)
    found = [index for index, line in enumerate(lines) if _compiled(pattern).search(line)]
    if not found:
        return len(lines)
    return found[-1] + 1 if params.after is not None else found[0]


def _edited(params: LineParams, lines: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The lines with those of the task become `after`."""
    places = _places(params, lines)
    if not places:
        at = _insertion(params, lines)
        return (*lines[:at], *after, *lines[at:])
    kept = dict(zip(_aligned([lines[place] for place in places], after, places), after, strict=False))
    surplus = after[len(kept) :]
    edited: list[str] = []
    for index, line in enumerate(lines):
        if index not in places:
            edited.append(line)
        elif index in kept:
            edited.append(line if kept[index] == _readable(line) else kept[index])
        if index == places[-1]:
            edited += surplus
    return tuple(edited)


def _aligned(present: Sequence[str], after: Sequence[str], places: Sequence[int]) -> list[int]:
    """The places that the lines of `after` take: where fewer stay than are there, each keeps the place of its equal."""
    if len(after) >= len(present):
        return list(places)
    taken: list[int] = []
    start = 0
    for line in after:
        equal = next((index for index in range(start, len(present)) if present[index] == line), None)
        if equal is None:
            return list(places[: len(after)])
        taken.append(places[equal])
        start = equal + 1
    return taken


def _readable(line: str) -> str:
    """A line as a State carries it: bytes that are no UTF-8 are shown replaced."""
    return line if line.isascii() else line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


# ---- the host ---------------------------------------------------------------------------------------------------------------


def _read(params: LineParams, host: Host, texts: dict[tuple[str, bool], _Text | Unreadable]) -> LineState | Absent | Unreadable:
    path = normal_path(params.path)
    found = texts.get((path, params.follow))
    if found is None:
        found = texts[path, params.follow] = _load(path, params, host)
    if isinstance(found, Unreadable):
        return found
    lines = tuple(_readable(found.lines[place]) for place in _places(params, found.lines))
    return LineState(path=path, lines=lines) if lines else ABSENT


def _load(path: str, params: LineParams, host: Host) -> _Text | Unreadable:
    try:
        place, stat = paths.locate(path, host, follow=params.follow)
        if stat is None:
            return _Text()
        if stat.type != "file":
            advice = ": set follow = true to edit what it points at" if stat.type == "link" else ""
            return Unreadable(f"{path} is a {paths.word(stat.type)}, so it has no lines{advice}")
        return _text(host.read(place))
    except HostError as error:
        return paths.unreadable(error)


def _apply(piece: Work[LineParams, LineState], host: Host) -> Applied[LineState] | Failed:
    params, after = piece.params, piece.change.after
    path, stat = paths.locate(normal_path(params.path), host, follow=params.follow)
    if stat is None and (isinstance(after, Absent) or not params.create):
        return Applied() if isinstance(after, Absent) else Failed(f"{path} is gone: set create = true, or declare it as a file task")
    raw = host.read(path) if stat is not None else b""
    text = _text(raw)
    lines = _edited(params, text.lines, () if isinstance(after, Absent) else after.lines)
    edited = _Text(lines, text.end, text.whole or lines[-1:] != text.lines[-1:]).encoded()
    if not edited and path in piece.pulled_in:
        host.remove(path)
        return Applied()
    complaint = paths.check(params.validate, edited, path, host, secret="lines" in piece.sensitive)
    if complaint is not None:
        return complaint
    if params.backup and stat is not None:
        host.write(f"{path}.g8r-{digest(raw)[7:15]}", raw, mode=stat.mode, owner=stat.owner, group=stat.group)
    _write(path, edited, stat, host)
    return Applied(pulled_in=() if stat is not None else (path,))


def _write(path: str, content: bytes, stat: Stat | None, host: Host) -> None:
    if stat is None:
        host.write(path, content, mode=_NEW_MODE)
    else:
        host.write(path, content, mode=stat.mode, owner=stat.owner, group=stat.group)


def _backup_note(params: LineParams) -> tuple[str, ...]:
    return ("the old file is kept beside it, with .g8r-DIGEST8 appended",) if params.backup else ()
