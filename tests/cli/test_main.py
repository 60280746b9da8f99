"""What holds for every command: help, usage errors, errors as JSON, no traceback."""

import errno
import importlib
import json

import click
import pytest
from click.testing import CliRunner

import g8r
from g8r.cli import main
from g8r.diagnostics import reject


def commands():
    for name in main.COMMANDS:
        command = importlib.import_module(f"g8r.cli.{name}").command
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, sub), found) for sub, found in command.commands.items())


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_every_help_has_an_example_that_is_a_command(words):
    shown = CliRunner().invoke(main.main, [*words, "--help"]).output
    assert f"g8r {' '.join(words)}" in shown.partition("  Examples:\n")[2]
    assert "\\b" not in shown


@pytest.mark.parametrize(("words", "command"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_every_option_has_help(words, command):
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{words}: {param.name}"


def test_the_list_of_commands_needs_no_import_and_is_whole(folder):
    shown = folder.ok("--help")
    for name, told in main.COMMANDS.items():
        assert name in shown
        assert " ".join(told.split()[:3]) in shown


def test_version(folder):
    told = folder.ok("--version").splitlines()
    assert told[0] == f"g8r {g8r.__version__}"
    assert told[1].startswith("a stack is kept to its root by ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vaildate",), "No such command 'vaildate'. Did you mean \"validate\"?"),
        (("plan", "--jso"), "No such option"),
        (("plan", "a", "b"), "unexpected extra argument"),
        (("plan", "--parallelism", "0"), "No such option"),
        (("apply", "--parallelism", "0"), "0 is not in the range"),
        (("plan", "--var", "env"), "'env' is not NAME=VALUE"),
        (("plan", "-w", "../up"), "is no name of a workspace"),
        (("-C", "/nowhere", "plan"), "does not exist"),
        (("explain",), "Missing argument 'ADDR'"),
        (("modules", "shwo"), "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage_errors_exit_1(folder, arguments, said):
    ran = folder.g8r(*arguments)
    assert ran.code == 1
    assert said in ran.err
    assert ran.out == ""


def test_usage_errors_as_json(folder):
    ran = folder.g8r("plan", "--json", "--nope")
    assert ran.code == 1
    assert ran.json["diagnostics"][0]["g8r"]["code"] == "usage"
    assert "g8r plan --help" in ran.json["diagnostics"][0]["detail"]


def test_errors_as_json_keep_the_exit_code(folder):
    ran = folder.g8r("plan", "--json")
    assert ran.code == 1
    assert not ran.json["valid"]
    assert "has no stack in it" in ran.json["diagnostics"][0]["summary"]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (reject("x", "no way", "Turn round.", exit_code=3), 3, "error: no way\n  = Turn round."),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/shadow"), 1, "the system refuses /etc/shadow: Permission denied"),
        (MemoryError(), 1, "not enough memory"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (ZeroDivisionError("oops"), 1, "g8r has a bug: ZeroDivisionError: oops"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_traceback_reaches_a_user(folder, capsys, monkeypatch, raised, code, said):
    def fail(*_arguments, **_options):
        raise raised

    monkeypatch.setattr(main.main, "main", fail)
    assert main._run(["plan"]) == code
    out, err = capsys.readouterr()
    assert said in err
    assert "Traceback" not in out + err


def test_a_bugs_traceback_is_kept(folder, capsys, monkeypatch):
    monkeypatch.setattr(main.main, "main", lambda *_arguments, **_options: 1 // 0)
    assert main._run(["plan", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["diagnostics"][0]
    kept = told["detail"].removeprefix("Please report it with ").partition(". ")[0]
    with open(kept) as opened:
        assert "ZeroDivisionError" in opened.read()


@pytest.mark.parametrize("source", ["no.ncl", "empty", "text.txt"])
def test_what_is_no_stack(folder, source):
    (folder.path / "empty").mkdir()
    folder.write("text.txt", "hello")
    ran = folder.g8r("plan", source)
    assert ran.code == 1
    assert source.removesuffix(".ncl") in ran.err


@pytest.mark.parametrize(
    ("name", "content"), [("bad.ncl", b'{ name = "\xff" }'), ("bad.yaml", b"name: \xff\n"), ("bad.json", b'{"name": "\xff"}')]
)
def test_what_is_no_text(folder, name, content):
    (folder.path / name).write_bytes(content)
    ran = folder.g8r("validate", name)
    assert ran.code == 1
    assert "error: " in ran.err
    assert f"{name}:1:" in ran.err


def test_colours(folder, monkeypatch):
    folder.write("main.yaml", "name: 7\n")
    assert "\x1b" not in folder.g8r("plan").err
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in folder.g8r("plan").err
    assert "\x1b" not in folder.g8r("--no-color", "plan").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in folder.g8r("plan").err
