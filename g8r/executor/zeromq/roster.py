"""Who may come in: the allow-table, a value. Keys to agents' ids, and nobody else. It knows no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NewType

import msgspec

from g8r.executor.zeromq.keys import PublicKey

AgentId = NewType("AgentId", str)


class Roster(msgspec.Struct, frozen=True):
    """Default deny: a key that is not in it is nobody's. An agent may have two keys while it rotates them."""

    agents: Mapping[PublicKey, AgentId] = MappingProxyType({})

    def agent_of(self, key: str | None) -> AgentId | None:
        """Total: None for any text that is no admitted key."""
        return None if key is None else self.agents.get(PublicKey(key))

    def with_key(self, key: PublicKey, agent: AgentId) -> Roster:
        """One key is one agent's: a key that is another's already is a bug of the caller."""
        known = self.agents.get(key)
        if known is not None and known != agent:
            raise ValueError(f"the key {key} is {known}'s, and cannot become {agent}'s")
        return Roster(MappingProxyType({**self.agents, key: agent}))

    def without_key(self, key: PublicKey) -> Roster:
        return Roster(MappingProxyType({known: agent for known, agent in self.agents.items() if known != key}))

    def without_agent(self, agent: AgentId) -> Roster:
        """All its keys go."""
        return Roster(MappingProxyType({key: known for key, known in self.agents.items() if known != agent}))
