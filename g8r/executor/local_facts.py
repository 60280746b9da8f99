"""Facts of this machine, from files of the kernel and of the distribution; no program is started, no name server asked."""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from g8r.host import Facts

_FAMILIES = {
    "debian": ("debian", "ubuntu"),
    "redhat": ("rhel", "fedora", "centos", "rocky", "almalinux"),
    "suse": ("suse", "opensuse", "sles"),
    "arch": ("arch",),
    "alpine": ("alpine",),
}
_HOSTS_FIELDS = 2
_ALL_SCOPES = "00"  # of a global address in /proc/net/if_inet6


def gather() -> Facts:
    machine = os.uname()
    release = parse_os_release(_text("/etc/os-release") or _text("/usr/lib/os-release"))
    hostname, fqdn = host_names(machine.nodename, _text("/etc/hosts"))
    return Facts(
        hostname=hostname,
        fqdn=fqdn,
        os=release,
        kernel={"name": machine.sysname, "release": machine.release},
        cpu={"count": os.cpu_count() or 1, "architecture": machine.machine},
        memory={"total_bytes": total_memory(_text("/proc/meminfo"))},
        addresses=addresses(_text("/proc/net/fib_trie"), _text("/proc/net/if_inet6")),
        init="systemd" if Path("/run/systemd/system").is_dir() else "",
        packager="apt" if Path("/usr/bin/apt-get").is_file() else "",
    )


def parse_os_release(text: str) -> dict[str, str]:
    """os-release(5) as `facts.os`; what it leaves out is empty."""
    fields = dict(_assignments(text))
    name = fields.get("ID", "linux")
    return {
        "id": name,
        "family": _family([name, *fields.get("ID_LIKE", "").split()]),
        "version": fields.get("VERSION_ID", ""),
        "codename": fields.get("VERSION_CODENAME", ""),
        "name": fields.get("PRETTY_NAME", fields.get("NAME", name)),
    }


def host_names(nodename: str, hosts: str) -> tuple[str, str]:
    """The short name, and the full one: the kernel's if it has a domain, else what /etc/hosts calls the same machine."""
    hostname = nodename.partition(".")[0]
    if "." in nodename:
        return hostname, nodename
    for line in hosts.splitlines():
        names = line.partition("#")[0].split()[1:]
        full = next((name for name in names if name.startswith(f"{hostname}.")), None)
        if hostname in names and full is not None:
            return hostname, full
    return hostname, hostname


def total_memory(meminfo: str) -> int:
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def addresses(fib_trie: str, if_inet6: str) -> tuple[str, ...]:
    """The machine's own addresses but those of loopback and of single links, IPv4 first."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    above = ""
    for line in fib_trie.splitlines():
        if "/32 host LOCAL" in line:
            found.add(ipaddress.IPv4Address(above.rsplit(maxsplit=1)[-1]))
        above = line
    for line in if_inet6.splitlines():
        fields = line.split()
        if len(fields) > _HOSTS_FIELDS and fields[3] == _ALL_SCOPES:
            found.add(ipaddress.IPv6Address(int(fields[0], 16)))
    usable = (address for address in found if not address.is_loopback and not address.is_link_local)
    return tuple(str(address) for address in sorted(usable, key=lambda address: (address.version, int(address))))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                yield name, "".join(shlex.split(value))
            except ValueError:  # an unbalanced quote
                yield name, value


def _family(names: list[str]) -> str:
    for name in names:
        for family, members in _FAMILIES.items():
            if name.partition("-")[0] in members:
                return family
    return names[0]


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
