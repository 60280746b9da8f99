"""The line of anything: literals, functions, imports, merges, arrays, overrides, keys."""

from pathlib import Path

import pytest

from g8r.compiler import locate, report
from g8r.compiler.evaluator import Evaluator, Reported
from g8r.diagnostics import Diagnostic, Related, Severity, Span, error

STACK = """\
let Each = import "each.ncl" in
let common = { mode = "0644" } in
let site = fun n => {
  path = "/srv/%{n}",
  needs = ["file.x", "file.y"],
} in
{
  name = "s",
  vars.env | default = "dev",
  tasks.file = {
    lit = { path = "/a", mode = "0600" },
    merged = common & { path = "/b" },
    made = site "made",
    imported = import "part.ncl",
    from_var = { path = "/c", content = vars.env },
    "odd-%{"name"}" = { path = "/d" },
  },
}
& { tasks.file = Each.each ["one", "two"] (fun n => { path = n, content = "x" }) }
& { tasks.service = std.record.map (fun _ v => { port = v }) { web = 80 } }
"""


@pytest.fixture
def loaded(load, tmp_path):
    (tmp_path / "part.ncl").write_text('{\n  path = "/part",\n}\n')
    stack = STACK.replace("path = n,", 'path = "/" ++ n,')
    result = load(stack, variables=[("env", "prod")])
    yield result
    result.close()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("name", "main.ncl:8:10"),
        ("tasks.file.lit.mode", "main.ncl:11:33"),
        ("tasks.file.lit", "main.ncl:11:11"),
        ("tasks.file.merged.mode", "main.ncl:2:23"),
        ("tasks.file.merged.path", "main.ncl:12:32"),
        ("tasks.file.merged", "main.ncl:12:14"),
        ("tasks.file.made.path", "main.ncl:4:10"),
        ("tasks.file.made", "main.ncl:13:12"),
        ("tasks.file.made.needs.1", "main.ncl:5:22"),
        ("tasks.file.made.needs", "main.ncl:5:11"),
        ("tasks.file.imported.path", "part.ncl:2:10"),
        ("tasks.file.from_var.content", "main.ncl:15:41"),
        ("tasks.file.odd-name.path", "main.ncl:16:32"),
        ("tasks.file.one.path", "main.ncl:19:62"),
        ("tasks.file.one", "main.ncl:19:53"),
        ("tasks.service.web.port", "main.ncl:20:57"),
        ("vars.env", "--var env:1:1"),
    ],
)
def test_places_in_nickel(loaded, path, place):
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    span = loaded.locator.locate([steps])[steps]
    assert str(span).replace(str(loaded.source.path.parent) + "/", "") == place


def test_what_is_not_there_is_the_nearest_that_is(loaded):
    paths = [("tasks", "file", "lit", "pth"), ("tasks", "file", "made", "needs", 7), ("nothing",), ()]
    assert [span.line for span in loaded.locator.locate(paths).values()] == [11, 5, 1, 1]


def test_a_record_without_a_place_has_that_of_its_first_child(loaded):
    assert loaded.locator.locate([("tasks",)])["tasks",].line > 1


def test_a_key_is_found_before_its_value(loaded):
    path = ("tasks", "file", "lit", "mode")
    (span,) = loaded.locator.locate([path], keys=True).values()
    assert (span.line, span.column) == (11, 26)


class Silent(Evaluator):
    """An evaluator that answers what it is told and counts."""

    def __init__(self, text):
        self.text = text
        self.asked = 0

    def evaluate(self, expression):
        self.asked += 1
        return Reported(self.text)

    def _submit(self, path):
        raise NotImplementedError

    def _result(self, out):
        raise NotImplementedError

    def _end(self):
        raise NotImplementedError


FOREIGN = """error: contract broken by the value of `a`
       another error fired first
  ┌─ /x/main.ncl:3:4
  │
3 │ a = 1
  │     ^ applied to this expression
"""


def nickel_locator(evaluator, document):
    return locate.NickelLocator(lambda: evaluator, "", "/x/main.ncl", lambda file: False, document)


def test_a_report_without_the_marker_is_no_place():
    assert nickel_locator(Silent(FOREIGN), {"a": 1}).locate([("a",)]) == {("a",): Span("/x/main.ncl", 1, 1)}
    marked = FOREIGN.replace("another error fired first", locate._MARKER)
    assert nickel_locator(Silent(marked), {"a": 1}).locate([("a",)]) == {("a",): Span("/x/main.ncl", 3, 4)}


def test_only_the_first_are_looked_up_and_each_once():
    evaluator = Silent(FOREIGN.replace("another error fired first", locate._MARKER))
    locator = nickel_locator(evaluator, {f"k{n}": 1 for n in range(30)})
    diagnostics = [error("x", "x", path=(f"k{n}",), related=[Related("y", (f"k{n}",))]) for n in range(30)]
    located = locate.with_spans(diagnostics, locator)
    assert sum(diagnostic.span is not None for diagnostic in located) == locate.MOST == evaluator.asked
    assert located[0].related[0].span == Span("/x/main.ncl", 3, 4)
    assert all(diagnostic.span for diagnostic in locate.with_spans(diagnostics, locator, most=None))
    assert evaluator.asked == 30


def test_diagnostics_keep_a_span_they_have():
    span = Span("elsewhere", 5, 6)
    given = Diagnostic(Severity.ERROR, "x", "x", path=("a",), span=span)
    assert locate.with_spans([given], nickel_locator(Silent(""), {"a": 1})) == (given,)


@pytest.mark.parametrize("name", ["main.yaml", "main.json", "main.toml"])
def test_mistakes_in_plain_data_have_their_line(load, name):
    from g8r.diagnostics import RejectedError

    texts = {
        "main.yaml": "name: s\ntasks:\n  file:\n    a:\n      path: a\n      pth: 1\n",
        "main.json": '{"name": "s",\n "tasks": {\n "file": {\n "a": {\n      "path": "a",\n      "pth": 1}}}}',
        "main.toml": 'name = "s"\n\n\n[tasks.file.a]\npath = "a"\npth = 1\n',
    }
    with pytest.raises(RejectedError) as caught:
        load(texts[name], name)
    found = [(diagnostic.code, Path(diagnostic.span.file).name, diagnostic.span.line) for diagnostic in caught.value.diagnostics]
    assert found == [("wrong-value", name, 5), ("unknown-param", name, 6)]


def test_sections_of_a_report():
    text = (
        "\x1b[1merror\x1b[0m: contract broken by the caller of `at`\n       invalid array indexing\n"
        "    ┌─ <stdlib/std.ncl>:165:9\n    │\n"
        "165 │       | x\n    │         - expected type\n    │\n"
        "    ┌─ /a b/e.ncl:1:21\n    │\n  1 │ {a = 1}\n    │     --- evaluated\n    │\n"
        "    = Expected an array\n      index\n\nnote: \n  ┌─ /a b/e.ncl:1:6\n  │\n1 │ x\n  │ -- (1) calling at\n"
    )
    first, second = report.sections(text)
    assert first.message == ("contract broken by the caller of `at`", "invalid array indexing")
    assert [str(frame.span) for frame in first.frames] == ["<stdlib/std.ncl>:165:9", "/a b/e.ncl:1:21"]
    assert first.notes == ("Expected an array index",)
    assert second.level == "note"
    (diagnostic,) = report.diagnostics(text, lambda file: False)
    assert diagnostic.span == Span("/a b/e.ncl", 1, 21)
    assert diagnostic.summary == "contract broken by the caller of `at`: invalid array indexing"
    assert [related.span for related in diagnostic.related] == [Span("/a b/e.ncl", 1, 6)]


def test_closing_ends_what_is_looked_up_ahead_and_it_can_still_be_asked(load, recwarn):
    """A look-up that outlived its child would end in a traceback, or leave the child's folder behind."""
    for _ in range(5):
        result = load(STACK.replace("path = n,", 'path = "/" ++ n,').replace('imported = import "part.ncl",', ""))
        folder = result.locator._evaluator()._folder
        result.locator.begin([("tasks", task.kind, task.name) for task in result.stack.tasks] * 10)
        result.close()
        assert not folder.exists()
        assert result.locator._ahead is None
        path = ("tasks", "file", "lit", "mode")
        assert str(result.locator.locate([path])[path]).endswith("main.ncl:11:33")
        result.close()
    assert not [str(warned.message) for warned in recwarn if "Exception in thread" in str(warned.message)]
