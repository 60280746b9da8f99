"""state, history, output, explain, trigger."""

import json

import pytest


@pytest.fixture
def applied(demo):
    demo.ok("apply", "--yes")
    return demo


def test_state_list_and_show(applied, golden):
    golden("cli/state-list.txt", applied.plain(applied.ok("state", "list")))
    golden("cli/state-show.txt", applied.plain(applied.ok("state", "show", "file.a")))
    assert applied.ok("show") == applied.ok("state", "list")
    listed = json.loads(applied.ok("state", "list", "--json"))
    assert [found["address"] for found in listed["resources"]] == [
        f"localhost/{name}" for name in ("command.count", "directory.out", "file.a", "file.b")
    ]
    assert json.loads(applied.ok("state", "show", "file.b", "--json"))["needs"] == ["localhost/directory.out", "localhost/file.a"]


def test_sensitive_values_are_masked(folder):
    folder.write("main.yaml", "name: x\ntasks: {file: {a: {path: @PLACE@/a, content: canary, sensitive: [content]}}}\n")
    folder.ok("apply", "--yes")
    for words in (
        ("state", "show", "file.a", "--json"),
        ("state", "list", "--json"),
        ("explain", "file.a"),
        ("explain", "file.a", "--json"),
    ):
        shown = folder.ok(*words)
        assert "canary" not in shown
        assert "(sensitive)" in shown


def test_an_unknown_address(applied):
    for words in (
        ("state", "show", "file.aa"),
        ("state", "forget", "file.aa"),
        ("explain", "file.aa"),
        ("state", "mv", "file.aa", "file.c"),
    ):
        ran = applied.g8r(*words)
        assert ran.code == 1
        assert 'unknown address "file.aa"' in ran.err
        assert 'Did you mean "file.a"?' in ran.err


def test_mv(applied):
    assert applied.ok("state", "mv", "file.a", "file.z") == "localhost/file.a is localhost/file.z now.\n"
    assert json.loads(applied.ok("state", "show", "file.b", "--json"))["needs"] == ["localhost/directory.out", "localhost/file.z"]
    assert "file.a stays" in applied.ok("plan") or "No changes" in applied.ok("plan")
    applied.ok("state", "mv", "localhost/file.z", "localhost/file.a")
    assert applied.ok("plan", "--detailed-exitcode") == "No changes. The machine matches the stack.\n"


@pytest.mark.parametrize(
    ("new", "said"),
    [("file.b", "is taken"), ("directory.a", "the kind must stay"), ("web1/file.c", "the host must stay"), ("nonsense", "is no address")],
)
def test_mv_refuses(applied, new, said):
    before = applied.ok("state", "list")
    ran = applied.g8r("state", "mv", "file.a", new)
    assert ran.code == 1
    assert said in ran.err
    assert applied.ok("state", "list") == before


def test_forget_lets_go_of_the_host_too(applied):
    (applied.path / "other").mkdir()
    applied.write("other/main.yaml", 'name: other\ntasks: {file: {a: {path: "@PLACE@/out/a", content: "hi\\n"}}}\n')
    ran = applied.g8r("apply", "other", "--yes")
    assert ran.code == 1
    assert "is managed by stack 'demo'" in ran.err
    assert "is forgotten" in applied.ok("state", "forget", "file.a")
    assert "file.a" not in applied.ok("state", "list").replace("file.b", "")
    applied.ok("apply", "other", "--yes")


def test_state_can_be_looked_at_without_a_readable_source(applied):
    applied.write("main.ncl", "{ nonsense")
    ran = applied.g8r("state", "list")
    assert ran.code == 0
    assert "localhost/file.a" in ran.out
    assert 'This is of "demo", which the state knows.' in ran.err
    assert applied.g8r("state", "list", "main.ncl").code == 1


def test_rebuild_after_a_loss(applied):
    import shutil

    shutil.rmtree(applied.path / ".g8r")
    assert applied.g8r("state", "rebuild").code == 1
    out = applied.ok("state", "rebuild", "--yes")
    assert out == "Recorded 4, 4 of them as adopted; 0 are not there. `g8r plan` shows what is left to do.\n"
    assert applied.ok("state", "list").count("adopted") == 4
    assert "Nothing to record" in applied.ok("state", "rebuild")
    applied.ok("plan", "--detailed-exitcode")


def test_lock(applied):
    assert applied.ok("state", "lock") == "Nobody holds the lock.\n"
    from g8r.executor import store_owner
    from g8r.executor.store import SqliteStore

    store = SqliteStore(applied.path / ".g8r" / "state.db")
    store.lease("elsewhere:7:8", "apply", "2999-01-01T00:00:00Z", 60.0, store_owner.alive)
    assert "elsewhere:7:8 holds the lock for apply" in applied.ok("state", "lock")
    ran = applied.g8r("apply", "--yes")
    assert ran.code == 1
    assert "the state is in use: apply by elsewhere:7:8" in ran.err
    assert applied.g8r("state", "lock", "--break").code == 1
    assert "The lock is free" in applied.ok("state", "lock", "--break", "--yes")
    applied.ok("apply", "--yes")


def test_history(applied, golden):
    shown = applied.plain(applied.ok("history"))
    assert "done" in shown
    assert "4 changed, 1 unchanged" in shown
    run = json.loads(applied.ok("history", "--json"))[0]["id"]
    outcomes = applied.plain(applied.ok("history", "--run", run))
    assert "localhost/command.count#run  changed" in outcomes
    told = json.loads(applied.ok("history", "--run", run, "--json"))
    assert {found["outcome"] for found in told["outcomes"]} == {"changed", "unchanged"}
    assert "100%" in applied.ok("history", "--fidelity")
    assert json.loads(applied.ok("history", "--fidelity", "--json"))[0]["kind"] == "directory"
    ran = applied.g8r("history", "--run", "nope")
    assert ran.code == 1
    assert "there is no run nope" in ran.err


def test_history_tells_why_a_step_failed(folder):
    folder.write(
        "main.yaml", "name: x\ntasks: {command: {a: {argv: ['false'], run: once}, b: {argv: ['true'], run: once, needs: [command.a]}}}\n"
    )
    assert folder.g8r("apply", "--yes").code == 1
    run = json.loads(folder.ok("history", "--json"))[0]["id"]
    shown = folder.ok("history", "--run", run)
    assert "false failed with exit code 1" in shown
    assert "skipped" in shown


def test_output(applied, golden):
    golden("cli/output.txt", applied.ok("output"))
    assert json.loads(applied.ok("output", "--json"))["size"] == {"sensitive": False, "type": "number", "value": 7}
    assert applied.ok("output", "sum", "--raw").startswith("sha256:5891")
    assert not applied.ok("output", "sum", "--raw").endswith("\n")
    assert applied.ok("output", "size") == "7\n"
    assert json.loads(applied.ok("output", "list", "--json")) == [1, "two"]
    for words, said in [
        (("nope",), 'unknown output "nope"'),
        (("list", "--raw"), "is no plain value"),
        (("--raw",), "--raw shows one output"),
    ]:
        ran = applied.g8r("output", *words)
        assert ran.code == 1
        assert said in ran.err


def test_output_before_any_apply(demo):
    assert demo.ok("output") == "The stack has no outputs.\n"
    assert json.loads(demo.ok("output", "--json")) == {}


def test_explain(applied, golden):
    (applied.path / "out" / "b").write_text("drifted\n")
    golden("cli/explain.txt", applied.plain(applied.ok("explain", "file.b")))


def test_explain_on_several_hosts_and_where_vars_come_from(fleet, golden):
    golden("cli/explain-fleet.txt", fleet.plain(fleet.ok("explain", "file.conf")))
    assert "from group role=web" in fleet.ok("explain", "web2/file.conf")
    told = json.loads(fleet.ok("explain", "file.conf", "--json"))
    assert [one["address"] for one in told] == ["web1/file.conf", "web2/file.conf"]
    assert told[0]["after"][0]["address"] == "web1/service.nginx"


def test_trigger(applied):
    (applied.path / "out" / "count").unlink()
    assert "localhost/command.count#run: ran" in applied.ok("trigger", "command.count", "run")
    assert (applied.path / "out" / "count").exists()
    assert len(json.loads(applied.ok("history", "--json"))) == 2
    applied.ok("plan", "--detailed-exitcode")


def test_trigger_on_every_host_of_a_task(fleet):
    fleet.ok("apply", "--yes")
    out = fleet.ok("trigger", "service.nginx", "restart")
    assert "web1/service.nginx#restart" in out
    assert "web2/service.nginx#restart" in out
    assert "web2" not in fleet.ok("trigger", "web1/service.nginx", "restart")


@pytest.mark.parametrize(
    ("address", "verb", "said"),
    [
        ("command.count", "rnu", 'Did you mean "run"?'),
        ("file.a", "run", "It has none."),
        ("command.cuont", "run", 'Did you mean "command.count"?'),
        ("comand.count", "run", 'Did you mean "command"?'),
    ],
)
def test_trigger_refuses(applied, address, verb, said):
    ran = applied.g8r("trigger", address, verb)
    assert ran.code == 1
    assert said in ran.err


def test_a_trigger_by_hand_strikes_what_is_owed_and_needs_what_it_refers_to(folder):
    folder.write(
        "main.yaml",
        """\
name: x
tasks:
  file: {a: {path: @PLACE@/a, content: "1"}}
  command: {c: {argv: [sh, -c, 'test -e @PLACE@/go && echo $SUM > @PLACE@/ran'], env: {SUM: "@{file.a.checksum}"}, run_on: [file.a]}}
""",
    )
    assert folder.g8r("apply", "--yes").code == 1
    assert "owed: localhost/command.c#run" in folder.ok("state", "list")
    folder.write("go", "")
    folder.ok("trigger", "command.c", "run")
    assert (folder.path / "ran").read_text().startswith("sha256:")
    assert "owed" not in folder.ok("state", "list")
    folder.ok("plan", "--detailed-exitcode")


def test_a_trigger_with_a_change_pending_says_so(applied):
    (applied.path / "out" / "b").unlink()
    ran = applied.g8r("trigger", "command.count", "run")
    assert ran.code == 0
    applied.write("main.ncl", (applied.path / "main.ncl").read_text().replace("run_on", 'creates = "/nope/x", run_on'))
    assert "has a change pending" in applied.g8r("trigger", "command.count", "run").err
