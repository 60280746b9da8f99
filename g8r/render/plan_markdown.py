"""Plans as Markdown, for comments on pull requests: the counts, then the plan in a `diff` block that forges colour, cut to a size.

Everything that is not ours stands inside the block, whose fence is longer than any run of backticks in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from g8r.plan import Plan
from g8r.render import plan_text, style
from g8r.render.plan_text import LOOKS, Entry

LIMIT: Final = 60_000
"""Characters; GitHub refuses comments of more than 65,536."""
OPEN: Final = 40
"""Lines up to which the plan is shown unfolded."""

_SIGNS: Final = {"~": "!", ".": "#", "?": "!", "-/+": "!", ">": "!", "*": "!"}
"""What a `diff` block colours in place of our symbols."""
_TEXT_INDENT: Final = 6
_TICKS: Final = re.compile(r"`+")


def render(plan: Plan, limit: int = LIMIT) -> str:
    """The comment, at most `limit` characters (at least 1,000). What does not fit is counted, never dropped in silence."""
    head = [f"### g8r plan: {_code(plan.stack)}", "", f"**{_bold(plan_text.summary_line(plan))}**", ""]
    head += [f"> {line}" if line else "" for line in plan_text.notices(plan)]
    drifted, planned = plan_text.drift(plan), plan_text.entries(plan)
    if not drifted and not planned:
        return "\n".join(head).rstrip() + "\n"
    body, left_out = _fitting(drifted, planned, limit - len("\n".join(head)) - 400)
    longest = max((len(run) for run in _TICKS.findall("\n".join(body))), default=0)
    fence = "`" * max(3, longest + 1)
    folded = len(body) > OPEN
    lines = [*head, "<details><summary>Show the plan</summary>", ""] if folded else head
    lines = [*lines, f"{fence}diff", *body, fence]
    if left_out:
        lines += ["", f"{style.count(left_out, 'more change')} did not fit here: `g8r show` prints the whole plan."]
    return "\n".join([*lines, "", "</details>"] if folded else lines) + "\n"


def _fitting(drifted: tuple[Entry, ...], planned: tuple[Entry, ...], room: int) -> tuple[list[str], int]:
    """As many entries as there is room for, what is dangerous first, and how many more there are."""
    body: list[str] = []
    used = 0
    blocks = [*(_block(entry) for entry in planned), *(_drift_block(entry) for entry in drifted)]
    for index, block in enumerate(blocks):
        size = sum(len(line) + 1 for line in block)
        if used + size > room:
            return body, len(blocks) - index
        body += block
        used += size
    return body, 0


def _block(entry: Entry) -> list[str]:
    return list(_marked(list(plan_text.entry_lines(entry)), LOOKS[entry.step.action].symbol))


def _drift_block(entry: Entry) -> list[str]:
    head, *rest = plan_text.drift_lines(entry)
    return list(_marked([f"# changed outside g8r: {head.partition(' ')[2]}", *rest], "#"))


def _marked(lines: list[str], symbol: str) -> Iterator[str]:
    """The lines with what a `diff` block looks for in the first column."""
    head, *rest = lines
    yield _SIGNS.get(symbol, symbol) + head.removeprefix(symbol)
    for line in rest:
        inner = line[_TEXT_INDENT:]
        signed = line.startswith(" " * _TEXT_INDENT) and inner[:1] in {"+", "-"}
        yield f"{inner[0]}{' ' * _TEXT_INDENT}{inner[1:]}" if signed else line
    yield ""


def _code(text: str) -> str:
    return f"`{style.clean(text).replace('`', chr(0x27))}`"


def _bold(text: str) -> str:
    return text.replace("*", "\\*")
