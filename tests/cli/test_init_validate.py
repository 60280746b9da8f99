"""g8r init and g8r validate."""

import pytest
import sarif_schema


@pytest.mark.parametrize("options", [(), ("--yaml",)])
def test_the_starter_validates_plans_applies_and_settles(folder, options):
    assert "Next: cd my site && g8r plan" in folder.ok("init", "my site", *options)
    assert folder.ok("validate", "my site") == "Success! The stack is valid: 5 tasks on 1 host.\n"
    assert "Plan: 4 to create, 0 to change, 0 to replace, 0 to destroy; 1 run." in folder.ok("plan", "my site")
    folder.ok("apply", "my site", "--yes")
    out = folder.path / "my site" / "out"
    assert (out / "greeting.txt").read_text() == "Hello from localhost.\n"
    assert "stdout:    22 greeting.txt" in folder.ok("state", "show", "command.count", "my site")
    assert folder.ok("plan", "my site", "--detailed-exitcode") == "No changes. The machine matches the stack.\n"


def test_both_starters_can_live_on_one_machine(folder):
    for name in ("one", "two"):
        folder.ok("init", name)
        folder.ok("apply", name, "--yes")


def test_init_overwrites_nothing(folder):
    folder.write("main.toml", 'name = "x"\n')
    ran = folder.g8r("init", "--yaml")
    assert ran.code == 1
    assert "main.toml is there already" in ran.err
    assert sorted(path.name for path in folder.path.iterdir()) == ["main.toml"]


def test_init_keeps_a_gitignore(folder):
    folder.write("a/.gitignore", "mine\n")
    out = folder.ok("init", "a")
    assert ".gitignore" not in out
    assert (folder.path / "a" / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize(("folder_name", "name"), [("My Site!", "my-site"), ("ümlaut", "mlaut"), ("...", "stack")])
def test_the_stacks_name_comes_from_the_folder(folder, folder_name, name):
    folder.ok("init", folder_name)
    assert f'name = "{name}"' in (folder.path / folder_name / "main.ncl").read_text()


def test_init_where_nothing_can_be_written(folder):
    folder.write("file", "")
    ran = folder.g8r("init", "file/below")
    assert ran.code == 1
    assert "cannot write to file/below" in ran.err


WRONG = """\
name: site
tasks:
  file:
    a: {path: /etc/a, contnet: x}
    b: {path: relative}
  fiel:
    c: {path: /etc/c}
"""

TANGLED = """\
name: site
tasks:
  file:
    a: {path: /etc/a, content: "@{file.b.checksum}"}
    b: {path: /etc/b, content: "@{file.a.checksum}"}
    c: {path: /etc/c, on: web9}
  directory:
    d: {path: /etc/c}
"""


def test_all_errors_at_once_with_their_places(folder):
    folder.write("main.yaml", WRONG)
    ran = folder.g8r("validate")
    assert ran.code == 1
    assert ran.out == ""
    for place in ("main.yaml:4:", "main.yaml:5:", "main.yaml:6:"):
        assert f"--> {place}" in ran.err
    assert 'Did you mean "content"?' in ran.err
    assert "3 errors" in ran.err


MIXED = """\
{
  name = "site",
  hosts = { web1 = { connection = "fake", labels.role = "web" } },
  tasks = {
    file.conf = { on = "web9", path = "etc/x", contnt = "x", mode = 644 },
    service.nginx = { on = { role = "web" }, runing = true, reload_on = ["file.conff"] },
    fil.b = {},
    file.c = { path = "/etc/c", content = "@{file.nope.checksum}" },
  },
}
"""


@pytest.mark.parametrize("command", [("validate",), ("plan",), ("apply", "--yes"), ("graph",), ("explain", "file.c")])
def test_mistakes_of_every_sort_in_one_go(folder, command):
    folder.write("main.ncl", MIXED)
    ran = folder.g8r(*command)
    assert (ran.code, ran.out) == (1, "")
    assert [line.partition(":")[2].partition(":")[0] for line in ran.err.splitlines() if "--> main.ncl" in line] == list("55556678")
    assert ran.err.endswith("8 errors\n")


def test_a_ledger_verb_tells_the_mistakes_of_the_source(folder):
    folder.write("main.ncl", MIXED)
    ran = folder.g8r("history", "main.ncl")
    assert ran.code == 1
    assert "unknown kind" in ran.err


def test_validate_compiles_too(folder):
    folder.write("main.yaml", TANGLED)
    ran = folder.g8r("validate")
    assert ran.code == 1
    assert "--> main.yaml:6:" in ran.err
    assert 'unknown host "web9"' in ran.err


def test_json(folder):
    folder.write("main.yaml", WRONG)
    for options in (("--json",), ("--format", "json")):
        ran = folder.g8r("validate", *options)
        assert ran.code == 1
        assert (ran.json["valid"], ran.json["error_count"]) == (False, 3)
        assert ran.json["diagnostics"][0]["range"]["filename"] == "main.yaml"
    folder.write("main.yaml", "name: site\n")
    assert folder.g8r("validate", "--json").json["valid"]


def test_github(folder):
    folder.write("main.yaml", WRONG)
    ran = folder.g8r("validate", "--format", "github")
    assert ran.code == 1
    assert [line.partition(",")[0] for line in ran.out.splitlines()] == ["::error file=main.yaml"] * 3


def test_sarif_has_every_place(folder, tmp_path_factory):
    folder.write("main.yaml", "name: site\ntasks:\n  file:\n" + "".join(f"    f{n}: {{path: relative}}\n" for n in range(30)))
    ran = folder.g8r("validate", "--format", "sarif")
    assert ran.code == 1
    results = ran.json["runs"][0]["results"]
    assert len(results) == 30
    assert all(result["locations"] for result in results)
    assert sarif_schema.problems(ran.json, tmp_path_factory.mktemp("sarif")) == []
    folder.write("main.yaml", "name: site\n")
    assert sarif_schema.problems(folder.g8r("validate", "--format", "sarif").json, tmp_path_factory.mktemp("sarif")) == []


def test_validate_reads_no_state_and_no_host(fleet):
    (fleet.path / ".g8r").mkdir()
    (fleet.path / ".g8r" / "state.db").write_text("garbage")
    assert fleet.ok("validate") == "Success! The stack is valid: 3 tasks on 2 hosts.\n"


def test_what_hangs_on_facts_is_left_to_the_plan(folder):
    folder.write("main.yaml", 'name: x\ntasks: {file: {a: {path: "/tmp/@{host.facts.hostname}", content: x}}}\n')
    assert folder.ok("validate").startswith("Success!")
