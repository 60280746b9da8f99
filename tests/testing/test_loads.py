"""Few evaluations: a stack is evaluated once for each set of vars, and those of one file together, in one child."""

from __future__ import annotations

from functools import partial

import pytest
from trying import results

from g8r.compiler import evaluator as evaluators
from g8r.compiler.evaluator import Limits, _Embedded
from g8r.testing import suite
from g8r.testing.child import Child

STACK = '{ name = "site", vars.who | default = "a", hosts = { h1 = {}, h2 = {} }, tasks.file.motd = { path = "/m", content = vars.who } }\n'


@pytest.fixture
def counted(monkeypatch):
    """Processes and expressions."""
    monkeypatch.setenv("G8R_NICKEL", evaluators.EMBEDDED)
    counts = {"processes": 0, "expressions": 0}
    spawn, submit = _Embedded._spawn, _Embedded._submit

    def spawning(self):
        counts["processes"] += 1
        return spawn(self)

    def submitting(self, path):
        counts["expressions"] += 1
        submit(self, path)

    monkeypatch.setattr(_Embedded, "_spawn", spawning)
    monkeypatch.setattr(_Embedded, "_submit", submitting)
    return counts


def write(folder, tests):
    (folder / "main.ncl").write_text(STACK)
    (folder / "main.test.ncl").write_text("{ tests = {\n" + ",\n".join(tests) + "\n} }\n")


def test_forty_tests_with_their_own_vars(tmp_path, counted):
    write(tmp_path, [f't{n} = {{ vars.who = "w{n}", expect.content."file.motd" = "w{n}" }}' for n in range(40)])
    assert all(result.passed for result in results(tmp_path).values())
    assert counts(counted) == (1, 1 + 3)


def test_many_tests_with_the_same_vars(tmp_path, counted):
    write(tmp_path, [f't{n} = {{ facts.h1.cpu.count = {n}, expect.content."file.motd" = "a" }}' for n in range(10)])
    assert all(result.passed for result in results(tmp_path).values())
    assert counts(counted) == (1, 2)


def test_one_stack_with_mistakes_does_not_spoil_the_others(tmp_path, counted):
    tests = [f't{n} = {{ vars.who = "w{n}", expect.content."file.motd" = "w{n}" }}' for n in range(3)]
    write(
        tmp_path,
        [*tests, 'bad = { vars.who = 7, expect.has = ["file.motd"] }', 'undeclared = { vars.hwo = "x", expect.has = ["file.motd"] }'],
    )
    found = results(tmp_path)
    assert sorted(name for name, result in found.items() if not result.passed) == ["bad", "undeclared"]
    assert [each.code for each in found["bad"].failures[0].diagnostics] == ["wrong-type"]
    assert [each.code for each in found["undeclared"].failures[0].diagnostics] == ["unknown-var"]
    assert counted["processes"] == 1


def test_a_stack_that_takes_all_memory_fails_its_test_alone(tmp_path, counted, monkeypatch):
    monkeypatch.setattr(suite, "Child", partial(Child, limits=Limits(memory=300 << 20)))
    (tmp_path / "main.ncl").write_text(
        'let rec f = fun n => [f (n + 1)] @ f n in { name = "site", vars.x = 1, tasks.file.a.content = f 1 }\n'
    )
    (tmp_path / "good.ncl").write_text(STACK)
    (tmp_path / "main.test.ncl").write_text(
        '{ tests = { a = { stack = "good.ncl", expect.has = ["file.motd"] }, b.expect.has = ["file.a"], '
        'c = { stack = "good.ncl", expect.has = ["file.motd"] } } }'
    )
    found = results(tmp_path)
    assert [found[name].passed for name in "abc"] == [True, False, True]
    assert [each.code for each in found["b"].failures[0].diagnostics] == ["out-of-memory"]


def test_plain_stacks(tmp_path, counted):
    (tmp_path / "main.yaml").write_text("name: site\nvars: {who: a}\ntasks: {file: {motd: {path: /m, content: '@{vars.who}'}}}\n")
    (tmp_path / "main.test.ncl").write_text(
        '{ tests = { a.expect.content."file.motd" = "a", b = { vars.who = "b", expect.content."file.motd" = "b" }, '
        'c = { vars.hwo = "b", expect.errors = ["unknown-var"] } } }'
    )
    assert all(result.passed for result in results(tmp_path).values())
    assert counted["processes"] == 1


def counts(counted):
    return counted["processes"], counted["expressions"]
