"""Plans to render."""

from __future__ import annotations

import pytest
from render_samples import SECRET, every_action, make_plan, make_step

from g8r.plan import Plan


@pytest.fixture
def rich_plan() -> Plan:
    wanted = {"url": "http://web1", "token": SECRET, "later": "@{web1/service.nginx.port}"}
    known = {"url": "http://web1", "token": SECRET}
    return make_plan(*every_action(), stack_outputs=wanted, known_outputs=known, sensitive_outputs=("token",))


@pytest.fixture
def fleet_plan() -> Plan:
    """The same file on 4,000 hosts, one of them otherwise."""
    steps = [
        make_step("file", "motd", "update", "drift", host=f"web{n}", identity="/etc/motd", line=4,
                  before={"mode": "0666" if n == 7 else "0644"}, after={"mode": "0600"}, because=(f"web{n}/directory.etc comes first",))
        for n in range(1, 4001)
    ]  # fmt: skip
    return make_plan(*steps)
