"""Fixtures for tests on booted hosts. Where none can be booted they skip, saying why; with G8R_REQUIRE_REAL=1 they fail."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import leftovers
import machines
import pytest
import rootfs


@pytest.fixture(scope="session")
def debian() -> rootfs.Debian:
    """The Debian that hosts boot from, built where it is not in the cache."""
    try:
        found = rootfs.prepare()
    except rootfs.CannotBootError as error:
        if os.environ.get("G8R_REQUIRE_REAL") == "1":
            pytest.fail(f"G8R_REQUIRE_REAL=1, but no host can be booted here: {error}", pytrace=False)
        warnings.warn(f"NOT TESTED ON REAL HOSTS: {error}", stacklevel=1)
        pytest.skip(f"no host can be booted here: {error}")
    for name, seconds in found.built.items():
        print(f"built {name} in {seconds:.0f} s")
    leftovers.sweep()
    return found


@pytest.fixture
def boot(debian: rootfs.Debian) -> Iterator[machines.Boot]:
    """Boots machines that live as long as the test: `boot("h1")`, `boot.together("h1", "h2", bridge=boot.bridge())`."""
    with machines.park(debian) as booting:
        yield booting


@pytest.fixture(scope="module")
def shared_boot(debian: rootfs.Debian) -> Iterator[machines.Boot]:
    """As `boot`, for machines that the tests of one module share."""
    with machines.park(debian) as booting:
        yield booting
