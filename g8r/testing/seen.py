"""What one test saw of its stack, as comparisons ask for it. Pure: the values are what compiler and engine gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import msgspec

from g8r import modules, parameters
from g8r.address import Address
from g8r.catalog import CatalogTask
from g8r.compiler.compile import Compiled
from g8r.compiler.graph import PACKAGE
from g8r.compiler.selection import address_matches
from g8r.diagnostics import Diagnostic
from g8r.outcome import Failure as FailedOutcome
from g8r.outcome import InDoubt, Outcome, Skipped, Stale
from g8r.plan import Plan, Step
from g8r.value import Document


class Text(msgspec.Struct, frozen=True):
    """What a file holds in the end, or why that is not known. `secret`: it must not be shown."""

    text: str | None
    reason: str = ""
    secret: bool = False


class Run(msgspec.Struct, frozen=True):
    """How an apply went: the outcomes by step, the stack's outputs, and the plan after it."""

    status: str
    outcomes: Mapping[str, Outcome]
    outputs: Document
    after: Plan | None


class Seen(msgspec.Struct, frozen=True):
    """What there is. `errors` are those of the stack, or of its plan: with them, the graph is empty and there is no plan.

    `content` gives the text of the file that a task is about.
    """

    compiled: Compiled
    errors: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    plan: Plan | None = None
    run: Run | None = None
    content: Callable[[Address], Text] = lambda _address: Text(None, "nothing was planned")

    @property
    def tasks(self) -> Mapping[Address, CatalogTask]:
        return self.compiled.graph.tasks

    def matching(self, pattern: str) -> tuple[Address, ...]:
        """The tasks that a pattern means, sorted."""
        return tuple(sorted(address for address in self.tasks if address_matches(pattern, address)))

    def names(self, pattern: str) -> list[str]:
        """What a pattern of this form could have meant, for hints."""
        return sorted({str(address) if "/" in pattern else address.task for address in self.tasks})


def step_name(step: Step) -> str:
    """A step as tests write it: the address, and of a trigger its verb."""
    return f"{step.address}#{step.verb}" if step.verb else str(step.address)


def step_matches(pattern: str, step: Step) -> bool:
    """Whether `service.nginx`, `web1/service.nginx#reload` or a glob means this step."""
    task, sharp, verb = pattern.partition("#")
    return address_matches(task, step.address) and (fnmatchcase(step.verb, verb) and step.verb != "" if sharp else not step.verb)


def before(seen: Seen, address: Address) -> frozenset[Address]:
    """All that comes before a task: by its edges, hard and soft, by what these come after, and by waiting for packages."""
    packages: dict[str, list[Address]] = {}
    for each in seen.tasks:
        if each.kind == PACKAGE:
            packages.setdefault(each.host, []).append(each)
    found: set[Address] = set()
    pending = [address]
    while pending:
        task = seen.tasks[pending.pop()]
        earlier = [edge.before for edge in task.edges]
        earlier += packages.get(task.address.host, []) if task.after_packages else []
        fresh = [each for each in earlier if each not in found and each in seen.tasks]
        found.update(fresh)
        pending += fresh
    return frozenset(found)


def params(task: CatalogTask) -> Document:
    """The params of a task, with the defaults of those that are not set."""
    fields = parameters.fields(modules.load(task.address.kind))
    return {**{field.name: field.default for field in fields}, **task.params}


def hidden(task: CatalogTask) -> frozenset[str]:
    """The params that must not be shown."""
    return parameters.sensitive_fields(modules.load(task.address.kind), task.sensitive)


def has_content(kind: str) -> bool:
    """Whether a kind is about the whole of a file."""
    return "content" in modules.load(kind).State.__struct_fields__


def failure_of(outcome: Outcome) -> str | None:
    """Why a step did not get done."""
    match outcome:
        case FailedOutcome(reason=reason) | Stale(reason=reason) | InDoubt(reason=reason):
            return reason
        case Skipped(because=because):
            return f"skipped, because of {because}"
        case _:
            return None
