"""The kind `group`."""

from __future__ import annotations

import laws
import pytest
from case import Case
from cases.group import CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)
