"""docs/mistakes.md is current, and every message on it is one that helps."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
spec = importlib.util.spec_from_file_location("mistakes_page", DOCS / "mistakes_page.py")
assert spec is not None
assert spec.loader is not None
mistakes_page = importlib.util.module_from_spec(spec)
sys.modules["mistakes_page"] = mistakes_page
spec.loader.exec_module(mistakes_page)


@pytest.fixture(autouse=True)
def embedded(monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")


def test_the_page_is_current():
    assert (DOCS / mistakes_page.PAGE).read_text("utf-8") == mistakes_page.page(), "run `make docs`"


def test_there_are_twenty_and_they_come_from_everywhere():
    assert len(mistakes_page.CASES) >= 20
    assert {case.name for case in mistakes_page.CASES} == {"main.yaml", "main.ncl"}
    assert len({case.title for case in mistakes_page.CASES}) == len(mistakes_page.CASES)
    for tool in ("Ansible", "Salt", "Terraform"):
        assert sum(tool in case.used_to for case in mistakes_page.CASES) >= 3


@pytest.mark.parametrize("case", mistakes_page.CASES, ids=lambda case: case.title)
def test_a_message_says_where_and_what_to_do(case):
    for block in mistakes_page.said(case).strip().split("\n\n")[:-1]:
        assert block.startswith("error: "), block
        assert re.search(r"^ *--> main\.\w+:\d+:\d+$", block, re.MULTILINE), block
        assert re.search(r"^ *= .{20,}", block, re.MULTILINE), block
        assert "/tmp" not in block
