"""Observing a fleet: every agent reads its host once, then the diffs run in waves along cross-host references ([P-local]).

Outputs that tasks on other hosts refer to are carried from wave to wave; nothing else travels. Pure but for the agents it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from g8r.address import Address
from g8r.catalog import Catalog, Finding
from g8r.executor.agent import Agent
from g8r.executor.survey import Outlook
from g8r.plan import Wish
from g8r.state import Resource, ResourceKey
from g8r.value import Document


class Observation(msgspec.Struct, frozen=True):
    """What all agents found: one finding for each task, and one for each orphan that is not merely forgotten."""

    findings: Mapping[Address, Finding]
    orphans: Mapping[ResourceKey, Finding]


def observe(
    catalogs: Mapping[str, Catalog],
    agents: Mapping[str, Agent],
    recorded: Mapping[Address, Resource],
    orphans: Sequence[tuple[Resource, Wish]],
    outlook: Outlook,
) -> Observation:
    """Have every host surveyed. `outlook` names the hosts that selectors mean, and the tasks to be made anew."""
    by_host: dict[str, dict[tuple[str, str], Resource]] = {}
    for address, resource in recorded.items():
        by_host.setdefault(address.host, {})[resource.key.kind, resource.key.identity] = resource
    surveys = {host: agents[host].survey(catalog, by_host.get(host, {})) for host, catalog in sorted(catalogs.items())}
    findings: dict[Address, Finding] = {}
    known: dict[Address, Document] = {}
    unknown: dict[Address, Mapping[str, str]] = {}
    blocked: set[Address] = set()
    for wave in range(max((max(catalog.waves, default=0) for catalog in catalogs.values()), default=0) + 1):
        seen = msgspec.structs.replace(outlook, known=known, unknown=unknown, blocked=frozenset(blocked))
        for host, catalog in sorted(catalogs.items()):
            tasks = [task.address for task, number in zip(catalog.tasks, catalog.waves, strict=True) if number == wave]
            for finding in surveys[host].find(tasks, seen):
                findings[finding.address] = finding
        for address, finding in findings.items():
            known[address] = finding.outputs
            unknown[address] = finding.unknown_outputs
            if finding.judgement == "blocked":
                blocked.add(address)
    return Observation(findings, _orphans(agents, orphans))


def _orphans(agents: Mapping[str, Agent], orphans: Sequence[tuple[Resource, Wish]]) -> dict[ResourceKey, Finding]:
    by_host: dict[str, list[tuple[Resource, Wish]]] = {}
    for resource, wish in orphans:
        if wish != "forget" and resource.key.host in agents:
            by_host.setdefault(resource.key.host, []).append((resource, wish))
    found = {}
    for host, several in sorted(by_host.items()):
        for (resource, _), finding in zip(several, agents[host].orphans(several), strict=True):
            found[resource.key] = finding
    return found
