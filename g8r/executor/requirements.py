"""Required claims that no task provides: whether they hold on a host. One batched look per kind of claim."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from g8r.host import Host, HostError

JUDGED: Final = ("group", "path", "unit", "user")
"""The kinds of claim that can be looked up on a host; any other is taken to hold."""

_WHAT: Final = {
    "path": ("the directory {name} does not exist", 'declare it as a task, such as directory.x = {{ path = "{name}" }}'),
    "user": ("there is no user {name}", "declare it as a task: user.{name} = {{}}"),
    "group": ("there is no group {name}", "declare it as a task: group.{name} = {{}}"),
    "unit": ("there is no unit {name}", "declare the package that brings it"),
}


def missing(claims: Iterable[str], host: Host) -> frozenset[str]:
    """Those of the claims that do not hold on the host. Where it refuses to tell, they are taken to hold: the task itself will see."""
    wanted: dict[str, set[str]] = {}
    for claim in claims:
        kind, _, name = claim.partition(":")
        wanted.setdefault(kind, set()).add(name)
    absent: set[str] = set()
    absent |= {f"path:{name}" for name in wanted.get("path", ()) if _is_missing(name, host)}
    if "user" in wanted:
        accounts = host.accounts()
        absent |= {f"user:{name}" for name in wanted["user"] if name not in accounts}
    if "group" in wanted:
        groups = host.groups()
        absent |= {f"group:{name}" for name in wanted["group"] if name not in groups}
    if "unit" in wanted:
        absent |= {f"unit:{name}" for name in _missing_units(sorted(wanted["unit"]), host)}
    return frozenset(absent)


def sentence(claim: str) -> str:
    """What is wrong and what to do, for a claim that does not hold and that nobody provides."""
    kind, _, name = claim.partition(":")
    wrong, remedy = _WHAT[kind]
    return f"{wrong.format(name=name)}, and no task provides it; {remedy.format(name=name)}"


def _is_missing(path: str, host: Host) -> bool:
    try:
        return host.follow(path) is None
    except HostError:
        return False


def _missing_units(units: list[str], host: Host) -> set[str]:
    try:
        shown = host.run(("systemctl", "show", "--property=Id,Names,LoadState", "--", *units), changes=False)
    except HostError:
        return set()
    loaded: set[str] = set()
    for block in shown.text.split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        if properties.get("LoadState") not in {"not-found", None, ""}:
            loaded |= {properties.get("Id", ""), *properties.get("Names", "").split()}
    return set(units) - loaded
