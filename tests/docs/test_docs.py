"""The documents say what is so: what is generated is current, stacks compile, commands and links exist, the walk-through runs as shown."""

from __future__ import annotations

import getpass
import grp
import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from g8r.cli import main
from g8r.compiler import evaluate
from g8r.compiler.compile import compile_stack
from g8r.compiler.sources import folder_reader
from g8r.diagnostics import RejectedError
from g8r.testing import cases

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
PAGES = [*WRITTEN, *sorted((DOCS / "kinds").glob("*.md"))]
OPERATORS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}


class Block(msgspec.Struct, frozen=True):
    """A fenced block: its language, what else the fence says (`walk`), its text."""

    file: str
    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def blocks(paths: list[Path]) -> Iterator[Block]:
    for path in paths:
        for found in re.finditer(r"^```(\w*)([^\n]*)\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            line = found.string.count("\n", 0, found.start()) + 1
            yield Block(str(path.relative_to(ROOT)), line, found[1], tuple(found[2].split()), found[3])


# ---- what is generated ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_of_the_kinds_are_current(generate) -> None:
    expected = {name: text for name, text in generate.pages().items() if name.startswith("kinds/")}
    assert {f"kinds/{path.name}" for path in (DOCS / "kinds").iterdir()} == set(expected)
    stale = [name for name, text in expected.items() if (DOCS / name).read_text("utf-8") != text]
    assert not stale, "run `make docs`"


def test_the_picture_is_current(generate) -> None:
    assert (DOCS / "plan.svg").read_text("utf-8") == generate.picture(), "run `make docs`, and look at docs/plan.svg"


def is_named(block: Block) -> bool:
    """Whether a block is a file of its page, such as a policy, and no stack: a test of that page writes it and uses it."""
    return any(mark.endswith(".ncl") for mark in block.marks)


# ---- stacks --------------------------------------------------------------------------------------------------------------------

TESTS = [block for block in blocks(WRITTEN) if any(mark.endswith(".test.ncl") for mark in block.marks)]
STACKS = [block for block in blocks(WRITTEN) if block.language in {"nickel", "yaml"} and not is_named(block)]


def compiled(folder: Path, block: Block, text: str) -> list[str]:
    """What is wrong with the stack, and what may be."""
    name = {"nickel": "main.ncl", "yaml": "main.yaml"}[block.language]
    (folder / name).write_text(text, encoding="utf-8")
    (folder / "site.conf.j2").write_text("listen {{ port }};\n")
    try:
        with evaluate.start(folder / name).finish() as loaded:
            made = compile_stack(loaded.stack, {}, folder_reader(folder), mistakes=loaded.diagnostics)
            return [found.summary for found in made.diagnostics]
    except RejectedError as rejected:
        return [found.summary for found in rejected.diagnostics]


@pytest.mark.parametrize("block", STACKS, ids=str)
def test_a_whole_stack_compiles(block: Block, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    assert compiled(tmp_path, block, block.text) == []


def test_every_stack_that_is_shown_is_whole() -> None:
    """A part of one could not be compiled, and so nobody would notice when it goes stale."""
    assert [str(block) for block in STACKS if block.marks] == []
    assert len(STACKS) >= 6


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*/main.ncl")), ids=lambda path: path.parent.name)
def test_an_example_compiles_without_a_word(example: Path, monkeypatch) -> None:
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    with evaluate.start(example).finish() as loaded:
        made = compile_stack(loaded.stack, {}, folder_reader(example.parent), mistakes=loaded.diagnostics)
        assert [found.summary for found in made.diagnostics] == []


# ---- tests of stacks -----------------------------------------------------------------------------------------------------------


def g8r_test(folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("G8R_") and name not in {"CI", "FORCE_COLOR"}}
    environment = {**kept, "PYTHONPATH": str(ROOT), "G8R_NICKEL": "embedded"}
    command = [sys.executable, "-m", "g8r", "test"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def without_times(text: str) -> str:
    return re.sub(r"\(\d+(\.\d+)?(s| ms)\)", "(TIME)", text)


def test_the_page_about_tests_runs_as_shown(tmp_path: Path) -> None:
    """Its test files pass, but for the one that is meant to fail: that says what the page shows."""
    page = list(blocks([DOCS / "testing.md"]))
    (stack,) = [block for block in page if block.language == "nickel" and block not in TESTS]
    (shown,) = [block.text.partition("\n")[2] for block in page if block.language == "console"]
    (tmp_path / "main.ncl").write_text(stack.text)
    first, *others = [block for block in page if block in TESTS]
    assert first.marks == ("main.test.ncl",)
    assert len(others) == 2
    (tmp_path / "main.test.ncl").write_text(first.text)
    ran = g8r_test(tmp_path)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert without_times(ran.stdout) == without_times(shown)
    (tmp_path / "main.test.ncl").unlink()
    for block in others:
        (tmp_path / block.marks[0]).write_text(block.text)
    ran = g8r_test(tmp_path)
    assert ran.returncode == 0, ran.stdout


def test_the_examples_pass_their_own_tests() -> None:
    ran = g8r_test(ROOT / "examples")
    assert ran.returncode == 0, ran.stdout
    assert "12 tests in 2 files: 12 passed" in ran.stdout


def test_every_expectation_and_everything_that_can_be_given_is_on_the_page() -> None:
    text = (DOCS / "testing.md").read_text("utf-8")
    fields = [field for struct in (cases.Test, cases.Expect, cases.World) for field in struct.__struct_fields__]
    assert [
        field for field in fields if not re.search(rf"^\| [^|]*`{field}\b[^|]*\|", text, re.MULTILINE) and field not in {"expect", "stack"}
    ] == []


# ---- commands ------------------------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[str, str]]:
    """Where, and a command line of g8r: of shell blocks, and of code in the text that has more than the verb's name in it."""
    for block in blocks(PAGES):
        if block.language in {"sh", "console"}:
            lines = [line.removeprefix("$ ") for line in block.text.splitlines() if block.language == "sh" or line.startswith("$ ")]
            yield from ((str(block), line) for line in lines if re.search(r"(^|\s)g8r\s", line))
    for path in PAGES:
        text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for found in re.finditer(r"`((?:sudo )?g8r [^`]+)`", text):
            yield str(path.relative_to(ROOT)), found[1]


def invocations(line: str) -> Iterator[list[str]]:
    """The arguments of every g8r in a command line."""
    words: list[str] = []
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word in OPERATORS or word.endswith(";"):
            words = [*words, word.rstrip(";")] if word.endswith(";") and word != ";" else words
            while words and (words[0] == "sudo" or re.fullmatch(r"[A-Z_0-9]+=.*", words[0])):
                words = words[1:]
            if words and words[0].endswith("g8r"):
                yield words[1:]
            words = []
        else:
            words.append(word)


LINES = sorted(set(command_lines()))


def parse(command: click.Command, name: str, arguments: list[str]) -> None:
    """Raises UsageError where the command does not take these arguments. Runs nothing."""
    try:
        context = command.make_context(name, list(arguments))
    except click.exceptions.Exit:  # --help, --version
        return
    if isinstance(command, click.Group):
        found, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None
        parse(inner, str(found), rest)


@pytest.mark.parametrize(("where", "line"), LINES)
def test_a_command_that_is_shown_exists(where: str, line: str) -> None:
    calls = list(invocations(line))
    assert calls, f"{where}: no call of g8r in {line!r}"
    for arguments in calls:
        placeholders = {"N": "3"}
        try:
            parse(main.main, "g8r", [placeholders.get(word, word) for word in arguments])
        except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
            assert ":" not in where, f"{where}: {line} is not whole"  # in the text a command may be named alone, in a block it is whole
        except click.UsageError as refused:
            pytest.fail(f"{where}: {line}: {refused.format_message()}")


@pytest.mark.parametrize("line", ["g8r plant", "g8r plan --outt x", "g8r state list one two", "g8r apply && sudo A=b g8r drift --yes"])
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    *_, last = invocations(line)
    with pytest.raises(click.UsageError):
        parse(main.main, "g8r", last)


def test_every_command_is_told_of() -> None:
    told = " ".join(line for _, line in LINES)
    assert [name for name in main.COMMANDS if f"g8r {name}" not in told] == []


# ---- links ---------------------------------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_repository_resolve(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or not path.is_relative_to(ROOT) or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_no_document_is_left_out() -> None:
    """Every page can be reached from the README."""
    reached, left = {ROOT / "README.md"}, [ROOT / "README.md"]
    while left:
        page = left.pop()
        for target in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text("utf-8")):
            path = (page.parent / target).resolve()
            if path not in reached and path.exists():
                reached.add(path)
                left.append(path)
    assert set(PAGES) - {ROOT / "CHANGELOG.md"} <= reached


def test_error_codes_that_troubleshooting_names_exist() -> None:
    source = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "g8r").rglob("*.py")))
    text = (DOCS / "troubleshooting.md").read_text("utf-8")
    named = re.findall(r"^\| `([a-z-]+)`", text, re.MULTILINE)
    assert len(named) > 20
    assert [code for code in named if f'"{code}"' not in source] == []


PROMISES = re.findall(r"^\| \[([PAS]-\w+)\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("promise", "file"), PROMISES)
def test_a_promise_has_a_test_of_its_name_where_the_readme_says(promise: str, file: str) -> None:
    assert len(PROMISES) > 15
    assert re.search(rf"^def test_{promise.replace('-', '_')}_", (ROOT / file).read_text("utf-8"), re.MULTILINE)


# ---- the walk-through ----------------------------------------------------------------------------------------------------------


def normal(text: str) -> list[str]:
    """Without what differs from run to run: names of runs and plans, times, who and where, the width of columns, the order of equals."""
    text = re.sub(r"\b\d{8}-[0-9a-f]{8}\b", "RUN", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\d+\.\d+s\b", "SECONDS", text)
    text = re.sub(r"(TIME\s+\S+@\S+\s+)\d+", r"\1SERIAL", text)  # outcomes are committed in groups, of what is there
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]


@pytest.mark.slow
def test_the_walk_through_of_the_readme_runs_as_shown(tmp_path: Path) -> None:
    """Every command of the blocks marked `walk`, in one shell; what it prints is what the README shows."""
    walk = "".join(block.text for block in blocks([ROOT / "README.md"]) if "walk" in block.marks)
    commands = [line.removeprefix("$ ") for line in walk.splitlines() if line.startswith("$ ")]
    script = "".join(f"printf '%s\\n' {shlex.quote('$ ' + line)}\n{line}\n" for line in commands)
    (tmp_path / "g8r").write_text(f'#!/bin/sh\nexec {sys.executable} -m g8r "$@"\n')
    (tmp_path / "g8r").chmod(0o755)
    (tmp_path / "ada").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("G8R_") and name != "FORCE_COLOR"}
    environment = {
        **kept,
        "PATH": f"{tmp_path}:{kept['PATH']}",
        "PYTHONPATH": str(ROOT),
        "G8R_HOME": str(tmp_path / "home"),
        "G8R_NICKEL": "embedded",
    }
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path / "ada",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    group = grp.getgrgid(os.getegid()).gr_name
    said = ran.stdout.replace(str(tmp_path), "/home").replace(f"{getpass.getuser()}@{socket.gethostname()}", "ada@laptop")
    said = re.sub(rf"(group:\s+){group}$", r"\1ada", said, flags=re.MULTILINE)
    said = re.sub(rf"(owner:\s+){getpass.getuser()}$", r"\1ada", said, flags=re.MULTILINE)
    said = re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]*", r"\1", said)
    shown = re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]*", r"\1", walk)
    assert _ordered(normal(said)) == _ordered(normal(shown))


def _ordered(lines: list[str]) -> list[str]:
    """Lines of progress in a row sorted: what may go at once may end in any order."""
    found: list[str] = []
    row: list[str] = []
    for line in lines:
        if re.match(r"localhost/\S+.*: (created|ran|changed|destroyed|unchanged)", line):
            row.append(line)
            continue
        found += [*sorted(row), line]
        row = []
    return found + sorted(row)
