"""Cases of the kind `service`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec
from case import Case, link, text

from g8r.executor.fake_host import FakeHost
from g8r.executor.fake_programs import systemd

case = functools.partial(Case, kind="service")

UNIT = "[Service]\nExecStart=/usr/bin/app\n[Install]\nWantedBy=multi-user.target\n"
STATIC = "[Service]\nExecStart=/usr/bin/app\n"
LIB, ETC = "/usr/lib/systemd/system/app.service", "/etc/systemd/system/app.service"
SEEN = "/lib/systemd/system/app.service"
"""What systemd of Debian 12 calls LIB, through the link /lib."""
WANTS = "/etc/systemd/system/multi-user.target.wants/app.service"


def unit(content: str = UNIT, path: str = LIB, *, running: bool = False, enabled: bool = False) -> Callable[[FakeHost], None]:
    """Puts app.service on a host."""

    def arrange(host: FakeHost) -> None:
        host.place(path, content)
        if enabled:
            systemd.enable(host, "app.service")
        if running:
            systemd.start(host, "app.service")

    return arrange


def active(expected: str, starts: int | None = None) -> Callable[[FakeHost], None]:
    def check(host: FakeHost) -> None:
        found = systemd.runtimes(host)["app.service"]
        assert found.active == expected
        assert starts in (None, found.starts)

    return check


def masked(host: FakeHost) -> None:
    unit(running=True)(host)
    host.place_link(ETC, "/dev/null")


def edited(host: FakeHost) -> None:
    unit(running=False, enabled=True)(host)
    systemd.start(host, "app.service")
    host.place(LIB, UNIT.replace("/usr/bin/app", "/usr/bin/false"))


def fresh_file_is_read(host: FakeHost) -> None:
    """The new ExecStart was seen: systemd was told to read its files again."""
    assert systemd.runtimes(host)["app.service"].seen != ""
    assert ("run", ("systemctl", "daemon-reload")) in host.calls


def stopped_edited(host: FakeHost) -> None:
    unit(running=True)(host)
    host.place(LIB, UNIT + "# edited\n")


def alias(host: FakeHost) -> None:
    host.place("/usr/lib/systemd/system/real.service", UNIT)
    host.place_link("/etc/systemd/system/daemon.service", "/usr/lib/systemd/system/real.service")


def real_runs(host: FakeHost) -> None:
    assert systemd.runtimes(host)["real.service"].active == "active"


def no_systemd(host: FakeHost) -> None:
    host._facts = msgspec.structs.replace(host.facts(), init="")


CASES = [
    case(name="to run", params={"name": "app", "running": True}, arrange=unit(), verdict="update", check=active("active")),
    case(
        name="to run and start at boot",
        params={"name": "app.service", "running": True, "enabled": True},
        arrange=unit(),
        verdict="update",
        after={WANTS: link(SEEN)},
        check=active("active", 1),
    ),
    case(
        name="as wanted",
        params={"name": "app", "running": True, "enabled": True},
        arrange=unit(running=True, enabled=True),
        verdict="unchanged",
    ),
    case(name="nothing asked for", params={"name": "app"}, arrange=unit(), verdict="unchanged"),
    case(
        name="to stop and stay off",
        params={"name": "app", "running": False, "enabled": False},
        arrange=unit(running=True, enabled=True),
        verdict="update",
        after={WANTS: None},
        check=active("inactive"),
    ),
    case(
        name="to be masked",
        params={"name": "app", "masked": True},
        arrange=unit(enabled=True),
        verdict="update",
        after={ETC: link("/dev/null")},
    ),
    case(
        name="to be stopped and masked",
        params={"name": "app", "masked": True, "running": False, "enabled": False},
        arrange=unit(running=True, enabled=True),
        verdict="update",
        after={ETC: link("/dev/null"), WANTS: None},
        check=active("inactive"),
    ),
    case(
        name="to be masked, with its file in the way",
        params={"name": "app", "masked": True},
        arrange=unit(path=ETC),
        verdict="blocked",
        says=f"{ETC} is a file of this host itself",
        after={ETC: text(UNIT)},
    ),
    case(name="masked already", params={"name": "app", "masked": True}, arrange=masked, verdict="unchanged"),
    case(name="to be unmasked", params={"name": "app", "masked": False}, arrange=masked, verdict="update", after={ETC: None}),
    case(
        name="to be unmasked and enabled",
        params={"name": "app", "masked": False, "enabled": True},
        arrange=masked,
        verdict="update",
        after={ETC: None, WANTS: link(SEEN)},
    ),
    case(name="masked and to run", params={"name": "app", "running": True}, arrange=masked, verdict="blocked", says="set masked = false"),
    case(
        name="static and to be enabled",
        params={"name": "app", "enabled": True},
        arrange=unit(STATIC),
        verdict="blocked",
        says="no [Install] section",
    ),
    case(name="static and not to be enabled", params={"name": "app", "enabled": False}, arrange=unit(STATIC), verdict="unchanged"),
    case(name="static and to run", params={"name": "app", "running": True}, arrange=unit(STATIC), verdict="update", check=active("active")),
    case(
        name="it fails right after its start",
        params={"name": "app", "running": True},
        arrange=unit(UNIT.replace("/usr/bin/app", "/bin/false")),
        verdict="update",
        fails="status=1/FAILURE",
    ),
    case(
        name="its start fails",
        params={"name": "app", "running": True},
        arrange=unit(UNIT.replace("ExecStart=/usr/bin/app", "Type=forking\nExecStart=/bin/false")),
        verdict="update",
        fails="the control process exited with error code",
    ),
    case(
        name="it does its work and ends",
        params={"name": "app", "running": True},
        arrange=unit(UNIT.replace("ExecStart=/usr/bin/app", "Type=oneshot\nExecStart=/bin/true")),
        verdict="update",
        fails="RemainAfterExit=yes",
    ),
    case(
        name="its file was edited",
        params={"name": "app", "running": False},
        arrange=stopped_edited,
        verdict="update",
        check=fresh_file_is_read,
    ),
    case(name="under another name", params={"name": "daemon", "running": True}, arrange=alias, verdict="update", check=real_runs),
    case(
        name="from an earlier step",
        params={"name": "app", "running": True},
        promised=frozenset({"unit:app.service"}),
        verdict="create",
        fails="there is no unit app.service",
    ),
    case(name="without systemd", params={"name": "app", "running": True}, arrange=no_systemd, verdict="blocked", says="no systemd here"),
    case(
        name="without root",
        params={"name": "app", "running": True},
        arrange=unit(),
        user="ada",
        verdict="blocked",
        says="only root may manage services",
    ),
]
