"""The agent: what acts on one host. It surveys a catalog, finds what orphans take, and performs steps; all through its Host.

It carries no compiler and knows no controller: what it is told are catalogs, records and steps, and what it says are findings
and outcomes. In-process for `localhost` and simulated hosts, it is the same code that later answers a transport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from g8r import modules
from g8r.catalog import Catalog, Finding
from g8r.executor import orphans
from g8r.executor.judge import Kinds, Secrets
from g8r.executor.perform import Effects, Given, Performed, Performer, Unseal
from g8r.executor.survey import Key, Survey
from g8r.executor.veil import Veil
from g8r.host import Host
from g8r.plan import Step, Wish
from g8r.state import Resource
from g8r.value import Document


class Agent:
    """One host's agent. `key` is for digests of what is read; `unseal` opens a step's sealed params, `veil` seals what must not be told."""

    def __init__(  # noqa: PLR0913 all that an agent acts through
        self,
        host: Host,
        *,
        key: bytes,
        secrets: Secrets,
        unseal: Unseal,
        veil: Veil,
        effects: Effects,
        kinds: Kinds = modules.load,
        sync: Callable[[Iterable[str]], None] = lambda _paths: None,
        abort: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._key = key
        self._secrets = secrets
        self._kinds = kinds
        self._veil = veil
        self._performer = Performer(host, key=key, secrets=secrets, unseal=unseal, veil=veil, effects=effects, kinds=kinds)
        self.sync = sync
        self.abort = abort

    def facts(self) -> Document:
        """What a stack may refer to as `@{host.facts...}`."""
        found: Document = msgspec.to_builtins(self._host.facts())
        return found

    def survey(self, catalog: Catalog, recorded: Mapping[Key, Resource]) -> Survey:
        """Read everything the catalog is about, once; writes nothing."""
        return Survey(catalog, recorded, self._host, key=self._key, secrets=self._secrets, veil=self._veil, kinds=self._kinds)

    def orphans(self, resources: Sequence[tuple[Resource, Wish]]) -> list[Finding]:
        """What removing these takes, or putting them back as they were."""
        return orphans.find(resources, self._host, self._key, self._kinds)

    def perform(self, steps: Sequence[Step], given: Given) -> Iterator[Performed]:
        """Perform steps of one kind and one way to act."""
        return self._performer.perform(steps, given)
