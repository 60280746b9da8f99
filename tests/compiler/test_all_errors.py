"""All mistakes of a stack in one go, of whatever sort, each once; and none that only follows from another."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from g8r.compiler import evaluate
from g8r.compiler.compile import compile_stack
from g8r.compiler.decode import decode
from g8r.compiler.sources import SourceError, folder_reader
from g8r.diagnostics import DocumentPath, path_text

A = {"path": "/a", "content": "x"}
WEB = {"web1": {"labels": {"role": "web"}}, "web2": {"labels": {"role": "web"}}, "db1": {"labels": {"role": "db"}}}


def site(tasks, **more):
    return {"name": "site", "hosts": WEB, "tasks": tasks, **more}


CASES = {
    "one of each": (
        {
            "name": "site",
            "hosts": {"web1": {"connection": "fake", "labels": {"role": "web"}}},
            "tasks": {
                "file": {
                    "conf": {"on": "web9", "path": "etc/x", "contnt": "x", "mode": 644},
                    "c": {"path": "/etc/c", "content": "@{file.nope.checksum}"},
                },
                "service": {"nginx": {"on": {"role": "web"}, "runing": True, "reload_on": ["file.conff"]}},
                "fil": {"b": {}},
            },
        },
        [
            "unknown-host tasks.file.conf.on",
            "wrong-value tasks.file.conf.path",
            "unknown-param tasks.file.conf.contnt",
            "wrong-type tasks.file.conf.mode",
            "unknown-param tasks.service.nginx.runing",
            "unknown-task tasks.service.nginx.reload_on[0]",
            "unknown-kind tasks.fil",
            "unknown-task tasks.file.c.content",
        ],
    ),
    "references to what is broken, or misspelt where it is declared": (
        site(
            {
                "fil": {"a": A},
                "file": {
                    "b": 3,
                    "c": {"path": 7},
                    "d": {**A, "content": "@{fil.a.any} @{file.a.checksum} @{file.b.checksum} @{file.c.checksum}"},
                    "e": {"path": "/e", "needs": ["fil.a", "file.a", "file.b", "web1/file.c"], "moved_from": "file.b"},
                },
                "service": {"x": {"reload_on": ["file.b", "file.a"]}},
            },
            outputs={"a": "@{file.a.checksum}", "b": "@{file.b.checksum}", "c": "@{web2/file.b.checksum} @{[role=web]/fil.a.x}"},
        ),
        ["unknown-kind tasks.fil", "wrong-type tasks.file.b", "wrong-type tasks.file.c.path"],
    ),
    "what is wrong with a reference to what is broken": (
        site({"file": {"a": {**A, "mode": 1}, "b": {**A, "path": "/b", "content": "@{file.a.nope}"}}}),
        ["wrong-type tasks.file.a.mode", "unknown-output tasks.file.b.content"],
    ),
    "a kind that is no record": (
        site({"file": 3, "service": {"a": {"needs": ["file.x"], "reload_on": ["file.y"]}, "b": {"needs": ["service.c"]}}}),
        ["wrong-type tasks.file", "unknown-task tasks.service.b.needs[0]"],
    ),
    "no tasks to be read": (site(3, outputs={"a": "@{file.a.checksum}"}), ["wrong-type tasks"]),
    "tasks misspelt": (
        {"name": "s", "tsks": {"file": {"a": A}}, "outputs": {"a": "@{file.a.checksum}", "b": "@{vras.x}"}},
        ["unknown-key tsks", "invalid-reference outputs.b"],
    ),
    "hosts that are not known": (
        site(
            {
                "file": {
                    "a": {**A, "on": "web9"},
                    "b": {"path": "/b", "on": ["web1", "db9"], "content": "@{file.a.checksum}"},
                    "c": {"path": "/c", "needs": ["file.a", "file.b"], "content": "@{web2/file.b.checksum}"},
                    "d": {"path": "/d", "on": "role in (web", "needs": ["file.c"], "content": "@{host.vars.x}"},
                    "e": {"path": "/e", "on": "web1", "needs": ["file.d"], "content": "@{web8/file.a.checksum}"},
                }
            },
            outputs={"a": "@{file.a.checksum}", "d": "@{file.d.checksum}"},
        ),
        [
            "unknown-host tasks.file.a.on",
            "unknown-host tasks.file.b.on[1]",
            "invalid-selector tasks.file.d.on",
            "unknown-host tasks.file.e.content",
        ],
    ),
    "a task that is on no known host is looked at": (
        site(
            {
                "file": {
                    "a": {"path": "/a", "on": "web9", "content": "@{vars.nope}", "mode": "@{vars.mode}", "owner": "@{host.vars.owner}"},
                    "b": {"path": "/b", "on": [], "source": "nope"},
                    "c": {"path": "/c", "on": "web9", "content": "x", "ensure": "absent"},
                }
            },
            vars={"mode": "rwx"},
        ),
        [
            "unknown-host tasks.file.a.on",
            "unknown-value tasks.file.a.content",
            "wrong-type tasks.file.a.mode",
            "invalid-selector tasks.file.b.on",
            "source tasks.file.b.source",
            "unknown-host tasks.file.c.on",
            "invalid-params tasks.file.c.content",
        ],
    ),
    "hosts misspelt": (
        {
            "name": "s",
            "hots": WEB,
            "tasks": {
                "file": {
                    "a": {"path": "/a", "on": "web1", "content": "@{web2/host.address} @{host.vars.x}"},
                    "b": {"path": "/b", "on": {"role": "db"}, "content": "@{db1/file.a.checksum} @{[role=web]/file.a.checksum}"},
                    "c": {"path": "/a", "needs": ["web1/file.a"], "content": "@{host.vars.x}"},
                }
            },
            "vars": {"y": 1},
            "groups": {"web1": {"vars": {}}},
            "outputs": {"a": "@{file.c.checksum}", "b": "@{host.name}"},
        },
        ["unknown-key hots"],
    ),
    "vars misspelt": (
        site({"file": {"a": {**A, "content": "@{vars.x}"}}}, vrs={"x": "x"}, groups={"web1": {"vars": {"y": 1}}}),
        ["unknown-key vrs"],
    ),
    "groups misspelt": (
        site({"file": {"a": {**A, "content": "@{host.vars.x} @{vars.x}"}}}, grops={"*": {"vars": {"x": 1}}}, vars={"y": 1}),
        ["unknown-key grops", "unknown-value tasks.file.a.content"],
    ),
    "vars of a host misspelt": (
        site(
            {"file": {"a": {**A, "on": "db1", "content": "@{host.vars.x}"}, "b": {"path": "/b", "content": "@{web1/host.vars.x}"}}},
            hosts={**WEB, "db1": {"vras": {"x": 1}}},
        ),
        ["unknown-key hosts.db1.vras", "unknown-value tasks.file.b.content"],
    ),
    "labels that are wrong": (
        site(
            {
                "file": {
                    "a": {"path": "/a", "on": "role=web", "content": "@{file.b.checksum}", "needs": ["file.b"]},
                    "d": {"path": "/d", "on": "web*"},
                    "b": {
                        "path": "/b",
                        "on": "!gpu",
                        "needs": ["file.d"],
                        "content": "@{[role=web]/file.a.checksum} @{[role=x]/host.name}",
                    },
                    "c": {"path": "/c", "on": "role=cache", "content": "@{[gpu=yes]/host.name}"},
                }
            },
            hosts={**WEB, "db1": {"labels": {"gpu": 1}}},
        ),
        ["wrong-type hosts.db1.labels.gpu", "json-in-text tasks.file.b.content"],
    ),
    "a host of which something else is wrong": (
        site(
            {"file": {"a": {"path": "/a", "on": "role=web", "content": "@{host.vars.nope}", "needs": ["file.b"]}, "b": {"on": "db1"}}},
            hosts={**WEB, "web1": {"labels": {"role": "web"}, "connection": "shh"}, "WEB": {}},
        ),
        [
            "wrong-value hosts.web1.connection",
            "invalid-name hosts.WEB",
            "unknown-value tasks.file.a.content",
            "not-on-host tasks.file.a.needs[0]",
            "missing-param tasks.file.b",
        ],
    ),
    "vars that are no record": (
        site({"file": {"a": {**A, "content": "@{vars.x} @{host.vars.x}", "mode": "@{vars.y}", "moode": ""}}}, vars=[]),
        ["wrong-type vars", "unknown-param tasks.file.a.moode"],
    ),
    "vars of a group for nobody": (
        site({"file": {"a": {**A, "content": "@{host.vars.x} @{vars.x}"}}}, groups={"wbe1": {"vars": {"x": 1}}, "a in (b": {"vars": {}}}),
        ["unknown-host groups.wbe1", "invalid-selector groups.a in (b", "unknown-value tasks.file.a.content"],
    ),
    "vars that a group misspells, and a host": (
        site(
            {"service": {"a": {"port": "@{host.vars.port}", "on": "db1"}, "b": {"port": "@{web1/host.vars.prt}", "on": "db1"}}},
            groups={"role=db": {"vras": {"port": 80}}},
            hosts={**WEB, "db1": {"labels": {"role": "db"}, "vras": {}}},
            vars={"port": "none"},
        ),
        ["unknown-key groups.role=db.vras", "unknown-key hosts.db1.vras"],
    ),
    "inside a param that is wrong": (
        site({"command": {"a": {"argv": ["x", 3], "run": "once", "env": {"A": 1, "B": "@{file.nope.checksum}", "C": "@{vars.nope}"}}}}),
        [
            "wrong-type tasks.command.a.argv[1]",
            "wrong-type tasks.command.a.env.A",
            "unknown-task tasks.command.a.env.B",
            "unknown-value tasks.command.a.env.C",
        ],
    ),
    "inside a param that is not known": (
        site({"file": {"a": {**A, "contnt": "@{file.nope.checksum}", "x": ["@{"]}}}),
        ["unknown-param tasks.file.a.contnt", "unknown-param tasks.file.a.x"],
    ),
    "all that is wrong with one task": (
        site(
            {
                "file": {
                    "a": {
                        "path": "@{file.nope.path}",
                        "content": "@{vars.nope}",
                        "mode": "@{vars.mode}",
                        "owner": "@{",
                        "group": "@{host.nope}",
                        "needs": ["x", "file.nope", 3],
                        "timeout": "soon",
                    },
                    "b": {"path": "/b", "source": "@{file.nope.path}"},
                    "c": {"path": "/c", "source": "@{", "mode": "@{vars.mode}"},
                }
            },
            vars={"mode": "rwx"},
        ),
        [
            "must-be-known tasks.file.a.path",
            "unknown-value tasks.file.a.content",
            "wrong-type tasks.file.a.mode",
            "invalid-reference tasks.file.a.owner",
            "unknown-value tasks.file.a.group",
            "wrong-value tasks.file.a.needs[0]",
            "unknown-task tasks.file.a.needs[1]",
            "wrong-type tasks.file.a.needs[2]",
            "wrong-value tasks.file.a.timeout",
            "must-be-known tasks.file.b.source",
            "invalid-reference tasks.file.c.source",
            "wrong-type tasks.file.c.mode",
        ],
    ),
    "a task that is not known claims nothing and is judged by nobody": (
        site(
            {
                "file": {
                    "a": {**A, "ensur": "absent"},
                    "b": A,
                    "c": {"path": "/c", "ensure": "absent", "content": "x", "mode": 1},
                    "d": {"path": "/d", "contnt": "x", "source": "nope"},
                },
                "command": {"x": {"argv": ["x"], "run_on": "file.a"}, "y": {"argv": ["x"], "creats": "/y"}, "z": {"argv": ["x"]}},
            }
        ),
        [
            "unknown-param tasks.file.a.ensur",
            "wrong-type tasks.file.c.mode",
            "unknown-param tasks.file.d.contnt",
            "source tasks.file.d.source",
            "wrong-type tasks.command.x.run_on",
            "unknown-param tasks.command.y.creats",
            "invalid-params tasks.command.z",
        ],
    ),
    "a cycle of broken tasks, and none by what is broken": (
        site(
            {
                "file": {
                    "a": {**A, "mode": 1, "needs": ["file.b"]},
                    "b": {"path": "/b", "content": "@{file.a.checksum}", "moode": 1},
                    "c": {"path": "/c", "contents": "@{file.d.checksum}"},
                    "d": {"path": "/d", "needs": ["file.c"]},
                    "e": {"path": "/e", "needs": "file.f"},
                    "f": {"path": "/f", "needs": ["file.e"]},
                },
                "command": {
                    "a": {"argv": ["x"], "run": "once", "env": {"A": 1, "B": "@{command.b.stdout}"}},
                    "b": {"argv": ["x"], "run": "once", "needs": ["command.a"]},
                },
            }
        ),
        [
            "wrong-type tasks.file.a.mode",
            "unknown-param tasks.file.b.moode",
            "unknown-param tasks.file.c.contents",
            "wrong-type tasks.file.e.needs",
            "cycle tasks.file.b.content",
            "wrong-type tasks.command.a.env.A",
            "cycle tasks.command.b.needs[0]",
        ],
    ),
    "names": (
        {
            "tasks": {"user": {"no name": {"uid": "x"}}, "file": {".x": {"path": "/x", "content": "@{file.nope.checksum}"}}},
            "vars": {"a": 1},
        },
        [
            "missing-key ",
            "invalid-name tasks.user.no name",
            "wrong-type tasks.user.no name.uid",
            "invalid-name tasks.file..x",
            "unknown-task tasks.file..x.content",
        ],
    ),
}


class _Text:
    """How each language writes a document."""

    @staticmethod
    def nickel(document):
        return json.dumps(document).replace('":', '" =')

    @staticmethod
    def yaml(document):
        return yaml.safe_dump(document, sort_keys=False)


def told(compiled):
    return sorted(f"{one.code} {path_text(one.path)}" for one in compiled.diagnostics)


@pytest.mark.parametrize(("name", "write"), [("main.ncl", _Text.nickel), ("main.yaml", _Text.yaml)])
@pytest.mark.parametrize("case", CASES)
def test_all_mistakes_and_no_more(case, name, write, tmp_path, embedded):
    document, expected = CASES[case]
    source = tmp_path / name
    source.write_text(write(document))
    with evaluate.start(source) as pending:
        loaded = pending.finish()
        compiled = compile_stack(loaded.stack, {}, folder_reader(tmp_path), mistakes=loaded.diagnostics)
        assert told(compiled) == sorted(expected)
        assert compiled.graph.tasks == {}
        located = loaded.located(compiled.diagnostics)
        assert all(diagnostic.span for diagnostic in located)
        assert list(located) == sorted(located, key=lambda diagnostic: diagnostic.span)


def test_all_places_that_can_be_read_and_the_first_of_those_that_must_be_asked_for(tmp_path, embedded):
    tasks = {"file": {f"f{n:02}": {**A, "mode": 1} for n in range(15)}, "service": {f"s{n:02}": {"needs": ["file.no"]} for n in range(15)}}
    found = {}
    merged = "merged.ncl", lambda document: f"{_Text.nickel(document)} & {{}}"
    for name, write in (("main.ncl", _Text.nickel), ("main.yaml", _Text.yaml), merged):
        (tmp_path / name).write_text(write({"name": "s", "tasks": tasks}))
        with evaluate.start(tmp_path / name) as pending:
            loaded = pending.finish()
            compiled = compile_stack(loaded.stack, {}, folder_reader(tmp_path), mistakes=loaded.diagnostics)
            found[name] = [Path(one.span.file).name if one.span else None for one in loaded.located(compiled.diagnostics)]
    assert found == {
        "main.ncl": ["main.ncl"] * 30,
        "main.yaml": ["main.yaml"] * 30,
        "merged.ncl": ["merged.ncl"] * 20 + [None] * 10,
    }


def test_what_may_be_sensitive_is_not_shown():
    tasks = {"file": {"a": {**A, "mode": "@{vars.hidden}", "sensitive": ["mod"]}}}
    compiled = compiled_of({"name": "s", "vars": {"hidden": "hunter2"}, "tasks": tasks})
    assert told(compiled) == ["unknown-param tasks.file.a.sensitive[0]", "wrong-type tasks.file.a.mode"]
    assert "hunter2" not in str(compiled.diagnostics)


# ---- a right stack, broken in many places ----

FILES = [f"f{number}" for number in range(5)]
RIGHT = {
    "name": "site",
    "hosts": WEB,
    "vars": {"env": "dev", "word": "rwx"},
    "groups": {"role=web": {"vars": {"port": 81}}},
    "tasks": {
        "directory": {name: {"path": f"/var/{name}"} for name in FILES},
        "file": {
            **{name: {"path": f"/srv/{name}", "content": "@{vars.env}", "mode": "0644"} for name in FILES},
            **{f"of_{name}": {"path": f"/of/{name}", "content": f"@{{file.{name}.checksum}}", "needs": [f"file.{name}"]} for name in FILES},
        },
        "service": {"nginx": {"running": True, "reload_on": [f"file.{name}" for name in FILES]}},
        "command": {"x": {"argv": ["x"], "run_on": [f"file.{name}" for name in FILES]}},
    },
    "outputs": {name: f"@{{web1/file.{name}.checksum}}" for name in FILES},
}

ONE_WAY = {
    "misspelt": [("contnt", "x", "unknown-param"), ("runing", True, "unknown-param")],
    "mode": [("mode", 644, "wrong-type"), ("mode", "rwx", "wrong-value"), ("mode", "@{vars.word}", "wrong-type")],
    "on": [("on", "web9", "unknown-host"), ("on", "role in (web", "invalid-selector"), ("on", 3, "wrong-type")],
    "needs": [("needs", ["file.nope"], "unknown-task"), ("needs", ["web9/file.of_f0"], "unknown-host"), ("needs", [3], "wrong-type")],
    "content": [
        ("content", "@{service.nginx.nope}", "unknown-output"),
        ("content", "@{vars.nope}", "unknown-value"),
        ("content", "@{file.nope.checksum}", "unknown-task"),
        ("content", "@{}", "invalid-reference"),
    ],
}
"""Ways to break one task that have nothing to do with each other."""


@st.composite
def broken(draw):
    """A broken stack, and what is wrong with it."""
    document = copy.deepcopy(RIGHT)
    expected = []

    def mistake(code, *path: DocumentPath):
        expected.append(f"{code} {path_text(('tasks', *path))}")

    for name in draw(st.lists(st.sampled_from(FILES), unique=True)):
        record = document["tasks"]["file"][name]
        match draw(st.sampled_from(["many", "many", "no record", "same path", "cycle", "no source", "lost"])):
            case "no record":
                document["tasks"]["file"][name] = 3
                mistake("wrong-type", "file", name)
            case "same path":
                record["path"] = f"/var/{name}"
                mistake("claim-conflict", "file", name, "path")
            case "cycle":
                record["needs"] = [f"directory.{name}"]
                document["tasks"]["directory"][name]["needs"] = [f"file.{name}"]
                mistake("cycle", "file", name, "needs", 0)
            case "no source":
                del record["content"]
                record["source"] = "nope"
                mistake("source", "file", name, "source")
            case "lost":
                document["tasks"].setdefault("fiel", {})[name] = document["tasks"]["file"].pop(name)
            case _:
                for way in sorted(draw(st.sets(st.sampled_from(sorted(ONE_WAY)), min_size=1))):
                    key, value, code = draw(st.sampled_from(ONE_WAY[way]))
                    record[key] = value
                    mistake(code, "file", name, key, *([0] if key == "needs" else []))
    if "fiel" in document["tasks"]:
        mistake("unknown-kind", "fiel")
    return document, sorted(expected)


def compiled_of(document):
    def no_source(path: str) -> bytes:
        summary = f"there is no {path}"
        raise SourceError(summary, "Write it.")

    decoded = decode(document)
    return compile_stack(decoded.stack, {}, no_source, mistakes=decoded.diagnostics)


def test_the_right_stack_is_right():
    assert told(compiled_of(RIGHT)) == []


@settings(deadline=None)
@given(broken())
def test_exactly_what_was_broken_is_told(broken_stack):
    document, expected = broken_stack
    assert told(compiled_of(document)) == expected


# ---- whatever is broken ----

JUNK = st.sampled_from(
    [None, 3, "", "x", "@{", "@{vars.x}", "@{file.f0.path}", [], [3], ["file.f0"], {}, {"x": 3}, {"role": "web"}, "role=web"]
)


def places_in(value, at=()):
    """Every place in a document but the whole."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*at, key)
        yield from places_in(part, (*at, key))


def broken_at(document, place, junk, *, key):
    """With something else at a place, or with another key there."""
    *way, last = place
    changed = copy.deepcopy(document)
    around = changed
    for part in way:
        around = around[part]
    if key and isinstance(last, str):
        around["x" + last] = around.pop(last)
    else:
        around[last] = junk
    return changed


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), JUNK, st.booleans()), min_size=1, max_size=4))
def test_whatever_is_broken_is_told_once_and_never_a_crash(breaks):
    document = RIGHT
    for number, junk, key in breaks:
        places = list(places_in(document))
        document = broken_at(document, places[number % len(places)], junk, key=key)
    decoded = decode(document)
    compiled = compiled_of(document)
    assert set(decoded.diagnostics) <= set(compiled.diagnostics)
    found = [(one.path, one.code, one.summary) for one in compiled.diagnostics]
    assert len(found) == len(set(found))
    before = {one.path for one in decoded.diagnostics}
    after = [one.path for one in compiled.diagnostics if one not in decoded.diagnostics]
    assert before.isdisjoint(after)
