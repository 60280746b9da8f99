"""What tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed, so no example has a deadline. In CI the same examples run every time: what a property finds by chance is found
# at a developer's desk, and a landing does not hang on dice.
settings.register_profile("g8r", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("g8r")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew from what the code gives")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("render/plan.txt", text)`: the text must equal that file under tests/golden."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.exists(), f"{path} is missing: run with --update-golden and review what it writes"
        assert text == path.read_bytes().decode()

    return check
