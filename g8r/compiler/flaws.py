"""Flaws: what is wrong with a stack already, for the compiler to ask, so that it tells nothing that only follows from it.

Decided here: what hangs on something flawed is taken as not known yet. It is checked no further, and neither an edge nor a claim nor a
message comes of it. A key at the top that nobody knows may have been meant for any of the sections that are not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from g8r.diagnostics import Diagnostic, DocumentPath, errors
from g8r.selector import Labels, Names
from g8r.stack import META_ARGUMENTS, Stack, Task

NOBODY: Final = Names(())
"""What a task is on of which it is not known where it is."""
_ALL: Final = ""
"""In place of a key: all of the record."""
_OWN: Final = frozenset({"missing-param", "missing-key", "invalid-name"})
"""Mistakes of a record that say nothing of what is in it."""
_OF_HOSTS: Final = frozenset({"unknown-host", "not-on-host", "which-host", "matches-nobody"})
_KIND: Final = 2
_TASK: Final = 3
"""How many parts the paths of a kind and of a task have."""


class Flaws(msgspec.Struct, frozen=True):
    """`places` are those of all mistakes, `whole` those where what stands below is meant as well.

    `hosts`, `vars` and `tasks` are true where not all of that section can be known, `labels` and `host_vars` where not all of it can be
    known of some host. `keys` and `host_keys` name what is flawed in the record of each task (`file.motd`) and host. `kindless` has the
    names of tasks whose kind is unknown, `unread` the kinds whose tasks cannot be told, `unplaced` the tasks whose hosts are not known.
    """

    places: frozenset[DocumentPath] = frozenset()
    whole: frozenset[DocumentPath] = frozenset()
    hosts: bool = False
    labels: bool = False
    vars: bool = False
    host_vars: bool = False
    tasks: bool = False
    keys: Mapping[str, frozenset[str]] = {}
    host_keys: Mapping[str, frozenset[str]] = {}
    kindless: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    unplaced: frozenset[str] = frozenset()

    def explains(self, diagnostic: Diagnostic) -> bool:
        """Whether this is told already, or may be so only because of what is."""
        if (self.hosts and diagnostic.code in _OF_HOSTS) or (self.labels and diagnostic.code == "matches-nobody"):
            return True
        path = diagnostic.path or ()
        return path in self.places or any(path[:length] in self.whole for length in range(len(path)))

    def params(self, task: Task) -> frozenset[str]:
        """The params that something is wrong with, or in."""
        return self.keys.get(str(task), frozenset()) - frozenset(META_ARGUMENTS)

    def spoils(self, task: Task) -> bool:
        """Whether it is not known what the task is, so that it claims nothing and its kind cannot judge it."""
        return any(key not in META_ARGUMENTS or key.endswith("_on") for key in self.keys.get(str(task), ()))

    def blurs(self, host: str, what: str) -> bool:
        """Whether it is not known what a host has: `name`, `address`, `labels`, `vars`. The host without a name is any host."""
        if not host or self.hosts or (what == "vars" and self.host_vars):
            return True
        return not self.host_keys.get(host, frozenset()).isdisjoint({what, _ALL})

    def may_declare(self, kind: str, name: str) -> bool:
        """Whether a task that cannot be found may be there all the same: its kind is misspelt, or a section cannot be read."""
        return self.tasks or name in self.kindless or kind in self.unread


NONE: Final = Flaws()


def of(stack: Stack, mistakes: Iterable[Diagnostic]) -> Flaws:
    """The flaws of a stack with these mistakes, warnings left aside."""
    wrong = [(one.code, one.path) for one in errors(mistakes) if one.path is not None]
    if not wrong:
        return NONE
    whole = frozenset(path for code, path in wrong if code not in _OWN)
    unsure = any(code == "unknown-key" and len(path) == 1 for code, path in wrong)
    host_keys = _keys(wrong, ("hosts",))
    hosts = ("hosts",) in whole or (unsure and not stack.hosts)
    labels = hosts or any(not keys.isdisjoint({"labels", _ALL}) for keys in host_keys.values())
    all_vars = ("vars",) in whole or (unsure and not stack.vars)
    groups = any(path[:1] == ("groups",) for path in whole) or (unsure and not stack.groups)
    keys = {f"{kind}.{name}": found for kind in _kinds(wrong) for name, found in _keys(wrong, ("tasks", kind)).items()}
    return Flaws(
        places=frozenset(path for _, path in wrong),
        whole=whole,
        hosts=hosts,
        labels=labels,
        vars=all_vars,
        host_vars=all_vars or groups,
        tasks=("tasks",) in whole or (unsure and not stack.tasks),
        keys=keys,
        host_keys=host_keys,
        kindless=frozenset(task.name for task in stack.tasks if ("unknown-kind", ("tasks", task.kind)) in wrong),
        unread=frozenset(str(path[1]) for code, path in wrong if code == "wrong-type" and path[:1] == ("tasks",) and len(path) == _KIND),
        unplaced=frozenset(str(task) for task in stack.tasks if hosts or _is_unplaced(task, keys, labels=labels)),
    )


def _is_unplaced(task: Task, keys: Mapping[str, frozenset[str]], *, labels: bool) -> bool:
    on = task.meta.on
    return on == NOBODY or "on" in keys.get(str(task), ()) or (labels and isinstance(on, Labels))


def _kinds(wrong: Iterable[tuple[str, DocumentPath]]) -> list[str]:
    return sorted({str(path[1]) for _, path in wrong if path[:1] == ("tasks",) and len(path) >= _TASK})


def _keys(wrong: Iterable[tuple[str, DocumentPath]], base: DocumentPath) -> dict[str, frozenset[str]]:
    """For each record below `base`, the keys that are flawed. A host's own name is a mistake of its own, a task's may be a param of it."""
    found: dict[str, set[str]] = {}
    for code, path in wrong:
        depth = len(base)
        if path[:depth] != base or len(path) == depth:
            continue
        key = str(path[depth + 1]) if len(path) > depth + 1 else _ALL
        if base == ("hosts",):
            if code == "invalid-name":
                continue
            key = _ALL if code == "unknown-key" else key
        found.setdefault(str(path[depth]), set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items()}
