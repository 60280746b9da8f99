"""Cases of the kind `package`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec
from case import Case, link, text

from g8r.executor.fake_host import FakeHost
from g8r.executor.fake_programs import apt, systemd
from g8r.executor.fake_programs.apt_archive import OFFERED, Archive, Deb

case = functools.partial(Case, kind="package")

WANTS = "/etc/systemd/system/multi-user.target.wants/nginx.service"


def there(*names: str, auto: tuple[str, ...] = (), held: tuple[str, ...] = ()) -> Callable[[FakeHost], None]:
    """Puts packages on a host."""

    def arrange(host: FakeHost) -> None:
        apt.install(host, *names, auto=auto)
        host.databases["dpkg"] = {
            name: msgspec.structs.replace(package, want="hold") if name in held else package for name, package in apt.packages(host).items()
        }

    return arrange


def lists(*, age: int = 0, listed: bool = True, unreachable: str = "") -> Callable[[FakeHost], None]:
    """How old the package lists are, if there are any."""

    def arrange(host: FakeHost) -> None:
        known = tuple(deb for deb in OFFERED if deb.name != "tree")
        host.databases["apt"] = Archive(
            OFFERED, known if listed else None, age=age, sources=apt.archive(host).sources, unreachable=unreachable
        )

    return arrange


def both(*arranges: Callable[[FakeHost], None]) -> Callable[[FakeHost], None]:
    def arrange(host: FakeHost) -> None:
        for each in arranges:
            each(host)

    return arrange


def version(name: str, expected: str | None, status: str = "installed") -> Callable[[FakeHost], None]:
    def check(host: FakeHost) -> None:
        found = apt.packages(host).get(name)
        assert (found and (found.deb.version, found.status)) == (expected and (expected, status))

    return check


def marks(*, auto: tuple[str, ...] = (), held: tuple[str, ...] = ()) -> Callable[[FakeHost], None]:
    def check(host: FakeHost) -> None:
        assert apt.automatic(host) == set(auto)
        assert {name for name, package in apt.packages(host).items() if package.held} == set(held)

    return check


def never_updated(host: FakeHost) -> None:
    assert ("run", ("apt-get", "-q", "update")) not in host.calls


def serves(host: FakeHost) -> None:
    assert systemd.runtimes(host)["nginx.service"].active == "active"
    marks(auto=("nginx-common",))(host)
    never_updated(host)


def residue(host: FakeHost) -> None:
    there("redis")(host)
    host.run(("apt-get", "remove", "redis"))


def new_source(host: FakeHost) -> None:
    """A source that came after the lists were fetched offers a package."""
    host.databases["apt"] = Archive((*OFFERED, Deb("caddy", "2.6")), OFFERED, sources=apt.archive(host).sources)
    host.place("/etc/apt/sources.list.d/caddy.sources", "Types: deb\n")


def killed(host: FakeHost) -> None:
    """dpkg was killed half-way through tree."""
    there("tree")(host)
    host.databases["dpkg"] = {
        name: msgspec.structs.replace(package, status="unpacked") if name == "tree" else package
        for name, package in apt.packages(host).items()
    }
    host.place("/var/lib/dpkg/updates/0001", "")


def locked(host: FakeHost) -> None:
    host.databases["dpkg-lock"] = "4711 (unattended-upgr)"


def other_packager(host: FakeHost) -> None:
    host._facts = msgspec.structs.replace(host.facts(), packager="")


# what a fake Debian remembers of packages that came and went
DATABASES = ("database dpkg", "database systemd", "database apt")

CASES = [
    case(
        name="with what it needs, and what that brings",
        params={"name": "nginx"},
        verdict="create",
        says="pulls in nginx-common",
        after={"/etc/nginx/conf.d/default.conf": text(None), WANTS: link("/lib/systemd/system/nginx.service")},
        leaves=DATABASES,
        check=serves,
    ),
    case(
        name="with what it recommends",
        params={"name": "curl", "recommends": True},
        verdict="create",
        says="pulls in ca-certificates, libcurl4, libssh2-1",
        leaves=DATABASES,
        check=marks(auto=("ca-certificates", "libcurl4", "libssh2-1")),
    ),
    case(
        name="without what it recommends",
        params={"name": "curl"},
        verdict="create",
        says="pulls in libcurl4, libssh2-1",
        leaves=DATABASES,
        check=version("ca-certificates", None),
    ),
    case(name="as wanted", params={"name": "tree", "version": "2.1.*"}, arrange=there("tree"), verdict="unchanged", check=never_updated),
    case(
        name="as wanted, whatever the lists say",
        params={"name": "bash"},
        arrange=lists(listed=False),
        verdict="unchanged",
        check=never_updated,
    ),
    case(
        name="it came as a dependency",
        params={"name": "nginx-common"},
        arrange=there("nginx", auto=("nginx-common",)),
        verdict="update",
        check=marks(),
    ),
    case(
        name="an exact version",
        params={"name": "redis", "version": "5:6.0.16-1"},
        verdict="create",
        leaves=DATABASES,
        check=version("redis", "5:6.0.16-1"),
    ),
    case(
        name="a glob of versions",
        params={"name": "redis", "version": "5:6.*"},
        verdict="create",
        leaves=DATABASES,
        check=version("redis", "5:6.0.16-1"),
    ),
    case(
        name="a lower version",
        params={"name": "redis", "version": "5:6.*"},
        arrange=there("redis"),
        verdict="update",
        check=version("redis", "5:6.0.16-1"),
    ),
    case(
        name="a version that nobody offers",
        params={"name": "redis", "version": "9.*"},
        verdict="blocked",
        says="It offers 5:7.0.11-1, 5:6.0.16-1.",
    ),
    case(name="a name that nobody knows", params={"name": "ngin"}, verdict="blocked", says='Did you mean "nginx"?'),
    case(
        name="a virtual package",
        params={"name": "mail-transport-agent"},
        verdict="blocked",
        says="has no installation candidate. It is a virtual package",
    ),
    case(
        name="the latest, and there is a later one",
        params={"name": "redis", "ensure": "latest"},
        arrange=there("redis=5:6.*"),
        verdict="update",
        check=version("redis", "5:7.0.11-1"),
    ),
    case(name="the latest already", params={"name": "redis", "ensure": "latest"}, arrange=there("redis"), verdict="unchanged"),
    case(
        name="the latest, new",
        params={"name": "redis", "ensure": "latest"},
        verdict="create",
        leaves=DATABASES,
        check=version("redis", "5:7.0.11-1"),
    ),
    case(
        name="the latest, and the lists are old",
        params={"name": "redis", "ensure": "latest"},
        arrange=both(there("redis"), lists(age=90_000)),
        verdict="update",
        says="older than a day",
    ),
    case(
        name="old lists do not know it",
        params={"name": "tree"},
        arrange=lists(age=90_000),
        verdict="create",
        says="older than a day, or than their sources; apply fetches them",
        leaves=DATABASES,
        check=version("tree", "2.1.0-1"),
    ),
    case(
        name="no lists at all",
        params={"name": "tree"},
        arrange=lists(listed=False),
        verdict="create",
        says="there are no package lists yet",
        leaves=DATABASES,
        check=version("tree", "2.1.0-1"),
    ),
    case(
        name="no lists, and none to be had",
        params={"name": "tree"},
        arrange=lists(listed=False, unreachable="http://deb.debian.org/x"),
        verdict="create",
        fails="(some package lists could not be fetched: Failed to fetch http://deb.debian.org/x",
    ),
    case(
        name="from a source that is newer than the lists",
        params={"name": "caddy"},
        arrange=new_source,
        verdict="create",
        leaves=DATABASES,
        check=version("caddy", "2.6"),
    ),
    case(
        name="fresh lists do not know it", params={"name": "tree"}, arrange=lists(), verdict="blocked", says="Unable to locate package tree"
    ),
    case(
        name="an earlier step adds a source",
        params={"name": "tree"},
        arrange=lists(),
        promised=frozenset({"path:/etc/apt/sources.list.d/x.list"}),
        verdict="create",
        says="apt's sources change first",
        fails="Unable to locate package tree",
    ),
    case(
        name="in place of another",
        params={"name": "postfix"},
        arrange=there("exim4-daemon-light", auto=("exim4-base",)),
        verdict="create",
        says="also removes exim4-daemon-light",
        leaves=(*DATABASES, "/etc/exim4", "/etc/exim4/exim4.conf"),
        check=version("exim4-daemon-light", "4.96-15", "config-files"),
    ),
    case(name="held, new", params={"name": "tree", "hold": True}, verdict="create", leaves=DATABASES, check=marks(held=("tree",))),
    case(name="to be held", params={"name": "tree", "hold": True}, arrange=there("tree"), verdict="update", check=marks(held=("tree",))),
    case(
        name="to be released",
        params={"name": "tree", "hold": False},
        arrange=there("tree", held=("tree",)),
        verdict="update",
        check=marks(),
    ),
    case(
        name="held, and another version is wanted",
        params={"name": "redis", "version": "5:7.*"},
        arrange=there("redis=5:6.*", held=("redis",)),
        verdict="blocked",
        says="set hold = false to release it",
    ),
    case(
        name="held at another version",
        params={"name": "redis", "version": "5:7.*", "hold": True},
        arrange=there("redis=5:6.*", held=("redis",)),
        verdict="update",
        check=both(version("redis", "5:7.0.11-1"), marks(held=("redis",))),
    ),
    case(name="absent already", params={"name": "tree", "ensure": "absent"}, verdict="unchanged"),
    case(name="absent already, and unknown", params={"name": "nonesuch", "ensure": "absent"}, verdict="unchanged"),
    case(
        name="to be absent",
        params={"name": "redis", "ensure": "absent"},
        arrange=there("redis"),
        verdict="delete",
        after={"/etc/redis.conf": text(None)},
        check=version("redis", "5:7.0.11-1", "config-files"),
    ),
    case(
        name="to be purged",
        params={"name": "redis", "ensure": "absent", "purge": True},
        arrange=there("redis"),
        verdict="delete",
        says="its configuration files are removed, too",
        after={"/etc/redis.conf": None},
        check=version("redis", None),
    ),
    case(
        name="only its configuration is left",
        params={"name": "redis", "ensure": "absent", "purge": True},
        arrange=residue,
        verdict="delete",
        after={"/etc/redis.conf": None},
        check=version("redis", None),
    ),
    case(name="its configuration may stay", params={"name": "redis", "ensure": "absent"}, arrange=residue, verdict="unchanged"),
    case(
        name="to be absent with what needs it",
        params={"name": "nginx-common", "ensure": "absent"},
        arrange=there("nginx", auto=("nginx-common",)),
        verdict="delete",
        says="also removes nginx",
        check=version("nginx", None),
    ),
    case(
        name="to be absent and held",
        params={"name": "redis", "ensure": "absent"},
        arrange=there("redis", held=("redis",)),
        verdict="blocked",
        says="is held on this host",
    ),
    case(
        name="to be absent and released",
        params={"name": "redis", "ensure": "absent", "hold": False, "purge": True},
        arrange=there("redis", held=("redis",)),
        verdict="delete",
        check=version("redis", None),
    ),
    case(
        name="dpkg was killed",
        params={"name": "tree"},
        arrange=killed,
        verdict="update",
        check=version("tree", "2.1.0-1"),
    ),
    case(
        name="it cannot be configured",
        params={"name": "broken"},
        verdict="create",
        fails="apt failed: Sub-process /usr/bin/dpkg returned an error code (1)",
    ),
    case(
        name="somebody else installs packages",
        params={"name": "tree"},
        arrange=locked,
        verdict="create",
        fails="process 4711 (unattended-upgr) holds the lock",
    ),
    case(name="without apt", params={"name": "tree"}, arrange=other_packager, verdict="blocked", says="no package manager"),
    case(name="without root", params={"name": "tree"}, user="ada", verdict="blocked", says="only root may manage packages"),
]
