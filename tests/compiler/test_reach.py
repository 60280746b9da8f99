"""What the root is, and what is in it."""

from pathlib import Path

import pytest

from g8r.compiler import reach


@pytest.fixture
def tree(tmp_path):
    for folder in ("repo/.git", "repo/stacks/web/.g8r", "repo/stacks/web/files", "repo/lib", "alone", "other"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def of(named, root=None, others=()):
    return reach.of(named, root, others)


def test_the_repository_is_the_root(tree):
    found = of(tree / "repo/stacks/web/main.ncl")
    assert (found.root, found.chosen) == (tree / "repo", "repository")


def test_a_work_tree_or_submodule_has_a_file_for_git(tree):
    (tree / "repo/stacks/.git").write_text("gitdir: elsewhere")
    assert of(tree / "repo/stacks/web/main.ncl").root == tree / "repo/stacks"


def test_else_the_stacks_own_folder(tree):
    found = of(tree / "alone/main.ncl")
    assert (found.root, found.chosen) == (tree / "alone", "folder")


def test_a_home_that_is_a_repository_is_no_root(tree, monkeypatch):
    monkeypatch.setenv("HOME", str(tree / "repo"))
    assert of(tree / "repo/stacks/web/main.ncl").root == tree / "repo/stacks/web"


def test_a_root_that_is_chosen(tree):
    (tree / "link").symlink_to("other")
    found = of(tree / "repo/stacks/web/main.ncl", tree / "link")
    assert (found.root, found.chosen) == (tree / "other", "option")
    assert of(tree / "alone/main.ncl", Path("/")).everything


def test_a_link_to_a_stack_does_not_carry_the_root_with_it(tree):
    (tree / "repo/stacks/out").symlink_to(tree / "other")
    (tree / "other/main.ncl").write_text("{}")
    found = of(tree / "repo/stacks/out/main.ncl")
    assert found.root == tree / "repo"
    assert not found.holds(tree / "other/main.ncl")


def test_a_relative_name(tree, monkeypatch):
    monkeypatch.chdir(tree / "repo/stacks/web")
    assert of(Path("main.ncl")).root == of(Path("../web/main.ncl")).root == tree / "repo"


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("repo/lib/x.ncl", True),
        ("repo", True),
        ("repo/.gitignore", True),
        ("repo/not/there", True),
        ("repo/lib/../../alone/x", False),
        ("repo2/x", False),
        ("repo/.git/config", False),
        ("repo/.GIT/config", False),
        ("repo/lib/.git", False),
        ("repo/stacks/web/.g8r/key", False),
        ("repo/link/x", False),
        ("other/x", True),
        ("", False),
    ],
)
def test_what_is_held(tree, path, held):
    (tree / "repo/link").symlink_to("../alone")
    assert of(tree / "repo/stacks/web/main.ncl", None, [tree / "other"]).holds(tree / path) is held


def test_what_the_jail_is_given_leaves_out_what_is_apart(tree):
    (tree / "repo/lib/x.ncl").write_text("1")
    (tree / "repo/link").symlink_to("../alone")
    found = of(tree / "repo/stacks/web/main.ncl", None, [tree / "other"])
    assert sorted(found.readable()) == [tree / "other", tree / "repo/lib", tree / "repo/stacks/web/files"]
    assert of(tree / "alone/main.ncl").readable() == (tree / "alone",)


def test_what_is_larger_than_any_source_is_not_read(tree, monkeypatch):
    (tree / "alone/main.ncl").write_text('import "big.ncl"')
    with (tree / "alone/big.ncl").open("wb") as big:
        big.truncate(reach.SCANNED + 1)
    found = reach.closure([tree / "alone/main.ncl"], [])
    assert (sorted(found.files), found.complete) == ([tree / "alone/main.ncl"], False)


def test_files_that_import_each_other(tree):
    (tree / "alone/main.ncl").write_text('import "b.ncl"')
    (tree / "alone/b.ncl").write_text('[import "main.ncl", import "b.ncl" as \'Text]')
    found = reach.closure([tree / "alone/main.ncl"], [])
    assert (sorted(path.name for path in found.files), found.complete) == (["b.ncl", "main.ncl"], True)
