"""The machine that this process runs on.

`local_reader` and `local_writer` have its files, `safe_path` the way to them, `local_process` its programs, `local_names` its accounts,
`local_facts` what a stack may ask. Only these files, of all that modules can reach, touch the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from g8r.executor import local_facts, local_process, refusals
from g8r.executor.local_process import Identity
from g8r.executor.local_writer import LocalWriter
from g8r.host import Account, AccountGroup, Facts, Host, Ran


def no_blobs(digest: str) -> bytes:
    raise refusals.no_blob(digest)


class LocalHost(LocalWriter, Host):
    """`blobs` gives the content of a digest that travelled with the plan, or raises HostError."""

    def __init__(self, blobs: Callable[[str], bytes] = no_blobs) -> None:
        super().__init__()
        self._blobs = blobs

    @property
    def privileged(self) -> bool:
        return self._uid == 0

    @property
    def user(self) -> str:
        return self._user

    def facts(self) -> Facts:
        return local_facts.gather()

    def accounts(self) -> Mapping[str, Account]:
        return self._names.names().accounts

    def groups(self) -> Mapping[str, AccountGroup]:
        return self._names.names().groups

    def fetch(self, digest: str) -> bytes:
        return self._blobs(digest)

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
        clean = {"PATH": local_process.PATH, "HOME": self._home(user or self._user), "LANG": "C.UTF-8", **(env or {})}
        try:
            return local_process.run(argv, stdin, clean, cwd or "/", self._identity(argv[0], user), timeout)
        finally:
            if changes:
                self._names.forget()

    def _home(self, user: str) -> str:
        account = self._names.account(user)
        return account.home if account else "/"

    def _identity(self, program: str, user: str | None) -> Identity:
        if user is None or user == self._user:
            return Identity(self._user)
        if not self.privileged:
            raise refusals.other_user(program, user, self._user)
        account = self._names.account(user)
        if account is None:
            raise refusals.no_user(user)
        return Identity(user, account.uid, account.gid, tuple(os.getgrouplist(account.name, account.gid)))
