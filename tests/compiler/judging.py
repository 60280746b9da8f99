"""What the contract says of stacks, many to one child: `Judge`. What decode and the compiler say of a document: `mistakes`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import toys

from g8r.compiler import evaluator, languages, plain_source, written, yaml_source
from g8r.compiler.compile import compile_stack
from g8r.compiler.decode import decode
from g8r.compiler.evaluator import Died, Evaluated, Limits
from g8r.compiler.kinds import SHIPPED
from g8r.compiler.nickel_text import string
from g8r.compiler.sources import folder_reader
from g8r.compiler.written import Tag
from g8r.diagnostics import Diagnostic, RejectedError, errors, path_text
from g8r.value import Value, canonical

LOADERS = {"yaml": yaml_source.load, "json": plain_source.load_json, "toml": plain_source.load_toml}


class Judge:
    """One child, and a folder of contracts to judge by."""

    def __init__(self, contracts: Path) -> None:
        self._contracts = contracts
        self._child = evaluator.start(Limits(seconds=250), (contracts,))
        self._under = f"let G8r = import {string(contracts / 'g8r.ncl')} in"
        self._written = 0

    def accepts(self, text: str) -> bool:
        """Whether the contract takes one stack in Nickel."""
        answer = self._child.evaluate(f"{self._under} (G8r.without_free ({text})) | G8r.Stack")
        assert not isinstance(answer, Died), answer  # it said nothing
        return isinstance(answer, Evaluated)

    def accepted(self, texts: Sequence[str]) -> list[Value] | None:
        """The documents, by one evaluation, where the contract takes all of them."""
        listed = ",\n".join(f"((G8r.without_free ({text})) | G8r.Stack)" for text in texts)
        answer = self._child.evaluate(f"{self._under} [\n{listed}\n]")
        assert not isinstance(answer, Died), answer
        return json.loads(answer.json) if isinstance(answer, Evaluated) else None

    def documents(self, texts: Sequence[str]) -> list[Value]:
        """The documents without the contract, with their tags: as evaluate has them after a refusal. One evaluation."""
        answer = self._child.evaluate(f"std.array.map ({written.EXPRESSION}) [\n" + ",\n".join(f"({text})" for text in texts) + "\n]")
        assert isinstance(answer, Evaluated), answer
        return [written.value(found) for found in json.loads(answer.json)]

    def text(self, document: Value) -> str:
        """An expression for plain data: it goes to Nickel as JSON, as a stack in YAML does."""
        self._written += 1
        return f"(import {string(self._child.write(f'document-{self._written}.json', canonical(document)))})"

    def close(self) -> None:
        self._child.close()


def plain_document(language: str, text: str) -> Value:
    """What a stack in YAML, JSON or TOML says. Raises RejectedError where it is none."""
    return languages.filled(LOADERS[language](text.encode(), f"main.{language}")[0])


def mistakes(document: Value, *, toy: bool = False, thorough: bool = True) -> tuple[str, ...]:
    """What decode finds, as `code path`."""
    return _sorted(decode(document, toys.KINDS if toy else SHIPPED, thorough=thorough).diagnostics)


def all_mistakes(document: Value, folder: Path) -> tuple[str, ...]:
    """What decode and the compiler find in a stack of the shipped kinds; warnings are none."""
    decoded = decode(document, SHIPPED)
    if decoded.stack is None:
        return _sorted(decoded.diagnostics)
    return _sorted(compile_stack(decoded.stack, {}, folder_reader(folder), SHIPPED.__getitem__, decoded.diagnostics).diagnostics)


def rejected(language: str, text: str) -> tuple[str, ...]:
    """Why a text cannot be read as a stack at all."""
    try:
        plain_document(language, text)
    except RejectedError as refused:
        return _sorted(refused.diagnostics)
    return ()


def _sorted(found: Sequence[Diagnostic]) -> tuple[str, ...]:
    return tuple(sorted(f"{one.code} {path_text(one.path or ())}" for one in errors(found)))


_BEYOND = {"invalid-name", "invalid-selector", "must-be-known"}


def shapes(document: Value, *, toy: bool = False) -> list[str]:
    """What decode finds that a contract must find, too; references that are misplaced either may find."""
    found = decode(document, toys.KINDS if toy else SHIPPED, thorough=True).diagnostics
    return [str(one) for one in found if one.code not in {*_BEYOND, "reference-misplaced"} and not _names_params(one)]


def _names_params(one: Diagnostic) -> bool:
    return one.code == "unknown-param" and not {"sensitive", "ignore_changes"}.isdisjoint((one.path or ())[:-1])


def nickel(value: Value) -> str:
    """A value as an expression, tags as tags. Texts stand in it by their code points, since JSON's escapes are not Nickel's."""
    match value:
        case Tag():
            return f"'{_quoted(value)}"
        case str():
            return _quoted(value)
        case list():
            return f"[{', '.join(map(nickel, value))}]"
        case dict():
            return f"{{ {', '.join(f'{_quoted(key)} = {nickel(part)}' for key, part in value.items())} }}"
        case _:
            return canonical(value).decode()


def _quoted(text: str) -> str:
    return '"' + "".join(mark if mark.isascii() and mark.isalnum() else f"\\u{{{ord(mark):x}}}" for mark in text) + '"'
