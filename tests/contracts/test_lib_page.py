"""docs/contracts.md is current, and every contract of the library is documented in it."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def contract_page():
    sys.path.append(str(DOCS))
    import contract_page

    return contract_page


def test_the_page_is_current(contract_page, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    assert (DOCS / contract_page.PAGE).read_text("utf-8") == contract_page.page(), "run `make docs`"


def test_every_name_of_every_file_has_a_doc(contract_page, prober):
    for file in ("all", "types", *prober.evaluate('std.record.fields (import "lib/all.ncl")')):
        names = prober.evaluate(f'std.record.fields (import "lib/{file}.ncl")')
        assert set(contract_page.entries(file)) == set(names), file
        assert all(len(doc) > 10 for doc in contract_page.entries(file).values()) or file == "types"
