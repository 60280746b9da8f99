"""Ways to be somebody else: tests of what an ordinary user may do start as root and give that up in a child."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nobody import become_nobody


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that everybody may search, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="g8r-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], object]], str]:
    """Runs a function in a child that is `nobody`, and gives the repr of its result, or its traceback."""
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: only root can become nobody; run the tests as root to see what an ordinary user may do")
    return _as_nobody


def _as_nobody(act: Callable[[], object]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become_nobody()
            said = repr(act())
        except BaseException:  # noqa: BLE001 - it all goes to the parent
            said = traceback.format_exc()
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said
