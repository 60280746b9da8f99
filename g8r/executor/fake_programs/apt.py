"""apt-get, apt-cache, apt-mark, dpkg, dpkg-query, and the find and date that tell how old the lists are.

What an archive offers, what the lists know of it and how old they are is the database `apt`; what is installed is the database `dpkg`;
marks are /var/lib/apt/extended_states. Answers as those of Debian 12 do, where g8r asks. Packages bring files, enable and start
units, leave configuration files behind unless they are purged, need, recommend and conflict with others, and may fail to configure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from g8r.executor.fake_host import FakeHost, Invocation, Program, always
from g8r.executor.fake_programs import systemd
from g8r.executor.fake_programs.apt_archive import BASE, OFFERED, Archive, Deb, Package, Resolution, Resolver, Unresolvable
from g8r.host import Ran
from g8r.value import digest

_STATES = "/var/lib/apt/extended_states"
_NOW = 1_800_000_000
_DESTINATION = "Debian:12/stable"


def archive(host: FakeHost) -> Archive:
    """What is offered and listed: for tests, too. A fresh host has fresh lists of the usual packages."""
    return cast("Archive", host.databases.get("apt") or Archive(OFFERED, OFFERED, sources=_sources(host)))


def packages(host: FakeHost) -> Mapping[str, Package]:
    """What dpkg knows: for tests, too."""
    return cast("Mapping[str, Package]", host.databases.get("dpkg") or {deb.name: Package(deb) for deb in BASE})


def automatic(host: FakeHost) -> frozenset[str]:
    text = host.read(_STATES).decode() if host.stat(_STATES) else ""
    return frozenset(re.findall(r"Package: (\S+)\nArchitecture: \S+\nAuto-Installed: 1", text))


def install(host: FakeHost, *names: str, auto: Sequence[str] = ()) -> None:
    """For tests: put packages on a host, with what they need."""
    _commit(host, Resolver(archive(host).offered, packages(host), automatic(host)).install(names, recommends=False), purge=False)
    _save_automatic(host, automatic(host) | set(auto))


def _save_automatic(host: FakeHost, names: frozenset[str] | set[str]) -> None:
    if names == automatic(host) and (names or host.stat(_STATES) is None):
        return
    stanzas = [f"Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n\n" for name in sorted(names)]
    if stanzas:
        host.write(_STATES, "".join(stanzas).encode(), mode=0o644)
    else:
        host.remove(_STATES)


def _sources(host: FakeHost) -> str:
    paths = ["/etc/apt/sources.list", *(f"/etc/apt/sources.list.d/{name}" for name in host.list("/etc/apt/sources.list.d"))]
    return digest(b"".join(host.read(path) for path in paths if host.stat(path)))


# ---- apt-get ----------------------------------------------------------------------------------------------------------------


def _apt_get(host: FakeHost, call: Invocation) -> Ran:
    words = [word for word in _words(call) if not word.startswith("-")]
    flags = {word for word in _words(call) if word.startswith("-")}
    if "-s" not in flags and (refused := _locked(host)):
        return refused
    if words[0] == "update":
        return _update(host)
    known = archive(host).listed or ()
    resolver = Resolver(known, packages(host), automatic(host))
    try:
        resolution = _resolve(resolver, words[0], words[1:], flags)
    except Unresolvable as refusal:
        return Ran(100, b"", f"E: {refusal}\n".encode())
    if unwilling := _unwilling(host, resolution, flags):
        return unwilling
    if "-s" in flags:
        return Ran(0, _simulated(resolution, purge=words[0] == "purge").encode(), b"")
    return _transaction(host, resolution, words)


def _words(call: Invocation) -> list[str]:
    """Without `-o` and its value."""
    words, skip = [], False
    for word in call.argv[1:]:
        if not skip and word != "-o":
            words.append(word)
        skip = word == "-o"
    return words


def _resolve(resolver: Resolver, verb: str, names: Sequence[str], flags: set[str]) -> Resolution:
    if verb == "install":
        known = [name for name in names if name.partition("=")[0] in resolver.installed] if "--only-upgrade" in flags else names
        return resolver.install(known, recommends="--install-recommends" in flags)
    return resolver.remove(names, along="--auto-remove" in flags)


def _simulated(resolution: Resolution, *, purge: bool) -> str:
    verb = "Purg" if purge else "Remv"
    lines = [f"{verb} {name} [{version}]" for name, version in resolution.removed]
    for deb, old in resolution.installed:
        was = f" [{old}]" if old else ""
        lines.append(f"Inst {deb.name}{was} ({deb.version} {_DESTINATION} [{deb.architecture}])")
    lines += [f"Conf {deb.name} ({deb.version} {_DESTINATION} [{deb.architecture}])" for deb, _ in resolution.installed]
    return "".join(f"{line}\n" for line in lines)


def _unwilling(host: FakeHost, resolution: Resolution, flags: set[str]) -> Ran | None:
    """What `-y` does not stand for, in a simulation, too."""
    there = packages(host)
    touched = {deb.name for deb, _ in resolution.installed} | {name for name, _ in resolution.removed}
    if "--allow-change-held-packages" not in flags and any(there[name].held for name in touched & there.keys()):
        return Ran(100, b"", b"E: Held packages were changed and -y was used without --allow-change-held-packages.\n")
    if "--allow-downgrades" not in flags and resolution.downgrades:
        return Ran(100, b"", b"E: Packages were downgraded and -y was used without --allow-downgrades.\n")
    return None


def _transaction(host: FakeHost, resolution: Resolution, words: Sequence[str]) -> Ran:
    if host.stat("/var/lib/dpkg/updates/0001") is not None:
        words_ = "dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
        return Ran(100, b"", f"E: {words_}\n".encode())
    broken = _commit(host, resolution, purge=words[0] == "purge")
    if words[0] == "install":
        _save_automatic(host, automatic(host) - {word.partition("=")[0] for word in words[1:]})
    if broken:
        lines = "".join(
            f"dpkg: error processing package {name} (--configure):\n installed {name} package post-installation script subprocess"
            " returned error exit status 1\n"
            for name in broken
        )
        return Ran(
            100, f"Setting up {broken[0]} ...\n".encode(), f"{lines}E: Sub-process /usr/bin/dpkg returned an error code (1)\n".encode()
        )
    return Ran(0, b"Reading package lists...\n", b"")


def _commit(host: FakeHost, resolution: Resolution, *, purge: bool) -> list[str]:
    """Make it so; the names of those that could not be configured."""
    there = dict(packages(host))
    for name, _ in resolution.removed:
        _take_away(host, there[name], purge=purge)
        if purge or not there[name].deb.conffiles:
            del there[name]
        else:
            there[name] = msgspec.structs.replace(there[name], status="config-files", want="deinstall")
    for name in resolution.purged:
        _forget_configuration(host, there.pop(name).deb)
    broken = []
    for deb, _ in resolution.installed:
        was = there.get(deb.name)
        _unpack(host, deb, was)
        there[deb.name] = Package(deb, status="half-configured" if deb.fails else "installed")
        broken += [deb.name] if deb.fails else []
    host.databases["dpkg"] = there
    gone = {name for name, _ in resolution.removed}
    _save_automatic(host, (automatic(host) - gone) | set(resolution.pulled_in))
    return broken


def _unpack(host: FakeHost, deb: Deb, was: Package | None) -> None:
    for path, content in {**deb.files, **deb.conffiles}.items():
        edited = path in deb.conffiles and was is not None and host.stat(path) is not None
        if not edited:
            host.place(path, content)
    for unit in deb.units if not deb.fails else ():
        systemd.enable(host, unit)
        systemd.start(host, unit)


def _take_away(host: FakeHost, package: Package, *, purge: bool) -> None:
    for unit in package.deb.units:
        systemd.stop(host, unit)
        if purge:
            systemd.disable(host, unit)
    for path in package.deb.files:
        _remove(host, path)
    if purge:
        _forget_configuration(host, package.deb)


def _forget_configuration(host: FakeHost, deb: Deb) -> None:
    for unit in deb.units:
        systemd.disable(host, unit)
    for path in deb.conffiles:
        _remove(host, path)


def _remove(host: FakeHost, path: str) -> None:
    """A file, and the directories above it that are empty then and that a package brought."""
    host.remove(path)
    parent = posixpath.dirname(path)
    while parent.count("/") > 1 and host.stat(parent) is not None and not host.list(parent) and parent not in _KEPT:
        host.remove(parent)
        parent = posixpath.dirname(parent)


_KEPT = frozenset({"/usr/bin", "/usr/sbin", "/usr/lib/systemd/system", "/usr/lib/systemd", "/usr/lib", "/usr/share", "/etc/systemd/system"})


def _update(host: FakeHost) -> Ran:
    before = archive(host)
    if before.unreachable:
        words = f"W: Failed to fetch {before.unreachable}  Could not resolve\nW: Some index files failed to download.\n"
        return Ran(0, b"", words.encode())
    host.databases["apt"] = msgspec.structs.replace(before, listed=before.offered, age=0, sources=_sources(host))
    return Ran(0, b"Reading package lists...\n", b"")


def _locked(host: FakeHost) -> Ran | None:
    holder = host.databases.get("dpkg-lock")
    if not host.privileged:
        return Ran(100, b"", b"E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\n")
    if holder is None:
        return None
    waiting = f"Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process {holder}...\n"
    words = b"E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n"
    return Ran(100, waiting.encode(), words)


# ---- the others -------------------------------------------------------------------------------------------------------------


def _apt_cache(host: FakeHost, call: Invocation) -> Ran:
    words = [word for word in _words(call) if not word.startswith("-")]
    listed = archive(host).listed or ()
    if words[0] == "pkgnames":
        names = {deb.name for deb in listed} | packages(host).keys()
        return Ran(0, "".join(f"{name}\n" for name in sorted(names) if name.startswith(words[1])).encode(), b"")
    if words[0] == "madison":
        lines = [
            f"{deb.name} | {deb.version} | http://deb.debian.org/debian Packages\n" for deb in reversed(listed) if deb.name in words[1:]
        ]
        return Ran(0, "".join(lines).encode(), b"")
    newest = {deb.name: deb for deb in listed if deb.name in words[1:]}
    return Ran(0, "\n".join(deb.stanza() for deb in newest.values()).encode(), b"")


def _apt_mark(host: FakeHost, call: Invocation) -> Ran:
    verb, names = call.argv[1], call.argv[2:]
    there = packages(host)
    if missing := [name for name in names if name not in there]:
        return Ran(100, b"", f"E: Unable to locate package {missing[0]}\n".encode())
    if verb in {"manual", "auto"}:
        _save_automatic(host, automatic(host) - set(names) if verb == "manual" else automatic(host) | set(names))
        return Ran(0, b"", b"")
    if host.databases.get("dpkg-lock") is not None:
        words = f"dpkg: error: dpkg frontend lock was locked by another process with pid {host.databases['dpkg-lock']}\n"
        return Ran(100, b"", f"{words}E: Executing dpkg failed. Are you root?\n".encode())
    want = "hold" if verb == "hold" else "install"
    host.databases["dpkg"] = {**there, **{name: msgspec.structs.replace(there[name], want=want) for name in names}}
    return Ran(0, b"", b"")


def _dpkg_query(host: FakeHost, call: Invocation) -> Ran:
    layout = call.argv[call.argv.index("-f") + 1].replace(r"\t", "\t").replace(r"\n", "\n")
    names = [word for word in call.argv[call.argv.index("-f") + 2 :] if word != "--"]
    there, out, errors = packages(host), [], []
    for name in names:
        package = there.get(name.partition(":")[0])
        if package is None:
            errors.append(f"dpkg-query: no packages found matching {name}\n")
            continue
        values = package.fields()
        out.append(re.sub(r"\$\{([^}]*)\}", lambda match: values[match[1]], layout))  # noqa: B023 - called at once
    return Ran(1 if errors else 0, "".join(out).encode(), "".join(errors).encode())


def _dpkg(host: FakeHost, call: Invocation) -> Ran:
    if "--print-architecture" in call.argv:
        return Ran(0, b"amd64\n", b"")
    if "--configure" in call.argv:
        host.remove("/var/lib/dpkg/updates/0001")
        there = packages(host)
        host.databases["dpkg"] = {
            name: package if package.deb.fails else msgspec.structs.replace(package, status=package.settled)
            for name, package in there.items()
        }
        return Ran(0, b"", b"")
    return Ran(2, b"", b"dpkg: error: need an action option\n")


def _find(host: FakeHost, _call: Invocation) -> Ran:
    """Only what g8r asks: the change times of lists and sources. Sources that are not those of the last fetch are new."""
    known = archive(host)
    lines = [] if known.listed is None else [f"{_NOW - 60 - known.age}.5 /var/lib/apt/lists/debian_dists_bookworm_main_Packages"]
    lines.append(f"{_NOW if known.sources != _sources(host) else 1_500_000_000}.25 /etc/apt/sources.list")
    return Ran(0, "".join(f"{line}\n" for line in lines).encode(), b"")


def _date(_host: FakeHost, _call: Invocation) -> Ran:
    return Ran(0, f"{_NOW}\n".encode(), b"")


def _simulates(argv: Sequence[str]) -> bool:
    return "-s" in argv


def _only_tells(argv: Sequence[str]) -> bool:
    return "--print-architecture" in argv


PROGRAMS: dict[str, Program] = {
    "apt-get": Program(_apt_get, reads=_simulates),
    "apt-cache": Program(_apt_cache, reads=always),
    "apt-mark": Program(_apt_mark),
    "dpkg": Program(_dpkg, reads=_only_tells),
    "dpkg-query": Program(_dpkg_query, reads=always),
    "find": Program(_find, reads=always),
    "date": Program(_date, reads=always),
}
