"""Selections: which tasks a plan is of, by `--target`, `--exclude` and `--on`.

Decided here: a pattern is `KIND.NAME` on all hosts or `HOST/KIND.NAME`, and each part may be a glob. A target brings along what it needs
(hard edges; an order without a need is no reason to act on more), an exclusion takes away what needs it; the hosts of `--on` bound both.
Where it is about removing, it is the other way round: a target brings along what needs it, and an exclusion keeps what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from g8r import selector as selectors
from g8r.address import Address
from g8r.compiler.expand import ExpandedHost, matching, selector_text
from g8r.compiler.graph import TaskGraph
from g8r.diagnostics import Diagnostic, RejectedError, did_you_mean, error, warning
from g8r.selector import Everywhere, InvalidSelectorError, Names, Selector


class Selection(msgspec.Struct, frozen=True):
    """The addresses kept, and those `dropped`. `complete`: nothing was left out on purpose, so that all orphans may be pruned."""

    kept: frozenset[Address]
    complete: bool
    hosts: frozenset[str]
    target: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    dropped: frozenset[Address] = frozenset()

    def covers(self, address: Address) -> bool:
        """Whether an address is inside the selection, also one that only the ledger knows: an orphan outside of it stays."""
        if self.complete or address in self.kept:
            return True
        if address in self.dropped:
            return False
        wanted = not self.target or any(address_matches(pattern, address) for pattern in self.target)
        return wanted and address.host in self.hosts and not any(address_matches(pattern, address) for pattern in self.exclude)


def select(
    graph: TaskGraph,
    hosts: Mapping[str, ExpandedHost],
    *,
    target: Sequence[str] = (),
    exclude: Sequence[str] = (),
    on: str | None = None,
    orphans: Iterable[Address] = (),
    destroy: bool = False,
) -> Selection:
    """The part of the graph that was asked for. `orphans` are addresses of the ledger, which may be named too.

    With `destroy`, a target brings along what needs it, and an exclusion keeps what it needs: the other way round.
    Raises RejectedError with every name that nothing has.
    """
    chosen, diagnostics = _hosts(on, hosts)
    known = [*graph.tasks, *orphans]
    wrong = [found for flag, patterns in (("--target", target), ("--exclude", exclude)) for found in _unmatched(flag, patterns, known)]
    rejected = [*(one for one in diagnostics if one.code != "matches-nobody"), *wrong]
    if rejected:
        raise RejectedError(rejected)
    along, away = (graph.descendants, graph.ancestors) if destroy else (graph.ancestors, graph.descendants)
    kept = frozenset(graph.tasks)
    if target:
        wanted = [address for address in graph.tasks if any(address_matches(pattern, address) for pattern in target)]
        kept = frozenset(wanted) | along(wanted)
    if exclude:
        unwanted = [address for address in graph.tasks if any(address_matches(pattern, address) for pattern in exclude)]
        kept -= frozenset(unwanted) | away(unwanted)
    kept = frozenset(address for address in kept if address.host in chosen)
    complete = not target and not exclude and on is None
    dropped = frozenset(graph.tasks) - kept
    return Selection(kept, complete, frozenset(chosen), tuple(target), tuple(exclude), tuple(diagnostics), dropped)


def address_matches(pattern: str, address: Address) -> bool:
    """Whether an address is meant by `file.motd`, `web1/file.motd`, `file.*`, `web*/*`."""
    host, slash, task = pattern.partition("/")
    if not slash:
        return fnmatchcase(address.task, pattern)
    return fnmatchcase(address.host, host) and fnmatchcase(address.task, task)


def _hosts(on: str | None, hosts: Mapping[str, ExpandedHost]) -> tuple[tuple[str, ...], list[Diagnostic]]:
    selector: Selector = Everywhere()
    try:
        selector = selectors.parse(on)
    except InvalidSelectorError as invalid:
        return (), [error("invalid-selector", "--on names no hosts", f"{invalid}.")]
    if isinstance(selector, Names):
        plain = [name for name in selector.patterns if selectors.is_plain_name(name) and name not in hosts]
        if plain:
            detail = f"--on names it, and no host of this stack is called so.{did_you_mean(plain[0], hosts)}"
            return (), [error("unknown-host", f'unknown host "{plain[0]}"', detail)]
    found = matching(selector, hosts)
    if not found:
        detail = "--on selects nothing, so there is nothing to do. Check the names and labels of the hosts."
        return (), [warning("matches-nobody", f'"{selector_text(selector)}" matches no host', detail)]
    return found, []


def _unmatched(flag: str, patterns: Iterable[str], known: Sequence[Address]) -> list[Diagnostic]:
    found = []
    for pattern in patterns:
        if not any(address_matches(pattern, address) for address in known):
            names = {str(address) for address in known} if "/" in pattern else {address.task for address in known}
            detail = f"{flag} names it, and no task of this stack is called so.{did_you_mean(pattern, names)}"
            found.append(error("unknown-address", f'unknown address "{pattern}"', detail))
    return found
