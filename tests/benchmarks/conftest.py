"""The benchmarks are no part of the installed package: they are imported from the checkout, however pytest was started."""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))
