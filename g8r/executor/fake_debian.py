"""What a fake machine is before anybody touches it: a small Debian, as facts and as a tree."""

from __future__ import annotations

from g8r.executor.fake_tree import Node, Tree
from g8r.host import Facts

FACTS = Facts(
    hostname="fake",
    fqdn="fake.example.org",
    os={"id": "debian", "family": "debian", "version": "12", "codename": "bookworm", "name": "Debian GNU/Linux 12 (bookworm)"},
    kernel={"name": "Linux", "release": "6.1.0-fake"},
    cpu={"count": 2, "architecture": "x86_64"},
    memory={"total_bytes": 2 * 1024**3},
    addresses=("192.0.2.1",),
    init="systemd",
    packager="apt",
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = b"""\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
mail:x:8:
www-data:x:33:
sudo:x:27:
shadow:x:42:
staff:x:50:
users:x:100:
nogroup:x:65534:
"""
_SHADOW = b"".join(line.partition(b":")[0] + b":*:20000:0:99999:7:::\n" for line in _PASSWD.splitlines())
_DIRECTORIES = {
    **dict.fromkeys(
        (
            *("/boot", "/dev", "/etc", "/etc/apt", "/etc/cron.d", "/etc/default", "/etc/systemd", "/etc/systemd/system", "/home"),
            *("/mnt", "/opt", "/run", "/srv", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/sbin"),
            *("/usr/sbin", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool"),
            *("/etc/apt/sources.list.d", "/etc/skel", "/usr/lib/systemd", "/usr/lib/systemd/system"),
            *("/var/lib/apt", "/var/lib/apt/lists", "/var/lib/dpkg", "/var/lib/dpkg/updates"),
        ),
        0o755,
    ),
    "/root": 0o700,
    "/tmp": 0o1777,  # noqa: S108 - a path of the fake machine
    "/var/tmp": 0o1777,  # noqa: S108 - a path of the fake machine
}
_LINKS = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/var/run": "/run"}


def tree() -> Tree:
    fresh = Tree()
    for path, mode in _DIRECTORIES.items():
        fresh.grow(path, Node("directory", mode))
    for path, target in _LINKS.items():
        fresh.grow(path, Node("link", 0o777, target=target))
    fresh.grow("/etc/passwd", Node("file", 0o644, content=_PASSWD))
    fresh.grow("/etc/group", Node("file", 0o644, content=_GROUP))
    fresh.grow("/etc/shadow", Node("file", 0o640, gid=42, content=_SHADOW))
    fresh.grow("/etc/apt/sources.list", Node("file", 0o644, content=b"deb http://deb.debian.org/debian bookworm main\n"))
    for name in (".bash_logout", ".bashrc", ".profile"):
        fresh.grow(f"/etc/skel/{name}", Node("file", 0o644, content=b"# of a new user\n"))
    fresh.grow("/etc/hostname", Node("file", 0o644, content=f"{FACTS.hostname}\n".encode()))
    return fresh
