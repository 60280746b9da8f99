"""g8r test: what it prints, where it writes, and how it ends."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

NICKEL = shutil.which(os.environ.get("G8R_TEST_NICKEL") or "nickel")
needs_nickel = pytest.mark.skipif(NICKEL is None, reason="NOT RUN: there is no nickel command; G8R_TEST_NICKEL names one")

STACK = '{ name = "site", vars.who | default = "world", tasks.file.motd = { path = "/etc/motd", content = "Hi,\\n%{vars.who}\\n" } }\n'
TESTS = """\
{
  tests = {
    passes.expect.has = ["file.motd"],
    fails = {
      vars.who = "A<d>a",
      expect.content."file.motd" = "Hi,\\nAda\\n",
    },
  },
}
"""
SHOWN = """\
main.test.ncl
  FAIL  fails (TIME)
    main.test.ncl:6: the content of localhost/file.motd is not as expected
      - expected, + got
       Hi,
      -Ada
      +A<d>a
  ok    passes (TIME)

2 tests: 1 passed, 1 failed (TIME)
"""


@pytest.fixture
def tested(folder, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    folder.write("main.ncl", STACK)
    folder.write("main.test.ncl", TESTS)
    return folder


def timeless(text):
    return re.sub(r"\(\d+(\.\d+)?(s| ms)\)", "(TIME)", text)


def test_text(tested):
    ran = tested.g8r("test")
    assert (ran.code, ran.err) == (1, "")
    assert timeless(ran.out) == SHOWN


def test_all_passed(tested):
    out = tested.ok("test", ".", "--filter", "pass*")
    assert timeless(out) == "main.test.ncl\n  ok    passes (TIME)\n\n1 test: 1 passed, 1 left out (TIME)\n"


@pytest.mark.parametrize("nickel", ["embedded", pytest.param(NICKEL, marks=needs_nickel)])
def test_as_a_child_with_either_evaluator(tested, nickel):
    ran = tested.child("test", "main.test.ncl", env={"G8R_NICKEL": nickel})
    assert (ran.returncode, ran.stderr) == (1, "")
    assert timeless(ran.stdout) == SHOWN


def test_colour(tested, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = tested.g8r("test").out
    assert "\x1b[32mok  \x1b[0m  passes" in out
    assert "\x1b[31m-Ada\x1b[0m" in out


def test_json(tested):
    ran = tested.g8r("test", "--json")
    assert ran.code == 1
    assert ran.json["passed"] is False
    assert (ran.json["tests"], ran.json["failed"]) == (2, 1)
    (file,) = ran.json["files"]
    assert file["file"] == "main.test.ncl"
    fails, passes = file["tests"]
    assert passes["failures"] == []
    (failure,) = fails["failures"]
    assert failure["expectation"] == "tests.fails.expect.content.file.motd"
    assert failure["place"]["file"] == "main.test.ncl"
    assert failure["place"]["line"] == 6
    assert (failure["expected"], failure["got"]) == ("Hi,\nAda\n", "Hi,\nA<d>a\n")


def test_junit(tested):
    tested.write("broken.test.ncl", '{ tests.a.expect.hsa = ["\\u{1}"] }\n')
    ran = tested.g8r("test", "--junit", "report.xml")
    assert ran.code == 1
    root = ET.parse(tested.path / "report.xml").getroot()
    assert root.tag == "testsuites"
    assert {name: root.attrib[name] for name in ("tests", "failures", "errors")} == {"tests": "3", "failures": "1", "errors": "1"}
    broken, suite = root
    assert [suite.attrib[name] for name in ("name", "tests", "failures", "errors", "skipped")] == ["main.test.ncl", "2", "1", "0", "0"]
    fails, passes = suite
    assert (passes.attrib["classname"], passes.attrib["name"], len(passes)) == ("main.test.ncl", "passes", 0)
    assert (fails.attrib["file"], fails.attrib["line"]) == ("main.test.ncl", "4")
    (failure,) = fails
    assert failure.attrib == {"type": "content", "message": "the content of localhost/file.motd is not as expected"}
    assert "+A<d>a" in (failure.text or "")
    ((error,),) = broken
    assert error.attrib["type"] == "unknown-key"
    assert 'Did you mean "has"?' in (error.text or "")


def test_junit_that_cannot_be_written(tested):
    ran = tested.g8r("test", "--junit", "no/such/report.xml")
    assert ran.code == 1
    assert "cannot write no/such/report.xml" in ran.err


def test_a_broken_file(tested):
    tested.write("main.test.ncl", "{\n  tests.a.expect.hsa = [],\n}\n")
    ran = tested.g8r("test")
    assert ran.code == 1
    assert '  BROKEN\n\n    error: unknown key "hsa"\n     --> main.test.ncl:2:18\n      |\n    2 |   tests.a.expect.hsa = [],\n' in ran.out
    assert "0 tests: 0 passed, 1 file broken" in ran.out


def test_no_tests(folder):
    folder.write("main.ncl", STACK)
    ran = folder.g8r("test")
    assert ran.code == 1
    assert "there are no tests" in ran.err
    assert f"Looked for *.test.ncl in {folder.path}" in ran.err


def test_no_tests_by_that_name(tested):
    ran = tested.g8r("test", "--filter", "passed")
    assert ran.code == 1
    assert 'Did you mean "passes"?' in ran.err


@pytest.mark.parametrize(("value", "frozen"), [("true", True), ("woodpecker", True), ("", False), ("false", False)])
def test_ci_writes_no_snapshots(tested, monkeypatch, value, frozen):
    monkeypatch.setenv("CI", value)
    tested.write("main.test.ncl", "{ tests.a.expect.snapshot = 'tasks }")
    assert tested.g8r("test").code == int(frozen)
    assert (tested.path / "__snapshots__").exists() is not frozen


def test_the_option_ci(tested):
    tested.write("main.test.ncl", "{ tests.a.expect.snapshot = 'tasks }")
    ran = tested.g8r("test", "--ci")
    assert ran.code == 1
    assert "there is no snapshot of the tasks" in ran.out
    assert "1 snapshot written: tasks of a" in tested.ok("test", "--update", "--ci")


def test_import_path(tested):
    tested.write("more/common.ncl", '{ name = "Ada" }')
    tested.write("main.test.ncl", '{ tests.a = { vars.who = (import "common.ncl").name, expect.content."file.motd" = "Hi,\\nAda\\n" } }')
    assert tested.g8r("test").code == 1
    tested.ok("test", "--import-path", "more")


def test_nothing_is_kept_and_no_secret_is_read(tested, monkeypatch):
    tested.write("secrets/token", "real")
    monkeypatch.setenv("G8R_SECRETS", str(tested.path / "secrets"))
    tested.write("main.ncl", '{ name = "site", tasks.file.t = { path = "/etc/t-of-g8r", content = "@{secret.token}" } }')
    tested.write("main.test.ncl", '{ tests.a.expect = { converges = true, content."file.t" = "secret:token" } }')
    before = sorted(tested.path.rglob("*"))
    tested.ok("test")
    assert sorted(tested.path.rglob("*")) == before
    assert not Path("/etc/t-of-g8r").exists()


def test_help_has_an_example_that_runs(tested):
    shown = tested.ok("test", "--help")
    example = re.search(r"# main\.test\.ncl\n(.*?)\n\n", shown, re.DOTALL)
    assert example is not None
    tested.write(
        "main.ncl",
        '{ name = "a", vars.name | default = "b", tasks.file.greeting = { path = "/etc/a", content = "Hello, %{vars.name}!\\n" } }',
    )
    tested.write("main.test.ncl", example[1])
    tested.ok("test")
