"""The kind `template`: its cases, and what of a template is refused at compile time."""

from __future__ import annotations

import laws
import pytest
from case import Case
from cases.template import BLOCKS, CASES

from g8r import parameters
from g8r.change import ABSENT, Applied, Change, Failed
from g8r.executor.fake_host import FakeHost
from g8r.module import Ahead, Problem, Work
from g8r.modules.template import Template, TemplateParams
from g8r.value import Unknown

TEMPLATE = Template()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    laws.run(case)


def problems(content: str | None, **params: object) -> list[Problem]:
    return list(TEMPLATE.validate(TemplateParams(path="/srv/x", content=content, **params), frozenset()))


def test_a_free_variable_is_named_with_its_line_and_the_nearest_name() -> None:
    detail = 'Line 2 of the template uses it, and vars does not have it. Did you mean "port"?'
    assert problems("a\n{{ prot }}\n", vars={"port": 1}) == [
        Problem('template variable "prot" is not in vars', detail, "vars"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "{{ a }}{% for x in a %}{{ x }}{{ loop.index }}{% endfor %}",
        "{% set b = 1 %}{{ b }}{{ range(3) }}{{ dict(x=1) }}",
        "{{ c | default(1) }}{{ d | d('x') }}",
        "{% if c is defined %}{{ c }}{% endif %}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1) }}",
        "{% raw %}{{ c }}{% endraw %}",
        "",
    ],
)
def test_what_is_not_free(content: str) -> None:
    assert problems(content, vars={"a": [1]}) == []


@pytest.mark.parametrize(
    ("content", "line", "detail"),
    [
        ("x\n{% if %}\n", 2, "Expected an expression"),
        ("{{ a }\n", 1, "unexpected '}'"),
        ("\n\n{{ 1 | nope }}", 3, "No filter named 'nope'"),
    ],
)
def test_a_syntax_error_has_the_line_of_the_template(content: str, line: int, detail: str) -> None:
    (problem,) = problems(content)
    assert problem.summary == f"the template has a syntax error in line {line}"
    assert detail in problem.detail
    assert problem.param == "content"


@pytest.mark.parametrize("content", ["{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}"])
def test_a_template_is_one_file(content: str) -> None:
    (problem,) = problems(f"\n{content}")
    assert problem.summary == "line 2 of the template loads another template"


@pytest.mark.parametrize("content", ["{{ [1, 2] | random }}", "{{ lipsum() }}"])
def test_what_draws_lots_is_not_there(content: str) -> None:
    assert len(problems(content)) == 1


def test_content_or_source() -> None:
    assert [problem.param for problem in problems(None)] == ["content"]
    assert [problem.param for problem in problems("x", source="y")] == ["source"]
    assert [problem.summary for problem in problems(None, source="sha256:0")] == ["the source is no template"]
    assert problems(None, source="x.j2") == []
    assert problems(None, ensure="absent") == []


def test_values_that_are_known_later_give_a_plan_all_the_same() -> None:
    built = parameters.build(TEMPLATE, {"path": "/srv/x", "content": BLOCKS, "vars": {"backends": Unknown("service.app")}})
    assert set(built.unknown) == {"vars"}
    assert parameters.determined(TEMPLATE, built.unknown.keys() | set()) == {"content", "checksum", "size"}
    verdict = TEMPLATE.diff(built.params, ABSENT, Ahead())
    assert isinstance(verdict, Change)
    assert verdict.action == "create"


def test_what_stands_in_for_them_is_never_written() -> None:
    host = FakeHost.debian()
    params = TemplateParams(path="/srv/x", content="{{ a }}")
    verdict = TEMPLATE.diff(params, ABSENT, Ahead())
    assert isinstance(verdict, Change)
    (result,) = TEMPLATE.apply([Work(params, verdict)], host)
    assert isinstance(result, Failed)
    assert host.stat("/srv/x") is None
    (result,) = TEMPLATE.apply([Work(TemplateParams(path="/srv/x", content=""), verdict)], host)
    assert isinstance(result, Applied)


def test_rendering_is_pure() -> None:
    params = TemplateParams(path="/srv/x", content="{% set _ = a.append(1) %}", vars={"a": []})
    laws_verdict = TEMPLATE.diff(params, ABSENT, Ahead())
    assert params.vars == {"a": []}
    assert "SecurityError" in str(laws_verdict)
