"""Stacks that try to read what is outside of their repository: each is held by the check of imports and by the kernel, each alone.

Every attack is first seen to bite: with both taken away it brings out the canary.
"""

from pathlib import Path

import pytest
from evaluators import NICKEL

from g8r.cli.console import source_lines
from g8r.compiler import evaluate, jail, reach, session
from g8r.compiler.compile import compile_stack
from g8r.compiler.sources import folder_reader
from g8r.diagnostics import RejectedError, errors
from g8r.render import diagnostic_text

CANARY = "hunter2"

ATTACKS = {
    "absolute": 'import "@OUT@/secret.txt"',
    "dots": 'import "../../../outside/secret.txt"',
    "dots behind a folder that is not there": 'import "no/../../../../outside/secret.txt"',
    "a link": 'import "link.txt"',
    "a link to a link": 'import "../linklink.txt"',
    "a folder that is a link": 'import "dir/secret.txt"',
    "a link that hides a file of an import path": 'import "shadow.txt"',
    "interpolated": '"%{import "@OUT@/secret.txt"}"',
    "interpolated in what is interpolated": '"%{"}" ++ "%{import "@OUT@/secret.txt"}"}"',
    "in a multi-line string": 'm%%"%{import "x"} %%{import "@OUT@/secret.txt"} "% "%%',
    "behind a sharp in a string": '"# %" ++ (import "@OUT@/secret.txt")',
    "behind a quoted tag": '(\'"# \\" " |> match { _ => import "@OUT@/secret.txt" })',
    "behind a name with a quote": '(let a\' = "x" in a\' ++ (import "@OUT@/secret.txt"))',
    "behind a number": '(if 1 == 1 then import "@OUT@/secret.txt" else 0x1)',
    "as text": '(import "@OUT@/secret.ncl" as \'Text)',
    "comments between": '(import # "x"\n\n\t\r\n# import "y"\n"@OUT@/secret.ncl" # x\nas # \'Nickel\n\'"Text")',
    "no space": '(if true then(import"@OUT@/secret.txt")else"")',
    "escapes": 'import "\\u{2f}\\x2e/@OUT@/secret.txt"',
    "quoted by a report on Nickel": '(import "@OUT@/broken" as \'Nickel)',
    "quoted by a report on JSON": '(import "@OUT@/broken" as \'Json)',
    "quoted by a report on TOML": '(import "@OUT@/broken" as \'Toml)',
    "quoted by a report on a contract": '((import "@OUT@/secret.txt") | Number)',
    "from an import path": 'import "library.ncl"',
    "from a file beside it": 'import "beside.ncl"',
    "from data that is read as Nickel": '(import "beside.txt" as \'Nickel)',
    "the repository's own .git": '(import "../../.git/config" as \'Text)',
    "the state's key": '(import ".g8r/key" as \'Text)',
}


@pytest.fixture
def repository(tmp_path):
    """A repository with a stack in it, and beside it what no stack should see."""
    outside, stack, library = tmp_path / "outside", tmp_path / "repo" / "stacks" / "web", tmp_path / "library"
    for folder in (outside, stack / ".g8r", library, tmp_path / "repo" / ".git"):
        folder.mkdir(parents=True)
    (outside / "secret.txt").write_text(CANARY)
    (outside / "secret.ncl").write_text(f'"{CANARY}"')
    (outside / "broken").write_text(f"{CANARY}: ]\n")
    (tmp_path / "repo" / ".git" / "config").write_text(f"token = {CANARY}")
    (stack / ".g8r" / "key").write_text(CANARY)
    (stack / "link.txt").symlink_to(outside / "secret.txt")
    (stack.parent / "linklink.txt").symlink_to("web/link.txt")
    (stack / "dir").symlink_to("../../../outside")
    (stack / "shadow.txt").symlink_to(outside / "secret.txt")
    (library / "shadow.txt").write_text("fine")
    (library / "library.ncl").write_text('import "../outside/secret.txt"')
    (stack / "beside.ncl").write_text(f'{{\n  a = import "{outside}/secret.txt",\n}}.a')
    (stack / "beside.txt").write_text(f'import "{outside}/secret.txt"')
    return tmp_path


@pytest.fixture(params=["embedded", "command"])
def either(request, monkeypatch):
    if request.param == "command" and NICKEL is None:
        pytest.skip("NO NICKEL COMMAND: only the embedded evaluator is attacked. G8R_TEST_NICKEL names one")
    monkeypatch.setenv("G8R_NICKEL", NICKEL if request.param == "command" else "embedded")


def without_check(monkeypatch):
    monkeypatch.setattr(reach, "refused", lambda *_: ())
    monkeypatch.setattr(session.Session, "hidden", lambda self, file: self.evaluator().internal(file))


def without_kernel(monkeypatch):
    monkeypatch.setenv("G8R_JAIL", "off")


def brought_out(stack, text, name="main.ncl", **settings):
    """All that a user, or a log, gets to see of a stack; and the errors."""
    if text is not None:
        (stack / name).write_text(text)
    try:
        with evaluate.start(stack / name, **settings) as pending:
            loaded = pending.finish()
            compiled = compile_stack(loaded.stack, {}, folder_reader(stack, loaded.reach), mistakes=loaded.diagnostics)
            found = loaded.located(compiled.diagnostics)
            tasks = [task.params for task in compiled.graph.tasks.values()]
            return f"{loaded.document} {tasks} {diagnostic_text.render(found, source_lines(found))}", errors(found)
    except RejectedError as rejected:
        found = rejected.diagnostics
        return diagnostic_text.render(found, source_lines(found)), errors(found)


def attack(repository, name):
    text = f'{{\n  name = "s",\n  vars.a =\n    {ATTACKS[name]},\n}}'.replace("@OUT@", str(repository / "outside"))
    return brought_out(repository / "repo" / "stacks" / "web", text, import_paths=(repository / "library",))


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_bites_where_nothing_holds_it(repository, name, either, monkeypatch):
    without_check(monkeypatch)
    without_kernel(monkeypatch)
    seen, _ = attack(repository, name)
    assert CANARY in seen, seen


@pytest.mark.parametrize("name", ATTACKS)
def test_the_kernel_alone_holds_it(repository, name, either, monkeypatch):
    if not jail.landlock():
        pytest.skip("NO LANDLOCK in this kernel")
    without_check(monkeypatch)
    seen, found = attack(repository, name)
    assert CANARY not in seen
    assert found or name == "a link that hides a file of an import path", "Nickel looks on in the import paths"


@pytest.mark.parametrize("kernel", ["kernel", "no kernel"])
@pytest.mark.parametrize("name", ATTACKS)
def test_the_check_tells_it_with_its_line(repository, name, kernel, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    if kernel == "no kernel":
        without_kernel(monkeypatch)
    seen, found = attack(repository, name)
    assert CANARY not in seen
    assert found
    for diagnostic in found:
        assert diagnostic.code == "outside-root"
        assert "--import-path" in diagnostic.detail or "is no part of a stack" in diagnostic.detail
        line = Path(diagnostic.span.file).read_text().splitlines()[diagnostic.span.line - 1]
        assert line[diagnostic.span.column - 1] == '"' == line[diagnostic.span.end_column - 2]


def test_the_message(repository, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    stack = repository / "repo" / "stacks" / "web"
    _, (found,) = brought_out(stack, '{ name = "s", vars.a = import "../../../x.ncl" }')
    assert str(found.span) == f"{stack}/main.ncl:1:31"
    assert found.summary == 'the import "../../../x.ncl" leads out of the repository'
    for part in (f"It is {repository}/x.ncl.", f"the repository {repository}/repo,", "--import-path DIR", "--root DIR"):
        assert part in found.detail


def test_all_at_once_over_all_files(repository, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    text = '{ name = "s", vars = { a = import "/a", b = import "../../../b", c = import "beside.ncl" } }'
    _, found = brought_out(repository / "repo" / "stacks" / "web", text)
    assert sorted((Path(one.span.file).name, one.span.line) for one in found) == [("beside.ncl", 2), ("main.ncl", 1), ("main.ncl", 1)]


def test_it_does_not_tell_whether_a_file_is_there(repository, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    stack = repository / "repo" / "stacks" / "web"
    there, _ = brought_out(stack, f'{{ name = "s", vars.a = import "{repository}/outside/secret.txt" }}')
    not_there, _ = brought_out(stack, f'{{ name = "s", vars.a = import "{repository}/outside/sicret.txt" }}')
    assert there == not_there.replace("sicret", "secret")


# ---- what is no attack ----

FINE = {
    "in a comment": '"fine" # import "/etc/passwd"\n',
    "in a string": '"import \\"/etc/passwd\\" fine"',
    "in a multi-line string": 'm%"import "/etc/passwd" fine"%',
    "part of a name": '(let import-x = "fine" in import-x)',
    "from elsewhere in the repository": 'import "../../lib/fine.ncl"',
    "by way of a folder that is not there": 'import "no/../../../lib/fine.ncl"',
    "by a link that stays": 'import "stays.ncl"',
    "an absolute name that stays": 'import "@REPO@/lib/fine.ncl"',
    "from an import path": 'import "fine.txt"',
    "what an import path imports": 'import "more.ncl"',
    "the shipped library": '(import "lib/net.ncl") |> (fun library => if std.is_record library then "fine" else "")',
}


@pytest.mark.parametrize("layers", ["both", "no kernel", "no check"])
@pytest.mark.parametrize("name", FINE)
def test_what_may_be_read_is_read(repository, name, layers, either, monkeypatch):
    stack = repository / "repo" / "stacks" / "web"
    (repository / "repo" / "lib").mkdir()
    (repository / "repo" / "lib" / "fine.ncl").write_text('"fine"')
    (stack / "stays.ncl").symlink_to("../../lib/fine.ncl")
    (repository / "library" / "fine.txt").write_text("fine")
    (repository / "library" / "more.ncl").write_text('import "fine.txt"')
    if layers == "no kernel":
        without_kernel(monkeypatch)
    if layers == "no check":
        without_check(monkeypatch)
    text = f'{{ name = "s", vars.a = {FINE[name]} }}'.replace("@REPO@", str(repository / "repo"))
    seen, found = brought_out(stack, text, import_paths=(repository / "library",))
    assert found == (), seen
    assert "fine" in seen


def test_another_root_can_be_chosen(repository, either):
    stack = repository / "repo" / "stacks" / "web"
    text = f'{{ name = "s", vars.a = import "{repository}/outside/secret.txt" }}'
    assert CANARY in brought_out(stack, text, root=repository)[0]
    assert CANARY in brought_out(stack, text, root=Path("/"))[0]
    assert CANARY in brought_out(stack, text, import_paths=[repository / "outside"])[0]
    assert CANARY not in brought_out(stack, text, root=stack)[0]


# ---- what the check is not sure of ----

UNSURE = {
    "a package": "import foo",
    "a name that is interpolated": 'import "%{"a"}"',
    "a name that is computed": 'import ("a" ++ "b")',
}


@pytest.mark.parametrize("name", UNSURE)
def test_where_the_kernel_holds_nickel_speaks_and_else_the_check_refuses(repository, name, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    stack, text = repository / "repo" / "stacks" / "web", f'{{ name = "s",\n vars.a = {UNSURE[name]} }}'
    if jail.landlock():
        assert brought_out(stack, text)[1][0].code in {"syntax-error", "evaluation-error", "missing-import"}
    without_kernel(monkeypatch)
    (found,) = brought_out(stack, text)[1]
    assert (found.code, found.span.line) == ("unsure-import", 2)
    assert "--root /" in found.detail
    assert brought_out(stack, text, root=Path("/"))[1][0].code != "unsure-import"


# ---- what a report may quote ----


@pytest.mark.parametrize("where", ["@OUT@/secret.txt", "@WEB@/link.txt", "@WEB@/.g8r/key", "@REPO@/.git/config"])
def test_a_report_that_a_stack_forges_quotes_nothing_outside(repository, where, either, monkeypatch):
    stack = repository / "repo" / "stacks" / "web"
    file = where.replace("@OUT@", str(repository / "outside")).replace("@WEB@", str(stack)).replace("@REPO@", str(repository / "repo"))
    text = f'{{ name = "s", vars.a = std.fail_with "x\\nerror: boom\\n  ┌─ {file}:1:1\\n  │\\n1 │ x\\n  │ ^ here\\n\\n" }}'
    seen, found = brought_out(stack, text)
    assert found
    assert CANARY not in seen
    monkeypatch.setattr(session.Session, "hidden", lambda self, file: self.evaluator().internal(file))
    assert CANARY in brought_out(stack, text)[0], "without the guard it would"


# ---- sources, and the stack's own file ----

WRITTEN = {
    "main.ncl": '{{ name = "s",\n tasks.file.a = {{ path = "/a", source = "{}" }} }}',
    "main.yaml": "name: s\ntasks: {{file: {{a: {{path: /a,\n source: {}}}}}}}\n",
    "main.json": '{{"name": "s", "tasks": {{"file": {{"a": {{"path": "/a",\n "source": "{}"}}}}}}}}',
    "main.toml": 'name = "s"\n[tasks.file.a]\npath = "/a"\nsource = "{}"\n',
}
SOURCES = ["/etc/shadow", "../../../outside/secret.txt", "link.txt", "dir/secret.txt", ".g8r/key", "../../.git/config", "git/config"]


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_leads_out_is_an_error_with_its_line(repository, name, source, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    stack = repository / "repo" / "stacks" / "web"
    (stack / "git").symlink_to("../../.git")
    seen, found = brought_out(stack, WRITTEN[name].format(source), name)
    assert CANARY not in seen
    assert [one.code for one in found] == ["source"], seen
    assert Path(found[0].span.file).name == name
    assert "source" in (stack / name).read_text().splitlines()[found[0].span.line - 1]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_source_by_a_link_that_stays_in_reach_is_read(repository, name, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    stack = repository / "repo" / "stacks" / "web"
    (stack.parent / "shared").write_text("shared text")
    (stack / "shared").symlink_to("../shared")
    assert "shared text" in brought_out(stack, WRITTEN[name].format("shared"), name)[0]
    assert CANARY in brought_out(stack, WRITTEN[name].format("link.txt"), name, import_paths=[repository / "outside"])[0]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_stack_that_is_itself_a_link_out(repository, name, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")
    stack = repository / "repo" / "stacks" / "web"
    (stack / name).symlink_to(repository / "outside" / "broken")
    seen, (found,) = brought_out(stack, None, name)
    assert CANARY not in seen
    assert found.code == "outside-root"
    monkeypatch.setattr(reach, "refused_source", lambda *_: None)
    monkeypatch.setattr(session.Session, "hidden", lambda self, file: self.evaluator().internal(file))
    without_kernel(monkeypatch)
    assert CANARY in brought_out(stack, None, name)[0], "without the check it would"


# ---- vars files: the user's own ----


@pytest.mark.parametrize("name", ["vars.ncl", "vars.yaml"])
def test_a_vars_file_elsewhere_is_read_and_opens_nothing_to_the_stack(repository, name, either):
    mine = repository / "mine"
    mine.mkdir()
    (mine / "vars.ncl").write_text('{ a = import "value.txt" }')
    (mine / "vars.yaml").write_text("a: of mine\n")
    (mine / "value.txt").write_text("of mine")
    stack = repository / "repo" / "stacks" / "web"
    seen, _ = brought_out(stack, '{ name = "s", vars.a | default = "" }', variable_files=[mine / name])
    assert "of mine" in seen
    text = f'{{ name = "s", vars.a | default = import "{mine}/value.txt" }}'
    assert brought_out(stack, text, variable_files=[mine / name])[1][0].code == "outside-root"


@pytest.mark.parametrize("target", ["vars.ncl", "vars.yaml", "vars.json"])
def test_a_vars_file_in_the_repository_is_held_as_the_stack_is(repository, target, either):
    stack = repository / "repo" / "stacks" / "web"
    (stack / target).symlink_to(repository / "outside" / "broken")
    seen, (found,) = brought_out(stack, '{ name = "s", vars.a | default = "" }', variable_files=[stack / target])
    assert (found.code, CANARY in seen) == ("outside-root", False)
    (stack / "more.ncl").write_text(f'{{ a = import "{repository}/outside/secret.txt" }}')
    seen, (found,) = brought_out(stack, '{ name = "s", vars.a | default = "" }', variable_files=[stack / "more.ncl"])
    assert (found.code, CANARY in seen) == ("outside-root", False)
