"""From a document to a TestFile, with every mistake and its path. Pure.

Beyond the contract it checks what is a mistake in any stack: patterns that are no regular expressions, tasks of kinds that do not exist,
expectations that contradict each other, and a test that expects nothing, since it could not fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import inspect

from g8r import modules
from g8r.compiler import checks
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, error, errors
from g8r.testing.cases import Content, Expect, Message, TestFile, texts
from g8r.value import Value

_NO_PLAN: Final = (
    *("tasks", "has", "lacks", "params", "content", "edges", "order", "plan", "changes", "outputs", "converges", "snapshot"),
)
"""Expectations that a stack with errors cannot meet."""
_NOTHING: Final = Expect()
_GLOB: Final = re.compile(r"[*?\[]")
_KEYED: Final = ("params", "content", "plan", "changes")


class Decoded(msgspec.Struct, frozen=True):
    """The tests of a file, or None where something is wrong with them."""

    file: TestFile | None
    diagnostics: tuple[Diagnostic, ...] = ()


def decode(document: Value) -> Decoded:
    """The tests that a document means, or everything that is wrong with it."""
    if not isinstance(document, dict):
        detail = f"The file gives {checks.kind_of(document)}; expected a record with tests."
        return Decoded(None, (error("no-tests", "this is no test file", detail, ()),))
    found = [mistake.diagnostic(whole="a test file") for mistake in checks.check(document, inspect.type_info(TestFile), ())]
    if found:
        return Decoded(None, tuple(found))
    try:
        file = msgspec.convert(document, TestFile)
    except msgspec.ValidationError as mismatch:  # a text that is a whole reference passes the check of params, and is nothing here
        detail = f"{mismatch}. A test holds plain values: references `@{{...}}` mean nothing in it."
        return Decoded(None, (error("wrong-type", "a value is of the wrong type", detail, ("tests",)),))
    mistakes = tuple(_mistakes(file))
    return Decoded(None if errors(mistakes) else file, mistakes)


def _mistakes(file: TestFile) -> Iterator[Diagnostic]:
    if not file.tests:
        yield error("no-tests", "there are no tests in this file", 'Give it some: tests."what it says" = { expect = { ... } }.', ("tests",))
    for name, test in file.tests.items():
        at: DocumentPath = ("tests", name, "expect")
        if test.expect == _NOTHING:
            detail = f"Such a test cannot fail. Say what must hold: {', '.join(sorted(Expect.__struct_fields__))}."
            yield error("no-expectation", f'the test "{name}" expects nothing', detail, at)
        yield from _contradictions(name, test.expect, at)
        yield from _regexes(test.expect, at)
        yield from _names(test.expect, at)


def _contradictions(name: str, expect: Expect, at: DocumentPath) -> Iterator[Diagnostic]:
    also = [key for key in _NO_PLAN if getattr(expect, key) != getattr(_NOTHING, key)]
    if expect.errors and also:
        detail = f"A stack with errors has no {also[0]}. Remove one of them, or make two tests of it."
        yield error("contradiction", f'the test "{name}" expects errors, and {also[0]}', detail, (*at, also[0]))
    if expect.plan and expect.changes is not None:
        detail = "changes is the whole plan; plan is a part of it. Put everything into changes, or remove it."
        yield error("contradiction", f'the test "{name}" has both plan and changes', detail, (*at, "plan"))


def _regexes(expect: Expect, at: DocumentPath) -> Iterator[Diagnostic]:
    found: list[tuple[DocumentPath, str]] = []
    for task, content in expect.content.items():
        if isinstance(content, Content):
            one = isinstance(content.matches, str)
            place: DocumentPath = (*at, "content", task, "matches")
            found += [(place if one else (*place, number), pattern) for number, pattern in enumerate(texts(content.matches))]
            if not any(map(texts, (content.contains, content.lacks, content.matches))):
                detail = "Give the whole text, or contains, lacks or matches."
                yield error("no-expectation", f"nothing is expected of the content of {task}", detail, (*at, "content", task))
    for field, messages in (("errors", expect.errors), ("warnings", expect.warnings or ())):
        for number, message in enumerate(messages):
            if isinstance(message, Message):
                found += [] if message.matches is None else [((*at, field, number, "matches"), message.matches)]
                if message.code is None and message.matches is None:
                    yield error("no-expectation", "any message would do", "Give its code, or what it matches.", (*at, field, number))
    for path, pattern in found:
        try:
            re.compile(pattern)
        except re.error as refused:
            yield error("invalid-regex", f"this is no regular expression: {refused}", f"It is {checks.shown(pattern)}.", path)


def _names(expect: Expect, at: DocumentPath) -> Iterator[Diagnostic]:
    """Tasks that cannot be in any stack."""
    listed = (("tasks", expect.tasks or ()), ("has", expect.has), ("lacks", expect.lacks))
    named: list[tuple[DocumentPath, str]] = [((*at, key, number), name) for key, names in listed for number, name in enumerate(names)]
    named += [((*at, key, name), name) for key in _KEYED for name in getattr(expect, key) or {}]
    for key, chains, least, most in (("edges", expect.edges, 2, 2), ("order", expect.order, 2, None)):
        for number, chain in enumerate(chains):
            named += [((*at, key, number, index), name) for index, name in enumerate(chain)]
            if len(chain) < least or (most is not None and len(chain) > most):
                wanted = "two tasks, the first of which comes first" if most else "two tasks or more, in their order"
                yield error("wrong-value", f"{key}: expected {wanted}", f"This has {len(chain)}.", (*at, key, number))
    for path, name in named:
        yield from _name(name, path)


def _name(name: str, at: DocumentPath) -> Iterator[Diagnostic]:
    task, _, verb = name.rpartition("/")[2].partition("#")
    kind, dot, rest = task.partition(".")
    if not (dot and kind and rest) and not _GLOB.search(task):
        detail = f'A task is "file.motd", or "web1/file.motd" on one host; each part may be a glob. Got {checks.shown(name)}.'
        yield error("invalid-name", f"{checks.shown(name)} is no task", detail, at)
    elif not _GLOB.search(kind) and kind not in modules.KINDS:
        detail = f"There is no kind of tasks of this name.{did_you_mean(kind, modules.KINDS)}"
        yield error("unknown-kind", f'unknown kind "{kind}"', detail, at)
    elif verb and not _GLOB.search(kind):
        yield from _verb(kind, verb, at)


def _verb(kind: str, verb: str, at: DocumentPath) -> Iterator[Diagnostic]:
    known: Iterable[str] = sorted(modules.load(kind).triggers.values())
    if verb not in known:
        detail = f"{kind} has {', '.join(known) or 'no triggers'}.{did_you_mean(verb, known)}"
        yield error("unknown-trigger", f'{kind} has no trigger "{verb}"', detail, at)
