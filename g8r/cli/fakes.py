"""Fake hosts that outlive a command: each is kept in the state folder, as `fake/WORKSPACE/HOST.json`, whenever a run commits outcomes.

So a second plan of a simulated stack is empty, as that of a real one. Remove the file, and the host is new: then the ledger remembers
what nobody has, and the next plan makes it all again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from g8r.diagnostics import reject
from g8r.executor import fake_keeping, store_folder
from g8r.executor.fake_host import FakeHost


def wake(path: Path, blobs: dict[str, bytes]) -> FakeHost:
    """The host as it was kept, or a new one where there is none. The blobs are shared, so that sources found later can be fetched."""
    host = FakeHost.debian(remember=0)
    host.blobs = blobs
    try:
        host.become(fake_keeping.decode(path.read_bytes()))
    except FileNotFoundError:
        return host
    except (OSError, msgspec.DecodeError) as problem:
        raise reject(
            "fake-host-damaged", f"the fake host in {path} cannot be read", f"{problem}. Remove the file, and the host is new."
        ) from problem
    return host


def keep(path: Path, host: FakeHost) -> None:
    """Keep the host as it is now."""
    content = fake_keeping.encode(host.snapshot())
    try:
        store_folder.prepare(path.parent)
        store_folder.replace(path, lambda draft: _fill(draft, content))
    except OSError as problem:
        raise reject("fake-host-not-kept", f"cannot keep the fake host in {path}", f"{problem.strerror}.") from problem


def _fill(draft: Path, content: bytes) -> None:
    draft.write_bytes(content)
