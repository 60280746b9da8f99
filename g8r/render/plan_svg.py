"""A plan as a picture of a terminal, for a README: the text of `plan_text` in colour, drawn by rich. Self-contained, no web fonts."""

from __future__ import annotations

import io
import re

from rich.console import Console
from rich.text import Text

from g8r.plan import Plan
from g8r.render import plan_text
from g8r.render.style import COLOUR


def render(plan: Plan, title: str = "g8r plan", columns: int | None = None) -> str:
    """The picture; as wide as the longest line where `columns` is not given. The same plan gives the same bytes."""
    return of_text(plan_text.render(plan, COLOUR), title, columns)


def of_text(text: str, title: str, columns: int | None = None) -> str:
    """Any text with ANSI colours as such a picture."""
    drawn = Text.from_ansi(text)
    longest = max((line.cell_len for line in drawn.split("\n")), default=0)
    console = Console(record=True, file=io.StringIO(), width=columns or max(longest + 1, 60), force_terminal=True, color_system="standard")
    console.print(drawn, end="")
    svg = console.export_svg(title=title)
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")
    return svg.replace("<text ", '<text xml:space="preserve" ')  # some readers drop leading spaces, hard ones too
