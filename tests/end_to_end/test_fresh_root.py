"""The README's first steps on a Debian that has nothing but what the README asks for: `git clone`, `make demo`, as root and as anybody."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import machines
import outer
import pytest
import rootfs

pytestmark = [pytest.mark.real, pytest.mark.slow]

ASKED_FOR = ("python3", "python3-venv", "make", "git")
CLONE = "/srv/clone.git"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as it stands, changes that are not committed included, as a repository to clone from."""
    folder = tmp_path_factory.mktemp("checkout") / "g8r"
    listed = ["git", "-C", str(rootfs.CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    there = [name for name in names if name and (rootfs.CHECKOUT / name).exists()]
    folder.mkdir()
    packed = subprocess.run(
        ["tar", "-C", str(rootfs.CHECKOUT), "-c", "-T", "-"], input="\n".join(there).encode(), check=True, capture_output=True
    )
    subprocess.run(["tar", "-C", str(folder), "-x"], input=packed.stdout, check=True)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "as it stands"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


@pytest.fixture(scope="module")
def fresh(shared_boot: machines.Boot, bare: Path) -> machines.Machine:
    machine = shared_boot("fresh")
    machine.run(["apt-get", "update", "-q"], check=True)
    machine.run(["apt-get", "install", "-qy", "--no-install-recommends", *ASKED_FOR], check=True)
    machine.push(bare, CLONE)
    machine.run(["git", "config", "--system", "--add", "safe.directory", "*"], check=True)  # the clone's origin is root's
    for path in outer.pip_files(outer.pip_environment()):
        machine.push(path.resolve(), str(path))
    machine.run(["useradd", "--create-home", "ada"], check=True)
    return machine


@pytest.fixture(params=["root", "ada"])
def account(request: pytest.FixtureRequest, fresh: machines.Machine) -> Iterator[tuple[str, str]]:
    """A user and a home."""
    user = request.param
    yield user, "/root" if user == "root" else f"/home/{user}"
    fresh.run(["rm", "-rf", "/tmp/g8r-demo"], check=True)


def test_make_demo(fresh: machines.Machine, account: tuple[str, str]) -> None:
    user, home = account
    environment = {**outer.pip_environment(), "HOME": home, "USER": user}
    clone = ["git", "clone", "-q", CLONE, f"{home}/g8r"]
    fresh.run(clone, user=user, env=environment, cwd=home, check=True)
    ran = fresh.run(["make", "demo"], user=user, env=environment, cwd=f"{home}/g8r")
    assert ran.code == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    first, _, second = ran.stdout.split("$ g8r ")[1:4]
    assert "to create" in first, first
    assert "No changes" not in first
    assert "No changes" in second, second
    assert fresh.read("/tmp/g8r-demo/hello/greeting") == "Hello, world!\n"
    assert fresh.run(["stat", "--format=%U", "/tmp/g8r-demo/hello/greeting"]).stdout.strip() == user
    left = fresh.run(["git", "status", "--porcelain"], user=user, env=environment, cwd=f"{home}/g8r", check=True)
    assert left.stdout == "", "make demo left something that git does not ignore"
