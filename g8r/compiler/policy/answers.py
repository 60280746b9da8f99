"""What policies found, before anybody asks who is exempt."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from g8r.diagnostics import Diagnostic, Span

Level: TypeAlias = Literal["mandatory", "advisory"]
Form: TypeAlias = Literal["check", "each", "contract", "params"]


class Violation(msgspec.Struct, frozen=True):
    """One thing that a policy does not want. `task` is `file.motd` or `web1/file.motd`, None for the stack or plan as a whole; `field`
    is below the task's record, or from the top of the stack where there is no task. `contract` is the place of the one that was broken.
    """

    message: str
    task: str | None = None
    field: tuple[str | int, ...] = ()
    contract: Span | None = None


class Policy(msgspec.Struct, frozen=True):
    """A policy that was asked; `violations` is None where it is of plans, and there is none. `kinds` are those that it names."""

    name: str
    on: Literal["stack", "plan"]
    level: Level
    doc: str
    form: Form
    file: str
    kinds: tuple[str, ...] = ()
    violations: tuple[Violation, ...] | None = ()


class Answers(msgspec.Struct, frozen=True):
    """The policies that answered, and why others did not. `failed` names those, as far as their names are known; `unread` is true where
    a file has policies that nobody knows the names of.
    """

    policies: tuple[Policy, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    failed: tuple[str, ...] = ()
    unread: bool = False
