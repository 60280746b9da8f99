"""Plans to render, made by hand."""

from __future__ import annotations

from typing import Any

from g8r.address import Address
from g8r.diagnostics import Span
from g8r.plan import Plan, Reason, Step
from g8r.value import digest

SECRET = "hunter2-canary"
SHA = digest(b"content")


def make_step(kind: str, name: str, action: str, code: str = "new", text: str = "", **more: Any) -> Step:
    host = more.pop("host", "web1")
    line = more.pop("line", 0)
    verb = more.get("verb", "")
    address = Address(host, kind, name)
    judgement = {"unknown": "unknown", "blocked": "blocked", "no-op": "no-change"}.get(action, "change")
    return Step(
        id=f"{address}#{verb}" if verb else str(address),
        address=address,
        identity=more.pop("identity", name),
        action=action,
        judgement=judgement,
        reason=Reason(code, text),
        version=1,
        span=Span("main.ncl", line, 5) if line else None,
        **more,
    )


def make_plan(*steps: Step, **more: Any) -> Plan:
    fixed: dict[str, Any] = {
        "id": "p1",
        "stack": "site",
        "workspace": "default",
        "lineage": "l1",
        "serial": 3,
        "config_digest": digest(b""),
        "created": "2026-01-02T03:04:05Z",
        "expires": "2026-01-03T03:04:05Z",
        "g8r_version": "0.1.0",
        "hosts": {step.address.host: "" for step in steps},
    }
    return Plan(steps=steps, **(fixed | more))


def every_action() -> tuple[Step, ...]:
    """One step of each sort, and then some."""
    motd = "Welcome to web1.\nBe kind.\n"
    return (
        make_step("directory", "app", "no-op", "none", identity="/srv/app", line=3),
        make_step(
            "file", "motd", "update", "changed", identity="/etc/motd", line=12,
            before={"mode": "0644", "owner": "root", "content": motd, "checksum": SHA},
            after={"mode": "0600", "owner": "root", "content": motd.replace("kind", "nice"), "checksum": "x"},
            unknown=("checksum",), because=("the directory is shared by nfs",),
        ),
        make_step(
            "file", "password", "update", "drift", "its mode was 0644", identity="/etc/app/password", line=20,
            before={"mode": "0644", "content": SECRET, "checksum": digest(SECRET.encode()), "size": 14},
            after={"mode": "0600", "content": SECRET + "\nmore\n", "checksum": SHA, "size": 20},
            sensitive=("content",), drifted=True, recorded={"mode": "0600", "content": SECRET + "\nmore\n", "checksum": SHA, "size": 20},
        ),
        make_step(
            "file", "conf", "create", identity="/etc/app/app.conf", line=25,
            after={"mode": "0644", "owner": "app", "group": None, "content": "".join(f"line {n}\n" for n in range(30)), "checksum": SHA},
        ),
        make_step("package", "nginx", "create", after={"version": "1.22.1"}, because=("pulls in libnginx, nginx-common",), line=30),
        make_step("user", "app", "replace", "replaced", "the uid cannot change in place", before={"uid": 1000, "groups": ["a", "b"]},
                  after={"uid": 2000, "groups": ["a", "c"]}, line=31),
        make_step("file", "old", "delete", "removed", "no task declares it", identity="/etc/old", before={"mode": "0644"}),
        make_step("package", "apache2", "delete", "removed", "no task declares it", before={"version": "2.4"},
                  pulled_in=("apache2-bin", "apache2-utils")),
        make_step("command", "migrate", "run", "changed", params={"argv": ["app", "migrate"], "run": "always"}, after={"code": 0},
                  unknown=("stdout",), line=40),
        make_step("service", "nginx", "unknown", "none", "expected from web1/package.nginx", line=45,
                  after={"running": True, "enabled": True}),
        make_step("service", "nginx", "trigger", "trigger", "reload after web1/file.conf",
                  verb="reload", waits_for=("web1/file.conf",), line=45),
        make_step("service", "app", "trigger", "owed", verb="restart", owed=True, waits_for=("web1/file.conf",), line=50),
        make_step("file", "gone", "forget", "removed", "adopted, so it stays as it is", identity="/etc/hosts"),
        make_step("service", "db", "blocked", "none", "there is no unit db.service; add a package task that brings it", line=60),
    )  # fmt: skip
