"""Reference pages of the kinds, for people: Markdown for the docs, text for `g8r modules list|show`. All of it comes from the module.

The example is put together from the params' own examples: what is required, then what else has an example and is not refused beside
the rest by the kind's own `validate`.
"""

from __future__ import annotations

import inspect
import itertools
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from g8r import parameters
from g8r.module import AnyModule
from g8r.parameters import Field
from g8r.render import source_text, style
from g8r.render.style import PLAIN, Palette
from g8r.value import Document, Value

WRAP: Final = 100

EXTRAS: Final = 2
"""Params that are not required in an example."""

_SENSITIVE: Final = "Sensitive: shown nowhere, sealed in plans."


class Example(msgspec.Struct, frozen=True):
    """A task that the kind accepts: its name, its params, its triggers (`reload_on`)."""

    name: str
    params: Document
    triggers: tuple[str, ...]


def listing(modules: Iterable[AnyModule], palette: Palette = PLAIN) -> str:
    """`g8r modules list`: one line for each kind."""
    rows = [(module.kind, module.summary) for module in sorted(modules, key=lambda module: module.kind)]
    return "".join(f"{line}\n" for line in style.table(("KIND", "WHAT IT MANAGES"), rows, palette))


def reference(module: AnyModule) -> str:
    """The kind's page in Markdown."""
    blocks = [f"# `{module.kind}`", f"{module.summary}.", *_about(module), "## Params"]
    rows = [(f"`{field.name}`", type_words(field), _default(module, field), _what(field)) for field in _sorted(module)]
    blocks.append(_markdown_table(("param", "takes", "default", "what it says"), rows))
    blocks += _known(module)
    outputs = outputs_of(module)
    if outputs:
        refer = f"Other tasks refer to them as `@{{{module.kind}.NAME.OUTPUT}}`."
        blocks += ["## Outputs", refer, _markdown_table(("output", "is"), [(f"`{name}`", words) for name, words in outputs])]
    blocks += _markdown_triggers(module)
    shown = example(module)
    blocks += ["## Example", "In Nickel:", f"```nickel\n{nickel_example(module, shown)}```"]
    blocks += ["In YAML:", f"```yaml\n{yaml_example(module, shown)}```"]
    return "\n\n".join(blocks) + "\n"


def text(module: AnyModule, palette: Palette = PLAIN) -> str:
    """`g8r modules show KIND`: the same for a terminal."""
    lines = [f"{palette.paint('strong', module.kind)}: {module.summary}", ""]
    for paragraph in _about(module):
        lines += [*paragraph.splitlines(), ""]
    lines += [palette.paint("strong", "Params"), ""]
    for field in _sorted(module):
        default = _default(module, field).strip("`")
        told = "required" if default == "required" else f"default {default}" if default else ""
        lines.append(f"  {palette.paint('create', field.name)}: {', '.join(part for part in (type_words(field), told) if part)}")
        lines += [*textwrap.wrap(_what(field), WRAP, initial_indent="      ", subsequent_indent="      "), ""]
    for paragraph in _known(module):
        lines += [*textwrap.wrap(paragraph.replace("`", ""), WRAP, initial_indent="  ", subsequent_indent="  "), ""]
    outputs = outputs_of(module)
    if outputs:
        lines += [palette.paint("strong", f"Outputs, as @{{{module.kind}.NAME.OUTPUT}}"), ""]
        lines += [*(f"  {name}: {words}" for name, words in outputs), ""]
    if module.triggers:
        lines += [palette.paint("strong", "Triggers"), "", *(f"  {name}: {told}" for name, told in _triggers(module)), ""]
    lines += [palette.paint("strong", "Example"), ""]
    lines += textwrap.indent(nickel_example(module, example(module)), "  ").splitlines()
    return "\n".join(lines) + "\n"


def example(module: AnyModule) -> Example:
    """A task of this kind that its own checks accept."""
    natural = module.natural
    found = parameters.fields(module)
    named = next((field.example for field in found if field.name == natural), None)
    needed = {field.name: _sample(field) for field in found if field.required and field.name != natural}
    shown = Example(str(named or "example"), needed, ())
    own = frozenset(inspect.get_annotations(module.Params))
    optional = [field for field in found if field.name not in {natural, *needed} and _sample(field) is not None]
    optional.sort(key=lambda field: field.name not in own)
    tried = [_with(shown, chosen) for size in range(EXTRAS + 2) for chosen in itertools.combinations(optional, size)]
    shown = min(tried, key=lambda one: _problems(module, one))  # the first, so the smallest, of the best
    best = _problems(module, shown)
    for field in optional:
        more = _with(shown, (field,))
        if len(more.params) <= len(needed) + EXTRAS and _problems(module, more) <= best:
            shown = more
    fired = msgspec.structs.replace(shown, triggers=tuple(sorted(module.triggers)[:1]))
    order = [field.name for field in found]
    params = dict(sorted(shown.params.items(), key=lambda param: order.index(param[0])))
    return msgspec.structs.replace(fired if _problems(module, fired) <= best else shown, params=params)


def _with(shown: Example, chosen: Iterable[Field]) -> Example:
    return msgspec.structs.replace(shown, params={**shown.params, **{field.name: _sample(field) for field in chosen}})


def nickel_example(module: AnyModule, shown: Example) -> str:
    """The example as a part of a stack in Nickel."""
    task: Document = {**shown.params, **{name: ["file.conf"] for name in shown.triggers}}
    return source_text.nickel(("tasks", module.kind, shown.name), task)


def yaml_example(module: AnyModule, shown: Example) -> str:
    """The example as a part of a stack in YAML."""
    task: Document = {**shown.params, **{name: ["file.conf"] for name in shown.triggers}}
    return source_text.yaml(("tasks", module.kind, shown.name), task)


def outputs_of(module: AnyModule) -> list[tuple[str, str]]:
    """The outputs and what they are, in words."""
    described = msgspec.inspect.type_info(module.Outputs)
    if not isinstance(described, msgspec.inspect.StructType):
        return []
    return [(field.name, words(field.type)) for field in described.fields]


def type_words(field: Field) -> str:
    """What a param takes, in words."""
    return words(field.type, none="")


def words(wanted: Any, none: str = "nothing") -> str:  # noqa: ANN401 msgspec's view of a type
    """A type in words; `none` says what None is called, empty where it goes without saying."""
    kinds = msgspec.inspect
    text = _SIMPLE.get(type(wanted), "any value")
    match wanted:
        case kinds.Metadata(type=inner, extra=extra):
            text = str((extra or {}).get("expected") or words(inner, none))
        case kinds.UnionType(types=types):
            parts = [words(part) for part in types if not isinstance(part, kinds.NoneType)]
            text = " or ".join(parts + ([none] if none and len(parts) < len(types) else []))
        case kinds.LiteralType(values=values):
            text = " or ".join(f"`{value}`" for value in values)
        case kinds.VarTupleType(item_type=inner) | kinds.ListType(item_type=inner):
            text = f"a list of {_plural(words(inner))}"
        case kinds.DictType(value_type=inner):
            text = f"a record of {_plural(words(inner))}"
        case kinds.IntType(ge=low, le=high):
            text = "a whole number" + (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")
        case _:
            pass
    return text


_SIMPLE: Final[dict[type, str]] = {
    msgspec.inspect.StrType: "a text",
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.FloatType: "a number",
    msgspec.inspect.NoneType: "nothing",
}


def _plural(text: str) -> str:
    return {"a text": "texts", "a number": "numbers", "any value": "values"}.get(text, f"values, each {text}")


def _sorted(module: AnyModule) -> list[Field]:
    """Required ones first, else in the order of Params."""
    return sorted(parameters.fields(module), key=lambda field: not field.required or field.name == module.natural)


def _default(module: AnyModule, field: Field) -> str:
    if field.name == module.natural:
        return "the task's name"
    if field.required:
        return "required"
    empty = field.default is None or (isinstance(field.default, str | list | tuple | dict) and not field.default)
    return "" if empty else f"`{style.value_text(field.default)}`"


def _what(field: Field) -> str:
    return f"{field.doc} {_SENSITIVE}" if field.sensitive else field.doc


def _known(module: AnyModule) -> list[str]:
    names = ", ".join(f"`{field.name}`" for field in _sorted(module) if field.known)
    return [f"May refer to vars, the host and its facts, but not to outputs or secrets: {names}."] if names else []


def _about(module: AnyModule) -> list[str]:
    """The docstring of the kind's file without its first sentence, which the summary repeats."""
    written = inspect.getmodule(type(module))
    paragraphs = inspect.cleandoc(written.__doc__ or "").split("\n\n") if written else []
    first = paragraphs[0].partition(". ")[2].strip() if paragraphs else ""
    return [paragraph for paragraph in (first, *paragraphs[1:]) if paragraph]


def _markdown_triggers(module: AnyModule) -> Iterator[str]:
    if module.triggers:
        yield "## Triggers"
        rows = [(f"`{name}`", told) for name, told in _triggers(module)]
        yield _markdown_table(("meta-argument", "does"), rows)


def _triggers(module: AnyModule) -> list[tuple[str, str]]:
    return [(name, f"a list of tasks; {verb} once, after any of them changed") for name, verb in sorted(module.triggers.items())]


def _markdown_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _sample(field: Field) -> Value:
    """A value to show: the example, true for a switch that is left as it is by default; None where there is nothing good to show."""
    if field.example is not None:
        return field.example
    if field.required:
        return "example"
    return True if field.default is None and type_words(field) == "true or false" else None


def _problems(module: AnyModule, shown: Example) -> int:
    """How much is wrong with a task; more than any count where its params are of the wrong type."""
    whole: Document = {module.natural: shown.name, **shown.params} if module.natural else shown.params
    try:
        built = msgspec.convert(whole, module.Params)
    except msgspec.ValidationError:
        return 1_000
    return len(module.validate(built, frozenset(shown.triggers)))
