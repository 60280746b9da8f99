"""What docs/editors.md promises: params are offered and documented under the contract, and the YAML shown fits the schema that it names.

`nickel query` asks the evaluator what the language server works out from the text, so the text is held to what the server can follow.
"""

import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from probing import CONTRACTS, NICKEL

from g8r import modules
from g8r.compiler import json_schema
from g8r.stack import META_ARGUMENTS

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
        assert f"    {kind} | {{ _ | ByKind.{kind} }} | optional," in (CONTRACTS / "kinds" / "all.ncl").read_text("utf-8")
        assert re.search(r"^\{$", (CONTRACTS / "kinds" / f"{kind}.ncl").read_text("utf-8"), re.MULTILINE)


def test_the_yaml_that_is_shown_fits_the_schema_and_a_mistake_in_it_does_not():
    text = BLOCKS["yaml"]
    assert text.startswith("# yaml-language-server: $schema=g8r.schema.json\n")
    schema = jsonschema.Draft7Validator(json_schema.of_stack())
    assert list(schema.iter_errors(yaml.safe_load(text))) == []
    (wrong,) = schema.iter_errors(yaml.safe_load(text.replace("mode:", "mod:")))
    assert list(wrong.absolute_path) == ["tasks", "file", "motd"]
