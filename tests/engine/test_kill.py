"""[S-crash] [A-intent] [A-durable] for real: applies on this machine, killed with SIGKILL at random moments (`killing.py`).

G8R_KILLS says how often (200), G8R_SEED where the dice start; what broke names its seed.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = int(os.environ.get("G8R_KILLS", "200"))
SEED = int(os.environ.get("G8R_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
TOGETHER = 2
"""Folders that are worked on at once."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + KILLS * 3)]


def test_S_crash_kill_9_at_random_moments_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killing.py")
    share = -(-KILLS // TOGETHER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "G8R_SECRETS": str(tmp_path)}
    environment.pop("G8R_STATE", None)
    children = []
    for number in range(TOGETHER):
        argv = [sys.executable, str(script), str(tmp_path / str(number)), str(share), str(SEED + number)]
        children.append(subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    ended = [(child.communicate()[0], child.returncode) for child in children]
    told = "\n".join(said for said, _ in ended)
    print(f"seed {SEED}:\n{told}")
    assert all(code == 0 for _, code in ended), told
    inside = sum(int(found) for found in re.findall(r"(\d+) of them within a run", told))
    assert inside >= KILLS // 4, f"too few kills hit a run, so this says little: {told}"
