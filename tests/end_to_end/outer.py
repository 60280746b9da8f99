"""What the booted hosts take from the machine around them, discovered and never hard-coded: its mirror, its apt options, its
name server, its proxies and its certificate authorities. Nothing here changes the machine.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

APT_OPTION = re.compile(r"^Acquire::(https?|ftp|Retries|ForceIPv4|ForceIPv6|Check-Valid-Until|Check-Date|Max-ValidTime|PDiffs)\b.*;$")
"""The options that say how to reach a mirror; the rest (hooks, caches) is the outer machine's own affair."""

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def mirror(suite: str) -> str | None:
    """The mirror that this machine itself takes `suite` from (G8R_MIRROR goes first); None: let debootstrap choose."""
    if chosen := os.environ.get("G8R_MIRROR"):
        return chosen
    folder = Path("/etc/apt")
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        if path.suffix in {".list", ".sources"} and path.is_file() and (found := _mirror_in(path.read_text("utf-8", "replace"), suite)):
            return found
    return None


def _mirror_in(text: str, suite: str) -> str | None:
    for line in text.splitlines():
        words = re.sub(r"\[.*?\]", "", line).split()
        if len(words) >= 4 and words[0] == "deb" and words[2] == suite and "main" in words[3:]:
            return words[1]
    for block in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"(?m)^(\w[\w-]*):[ \t]*(.*)$", block))
        if suite in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
            return next(iter(fields.get("URIs", "").split()), None)
    return None


def apt_options() -> str:
    """An apt.conf with what this machine's apt needs to reach its mirror."""
    try:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        dump = ""
    lines = [line for line in dump.splitlines() if APT_OPTION.match(line) and not line.endswith('"";')]
    for scheme in ("http", "https"):
        proxy = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "".join(f"{line}\n" for line in lines)


def resolv_conf() -> str:
    """The outer name servers: the file behind a link, too; empty where there is none."""
    try:
        return Path("/etc/resolv.conf").resolve().read_text("utf-8", "replace")
    except OSError:
        return ""


def pip_environment() -> dict[str, str]:
    """What pip needs inside a host to reach the index that this machine uses: its variables, its configuration, the proxies."""
    names = {*PROXIES, *(name.upper() for name in PROXIES), *CERTIFICATES}
    taken = {name: value for name, value in os.environ.items() if value and (name in names or name.startswith("PIP_"))}
    listed = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in {"global", "install", "download"}:
            taken.setdefault("PIP_" + option.upper().replace("-", "_"), value.strip("'\""))
    return taken | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def pip_files(environment: dict[str, str]) -> list[Path]:
    """The files and folders that the environment names: certificate bundles, folders of wheels."""
    named = [environment.get(name, "") for name in (*CERTIFICATES, "PIP_CONFIG_FILE", "PIP_CLIENT_CERT")]
    named += environment.get("PIP_FIND_LINKS", "").split()
    return sorted({Path(name) for name in named if name.startswith("/") and Path(name).exists()})
