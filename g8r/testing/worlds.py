"""Worlds: a fake host as a test describes it. It starts as a fresh Debian, with the facts that are given."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from g8r.catalog import CatalogTask
from g8r.diagnostics import Diagnostic, DocumentPath, error
from g8r.executor import fake_debian
from g8r.executor.fake_host import FakeHost, Invocation, Program
from g8r.executor.fake_programs import apt, systemd
from g8r.executor.fake_programs.apt_archive import OFFERED, Deb, Unresolvable
from g8r.host import Facts, HostError, Ran
from g8r.module import parse_mode
from g8r.testing.cases import GivenFacts, Placed, PlacedFile, PlacedPackage, PlacedUser, StubProgram, World, given_facts
from g8r.value import Document

_UNITS: Final = "/usr/lib/systemd/system"
_SERVICE: Final = """\
[Unit]
Description={0}
[Service]
ExecStart=/usr/sbin/{0}
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""
_SOME_VERSION: Final = "1.0-1"


def facts_of(host: str, own: Document, given: GivenFacts) -> Facts:
    """The facts of a host: those of a fresh Debian of its name, then what the stack says of a fake host, then the test's.

    Raises msgspec.ValidationError where the stack says of a fact what it cannot be.
    """
    name = {"hostname": host.partition(".")[0], "fqdn": host if "." in host else f"{host}.example.org"}
    fresh: Document = msgspec.to_builtins(fake_debian.FACTS)
    return msgspec.convert(_over(_over({**fresh, **name}, own), given_facts(given)), Facts)


def _over(below: Document, above: Document) -> Document:
    merged = dict(below)
    for key, value in above.items():
        under = below.get(key)
        merged[key] = _over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


class Built(msgspec.Struct, frozen=True):
    """The host, and what of its description cannot be; paths from the world on."""

    host: FakeHost
    mistakes: tuple[Diagnostic, ...]


def build(world: World, facts: Facts) -> Built:
    """The host that a world describes."""
    root = FakeHost.debian(facts=facts, remember=0)
    root.place("/etc/hostname", f"{facts.hostname}\n")
    mistakes: list[Diagnostic] = []
    for at, act in _acts(world, root):
        try:
            act()
        except (HostError, ValueError) as refused:
            mistakes.append(error("impossible-world", f"{at[-1]} cannot be put on the host", f"{refused}.", at))
        except Unresolvable as refused:
            mistakes.append(error("impossible-world", f"the package {at[-1]} cannot be installed", f"{refused}", at))
    return Built(root if world.user == "root" or mistakes else _as_user(root, world.user), tuple(mistakes))


def _acts(world: World, host: FakeHost) -> Iterator[tuple[DocumentPath, Callable[[], object]]]:
    """What puts each thing on the host: who owns before what is owned, packages before services. Each with its path in the world."""
    users = {**world.users, **({} if world.user in {"root", *world.users} else {world.user: PlacedUser()})}
    for name, group in world.groups.items():
        number = () if group.gid is None else ("--gid", str(group.gid))
        yield ("groups", name), partial(_run, host, ("groupadd", *number, "--", name))
    for name, user in users.items():
        yield ("users", name), partial(_run, host, _useradd(name, user))
    for path, directory in sorted(world.directories.items()):
        yield ("directories", path), partial(_place_directory, host, path, directory)
    for path, file in sorted(world.files.items()):
        yield ("files", path), partial(_place_file, host, path, file)
    for path, target in sorted(world.links.items()):
        yield ("links", path), partial(_place_link, host, path, target)
    _offer(host, {**world.available, **world.packages})
    for name, package in world.packages.items():
        yield ("packages", name), partial(_install, host, name, package)
    for name, service in world.services.items():
        yield ("services", name), partial(_place_service, host, name, running=service.running, enabled=service.enabled)
    for name, program in world.programs.items():
        yield ("programs", name), partial(_place_program, host, name, program)


def _as_user(root: FakeHost, user: str) -> FakeHost:
    """The same host, with an agent that is somebody."""
    host = FakeHost.debian(user=user, facts=root.facts(), remember=0)
    host.become(root.snapshot())
    host.programs = root.programs
    return host


def provide(host: FakeHost, tasks: Iterable[CatalogTask]) -> None:
    """Let apt have what the tasks of this host install, each with the service of its name, if a task is about that and nobody brings it."""
    listed = list(tasks)
    there = {deb.name for deb in apt.archive(host).offered} | apt.packages(host).keys()
    services = {task.identity for task in listed if task.address.kind == "service"}
    paths = {claim for task in listed for claim in task.claims.provides}
    found: dict[str, str | PlacedPackage] = {}
    for task in listed:
        name = str(task.params.get("name", task.address.name)).partition(":")[0]
        if task.address.kind == "package" and name not in there:
            unit = f"{name}.service"
            brings = unit in services and f"unit:{unit}" not in paths and host.stat(f"{_UNITS}/{unit}") is None
            version = str(task.params.get("version") or _SOME_VERSION)
            plain = "".join(char for char in version.replace("*", "0").replace("?", "0") if char not in "[]")
            found[name] = PlacedPackage(version=plain, units=(unit,) if brings else ())
    _offer(host, found)


# ---- the parts -------------------------------------------------------------------------------------------------------------------------


def _run(host: FakeHost, argv: tuple[str, ...]) -> None:
    ran = host.run(argv)
    if ran.code:
        raise HostError(ran.complaint)


def _useradd(name: str, user: PlacedUser) -> tuple[str, ...]:
    given = {
        "--uid": user.uid,
        "--gid": user.group,
        "--groups": ",".join(user.groups) or None,
        "--home-dir": user.home,
        "--shell": user.shell,
        "--comment": user.comment or None,
    }
    options = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    return ("useradd", "--create-home", *options, "--", name)


def _check_way(host: FakeHost, path: str) -> None:
    """Raises HostError where a path leads through what is no directory."""
    parent = posixpath.dirname(path)
    while parent != "/":
        there = host.follow(parent) if host.stat(posixpath.dirname(parent)) is not None else None
        if there is not None and there.type != "directory":
            message = f"{parent} is no directory but a {there.type}"
            raise HostError(message)
        parent = posixpath.dirname(parent)


def _place_link(host: FakeHost, path: str, target: str) -> None:
    _check_way(host, path)
    host.place_link(path, target)


def _place_directory(host: FakeHost, path: str, directory: Placed) -> None:
    _check_way(host, path)
    host.place_directory(path, mode=parse_mode(directory.mode or "0755"), owner=directory.owner, group=directory.group)


def _place_file(host: FakeHost, path: str, file: str | PlacedFile) -> None:
    _check_way(host, path)
    placed = PlacedFile(content=file) if isinstance(file, str) else file
    host.place(path, placed.content, mode=parse_mode(placed.mode or "0644"), owner=placed.owner, group=placed.group)


def _place_service(host: FakeHost, name: str, *, running: bool, enabled: bool) -> None:
    unit = name if "." in name else f"{name}.service"
    if host.stat(f"/etc/systemd/system/{unit}") is None and host.stat(f"{_UNITS}/{unit}") is None:
        host.place(f"{_UNITS}/{unit}", _SERVICE.format(unit.removesuffix(".service")))
    (systemd.start if running else systemd.stop)(host, unit)
    (systemd.enable if enabled else systemd.disable)(host, unit)


def _place_program(host: FakeHost, name: str, program: StubProgram) -> None:
    host.programs[name] = Program(partial(_stub, program))
    host.place(f"/usr/bin/{name}", "", mode=0o755)


def _offer(host: FakeHost, packages: Mapping[str, str | PlacedPackage]) -> None:
    """Have apt know these packages, too, as they are said to be; a version that it does not know is older than those that it does."""
    archive = apt.archive(host)
    debs = {(deb.name, deb.version): deb for deb in (_deb(name, package) for name, package in packages.items())}
    if debs:
        known = [debs.pop((deb.name, deb.version), deb) for deb in archive.offered]
        offered = (*debs.values(), *known)
        host.databases["apt"] = msgspec.structs.replace(archive, offered=offered, listed=offered)


def _install(host: FakeHost, name: str, package: str | PlacedPackage) -> None:
    apt.install(host, f"{name}={_deb(name, package).version}")


def _deb(name: str, package: str | PlacedPackage) -> Deb:
    """The package as the archive has it; what is not said is as in Debian, where the fake one knows it."""
    said = PlacedPackage(version=package or None) if isinstance(package, str) else package
    usual = next((deb for deb in reversed(OFFERED) if deb.name == name), Deb(name, _SOME_VERSION))
    units = tuple(unit if "." in unit else f"{unit}.service" for unit in said.units)
    files = {**usual.files, **{f"{_UNITS}/{unit}": _SERVICE.format(unit.removesuffix(".service")) for unit in units}, **said.files}
    return msgspec.structs.replace(
        usual, version=said.version or usual.version, files=files, units=units or usual.units, depends=(*usual.depends, *said.depends)
    )


def _stub(program: StubProgram, host: FakeHost, _call: Invocation) -> Ran:
    for path, content in sorted(program.creates.items()):
        host.write(path, content.encode(), mode=0o644)
    return Ran(program.exit, program.stdout.encode(), program.stderr.encode())
