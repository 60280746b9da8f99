"""What a stack that somebody else wrote can do to the machine that checks it: the commands."""

import pytest

OUT = '{ name = "s", vars.a = import "../secret.txt" }'


@pytest.fixture
def secret(folder):
    (folder.path.parent / "secret.txt").write_text("hunter2")
    folder.write("main.ncl", OUT)
    return folder


@pytest.mark.parametrize("verb", ["validate", "plan", "apply", "explain", "graph"])
def test_every_command_that_evaluates_is_kept_in(secret, verb):
    ran = secret.g8r(verb, *(["vars.a"] if verb == "explain" else []))
    assert ran.code == 1
    assert 'the import "../secret.txt" leads out of the stack\'s folder' in ran.err
    assert "hunter2" not in ran.out + ran.err


def test_root_and_import_path(secret):
    assert "Success!" in secret.ok("validate", "--root", "..")
    assert "Success!" in secret.ok("validate", "--import-path", "..")
    assert secret.g8r("validate", "--root", ".").code == 1


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_every_format_names_the_line(secret, form):
    ran = secret.g8r("validate", "--format", form)
    assert ran.code == 1
    assert "outside-root" in ran.out or "leads out" in ran.out
    assert "main.ncl" in ran.out


FORGED = '{"name":"s","vars":{"a":"forged"},"tasks":{},"hosts":{}}'


def test_a_cache_that_comes_with_the_repository_is_not_looked_at(folder, monkeypatch):
    folder.write("main.ncl", '{ name = "s", vars.a = "true", outputs.a = "@{vars.a}" }')
    (folder.path / ".g8r").mkdir()
    folder.ok("validate")
    kept = list((folder.path.parent / "home" / "cache").iterdir())
    assert len(kept) == 1, "the user's own folder"
    assert not (folder.path / ".g8r" / "cache").exists()
    import hashlib

    forged = hashlib.sha256(FORGED.encode()).hexdigest().encode() + b"\n" + FORGED.encode()
    folder.write(f".g8r/cache/{kept[0].name}", forged.decode())
    explained = folder.ok("graph", "--format", "dot")
    assert "forged" not in explained
    folder.write("main.ncl", '{ name = "s", vars.a | Number = "true" }')
    assert folder.g8r("validate").code == 1
    kept[0].write_bytes(forged)
    folder.write("main.ncl", '{ name = "s", vars.a = "true", outputs.a = "@{vars.a}" }')
    from g8r.cli.session import Choice, Session

    session = Session(Choice())
    assert session.load().stack.vars == {"a": "forged"}, "the entry would be taken from there, so the attack is real"
    session.close()


def test_bombs_in_plain_languages_are_refused(folder):
    deep = 100_000
    for name, text in (
        ("main.json", "[" * deep),
        ("main.json", '{"a":' * deep),
        ("main.yaml", "[" * deep),
        ("main.yaml", "- " * deep),
        ("main.toml", "a = " + "[" * deep),
        ("main.toml", ".".join(["a"] * deep) + " = 1"),
    ):
        folder.write(name, text)
        ran = folder.child("validate")
        assert ran.returncode == 1, (name, ran.returncode, ran.stderr[-300:])
        assert "error" in ran.stderr
        assert "Traceback" not in ran.stderr
        (folder.path / name).unlink()


def test_a_stack_that_is_far_too_large_is_not_read(folder):
    for name in ("main.ncl", "main.yaml", "main.json", "main.toml"):
        with (folder.path / name).open("wb") as file:
            file.truncate(1 << 40)
        ran = folder.g8r("validate")
        assert ran.code == 1
        assert "larger than 64 MiB" in ran.err
        (folder.path / name).unlink()


# ---- policies, and tests of the user's own ----


def test_a_policy_is_held_as_the_stack_is_where_it_lies_with_it(secret):
    secret.write("main.ncl", '{ name = "s" }')
    policy = '{ policies.p = { on = \'stack, check = fun _ => [{ message = import "../secret.txt" }] } }'
    secret.write("p.ncl", policy)
    ran = secret.g8r("validate", "--policy", "p.ncl")
    assert (ran.code, "leads out" in ran.err, "hunter2" in ran.err) == (1, True, False)
    (secret.path / "link.ncl").symlink_to("../secret.txt")
    ran = secret.g8r("validate", "--policy", "link.ncl")
    assert (ran.code, "leads out" in ran.err, "hunter2" in ran.err) == (1, True, False)


def test_a_policy_elsewhere_is_the_users_own(secret):
    secret.write("main.ncl", '{ name = "s" }')
    mine = secret.path.parent / "mine"
    mine.mkdir()
    (mine / "text.txt").write_text("not so")
    (mine / "p.ncl").write_text('{ policies.p = { on = \'stack, check = fun _ => [{ message = import "text.txt" }] } }')
    ran = secret.g8r("validate", "--policy", mine / "p.ncl")
    assert ran.code == 1
    assert "not so" in ran.err


@pytest.mark.parametrize("jail", ["kernel", "off"])
def test_test_files_and_their_stacks_are_held(secret, jail, monkeypatch):
    if jail == "off":
        monkeypatch.setenv("G8R_JAIL", "off")
    secret.write("main.ncl", '{ name = "s", vars.a | default = "" }')
    secret.write("main.test.ncl", '{ tests.a = { vars.a = import "../secret.txt", expect = { tasks = [] } } }')
    ran = secret.g8r("test")
    assert (ran.code, "leads out" in ran.out + ran.err, "hunter2" in ran.out + ran.err) == (1, True, False)
    assert "leads out" not in secret.g8r("test", "--root", "..").out
    secret.write("main.ncl", OUT)
    secret.write("main.test.ncl", "{ tests.a = { expect = { tasks = [] } } }")
    ran = secret.g8r("test")
    assert (ran.code, "leads out" in ran.out + ran.err, "hunter2" in ran.out + ran.err) == (1, True, False)
    (secret.path / "secret").symlink_to("../secret.txt")
    secret.write("main.ncl", '{ name = "s", tasks.file.a = { path = "/a", source = "secret" } }')
    ran = secret.g8r("test")
    assert (ran.code, "leads out" in ran.out + ran.err, "hunter2" in ran.out + ran.err) == (1, True, False)
