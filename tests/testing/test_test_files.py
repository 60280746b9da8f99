"""Test files: what is found, what is refused and where, and that the contract and the decode agree."""

from __future__ import annotations

import re

import msgspec
import pytest
from trying import results, run

from g8r.compiler.evaluate import contracts_folder
from g8r.compiler.evaluator import Evaluated
from g8r.compiler.source import of
from g8r.diagnostics import RejectedError
from g8r.testing import cases, files
from g8r.testing.child import Child
from g8r.testing.decode import decode

STACK = '{ name = "site", vars.who | default = "world", tasks.file.motd = { path = "/etc/motd", content = "%{vars.who}\\n" } }\n'

GOOD = [
    'tests.a.expect.has = ["file.motd"]',
    "tests.a.expect.tasks = []",
    'tests.a = { stack = "main.ncl", vars = { who = "x", deep.er = 1 }, secrets.a = "b", expect.content."file.motd" = "x" }',
    'stack = "main.ncl", tests.a.expect.content."file.motd" = { contains = "a", lacks = ["b"], matches = "^c$" }',
    "tests.a.expect = { plan.\"file.*\" = 'create, snapshot = 'plan }",
    "tests.a.expect = { changes = {}, converges = true, snapshot = true, warnings = [], outputs.a = null }",
    'tests.a.expect.errors = ["x", { code = "y" }, { matches = "z" }]',
    'tests.a = { hosts.web1 = { labels.role = "web", address = "a", vars.x = 1 }, expect.lacks = ["user.*"] }',
    'tests.a = { applied = { vars.who = "x" }, expect.order = [["file.a", "file.b", "file.c"]] }',
    'tests.a.expect.edges = [["file.a", "file.b"]]',
    *(
        f'tests.a = {{ {given}, expect.has = ["file.*"] }}'
        for given in (
            'facts.localhost = { os.codename = "x", cpu.count = 4, memory.total_bytes = 5, addresses = ["a"], init = "" }',
            'world.localhost = { user = "ada", files."/a" = "b", files."/c" = { content = "d", mode = "0600" } }',
            'world.localhost = { packages.a = "1", available.b = { version = "2", units = ["b"], files."/x" = "y", depends = ["a"] } }',
            'world.localhost = { services.s = { running = true }, users.u = { uid = 7, groups = ["g"] }, groups.g.gid = 8 }',
            'world.localhost = { links."/l" = "t", directories."/d" = { mode = "0700" }, programs.p = { exit = 1, creates."/f" = "" } }',
        )
    ),
]

BAD = {
    'tests.a.expect.hsa = ["file.motd"]': ('unknown key "hsa"', "2:16", 'Did you mean "has"?'),
    'tests.a = { exepct.has = ["file.motd"] }': ('unknown key "exepct"', "2:13", 'Did you mean "expect"?'),
    'test.a.expect.has = ["file.motd"]': ('unknown key "test"', "2:1", 'Did you mean "tests"?'),
    "tests.a.vars.x = 1": ('"expect" is missing', "2:9", "tests.a needs expect"),
    "tests = {}": ("there are no tests in this file", "2:9", "Give it some"),
    "tests.a.expect = {}": ('the test "a" expects nothing', "2:18", "Such a test cannot fail."),
    "tests.a.expect.has = []": ('the test "a" expects nothing', "2:", "Such a test cannot fail."),
    'tests.a.expect.has = "file.motd"': ("has: expected a list", "2:22", "tests.a.expect.has"),
    'tests.a.expect.has = ["motd"]': ('"motd" is no task', "2:23", 'A task is "file.motd"'),
    'tests.a.expect.has = ["fiel.motd"]': ('unknown kind "fiel"', "2:23", 'Did you mean "file"?'),
    'tests.a.expect.plan."service.nginx#relaod" = \'trigger': ('service has no trigger "relaod"', "2:46", 'Did you mean "reload"?'),
    'tests.a.expect.plan."file.motd" = \'craete': ("file.motd: expected one of blocked, create", "2:35", 'Did you mean "create"?'),
    'tests.a.expect.content."file.motd" = {}': ("nothing is expected of the content of file.motd", "2:38", "Give the whole text"),
    'tests.a.expect.content."file.motd".mathces = "a"': ('unknown key "mathces"', "2:36", 'Did you mean "matches"?'),
    'tests.a.expect.content."file.motd".matches = "a("': (
        "this is no regular expression: missing ), unterminated subpattern",
        "2:46",
        '"a("',
    ),
    "tests.a.expect.errors = [{}]": ("any message would do", "2:26", "Give its code"),
    'tests.a.expect.errors = [{ matches = "(" }]': ("this is no regular expression", "2:38", '"("'),
    'tests.a.expect = { errors = ["x"], has = ["file.motd"] }': ('the test "a" expects errors, and has', "2:42", "make two tests of it"),
    'tests.a.expect = { errors = ["x"], changes = {} }': ('the test "a" expects errors, and changes', "2:46", "make two tests of it"),
    'tests.a.expect = { plan."file.motd" = \'create, changes = {} }': (
        'the test "a" has both plan and changes',
        "2:",
        "changes is the whole plan",
    ),
    'tests.a.expect.edges = [["file.motd"]]': ("edges: expected two tasks", "2:25", "This has 1."),
    'tests.a.expect.order = [["file.motd"]]': ("order: expected two tasks or more", "2:25", "This has 1."),
    'tests.a = { facts.localhost.os.codname = "x", expect.has = ["file.motd"] }': (
        'unknown key "codname"',
        "2:32",
        'Did you mean "codename"?',
    ),
    'tests.a = { world.localhost.fils."/a" = "", expect.has = ["file.motd"] }': ('unknown key "fils"', "2:29", 'Did you mean "files"?'),
    'tests.a = { world.localhost.files."a" = "", expect.has = ["file.motd"] }': (
        "a: expected an absolute path",
        "2:",
        "expected an absolute path",
    ),
    'tests.a = { world.localhost.files."/a".mode = 644, expect.has = ["file.motd"] }': (
        "mode: expected an octal mode",
        "2:47",
        "in quotes",
    ),
    'tests.a = { world.localhost.services.nginx.runing = true, expect.has = ["file.motd"] }': (
        'unknown key "runing"',
        "2:44",
        'Did you mean "running"?',
    ),
    "tests.a.expect.has = [missing]": ("unbound identifier", "2:23", ""),
    'tests.a.expect.has = ["file.motd"': ("", "", ""),
    "tests.a.expect.snapshot = 'plans": ("snapshot", "2:27", ""),
    'tests.a.expect.content."file.motd" = fun x => x': ("non serializable", "", ""),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "main.ncl").write_text(STACK)
    return tmp_path


def contracted(folder, text):
    """What the contract alone makes of a test file: the document, or None."""
    (folder / "x.test.ncl").write_text(f"{{\n{text}\n}}\n")
    child = Child()
    try:
        session = child.session(of(folder / "x.test.ncl"))
        answer = session.evaluator().evaluate(f'(import "{folder}/x.test.ncl") | (import "{contracts_folder()}/test.ncl").TestFile')
        return msgspec.json.decode(answer.json) if isinstance(answer, Evaluated) else None
    finally:
        child.close()


@pytest.mark.parametrize("text", GOOD)
def test_what_the_contract_accepts_is_decoded(folder, text):
    document = contracted(folder, text)
    assert document is not None
    decoded = decode(document)
    assert decoded.diagnostics == ()
    assert decoded.file is not None


@pytest.mark.parametrize(
    ("block", "struct"),
    [
        ("Test", cases.Test),
        ("Expect", cases.Expect),
        ("World", cases.World),
        ("Facts", cases.GivenFacts),
        ("Package", cases.PlacedPackage),
        ("Content", cases.Content),
        ("Message", cases.Message),
        ("Placed", cases.Placed),
    ],
)
def test_the_contract_and_the_decode_know_the_same_fields(block, struct):
    text = (contracts_folder() / "test.ncl").read_text()
    (body,) = re.findall(rf"^let {block} = \{{\n(.*?)^\}} in$", text, re.MULTILINE | re.DOTALL)
    assert sorted(re.findall(r"^  (\w+)(?: \||$)", body, re.MULTILINE)) == sorted(struct.__struct_fields__)


@pytest.mark.parametrize("text", BAD)
def test_a_mistake_is_refused_with_its_line(folder, text):
    summary, place, detail = BAD[text]
    (folder / "main.test.ncl").write_text(f"{{\n{text}\n}}\n")
    (result,) = run(folder)
    assert result.results == ()
    first = result.broken[0]
    assert summary in first.summary
    assert detail in first.detail
    assert f"{first.span}".startswith(f"{folder}/main.test.ncl:{place}")


def test_all_mistakes_are_told_at_once(folder):
    (folder / "main.test.ncl").write_text('{ tests = { a.expect.hsa = [], b.expect.plan."fiel.x" = \'none, c.vrs = {}, } }')
    (result,) = run(folder)
    assert sorted(each.summary.partition(":")[0] for each in result.broken) == [
        '"expect" is missing',
        "fiel.x",
        'unknown key "hsa"',
        'unknown key "vrs"',
    ]


def test_a_contract_of_the_user_that_fails_is_told_by_nickel(folder):
    (folder / "main.test.ncl").write_text('{\ntests.a = { vars.port | (import "lib/net.ncl").Port = 70000, expect.has = ["file.motd"] }\n}')
    (result,) = run(folder)
    assert "expected a port number (1-65535), got 70000" in result.broken[0].summary + result.broken[0].detail
    assert result.broken[0].span.line == 2


def test_a_test_file_may_carry_the_contract_itself(folder):
    (folder / "main.test.ncl").write_text('{ tests.a.expect.has = ["file.motd"] } | (import "test.ncl").TestFile')
    assert results(folder)["a"].passed


def test_tests_from_a_table(folder):
    (folder / "main.test.ncl").write_text("""\
let Each = import "each.ncl" in
{
  tests = Each.from_array (std.array.map (fun name => {
    field = "it greets %{name}",
    value = { vars.who = name, expect.content."file.motd" = "%{name}\\n" },
  }) ["Ada", "Bob", "Cleo"]),
}
""")
    found = results(folder)
    assert sorted(found) == ["it greets Ada", "it greets Bob", "it greets Cleo"]
    assert all(result.passed for result in found.values())


def test_a_test_file_that_is_no_text(folder):
    (folder / "main.test.ncl").write_bytes(b"{ \xff }")
    (result,) = run(folder)
    assert [each.code for each in result.broken] == ["not-text"]


def test_a_broken_file_does_not_stop_the_others(folder):
    (folder / "a.test.ncl").write_text("{ tests = ")
    (folder / "b.test.ncl").write_text('{ tests.a.expect.has = ["file.motd"] }')
    broken, good = run(folder)
    assert broken.broken
    assert [result.passed for result in good.results] == [True]


# ---- which files, which stack ------------------------------------------------------------------------------------------------------------


def test_the_files_of_a_folder_and_below(folder):
    for name in ("b.test.ncl", "sub/deep/a.test.ncl", ".g8r/x.test.ncl", "node_modules/y.test.ncl", "sub/no.ncl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    assert [str(path.relative_to(folder)) for path in files.find(folder).files] == ["b.test.ncl", "sub/deep/a.test.ncl"]


def test_a_link_to_a_folder_is_not_followed(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "a.test.ncl").write_text("{}")
    assert len(files.find(folder).files) == 1


def test_a_stack_means_the_tests_beside_it(folder):
    (folder / "other.ncl").write_text(STACK.replace("motd", "issue"))
    (folder / "x.test.ncl").write_text('{ tests.a.expect.has = ["file.issue"] }')
    (folder / "sub").mkdir()
    (folder / "sub" / "y.test.ncl").write_text("{ broken")
    assert results(folder / "other.ncl")["a"].passed


def test_the_stack_of_the_same_name_and_else_of_the_folder(folder):
    (folder / "other.yaml").write_text("name: other\ntasks: {file: {issue: {path: /etc/issue}}}\n")
    (folder / "other.test.ncl").write_text('{ tests.a.expect.tasks = ["file.issue"] }')
    (folder / "more.test.ncl").write_text('{ tests.b.expect.tasks = ["file.motd"] }')
    (folder / "named.test.ncl").write_text('{ stack = "other.yaml", tests.c.expect.tasks = ["file.issue"] }')
    assert [result.passed for file in run(folder) for result in file.results] == [True, True, True]


@pytest.mark.parametrize(
    ("named", "summary"),
    [
        ("/etc/passwd", 'the stack "/etc/passwd" is not beside the tests'),
        ("../main.ncl", 'the stack "../main.ncl" is not beside the tests'),
        ("main.nlc", "there is no"),
    ],
)
def test_a_stack_that_may_not_be_or_is_not(folder, monkeypatch, named, summary):
    monkeypatch.chdir("/")
    below = folder / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    (below / "x.test.ncl").write_text(f'{{\ntests.a = {{ stack = "{named}", expect.has = ["file.motd"] }}\n}}')
    (failure,) = results(below)["a"].failures
    assert failure.summary.startswith(summary)
    assert failure.span.line == 2


@pytest.mark.parametrize(
    ("argument", "detail"),
    [
        (".", "and all folders below it. Write main.test.ncl beside the stack"),
        ("main.ncl", "beside main.ncl"),
        ("mian.ncl", 'Did you mean "main.ncl"?'),
    ],
)
def test_no_tests_says_where_it_looked(folder, argument, detail):
    with pytest.raises(RejectedError) as refused:
        files.find(folder / argument)
    (only,) = refused.value.diagnostics
    assert only.code == "no-tests"
    assert detail in only.detail


def test_a_filter(folder):
    (folder / "main.test.ncl").write_text(
        '{ tests = { "a b".expect.has = ["file.x"], "a c".expect.has = ["file.motd"], d.expect.has = ["file.x"] } }'
    )
    (file,) = run(folder, name="a [c-z]")
    assert [(result.name, result.passed) for result in file.results] == [("a c", True)]
    assert file.skipped == 2
    with pytest.raises(RejectedError) as refused:
        run(folder, name="a x")
    assert "Did you mean" in refused.value.diagnostics[0].detail
