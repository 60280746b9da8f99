"""plan, apply, show, drift, destroy: in this process."""

import json

import pytest

from g8r.cli import console


def test_plan_apply_plan(demo, golden):
    golden("cli/plan.txt", demo.plain(demo.ok("plan")))
    assert not (demo.path / ".g8r").exists(), "a plan that is not saved leaves nothing behind"
    assert demo.g8r("plan", "--detailed-exitcode").code == 2
    out = demo.plain(demo.ok("apply", "--yes"))
    assert "Done: 4 changed" in out
    assert "sum:  sha256:5891" in out
    assert demo.ok("plan", "--detailed-exitcode") == "No changes. The machine matches the stack.\n"
    assert demo.ok("apply") == "No changes. The machine matches the stack.\n"


def test_nothing_to_do_adopts_quietly_and_once(demo):
    out = demo.path / "out"
    out.mkdir()
    (out / "a").write_text("hello\n")
    (out / "b").write_text("sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n")
    for name in ("a", "b"):
        (out / name).chmod(0o644)
    out.chmod(0o755)
    first = demo.ok("apply")
    assert "4 resources are as wanted already and will be managed" in first
    assert "Done" not in first
    assert demo.ok("state", "list").count("adopted") == 4
    demo.ok("apply")
    assert len(json.loads(demo.ok("history", "--json"))) == 1


def test_apply_asks_and_refuses_where_nobody_can_answer(demo):
    ran = demo.g8r("apply")
    assert ran.code == 1
    assert "nobody can be asked" in ran.err
    assert not (demo.path / "out").exists()


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("y\n", 1), ("no\n", 1), ("", 1)])
def test_only_yes_is_yes(demo, monkeypatch, answer, code):
    import io

    stdin = io.StringIO(answer)
    stdin.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", stdin)
    ran = demo.g8r("apply")
    assert ran.code == code
    assert 'Only "yes" is taken as approval' in ran.out
    assert (demo.path / "out" / "a").exists() == (code == 0)
    assert ("Nothing was changed" in ran.out) == (code == 1)
    assert json.loads(demo.ok("state", "lock", "--json")) is None


def test_a_saved_plan(demo, golden):
    assert demo.ok("plan", "-o", "p.g8r").endswith("Saved to p.g8r. Apply exactly this with: g8r apply p.g8r\n")
    assert demo.ok("show", "p.g8r") == demo.ok("plan")
    shown = json.loads(demo.ok("show", "p.g8r", "--json"))
    assert [change["change"]["actions"] for change in shown["resource_changes"] if change["type"] == "file"] == [["create"], ["create"]]
    assert demo.ok("show", "p.g8r", "--markdown").startswith("#")
    (demo.path / "main.ncl").unlink()
    demo.ok("apply", "p.g8r")
    assert (demo.path / "out" / "a").read_text() == "hello\n"
    ran = demo.g8r("apply", "p.g8r")
    assert ran.code == 3
    assert "was applied already" in ran.err


def test_a_saved_plan_elsewhere_finds_its_state(demo, tmp_path):
    demo.ok("plan", "-o", tmp_path / "p.g8r")
    demo.ok("show", tmp_path / "p.g8r")
    demo.ok("apply", tmp_path / "p.g8r")
    assert (demo.path / ".g8r" / "state.db").exists()
    assert not (tmp_path / ".g8r").exists()


def test_a_saved_plan_of_another_workspace_is_applied_there(demo):
    demo.ok("plan", "-o", "p.g8r", "-w", "prod")
    demo.ok("apply", "p.g8r")
    assert "no resources" in demo.ok("state", "list")
    assert "file.a" in demo.ok("state", "list", "-w", "prod")


@pytest.mark.parametrize("option", [("--var", "place=/x"), ("--target", "file.a"), ("--refresh-only",), ("--on", "x"), ("--resume",)])
def test_a_saved_plan_is_frozen(demo, option):
    demo.ok("plan", "-o", "p.g8r")
    ran = demo.g8r("apply", "p.g8r", *option)
    assert ran.code == 1
    assert f"{option[0]} means nothing for the saved plan p.g8r" in ran.err


def edited(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("harm", [edited, lambda path: path.write_bytes(path.read_bytes()[:100]), lambda path: path.write_text("no")])
@pytest.mark.parametrize("verb", ["apply", "show"])
def test_a_damaged_plan_is_refused(demo, harm, verb):
    demo.ok("plan", "-o", "p.g8r")
    harm(demo.path / "p.g8r")
    ran = demo.g8r(verb, "p.g8r")
    assert ran.code == 3
    assert "plan" in ran.err
    assert not (demo.path / "out").exists()


def test_a_plan_of_another_state_is_refused(demo):
    demo.ok("plan", "-o", "p.g8r")
    (demo.path / ".g8r" / "key").unlink()
    ran = demo.g8r("apply", "p.g8r")
    assert ran.code == 3
    assert "was not made with this state's key" in ran.err


def test_an_expired_plan_is_refused(demo, monkeypatch):
    demo.ok("plan", "-o", "p.g8r")
    monkeypatch.setattr("g8r.cli.applying.now", lambda: "2999-01-01T00:00:00Z")
    ran = demo.g8r("apply", "p.g8r")
    assert ran.code == 3
    assert "the plan expired at" in ran.err


def test_a_plan_whose_tasks_were_touched_since_is_refused(demo):
    demo.ok("plan", "-o", "p.g8r")
    demo.ok("apply", "--yes")
    ran = demo.g8r("apply", "p.g8r", "--json")
    assert ran.code == 3
    assert ran.lines[-1]["type"] == "diagnostic"
    assert "another run touched" in ran.lines[-1]["diagnostic"]["summary"]


def test_a_moved_ground_makes_steps_stale(demo):
    demo.ok("apply", "--yes")
    (demo.path / "out" / "a").write_text("drifted\n")
    demo.ok("plan", "-o", "p.g8r")
    (demo.path / "out" / "a").write_text("moved on\n")
    ran = demo.g8r("apply", "p.g8r")
    assert ran.code == 3
    assert "Stale:" in ran.out
    assert (demo.path / "out" / "a").read_text() == "moved on\n"


def test_a_corrupt_and_a_newer_state(demo):
    demo.ok("apply", "--yes")
    state = demo.path / ".g8r" / "state.db"
    import apsw

    db = apsw.Connection(str(state))
    db.pragma("user_version", 99)
    db.close()
    for arguments in (("plan",), ("apply", "--yes"), ("state", "list"), ("output",), ("history",), ("destroy", "--yes")):
        ran = demo.g8r(*arguments)
        assert ran.code == 1
        assert "was written by a newer g8r" in ran.err
    state.write_bytes(b"garbage" * 100)
    for arguments in (("plan",), ("drift",), ("explain", "file.a")):
        ran = demo.g8r(*arguments)
        assert ran.code == 1
        assert "damaged" in ran.err


def test_the_stream_of_json(demo):
    ran = demo.g8r("apply", "--json", "--yes")
    assert ran.code == 0
    types = [line["type"] for line in ran.lines]
    assert types[0] == "version"
    assert types.count("planned_change") == 4
    assert types.count("apply_complete") == 4
    assert types[-1] == "outputs"
    assert ran.err == ""


def test_the_stream_of_json_ends_with_what_is_wrong(demo):
    demo.write("main.ncl", '{ name = "demo", tasks.file.a = { path = "no" } }')
    ran = demo.g8r("apply", "--json", "--yes")
    assert ran.code == 1
    assert [line["type"] for line in ran.lines] == ["version", "diagnostic"]
    assert demo.g8r("apply", "--json").code == 1


def test_a_blocked_plan(folder):
    folder.write(
        "main.yaml",
        'name: x\ntasks: {file: {a: {path: "@{vars.p}/no/a", content: x}, b: {path: "@{vars.p}/b", content: x}}}\nvars: {p: @PLACE@}\n',
    )
    assert folder.g8r("plan").code == 1
    ran = folder.g8r("apply", "--yes")
    assert ran.code == 1
    assert "blocked" in ran.err
    assert not (folder.path / "b").exists()
    assert folder.g8r("apply", "--yes", "--skip-blocked").code == 1
    assert (folder.path / "b").exists()


def test_drift(demo, golden):
    assert "No drift." in demo.ok("drift", "--detailed-exitcode")
    demo.ok("apply", "--yes")
    before = (demo.path / ".g8r" / "state.db").read_bytes()
    (demo.path / "out" / "a").write_text("drifted\n")
    (demo.path / "out" / "b").unlink()
    ran = demo.g8r("drift", "--detailed-exitcode")
    assert ran.code == 2
    golden("cli/drift.txt", demo.plain(ran.out))
    assert demo.g8r("drift").code == 0
    document = demo.g8r("drift", "--json").json
    assert [found["change"]["actions"] for found in document["resource_drift"]] == [["update"], ["delete"]]
    assert (demo.path / ".g8r" / "state.db").read_bytes() == before
    demo.ok("apply", "--refresh-only", "--yes")
    assert "No drift." in demo.ok("drift", "--detailed-exitcode")


def test_destroy(demo):
    demo.ok("apply", "--yes")
    assert demo.g8r("destroy").code == 1
    assert (demo.path / "out" / "a").exists()
    assert "Plan: 0 to create, 0 to change, 0 to replace, 1 to destroy" in demo.ok("destroy", "--target", "file.b", "--yes")
    assert not (demo.path / "out" / "b").exists()
    assert (demo.path / "out" / "a").exists()
    (demo.path / "out" / "count").unlink()
    demo.ok("destroy", "--yes")
    assert not (demo.path / "out").exists()
    assert demo.ok("destroy") == "No changes. There is nothing left to destroy.\n"


def test_a_target_of_destroy_brings_along_what_needs_it(demo):
    demo.ok("apply", "--yes")
    assert "2 to destroy" in demo.ok("destroy", "--target", "file.a", "--yes")
    assert sorted(path.name for path in (demo.path / "out").iterdir()) == ["count"]


def test_an_exclusion_from_destroy_keeps_what_it_needs(demo):
    demo.ok("apply", "--yes")
    assert "1 to destroy" in demo.ok("destroy", "--exclude", "file.a", "--yes")
    assert sorted(path.name for path in (demo.path / "out").iterdir()) == ["a", "count"]


def test_resume(folder):
    folder.write("main.yaml", "name: x\ntasks: {command: {a: {argv: [test, -e, @PLACE@/go], run: once}}}\n")
    assert folder.g8r("apply", "--resume").code == 1
    assert folder.g8r("apply", "--yes").code == 1
    folder.write("go", "")
    assert "Done: 1 changed" in folder.ok("apply", "--resume")
    ran = folder.g8r("apply", "--resume")
    assert ran.code == 3
    assert "cannot be resumed" in ran.err
    assert len(json.loads(folder.ok("history", "--json"))) == 1


def test_fake_hosts_outlive_a_command(fleet):
    assert "6 to create" not in fleet.ok("plan", "--on", "web1")
    fleet.ok("apply", "--yes")
    assert fleet.ok("plan", "--detailed-exitcode") == "No changes. All 2 hosts match the stack.\n"
    assert json.loads((fleet.path / ".g8r/fake/default/web1.json").read_bytes())["nodes"]["/etc/site.conf"]["mode"] == 0o644
    fleet.ok("plan", "-w", "prod")
    fleet.ok("destroy", "--yes")
    assert "/etc/site.conf" not in (fleet.path / ".g8r/fake/default/web1.json").read_text()
    (fleet.path / ".g8r/fake/default/web1.json").write_text("{")
    ran = fleet.g8r("plan")
    assert ran.code == 1
    assert "fake host" in ran.err


def test_a_fake_host_fetches_a_binary_source(folder):
    (folder.path / "blob").write_bytes(b"\xff\xfe")
    folder.write("main.yaml", "name: x\nhosts: {h: {connection: fake}}\ntasks: {file: {a: {path: /etc/a, source: blob}}}\n")
    folder.ok("apply", "--yes")
    folder.ok("plan", "--detailed-exitcode")


def test_an_unreachable_host(folder):
    folder.write("main.yaml", "name: x\nhosts: {h: {connection: ssh}}\ntasks: {file: {a: {path: /etc/a}}}\n")
    ran = folder.g8r("plan")
    assert ran.code == 1
    assert "host 'h' cannot be reached" in ran.err


def test_where_nobody_can_be_asked_a_question_says_what_to_do(monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with pytest.raises(Exception, match="nobody can be asked"):
        console.agreed("Really?", unasked="Say --yes.")
