"""Addresses: how a task on a host is named, `web1/file.motd`, and a trigger of it, `web1/service.nginx#reload`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

LOCALHOST: Final = "localhost"

HOST_PATTERN: Final = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
KIND_PATTERN: Final = r"[a-z][a-z0-9_]*"
NAME_PATTERN: Final = r"[A-Za-z0-9_][A-Za-z0-9_.@-]*"
_ADDRESS: Final = re.compile(rf"(?:(?P<host>{HOST_PATTERN})/)?(?P<kind>{KIND_PATTERN})\.(?P<name>{NAME_PATTERN})")


class Address(msgspec.Struct, frozen=True, order=True):
    """A task on a host. `str(address)` is `HOST/KIND.NAME`; `address.task` is `KIND.NAME`."""

    host: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.kind}.{self.name}"

    @property
    def task(self) -> str:
        return f"{self.kind}.{self.name}"


class TaskName(msgspec.Struct, frozen=True, order=True):
    """What a user writes for a task: `file.motd`, or with a host `web1/file.motd`."""

    kind: str
    name: str
    host: str | None = None

    def __str__(self) -> str:
        return f"{self.host}/{self.kind}.{self.name}" if self.host else f"{self.kind}.{self.name}"

    def on(self, host: str) -> Address:
        """The address on `host`, or on the host that the name itself gives."""
        return Address(self.host or host, self.kind, self.name)


def parse(text: str) -> TaskName | None:
    """`[HOST/]KIND.NAME`, or None where the text is no such thing."""
    found = _ADDRESS.fullmatch(text)
    return TaskName(found["kind"], found["name"], found["host"]) if found else None
