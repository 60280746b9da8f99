"""What evaluates in these tests: the shipped contracts, and the nickel command beside the embedded child."""

import os
import shutil
from pathlib import Path

from g8r.compiler import evaluate

SHIPPED = Path(evaluate.contracts_folder())
NICKEL = shutil.which(os.environ.get("G8R_TEST_NICKEL") or "nickel") or shutil.which("nickel")
"""The nickel command to test with; `G8R_TEST_NICKEL` names one that is not on PATH. None where there is none."""
