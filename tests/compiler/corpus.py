"""Good and bad stacks, and what the Nickel contract and the Python decode must agree about: the files in `stacks/`, read here.

What agreement means. A stack is one of three:

    good     the contract accepts it, decode accepts it (thorough or not), and it compiles: nothing at all is wrong
    bad      the contract refuses it, and decode finds what is expected, with its code and path
    beyond   the contract accepts it, and decode or the compiler refuses it: names, selectors, params that a meta-argument names, what a
             reference leads to, params that contradict each other. No contract over one record can say these

So decode never accepts what the contract refuses: then the user would see Nickel's words in place of ours, and none of the other mistakes.
And the contract never accepts what decode refuses as a wrong shape: then `g8r schema --nickel` in an editor would call a stack right that
`g8r validate` refuses. The embedded child and the nickel command give the same verdict and the same document.

Outside of it is what no document says, because evaluating it fails with or without the contract: functions, values that are missing,
numbers that JSON cannot hold, contracts of the user's own. Nickel's report of these is shown.

A file of stacks has sections, and a stack on every line of one: what it adds to the section's record.

    [tasks.file.a] path = "/a"              the place of the record, and what it holds already
    with vars.m = "0600"                    what stands at the top besides, from here on
    mode = "0644"                           a good stack
    mode = 644      ! wrong-type mode       a bad one: codes with their paths below the place
    on = "x=("      ? invalid-selector on   one beyond the contract

The section [stack] has whole stacks, and `(nothing)` adds nothing. Those in YAML, JSON and TOML stand in LANGUAGE.stacks, each below a
line `--- what it is about`; there `~` marks one that is not even a document. Files whose name begins with `toys` are about the kinds
of toys.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

STACKS = Path(__file__).parent / "stacks"
_MARKS = {"": "good", "!": "bad", "?": "beyond", "~": "unread"}
_LINE = re.compile(r"(?P<text>.*?)(?:\s+(?P<mark>[!?~]) (?P<expected>[a-z]+(?:-[a-z]+)*(?: [^!?~]*)?))?")
_SECTION = re.compile(r"\[(?P<place>[^\]]*)\]\s*(?P<base>.*)")


class Case(NamedTuple):
    """One stack. `expected` has every mistake as `code path`, sorted; `file` is what its kinds and its language come from."""

    file: str
    line: int
    text: str
    verdict: str
    expected: tuple[str, ...]

    @property
    def toys(self) -> bool:
        return self.file.startswith("toys")

    @property
    def language(self) -> Literal["nickel", "yaml", "json", "toml"]:
        path = Path(self.file)
        return "nickel" if path.suffix == ".txt" else path.stem  # type: ignore[return-value]

    @property
    def id(self) -> str:
        return f"{self.file}:{self.line}"


def _of_lines(path: Path) -> Iterator[Case]:
    place, base, around = "", "", ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            section = _SECTION.fullmatch(line)
            assert section, line
            place, base, around = section["place"], section["base"], ""
        elif line.startswith("with "):
            around = f"{line.removeprefix('with ')}, "
        else:
            text, mark, expected = _parts(line)
            text = "" if text == "(nothing)" else text
            if place != "stack":
                text = _stack(place, ", ".join(filter(None, (base, text))), around)
            yield Case(path.name, number, text, _MARKS[mark], _below("" if place == "stack" else place, expected))


def _stack(place: str, fields: str, around: str) -> str:
    return f'{{ name = "s", {around}{f"{place} = {{ {fields} }}" if place else fields} }}'


def _parts(line: str) -> tuple[str, str, str]:
    found = _LINE.fullmatch(line)
    assert found, line
    return found["text"], found["mark"] or "", found["expected"] or ""


def _below(place: str, expected: str) -> tuple[str, ...]:
    """`wrong-type mode, missing-param` with the paths below the place."""
    found = []
    for one in filter(None, expected.split(", ")):
        code, _, path = one.replace("\\n", "\n").partition(" ")
        whole = ".".join(part for part in (place, path) if part).replace("''", "")
        found.append(f"{code} {whole}")
    return tuple(sorted(found))


def _of_blocks(path: Path) -> Iterator[Case]:
    number = 1
    for block in re.split(r"^--- ", path.read_text("utf-8"), flags=re.MULTILINE):
        head, _, text = block.partition("\n")
        if number > 1:
            _, mark, expected = _parts(head)
            yield Case(path.name, number, text, _MARKS[mark], _below("", expected))
        number += block.count("\n")


CASES = [case for path in sorted(STACKS.iterdir()) for case in (_of_lines if path.suffix == ".txt" else _of_blocks)(path)]


def chosen(*verdicts: str, toys: bool | None = None, language: str | None = None) -> list[Case]:
    """Those of these verdicts; of the toy kinds or of the shipped ones only, or of one language only, where that is said."""
    return [
        case for case in CASES if case.verdict in verdicts and toys in {None, case.toys} and (language is None or case.language == language)
    ]
