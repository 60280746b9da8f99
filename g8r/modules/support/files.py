"""One regular file: read, diff, restore, apply. `file` and `template` differ only in where the content comes from.

Choices: a new file without `mode` is 0644. Without content only existence and attributes are managed, and the State holds nothing of
the content, so that tasks of other kinds may own parts of it. What is not a regular file is replaced only with `force`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final, TypeVar

import msgspec

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, account_claims, normal_path, parent_claim, unit_claims
from g8r.host import FileType, Host, HostError, Stat
from g8r.module import AbsolutePath, Ahead, Params, Problem, State, Wanted, Work, mode_text, param, parse_mode
from g8r.modules.support import paths, text
from g8r.modules.support.paths import Backup, Ensure, FileMode, Follow, Group, Owner, Validate
from g8r.modules.support.text import TEXT_LIMIT, Content
from g8r.value import digest

NEW_MODE: Final = "0644"


class PlainFileParams(Params, frozen=True, kw_only=True):
    """The params of `file` and `template` that are not about where the content comes from."""

    path: Annotated[AbsolutePath, param("The file on the host.", known=True, example="/etc/motd")]
    ensure: Ensure = "present"
    mode: FileMode = None
    owner: Owner = None
    group: Group = None
    backup: Backup = False
    validate: Validate = ()
    follow: Follow = False
    force: Annotated[
        bool,
        param(
            "Replace (or with `ensure = absent` remove) what is no regular file: a link, or a directory with all that is in it. "
            "Without it, such a thing in the way blocks the task."
        ),
    ] = False


class FileState(State, frozen=True, kw_only=True):
    """What is at the path. checksum, size and content are None where the content is not managed.

    `content` is the text where it is UTF-8 without NUL and at most 256 KiB; larger or binary content has its checksum alone.
    """

    path: str
    type: FileType = "file"
    mode: str
    owner: str
    group: str
    checksum: str | None = None
    size: int | None = None
    content: str | None = None


class FileOutputs(msgspec.Struct, frozen=True):
    path: str
    checksum: str | None
    size: int | None
    mode: str
    owner: str
    group: str


P = TypeVar("P", bound=PlainFileParams)

# ---- claims and validation --------------------------------------------------------------------------------------------------


def claims(params: PlainFileParams, *, content: bool) -> Claims:
    """`content` says whether the whole content is managed: then nobody else may own lines of it."""
    path = normal_path(params.path)
    if params.ensure == "absent":
        return Claims((f"path:{path}",), parent_claim(path), removes=True)
    provides = (f"path:{path}", f"content:{path}") if content else (f"path:{path}",)
    return Claims(provides + unit_claims(path), parent_claim(path) + account_claims(params.owner, params.group))


def validate(params: PlainFileParams) -> tuple[Problem, ...]:
    problems = paths.validate_program(params.validate)
    if normal_path(params.path) == "/":
        problems += (Problem("/ is no file", "Give the path of a file.", "path"),)
    return problems


# ---- read -------------------------------------------------------------------------------------------------------------------


def read(wanted: Sequence[Wanted[P, FileState]], host: Host, managed: Callable[[P], bool]) -> list[FileState | Absent | Unreadable]:
    """`managed` tells whether the content belongs to the State; it hangs only on which params are set, never on their values."""
    return [_read(one.params, host, content=one.params.ensure == "absent" or managed(one.params)) for one in wanted]


def _read(params: PlainFileParams, host: Host, *, content: bool) -> FileState | Absent | Unreadable:
    path = normal_path(params.path)
    try:
        seen = _look(path, host, follow=_follows(params), content=content)
    except HostError as error:
        return paths.unreadable(error)
    if seen is None:
        return ABSENT
    stat, found = seen
    owner, group = stat.owner, stat.group
    return FileState(
        path=path,
        type=stat.type,
        mode=mode_text(stat.mode),
        owner=owner if params.owner is None or params.owner == owner else paths.spelled(owner, params.owner, host),
        group=group if params.group is None or params.group == group else paths.spelled(group, params.group, host, group=True),
        checksum=found.checksum if found else None,
        size=stat.size if found else None,
        content=found.text if found else None,
    )


def _look(path: str, host: Host, *, follow: bool, content: bool) -> tuple[Stat, Content | None] | None:
    """What is there; with `content`, of a regular file also that."""
    place, stat = paths.locate(path, host, follow=True) if follow else (path, None)
    if follow and stat is None:
        return None
    if not content:
        stat = stat or host.stat(place)
        return None if stat is None else (stat, None)
    seen = host.look(place, TEXT_LIMIT)
    if seen is None:
        return None
    stat, raw = seen
    if raw is not None:
        return stat, text.of_bytes(raw)
    return stat, text.of_blob(host.checksum(place)) if stat.type == "file" else None


def _follows(params: PlainFileParams) -> bool:
    return params.follow and params.ensure == "present"


# ---- diff -------------------------------------------------------------------------------------------------------------------


def diff(params: PlainFileParams, content: Content | None, before: FileState | Absent, ahead: Ahead) -> Verdict[FileState]:
    """`content` None leaves the content to others."""
    existing = None if isinstance(before, Absent) else before
    if existing is not None and existing.type != "file" and not params.force:
        blocked = _in_the_way(params, existing)
        if blocked is not None:
            return blocked
    if params.ensure == "absent":
        return _diff_absent(params, existing)
    kept = existing if existing is not None and existing.type == "file" else None
    size_known = content is None or content.size is not None
    after = FileState(
        path=normal_path(params.path),
        mode=params.mode.zfill(4) if params.mode else kept.mode if kept else NEW_MODE,
        owner=params.owner or (kept.owner if kept else ahead.user),
        group=params.group or (kept.group if kept else ahead.group),
        checksum=content.checksum if content else None,
        size=_size(content, kept),
        content=content.text if content else None,
    )
    if after == before:
        return NoChange()
    same_content = kept is not None and kept.checksum == after.checksum
    refused = paths.refused(after.path, after.owner, ahead)
    if refused is None and kept is not None and same_content:
        refused = paths.refused(after.path, kept.owner, ahead)
    if refused is not None:
        return refused
    if existing is None:
        return Change("create", ABSENT, after, () if size_known else ("size",))
    because = () if kept is None or same_content else _backup_note(params, kept)
    if kept is None:
        because = (f"a {paths.word(existing.type)} is in the way, and force is set",)
    return Change("update" if kept else "replace", existing, after, () if size_known or same_content else ("size",), because)


def _size(content: Content | None, kept: FileState | None) -> int | None:
    if content is None or content.size is not None:
        return content.size if content else None
    return kept.size if kept is not None and kept.checksum == content.checksum else 0


def _diff_absent(params: PlainFileParams, existing: FileState | None) -> Verdict[FileState]:
    if existing is None:
        return NoChange()
    return Change("delete", existing, ABSENT, (), _backup_note(params, existing))


def _in_the_way(params: PlainFileParams, existing: FileState) -> Blocked | None:
    path, word = existing.path, paths.word(existing.type)
    if existing.type == "link" and params.ensure == "absent":
        return None
    advice = "set follow = true to manage what it points at, or force = true to replace it" if existing.type == "link" else ""
    verb = "remove" if params.ensure == "absent" else "replace"
    return Blocked(f"{path} is a {word}, not a regular file: {advice or f'set force = true to {verb} it with all that is in it'}")


def _backup_note(params: PlainFileParams, replaced: FileState) -> tuple[str, ...]:
    name = _backup_path(params, replaced)
    return () if name is None else (f"the old content is kept as {name}",)


def _backup_path(params: PlainFileParams, replaced: FileState) -> str | None:
    if not params.backup or replaced.checksum is None:
        return None
    return f"{replaced.path}.g8r-{replaced.checksum.removeprefix('sha256:')[:8]}"


# ---- undo -------------------------------------------------------------------------------------------------------------------


def remove(before: FileState) -> Change[FileState] | Blocked:
    if before.type == "file":
        return Change("delete", before, ABSENT)
    return Blocked(
        f"g8r made the file {before.path}, but a {paths.word(before.type)} is there now: look at it, then remove it or forget the resource"
    )


def restore(before: FileState | Absent, original: FileState) -> Change[FileState] | NoChange | Blocked:
    if before == original:
        return NoChange()
    kept = not isinstance(before, Absent) and before.type == "file" and before.checksum == original.checksum
    if original.type != "file" or (original.content is None and not kept):
        what = "text of at most 256 KiB" if original.type == "file" else f"a regular file but a {paths.word(original.type)}"
        return Blocked(f"{original.path} cannot be put back as it was: it was not {what}, so its content was not kept")
    if original.content is not None and digest(original.content.encode()) != original.checksum:  # the ledger masks what is sensitive
        return Blocked(f"{original.path} cannot be put back as it was: its content is sensitive, so it was not kept")
    return Change("create" if isinstance(before, Absent) else "update", before, original)


# ---- apply ------------------------------------------------------------------------------------------------------------------


def apply(
    work: Sequence[Work[P, FileState]],
    host: Host,
    content: Callable[[P], bytes | None],
) -> Iterator[Applied[FileState] | Failed]:
    """`content` gives the bytes that params want, where they say so."""
    for piece in work:
        try:
            yield _apply(piece, host, content, secret="content" in piece.sensitive)
        except HostError as error:
            yield Failed(str(error))


def _apply(piece: Work[P, FileState], host: Host, content: Callable[[P], bytes | None], *, secret: bool) -> Applied[FileState] | Failed:
    params, before, after = piece.params, piece.change.before, piece.change.after
    existing = None if isinstance(before, Absent) else before
    path = normal_path(params.path)
    if _follows(params):
        path, _ = paths.locate(path, host, follow=True)
    if isinstance(after, Absent):
        if existing is not None:
            _keep(path, params, existing, host)
            _clear(path, existing, host)
        return Applied()
    if existing is not None and existing.type == "file" and existing.checksum == after.checksum:
        paths.settle(path, existing, after, host)
        return Applied()
    raw = _bytes(params, after, host, content)
    complaint = paths.check(params.validate, raw, path, host, secret=secret)
    if complaint is not None:
        return complaint
    if existing is not None and existing.type == "file":
        _keep(path, params, existing, host)
    elif existing is not None and existing.type == "directory":
        _clear(path, existing, host)
    host.write(path, raw, mode=parse_mode(after.mode), owner=after.owner, group=after.group)
    return Applied()


def _bytes(params: P, after: FileState, host: Host, content: Callable[[P], bytes | None]) -> bytes:
    if after.content is not None:
        return after.content.encode()
    if after.checksum is None:
        return b""
    wanted = content(params)
    return wanted if wanted is not None and digest(wanted) == after.checksum else host.fetch(after.checksum)


def _keep(path: str, params: PlainFileParams, replaced: FileState, host: Host) -> None:
    backup = _backup_path(params, replaced) if replaced.type == "file" else None
    if backup is not None:
        host.write(backup, host.read(path), mode=parse_mode(replaced.mode), owner=replaced.owner, group=replaced.group)


def _clear(path: str, existing: FileState, host: Host) -> None:
    if existing.type == "directory":
        host.remove_tree(path)
    else:
        host.remove(path)
