"""The imports of a Nickel source by its text, held against Nickel itself."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from g8r.compiler import evaluator, imports
from g8r.compiler.evaluator import Limits, Reported

FOUND = {
    "plain": ('import "a"', ["a"]),
    "no space, and a comment with one": ('let x = import"a"in x # import "b"', ["a"]),
    "a comment and lines between": ('import # "x"\n# import "y"\n\t\r\n "a"', ["a"]),
    "behind a number": ('[1]@[import "a"] == 1import "b"', ["a", "b"]),
    "behind a sharp in a string": ('"# %" ++ import "a"', ["a"]),
    "behind a quote in a string": ('"\\"" ++ import "a"', ["a"]),
    "behind a quoted tag": ('\'"# \\" " == import "a"', ["a"]),
    "behind a name with a quote": ("let a' = 1 in a' + import \"a\"", ["a"]),
    "in a string": ('"import \\"a\\""', []),
    "interpolated": ('"x %{ {a = "}"}.a ++ import "a" } %%{import "b"}"', ["a", "b"]),
    "interpolated in what is interpolated": ('"%{"%{import "a"}"}"', ["a"]),
    "in a multi-line string": ('m%"import "a" %{import "b"}"%', ["b"]),
    "in one with two signs": ('m%%"%{import "a"} %%%{import "b"} "% "%%', ["b"]),
    "in one, behind a quote": ('m%""%{import "a"}"%', ["a"]),
    "behind one": ('m%" " "% ++ import "a"', ["a"]),
    "in a symbolic one": ('x-s%"import "a" %{import "b"}"% import "c"', ["b", "c"]),
    "behind what ends like the start of one": ('am%"import b"+ import "c"', ["c"]),
    "with escapes": ('import "\\u{2f}e\\x74c\\\\\\"\\n"', ['/etc\\"\n']),
    "with a percent sign": ('import "50%"', ["50%"]),
    "part of a name": ('import-a "x" + _import "y" + an_import "z" + \'import', []),
    "of a package": ("import foo", [None]),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found(case):
    text, names = FOUND[case]
    scan = imports.scan(text)
    assert [found.name for found in scan.imports] == names
    assert scan.unsure_at is None


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('import "a.ncl"', "Nickel"),
        ('import "a"', "Nickel"),
        ('import "a.yml"', "Yaml"),
        ('import "a.JSON"', "Nickel"),
        ('import "a.txt/b"', "Nickel"),
        ('import "a/.txt"', "Nickel"),
        ('import "a.txt."', "Nickel"),
        ('import "a.ncl" as \'Text', "Text"),
        ('import "a.txt" # x\nas # y\n\'"Nickel"', "Nickel"),
        ('import "a.ncl" as1', "Nickel"),
    ],
)
def test_how_it_is_read(text, form):
    assert imports.scan(text).imports[0].form == form


def test_where_it_stands():
    (found,) = imports.scan('{ a = "é",\n  b = import\n    "\\x61.ncl" }').imports
    assert (found.name, found.line, found.column, found.end_column) == ("a.ncl", 3, 5, 15)


@pytest.mark.parametrize(
    ("text", "at"),
    [('\nimport "a%{b}"', (2, 10)), ('import m%"a"%', (1, 8)), ('import "\\q"', (1, 9)), ('import ("a")', (1, 8)), ("€ import", (1, 1))],
)
def test_what_a_newer_nickel_might_read_is_told(text, at):
    scan = imports.scan(text)
    assert scan.imports == ()
    assert scan.unsure_at == at


def test_what_no_nickel_parses_ends_it():
    assert imports.scan('import "a" } import "b"') == imports.scan('import "a"')
    assert imports.scan('m%"a"%% + import "b"').imports == ()


def test_a_text_without_the_word_is_not_read():
    assert imports.scan("€ \x00") == imports.Scan(())
    assert imports.scan('import "a" €').unsure_at is None, "only as far as the last import"


# ---- against Nickel ----

PIECES = st.sampled_from(
    [
        'import "%s.ncl"', '"', "'\"", 'm%%"', '"%%', '"%%%%', 'm%%%%"', 'x-s%%"', "%%{", "%%%%{", "{", "}", "#", "\n", " ", "import", "a",
        "'", "1", "0x", "\\", '\\"',
        "%%", "-", "_", "+", "(", ")", "as 'Text", '{ a = import "%s.ncl" }', '"%%{import "%s.ncl"}"', 'm%%"%%{import "%s.ncl"}"%%', "++",
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def child():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        made = evaluator.start(Limits())
        yield made
        made.close()


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=12))
@example(['"', "%%{", 'import "%s.ncl"', "}", '"'])
def test_nickel_imports_nothing_that_was_not_found(child, pieces):
    text = "".join(piece.replace("%s", f"n{index}") if "%s" in piece else piece.replace("%%", "%") for index, piece in enumerate(pieces))
    text = text.replace("%%", "%")
    answer = child.evaluate(text)
    report = re.sub(r"\x1b\[[0-9;]*m", "", answer.report) if isinstance(answer, Reported) else ""
    tried = re.match(r"error: import of (\S+) failed", report)
    scan = imports.scan(text)
    names = [found.name for found in scan.imports]
    if tried:
        assert tried[1] in names or scan.unsure_at is not None
    if not isinstance(answer, Reported):
        assert names == [], "it was evaluated whole, without a file that it imports"
