"""A session: all that one command works with, put together. The composition root: ports get their implementations only here.

What is expensive to import is imported where it is first used; a command that needs no store opens none.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import g8r
from g8r import modules
from g8r.address import Address
from g8r.cli import places
from g8r.diagnostics import RejectedError, errors, reject
from g8r.value import Document, Value

if TYPE_CHECKING:
    from g8r.compiler.compile import Compiled
    from g8r.compiler.evaluate import Loaded, Pending
    from g8r.compiler.selection import Selection
    from g8r.executor.agent import Agent
    from g8r.executor.planning import Planned, Stamp
    from g8r.executor.ports import Journal
    from g8r.executor.store import SqliteStore
    from g8r.plan import Plan, Step
    from g8r.state import State

STATE_FOLDER = ".g8r"
PLAN_LIFE = timedelta(days=1)


class Choice(msgspec.Struct, frozen=True):
    """What the user chose with the options that most commands share."""

    source: Path = Path()
    variables: tuple[tuple[str, str], ...] = ()
    variable_files: tuple[Path, ...] = ()
    import_paths: tuple[Path, ...] = ()
    root: Path | None = None
    policies: tuple[Path, ...] = ()
    workspace: str = "default"
    state: Path | None = None
    on: str | None = None
    target: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    destroy: bool = False
    refresh_only: bool = False
    allow_empty: bool = False


class Session:
    """One command's work on one stack."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.journals: dict[str, Journal] = {}
        self._blobs: dict[str, bytes] = {}
        self._pending: Pending | None = None

    # ---- places ----

    @cached_property
    def source(self) -> Path:
        """The stack's file."""
        from g8r.compiler.source import find_source  # noqa: PLC0415 not every command reads a source

        return find_source(self.choice.source)

    @cached_property
    def folder(self) -> Path:
        """Where the stack is: its sources and, by default, its state."""
        chosen = self.choice.source
        return (chosen if chosen.is_dir() else chosen.parent).absolute()

    @cached_property
    def state_folder(self) -> Path:
        return (self.choice.state or self.folder / STATE_FOLDER).absolute()

    @cached_property
    def store(self) -> SqliteStore:
        from g8r.executor.store import SqliteStore  # noqa: PLC0415 costs the import of apsw

        return SqliteStore(self.state_folder / "state.db")

    def key(self, *, make: bool) -> bytes:
        """The state's key. Where there is none and none shall be made, one that lasts as long as this process."""
        from g8r.executor import sealing  # noqa: PLC0415 see above

        path = self.state_folder / "key"
        if make:
            self._key = sealing.obtain_key(path)
        elif not hasattr(self, "_key"):
            self._key = sealing.load_key(path) or secrets.token_bytes(sealing.KEY_BYTES)
        return self._key

    # ---- the stack ----

    def load(self, *, whole: bool = True, every_place: bool = False) -> Loaded:
        """Evaluate, check and decode. Raises RejectedError with all mistakes, the first ones or all with their places.

        `whole`: it will be compiled, and planned perhaps. So what the compiler finds wrong is among the mistakes, if there are any.
        """
        from g8r.compiler import evaluate  # noqa: PLC0415 see above
        from g8r.compiler.locate import MOST  # noqa: PLC0415

        self._pending = evaluate.start(
            self.source,
            self.choice.variables,
            self.choice.variable_files,
            import_paths=self.choice.import_paths,
            cache=cache_home() if self.state_folder.is_dir() else None,
            root=self.choice.root,
            places=None if every_place else MOST,
        )
        if whole and self._pending.working:
            _import_what_a_plan_needs()
            self._pending.read_places()
        loaded = self._pending.finish()
        if errors(loaded.diagnostics) and whole:
            raise RejectedError(loaded.located(self.compile(loaded, {}).diagnostics))
        loaded.reject_mistakes()
        if whole and len(loaded.stack.tasks) <= places.MOST:
            loaded.locator.begin([("tasks", task.kind, task.name) for task in loaded.stack.tasks])
        return loaded

    def compile(self, loaded: Loaded, facts: Mapping[str, Document]) -> Compiled:
        from g8r.compiler.compile import compile_stack  # noqa: PLC0415 see above
        from g8r.compiler.sources import folder_reader  # noqa: PLC0415

        compiled = compile_stack(loaded.stack, facts, folder_reader(self.folder, loaded.reach), mistakes=loaded.diagnostics)
        self._blobs |= compiled.blobs
        return compiled

    # ---- hosts ----

    def agent(self, host: str, connection: str | None) -> Agent:
        """The agent of a host, in this process."""
        from g8r.executor.agent import Agent  # noqa: PLC0415 see above
        from g8r.executor.effects import JournalEffects  # noqa: PLC0415
        from g8r.executor.veil import Veil  # noqa: PLC0415

        journal = self.journal(host, fake=connection == "fake")
        parts = {
            "key": self._digest_key(),
            "secrets": self.secret,
            "unseal": self.unseal,
            "veil": Veil(self.seal, self.opened),
            "effects": JournalEffects(journal),
        }
        if connection == "fake":
            from g8r.cli import fakes  # noqa: PLC0415

            kept = self.fake_file(host)
            fake = fakes.wake(kept, self._blobs)
            return Agent(fake, **parts, sync=lambda _paths: fakes.keep(kept, fake))  # type: ignore[arg-type] # each is what its name says
        if connection not in {"local", None} or (connection is None and host != "localhost"):
            raise reject(
                "no-connection",
                f"host {host!r} cannot be reached",
                'Set `connection` to "local" (this machine) or "fake" (a simulated one); agents on other machines need a controller.',
                ("hosts", host),
            )
        from g8r.executor.local_host import LocalHost  # noqa: PLC0415
        from g8r.executor.local_process import abort  # noqa: PLC0415
        from g8r.executor.local_writer import sync  # noqa: PLC0415

        return Agent(LocalHost(self._blob), **parts, sync=sync, abort=abort)  # type: ignore[arg-type] # as above

    def agents(self, connections: Mapping[str, str | None]) -> dict[str, Agent]:
        return {host: self.agent(host, connection) for host, connection in sorted(connections.items())}

    def journal(self, host: str, *, fake: bool) -> Journal:
        """What the host's agent remembers. A fake host is kept with its files only, so nothing is remembered of it."""
        from g8r.executor.journal import MemoryJournal, SqliteJournal  # noqa: PLC0415 see above

        if host not in self.journals:
            self.journals[host] = MemoryJournal() if fake else SqliteJournal(agent_home() / "journal.db")
        return self.journals[host]

    def fake_file(self, host: str) -> Path:
        """Where a fake host is kept between commands."""
        return self.state_folder / "fake" / self.choice.workspace / f"{host}.json"

    def _blob(self, digest: str) -> bytes:
        return self._blobs[digest]

    def _digest_key(self) -> bytes:
        from g8r.executor import sealing  # noqa: PLC0415 see above

        return sealing.subkey(self.key(make=False), "digest")

    def seal(self, value: Value, place: str) -> str:
        from g8r.executor import sealing  # noqa: PLC0415 see above

        return sealing.seal(value, place, self.key(make=False))

    def opened(self, text: str, place: str) -> Value:
        from g8r.executor import sealing  # noqa: PLC0415 see above

        return sealing.unseal(text, place, self.key(make=False))

    def unseal(self, step: Step) -> Document:
        """The step's params with the sealed ones opened."""
        if not step.sealed:
            return step.params
        from g8r.executor import sealing  # noqa: PLC0415 see above

        opened = {name: sealing.unseal(str(step.params[name]), f"{step.address}.{name}", self.key(make=False)) for name in step.sealed}
        return {**step.params, **opened}

    def secret(self, name: str) -> str:
        """A secret of this host: a file below G8R_SECRETS (default /etc/g8r/secrets), without its last newline. Raises KeyError."""
        folder = Path(os.environ.get("G8R_SECRETS", "/etc/g8r/secrets"))
        path = folder / name
        if ".." in path.parts or not path.is_relative_to(folder):
            raise KeyError(name)
        try:
            return path.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError):
            raise KeyError(name) from None

    def close(self) -> None:
        """End the child, and let go of the files."""
        if self._pending is not None:
            self._pending.close()
        for journal in self.journals.values():
            journal.close()
        if "store" in self.__dict__:
            self.store.close()

    # ---- plans ----

    def state(self, stack: str) -> State:
        from g8r.executor.effects import settled  # noqa: PLC0415 see above

        return settled(self.store.load(stack, self.choice.workspace), self.journals)

    def plan(self, *, durable: bool) -> tuple[Planned, Loaded]:
        """Evaluate, compile, observe, plan. `durable`: the plan may be applied, so lineage and key must last."""
        from g8r.executor.planning import make_plan  # noqa: PLC0415 see above

        loaded = self.load()
        if durable:
            self.key(make=True)
            self.store.lineage(loaded.stack.name, self.choice.workspace, secrets.token_hex(8))
        planned = self.plan_loaded(loaded, make_plan)
        return planned, loaded

    def plan_loaded(self, loaded: Loaded, make_plan: Callable[..., Planned]) -> Planned:
        from g8r.compiler.expand import expand_hosts  # noqa: PLC0415 see above
        from g8r.executor.subjects import subject  # noqa: PLC0415

        hosts, _ = expand_hosts(loaded.stack, {})
        connections: dict[str, str | None] = {name: host.connection for name, host in hosts.items()}
        agents = self.agents(connections)
        facts = {name: agent.facts() for name, agent in agents.items()}
        compiled = self.compile(loaded, facts)
        found = compiled.diagnostics
        if errors(found):
            raise RejectedError(loaded.located(found))
        state = self.state(loaded.stack.name)
        selection = self.selection(compiled, state)
        planned: Planned = make_plan(
            subject(compiled, loaded.config_digest, connections),
            state,
            agents,
            self._request(compiled, selection),
            stamp(),
            modules.load,
            self.seal,
        )
        if errors(planned.diagnostics):
            raise RejectedError(loaded.located((*found, *planned.diagnostics)))
        self.agents_by_host = agents
        self.compiled = compiled
        warned = loaded.located((*found, *selection.diagnostics, *planned.diagnostics))
        return msgspec.structs.replace(planned, diagnostics=warned)

    def selection(self, compiled: Compiled, state: State) -> Selection:
        from g8r.compiler.selection import select  # noqa: PLC0415 see above

        orphans = [resource.address for resource in state.resources.values() if resource.address not in compiled.graph.tasks]
        choice = self.choice
        return select(
            compiled.graph,
            compiled.hosts,
            target=choice.target,
            exclude=choice.exclude,
            on=choice.on,
            orphans=orphans,
            destroy=choice.destroy,
        )

    def _request(self, compiled: Compiled, selection: Selection) -> object:
        from g8r.executor.planning import Request  # noqa: PLC0415 see above

        choice = self.choice
        chosen = {"target": choice.target, "exclude": choice.exclude, "on": (choice.on,) if choice.on else ()}
        return Request(
            workspace=choice.workspace,
            kept=None if selection.complete else selection.kept,
            covers=selection.covers,
            replace=self._replaced(compiled),
            selection={name: values for name, values in chosen.items() if values},
            destroy=choice.destroy,
            refresh_only=choice.refresh_only,
            allow_empty=choice.allow_empty,
        )

    def _replaced(self, compiled: Compiled) -> frozenset[Address]:
        from g8r.compiler.selection import select  # noqa: PLC0415 see above

        if not self.choice.replace:
            return frozenset()
        from g8r.compiler.selection import address_matches  # noqa: PLC0415

        select(compiled.graph, compiled.hosts, target=self.choice.replace)
        return frozenset(
            address for address in compiled.graph.tasks if any(address_matches(pattern, address) for pattern in self.choice.replace)
        )

    def blobs(self, plan: Plan) -> dict[str, bytes]:
        return {digest: self._blobs[digest] for digest in plan.blobs}

    def adopt_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Take the blobs of a saved plan for what its steps fetch."""
        self._blobs |= blobs


def stamp() -> Stamp:
    from g8r.executor.planning import Stamp  # noqa: PLC0415 see above

    moment = datetime.now(UTC)
    return Stamp(secrets.token_hex(8), text_of(moment), text_of(moment + PLAN_LIFE), g8r.__version__)


def text_of(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    return text_of(datetime.now(UTC))


def _import_what_a_plan_needs() -> None:
    """Some 0.05 s, on the other core while the child works."""
    import g8r.compiler.compile  # noqa: PLC0415 all of these
    import g8r.executor.agent  # noqa: PLC0415
    import g8r.executor.effects  # noqa: PLC0415
    import g8r.executor.journal  # noqa: PLC0415
    import g8r.executor.local_host  # noqa: PLC0415
    import g8r.executor.planning  # noqa: PLC0415
    import g8r.executor.sealing  # noqa: PLC0415
    import g8r.render.plan_text  # noqa: F401, PLC0415


def agent_home() -> Path:
    """Where this machine's agent remembers what is host-wide: /var/lib/g8r for root, else below the user's state folder."""
    chosen = os.environ.get("G8R_HOME")
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/g8r")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "g8r"


def cache_home() -> Path:
    """Where evaluated sources are kept: the user's own cache folder. Never beside the stack, where they could come with a pull request."""
    chosen = os.environ.get("G8R_HOME")
    if chosen:
        return Path(chosen) / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "g8r" / "evaluated"
