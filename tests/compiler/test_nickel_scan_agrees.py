"""The law of the scan: where it knows a place, the evaluator that is asked for it gives the same one."""

import json
import random
from pathlib import Path

import corpus
import pytest
import scan_stacks
import test_locate
from evaluators import SHIPPED
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from g8r.compiler import evaluator, overrides
from g8r.compiler.evaluator import Evaluated, Limits
from g8r.compiler.locate import NickelLocator
from g8r.compiler.nickel_scan import NickelPositions
from g8r.compiler.nickel_text import string

ROOT = Path(__file__).parents[2]
FILES = [*sorted(ROOT.glob("examples/*/main.ncl")), *sorted(ROOT.glob("docs/**/*.ncl"))]


class Stacks:
    """Evaluates stacks in one child, and compares what the scan says of them with what the evaluator says."""

    def __init__(self, folder):
        self.folder = folder
        self.more = folder / "paths"
        self.child = evaluator.start(Limits(), (SHIPPED, self.more), (folder, ROOT))
        self.count = 0
        self.seen = set()

    def write(self, text):
        self.count += 1
        file = self.folder / f"stack-{self.count}.ncl"
        file.write_bytes(text.encode())
        return file

    def agrees(self, file, given=(), most=None, seed=0):
        """How many places of the stack the scan knows, and of how many; None where it cannot be evaluated. Asks for at most so many."""
        stack = overrides.nickel("source", given)
        vars_library = SHIPPED / "lib" / "vars.ncl"
        prelude = f"let Vars = import {string(vars_library)} in\nlet source = import {string(file)} in\nlet stack = {stack} in"
        answer = self.child.evaluate(f"{prelude}\nstack")
        if not isinstance(answer, Evaluated):
            return None
        document = json.loads(answer.json)
        positions = NickelPositions(file, (SHIPPED, self.more), SHIPPED)

        def hidden(name):
            return self.child.internal(name) or Path(name).is_relative_to(SHIPPED)

        asked = NickelLocator(lambda: self.child, prelude, str(file), hidden, document, given)
        reading = NickelLocator(None, prelude, str(file), hidden, document, given, positions)
        paths = list(walk(document))
        found = {path: span for path in paths if (span := reading._written(path)) is not None}
        compared = [path for path in found if (path, found[path].line, found[path].column) not in self.seen or most is not None]
        for path in random.Random(seed).sample(compared, min(len(compared), most or len(compared))):
            assert found[path] == asked._place(path), (path, file.read_text())
            self.seen.add((path, found[path].line, found[path].column))
        return len(found), len(paths)


def walk(value, path=()):
    if path:
        yield path
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from walk(part, (*path, key))


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        found = Stacks(tmp_path_factory.mktemp("stacks"))
        yield found
        found.child.close()


@pytest.mark.parametrize("verdict", ["good", "bad", "beyond"])
def test_corpus(stacks, verdict):
    """Every sixth stack: they differ in their values more than in their shapes, and each place is an evaluation."""
    for case in corpus.chosen(verdict, language="nickel")[::6]:
        assert stacks.agrees(stacks.write(case.text)), case.id


def test_under_the_shipped_contract(stacks):
    """Which changes no value, and so leaves all places as certain as they were."""
    cases = corpus.chosen("good", toys=False, language="nickel")
    texts = [case.text for case in cases if not any(word in case.text for word in ("service", "let", "x-"))]
    for text in texts[::10]:
        without = stacks.agrees(stacks.write(text))
        assert stacks.agrees(stacks.write(f'{text} | (import "g8r.ncl").Stack'), most=2) == without


def test_another_contract_of_that_name_is_none_that_is_known(stacks):
    other = stacks.folder / "other"
    other.mkdir()
    (other / "g8r.ncl").write_text('{ Stack = { name | force = "t", .. } }')
    file = other / "main.ncl"
    file.write_text('{ name = "s" } | (import "g8r.ncl").Stack')
    assert stacks.agrees(file) == (0, 1)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_shipped_stacks(stacks, file):
    found, all_of_them = stacks.agrees(file)
    assert found > all_of_them / 2


def test_expressions(stacks):
    found, all_of_them = stacks.agrees(stacks.write(scan_stacks.EXPRESSIONS))
    assert found > all_of_them / 2


def test_stack_of_the_other_tests(stacks):
    (stacks.folder / "part.ncl").write_text('{\n  path = "/part",\n}\n')
    assert stacks.agrees(stacks.write(test_locate.STACK.replace("path = n,", 'path = "/" ++ n,'))) == (0, 32)


def test_imports(stacks):
    for name, text in scan_stacks.IMPORTS.items():
        path = stacks.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    (stacks.folder / "link").symlink_to(stacks.folder / "sub")
    found, all_of_them = stacks.agrees(stacks.folder / "main.ncl")
    assert found > all_of_them * 3 / 4


def test_overrides(stacks):
    text = """{
      name = "s",
      vars = { env | default = "a", db = { host | default = "x", port = 1 }, other = { a = 1 } },
      vars.more = { b = [1, 2] },
      tasks.file.a = { path = vars.env },
    }"""
    given = overrides.last_wins([overrides.from_option("env", "x"), overrides.from_option("db.host", "y")])
    found, all_of_them = stacks.agrees(stacks.write(text), given)
    assert found == all_of_them - 4  # vars, vars.db and the two that are given


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=scan_stacks.stacks(), seed=st.integers(0, 99))
def test_any_stack(stacks, text, seed):
    assume(stacks.agrees(stacks.write(text), most=6, seed=seed) is not None)
