"""Values as a user would write them, in Nickel and in YAML: for examples and hints."""

from __future__ import annotations

import json
import re
from typing import Final

from g8r.value import Document, Value

_IDENTIFIER: Final = re.compile(r"_*[a-zA-Z][a-zA-Z0-9_'-]*")
_KEYWORDS: Final = frozenset({
    "as", "default", "doc", "else", "false", "forall", "force", "fun", "if", "import", "in", "include", "let", "match", "not_exported",
    "null", "optional", "or", "priority", "rec", "then", "true",
})  # fmt: skip
_NICKEL_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_YAML_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./@%+-]*")
_YAML_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def nickel(path: tuple[str, ...], task: Document) -> str:
    """A field of a stack, with a comma and a newline at its end."""
    where = ".".join(nickel_name(part) for part in path)
    if not task:
        return f"{where} = {{}},\n"
    fields = "".join(f"  {nickel_name(name)} = {nickel_value(value)},\n" for name, value in task.items())
    return f"{where} = {{\n{fields}}},\n"


def nickel_name(name: str) -> str:
    """A field's name, in quotes where it is no identifier."""
    return name if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS else nickel_value(name)


def nickel_value(value: Value) -> str:
    """A Nickel expression for a value, in one line."""
    match value:
        case list():
            return f"[{', '.join(nickel_value(part) for part in value)}]"
        case dict():
            fields = ", ".join(f"{nickel_name(name)} = {nickel_value(part)}" for name, part in value.items())
            return f"{{ {fields} }}" if fields else "{}"
        case str():
            return '"' + value.translate(_NICKEL_ESCAPES).replace("%{", "\\%{") + '"'
        case _:
            return json.dumps(value)


def yaml(path: tuple[str, ...], task: Document) -> str:
    """A part of a stack as a YAML block, with a newline at its end."""
    lines = [f"{'  ' * depth}{yaml_value(part)}:" for depth, part in enumerate(path)]
    indent = "  " * len(path)
    return "\n".join([*lines, *(f"{indent}{yaml_value(name)}: {yaml_value(value)}" for name, value in task.items())]) + "\n"


def yaml_value(value: Value) -> str:
    """A value in one line: a plain word as it is, the rest as JSON, which is YAML."""
    if isinstance(value, str) and _YAML_PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
