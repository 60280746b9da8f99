"""Every error has the user's line."""

from __future__ import annotations

import json

import msgspec
import pytest
import sarif_schema

from g8r.diagnostics import Diagnostic, Related, Severity, Span, error, warning
from g8r.render import diagnostic_json, diagnostic_text
from g8r.render.style import COLOUR

SOURCES = {
    "main.ncl": ['{ name = "site",', "  tasks.service.nginx = {", "\t\truning = true,", '    owner = "ü漢字", mode = "0999",', "  } }"],
    "other.ncl": ["x" * 500 + "bad" + "y" * 500],
}


def at(line, column, end=None, *, file="main.ncl", severity=Severity.ERROR, summary="wrong", detail="", related=()):
    span = Span(file, line, column, line + (end < column) * 3 if end else None, end)
    return Diagnostic(severity, "bad-param", summary, detail, ("tasks", "x"), span, tuple(related))


OTHER = Related("the other is here", span=Span("main.ncl", 1, 3))
SOME = (
    at(4, 27, 33, summary='"0999" is no mode', detail='Expected an octal mode in quotes such as "0644".\nSee `g8r modules show file`.'),
    at(3, 3, 9, summary='unknown param "runing"', detail='service.nginx has no such param. Did you mean "running"?'),
    at(
        2,
        25,
        4,
        summary="two tasks provide path:/etc/motd",
        related=[OTHER],
    ),
    at(1, 501, 504, file="other.ncl", severity=Severity.WARNING, summary="a long line"),
    error("no-place", "no span at all", "but a path", ("tasks", "file", "a", "needs", 0)),
    warning("nothing", "neither span nor path"),
    at(9, 1, file="missing.ncl", summary="a file whose text is not given"),
)


def test_the_text(golden):
    golden("render/diagnostics.txt", diagnostic_text.render(SOME, SOURCES))


def test_path_line_and_column_stand_verbatim():
    text = diagnostic_text.render(SOME, SOURCES, COLOUR)
    assert "main.ncl:3:3" in text
    assert "missing.ncl:9:1" in text


def test_the_underline_is_under_the_value():
    lines = diagnostic_text.render([SOME[0]], SOURCES).splitlines()
    source, under = lines[3], lines[4]
    assert source[source.index('"0999"') :].startswith('"0999"')
    assert under.index("^") == source.index('"0999"') + 2, "two wide characters before it"
    assert under.count("^") == 6
    tabbed = diagnostic_text.render([SOME[1]], SOURCES).splitlines()
    assert tabbed[4] == "  | \t\t^^^^^^"


@pytest.mark.parametrize(
    ("line", "column", "marks"),
    [('mode = "0\\"99",', 8, 7), ("runing = true", 1, 6), ("x = [1]", 5, 1), ("x = /etc/a.conf y", 5, 11), ("x", 9, 1)],
)
def test_without_an_end_the_word_is_underlined(line, column, marks):
    assert diagnostic_text.render([at(1, column)], {"main.ncl": [line]}).count("^") == marks


def test_order_is_by_place_whatever_came_first():
    forward, backward = diagnostic_text.render(SOME, SOURCES), diagnostic_text.render(tuple(reversed(SOME)), SOURCES)
    assert forward == backward
    places = [forward.index(name) for name in ("main.ncl:2", "main.ncl:3", "main.ncl:4", "missing.ncl", "other.ncl", "neither", "no span")]
    assert places == sorted(places)


def test_many_are_cut_with_errors_kept():
    many = [at(n, 1, file="a.ncl", severity=Severity.WARNING, summary=f"w{n}") for n in range(1, 41)]
    many += [at(n, 1, file="b.ncl", summary=f"e{n}") for n in range(1, 11)]
    text = diagnostic_text.render(many)
    assert "... and 30 more" in text
    assert "10 errors, 40 warnings" in text
    assert all(f"e{n}" in text for n in range(1, 11))
    assert "more" not in diagnostic_text.render(many, limit=None)


def test_nothing_is_empty():
    assert diagnostic_text.render(()) == ""


@pytest.mark.parametrize("column", [1, 3, 99])
def test_a_hostile_source_stays_text(column):
    hostile = "\x1b[2J\u202e\x9b1m"
    found = at(1, column, column + 3, file=f"{hostile}.ncl", summary=hostile, detail=hostile, related=(Related(hostile, (hostile,)),))
    text = diagnostic_text.render([found], {f"{hostile}.ncl": [f"a{hostile}b"]})
    assert all(char.isprintable() or char == "\n" for char in text)


def test_terraforms_document():
    document = diagnostic_json.render(SOME)
    assert (document["valid"], document["error_count"], document["warning_count"]) == (False, 5, 2)
    first = document["diagnostics"][1]
    assert first["severity"] == "error"
    assert first["summary"] == 'unknown param "runing"'
    assert first["range"] == {"filename": "main.ncl", "start": {"line": 3, "column": 3}, "end": {"line": 3, "column": 9}}
    assert diagnostic_json.render([warning("x", "y")])["valid"] is True
    json.dumps(document)


def test_github_annotations():
    text = diagnostic_json.github([at(3, 3, 9, file="a,b:c.ncl", summary="50% of it", detail="one\ntwo::error::x"), warning("x", "odd")])
    assert text.splitlines() == [
        "::error file=a%2Cb%3Ac.ncl,line=3,col=3,endLine=3,endColumn=9,title=50%25 of it::one%0Atwo::error::x",
        "::warning title=odd::odd",
    ]


def test_the_schema_of_sarif_bites(tmp_path):
    document = diagnostic_json.sarif(SOME, "0.1.0")
    document["runs"][0]["results"][0]["level"] = "fatal"
    del document["runs"][0]["tool"]
    assert len(sarif_schema.problems(document, tmp_path)) == 2


def test_sarif(golden, tmp_path):
    document = diagnostic_json.sarif(SOME, "0.1.0")
    assert sarif_schema.problems(document, tmp_path) == []
    golden("render/diagnostics.sarif", json.dumps(document, indent=2, sort_keys=True) + "\n")
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert all(result["level"] in {"error", "warning"} for result in run["results"])
    assert all(result["message"]["text"] for result in run["results"])


def test_gitlab_code_quality():
    found = [at(3, 3, 9, file="a.ncl", summary="wrong"), at(7, 3, 9, file="a.ncl", summary="wrong"), warning("x", "odd\x1b", "because")]
    report = diagnostic_json.gitlab(found)
    assert [(one["check_name"], one["severity"], one["location"]) for one in report] == [
        (found[0].code, "major", {"path": "a.ncl", "lines": {"begin": 3}}),
        (found[0].code, "major", {"path": "a.ncl", "lines": {"begin": 7}}),
        ("x", "minor", {"path": ".", "lines": {"begin": 1}}),
    ]
    assert report[2]["description"] == "odd\\x1b. because"
    prints = [one["fingerprint"] for one in report]
    assert len(set(prints)) == 3
    moved = diagnostic_json.gitlab([msgspec.structs.replace(found[0], span=msgspec.structs.replace(found[0].span, line=5))])
    assert moved[0]["fingerprint"] == prints[0], "a mistake that has moved is the same mistake"
