"""The kind `template`: a regular file whose content is rendered from a Jinja2 template.

Jinja2 runs sandboxed and pure: no loader (one file is the whole template), no filter that draws lots, no undefined variable
(StrictUndefined). A block alone on its line leaves no empty line (trim_blocks, lstrip_blocks); the last newline is kept. Nothing is
escaped: what is rendered are configuration files. The variables are `vars`, and nothing else.

Free variables are checked at compile time. One that the template itself tests (`is defined`) or defaults (`| default(...)`) is free
to be missing. While `vars` is known only later, what is rendered stands in for it, and `determines` tells the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from g8r.change import Absent, Applied, Blocked, Change, Failed, NoChange, Unreadable, Verdict
from g8r.claim import Claims, normal_path
from g8r.diagnostics import did_you_mean
from g8r.host import Host
from g8r.module import Ahead, Module, Problem, Wanted, Work, param
from g8r.modules.support import files, text
from g8r.modules.support.files import FileOutputs, FileState, PlainFileParams

if TYPE_CHECKING:
    import jinja2
    import jinja2.nodes

_CONTENT = ("content", "checksum", "size")
_CACHED = 1024
"""How many templates are kept compiled: many hosts, or tasks, share one."""


class TemplateParams(PlainFileParams, frozen=True, kw_only=True):
    content: Annotated[
        str | None,
        param("The template itself, as text. Either this or `source` is required.", example="listen {{ port }};\n", stand_in=""),
    ] = None
    source: Annotated[
        str | None,
        param(
            "A file beside the stack that holds the template: UTF-8 text of at most 256 KiB. Excludes `content`.",
            known=True,
            source=True,
            example="templates/site.conf.j2",
        ),
    ] = None
    vars: Annotated[
        dict[str, Any],
        param("The variables of the template, by name. Any value; `{{ backends.0.address }}` reaches into it.", example={"port": 8080}),
    ] = {}  # noqa: RUF012 msgspec gives each struct its own


class Template(Module[TemplateParams, FileState]):
    kind = "template"
    summary = "A regular file rendered from a Jinja2 template"
    Params: ClassVar[type[Any]] = TemplateParams
    State: ClassVar[type[Any]] = FileState
    Outputs: ClassVar[type[Any]] = FileOutputs
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {"content": _CONTENT, "source": _CONTENT, "vars": _CONTENT}
    batch = 512

    def validate(self, params: TemplateParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        problems = files.validate(params)
        if params.content is not None and params.source is not None:
            return (*problems, Problem("content and source exclude each other", "Remove one of them.", "source"))
        if params.ensure == "absent":
            return problems
        if params.content is not None:
            return (*problems, *_template_problems(params.content, params.vars))
        if params.source is None:
            return (*problems, Problem("a template needs content or source", "Give the template itself, or the file it is in.", "content"))
        if params.source.startswith("sha256:"):
            return (*problems, Problem("the source is no template", "A template is UTF-8 text of at most 256 KiB.", "source"))
        return problems

    def identity(self, params: TemplateParams) -> str:
        return normal_path(params.path)

    def claims(self, params: TemplateParams) -> Claims:
        return files.claims(params, content=True)

    def read(self, wanted: Sequence[Wanted[TemplateParams, FileState]], host: Host) -> Sequence[FileState | Absent | Unreadable]:
        return files.read(wanted, host, lambda _: True)

    def diff(self, params: TemplateParams, before: FileState | Absent, ahead: Ahead) -> Verdict[FileState]:
        if params.ensure == "absent":
            return files.diff(params, None, before, ahead)
        try:
            rendered = _rendered(params)
        except _RenderingError as error:
            return Blocked(str(error))
        return files.diff(params, text.of_text(rendered), before, ahead)

    def remove(self, params: TemplateParams, before: FileState) -> Change[FileState] | NoChange | Blocked:  # noqa: ARG002 the protocol's
        return files.remove(before)

    def restore(
        self,
        params: TemplateParams,  # noqa: ARG002 the protocol's
        before: FileState | Absent,
        original: FileState,
    ) -> Change[FileState] | NoChange | Blocked:
        return files.restore(before, original)

    def apply(self, work: Sequence[Work[TemplateParams, FileState]], host: Host) -> Iterator[Applied[FileState] | Failed]:
        for piece in work:
            if _renders_a_stand_in(piece):
                yield Failed(f"{piece.params.path} cannot be rendered: its template uses variables, and vars turned out to be empty")
            else:
                yield from files.apply((piece,), host, _bytes)


class _RenderingError(Exception):
    """Why a template does not render; the message is a sentence that quotes no value."""


def _rendered(params: TemplateParams) -> str:
    """The text of the file. Raises _RenderingError.

    A template that needs vars and has none at all passed `validate` only because its vars are known later: it renders to nothing.
    """
    import jinja2  # noqa: PLC0415 a stack without templates does not pay for it

    if params.content is None:
        message = f"the template of {params.path} is not there as text: a template is UTF-8 text of at most 256 KiB"
        raise _RenderingError(message)
    try:
        if not params.vars and _free(params.content):
            return ""
        return _compiled(params.content).render(params.vars)
    except jinja2.TemplateSyntaxError as error:
        message = f"the template of {params.path} has a syntax error in line {error.lineno}: {error.message}"
        raise _RenderingError(message) from None
    except jinja2.UndefinedError as error:
        raise _RenderingError(_failure(params, error, _undefined_name(error, params.content))) from None
    except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise _RenderingError(_failure(params, error, type(error).__name__)) from None


def _renders_a_stand_in(piece: Work[TemplateParams, FileState]) -> bool:
    """Whether the empty text that stands in for what is known later is about to be written."""
    params, after = piece.params, piece.change.after
    if params.vars or params.content is None or isinstance(after, Absent) or after.content != "":
        return False
    return bool(_free(params.content))


def _failure(params: TemplateParams, error: Exception, what: str) -> str:
    """Says where in the template, and no more of the message than is safe: it may quote a value, and values may be secret."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f"in line {line} of its template" if line is not None else "in its template"
    return f"{params.path} cannot be rendered: {what} {where}"


def _undefined_name(error: Exception, template: str) -> str:
    """`'x' is undefined`, where the template itself says x; a name that came out of a value is not repeated."""
    message = str(error)
    names = message.split("'")[1::2]
    return message if all(name in template or name.endswith(" object") for name in names) else "a name that is not defined"


def _bytes(params: TemplateParams) -> bytes | None:
    try:
        return _rendered(params).encode()
    except _RenderingError:
        return None  # what was planned is applied as planned: only its digest counts


# ---- compile time -----------------------------------------------------------------------------------------------------------


def _template_problems(template: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    import jinja2  # noqa: PLC0415 a stack without templates does not pay for it

    try:
        free = _free(template)
        _compiled(template)
    except jinja2.TemplateSyntaxError as error:
        yield Problem(f"the template has a syntax error in line {error.lineno}", str(error.message), "content")
        return
    for line in _references(template):
        detail = "One file is the whole template: put the text in, or compose it in the stack."
        yield Problem(f"line {line} of the template loads another template", detail, "content")
    for name, line in free.items():
        if name not in given:
            detail = f"Line {line} of the template uses it, and vars does not have it.{did_you_mean(name, given)}"
            yield Problem(f'template variable "{name}" is not in vars', detail, "vars")


@lru_cache(maxsize=_CACHED)
def _references(template: str) -> tuple[int, ...]:
    """The lines that load another template."""
    from jinja2 import nodes  # noqa: PLC0415 a stack without templates does not pay for it

    loads = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)
    return tuple(found.lineno for found in _environment().parse(template).find_all(loads))


@lru_cache(maxsize=_CACHED)
def _free(template: str) -> Mapping[str, int]:
    """The variables that must be given, sorted, each with the first line that uses it. Those that are tested or defaulted need not be."""
    from jinja2 import meta, nodes  # noqa: PLC0415 a stack without templates does not pay for it

    parsed = _environment().parse(template)
    excused = {test.node.name for test in parsed.find_all(nodes.Test) if _tests_definition(test) and isinstance(test.node, nodes.Name)}
    excused |= {
        found.node.name for found in parsed.find_all(nodes.Filter) if found.name in ("default", "d") and isinstance(found.node, nodes.Name)
    }
    free = meta.find_undeclared_variables(parsed) - excused
    lines: dict[str, int] = {}
    for found in parsed.find_all(nodes.Name):
        if found.name in free:
            lines[found.name] = min(found.lineno, lines.get(found.name, found.lineno))
    return dict(sorted(lines.items()))


def _tests_definition(test: jinja2.nodes.Test) -> bool:
    return test.name in ("defined", "undefined")


# ---- Jinja2 -----------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 a stack without templates does not pay for it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 as above

    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        cache_size=0,
    )
    del environment.filters["random"]
    del environment.globals["lipsum"]
    return environment


@lru_cache(maxsize=_CACHED)
def _compiled(template: str) -> jinja2.Template:
    return _environment().from_string(template)
