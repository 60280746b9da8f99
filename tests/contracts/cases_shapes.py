"""Good and bad values of shapes.ncl and make.ncl."""

from case_values import Nickel, bad, cases

SHAPES = {
    'shapes.OneOf ["dev", "prod"]': cases(
        ["dev", Nickel("'prod")],
        ("pord", 'expected one of dev, prod, got "pord"'),
        (Nickel("'test"), "got 'test"),
        *bad("expected one of dev, prod, got", "", 1, None, [], Nickel("'dev 1")),
    ),
    "shapes.Maybe Number": cases([3, None], ("3", ""), ([], "")),
    "shapes.OneOrMore String": cases(["a", ["a", "b"], []], (3, ""), (None, "")),
    "shapes.Filled String": cases([["a"]], ([], "expected a list that is not empty, got an empty list"), ("a", "")),
    "shapes.NonEmpty": cases(
        ["a", [1], {"a": 1}],
        ([], "something that is not empty, got an empty list"),
        ({}, "an empty record"),
        ("", "got"),
        (None, "got null"),
        (0, "got 0"),
    ),
    "shapes.Unique": cases(
        [["a", "b"], [], [1, "1"], [{"a": 1}, {"a": 2}]],
        (["a", "b", "a"], 'expected a list without repetitions, got a list: "a" stands there twice'),
        ([{"a": 1, "b": 2}, 3, {"b": 2, "a": 1}], "stands there twice"),
        *bad("expected a list without repetitions", "a", {}, None),
    ),
    'shapes.UniqueBy "port"': cases(
        [[{"port": 80}, {"port": 81}], []],
        ([{"port": 80}, {"port": 80}], "expected a list of records with different values of port, got a list: 80 stands there twice"),
        (80, "got 80"),
    ),
    'shapes.SubsetOf ["a", "b"]': cases(
        [["b"], ["a", "b"], []],
        (["c"], 'expected a list of some of a, b, got a list: "c" is none of them'),
        (["a", "a"], "a stands there twice"),
        *bad("", [3], "a", None),
    ),
    "shapes.AtLeast 2": cases([["a", "b"]], *bad("expected a list of at least 2 elements, got", ["a"], [], "ab")),
    "shapes.AtMost 2": cases([["a", "b"], []], *bad("expected a list of at most 2 elements, got", ["a", "b", "c"], "ab")),
    'shapes.ExactlyOne ["content", "source"]': cases(
        [{"content": "x"}, {"source": "x", "mode": 1}],
        ({"content": "x", "source": "y"}, "expected a record with exactly one of content, source, got a record: it has content and source"),
        ({"mode": 1}, "it has none of them"),
        ([], "got an empty list"),
    ),
    'shapes.AtMostOne ["content", "source"]': cases(
        [{}, {"content": "x"}], ({"content": "x", "source": "y"}, "it has content and source"), ("", "expected a record")
    ),
    'shapes.Together ["user", "password"]': cases(
        [{}, {"user": 1, "password": 2}], ({"user": 1}, "or none of them, got a record: it has only user"), ("", "expected a record")
    ),
}

MAKE = {
    'make.Expect "an even number" (fun v => std.is_number v && v % 2 == 0)': cases(
        [2], (3, "expected an even number, got 3"), (["a"], "got a list")
    ),
    'make.ExpectHidden "a token" (fun v => v == "t")': cases(
        ["t"], ("secret", "expected a token, got a text of 6 characters"), (7, "got a number"), (True, "got true or false")
    ),
    'make.Explain "a small number" (fun v => if v == 1 then null else if v == 2 then "two is company" else "")': cases(
        [1], (2, "expected a small number, got 2: two is company"), (3, "expected a small number, got 3")
    ),
    'make.Matching "a" "^a$"': cases(
        ["a"],
        ("b" * 61, f'expected a, got "{"b" * 59}...'),
        ("\n", 'expected a, got "\\n"'),
        ("x postgres://u:p@h/", "x postgres://***@h/"),
        ({"a": 1}, "got a record"),
        (Nickel("'a"), "got 'a"),
        (Nickel("'a 1"), "got an enum tag with a value"),
        (Nickel("fun x => x"), "got a function"),
        (1.5, "got 1.5"),
        (True, "got true"),
    ),
    'make.MatchingUpTo 2 "a" "^a+$"': cases(["aa"], ("aaa", 'expected a, got "aaa"'), ("b", "expected a")),
    'make.Between "a" null 3': cases([3, -100], (4, "expected a, got 4")),
}
