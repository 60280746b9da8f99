"""The seven laws on a booted Debian: the cases of the fake host, by LocalHost as root, with the real apt, systemd and useradd.

What runs inside is `inside/run_laws.py`; each law of each case is a test here. One machine takes them all, one after the other, and is put
back to what it was after each. The packages are those of the fake's archive, built for real, so no network is needed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
import rootfs

HERE = Path(__file__).resolve().parent
KINDS = rootfs.CHECKOUT / "tests" / "modules"
sys.path[:0] = [str(KINDS), str(HERE / "inside")]

import booted_laws  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.slow]

TESTS = booted_laws.tests()


def shard(case: str) -> str:
    """Packages take as long as all else together: with two workers, each has a machine of its own."""
    return "laws_of_packages" if "package: " in case else "laws"


class Laws:
    """The run inside, told as it goes."""

    def __init__(self, machine: machines.Machine, wanted: list[tuple[str, str]]) -> None:
        machine.push(HERE / "inside", "/root/laws")
        for name in ("case.py", "laws.py", "cases"):
            machine.push(KINDS / name, f"/root/laws/{name}")
        machine.put("/root/laws/wanted.json", json.dumps(wanted))
        self._process = machine.start(["/opt/g8r/bin/python3", "-B", "run_laws.py", "wanted.json"], cwd="/root/laws")
        self._told: dict[tuple[str, str], str] = {}

    def wrong(self, law: str, case: str) -> str:
        """What broke, or nothing; waits until it is told."""
        while (law, case) not in self._told:
            line = self._process.stdout.readline() if self._process.stdout else b""
            if not line:
                complaint = self._process.stderr.read().decode("utf-8", "replace") if self._process.stderr else ""
                return f"the run inside ended before it told of this: {complaint[-3000:]}"
            read: dict[str, Any] = json.loads(line)
            self._told[read["law"], read["case"]] = read["wrong"]
        return self._told[law, case]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def told(shared_boot: machines.Boot, request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], str]]:
    """What broke of (law, case), by the run of its shard, which is started when it is first asked."""
    nodes = [node for node in request.session.items if isinstance(node, pytest.Function) and node.module == request.module]
    selected = [(node.callspec.params["law"], node.callspec.params["case"]) for node in nodes]
    runs: dict[str, Laws] = {}

    def wrong(law: str, case: str) -> str:
        name = shard(case)
        if name not in runs:
            runs[name] = Laws(shared_boot(name.replace("_", "-")), [test for test in selected if shard(test[1]) == name])
        return runs[name].wrong(law, case)

    yield wrong
    for running in runs.values():
        running.close()


PARAMS = [pytest.param(law, case, marks=pytest.mark.xdist_group(shard(case)), id=f"{law}: {case}") for law, case in TESTS]


@pytest.mark.parametrize(("law", "case"), PARAMS)
def test_on_a_booted_debian(law: str, case: str, told: Callable[[str, str], str]) -> None:
    wrong = told(law, case)
    if wrong:
        pytest.fail(wrong, pytrace=False)
