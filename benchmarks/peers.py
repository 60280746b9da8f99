"""The peers: how each is installed, and the commands that do the work with it."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import work
from benchmarks.measure import BenchmarkError, Command, environment

CHECKOUT: Final = Path(__file__).resolve().parents[1]


class Peer(msgspec.Struct, frozen=True):
    """`prepare` writes the source into a fresh folder, untimed; `first` does the work, `again` plans it where it is done already.

    `most` is how many tasks it is given at most unless asked for all: what takes too long is extrapolated, and said to be.
    """

    name: str
    version: str
    prepare: Callable[[Path, int], None]
    first: Callable[[Path], Command]
    again: Callable[[Path], Command]
    makes_files: bool = True
    most: int | None = None
    note: str = ""


class Missing(msgspec.Struct, frozen=True):
    """A peer that cannot be measured here, and why."""

    name: str
    reason: str


def find(name: str) -> Peer | Missing:
    """The peer, installed if need be."""
    try:
        return TABLE[name]()
    except BenchmarkError as error:
        return Missing(name, str(error).strip().splitlines()[-1])


def _floor() -> Peer:
    """No tool at all: a loop in Python that writes, or reads back, the same files."""
    start = "import os, sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nfrom benchmarks import work\n"
    start += "folder = Path.cwd()\nn = int(sys.argv[2])\n"
    first = "for i in range(n):\n p = str(work.target(folder, i))\n with open(p, 'w') as f: f.write(work.text(i))\n os.chmod(p, 0o644)\n"
    again = "assert work.done(folder, n)\n"

    def command(script: str, folder: Path) -> Command:
        return Command((sys.executable, "-c", start + script, str(CHECKOUT), (folder / "n").read_text()), folder)

    return Peer(
        "bare loop",
        sys.version.split()[0],
        lambda folder, n: _write(folder / "n", str(n)),
        lambda folder: command(first, folder),
        lambda folder: command(again, folder),
        note="the floor: no tool, a loop in Python",
    )


def _g8r() -> Peer:
    command = g8r_command()
    return Peer(
        "g8r",
        _said([command, "--version"]),
        lambda folder, n: _write(folder / "main.ncl", work.g8r(folder, n)),
        lambda folder: Command((command, "apply", "--yes", "."), folder),
        lambda folder: Command((command, "plan", "--detailed-exitcode", "."), folder),
        note="apply, then plan",
    )


def _salt() -> Peer:
    """Its minion configuration turns off what would only slow it here: DNS look-ups for grains, a master."""
    folder = _venv("salt", "salt==3008.3")

    def prepare(place: Path, n: int) -> None:
        settings = {
            "root_dir": str(place / "root"),
            "file_client": "local",
            "id": "bench",
            "enable_fqdns_grains": "false",
            "master_type": "disable",
        }
        _write(place / "etc" / "minion", "".join(f"{key}: {value}\n" for key, value in settings.items()))
        _write(place / "states" / "bench.sls", work.salt(place, n))

    def command(place: Path, *more: str, never: str | None = None) -> Command:
        options = (
            "--local",
            f"--config-dir={place / 'etc'}",
            f"--file-root={place / 'states'}",
            "--retcode-passthrough",
            "--log-level=error",
        )
        return Command((str(folder / "bin" / "salt-call"), *options, "state.apply", "bench", *more), place, never=never)

    return Peer(
        "Salt",
        _said([folder / "bin" / "salt-call", "--version"]),
        prepare,
        command,
        lambda place: command(place, "test=True", never=r"changed=\d+"),
        note="salt-call --local state.apply, then test=True",
    )


def _pyinfra() -> Peer:
    folder = _venv("pyinfra", "pyinfra==3.10.0")

    def command(place: Path, option: str, never: str | None = None) -> Command:
        return Command((str(folder / "bin" / "pyinfra"), "@local", "deploy.py", option), place, never=never)

    return Peer(
        "pyinfra",
        _said([folder / "bin" / "pyinfra", "--version"]),
        lambda place, n: _write(place / "deploy.py", work.pyinfra(place, n)),
        lambda place: command(place, "--yes"),
        lambda place: command(place, "--dry", never=r"\d+ \(@local\)"),
        most=200,
        note="pyinfra @local, then --dry",
    )


def _ansible() -> Peer:
    """Without facts, which it would gather first, and with pipelining, which saves it a process per task."""
    folder = _venv("ansible", "ansible-core==2.19.14")

    def command(place: Path, *more: str, never: str | None = None) -> Command:
        settings = {
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "LC_ALL": "C.UTF-8",
        }
        settings |= {"ANSIBLE_PYTHON_INTERPRETER": str(folder / "bin" / "python3")}
        argv = (str(folder / "bin" / "ansible-playbook"), "--inventory=localhost,", "--connection=local", "play.yml", *more)
        return Command(argv, place, settings, never=never)

    return Peer(
        "Ansible",
        _said([folder / "bin" / "ansible-playbook", "--version"], env={"LC_ALL": "C.UTF-8"}),
        lambda place, n: _write(place / "play.yml", work.ansible(place, n)),
        command,
        lambda place: command(place, "--check", never=r"changed=[1-9]\d*"),
        most=20,
        note="ansible-playbook -c local, then --check",
    )


def _terraform() -> Peer:
    found = shutil.which("terraform")
    if found is None:
        message = "no terraform on PATH; it is not installed by itself"
        raise BenchmarkError(message)
    quiet = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}

    def prepare(place: Path, n: int) -> None:
        _write(place / "main.tf", work.terraform(n))
        subprocess.run([found, "init", "-input=false"], cwd=place, env=environment(quiet), check=True, stdout=subprocess.DEVNULL)

    return Peer(
        "Terraform",
        _said([found, "version"], env=quiet),
        prepare,
        lambda place: Command((found, "apply", "-auto-approve", "-input=false"), place, quiet),
        lambda place: Command((found, "plan", "-input=false", "-detailed-exitcode"), place, quiet),
        makes_files=False,
        most=500,
        note="terraform_data instead of files: apply, then plan",
    )


TABLE: Final[dict[str, Callable[[], Peer]]] = {
    "floor": _floor,
    "g8r": _g8r,
    "salt": _salt,
    "pyinfra": _pyinfra,
    "ansible": _ansible,
    "terraform": _terraform,
}
"""By the names that `--peers` takes, in the order of the table."""


@functools.cache
def g8r_command() -> str:
    """The command as a user has it: this checkout, installed into a venv of its own. G8R_COMMAND names another."""
    if named := os.environ.get("G8R_COMMAND"):
        return named
    pyproject = (CHECKOUT / "pyproject.toml").read_text("utf-8")
    folder = _cache() / f"g8r-{hashlib.sha256(f'{CHECKOUT}{pyproject}'.encode()).hexdigest()[:12]}"
    fresh = ["--force-reinstall", "--no-deps"] if folder.is_dir() else []
    _install(folder, [*fresh, str(CHECKOUT)])
    return str(folder / "bin" / "g8r")


def _venv(name: str, pin: str) -> Path:
    folder = _cache() / f"{name}-{hashlib.sha256(f'{pin}{sys.version_info[:2]}'.encode()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _install(folder, [pin])
        (folder / "complete").touch()
    return folder


def _install(folder: Path, what: list[str]) -> None:
    print(f"installing {what[-1]} ...", file=sys.stderr)
    made = [] if folder.is_dir() else [[sys.executable, "-m", "venv", str(folder)]]
    for argv in [*made, [str(folder / "bin" / "python3"), "-m", "pip", "install", "--quiet", *what]]:
        ran = subprocess.run(argv, env=environment({}), capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            message = f"could not be installed: {(ran.stderr or ran.stdout).strip()[-800:]}"
            raise BenchmarkError(message)


def _cache() -> Path:
    folder = Path(os.environ.get("G8R_CACHE") or Path.home() / ".cache" / "g8r") / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _said(argv: list[str | Path], env: dict[str, str] | None = None) -> str:
    """The first line that a command prints: its version. BenchmarkError where it does not run."""
    try:
        ran = subprocess.run([str(word) for word in argv], env=environment(env or {}), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        complaint = getattr(error, "stderr", "") or str(error)
        message = f"does not run: {complaint.strip()[-800:]}"
        raise BenchmarkError(message) from error
    return (ran.stdout or ran.stderr).strip().splitlines()[0]


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
