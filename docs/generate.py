"""What in docs/ is generated: the page of every kind, the index of them, the contracts, common mistakes, and the picture in the README.

`make docs` writes it; tests/docs/test_docs.py fails where it is stale.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from g8r import modules
from g8r.cli import fakes
from g8r.render import kind_pages, plan_svg

DOCS: Final = Path(__file__).parent
MARK: Final = "<!-- Generated from the kind's Params: `make docs`. Do not edit. -->\n\n"
BY_HAND: Final = b"Somebody edited this by hand.\n"


def pages() -> dict[str, str]:
    """The generated files by their path below docs/."""
    kinds = [modules.load(kind) for kind in modules.KINDS]
    found = {f"kinds/{module.kind}.md": MARK + kind_pages.reference(module) for module in kinds}
    rows = "".join(f"| [`{module.kind}`]({module.kind}.md) | {module.summary} |\n" for module in kinds)
    about = "`g8r modules list` and `g8r modules show KIND` say the same. What any task may say besides: [tasks](../language.md#tasks).\n"
    found["kinds/README.md"] = f"{MARK}# The kinds\n\n{about}\n| kind | manages |\n| --- | --- |\n{rows}"
    return found


def picture() -> str:
    """The plan of docs/picture/main.ncl after before.ncl was applied and db1's motd edited by hand; on simulated hosts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stack in (DOCS / "picture").glob("*.ncl"):
            shutil.copy(stack, folder)
        _g8r(folder, "apply", "before.ncl", "--yes")
        kept = folder / ".g8r" / "fake" / "default" / "db1.json"
        host = fakes.wake(kept, {})
        host.place("/etc/motd", BY_HAND)
        fakes.keep(kept, host)
        return plan_svg.of_text(_g8r(folder, "plan", "main.ncl"), "g8r plan")


def _g8r(folder: Path, *arguments: str) -> str:
    """What a command of g8r prints, in colour, run in that folder."""
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR" and not name.startswith("G8R_")}
    environment = {**kept, "FORCE_COLOR": "1", "PYTHONPATH": str(DOCS.parent), "G8R_HOME": str(folder / "home"), "G8R_NICKEL": "embedded"}
    command = [sys.executable, "-m", "g8r", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def main() -> None:
    import contract_page  # noqa: PLC0415 beside this file, so found only where this is the program
    import mistakes_page  # noqa: PLC0415 as above

    made = {contract_page.PAGE: contract_page.page(), mistakes_page.PAGE: mistakes_page.page(), "plan.svg": picture()}
    for name, text in {**pages(), **made}.items():
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.read_text(encoding="utf-8") == text:
                continue
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote docs/{name}\n")


if __name__ == "__main__":
    main()
