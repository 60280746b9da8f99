"""What the Host port promises, held against both hosts: the one in memory and this very machine."""

import stat as modes
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from g8r.executor.fake_host import FakeHost
from g8r.executor.local_host import LocalHost
from g8r.host import Host, HostError, MissingProgramError
from g8r.value import digest


class Place:
    """A host, and a directory of it that belongs to the test."""

    def __init__(self, host: Host, root: str) -> None:
        self.host = host
        self.root = root

    def __truediv__(self, name: str) -> str:
        return f"{self.root}/{name}"


def fake_place() -> Place:
    host = FakeHost.debian()
    host.make_directory("/srv/test", mode=0o755)
    return Place(host, "/srv/test")


@pytest.fixture(params=["fake", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return fake_place() if request.param == "fake" else Place(LocalHost(), str(tmp_path))


def test_nothing_there(place: Place):
    assert place.host.stat(place / "a") is None
    assert place.host.follow(place / "a") is None
    assert place.host.look(place / "a", 10) is None
    assert place.host.stat(place / "a/b/c") is None
    with pytest.raises(HostError, match=f"it does not exist while reading {place / 'a'}"):
        place.host.read(place / "a")
    with pytest.raises(HostError, match="while listing"):
        place.host.list(place / "a")


def test_the_root_is_a_directory(place: Place):
    found = place.host.stat("/")
    assert found is not None
    assert found.type == "directory"
    assert "etc" in place.host.list("/")
    for refused in (place.host.remove, place.host.remove_tree):
        with pytest.raises(HostError, match="never removed"):
            refused("/")


def test_write_and_read(place: Place):
    place.host.write(place / "a", b"hello\n", mode=0o640)
    found = place.host.stat(place / "a")
    assert found is not None
    assert (found.type, found.mode, found.owner, found.size, found.target) == ("file", 0o640, place.host.user, 6, None)
    assert place.host.read(place / "a") == b"hello\n"
    assert place.host.read(place / "a", 2) == b"he"
    assert place.host.read(place / "a", 0) == b""
    assert place.host.checksum(place / "a") == digest(b"hello\n")
    assert place.host.list(place.root) == ("a",)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_content_of_any_size(place: Place, size: int):
    content = bytes(index % 251 for index in range(size))
    place.host.write(place / "a", content, mode=0o600)
    assert place.host.read(place / "a") == content
    assert place.host.read(place / "a", size + 5) == content
    assert place.host.checksum(place / "a") == digest(content)
    assert place.host.look(place / "a", size) == (place.host.stat(place / "a"), content)
    assert place.host.look(place / "a", size - 1) == (place.host.stat(place / "a"), None)


def test_a_look_at_what_is_no_file(place: Place):
    place.host.make_link(place / "l", "/etc/passwd")
    place.host.make_directory(place / "d", mode=0o755)
    for name in ("l", "d"):
        assert place.host.look(place / name, 1 << 20) == (place.host.stat(place / name), None)


def test_a_write_keeps_owner_and_group_of_what_it_replaces(place: Place):
    if not place.host.privileged:
        pytest.skip("NOT RUN: only root can give a file to someone else; run the tests as root")
    place.host.write(place / "a", b"1", mode=0o644, owner="daemon", group="bin")
    place.host.write(place / "a", b"2", mode=0o600)
    found = place.host.stat(place / "a")
    assert (found.owner, found.group, found.mode) == ("daemon", "bin", 0o600)
    place.host.write(place / "b", b"", mode=0o600, owner="12345", group="54321")
    found = place.host.stat(place / "b")
    assert (found.owner, found.group) == ("12345", "54321")


def test_nobody_of_that_name(place: Place):
    with pytest.raises(HostError, match='no user "ghost-of-g8r"'):
        place.host.write(place / "a", b"", mode=0o644, owner="ghost-of-g8r")
    with pytest.raises(HostError, match='no group "ghost-of-g8r"'):
        place.host.make_directory(place / "a", mode=0o755, group="ghost-of-g8r")
    assert place.host.list(place.root) == ()


def test_a_write_replaces_a_link_itself(place: Place):
    place.host.write(place / "a", b"a", mode=0o644)
    place.host.make_link(place / "l", "a")
    place.host.write(place / "l", b"l", mode=0o644)
    assert place.host.stat(place / "l").type == "file"
    assert place.host.read(place / "a") == b"a"


def test_a_write_over_a_directory_is_refused(place: Place):
    place.host.make_directory(place / "d", mode=0o755)
    with pytest.raises(HostError, match=f"it is a directory while writing {place / 'd'}"):
        place.host.write(place / "d", b"", mode=0o644)
    with pytest.raises(HostError):
        place.host.make_link(place / "d", "x")
    assert place.host.list(place.root) == ("d",)


def test_a_missing_or_wrong_parent(place: Place):
    place.host.write(place / "f", b"", mode=0o644)
    for make in (
        lambda path: place.host.write(path, b"", mode=0o644),
        lambda path: place.host.make_directory(path, mode=0o755),
        lambda path: place.host.make_link(path, "x"),
    ):
        with pytest.raises(HostError, match=f"the directory {place / 'no'} does not exist"):
            make(place / "no/a")
        with pytest.raises(HostError, match="on the way is none"):
            make(place / "f/a")


def test_directories(place: Place):
    place.host.make_directory(place / "d", mode=0o2750)
    found = place.host.stat(place / "d")
    assert (found.type, found.mode) == ("directory", 0o2750)
    place.host.make_directory(place / "d/below", mode=0o755)
    assert place.host.stat(place / "d/below").mode == 0o755
    with pytest.raises(HostError, match="something is there already"):
        place.host.make_directory(place / "d", mode=0o755)
    with pytest.raises(HostError, match="no regular file"):
        place.host.read(place / "d")
    with pytest.raises(HostError, match="not empty"):
        place.host.remove(place / "d")
    place.host.remove(place / "d/below")
    place.host.remove(place / "d")
    assert place.host.stat(place / "d") is None


def test_links(place: Place):
    place.host.write(place / "a", b"a", mode=0o644)
    place.host.make_link(place / "l", "a")
    place.host.make_link(place / "l2", place / "l")
    place.host.make_link(place / "up", f"../{place.root.rpartition('/')[2]}/a")
    place.host.make_link(place / "dangling", "nowhere")
    place.host.make_link(place / "loop", "loop")
    found = place.host.stat(place / "l")
    assert (found.type, found.target, found.mode) == ("link", "a", 0o777)
    for name in ("l", "l2", "up"):
        assert place.host.follow(place / name) == place.host.stat(place / "a")
    assert place.host.follow(place / "dangling") is None
    with pytest.raises(HostError, match="symbolic link"):
        place.host.follow(place / "loop")
    with pytest.raises(HostError, match="symbolic link"):
        place.host.read(place / "l")
    with pytest.raises(HostError):
        place.host.list(place / "l")
    place.host.make_link(place / "l", "b")
    assert place.host.stat(place / "l").target == "b"
    place.host.make_link(place / "a", "l")
    assert place.host.stat(place / "a").type == "link"
    place.host.remove(place / "a")
    assert place.host.stat(place / "a") is None


def test_own_links_in_parents_are_followed(place: Place):
    place.host.make_directory(place / "d", mode=0o755)
    place.host.make_directory(place / "d/e", mode=0o755)
    place.host.make_link(place / "l", "d/../d/./e")
    place.host.write(place / "l/a", b"a", mode=0o644)
    assert place.host.read(place / "d/e/a") == b"a"
    assert place.host.read(place / "l/a") == b"a"
    assert place.host.list(place / "l/../e") == ("a",)
    place.host.remove(place / "l/a")
    assert place.host.list(place / "d/e") == ()


def test_links_in_a_directory_that_others_may_write_are_not_followed(place: Place):
    place.host.make_directory(place / "d", mode=0o755)
    place.host.write(place / "d/f", b"", mode=0o644)
    place.host.make_directory(place / "pub", mode=0o1777)
    place.host.make_link(place / "pub/l", place / "d")
    for call in (
        place.host.stat,
        place.host.read,
        place.host.follow,
        place.host.remove,
        place.host.remove_tree,
        place.host.list,
        lambda path: place.host.write(path, b"", mode=0o644),
        lambda path: place.host.make_directory(path, mode=0o755),
        lambda path: place.host.make_link(path, "x"),
        lambda path: place.host.set_attributes(path, mode=0o777),
    ):
        with pytest.raises(HostError, match=f"{place / 'pub/l'} is a symbolic link that another user could have put there"):
            call(place / "pub/l/f")
    assert place.host.list(place / "d") == ("f",)


def test_attributes(place: Place):
    place.host.write(place / "a", b"a", mode=0o644)
    place.host.set_attributes(place / "a", mode=0o4755)
    assert place.host.stat(place / "a").mode == 0o4755
    place.host.make_link(place / "l", "a")
    with pytest.raises(HostError, match="has no mode of its own"):
        place.host.set_attributes(place / "l", mode=0o600)
    with pytest.raises(HostError, match="does not exist"):
        place.host.set_attributes(place / "no", mode=0o600)
    if place.host.privileged:
        place.host.set_attributes(place / "a", owner="daemon")
        found = place.host.stat(place / "a")
        assert (found.mode, found.owner, found.group) == (0o4755, "daemon", "root")
        place.host.set_attributes(place / "l", group="bin")
        assert place.host.stat(place / "l").group == "bin"
        assert place.host.stat(place / "a").group == "root"


def test_remove_what_is_gone(place: Place):
    place.host.write(place / "f", b"", mode=0o644)
    for path in (place / "a", place / "a/b", place / "f/b"):
        place.host.remove(path)
        place.host.remove_tree(path)
    assert place.host.list(place.root) == ("f",)


def test_remove_tree(place: Place):
    place.host.make_directory(place / "outside", mode=0o755)
    place.host.write(place / "outside/kept", b"", mode=0o644)
    place.host.make_directory(place / "d", mode=0o755)
    place.host.make_directory(place / "d/e", mode=0o755)
    place.host.write(place / "d/e/f", b"", mode=0o644)
    place.host.make_link(place / "d/l", place / "outside")
    place.host.make_link(place / "l", place / "outside")
    with pytest.raises(HostError):
        place.host.remove_tree(place / "l")
    with pytest.raises(HostError):
        place.host.remove_tree(place / "outside/kept")
    place.host.remove_tree(place / "d")
    assert place.host.list(place.root) == ("l", "outside")
    assert place.host.list(place / "outside") == ("kept",)


def test_programs(place: Place):
    run = place.host.run
    assert run(["true"], changes=False).code == 0
    assert run(["false"], changes=False).code == 1
    assert run(["echo", "-n", "a b"], changes=False).stdout == b"a b"
    assert run(["cat"], stdin=b"in\0out", changes=False).stdout == b"in\0out"
    assert run(["/usr/bin/cat", place / "no"], changes=False).code == 1
    assert place / "no" in run(["cat", place / "no"], changes=False).complaint
    with pytest.raises(MissingProgramError, match="no program no-such-program"):
        run(["no-such-program"])
    place.host.write(place / "a", b"a", mode=0o644)
    assert run(["cat", "a"], cwd=place.root, changes=False).stdout == b"a"
    run(["touch", place / "b"])
    assert place.host.list(place.root) == ("a", "b")


def test_accounts_and_groups(place: Place):
    root = place.host.accounts()["root"]
    assert (root.uid, root.gid, root.group, root.home) == (0, 0, "root", "/root")
    assert place.host.groups()["root"].gid == 0
    assert place.host.user in place.host.accounts()
    assert place.host.privileged is (place.host.accounts()[place.host.user].uid == 0)


def test_facts(place: Place):
    facts = place.host.facts()
    assert set(facts.os) == {"id", "family", "version", "codename", "name"}
    assert facts.kernel["name"] == "Linux"
    assert facts.memory["total_bytes"] > 0
    assert facts.cpu["count"] > 0
    assert facts.hostname


def test_blobs():
    content = b"blob"
    for host in (FakeHost(blobs={digest(content): content}), LocalHost({digest(content): content}.__getitem__)):
        assert host.fetch(digest(content)) == content
    for host in (FakeHost(), LocalHost()):
        with pytest.raises(HostError, match="did not travel with this plan"):
            host.fetch(digest(content))


CALLS = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "make_directory", "make_link", "set_attributes", "remove", "remove_tree", "stat", "follow", "look", "read", "list"]
        ),
        st.sampled_from(["a", "b", "d", "d/a", "d/d", "d/d/a", "l", "l/a"]),
        st.sampled_from(["a", "d", "l", "d/d", "../a", "/nowhere"]),
        st.sampled_from([0o644, 0o600, 0o755, 0o1777, 0o4711]),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(calls=CALLS)
def test_both_hosts_do_the_same(calls: list[tuple[str, str, str, int]], tmp_path_factory: pytest.TempPathFactory):
    """Any calls, one after the other, give the same answers, refusals and trees."""
    fake, real = fake_place(), Place(LocalHost(), str(tmp_path_factory.mktemp("both")))
    for name, path, target, mode in calls:
        said = [_outcome(place, name, path, target, mode) for place in (fake, real)]
        assert said[0] == said[1], (name, path, target)
    assert _tree(fake, fake.root) == _tree(real, real.root)


def _outcome(place: Place, name: str, path: str, target: str, mode: int) -> object:
    arguments = {"write": (target.encode(),), "make_link": (target,), "look": (len(target),)}.get(name, ())
    named = {"mode": mode} if name in {"write", "make_directory", "set_attributes"} else {}
    try:
        found = getattr(place.host, name)(place / path, *arguments, **named)
    except HostError as error:
        return _kind_of_refusal(str(error).replace(place.root, ""))
    if name == "look":
        return found and (_shown(found[0]), found[1])
    return _shown(found) if name in {"stat", "follow"} else found


def _kind_of_refusal(message: str) -> str:
    """Which of the ways to be no directory it was is the kernel's choice."""
    for same in ("on the way is none", "symbolic link is in the way"):
        if same in message:
            return "no directory"
    return message


def _shown(found) -> object:
    return found and (found.type, found.mode, found.target, found.size if found.type == "file" else 0)


def _tree(place: Place, path: str) -> object:
    return {name: _node(place, f"{path}/{name}") for name in place.host.list(path)}


def _node(place: Place, path: str) -> object:
    shown = _shown(place.host.stat(path))
    match shown[0]:
        case "directory":
            return (shown, _tree(place, path))
        case "file":
            return (shown, place.host.read(path))
        case _:
            return shown


def test_modes_are_exact_whatever_the_umask(tmp_path: Path):
    host = LocalHost()
    for mode in (0o777, 0o666, 0o000, 0o7777):
        host.write(f"{tmp_path}/{mode:o}", b"", mode=mode)
        host.make_directory(f"{tmp_path}/d{mode:o}", mode=mode)
        assert modes.S_IMODE((tmp_path / f"{mode:o}").stat().st_mode) == mode
        assert modes.S_IMODE((tmp_path / f"d{mode:o}").stat().st_mode) == mode
