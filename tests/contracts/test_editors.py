"""What docs/editors.md promises: params are offered and documented under the contract, and the YAML shown fits the schema that it names.

The language server of Nickel is asked as an editor asks it, where there is one: `nls` on PATH, or named in G8R_TEST_NLS. `nickel query`
asks the evaluator for what the server works out from the text, and the text is held to what the server can follow.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from probing import CONTRACTS, NICKEL
from speaking import Client

from g8r import modules
from g8r.compiler import json_schema
from g8r.compiler.decode import StackShape
from g8r.stack import META_ARGUMENTS

NLS = shutil.which(os.environ.get("G8R_TEST_NLS") or "nls")
needs_nls = pytest.mark.skipif(NLS is None, reason="NO NICKEL LANGUAGE SERVER: nobody asks it what it completes. G8R_TEST_NLS names one")
PAGE = (Path(__file__).parents[2] / "docs" / "editors.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```(nickel|yaml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def queried(folder, field):
    (folder / "main.ncl").write_text(BLOCKS["nickel"])
    command = [NICKEL, "query", "--color", "never", "main.ncl", "--import-path", str(CONTRACTS), "--field", field]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout)


@pytest.mark.skipif(NICKEL is None, reason="NO NICKEL COMMAND: what editors complete is not looked at. G8R_TEST_NICKEL names one")
def test_the_params_of_a_kind_are_offered_with_their_docs(tmp_path):
    offered = set(re.findall(r"^• (\w+)$", queried(tmp_path, "tasks.file.motd"), re.MULTILINE))
    params = set(modules.load("file").Params.__struct_fields__)
    assert params <= offered
    assert offered - params == set(META_ARGUMENTS) - {"become", "reload_on", "restart_on", "run_on"}
    assert "permission bits" in queried(tmp_path, "tasks.file.motd.mode")
    assert set(re.findall(r"^• (\w+)$", queried(tmp_path, "tasks"), re.MULTILINE)) == set(modules.KINDS)


def test_the_contract_of_a_stack_is_written_so_that_the_language_server_can_follow_it():
    text = (CONTRACTS / "g8r.ncl").read_text("utf-8")
    (stack,) = re.findall(r'^  Stack \| doc "A stack" = (.*),$', text, re.MULTILINE)
    assert re.fullmatch(r"Top & \{ tasks \| Kinds\.Tasks \| .*\}", stack), "no function call: nls looks into none"
    assert re.search(r"^let Top = \{$", text, re.MULTILINE)
    for kind in modules.KINDS:
        assert f"    {kind} | {{ _ | Kinds.{kind} }} | optional," in (CONTRACTS / "kinds" / "all.ncl").read_text("utf-8")
        assert re.search(r"^\{$", (CONTRACTS / "kinds" / f"{kind}.ncl").read_text("utf-8"), re.MULTILINE)


def test_the_yaml_that_is_shown_fits_the_schema_and_a_mistake_in_it_does_not():
    text = BLOCKS["yaml"]
    assert text.startswith("# yaml-language-server: $schema=g8r.schema.json\n")
    schema = jsonschema.Draft7Validator(json_schema.of_stack())
    assert list(schema.iter_errors(yaml.safe_load(text))) == []
    (wrong,) = schema.iter_errors(yaml.safe_load(text.replace("mode:", "mod:")))
    assert list(wrong.absolute_path) == ["tasks", "file", "motd"]


# ---- the language server ---------------------------------------------------------------------------------------------------------

META = set(META_ARGUMENTS) - {"become", "reload_on", "restart_on", "run_on"}
FILE = set(modules.load("file").Params.__struct_fields__) | META


def completed(folder, text):
    """What is offered where the `@` stands, with its documentation."""
    before, _, after = text.partition("@")
    with Client(NLS, folder, CONTRACTS) as client:
        client.open("main.ncl", before + after)
        offered = client.at("completion", "main.ncl", before.count("\n"), len(before.rpartition("\n")[2])) or []
    items = offered if isinstance(offered, list) else offered["items"]
    return {item["label"].strip('"'): (item.get("documentation") or {}).get("value", "") for item in items}


def stack(text):
    return f'{{\n  name = "site",\n{text}\n}}\n| (import "g8r.ncl").Stack\n'


@needs_nls
@pytest.mark.parametrize(
    "text",
    [
        "  tasks.file.motd.@",
        "  tasks.file.motd.m@",
        '  tasks.file.motd.path = "/etc/motd",\n  tasks.file.motd.mo@ = "0644",',
        '  tasks = { file = { motd = {\n    path = "/etc/motd",\n    m@\n  } } },',
    ],
)
def test_the_language_server_completes_the_params_of_a_task(tmp_path, text):
    found = completed(tmp_path, stack(text))
    assert set(found) == FILE
    assert "permission bits" in found["mode"]
    assert "Which hosts" in found["on"]


@needs_nls
def test_the_language_server_completes_kinds_and_the_top(tmp_path):
    assert set(completed(tmp_path, stack("  tasks.@"))) == set(modules.KINDS)
    assert set(completed(tmp_path, stack("  t@"))) == set(StackShape.__struct_fields__)


@needs_nls
@pytest.mark.parametrize("kind", modules.KINDS)
def test_the_language_server_knows_every_kind(tmp_path, kind):
    module = modules.load(kind)
    expected = set(module.Params.__struct_fields__) | META | set(module.triggers) | ({"become"} if module.becomes else set())
    assert set(completed(tmp_path, stack(f"  tasks.{kind}.x.@"))) == expected


@needs_nls
def test_the_language_server_completes_in_a_function_that_makes_tasks(tmp_path):
    (text,) = re.findall(r"`(let Kinds = .*? \| Kinds\.file)`", PAGE)
    assert set(completed(tmp_path, text.replace(" } |", ", m@ } |"))) == FILE


@needs_nls
@pytest.mark.xfail(
    strict=True, reason="nls 1.18 does not carry a contract into a record that stands behind a path; docs/editors.md says so"
)
def test_the_language_server_completes_in_a_record_behind_a_path(tmp_path):
    assert "mode" in completed(tmp_path, stack("  tasks.file.motd = {\n    m@\n  },"))


@needs_nls
@pytest.mark.timeout(60)
def test_the_language_server_marks_what_breaks_the_contract(tmp_path):
    text = stack('  tasks.file.motd = { path = "/etc/motd", mode = 644 },')
    (tmp_path / "main.ncl").write_text(text)
    with Client(NLS, tmp_path, CONTRACTS) as client:
        client.open("main.ncl", text)
        while not (marked := client.wait_for("textDocument/publishDiagnostics")["params"]["diagnostics"]):
            pass
    assert any("octal mode in quotes" in json.dumps(one) for one in marked)
    assert marked[0]["range"]["start"]["line"] == 2
