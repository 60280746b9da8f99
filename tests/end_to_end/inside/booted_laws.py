"""Which of the kinds' cases a real Debian takes, and what is told of each.

Read on both sides: inside to run them, outside to name the tests.
"""

from __future__ import annotations

from typing import Final

import laws
from case import Case

SYSTEM: Final = ("package", "service", "user", "group", "command")

NOT_HERE: Final = {
    "service: without systemd": "this machine has systemd",
}
"""Cases that a booted Debian cannot be."""

OTHER_NUMBERS: Final = {
    "user: a new system account": "Debian's own system accounts have the first numbers",
    "group: a new system group": "Debian's own system groups have the first numbers",
}
"""Cases whose `check` counts on the few accounts of the fake host."""

ALSO_LEFT: Final = {
    "package: in place of another": (
        *(f"/var/lib/dpkg/info/exim4-daemon-light.{name}" for name in ("conffiles", "list", "md5sums")),
        "package exim4-daemon-light",
    ),
    "package: with what it recommends": (
        *(f"/var/lib/dpkg/info/ca-certificates.{name}" for name in ("list", "md5sums")),
        "package ca-certificates",
    ),
}
"""What a fake has in its `database dpkg`: a package that went for another is not brought back, and its configuration files are known; and
the real apt itself recommends ca-certificates, so that is needed from the moment it is there."""

CRASHES: Final = (
    *("file: new", "directory: new", "link: new", "template: new", "line: new"),
    *(
        "group: a new group with its number",
        "group: another number",
        "user: a new user with all there is",
        "user: another home, taken along",
    ),
    *("service: to run and start at boot", "command: what it makes is missing"),
    "package: with what it needs, and what that brings",
)
"""Killed for real before every single call of apply: one that creates and one that changes, of each kind."""

TOGETHER: Final = (
    *("file", "directory", "link", "template", "line", "group: a new group with its number", "user: a new user with all there is"),
    *("service: to run and start at boot", "command", "package: without what it recommends"),
)
"""Whose pairs law 6 is about; of a kind alone, its first case that changes anything."""


def taken(case: Case) -> bool:
    """Whether a real machine can be what the case wants, with an agent that is root."""
    return case.user == "root" and (case.kind in SYSTEM or not case.fake_only) and str(case) not in NOT_HERE


CASES: Final = [case for case in laws.cases() if taken(case)]
BY_NAME: Final = {str(case): case for case in CASES}


def named(name: str) -> Case:
    """The case of that name, or the first one of that kind that creates something."""
    found = [case for case in CASES if str(case) == name or (case.kind == name.removesuffix(": new") and laws.changes(case))]
    return found[0]


def pairs() -> list[tuple[Case, Case]]:
    """Two kinds each, unrelated; each kind with two others at least."""
    chosen = [named(name) for name in TOGETHER]
    met = [(chosen[index], chosen[(index + step) % len(chosen)]) for step in (1, 3) for index in range(len(chosen))]
    return [(first, second) for first, second in met if not laws._related(first, second)]


def tests() -> list[tuple[str, str]]:
    """(law, case) for all that there is to tell, in the order in which it is told."""
    found: list[tuple[str, str]] = []
    for case in CASES:
        name, changes = str(case), laws.changes(case)
        found += [("as it stands", name), ("law 3", name)]
        found += [("law 2", name)] * changes
        found += [("law 1", name)] * (changes and not case.repeats)
        found += [("law 4", name)] * changes
        found += [("law 7", name)] * bool(case.sensitive)
    found += [("law 5", str(named(name))) for name in CRASHES]
    found += [("law 6", f"{first} + {second}") for first, second in pairs()]
    return [*found, ("law 7", "the watch sees"), ("nothing else", "is touched"), ("nothing else", "is touched by any package: ")]
