"""Plans as Markdown, for comments on pull requests: the counts, then the plan in a `diff` block that forges colour, cut to a size.

Everything that is not ours stands inside the block, whose fence is longer than any run of backticks in it, or in code: there nothing is
a mention (`@team`), a reference (`#12`), a link or HTML. What stands in neither (the names in notices) is escaped.

Forges count characters, not bytes: GitHub's limit is 65,536 of them (and 262,144 bytes, which is four for each), GitLab's is a million.
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
_AROUND: Final = 400
"""Characters that what stands around the block may take."""
_LONGEST: Final = 40
"""Backticks in a row, at most."""
_WIDEST: Final = 1_000
_FEW: Final = 3
"""Lines of a change of which it makes sense to show the beginning."""
_SPECIAL: Final = re.compile(r"[@#<>&`\[\]~]|://")
_TICKS: Final = re.compile(r"`+")


def render(plan: Plan, limit: int = LIMIT) -> str:
    """The comment, at most `limit` characters (at least 1,000). What does not fit is counted, never dropped in silence."""
    head = [f"### g8r plan: {_code(plan.stack)}", "", f"**{_bold(plan_text.summary_line(plan))}**", ""]
    head += [f"> {_plain(line)}" if line else "" for line in plan_text.notices(plan)]
    drifted, planned = plan_text.drift(plan), plan_text.entries(plan)
    if not drifted and not planned:
        return "\n".join(head).rstrip() + "\n"
    body, left_out = _fitting(drifted, planned, limit - len("\n".join(head)) - _AROUND - 2 * _LONGEST)
    longest = max((len(run) for run in _TICKS.findall("\n".join(body))), default=0)
    fence = "`" * max(3, longest + 1)
    folded = len(body) > OPEN
    lines = [*head, "<details><summary>Show the plan</summary>", ""] if folded else head
    lines = [*lines, f"{fence}diff", *body, fence]
    if left_out:
        lines += ["", f"{style.count(left_out, 'more change')} did not fit here: `g8r show` prints the whole plan."]
    return "\n".join([*lines, "", "</details>"] if folded else lines) + "\n"


def _fitting(drifted: tuple[Entry, ...], planned: tuple[Entry, ...], room: int) -> tuple[list[str], int]:
    """As many entries as there is room for, what is dangerous first, and how many more there are. Of the first that does not fit, its
    beginning is shown.
    """
    body: list[str] = []
    blocks = [*(_block(entry) for entry in planned), *(_drift_block(entry) for entry in drifted)]
    for index, block in enumerate(blocks):
        lines = [_shortened(line) for line in block]
        size = sum(len(line) + 1 for line in lines)
        if size > room:
            begun = _beginning(lines, room)
            return [*body, *begun], len(blocks) - index - bool(begun)
        body += lines
        room -= size
    return body, 0


def _beginning(lines: list[str], room: int) -> list[str]:
    """The first lines of an entry, and how many more it has; nothing where there is room for less than a few."""
    shown: list[str] = []
    room -= _AROUND
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        shown.append(line)
    return [*shown, f"    (cut here: {style.count(len(lines) - len(shown), 'more line')})", ""] if len(shown) >= _FEW else []


def _shortened(line: str) -> str:
    """The line, and what is longer than any that we wrap cut: backticks in a row would make the fence as long."""
    line = line if len(line) <= _WIDEST else f"{line[:_WIDEST]}..."
    return _TICKS.sub(lambda run: run[0] if len(run[0]) < _LONGEST else f"{run[0][: _LONGEST - 1]}...", line)


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


def _plain(text: str) -> str:
    """Text of which nothing means anything to Markdown or the forge."""
    return _SPECIAL.sub(lambda found: "".join(f"&#{ord(char)};" for char in found[0]), text)


def _bold(text: str) -> str:
    return _plain(text).replace("*", "\\*")
