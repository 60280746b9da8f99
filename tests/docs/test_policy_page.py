"""docs/policy.md and examples/policy say what is so: their policies are asked, and what a command prints is what the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from g8r.cli import main, policies

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "policy.md"
EXAMPLE = ROOT / "examples" / "policy"
BLOCKS = re.findall(r"^```(\w*)([^\n]*)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
FILES = {name.strip(): text for language, name, text in BLOCKS if language == "nickel" and name}
STACK = next(text for language, name, text in BLOCKS if language == "nickel" and not name)
SHOWN = [text for language, _, text in BLOCKS if language == "console"]
EXEMPT = "exempt.ncl"
"""The one named block that is a stack."""


@pytest.fixture
def page(tmp_path, monkeypatch, capsys):
    """The page's files in a folder, and a command run there on the day that the page speaks of."""
    monkeypatch.setenv("G8R_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(policies, "now", lambda: "2026-11-22T17:03:00Z")
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, text in {**FILES, "main.ncl": STACK}.items():
        (folder / name).write_text(text, "utf-8")

    def run(*arguments):
        capsys.readouterr()
        code = main._run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.splitlines()[0])
def test_a_command_prints_what_the_page_shows(page, shown):
    command, _, wanted = shown.partition("\n")
    code, out, err = page(*shlex.split(command)[2:])
    assert err + out == wanted
    assert code == 1


@pytest.mark.parametrize("name", sorted(FILES.keys() - {EXEMPT, "broken.ncl"}))
def test_a_policy_file_of_the_page_can_be_asked(page, name):
    _, out, err = page("plan", "--policy", name)
    assert "g8r will do this" in out
    assert " fails" not in err
    assert "cannot be used" not in err


def test_the_three_forms_of_one_policy_find_the_same(page):
    stack = '{ name = "s", tasks.file = { a = { path = "/a", mode = "0666" }, b = { path = "/b", mode = "0644" } } }'
    Path("open.ncl").write_text(stack, "utf-8")
    column = stack.index('"0666"') + 1
    _, _, err = page("validate", "open.ncl", "--policy", "forms.ncl")
    assert sorted(re.findall(rf'file\.(\w) breaks the policy "([a-z-]+)"\n +--> open.ncl:1:{column}\n', err)) == [
        ("a", name) for name in ("as-a-contract", "as-a-predicate", "over-the-whole")
    ]
    assert err.endswith("3 errors\n")


def test_the_exemptions_of_the_page_exempt(page):
    code, _, err = page("validate", EXEMPT, "--policy", "policies.ncl")
    assert code == 0
    assert 'file.sudo_deploy breaks the policy "sudoers", and is exempt until 2026-12-31' in err


def test_the_settings_of_the_library_are_those_of_the_page():
    table = re.findall(r"^\| `(\w+)` \| (?:plans|stacks) \|.*\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    library = "".join((ROOT / "contracts" / "policy" / f"{name}.ncl").read_text("utf-8") for name in ("changes", "tasks", "secrets"))
    documented = dict(re.findall(r'\| doc "(\w+) \{ ([\w, ]+) \}:', library))
    assert len(table) == len(documented) == 8
    for name, settings in table:
        assert {word for word in re.findall(r"`(\w+)", settings) if word != "1"} == set(documented[name].split(", "))


def test_the_example_holds_to_its_policies(page):
    code, out, err = page("validate", EXAMPLE, "--policy", EXAMPLE / "policies.ncl")
    assert (code, "6 policies were checked." in out) == (0, True)
    assert err.endswith("1 warning\n")
    assert 'package.curl breaks the policy "pinned", and is exempt until 2030-06-30' in err


def test_the_plan_of_the_example_holds_to_its_policies(page, tmp_path):
    code, out, err = page("plan", EXAMPLE, "--policy", EXAMPLE / "policies.ncl", "--state", tmp_path / "state")
    assert (code, "Plan: 8 to create" in out) == (0, True)
    assert 'the plan breaks the policy "blast-radius", and is exempt' in err
    assert 'the plan breaks the policy "on-workdays"' in err  # that day is a Sunday
    assert err.endswith("3 warnings\n")
