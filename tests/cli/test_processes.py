"""The command line as a process of its own: signals, pipes, full disks, terminals, permissions, what is imported."""

import json
import os
import pty
import shutil
import signal
import sys
import time

import pytest

SLEEPY = """\
name: sleepy
tasks:
  command:
    a: {argv: [sh, -c, "touch @PLACE@/begun; sleep 1; touch @PLACE@/done"], creates: @PLACE@/done}
    b: {argv: [touch, @PLACE@/after], creates: @PLACE@/after, needs: [command.a]}
"""


def await_path(path, process):
    for _ in range(1500):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError(f"{path} did not come")


def test_version_and_exit_codes(demo):
    assert demo.child("--version").stdout.startswith("g8r ")
    assert demo.child().returncode == 1
    assert demo.child("plan", "--detailed-exitcode").returncode == 2
    assert demo.child("plan", "nowhere").returncode == 1


def test_ctrl_c_once_waits_and_resume_goes_on(folder):
    folder.write("main.yaml", SLEEPY)
    process = folder.start("apply", "--yes")
    await_path(folder.path / "begun", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    assert "waiting for 1 step under way" in out
    assert "Stopped: 1 changed, 1 not started" in out
    assert err == ""
    assert (folder.path / "done").exists()
    assert not (folder.path / "after").exists()
    assert json.loads(folder.ok("state", "lock", "--json")) is None
    assert "Done:" in folder.ok("apply", "--resume")
    assert (folder.path / "after").exists()


def test_ctrl_c_twice_stops_and_the_state_is_true(folder):
    folder.write("main.yaml", SLEEPY.replace("sleep 1", "sleep 60"))
    process = folder.start("apply", "--yes")
    await_path(folder.path / "begun", process)
    process.send_signal(signal.SIGINT)
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    assert "Stopping now" in out
    assert err == ""
    assert not (folder.path / "done").exists()
    assert "2 to run" in folder.ok("plan")
    assert json.loads(folder.ok("history", "--json"))[0]["status"] == "interrupted"


def test_sigterm_is_heeded_like_ctrl_c(folder):
    folder.write("main.yaml", SLEEPY)
    process = folder.start("apply", "--yes")
    await_path(folder.path / "begun", process)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert (folder.path / "done").exists()


def test_ctrl_c_while_nickel_works(folder):
    folder.write(
        "main.ncl",
        "let rec f = fun n => if n == 0 then 0 else 1 + f (n - 1) in "
        '{ name = "x", vars.n = std.array.fold_left (fun a i => a + f 900) 0 (std.array.range 0 100000) }',
    )
    process = folder.start("plan", start_new_session=True)
    time.sleep(1.0)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted." in err


def test_a_killed_run_is_given_up_once_all_is_done(folder):
    folder.write("main.yaml", SLEEPY)
    process = folder.start("apply", "--yes")
    await_path(folder.path / "begun", process)
    process.kill()
    process.communicate()
    assert "in doubt" in folder.ok("state", "list")
    await_path(folder.path / "done", type("Gone", (), {"poll": staticmethod(lambda: None)}))
    folder.ok("apply", "--yes")
    assert "in doubt" not in folder.ok("state", "list")
    assert [run["status"] for run in json.loads(folder.ok("history", "--json"))] == ["done", "abandoned"]
    assert folder.ok("apply") == "No changes. The machine matches the stack.\n"


def test_a_reader_that_goes_away(demo):
    process = demo.start("modules", "show", "user")
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == ""


def test_a_full_disk_under_stdout(demo):
    with open("/dev/full", "w") as full:
        process = demo.start("plan")
        process.communicate()
        import subprocess

        ran = subprocess.run(
            [sys.executable, "-m", "g8r", "plan"],
            cwd=demo.path,
            env=demo.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture
def without_privilege():
    """What to begin a command with, so that file modes hold for it."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is missing, and root may write anywhere")
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner")


def test_a_read_only_state(demo, without_privilege):
    demo.ok("apply", "--yes")
    state = demo.path / ".g8r"
    modes = {path: path.stat().st_mode for path in (state, *state.rglob("*"))}
    for path in modes:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        for words in (("plan",), ("drift",), ("state", "list"), ("output",), ("history",), ("explain", "file.a"), ("validate",)):
            ran = demo.child(*words, prefix=without_privilege)
            assert ran.returncode == 0, (words, ran)
        for words in (("apply", "--yes"), ("destroy", "--yes"), ("state", "forget", "file.a")):
            ran = demo.child(*words, prefix=without_privilege)
            assert ran.returncode == 1
            assert "cannot write the state file" in ran.stderr
            assert "Traceback" not in ran.stderr
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def test_an_unreadable_state_and_source(demo, without_privilege):
    demo.ok("apply", "--yes")
    (demo.path / ".g8r").chmod(0)
    ran = demo.child("plan", prefix=without_privilege)
    (demo.path / ".g8r").chmod(0o700)
    assert ran.returncode == 1
    assert "Permission denied" in ran.stderr
    assert "bug" not in ran.stderr
    (demo.path / "main.ncl").chmod(0)
    ran = demo.child("plan", prefix=without_privilege)
    assert ran.returncode == 1
    assert "main.ncl: Permission denied" in ran.stderr


def on_terminal(demo, arguments, answer):
    """What a terminal shows, and the exit code; `answer` is typed at once."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(demo.path)
        os.execve(sys.executable, [sys.executable, "-m", "g8r", *arguments], demo.environment({"TERM": "xterm-256color"}))
    os.write(terminal, answer.encode())
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # Linux: the other end has been closed
        pass
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_on_a_terminal_it_asks_in_colour_and_shows_progress(demo):
    shown, code = on_terminal(demo, ["apply"], "yes\n")
    assert code == 0, shown
    assert "Do you want to apply this plan?" in shown
    assert "\x1b[32m" in shown
    assert (demo.path / "out" / "a").exists()
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is shown again"


def test_on_a_terminal_no_is_no(demo):
    shown, code = on_terminal(demo, ["--no-color", "apply"], "no\n")
    assert code == 1
    assert "Not approved. Nothing was changed." in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (
            ("--version",),
            {"msgspec", "networkx", "rich", "apsw", "nickel", "yaml", "g8r.compiler.compile", "importlib.metadata", "g8r.cli.plan"},
        ),
        (("--help",), {"msgspec", "networkx", "rich", "apsw", "g8r.cli.plan"}),
        (("plan",), {"rich", "jinja2", "nacl", "zmq", "asyncio"}),
        (("state", "list"), {"rich", "jinja2", "networkx", "g8r.executor.planning", "g8r.executor.run"}),
        (("output",), {"rich", "networkx", "g8r.executor.planning"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_imports_only_what_it_needs(demo, arguments, unneeded):
    ran = demo.child(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ran.returncode == 0, ran
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "g8r.cli.main" in imported
    assert not imported & unneeded
