"""A small Debian archive, and a resolver over it: what `apt` of the fake host knows and decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Status = Literal["installed", "half-configured", "unpacked", "config-files"]


class Deb(msgspec.Struct, frozen=True):
    """A version of a package. Of several of one name, the later in an archive is the newer. `a|b` in `depends` is either."""

    name: str
    version: str
    depends: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    conffiles: Mapping[str, str] = {}
    units: tuple[str, ...] = ()
    """Units that its postinst enables and starts."""
    fails: bool = False
    """Whether its postinst fails."""
    architecture: str = "amd64"

    def stanza(self) -> str:
        lines = [f"Package: {self.name}", f"Version: {self.version}", f"Architecture: {self.architecture}"]
        for field, values in (("Depends", self.depends), ("Recommends", self.recommends), ("Provides", self.provides)):
            if values:
                lines.append(f"{field}: {', '.join(value.replace('|', ' | ') for value in values)}")
        return "".join(f"{line}\n" for line in lines)


class Package(msgspec.Struct, frozen=True):
    """What dpkg knows of a package."""

    deb: Deb
    status: Status = "installed"
    want: Literal["install", "hold", "deinstall"] = "install"

    @property
    def held(self) -> bool:
        return self.want == "hold"

    @property
    def settled(self) -> Status:
        """What `dpkg --configure -a` makes of it."""
        return self.status if self.status == "config-files" else "installed"

    def fields(self) -> Mapping[str, str]:
        return {
            "Package": self.deb.name,
            "binary:Package": self.deb.name,
            "Architecture": self.deb.architecture,
            "Version": self.deb.version,
            "db:Status-Want": self.want,
            "db:Status-Eflag": "ok",
            "db:Status-Status": self.status,
        }


class Archive(msgspec.Struct, frozen=True):
    """What the sources offer; what the lists know of it (None: there are none), and since how many seconds."""

    offered: tuple[Deb, ...]
    listed: tuple[Deb, ...] | None
    age: int = 0
    sources: str = ""
    unreachable: str = ""
    """The address of a source that cannot be fetched."""


class Unresolvable(Exception):  # noqa: N818 - apt's own refusal, in its words
    pass


class Resolution(msgspec.Struct, frozen=True):
    """What apt decides to do. `installed` pairs what comes with the version that is there; `pulled_in` came for others."""

    installed: tuple[tuple[Deb, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    purged: tuple[str, ...] = ()
    pulled_in: tuple[str, ...] = ()
    downgrades: bool = False


class Resolver:
    """Decides as apt does in the simple cases: the first alternative, and what conflicts goes."""

    def __init__(self, listed: Sequence[Deb], packages: Mapping[str, Package], automatic: frozenset[str]) -> None:
        self._listed = listed
        self._packages = packages
        self._automatic = automatic
        self.installed = {name: package for name, package in packages.items() if package.status != "config-files"}

    # ---- installing ----

    def install(self, words: Sequence[str], *, recommends: bool) -> Resolution:
        coming: dict[str, Deb] = {}
        named = []
        for word in words:
            deb = self._find(word)
            named.append(deb.name)
            package = self.installed.get(deb.name)
            held = package is not None and package.held and "=" not in word
            if package is None or (package.deb.version != deb.version and not held) or package.status != "installed":
                coming[deb.name] = deb
        pending = list(coming.values())
        while pending:
            deb = pending.pop(0)
            for wanted in (*deb.depends, *(deb.recommends if recommends else ())):
                needed = self._needed(wanted, coming)
                if needed is not None:
                    coming[needed.name] = needed
                    pending.append(needed)
        leaving = self._leaving(coming, named)
        pairs = tuple((deb, self._old(deb)) for deb in reversed(coming.values()))
        new = tuple(sorted(deb.name for deb, old in pairs if not old and deb.name not in named))
        downgrades = any(old and self._rank(deb.name, old) > self._rank(deb.name, deb.version) for deb, old in pairs)
        return Resolution(pairs, leaving, pulled_in=new, downgrades=downgrades)

    def _find(self, word: str) -> Deb:
        name, _, version = word.partition("=")
        name = name.removesuffix(":amd64")
        known = [deb for deb in self._listed if deb.name == name]
        if version:
            matching = [deb for deb in known if fnmatchcase(deb.version, version)]
            there = self.installed.get(name)
            if matching:
                return matching[-1]
            if there is not None and fnmatchcase(there.deb.version, version):
                return there.deb
            raise _no_version(name, version) if known or there else _unlocatable(name)
        if known:
            return known[-1]
        if name in self.installed:
            return self.installed[name].deb
        if any(name in deb.provides or name in deb.depends for deb in self._listed):
            raise _virtual(name)
        raise _unlocatable(name)

    def _old(self, deb: Deb) -> str:
        package = self.installed.get(deb.name)
        return package.deb.version if package else ""

    def _rank(self, name: str, version: str) -> int:
        versions = [deb.version for deb in self._listed if deb.name == name]
        return versions.index(version) if version in versions else -1

    def _needed(self, wanted: str, coming: Mapping[str, Deb]) -> Deb | None:
        """What must come for a relation; None where it holds already."""
        names = wanted.split("|")
        for name in names:
            debs = [*coming.values(), *(package.deb for package in self.installed.values())]
            if any(name == deb.name or name in deb.provides for deb in debs):
                return None
        for name in names:
            found = [deb for deb in self._listed if name == deb.name or name in deb.provides]
            if found:
                return found[-1]
        raise _uninstallable(wanted)

    def _leaving(self, coming: Mapping[str, Deb], named: Sequence[str]) -> tuple[tuple[str, str], ...]:
        gone: set[str] = set()
        for deb in coming.values():
            for other in coming.values():
                if other is not deb and _clash(deb, other):
                    raise _breaking()
            gone |= {name for name, package in self.installed.items() if name != deb.name and _clash(deb, package.deb)}
        gone = self._with_dependents(gone - coming.keys(), coming)
        if gone & set(named):
            raise _breaking()
        return tuple((name, self.installed[name].deb.version) for name in sorted(gone))

    # ---- removing ----

    def remove(self, names: Sequence[str], *, along: bool) -> Resolution:
        gone = set()
        purged = []
        for name in names:
            if name in self.installed:
                gone.add(name)
            elif name in self._packages:
                purged.append(name)
            elif not any(deb.name == name for deb in self._listed):
                raise _unlocatable(name)
        gone = self._with_dependents(gone, {})
        if along:
            gone |= self._unneeded(gone)
        return Resolution(removed=tuple((name, self.installed[name].deb.version) for name in sorted(gone)), purged=tuple(purged))

    def _with_dependents(self, gone: set[str], coming: Mapping[str, Deb]) -> set[str]:
        while True:
            left = [package.deb for name, package in self.installed.items() if name not in gone] + list(coming.values())
            names = {name for deb in left for name in (deb.name, *deb.provides)}
            broken = {deb.name for deb in left if deb.name in self.installed and not all(_holds(wanted, names) for wanted in deb.depends)}
            if not broken - gone:
                return gone
            gone = gone | broken

    def _unneeded(self, gone: set[str]) -> set[str]:
        left = {name: package.deb for name, package in self.installed.items() if name not in gone}
        needed, pending = set[str](), [name for name in left if name not in self._automatic]
        while pending:
            name = pending.pop()
            if name in needed or name not in left:
                continue
            needed.add(name)
            wanted = {part for relation in (*left[name].depends, *left[name].recommends) for part in relation.split("|")}
            pending += [other for other, deb in left.items() if other in wanted or wanted & set(deb.provides)]
        return left.keys() - needed


def _unlocatable(name: str) -> Unresolvable:
    return Unresolvable(f"Unable to locate package {name}")


def _no_version(name: str, version: str) -> Unresolvable:
    return Unresolvable(f"Version '{version}' for '{name}' was not found")


def _virtual(name: str) -> Unresolvable:
    return Unresolvable(f"Package '{name}' has no installation candidate")


def _uninstallable(wanted: str) -> Unresolvable:
    return Unresolvable(f"Unable to correct problems, you have held broken packages ({wanted} is not installable).")


def _breaking() -> Unresolvable:
    return Unresolvable("Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages")


def _clash(deb: Deb, other: Deb) -> bool:
    return any(name == other.name or name in other.provides for name in deb.conflicts)


def _holds(wanted: str, names: Iterable[str]) -> bool:
    return any(name in names for name in wanted.split("|"))


_UNIT = (
    "[Unit]\nDescription={0}\n"
    "[Service]\nExecStart=/usr/sbin/{0}\nExecReload=/bin/kill -HUP $MAINPID\n[Install]\nWantedBy=multi-user.target\n"
)

BASE = (
    Deb("apt", "2.6.1"),
    Deb("bash", "5.2.15-2+b2"),
    Deb("dpkg", "1.21.22"),
    Deb("libc6", "2.36-9+deb12u4"),
    Deb("systemd", "252.19-1~deb12u1", depends=("libc6",)),
)
"""What is installed on a fresh fake host."""

OFFERED = (
    *BASE,
    Deb("bash", "5.2.15-2+b7"),
    Deb("curl", "7.88.1-10+deb12u5", depends=("libc6", "libcurl4"), recommends=("ca-certificates",), files={"/usr/bin/curl": ""}),
    Deb("libcurl4", "7.88.1-10+deb12u5", depends=("libc6", "libssh2-1")),
    Deb("libssh2-1", "1.10.0-3+b1", depends=("libc6",)),
    Deb("ca-certificates", "20230311", architecture="all"),
    Deb(
        "nginx-common",
        "1.22.1-9",
        architecture="all",
        files={"/usr/lib/systemd/system/nginx.service": _UNIT.format("nginx")},
        conffiles={"/etc/nginx/nginx.conf": "# nginx\n", "/etc/nginx/conf.d/default.conf": "# site\n"},
    ),
    Deb(
        "nginx", "1.22.1-9", depends=("libc6", "nginx-common"), provides=("httpd",), files={"/usr/sbin/nginx": ""}, units=("nginx.service",)
    ),
    Deb("exim4-base", "4.96-15", depends=("libc6",)),
    Deb(
        "exim4-daemon-light",
        "4.96-15",
        depends=("exim4-base",),
        conflicts=("mail-transport-agent",),
        provides=("mail-transport-agent",),
        conffiles={"/etc/exim4/exim4.conf": "# exim\n"},
    ),
    Deb("postfix", "3.7.6-0", conflicts=("mail-transport-agent",), provides=("mail-transport-agent",), depends=("libc6", "ssl-cert")),
    Deb("ssl-cert", "1.1.2", architecture="all"),
    Deb("redis", "5:6.0.16-1", conffiles={"/etc/redis.conf": "# redis 6\n"}),
    Deb("redis", "5:7.0.11-1", conffiles={"/etc/redis.conf": "# redis 7\n"}),
    Deb("broken", "1.0", fails=True),
    Deb("tree", "2.1.0-1", depends=("libc6",), files={"/usr/bin/tree": ""}),
)
"""What a fresh fake host can get; of two versions the later is the newer."""
