"""A Host seen through a task's meta-arguments: programs run as `become` and end after `timeout`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from g8r.host import Host, Ran


class ActingHost:
    """The host with a user and a time limit for every program that does not say otherwise; all else is the host's own."""

    def __init__(self, host: Host, become: str | None, timeout: float | None) -> None:
        self._host = host
        self._become = become
        self._timeout = timeout

    def __getattr__(self, name: str) -> object:
        return getattr(self._host, name)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        timeout: float | None = None,
        changes: bool = True,
    ) -> Ran:
        return self._host.run(
            argv,
            stdin=stdin,
            env=env,
            cwd=cwd,
            user=user or self._become,
            timeout=timeout if timeout is not None else self._timeout,
            changes=changes,
        )


def acting(host: Host, become: str | None, timeout: float | None) -> Host:
    """The host for a task; the host itself where the task asks for nothing special."""
    if become is None and timeout is None:
        return host
    return ActingHost(host, become, timeout)  # type: ignore[return-value] # the rest of Host comes through __getattr__
