"""apt and dpkg: what is installed, what apt would do, and doing it.

Only output made for programs is parsed: `dpkg-query -f`, /var/lib/apt/extended_states, the `Inst`/`Remv`/`Purg` lines of `apt-get -s`
and the deb822 of `apt-cache show`.

What a question to apt costs (CPU seconds on Debian 12 with its main archive): 2.2 with its caches made in memory, 1.6 with those below
/var/cache/apt; but 0.05 where it is to know of nothing but what is installed. So:

- Removing, simulated or not, is done without sources (INSTALLED_ONLY): what must go along hangs on what is installed alone. It also
  means that a removal never installs anything in the place of what goes.
- Planning keeps the caches in memory, since it must change nothing, not even them. Lending it those below /var/cache/apt is out, as
  root's apt writes them anew whenever they are not current; copies of our own would be 70 MB in /tmp for 0.6 s.
- An apply that installs asks with apt's own caches, which its transaction would write anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from g8r.host import Host, HostError, MissingProgramError, Ran
from g8r.modules.support.programs import said

LISTS: Final = "/var/lib/apt/lists"
MAX_AGE: Final = 24 * 3600
"""Seconds after which package lists are stale: as often as Debian's own timer fetches them."""
LOCK_TIMEOUT: Final = 120
"""Seconds to wait for another process that holds the dpkg lock."""
_RETRIES: Final = 24
_ENV: Final = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_MODE": "l"}
IN_MEMORY: Final = ("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")
"""Options by which apt writes none of its caches."""
INSTALLED_ONLY: Final = (*IN_MEMORY, "-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=/dev/null")
"""Options by which apt knows of no sources, and leaves its caches as they are."""
_FIELDS: Final = r"${Package}\t${Architecture}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"
_STEP: Final = re.compile(r"^(Inst|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+))?", re.MULTILINE)
_BROKEN: Final = ("half-installed", "unpacked", "half-configured")

Age = Literal["fresh", "stale", "missing"]


class Oracle(msgspec.Struct, frozen=True):
    """The apt of a host, to be asked what it would do. Where `options` are not IN_MEMORY, it may bring its caches up to date."""

    host: Host
    options: tuple[str, ...] = IN_MEMORY

    def ask(self, program: str, *words: str) -> Ran:
        return self.host.run((program, *self.options, *words), env=_ENV, changes=self.options != IN_MEMORY)


class Installed(msgspec.Struct, frozen=True):
    """A package as dpkg knows it. residual: only its configuration files are left; broken: its installation was never finished."""

    name: str
    architecture: str
    version: str
    held: bool
    status: Literal["installed", "broken", "residual"]


class Step(msgspec.Struct, frozen=True):
    """What apt would do to one package; `old` is None where it is not there yet, `new` where it goes."""

    name: str
    old: str | None
    new: str | None


class Simulation(msgspec.Struct, frozen=True):
    """What apt says it would do; where it refuses, `complaint` says why."""

    steps: tuple[Step, ...] = ()
    complaint: str = ""

    def version(self, name: str) -> str | None:
        """The version a package would have; None where nothing happens to it."""
        return next((step.new for step in self.steps if step.name == name and step.new), None)

    @property
    def added(self) -> tuple[str, ...]:
        return tuple(sorted(step.name for step in self.steps if step.new and step.old is None))

    @property
    def upgraded(self) -> tuple[str, ...]:
        return tuple(sorted(step.name for step in self.steps if step.new and step.old is not None))

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(sorted(step.name for step in self.steps if step.new is None))


# ---- what is there ----------------------------------------------------------------------------------------------------------


def installed(names: Sequence[str], host: Host) -> Mapping[str, Installed]:
    """Those of the names that dpkg knows something of, in one call. Raises HostError."""
    if not names:
        return {}
    try:
        ran = host.run(("dpkg-query", "-W", "-f", _FIELDS, "--", *names), changes=False)
    except MissingProgramError:
        message = "packages need apt, and there is no dpkg on this host"
        raise HostError(message) from None
    if ran.code not in {0, 1}:
        message = f"the package database cannot be read: {ran.complaint}"
        raise HostError(message)
    found: dict[str, list[Installed]] = {}
    for line in ran.text.splitlines():
        package = _installed(line.split("\t"))
        if package is not None:
            found.setdefault(package.name, []).append(package)
            found.setdefault(f"{package.name}:{package.architecture}", []).append(package)
    native = _architecture(host) if any(len(found.get(name, ())) > 1 for name in names) else ""
    return {name: _choose(found[name], native) for name in names if name in found}


def _installed(fields: Sequence[str]) -> Installed | None:
    name, architecture, version, want, status = fields
    if status in {"not-installed", ""}:
        return None
    kind: Literal["installed", "broken", "residual"] = "installed"
    if status == "config-files":
        kind = "residual"
    elif status in _BROKEN:
        kind = "broken"
    return Installed(name, architecture, version, want == "hold", kind)


def _choose(found: Sequence[Installed], native: str) -> Installed:
    return next((package for package in found if package.architecture in {native, "all"}), found[0])


def _architecture(host: Host) -> str:
    return host.run(("dpkg", "--print-architecture"), changes=False).text.strip()


def automatic(host: Host) -> frozenset[str]:
    """The names of packages that only came because others needed them."""
    try:
        raw = host.read("/var/lib/apt/extended_states").decode("utf-8", "replace")
    except HostError:
        return frozenset()
    return frozenset(stanza["Package"] for stanza in stanzas(raw) if stanza.get("Auto-Installed") == "1" and "Package" in stanza)


def stanzas(text: str) -> list[dict[str, str]]:
    """The stanzas of a deb822 text; lines that continue a field are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines() if line[:1].strip() and ": " in line)
        if fields:
            found.append(fields)
    return found


def lists_age(host: Host) -> Age:
    """Of the package lists. Their change time counts: apt gives them the server's modification time, and a fetch that finds nothing
    new touches no more than the change time of the release files. Sources that changed later make them stale, too. Lists of a `file:`
    source are links to it.
    """
    places = (LISTS, "/etc/apt/sources.list", "/etc/apt/sources.list.d")
    ran = host.run(("find", *places, "-maxdepth", "1", "!", "-type", "d", "-printf", r"%C@ %p\n"), changes=False)
    times = [(float(time), path) for time, _, path in (line.partition(" ") for line in ran.text.splitlines())]
    lists = [time for time, path in times if path.startswith(LISTS) and ("Packages" in path or "Release" in path)]
    if not any("Packages" in path for _, path in times):
        return "missing"
    now = float(host.run(("date", "+%s"), changes=False).text)
    sources = [time for time, path in times if not path.startswith(LISTS)]
    return "stale" if now - max(lists) > MAX_AGE or max(sources, default=0) > max(lists) else "fresh"


# ---- what apt would do ------------------------------------------------------------------------------------------------------


def simulate(verb: Sequence[str], oracle: Oracle) -> Simulation:
    """`verb` is a command of apt-get with its options and packages: ("install", "nginx=1.22")."""
    ran = oracle.ask("apt-get", "-s", "-qq", *verb)
    if ran.code != 0:
        return Simulation(complaint=_complaint(ran))
    return Simulation(tuple(_step(*match.groups()) for match in _STEP.finditer(ran.text)))


def _step(act: str, name: str, old: str | None, new: str | None) -> Step:
    return Step(name.partition(":")[0], old, new if act == "Inst" else None)


def _complaint(ran: Ran) -> str:
    lines = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if line.startswith("E: ")]
    return "; ".join(dict.fromkeys(line.removeprefix("E: ").strip().rstrip(".") for line in lines)) or ran.complaint


def candidates(names: Sequence[str], oracle: Oracle) -> Mapping[str, str]:
    """The version that apt would have of each package, by its priorities; of what it does not know, nothing."""
    ran = oracle.ask("apt-cache", "show", "--no-all-versions", *names)
    found: dict[str, str] = {}
    for stanza in stanzas(ran.text):
        name, version = stanza.get("Package", ""), stanza.get("Version", "")
        found.setdefault(name, version)
        found.setdefault(f"{name}:{stanza.get('Architecture', '')}", version)
    return {name: found[name] for name in names if name in found}


def brought_by(names: Sequence[str], among: Iterable[str], oracle: Oracle) -> Mapping[str, tuple[str, ...]]:
    """For each name, those `among` some packages that it needs, through any number of others."""
    pool = frozenset(among) - frozenset(names)
    if not pool:
        return dict.fromkeys(names, ())
    if len(names) == 1:
        return {names[0]: tuple(sorted(pool))}
    ran = oracle.ask("apt-cache", "show", "--no-all-versions", *sorted({*names, *pool}))
    needs: dict[str, set[str]] = {}
    provides: dict[str, set[str]] = {}
    for stanza in stanzas(ran.text):
        name = stanza.get("Package", "")
        needs[name] = {word for field in ("Depends", "Pre-Depends", "Recommends") for word in _names(stanza.get(field, ""))}
        for virtual in _names(stanza.get("Provides", "")):
            provides.setdefault(virtual, set()).add(name)
    return {name: _reach(name, pool, needs, provides) for name in names}


def _names(field: str) -> list[str]:
    """The package names in a relation field: `a (>= 1) | b, c:any`."""
    return [re.split(r"[\s(:\[]", part.strip(), maxsplit=1)[0] for part in re.split(r"[,|]", field) if part.strip()]


def _reach(start: str, pool: frozenset[str], needs: Mapping[str, set[str]], provides: Mapping[str, set[str]]) -> tuple[str, ...]:
    found: set[str] = set()
    pending = [start]
    while pending:
        for wanted in needs.get(pending.pop(), ()):
            fresh = ({wanted} | provides.get(wanted, set())) & pool - found
            found |= fresh
            pending += fresh
    return tuple(sorted(found))


def similar(name: str, oracle: Oracle) -> tuple[str, ...]:
    """Names that apt knows and that begin like this one."""
    ran = oracle.ask("apt-cache", "pkgnames", name[:3])
    return tuple(sorted(ran.text.split()))


def offered(names: Sequence[str], oracle: Oracle) -> Mapping[str, tuple[str, ...]]:
    """The versions that apt can get of packages, best first; of what it does not know, nothing."""
    ran = oracle.ask("apt-cache", "madison", *names)
    found: dict[str, list[str]] = {}
    for line in ran.text.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) > 1:
            found.setdefault(columns[0], []).append(columns[1])
    return {name: tuple(dict.fromkeys(versions)) for name, versions in found.items()}


# ---- doing it ---------------------------------------------------------------------------------------------------------------


def transact(verb: Sequence[str], host: Host) -> Ran:
    """One transaction. Configuration files that were edited are kept; another process that holds the lock is waited for."""
    options = ("-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT}")
    keep_old = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
    return host.run(("apt-get", *options, *keep_old, *verb), env=_ENV)


def update(host: Host) -> str:
    """Fetch the package lists; what was wrong with that, or an empty string. A source that cannot be reached leaves its old lists."""
    ran = _patiently(("apt-get", "-q", "update"), host)
    if ran.code != 0:
        return f"the package lists cannot be fetched: {why(ran)}"
    warnings = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if line.startswith("W: Failed to fetch")]
    return f"some package lists could not be fetched: {warnings[0].removeprefix('W: ')}" if warnings else ""


def mark(verb: Literal["manual", "auto", "hold", "unhold"], names: Sequence[str], host: Host) -> str:
    """Mark packages; what was wrong with that, or an empty string."""
    ran = _patiently(("apt-mark", verb, *names), host)
    return "" if ran.code == 0 else f"apt-mark {verb} failed: {why(ran)}"


def repair(host: Host) -> str:
    """Finish what a killed dpkg left, as apt demands before anything else; what was wrong with that, or an empty string."""
    try:
        interrupted = bool(host.list("/var/lib/dpkg/updates"))
    except HostError:
        return ""
    if not interrupted:
        return ""
    ran = host.run(("dpkg", "--force-confdef", "--force-confold", "--configure", "-a"), env=_ENV)
    return "" if ran.code == 0 else f"dpkg was interrupted earlier, and cannot finish: {ran.complaint}"


def why(ran: Ran) -> str:
    """What apt complains of, with the process that holds a lock where that is it."""
    holder = re.search(r"It is held by process (\d+ \([^)]*\))", said(ran))
    if holder:
        return f"process {holder[1]} holds the lock of the package system; wait for it to end, or stop it, then apply again"
    return _complaint(ran)


def _patiently(argv: Sequence[str], host: Host) -> Ran:
    """Run what gives up at once where another process holds a lock, until it does not; at most LOCK_TIMEOUT seconds."""
    ran = host.run(argv, env=_ENV)
    for _ in range(_RETRIES):
        if ran.code == 0 or " lock" not in said(ran):
            break
        host.run(("sleep", str(LOCK_TIMEOUT // _RETRIES)), changes=False)
        ran = host.run(argv, env=_ENV)
    return ran
