"""The kind `file`: one regular file, its content and its attributes.

With neither `content` nor `source`, only existence and attributes are managed, and `line` tasks may own lines of it. With
`content`, the file is what the task says, whole. Symbolic links are not followed unless `follow` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from g8r.change import Absent, Applied, Blocked, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, normal_path
from g8r.host import Host
from g8r.module import Ahead, Module, Problem, Wanted, Work, param
from g8r.modules.support import files, text
from g8r.modules.support.files import FileOutputs, FileState, PlainFileParams
from g8r.modules.support.text import Content

_CONTENT = ("content", "checksum", "size")


class FileParams(PlainFileParams, frozen=True, kw_only=True):
    content: Annotated[
        str | None,
        param(
            "What the file holds, exactly: end it with a newline where the file should end with one. Left out together with "
            "`source`, the content is left to others, and a new file is empty.",
            example="Welcome.\n",
            stand_in="",
        ),
    ] = None
    source: Annotated[
        str | None,
        param(
            "A file beside the stack that holds the content, text or binary. Excludes `content`.",
            known=True,
            source=True,
            example="files/motd",
        ),
    ] = None


class File(Module[FileParams, FileState]):
    kind = "file"
    summary = "A regular file: content, owner, group and mode"
    Params: ClassVar[type[Any]] = FileParams
    State: ClassVar[type[Any]] = FileState
    Outputs: ClassVar[type[Any]] = FileOutputs
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {"content": _CONTENT, "source": _CONTENT}
    batch = 512

    def validate(self, params: FileParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        problems = files.validate(params)
        if params.content is not None and params.source is not None:
            problems += (Problem("content and source exclude each other", "Remove one of them.", "source"),)
        if params.ensure == "absent" and _managed(params):
            given = "content" if params.content is not None else "source"
            problems += (Problem(f"{given} says what a file holds that shall be absent", f"Remove {given}, or ensure.", given),)
        return problems

    def identity(self, params: FileParams) -> str:
        return normal_path(params.path)

    def claims(self, params: FileParams) -> Claims:
        return files.claims(params, content=_managed(params))

    def read(self, wanted: Sequence[Wanted[FileParams, FileState]], host: Host) -> Sequence[FileState | Absent | Unreadable]:
        return files.read(wanted, host, _managed)

    def diff(self, params: FileParams, before: FileState | Absent, ahead: Ahead) -> Verdict[FileState]:
        return files.diff(params, _content(params), before, ahead)

    def remove(self, params: FileParams, before: FileState) -> Change[FileState] | NoChange | Blocked:  # noqa: ARG002 the protocol's
        return files.remove(before)

    def restore(
        self,
        params: FileParams,  # noqa: ARG002 the protocol's
        before: FileState | Absent,
        original: FileState,
    ) -> Change[FileState] | NoChange | Blocked:
        return files.restore(before, original)

    def apply(self, work: Sequence[Work[FileParams, FileState]], host: Host) -> Iterator[Applied[FileState] | Failed]:
        return files.apply(work, host, _bytes)


def _managed(params: FileParams) -> bool:
    return params.content is not None or params.source is not None


def _content(params: FileParams) -> Content | None:
    if params.content is not None:
        return text.of_text(params.content)
    return None if params.source is None else text.of_blob(params.source)


def _bytes(params: FileParams) -> bytes | None:
    return None if params.content is None else params.content.encode()
