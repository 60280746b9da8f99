"""The kernel's jail, with a program that tries to get out. Each attempt is seen to succeed without it."""

import subprocess
import sys
from pathlib import Path

import pytest

from g8r.compiler import evaluator, jail
from g8r.compiler.jail import Jail

pytestmark = pytest.mark.skipif(
    jail.landlock() == 0,
    reason="NO LANDLOCK in this kernel: nothing of the jail is tested here, and evaluation relies on the check of imports",
)

ATTEMPTS = {
    "read a file": "open({secret!r}).read()",
    "read it through a link": "open({folder!r} + '/link').read()",
    "read it by way of the folder": "open({allowed!r} + '/../secret').read()",
    "read /etc/passwd": "open('/etc/passwd').read()",
    "read what another process has": "open('/proc/self/environ').read()",
    "list a folder": "os.listdir({outside!r})",
    "write a file": "open({outside!r} + '/new', 'w')",
    "write in what may be read": "open({allowed!r} + '/new', 'w')",
    "make a folder": "os.mkdir({outside!r} + '/newfolder')",
    "truncate": "os.truncate({outside!r} + '/victim', 0)",
    "remove": "os.unlink({outside!r} + '/victim')",
    "link it to where it may be read": "os.link({secret!r}, {folder!r} + '/hard'); open({folder!r} + '/hard').read()",
    "rename it to where it may be read": "os.rename({outside!r} + '/victim', {folder!r} + '/victim')",
    "start a program": "os.execv('/bin/true', ['true'])",
    "start one from a fork": "sys.exit(1) if os.waitpid(os.spawnv(os.P_NOWAIT, '/bin/true', ['true']), 0)[1] else None",
    "a fork that reads": "sys.exit(1) if os.system('') or os.waitstatus_to_exitcode(os.waitpid(fork_and_read({secret!r}), 0)[1]) else None",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "mount": "libc.mount(b'none', {folder!r}.encode(), b'tmpfs', 0, None) and sys.exit(1)",
    "tcp": "import socket; socket.socket()",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "a unix socket": "import socket; socket.socket(socket.AF_UNIX)",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "io_uring": "libc.syscall(425, 1, bytes(120)) < 0 and ctypes.get_errno() == 1 and sys.exit(1)",
    "ptrace": "libc.ptrace(16, os.getppid(), None, None) and sys.exit(1)",
    "leave no_new_privs": "libc.prctl(39, 0, 0, 0, 0) and sys.exit(1)",
}
ALSO_REFUSED_WITHOUT = {"ptrace", "mount"}
"""What a plain user, or a container, may be refused anyway, or what would last: not done without the jail."""
PRELUDE = """
import os, sys, ctypes
libc = ctypes.CDLL(None, use_errno=True)
def fork_and_read(path):
    child = os.fork()
    if child == 0:
        try:
            open(path).read()
        except OSError:
            os._exit(1)
        os._exit(0)
    return child
"""


@pytest.fixture
def places(tmp_path):
    for name in ("outside", "allowed", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "allowed" / "file").write_text("fine")
    (tmp_path / "outside" / "victim").write_text("victim")
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "secret")
    return {name: str(tmp_path / name) for name in ("secret", "outside", "allowed", "folder")}


def runs(places, code, *, confined):
    """Whether a program runs without an error."""
    program = Path(sys.executable)
    needed = evaluator._python_needs(program, evaluator._embedded_library())

    def begin():
        return subprocess.run(
            [program, "-I", "-S", "-c", PRELUDE + code.format(**places)], cwd=places["folder"], capture_output=True, text=True, check=False
        )

    read = (Path(places["allowed"]), *needed.read)
    done = jail.start(Jail(read, needed.run, needed.look, Path(places["folder"])), begin) if confined else begin()
    assert "SyntaxError" not in done.stderr
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_it_does_not_get_out(places, attempt):
    assert not runs(places, ATTEMPTS[attempt], confined=True)


@pytest.mark.parametrize("attempt", sorted(set(ATTEMPTS) - ALSO_REFUSED_WITHOUT))
def test_without_the_jail_it_does(places, attempt):
    assert runs(places, ATTEMPTS[attempt], confined=False)


@pytest.mark.parametrize(
    "code",
    ["open({allowed!r} + '/file').read()", "open('new', 'w').write('x'); open('new').read()", "import json", "os.stat({secret!r})"],
    ids=["read what it may", "write in its own folder", "import", "see that a file is there"],
)
def test_what_it_may_do(places, code):
    assert runs(places, code, confined=True)


def test_this_process_is_not_confined(places):
    def limits():
        return [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(("NoNewPrivs", "Seccomp"))]

    before = limits()
    runs(places, "pass", confined=True)
    assert limits() == before
    assert Path(places["secret"]).read_text() == "hunter2"
    subprocess.run(["/bin/true"], check=True)


def test_what_begin_raises_is_raised(places):
    with pytest.raises(FileNotFoundError):
        jail.start(Jail((), (), (), Path(places["folder"])), lambda: subprocess.run(["/nowhere/program"], check=False))


def test_a_program_that_may_not_run_is_not_started(places):
    with pytest.raises(PermissionError):
        jail.start(Jail((), (), (), Path(places["folder"])), lambda: subprocess.run(["/bin/true"], check=False))


def test_what_holds_is_told(monkeypatch, tmp_path):
    assert jail.layer().startswith("the kernel (Landlock ")
    monkeypatch.setenv("G8R_JAIL", "off")
    assert (jail.landlock(), evaluator.confined()) == (0, False)
    assert "G8R_JAIL is off" in jail.layer()
    monkeypatch.delenv("G8R_JAIL")
    script = tmp_path / "nickel"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("G8R_NICKEL", str(script))
    assert not evaluator.confined()
