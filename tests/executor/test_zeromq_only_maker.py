"""One factory makes sockets, and nobody who does not need ZeroMQ pays for it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "g8r"
FACTORY = SOURCE / "executor" / "zeromq" / "factory.py"
MAKERS = frozenset({"Context", "Socket", "SyncContext", "ThreadAuthenticator", "get_monitor_socket", "instance", "shadow", "socket"})
NOT_ZEROMQ = frozenset({"executor/zeromq/connections.py:socket.socket"})
"""The standard library's: a duplicate of an accepted TCP connection."""


def makers(text: str, name: str) -> Iterator[str]:
    """Calls that could make a socket or a context, as `file:call`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in MAKERS and "." in called:
                yield f"{name}:{called}"


def imports_zmq(text: str) -> bool:
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name == "zmq" or name.startswith("zmq.") for name in names)


def test_only_the_factory_makes_sockets():
    found = {
        made
        for path in SOURCE.rglob("*.py")
        if path != FACTORY and ("zmq" in (text := path.read_text()) or "executor/zeromq/" in path.as_posix())
        for made in makers(text, path.relative_to(SOURCE).as_posix())
    }
    assert found == NOT_ZEROMQ


@pytest.mark.parametrize(
    "line", ["zmq.Context()", "context.socket(zmq.PUB)", "zmq.Context.instance()", "zmq.auth.thread.ThreadAuthenticator(c)"]
)
def test_the_lint_sees_what_makes_sockets(line):
    assert list(makers(f"import zmq\nmade = {line}\n", "x.py"))


def test_the_factory_is_seen_by_the_lint():
    assert {call.rpartition(".")[2] for call in makers(FACTORY.read_text(), "factory.py")} == {"Context", "socket"}


def test_only_the_package_imports_zmq():
    importing = {path.parent for path in SOURCE.rglob("*.py") if imports_zmq(path.read_text())}
    assert importing == {FACTORY.parent}


def test_commands_do_not_pay_for_zeromq():
    script = "import sys, pkgutil, importlib, g8r.cli as c\n"
    script += "for m in pkgutil.iter_modules(c.__path__): importlib.import_module(f'g8r.cli.{m.name}')\n"
    script += "assert 'g8r.cli.plan' in sys.modules and 'g8r.executor.run' in sys.modules\nprint('zmq' in sys.modules)"
    said = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=True, cwd=SOURCE.parent).stdout
    assert said == "False\n"
