"""What the scan reads from Nickel text, and what it leaves to the evaluator. That it is right is for test_nickel_scan_agrees."""

import pytest

from g8r.compiler import reach
from g8r.compiler.nickel_scan import NickelPositions
from g8r.compiler.nickel_scan_tokens import closings, tokens


def kinds(text):
    closing = closings(text)
    found = None if closing is None else tokens(text, closing, 0, len(text))
    return None if found is None else found.kinds


@pytest.fixture
def places(tmp_path):
    """The places in a text, `line:column` by path; None for what is not certain."""

    def read(text, *paths):
        file = tmp_path / "main.ncl"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        positions = NickelPositions(file)
        found = [positions.find(tuple(int(part) if part.isdigit() else part for part in path.split("."))) for path in paths]
        return [place and f"{place.value.line}:{place.value.column}" for place in found]

    return read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = { b = [1, 2], }, c", "i={,i"),
        ("a-b' = _x'y.z", "i=i.i"),
        ("a -b -1 - 1", "ioio0o0"),
        ("1 1.5 .5 1e3 0x1F 0b1 0o7", "0000000"),
        ("'Tag '\"a } b\" 'a-b", "ttt"),
        ('"a" "" "\\"" "%" "a\\%{" "%%"', "ssssss"),
        ('"%{a}" "%%{ {b = "}"} }" "%{"%{"%{x}"}"}"', "SSS"),
        ('m%"a"% m%%"a "% b"%% m%""%', "MMM"),
        ('m%"%{m%"a"%}}"%, m%%"%{"%%, m%%"%%{"}"}"%%, m%"%%{a}"%', "S,M,S,S"),
        ('a-s%"}"% a-s%%"%%{"}"}"%%', "yy"),
        ('# a } " m%"\n a # {', "i"),
        ("a == b => c |> d || e && f | g", "ioioioicici|i"),
        ("let x = 1 in if a then b else c", "li=0ncicici"),
        ('| default | priority 1 | doc m%"}"% | force | not_exported', "|p|p0|kM|p|k"),
        ("%to_string% a % b", "oioi"),
        ("[| 'a, 'b |]", "o"),
        ("{ .. } ( ( ) ) ..", "{(e"),
    ],
)
def test_tokens(text, expected):
    assert kinds(text) == expected


@pytest.mark.parametrize("text", ["{", "}", "{ ] }", '"a', '"%{', 'm%"a"', 'm%"a"%%', 'x%"a"%', "\\", "é", "'", "{ ( } )"])
def test_no_nickel(text):
    assert kinds(text) is None


def test_what_is_certain(places):
    text = """# é
let x = { in_ = 1 } in
{ "é" = "ü", a = { b.c = [1, { d = x }] },   # }
\tm | String | doc "=" = m%"
  }"%, n = 1 } | { .. }"""
    paths = ["é", "a", "a.b", "a.b.c", "a.b.c.0", "a.b.c.1", "a.b.c.1.d", "m", "n"]
    assert places(text, *paths) == ["3:9", "3:18", "3:22", "3:26", "3:27", "3:30", "3:36", "4:25", "5:12"]


@pytest.mark.parametrize(
    "text",
    [
        "{ a = { b = 1 } } & {}",
        "f { a = { b = 1 } }",
        "({ a = { b = 1 } })",
        "if c then { a = { b = 1 } } else {}",
        'import "x.ncl"',
        "fun x => { a = { b = 1 } }",
        "{ a = { b = 1 } } | C",
        "{ a | C = { b = 1 } }",
        "{ a | { b | force = 2 } = { b = 1 } }",
        "{ a = { b = 1 } & {} }",
        "{ a = { b = 1 }, a.b = 2 }",
        "{ a = { b = 1 }, a | default = { c = 1 } }",
        "{ a = { b = 1 }, a = c }",
        '{ a = { b = 1, "%{c}" = 1 } }',
        "{ a = { b = 1, include c } }",
        "{ a = { b = 1; c } }",
        "{ a = x, b = 1 }",
        "{ a = let b = 1, b = 2 in { b = 1 } }",
        "{ a = { b = true && false } }",
        "{ a = { b = 1 }",
        b"{ a = { b = '\xff' } }",
    ],
)
def test_what_is_not_certain(places, text):
    assert places(text, "a.b") == [None]


def test_places_beside_what_is_not_certain_are(places):
    text = "{ a | C = { b = 1 }, c = f x, d = (if e then 1 else 2), g = { h = 1 } }"
    assert places(text, "a", "a.b", "c", "d", "g.h") == ["1:11", None, "1:26", None, "1:67"]


def test_keys(tmp_path):
    file = tmp_path / "main.ncl"
    file.write_text('{ a.b = 1, "c d" | String\n = "x", e = [{ f = 1 }] }')
    positions = NickelPositions(file)
    found = [positions.find(path).key for path in [("a", "b"), ("a",), ("c d",), ("e", 0, "f")]]
    assert [(key.line, key.column) for key in found] == [(1, 5), (1, 3), (1, 13), (2, 16)]
    assert positions.find(("e", 0)).key is None


def test_a_record_in_pieces(places, tmp_path):
    text = "{ a = { b = 1, c.d = 1 }, a.c.e = 2, a.f = 3 }"
    assert places(text, "a", "a.b", "a.c", "a.c.d", "a.c.e", "a.f") == [None, "1:13", None, "1:22", "1:35", "1:44"]
    positions = NickelPositions(tmp_path / "main.ncl")
    assert [path for path in [(), ("a",), ("a", "b"), ("a", "c"), ("a", "f")] if positions.merged(path)] == [("a",), ("a", "c")]


def test_imports(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "main.ncl").write_text('{ a = import "b.ncl", c = import "no.ncl", d = import "e.json", f = import "main.ncl" }')
    (tmp_path / "more" / "b.ncl").write_text('{ x = 1, up = import "main.ncl" }')
    positions = NickelPositions(tmp_path / "main.ncl", [tmp_path / "more"])
    assert str(positions.find(("a", "x")).value) == f"{tmp_path}/more/b.ncl:1:7"
    assert str(positions.find(("f", "f", "f", "a", "x")).value) == f"{tmp_path}/more/b.ncl:1:7"
    assert [positions.find(path) for path in [("a", "up", "a"), ("c", "x"), ("d", "x")]] == [None] * 3


def test_what_may_not_be_read_is_not_read(tmp_path):
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "main.ncl").write_text('{ a = import "../b.ncl", c = import "link.ncl", d = import "e.ncl", f = import "g.ncl" }')
    for name in ("b.ncl", "stack/e.ncl"):
        (tmp_path / name).write_text("{ x = 1 }")
    (tmp_path / "stack" / "link.ncl").symlink_to(tmp_path / "b.ncl")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "g.ncl").write_text("{ x = 1 }")
    places = reach.of(tmp_path / "stack" / "main.ncl", tmp_path / "stack", [tmp_path / "shipped"])
    shipped = tmp_path / "shipped"
    positions = NickelPositions(tmp_path / "stack" / "main.ncl", [shipped], shipped, places.holds)
    assert [name for name in "acdf" if positions.find((name, "x")) is not None] == ["d"]


def test_nothing_is_read_where_no_place_is_asked_for(tmp_path):
    positions = NickelPositions(tmp_path / "main.ncl")
    (tmp_path / "main.ncl").write_text("{ a = 1 }")
    assert positions.find(("a",)) is not None


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "{ a = " * 100_000 + "1" + " }" * 100_000,
        "{ a = " + "(" * 100_000 + "1" + ")" * 100_000 + " }",
        "{ a = " + "[" * 100_000 + "]" * 100_000 + " }",
        '{ a = "' + '%{"' * 50_000 + '"}' * 50_000 + '" }',
        "{ a = " + "let x = 1, y = 2 in " * 50_000 + "1 }",
        "let x = " * 100_000 + "1" + " in 1" * 99_999 + " in { a = 1 }",
        '{ a = m%"' + "%" * 300_000 + '"% }',
        '{ a = "' + "%" * 300_000 + '" }',
        "{ " + ", ".join(f"a.b{n} = {{}}, a.b{n}.c = 1" for n in range(20_000)) + " }",
        "{ a" + " | Number" * 100_000 + " = 1 }",
        "{ a = x" + "-s" * 150_000 + " }",
        "{ a = " + '"x%{y}" ++ ' * 30_000 + "1 }",
        "#" * 300_000 + "\n{ a = 1 }",
    ],
    ids=[
        "records",
        "brackets",
        "arrays",
        "strings",
        "lets",
        "let in let",
        "percents",
        "percents in a string",
        "pieces",
        "annotations",
        "word",
        "code",
        "comment",
    ],
)
def test_large_texts_in_time_and_without_recursion(places, text):
    """Each takes a fraction of a second; what grew with the square of the text would take minutes."""
    (found,) = places(text, "a")
    assert (found is None) == ("a.b0" in text)


def test_deep_paths(tmp_path):
    file = tmp_path / "main.ncl"
    file.write_text("{ a = " * 2000 + "1" + " }" * 2000)
    assert NickelPositions(file).find(("a",) * 2000).value.column == 6 * 2000 + 1
