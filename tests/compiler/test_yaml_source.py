"""YAML, JSON and TOML: what a scalar means, what is refused, and where everything stands."""

import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from g8r.compiler import plain_source, yaml_source
from g8r.diagnostics import RejectedError


def load(text):
    return yaml_source.load(text if isinstance(text, bytes) else text.encode(), "x.yaml")


def value(text):
    return load(text)[0]


def refused(text, loader=load):
    with pytest.raises(RejectedError) as caught:
        loader(text)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code, (diagnostic.span.line, diagnostic.span.column), diagnostic.summary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("Off", "Off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("0644", 644),
        ("0o644", 420),
        ("0x1F", 31),
        ("+12", 12),
        ("-3", -3),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2030-12-31", "2030-12-31"),
        ("1.5", 1.5),
        ("4.0", 4),
        ("1e3", 1000),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        ("'0644'", "0644"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!int '3'", 3),
        ("! 1", "1"),
        ("=", "="),
    ],
)
def test_scalars_of_the_core_schema(text, expected):
    found = value(f"a: {text}")["a"]
    assert (found, type(found)) == (expected, type(expected))


def test_keys_are_their_text():
    assert value("on: 1\n80: 2\ntrue: 3\n") == {"on": 1, "80": 2, "true": 3}


def test_merge_keys():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, x: 3}\nd: {<<: [*b, *a]}\ne: {y: 9, <<: {y: 1, w: 1}}\n'<<': 1\n"
    found = value(text)
    assert found["c"] == {"x": 3, "y": 1}
    assert found["d"] == {"y": 2, "z": 2, "x": 1}
    assert found["e"] == {"y": 9, "w": 1}
    assert found["<<"] == 1, "in quotes it is a key like any other"


def test_anchors():
    assert value("a: &x [1, {b: 2}]\nc: *x\nd: &y text\ne: *y\n") == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "text", "e": "text"}


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", (3, 1)),
        ("a: {b: 1, b: 2}\n", "duplicate-key", (1, 11)),
        ("a: *x\n", "unknown-anchor", (1, 4)),
        ("a: &x {b: *x}\n", "alias-bomb", (1, 11)),
        ("a: !foo 1\n", "unknown-tag", (1, 4)),
        ("a: !!python/object:os.system {}\n", "unknown-tag", (1, 4)),
        ("a: !!int x\n", "invalid-yaml", (1, 4)),
        ("? [a]\n: 1\n", "invalid-key", (1, 3)),
        ("a: &x 1\n? *x\n: 1\n", "invalid-key", (2, 3)),
        ("a: {<<: 3}\n", "invalid-merge", (1, 9)),
        ("a: .inf\n", "invalid-yaml", (1, 4)),
        ("a: 1e999\n", "invalid-yaml", (1, 4)),
        ("a: 1\n---\nb: 2\n", "invalid-yaml", (2, 1)),
        ("a:\n\t- b\n", "invalid-yaml", (2, 1)),
        ("a: [1, 2\nb: 3\n", "invalid-yaml", (2, 2)),
        ("a: 'x\n", "invalid-yaml", (2, 1)),
        ("a: " + "[" * 200, "too-deep", (1, 103)),
        (b"a: \xff\xfe", "invalid-yaml", (1, 1)),
    ],
)
def test_what_is_refused(text, code, at):
    assert refused(text)[:2] == (code, at)


def test_an_alias_bomb_is_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    code, (line, _), summary = refused("\n".join(lines))
    assert (code, line) == ("alias-bomb", 6)
    assert "1,000,000" in summary


def test_a_bracket_bomb_does_not_harm_the_process():
    assert refused("[" * 1_000_000)[0] == "too-deep"


def test_an_empty_source_is_null():
    assert value("# nothing\n") is None


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc<é -", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(PLAIN)
def test_what_pyyaml_writes_is_read_back(written):
    text = yaml.safe_dump({"v": written}, allow_unicode=True, default_style='"')  # plain, it would write by YAML 1.1
    assert value(text) == {"v": written}


@given(PLAIN)
def test_json_is_read_as_json_reads_it_and_every_place_is_where_it_stands(written):
    text = json.dumps({"v": written}, indent=2, ensure_ascii=False)
    found, positions = plain_source.load_json(text.encode(), "x.json")
    assert found == json.loads(text)
    lines = text.splitlines()
    for path, leaf in leaves(found):
        span = positions.find(path).value
        assert lines[span.line - 1][span.column - 1 :].startswith(json.dumps(leaf, ensure_ascii=False))


def leaves(value, at=()):
    match value:
        case dict():
            for key, part in value.items():
                yield from leaves(part, (*at, key))
        case list():
            for index, part in enumerate(value):
                yield from leaves(part, (*at, index))
        case _:
            yield at, value


# ---- places ----

STACK = """\
base: &base
  mode: "0644"
tasks:
  file:
    conf:
      <<: *base
      path: /etc/x
      needs:
        - file.a
        - file.b
    flow: {path: /a, "on": web}
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("tasks", "file", "conf", "path"), (7, 13), (7, 7)),
        (("tasks", "file", "conf", "mode"), (2, 9), (2, 3)),
        (("tasks", "file", "conf"), (5, 5), (5, 5)),
        (("tasks", "file", "conf", "needs", 1), (10, 11), None),
        (("tasks", "file", "flow"), (11, 11), (11, 5)),
        (("tasks", "file", "flow", "on"), (11, 28), (11, 22)),
        (("tasks", "file", "none"), None, None),
        (("tasks", "file", "conf", "needs", 2), None, None),
    ],
)
def test_places_in_yaml(path, value, key):
    place = load(STACK)[1].find(path)
    if value is None:
        assert place is None
        return
    assert (place.value.line, place.value.column) == value
    assert (place.key and (place.key.line, place.key.column)) == key


TOML = """\
name = "s"            # [not.a.table]
vars.text = \"\"\"
[tasks.file.fake]
path = "/fake"
\"\"\"
vars.list = [
  1, # ]
  2,
]

[tasks.file.a]
path = "/a"
"needs" = ["file.b"]
on.role = 'web'

[[vars.many]]
x = 1
[[vars.many]]
x = 2
"""


@pytest.mark.parametrize(
    ("path", "at"),
    [
        (("name",), (1, 8)),
        (("vars", "text"), (2, 13)),
        (("vars", "list"), (6, 13)),
        (("tasks", "file", "a"), (11, 1)),
        (("tasks", "file", "a", "path"), (12, 8)),
        (("tasks", "file", "a", "needs"), (13, 11)),
        (("tasks", "file", "a", "on", "role"), (14, 11)),
        (("vars", "many", 1, "x"), (19, 5)),
        (("tasks", "file", "fake"), None),
    ],
)
def test_places_in_toml(path, at):
    found, positions = plain_source.load_toml(TOML.encode(), "x.toml")
    assert found == tomllib.loads(TOML)
    place = positions.find(path)
    assert (place and (place.value.line, place.value.column)) == at


def test_dates_in_toml_are_text():
    assert plain_source.load_toml(b"a = 2030-12-31\nb = 10:00:00\n", "x.toml")[0] == {"a": "2030-12-31", "b": "10:00:00"}


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ('{"a": 1,\n "a": 2}', "duplicate-key", (2, 2)),
        ('{"b": {"a": 1}, "c": {"a": 1,\n "a": 2}}', "duplicate-key", (2, 2)),
        ('{"a": 1,\n}', "invalid-json", (2, 1)),
        ('{"a": NaN}', "invalid-json", (1, 1)),
        ('{"a": 1e999}', "invalid-json", (1, 1)),
        ("// no\n{}", "invalid-json", (1, 1)),
        ("[" * 100_000, "invalid-json", (1, 1)),
    ],
)
def test_what_is_no_json(text, code, at):
    assert refused(text.encode(), lambda source: plain_source.load_json(source, "x.json"))[:2] == (code, at)


@pytest.mark.parametrize(
    ("text", "at"),
    [(b"a = 1\na = 2\n", (2, 6)), (b"a = 1\nb\n", (2, 2)), (b"a = [1,\n", (2, 1)), (b"a = nan\n", (1, 1)), (b"\n\xff", (2, 1))],
)
def test_what_is_no_toml(text, at):
    code, place, _ = refused(text, lambda source: plain_source.load_toml(source, "x.toml"))
    assert (code, place) == ("invalid-toml", at)
