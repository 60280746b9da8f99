"""graph, modules, schema, completion."""

import json
import subprocess

import pytest

from g8r import modules
from g8r.cli import completion
from g8r.compiler import contracts


@pytest.mark.parametrize(("form", "ending"), [("dot", "dot"), ("mermaid", "mmd"), ("svg", "svg"), ("json", "json")])
def test_graph(demo, form, ending):
    text = demo.ok("graph", "--format", form)
    assert "file.b" in text
    assert demo.ok("graph", "-o", f"g.{ending}") == f"Drew 4 tasks to g.{ending}.\n"
    assert (demo.path / f"g.{ending}").read_text() == text
    assert not (demo.path / ".g8r").exists()


def test_graph_as_json_has_reasons(demo):
    drawn = json.loads(demo.ok("graph", "--format", "json"))
    edges = {(edge["from"], edge["to"], edge["reason"]) for edge in drawn["edges"]}
    assert ("localhost/file.a", "localhost/file.b", "reference") in edges
    assert ("localhost/directory.out", "localhost/file.a", "claim") in edges


def test_graph_of_what_does_not_compile(demo):
    demo.write("main.ncl", '{ name = "x", tasks.file.a = { path = "/a", needs = ["file.b"] } }')
    ran = demo.g8r("graph")
    assert ran.code == 1
    assert "file.b" in ran.err
    assert ran.out == ""
    demo.write("main.ncl", '{ name = "x" }')
    ran = demo.g8r("graph", "-o", "/nowhere/g.svg")
    assert ran.code == 1
    assert "cannot write /nowhere/g.svg" in ran.err


def test_modules(folder):
    listed = folder.ok("modules", "list")
    for kind in modules.KINDS:
        assert f"\n{kind} " in listed
        assert f"# `{kind}`" in folder.ok("modules", "show", kind, "--markdown")
        assert folder.ok("modules", "show", kind).startswith(f"{kind}: ")
        told = json.loads(folder.ok("modules", "show", kind, "--json"))
        assert told["params"].keys() == set(modules.load(kind).Params.__struct_fields__)
    assert [found["kind"] for found in json.loads(folder.ok("modules", "list", "--json"))] == list(modules.KINDS)
    ran = folder.g8r("modules", "show", "fiel")
    assert ran.code == 1
    assert 'Did you mean "file"?' in ran.err


def test_schema(folder):
    schema = json.loads(folder.ok("schema", "--json-schema"))
    assert schema["properties"]["tasks"]["properties"].keys() == set(modules.KINDS)
    assert f"Wrote the contracts of {len(modules.KINDS)} kinds to c." in folder.ok("schema", "--nickel", "c")
    for name, text in contracts.generate().items():
        assert (folder.path / "c" / name).read_text() == text
    assert (folder.path / "c" / "g8r.ncl").exists()
    for words in ((), ("--nickel", "c", "--json-schema")):
        ran = folder.g8r("schema", *words)
        assert ran.code == 1
        assert "say which" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(folder, shell):
    script = folder.ok("completion", shell)
    assert completion.VARIABLE in script
    assert "g8r" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def completed(folder, *words):
    """What bash is told for a line of these words, the cursor behind the last one."""
    env = {"_G8R_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["g8r", *words]), "COMP_CWORD": str(len(words))}
    ran = folder.child(env=env)
    assert ran.stderr == ""
    return [line.partition(",")[2] for line in ran.stdout.splitlines() if line]


def test_what_is_completed(fleet):
    assert completed(fleet, "pl") == ["plan"]
    assert completed(fleet, "explain", "f") == ["file.conf"]
    assert completed(fleet, "explain", "web1/") == ["web1/file.conf", "web1/package.nginx", "web1/service.nginx"]
    assert completed(fleet, "plan", "--target", "s") == ["service.nginx"]
    assert completed(fleet, "modules", "show", "f") == ["file"]
    assert completed(fleet, "trigger", "service.nginx", "re") == ["reload", "restart"]
    fleet.write("main.yaml", "name: [")
    assert completed(fleet, "explain", "f") == []
