"""Stacks in Nickel for the law of the scan: where it says a place, the evaluator says the same one."""

from hypothesis import strategies as st

LETS = """let x = 3 in
let common = { mode = "06}44" } in # } in {
let site = fun n => { path = "/%{n}{" } in
let Any = std.contract.custom (fun _label value => 'Ok value) in
let Other = std.contract.custom (fun _label value => 'Ok (if std.is_record value then std.record.map (fun _k v => v) value else 7)) in
let Forced = { a | force = 99, .. } in
let y = let z = 1, w = { b = 2 } in z + w.b in
"""

EXPRESSIONS = (
    LETS
    + r"""{
  scalars = { n = null, t = true, tag = 'Foo, quoted = '"b } c", neg = -5, hex = 0x1F, half = .5, big = 1.5e3, text = "a\"{" },
  lets = { one = let q = 1, r = 2 in { a = q, b = r }, two = let q = "in" in q, },
  choices = { cond = if true then { a = 1 } else { a = 2 }, conj = true && false, disj = (false || true), paren = ((true && false)) },
  calls = { call = site "a", infix = 1 + 2, cat = "a" ++ "b", at = [1] @ [2], pipe = 3 |> std.to_string, access = common.mode },
  merge = common & { path = 1 },
  chosen = { a = 1 }.a,
  strings = {
    code = "a %{ { v = "}" }.v } {",
    percent = "100%%{"x"}",
    long = m%"
      "%%{"code"} { m%
    "%,
    longer = m%%"a "% %{ %%{"b"} "%%,
    symbolic = anything-s%"a %{"b"}"%,
    last = "z",
  },
  parens = ({ a = 1, b = (2), c = ([3, (x)]) }),
  annotated = { a = 1, b = [1] } | { a | Number, .. },
  typed : { a : Number, b : Array Number } = { a = 1, b = [1, 2] },
  dict | { _ | Dyn } = { a = 1, b = { c = 1 } },
  open | doc "a } [" | { .. } = { a = 1, b = { c = 1 } },
  documented | doc m%"a { "% | { .. } | default = { a = 1 },
  any | Any = { a = 1 },
  other | Other = { a = 1, b = [1] },
  forced | Forced = { a = 1, b = 2 },
  defaults | { a | default = 5, b | Number, .. } = { b = 4 },
  leaf | Other | Number = 5,
  inner = { deep | Other = { a = { b = 1 } }, side = { b = 1 } } | { .. },
  a.b.c = 1,
  "x y"."z w".c = { z = 1 },
  p.q.a = 1,
  p.q.b = { c = 2 },
  p.r = { x = 1 },
  e = { x = 1, s = { u = 1 } },
  e = { y = 2, s = { v = 1 } },
  g | { .. } = { x = 1 },
  g.y = 2,
  declared | String,
  declared = "a",
  only.declared | optional,
  prior | default = { x = 1 },
  prior.y = 2,
  twice = 3,
  twice = 3,
  mixed = { x = 1 } & { y = 2 },
  mixed.z = 3,
  optional = 3,
  included = { include x, z = 1 },
  list = ['A, "s", "i%{"x"}", null, -5, (5), 0x10, m%"
    abc"%, [], {}, { "%{"q"}" = 1 }, { include x }, {a.b = 1}, {a.b = 1, a.c = 2}, 1 | Number, {a = 1} | {..}, [[1, { k = 2 }]],
    x, site "a", common & { b = 1 }, if true then 1 else 2, let q = 1, r = 2 in q, anything-s%"a"%, true && false, "last", "end" ],
  numbers : Array Number = [1, 2],
  others | Array Other = [1, { a = 1 }],
  dynamic = { "%{"q"}" = 1, z = { y = 1 } },
  escaped = { "a\"b" = { c = 1 }, d = 1 },
  inter = { "in%{"ter"}".b = { c = 1 }, x = 1 },
}
"""
)

IMPORTS = {
    "main.ncl": """{
  a = import "sub/x.ncl",
  b = (import "./sub/../sub/x.ncl"),
  c = import "link/x.ncl",
  d = [import "y.ncl", (import "sub/x.ncl")],
  data = import "j.json",
  e | { .. } = import "y.ncl",
  f = (import "fun.ncl") "z",
  g = (import "y.ncl") & { more = 1 },
  h | { p | force = 1, .. } = import "y.ncl",
  i = import "far.ncl",
  j = import "y.ncl",
  j.p.r = 1,
  nickel = import "odd.txt" as 'Nickel,
}
""",
    "sub/x.ncl": '# a file\nlet a = 1 in\n{ p = { q = a }, up = import "../y.ncl", arr = [1, { z = 2 }] } | { p | { .. }, .. }\n',
    "y.ncl": '{\r\n\tp = { "é" = "ü", q = 2 }, "ß" = 1, z = "é" }',
    "fun.ncl": "fun v => { x = v }",
    "odd.txt": "{ a = 1 }",
    "j.json": '{"a": {"b": 1}}',
    "paths/far.ncl": "{ a = [1, { b = 2 }] }",
}

_NAMES = ("a", "b", "c-d", "e'", "_f", "doc", "default", "or", "include", '"x y"', '"é{"', '"a.b"', '"#"')
_SCALARS = (
    "1", "-2", ".5", "0b11", "null", "true", "'Tag", "'\"a }\"", '"text"', '"}"', r'"\"{ \%{ }"', '"100%"', '"a %{ {v = "}"}.v } {"',
    '"%{"%{"deep {"}"}"', 'm%"} %{"{"} " "%', 'm%%"%{ "% }\n   %%{"{"}"%%', 's-s%"{"%', "x", "common", 'site "n"', "(1)", "((x))",
    "1 + x", "true && false", "(true || false)", "if x == 3 then 1 else 2", "let q = 1, r = {} in q", "common & { b = 1 }", "common.mode",
    "(if true then { a = 1 } else {})", "1 | Number", "x |> std.to_string", "[1] @ [2]", "!true",
)  # fmt: skip
_GAPS = (" ", " ", " ", "\n", "\t", "\r\n", '  # } , { = " %{ m%"\n', "\n# ß ' in let\n")
_LEAF_ANNOTATIONS = ("| default", "| force", "| priority -1", '| doc "{ = ,"', "| Any", "| Other", '| doc m%"|"%| Dyn')
_ANNOTATIONS = ("| { .. }", "| { _ | Dyn }", '| doc "{ = ,"', "| default", "| Any", "| Other", "| Forced", '| { a | doc "=", .. }')
_TAILS = ("| { .. }", "| Any", "| Forced")


@st.composite
def stacks(draw):
    """A stack with lets before it, literals in literals, and whatever else may stand in between."""
    tail = draw(st.sampled_from(["", "", "", "| { .. }", "| Forced"]))
    end = draw(st.sampled_from(["", "\n# }", "  "]))
    return f"{LETS}{draw(_records(3))}{draw(st.sampled_from(_GAPS))}{tail}{end}"


@st.composite
def _records(draw, depth):
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4, unique=True))
    fields = [field for name in names for field in draw(_fields(name, depth))]
    gap = st.sampled_from(_GAPS)
    inside = ",".join(f"{draw(gap)}{field}{draw(gap)}" for field in draw(st.permutations(fields)))
    last = draw(st.sampled_from(["", ",", ", .."]))
    return f"{{{inside}{last}{draw(gap)}}}"


@st.composite
def _fields(draw, name, depth):
    """The definitions of one field: one, or two pieces of a record."""
    gap = st.sampled_from(_GAPS)
    form = draw(st.sampled_from(["leaf", "list", "record", "record", "path", "pieces"])) if depth else "leaf"
    annotation = draw(st.sampled_from(("", "", "", *(_LEAF_ANNOTATIONS if form in {"leaf", "list"} else _ANNOTATIONS))))
    before = f"{name}{draw(gap)}{annotation}{draw(gap)}={draw(gap)}"
    match form:
        case "leaf":
            return [before + draw(st.sampled_from(_SCALARS))]
        case "list":
            elements = st.one_of(st.sampled_from(_SCALARS), _records(depth - 1))
            return [before + "[" + ",".join(f"{draw(gap)}{element}" for element in draw(st.lists(elements, max_size=3))) + draw(gap) + "]"]
        case "record":
            return [before + draw(_records(depth - 1)) + draw(st.sampled_from(["", "", *_TAILS]))]
        case "path":
            inner = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=2, unique=True))
            return [f"{name}.{field}" for other in inner for field in draw(_fields(other, depth - 1))]
        case _:
            others = draw(st.lists(st.sampled_from(_NAMES), min_size=2, max_size=3, unique=True))
            whole = draw(_fields(others[0], depth - 1))
            pieces = [f"{name}.{field}" for other in others[1:] for field in draw(_fields(other, depth - 1))]
            return [before + "{" + ",".join(whole) + "}", *pieces]
