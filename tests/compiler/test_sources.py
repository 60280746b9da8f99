import os

import pytest
from tiny_kinds import a_file, at, compiled, good, hosts, only, task

from g8r.compiler.sources import TEXT_LIMIT, SourceError, check_inside, folder_reader
from g8r.value import digest


def from_(**files):
    reads = []

    def read(path):
        reads.append(path)
        return files[path]

    return read, reads


def source(path, **more):
    return task("file.a", {"path": "/a", "source": path, **more})


def params(found, name="file.a"):
    return found.graph.tasks[at(name)].params


def test_text_goes_into_content_and_nothing_in_it_refers() -> None:
    read, _ = from_(motd="Grüße @{host.name} @@{x}\n".encode())
    found = good(source("motd"), read_source=read)
    assert params(found) == {"path": "/a", "content": "Grüße @@{host.name} @@@{x}\n"}
    assert found.blobs == {}


def test_what_is_no_text_or_large_goes_beside() -> None:
    for content in (b"\xff\x00", b"x" * (TEXT_LIMIT + 1)):
        read, _ = from_(blob=content)
        found = good(source("blob"), read_source=read)
        assert params(found) == {"path": "/a", "source": digest(content)}
        assert found.blobs == {digest(content): content}


def test_text_up_to_the_limit_is_text() -> None:
    read, _ = from_(text=b"x" * TEXT_LIMIT)
    assert params(good(source("text"), read_source=read))["content"] == "x" * TEXT_LIMIT


def test_a_source_is_read_once() -> None:
    read, reads = from_(motd=b"x")
    good(source("motd"), task("file.b", {"path": "/b/@{host.name}", "source": "motd"}), hosts=hosts("h1", "h2"), read_source=read)
    assert reads == ["motd"]


def test_a_source_may_hang_on_the_host() -> None:
    read, _ = from_(h1=b"one", h2=b"two")
    found = good(source("@{host.name}"), hosts=hosts("h1", "h2"), read_source=read)
    assert [params(found, f"{host}/file.a")["content"] for host in ("h1", "h2")] == ["one", "two"]


def test_a_source_that_hangs_on_unknown_facts_is_deferred() -> None:
    read, reads = from_()
    found = good(source("@{host.facts.os.family}"), read_source=read)
    assert (reads, found.graph.tasks[at("file.a")].identity) == ([], "")


def test_a_source_cannot_be_an_output() -> None:
    found = compiled(source("@{file.b.path}"), a_file("b", "/b"))
    assert only(found).code == "must-be-known"


def test_content_and_source_exclude_each_other() -> None:
    read, _ = from_(motd=b"x")
    diagnostic = only(compiled(source("motd", content="y"), read_source=read))
    assert diagnostic.path == ("tasks", "file", "a", "source")


def test_what_a_kind_says_of_the_content_is_shown_at_the_source() -> None:
    read, _ = from_(motd=b"forbidden")
    diagnostic = only(compiled(source("motd"), read_source=read))
    assert (diagnostic.summary, diagnostic.path) == ("file.a: the content is forbidden", ("tasks", "file", "a", "source"))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a/..", "", "x\0y", "."])
def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_read(path) -> None:
    read, reads = from_()
    diagnostic = only(compiled(source(path), read_source=read))
    assert (diagnostic.code, diagnostic.path, reads) == ("source", ("tasks", "file", "a", "source"), [])
    with pytest.raises(SourceError):
        check_inside(path)


# ---- from a folder


@pytest.fixture
def folder(tmp_path):
    stack = tmp_path / "stack"
    (stack / "files").mkdir(parents=True)
    (stack / "files" / "motd").write_bytes(b"hello")
    (tmp_path / "secret").write_bytes(b"secret")
    return stack


def refusal(folder, path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        folder_reader(folder)(path)
    return caught.value


def test_a_file_beside_the_stack_is_read(folder) -> None:
    assert folder_reader(folder)("files/motd") == b"hello"
    assert folder_reader(folder)("./files/motd") == b"hello"


def test_a_link_inside_may_be_followed_and_one_that_leads_out_not(folder) -> None:
    (folder / "in").symlink_to("files/motd")
    (folder / "out").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    assert folder_reader(folder)("in") == b"hello"
    assert "leads out" in refusal(folder, "out").summary
    assert "leads out" in refusal(folder, "up/secret").summary


def test_a_missing_file_is_told_with_what_may_be_meant(folder) -> None:
    assert 'Did you mean "files/motd"?' in refusal(folder, "files/mtod").detail
    assert 'Did you mean "files/motd"?' in refusal(folder, "file/motd").detail
    assert "there is no source" in refusal(folder, "files/motd/x").summary


def test_what_is_no_file_is_refused(folder) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    assert "is no file" in refusal(folder, "files").summary
    assert "is no file" in refusal(folder, "pipe").summary
    assert "loop" in refusal(folder, "loop").summary
    assert "leads out" in refusal(folder, "../secret").summary


def test_a_source_that_cannot_be_read_is_told_at_its_place(folder) -> None:
    found = compiled(source("files/mtod"), read_source=folder_reader(folder))
    diagnostic = only(found)
    assert diagnostic.summary == 'there is no source "files/mtod"'
    assert "source of file.a names it" in diagnostic.detail
