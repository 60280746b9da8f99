"""From a compiled stack to what is planned: the parts of it that a plan is made from."""

from __future__ import annotations

from collections.abc import Mapping

from g8r.compiler.compile import Compiled
from g8r.executor.planning import Subject


def subject(compiled: Compiled, config_digest: str, connections: Mapping[str, str | None]) -> Subject:
    """The subject of a plan of this stack; `connections` says how each host is reached."""
    return Subject(
        name=compiled.stack.name,
        config_digest=config_digest,
        tasks=compiled.graph.tasks,
        catalogs=compiled.graph.catalogs(),
        declared=frozenset(str(task) for task in compiled.stack.tasks),
        hosts={name: host.address for name, host in compiled.hosts.items()},
        connections={name: connection or "local" for name, connection in connections.items()},
        vars=compiled.stack.vars,
        selected=compiled.selected,
        outputs=compiled.outputs,
        blobs=tuple(sorted(compiled.blobs)),
    )
