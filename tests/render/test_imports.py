"""rich is for terminals alone: nothing else of render imports it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from g8r import render

WITH_RICH = {"progress_live", "plan_svg"}


def test_only_what_draws_on_a_terminal_imports_rich():
    names = sorted(f"g8r.render.{found.name}" for found in pkgutil.iter_modules(render.__path__) if found.name not in WITH_RICH)
    assert len(names) > 10
    loaded = "sorted(name for name in sys.modules if name.partition('.')[0] in {'rich', 'networkx', 'click'})"
    program = f"import sys, {', '.join(names)}\nprint({loaded})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
