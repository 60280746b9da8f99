"""From a source to a Stack: the languages, overrides, and every way in which evaluation fails."""

import contextlib
import os
import signal
import time
from pathlib import Path

import corpus
import pytest
import toys
from evaluators import NICKEL

from g8r.compiler import evaluate, evaluator
from g8r.compiler.evaluator import Died, Limits, Reported
from g8r.compiler.source import find_source
from g8r.diagnostics import RejectedError
from g8r.value import digest

SMALL = Limits(memory=400 << 20, seconds=20)
NICKEL_STACK = """{
  name = "site",
  vars = { env | default = "dev", port | default = 80, release | String | default = "1.10", db.host | default = "a" },
  tasks.file.conf = { path = "/etc/%{vars.env}", content = std.to_string vars.port, mode = "0644" },
  outputs = { release = vars.release, host = vars.db.host },
}
"""
YAML_STACK = """
name: site
vars: {env: dev, port: 80, release: "1.10", db: {host: a}}
tasks:
  file:
    conf: {path: "/etc/@{vars.env}", content: "@{vars.port}"}
  service:
    nginx:
"""


def rejected(load, *arguments, **settings):
    with pytest.raises(RejectedError) as caught:
        load(*arguments, **settings)
    assert caught.value.exit_code == 1
    return caught.value.diagnostics


def only(load, *arguments, **settings):
    diagnostics = rejected(load, *arguments, **settings)
    assert len(diagnostics) == 1, diagnostics
    return diagnostics[0]


def place(diagnostic):
    return (Path(diagnostic.span.file).name, diagnostic.span.line, diagnostic.span.column)


# ---- good stacks ----


def test_nickel(load):
    loaded = load(NICKEL_STACK)
    assert [str(task) for task in loaded.stack.tasks] == ["file.conf"]
    assert loaded.stack.tasks[0].params == {"path": "/etc/dev", "content": "80", "mode": "0644"}
    assert loaded.document["name"] == "site"
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.ncl", '{ name = "s", vars.a = 4, tasks.file.f = { path = "/a" } }'),
        ("main.yaml", "name: s\nvars: {a: 4.0}\ntasks: {file: {f: {path: /a}}}\n"),
        ("main.yml", "name: s\nvars: {a: 0x4}\ntasks:\n  file:\n    f:\n      path: /a\n"),
        ("main.json", '{"name": "s", "vars": {"a": 4.0}, "tasks": {"file": {"f": {"path": "/a"}}}}'),
        ("main.toml", 'name = "s"\n[vars]\na = 4.0\n[tasks.file.f]\npath = "/a"\n'),
    ],
)
def test_every_language_gives_the_same_stack(load, name, text):
    loaded = load(text, name)
    assert loaded.document == {"name": "s", "vars": {"a": 4}, "tasks": {"file": {"f": {"path": "/a"}}}}
    assert loaded.config_digest == digest(b'{"name":"s","tasks":{"file":{"f":{"path":"/a"}}},"vars":{"a":4}}')


def test_nothing_behind_a_yaml_task_is_a_task_of_its_name(load):
    loaded = load(YAML_STACK, "main.yaml")
    assert loaded.stack.tasks[1].params == {"name": "nginx"}


def test_nothing_behind_top_level_keys(load):
    stack = load("name: s\nvars:\nhosts:\n  web1:\ngroups:\noutputs:\ntasks:\n  file:\n", "main.yaml").stack
    assert (list(stack.hosts), stack.tasks, stack.vars) == (["web1"], (), {})


def test_a_file_named_as_ours_in_the_working_directory_shadows_nothing(load, tmp_path, monkeypatch):
    (tmp_path / "g8r.ncl").write_text("{ Stack = { nothing | String } }")
    monkeypatch.chdir(tmp_path)
    assert load(NICKEL_STACK).stack.name == "site"


def test_imports_from_beside_the_stack_and_from_import_paths(load, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "lib.ncl").write_text('{ mode = "0600" }')
    (tmp_path / "beside.json").write_text('{"path": "/a"}')
    text = '{ name = "s", tasks.file.a = (import "beside.json") & { mode = (import "lib.ncl").mode } }'
    assert load(text, import_paths=(tmp_path / "more",)).stack.tasks[0].params == {"path": "/a", "mode": "0600"}


def test_shipped_library_is_found(load):
    text = 'let T = import "lib/net.ncl" in { name = "s", vars.net | T.CIDR = "192.0.2.0/24" }'
    assert load(text).stack.vars == {"net": "192.0.2.0/24"}


# ---- overrides ----


@pytest.mark.parametrize(("name", "text"), [("main.ncl", NICKEL_STACK), ("main.yaml", YAML_STACK)])
class TestOverrides:
    def test_a_value_is_what_the_var_is_like(self, load, name, text):
        given = [("env", "3"), ("port", "8080"), ("release", "1.20"), ("db.host", "b")]
        loaded = load(text, name, given)
        assert loaded.stack.vars == {"env": "3", "port": 8080, "release": "1.20", "db": {"host": "b"}}

    def test_the_last_wins_and_a_var_wins_over_files(self, load, tmp_path, name, text):
        first, second = tmp_path / "a.yaml", tmp_path / "b.ncl"
        first.write_text("env: one\nport: 1\ndb: {host: one}\n")
        second.write_text('{ port = 1 + 1, release = "two" }')
        loaded = load(text, name, [("release", "x"), ("release", "three")], variable_files=(first, second))
        assert loaded.stack.vars == {"env": "one", "port": 2, "release": "three", "db": {"host": "one"}}

    def test_an_undeclared_var(self, load, name, text):
        diagnostic = only(load, text, name, [("envv", "prod")])
        assert (diagnostic.code, diagnostic.summary) == ("unknown-var", 'the stack has no var "envv"')
        assert 'Did you mean "env"?' in diagnostic.detail
        assert str(diagnostic.span).startswith("--var envv")

    def test_all_undeclared_vars_at_once(self, load, name, text):
        assert [diagnostic.code for diagnostic in rejected(load, text, name, [("a", "1"), ("db.b", "2")])] == ["unknown-var"] * 2

    def test_not_a_name(self, load, name, text):
        assert only(load, text, name, [("a b", "1")]).code == "invalid-var"


def test_a_var_without_a_value_can_be_given(load):
    text = '{ name = "s", vars.env | String, outputs.e = vars.env }'
    diagnostic = only(load, text)
    assert diagnostic.code == "missing-definition"
    assert place(diagnostic) == ("main.ncl", 1, 20)
    assert load(text, variables=[("env", "prod")]).stack.outputs == {"e": "prod"}


def test_an_overridden_var_is_blamed_on_the_command_line(load):
    text = '{ name = "s", vars.mode | default = "0644", tasks.file.a = { path = "/a", mode = vars.mode } }'
    loaded = load(text, variables=[("mode", "0600")])
    assert loaded.locator.locate([("vars", "mode")])["vars", "mode"].file == "--var mode"


def test_a_contract_of_a_var_judges_the_override(load):
    text = 'let T = import "lib/types.ncl" in { name = "s", vars.port | T.Port | default = 80 }'
    diagnostic = only(load, text, variables=[("port", "70000")])
    assert diagnostic.code == "contract-broken"
    assert "expected a port number" in diagnostic.summary


# ---- failures ----


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ('{ name = "s",\n  tasks = }\n', "syntax-error", ("main.ncl", 2, 11)),
        ('{ name = "s",\n  vars.a = import "missing.ncl" }\n', "missing-import", ("main.ncl", 2, 12)),
        ('{ name = "s",\n  vars = { a = b, b = a } }\n', "infinite-recursion", None),
        ('{ name = "s",\n  vars.a = nothing }\n', "unbound-identifier", ("main.ncl", 2, 12)),
        ('{ name = "s",\n  vars.a = std.string.uppercase 3 }\n', "contract-broken", ("main.ncl", 2, 33)),
        ('{ name = "s",\n  vars.a | Number = "x" }\n', "contract-broken", ("main.ncl", 2, 21)),
        ('{ name = "s",\n  vars.a = { b = 1 }.c }\n', "missing-field", ("main.ncl", 2, 12)),
        ('{ name = "s",\n  vars = { a = 1 } & { a = 2 } }\n', "merge-conflict", None),
        ('{ name = "s",\n  vars.f = fun x => x }\n', "not-plain-data", ("main.ncl", 2, 12)),
        ('{ name = "s",\n  vars.a = std.fail_with "no more" }\n', "contract-broken", ("main.ncl", 2, 26)),
    ],
)
def test_what_nickel_reports_has_the_users_line(load, text, code, at):
    diagnostic = only(load, text)
    assert diagnostic.code == code
    assert Path(diagnostic.span.file).name == "main.ncl"
    assert diagnostic.span.line == 2
    assert at is None or place(diagnostic) == at
    assert "\x1b" not in diagnostic.summary + diagnostic.detail
    assert all("g8r.ncl" not in str(related.span) for related in diagnostic.related)


def test_a_mistake_in_an_imported_file_has_that_files_line(load, tmp_path):
    (tmp_path / "role.ncl").write_text('{\n  path = "/a",\n  mode = 7,\n}\n')
    diagnostic = only(load, '{ name = "s", tasks.file.a = import "role.ncl" }')
    assert (diagnostic.code, place(diagnostic)) == ("wrong-type", ("role.ncl", 3, 10))


def test_yaml_with_anchors_cannot_be_imported_by_nickel(load, tmp_path):
    (tmp_path / "a.yaml").write_text("x: &x {path: /a}\ny: *x\n")
    diagnostic = only(load, '{ name = "s", tasks.file | { _ | { .. } } = import "a.yaml" }')
    assert diagnostic.code == "yaml-anchors"


@pytest.mark.parametrize("text", ["3", '"text"', "[1]", "fun x => x", "null"], ids=["number", "text", "list", "function", "null"])
def test_what_is_no_stack_at_all(load, text):
    assert only(load, text).code in {"no-stack", "not-plain-data"}


@pytest.mark.parametrize("which", ["embedded", "command"])
@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("let rec f = fun x => f (x + 1) in f 0", "memory"),
        ("let rec f = fun x => 1 + f (x + 1) in f 0", "memory"),
        ('let rec f = fun n x => if n == 0 then x else f (n - 1) (x ++ x) in f 31 "x"', "memory"),
        ('let rec f = fun n x => if n == 0 then x else f (n - 1) (x ++ x) in f 22 "x"', "size"),
    ],
    ids=["endless call", "endless sum", "2 GB of text", "too much output"],
)
def test_a_runaway_evaluation_dies_alone(which, expression, reason, monkeypatch):
    use(which, monkeypatch)
    limits = Limits(memory=300 << 20, seconds=20, output=1 << 20)
    child = evaluator.start(limits)
    try:
        answer = child.evaluate(expression)
        assert isinstance(answer, Died), answer
        assert answer.reason == reason
        assert child.evaluate("1 + 1").json.strip() == b"2"
    finally:
        child.close()


@pytest.mark.parametrize("which", ["embedded", "command"])
def test_an_evaluation_that_takes_too_long_is_killed(which, monkeypatch):
    use(which, monkeypatch)
    child = evaluator.start(Limits(memory=4 << 30, seconds=0.3))
    began = time.monotonic()
    assert child.evaluate("let rec f = fun n => if n == 0 then 0 else f (n - 1) + f (n - 1) in f 60") == Died("timeout")
    assert time.monotonic() - began < 10
    child.close()


def test_a_runaway_stack_is_explained(load):
    diagnostic = only(load, '{ name = "s", vars.a = let rec f = fun x => 1 + f x in f 0 }', limits=SMALL)
    assert diagnostic.code == "out-of-memory"
    assert "main.ncl" in diagnostic.summary
    assert "calls itself" in diagnostic.detail


def test_a_child_that_is_killed(toy_contracts, tmp_path, embedded):
    source = tmp_path / "main.ncl"
    source.write_text('{ name = "s", vars.a = let rec f = fun n => if n == 0 then 0 else f (n - 1) + f (n - 1) in f 60 }')
    with evaluate.start(source, contracts=toy_contracts, kinds=toys.KINDS) as pending:
        os.kill(pending._session.evaluator()._process.pid, signal.SIGKILL)
        with pytest.raises(RejectedError) as caught:
            pending.finish()
    assert caught.value.diagnostics[0].code == "evaluator-killed"


def test_a_panic_is_shown_as_a_defect_of_the_evaluator(load, tmp_path, monkeypatch):
    fake = tmp_path / "nickel"
    fake.write_text("#!/bin/sh\necho \"thread 'main' panicked at src/x.rs:1:2:\" >&2\necho 'index out of bounds' >&2\nexit 101\n")
    fake.chmod(0o755)
    monkeypatch.setenv("G8R_NICKEL", str(fake))
    diagnostic = only(load, "{}")
    assert diagnostic.code == "evaluator-failed"
    assert "index out of bounds" in diagnostic.detail


def test_no_evaluator_at_the_place_that_is_named(load, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "/nowhere/nickel")
    diagnostic = only(load, "{}")
    assert diagnostic.code == "no-evaluator"
    assert "G8R_NICKEL" in diagnostic.detail


def test_a_source_that_vanishes(toy_contracts, tmp_path, embedded):
    source = tmp_path / "main.ncl"
    with evaluate.start(source, contracts=toy_contracts, kinds=toys.KINDS) as pending, pytest.raises(RejectedError) as caught:
        pending.finish()
    assert caught.value.diagnostics[0].code == "unreadable-source"


def test_nothing_is_left_behind(load, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    load(NICKEL_STACK)
    rejected(load, "{")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_all_mistakes_at_once_in_the_order_of_the_source(load):
    text = '{\n  name = "s",\n  tasks.file.b = { pth = "/b", mode = 3 },\n  tasks.file.a = { path = "x" },\n  task = {},\n}\n'
    found = [(diagnostic.code, diagnostic.span.line) for diagnostic in rejected(load, text)]
    assert found == [("missing-param", 3), ("unknown-param", 3), ("wrong-type", 3), ("wrong-value", 4), ("unknown-key", 5)]


def test_a_sensitive_value_is_not_repeated(load):
    diagnostic = only(load, '{ name = "s", tasks.file.a = { path = "/a", content = ["hunter2"] } }')
    assert "hunter2" not in diagnostic.summary + diagnostic.detail


# ---- both evaluators ----


def use(which, monkeypatch):
    if which == "embedded":
        monkeypatch.setenv("G8R_NICKEL", "embedded")
    elif NICKEL is None:
        pytest.skip("NO NICKEL COMMAND: the two evaluators are not compared. Put nickel on PATH, or name it in G8R_TEST_NICKEL.")
    else:
        monkeypatch.setenv("G8R_NICKEL", NICKEL)


@pytest.mark.parametrize("case", corpus.chosen("good", "bad", "beyond", toys=True), ids=lambda case: case.id)
def test_both_evaluators_say_the_same(load, monkeypatch, case):
    answers = []
    for which in ("embedded", "command"):
        use(which, monkeypatch)
        try:
            loaded = load(case.text)
            answers.append((loaded.document, loaded.stack, loaded.config_digest))
        except RejectedError as refused:
            answers.append(refused.diagnostics)
    assert answers[0] == answers[1]
    assert case.verdict == "good" or all(diagnostic.span is not None for diagnostic in answers[0])


@pytest.mark.parametrize(
    "text",
    ["{ a = }", "{ a = 1 & 2 }", "{ a | String }", '{ a = import "x.ncl" }', "{ a = b }", "{ a = std.array.at 5 [] }", 'std.fail_with "x"'],
)
def test_both_evaluators_report_the_same(load, monkeypatch, text):
    answers = []
    for which in ("embedded", "command"):
        use(which, monkeypatch)
        answers.append(rejected(load, text))
    assert answers[0] == answers[1]


def test_one_child_answers_many(embedded):
    child = evaluator.start(Limits())
    first = child._process.pid
    assert child.evaluate("1").json == b"1"
    assert isinstance(child.evaluate("1 +"), Reported)
    assert child.evaluate('"%{std.to_string 2}"').json == b'"2"'
    assert child._process.pid == first
    child.close()


# ---- the source ----


def test_find_source(tmp_path):
    stack = tmp_path / "main.yaml"
    stack.write_text("name: s")
    assert find_source(tmp_path) == find_source(stack) == stack
    (tmp_path / "stack.ncl").write_text("{}")
    assert find_source(tmp_path) == stack, "main.* comes before stack.*"
    stack.unlink()
    assert find_source(str(tmp_path)) == tmp_path / "stack.ncl"


@pytest.mark.parametrize(
    ("names", "argument", "code", "words"),
    [
        ((), ".", "no-source", "has no stack in it"),
        (("main.ncl", "main.yaml"), ".", "several-sources", "main.ncl, main.yaml"),
        (("main.txt",), "main.txt", "unknown-language", "is no stack"),
        (("main.ncl",), "mian.ncl", "no-source", "there is no"),
    ],
)
def test_no_source(tmp_path, names, argument, code, words):
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(RejectedError) as caught:
        find_source(tmp_path / argument)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert words in diagnostic.summary
    assert code != "no-source" or argument == "." or 'Did you mean "main.ncl"?' in diagnostic.detail


# ---- the cache ----


class TestCache:
    def start(self, toy_contracts, source, cache, **settings):
        with evaluate.start(source, contracts=toy_contracts, kinds=toys.KINDS, cache=cache, **settings) as pending:
            loaded = pending.finish()
            return loaded, pending._session._evaluator is not None

    def test_the_second_time_nothing_is_evaluated(self, toy_contracts, tmp_path, embedded):
        source, cache = tmp_path / "main.ncl", tmp_path / "cache"
        source.write_text(NICKEL_STACK)
        first, evaluated = self.start(toy_contracts, source, cache)
        second, again = self.start(toy_contracts, source, cache)
        assert (evaluated, again) == (True, False)
        assert (first.document, first.stack, first.config_digest) == (second.document, second.stack, second.config_digest)
        assert second.locator.locate([("tasks", "file", "conf", "mode")])["tasks", "file", "conf", "mode"].line == 4
        second.close()

    @pytest.mark.parametrize("change", ["source", "import", "override", "entry", "shadow"])
    def test_any_change_is_seen(self, toy_contracts, tmp_path, embedded, change):
        cache, more = tmp_path / "cache", tmp_path / "more"
        source = tmp_path / "stack" / "main.ncl"
        source.parent.mkdir()
        more.mkdir()
        source.write_text('{ name = "s", vars.a = import "a.ncl", vars.b | default = "b" }')
        (more / "a.ncl").write_text("1")
        self.start(toy_contracts, source, cache, import_paths=(more,))
        settings = {}
        match change:
            case "source":
                source.write_text('{ name = "s", vars.a = 2, vars.b = 3 }')
            case "import":
                (more / "a.ncl").write_text("2")
            case "shadow":
                (source.parent / "a.ncl").write_text("2")
            case "override":
                settings = {"variables": [("b", "c")]}
            case "entry":
                (entry,) = cache.iterdir()
                entry.write_bytes(entry.read_bytes()[:-3])
        loaded, evaluated = self.start(toy_contracts, source, cache, import_paths=(more,), **settings)
        assert evaluated
        assert loaded.stack.vars["a"] == (1 if change in {"override", "entry"} else 2)

    @pytest.mark.parametrize(
        "text",
        ['{ name = "s" } # see import "x.ncl"', '{ name = "s", vars.a = "import this" }', '{ name = "s", vars.a = import "\\x61.json" }'],
    )
    def test_what_only_looks_like_an_import_does_not_keep_it_from_being_kept(self, toy_contracts, tmp_path, embedded, text):
        source, cache = tmp_path / "main.ncl", tmp_path / "cache"
        (tmp_path / "a.json").write_text("1")
        source.write_text(text)
        self.start(toy_contracts, source, cache)
        assert len(list(cache.iterdir())) == 1

    def test_an_entry_that_somebody_else_may_have_written_is_not_taken(self, toy_contracts, tmp_path, embedded):
        source, cache = tmp_path / "main.ncl", tmp_path / "cache"
        source.write_text('{ name = "s" }')
        self.start(toy_contracts, source, cache)
        assert not self.start(toy_contracts, source, cache)[1]
        cache.chmod(0o770)
        assert self.start(toy_contracts, source, cache)[1], "evaluated again"

    @pytest.mark.parametrize("text", ['{ name = "s", vars.a = import m%"a.json"% }', '{ name = "s", vars.a = (import "./a\\.json") }'])
    def test_what_may_be_an_import_that_cannot_be_read_is_not_kept(self, toy_contracts, tmp_path, embedded, text):
        source, cache = tmp_path / "main.ncl", tmp_path / "cache"
        (tmp_path / "a.json").write_text("1")
        source.write_text(text)
        with contextlib.suppress(RejectedError):
            self.start(toy_contracts, source, cache)
        assert not cache.exists() or list(cache.iterdir()) == []

    def test_errors_are_not_kept(self, toy_contracts, tmp_path, embedded):
        source, cache = tmp_path / "main.ncl", tmp_path / "cache"
        source.write_text('{ name = "s", tasks = 3 }')
        loaded, _ = self.start(toy_contracts, source, cache)
        assert [diagnostic.code for diagnostic in loaded.diagnostics] == ["wrong-type"]
        assert not cache.exists()

    def test_at_most_32_entries(self, toy_contracts, tmp_path, embedded):
        source, cache = tmp_path / "main.yaml", tmp_path / "cache"
        source.write_text("name: s\nvars: {a: 0}\n")
        cache.mkdir()
        for number in range(40):
            (cache / f"old{number}").write_text("x")
        self.start(toy_contracts, source, cache)
        _, evaluated = self.start(toy_contracts, source, cache)
        assert not evaluated
        assert len(list(cache.iterdir())) == 32

    def test_a_folder_that_cannot_be_written(self, toy_contracts, tmp_path, embedded):
        source = tmp_path / "main.yaml"
        source.write_text("name: s\n")
        (tmp_path / "file").write_text("")
        assert self.start(toy_contracts, source, tmp_path / "file" / "cache")[0].stack.name == "s"
