"""The cases of the kinds with a path, and the laws that need no faults, on the machine that this runs on: real files in a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import laws
import msgspec
import pytest
from case import Case, Entry

from g8r.executor.local_host import LocalHost
from g8r.host import HostError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: real files get real owners")

PLACE = "/srv"
"""What cases write below; here it is a folder of the test."""

CASES = [case for case in laws.cases(("file", "directory", "link", "template", "line")) if not case.fake_only]
CHANGES = [case for case in CASES if laws.changes(case)]


class Snapshot(msgspec.Struct, frozen=True):
    nodes: Mapping[str, tuple[object, ...]]

    def differences(self, other: Snapshot) -> tuple[str, ...]:
        paths = self.nodes.keys() | other.nodes.keys()
        return tuple(sorted(path for path in paths if self.nodes.get(path) != other.nodes.get(path)))


class RealHost(LocalHost):
    """This machine, with a folder of which it tells whether anything changed."""

    def __init__(self, case: Case, root: Path) -> None:
        def fetch(digest: str) -> bytes:
            if digest not in case.blobs:
                message = f"{digest} did not travel"
                raise HostError(message)
            return case.blobs[digest]

        super().__init__(fetch)
        self.root = root

    def snapshot(self, *, times: bool = False) -> Snapshot:
        return Snapshot(dict(_nodes(self.root, times=times)))

    def frozen(self) -> nullcontext[None]:
        return nullcontext()  # on this machine the snapshots, with times, tell


def _nodes(root: Path, *, times: bool) -> Iterator[tuple[str, tuple[object, ...]]]:
    for path in sorted(root.rglob("*")):
        found = path.lstat()
        held = path.read_bytes() if path.is_file() and not path.is_symlink() else path.readlink() if path.is_symlink() else None
        yield str(path), (found.st_mode, found.st_uid, found.st_gid, held, *((found.st_mtime_ns, found.st_ctime_ns) if times else ()))


def moved(case: Case, root: Path) -> Case:
    """The case, below a folder of the test."""

    def move(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(f"{PLACE}/", f"{root}/") if value.startswith(f"{PLACE}/") else value
        if isinstance(value, Entry):
            return msgspec.structs.replace(value, target=move(value.target))
        if isinstance(value, Mapping):
            return {move(key): move(part) for key, part in value.items()}
        return tuple(move(part) for part in value) if isinstance(value, tuple) else value

    texts = {"says": case.says.replace(f"{PLACE}/", f"{root}/"), "fails": case.fails.replace(f"{PLACE}/", f"{root}/")}
    params = {name: value if name in ("content", "vars") else move(value) for name, value in case.params.items()}
    return msgspec.structs.replace(case, params=params, before=move(case.before), after=move(case.after), leaves=move(case.leaves), **texts)


@pytest.fixture
def arranged(case: Case, tmp_path: Path) -> tuple[Case, RealHost]:
    here = moved(case, tmp_path)
    for path, entry in here.before.items():
        _place(Path(path), entry)
    return here, RealHost(here, tmp_path)


def _place(path: Path, entry: Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.type == "directory":
        path.mkdir(exist_ok=True)
    elif entry.type == "link":
        path.symlink_to(entry.target or "")
    else:
        path.write_bytes(entry.content.encode() if isinstance(entry.content, str) else entry.content or b"")
    shutil.chown(path, entry.owner, entry.group) if entry.type != "link" else _chown_link(path, entry)
    if entry.type != "link":
        path.chmod(entry.mode)


def _chown_link(path: Path, entry: Entry) -> None:
    import grp
    import pwd

    os.lchown(path, pwd.getpwnam(entry.owner).pw_uid, grp.getgrnam(entry.group).gr_gid)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(arranged: tuple[Case, RealHost]) -> None:
    case, host = arranged
    laws.run_on(case, host)


@pytest.mark.parametrize("case", [case for case in CHANGES if not case.repeats], ids=str)
def test_law_1(arranged: tuple[Case, RealHost]) -> None:
    laws.second_plan_is_empty(*arranged)


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_law_2(arranged: tuple[Case, RealHost]) -> None:
    laws.prediction_holds(*arranged)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_law_3(arranged: tuple[Case, RealHost]) -> None:
    case, host = arranged
    before = host.snapshot(times=True)
    laws.Task(case).plan(host)
    assert host.snapshot(times=True).differences(before) == ()


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_law_4(arranged: tuple[Case, RealHost]) -> None:
    laws.removal_undoes(*arranged)
