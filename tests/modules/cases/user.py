"""Cases of the kind `user`."""

from __future__ import annotations

import functools
from collections.abc import Callable

from case import CANARY, Case, folder, text

from g8r.executor.fake_host import FakeHost

case = functools.partial(Case, kind="user")

HASH, OTHER = "$6$salt$" + "x" * 20, "$y$j9T$other$" + "y" * 20


def ada(secret: str = HASH, *, expires: str = "", groups: str = "", home: str = "/home/ada") -> Callable[[FakeHost], None]:
    """Puts the user ada with her own group on a host."""

    def arrange(host: FakeHost) -> None:
        host.place("/etc/passwd", host.read("/etc/passwd").decode() + f"ada:x:1815:1815:Ada:{home}:/bin/bash\n")
        host.place("/etc/shadow", host.read("/etc/shadow").decode() + f"ada:{secret}:20000:0:99999:7::{expires}:\n", mode=0o640)
        lines = [
            line + "ada" if line.split(":")[0] in groups.split(",") else line for line in host.read("/etc/group").decode().splitlines()
        ]
        host.place("/etc/group", "\n".join([*lines, "ada:x:1815:", ""]))
        host.place_directory(home, owner="ada", group="ada")
        host.place(f"{home}/notes", "of the engine\n", owner="ada", group="ada")

    return arrange


def line(path: str, expected: str) -> Callable[[FakeHost], None]:
    """That the user's line of a file is this."""

    def check(host: FakeHost) -> None:
        lines = [each for each in host.read(path).decode().splitlines() if each.startswith("ada:")]
        assert lines == ([expected] if expected else [])

    return check


def member(*groups: str) -> Callable[[FakeHost], None]:
    def check(host: FakeHost) -> None:
        assert sorted(name for name, found in host.groups().items() if "ada" in found.members) == sorted(groups)

    return check


def never_in_argv(host: FakeHost) -> None:
    assert CANARY in host.read("/etc/shadow").decode()
    assert not [call for call in host.calls if CANARY in str(call)]


HOME = {"/home/ada": folder(0o755, "ada", "ada"), "/home/ada/.profile": text(None, 0o644, "ada", "ada")}
SKELETON = (".bash_logout", ".bashrc", ".profile")
LEAVES = ("/home/ada", *(f"/home/ada/{name}" for name in SKELETON))

CASES = [
    case(
        name="a new user",
        params={"name": "ada"},
        verdict="create",
        after=HOME,
        leaves=LEAVES,
        check=line("/etc/passwd", "ada:x:1000:1000::/home/ada:/bin/sh"),
    ),
    case(
        name="a new user with all there is",
        params={
            "name": "ada",
            "uid": 1815,
            "group": "users",
            "groups": ["sudo", "adm"],
            "home": "/srv/ada",
            "create_home": False,
            "shell": "/bin/bash",
            "comment": "Ada Lovelace",
            "password": HASH,
            "locked": True,
            "expires": "2030-01-02",
        },
        verdict="create",
        after={"/srv/ada": None},
        check=line("/etc/shadow", f"ada:!{HASH}:20000:0:99999:7::21916:"),
    ),
    case(
        name="a new system account",
        params={"name": "ada", "system": True},
        verdict="create",
        after={"/home/ada": None},
        check=line("/etc/passwd", "ada:x:999:999::/home/ada:/bin/sh"),
    ),
    case(
        name="a group of its name exists",
        params={"name": "staff"},
        verdict="blocked",
        says='there is a group staff already: say group = "staff"',
    ),
    case(
        name="a group of its name exists and is meant",
        params={"name": "staff", "group": "staff"},
        verdict="create",
        leaves=("/home/staff", *(f"/home/staff/{name}" for name in SKELETON)),
        after={"/home/staff": folder(0o755, "staff", "staff")},
    ),
    case(
        name="a new user removed with its home",
        params={"name": "ada", "remove_home": True},
        verdict="create",
        after=HOME,
    ),
    case(
        name="as wanted",
        params={"name": "ada", "uid": 1815, "group": "ada", "groups": ["adm"], "shell": "/bin/bash", "password": HASH, "expires": "never"},
        arrange=ada(groups="adm,sudo"),
        verdict="unchanged",
    ),
    case(name="a number for its group", params={"name": "ada", "group": "1815"}, arrange=ada(), verdict="unchanged"),
    case(
        name="another shell and comment",
        params={"name": "ada", "shell": "/bin/sh", "comment": "Countess"},
        arrange=ada(),
        verdict="update",
        check=line("/etc/passwd", "ada:x:1815:1815:Countess:/home/ada:/bin/sh"),
    ),
    case(
        name="groups are added",
        params={"name": "ada", "groups": ["sudo"]},
        arrange=ada(groups="adm"),
        verdict="update",
        check=member("adm", "sudo"),
    ),
    case(
        name="groups are all",
        params={"name": "ada", "groups": ["sudo"], "groups_only": True},
        arrange=ada(groups="adm,sudo"),
        verdict="update",
        says="leaves adm",
        check=member("sudo"),
    ),
    case(
        name="no groups at all",
        params={"name": "ada", "groups": [], "groups_only": True},
        arrange=ada(groups="adm"),
        verdict="update",
        check=member(),
    ),
    case(
        name="another number",
        params={"name": "ada", "uid": 2000},
        arrange=ada(),
        verdict="update",
        says="belong to 1815 keep that number",
        check=line("/etc/passwd", "ada:x:2000:1815:Ada:/home/ada:/bin/bash"),
    ),
    case(
        name="another home",
        params={"name": "ada", "home": "/srv/ada"},
        arrange=ada(),
        verdict="update",
        says="what is in /home/ada stays there",
        after={"/srv/ada": None, "/home/ada/notes": text("of the engine\n", 0o644, "ada", "ada")},
    ),
    case(
        name="another home, taken along",
        params={"name": "ada", "home": "/srv/ada", "move_home": True},
        arrange=ada(),
        verdict="update",
        after={"/srv/ada/notes": text("of the engine\n", 0o644, "ada", "ada"), "/home/ada": None},
    ),
    case(
        name="another password",
        params={"name": "ada", "password": OTHER},
        arrange=ada(),
        verdict="update",
        check=line("/etc/shadow", f"ada:{OTHER}:20000:0:99999:7:::"),
    ),
    case(
        name="a password where there was none",
        params={"name": "ada", "password": OTHER},
        arrange=ada("!"),
        verdict="update",
        check=line("/etc/shadow", f"ada:{OTHER}:20000:0:99999:7:::"),
    ),
    case(
        name="another password for one that is locked",
        params={"name": "ada", "password": OTHER},
        arrange=ada(f"!{HASH}"),
        verdict="update",
        check=line("/etc/shadow", f"ada:!{OTHER}:20000:0:99999:7:::"),
    ),
    case(
        name="to be locked",
        params={"name": "ada", "locked": True},
        arrange=ada(),
        verdict="update",
        check=line("/etc/shadow", f"ada:!{HASH}:20000:0:99999:7:::"),
    ),
    case(
        name="to be unlocked",
        params={"name": "ada", "locked": False, "password": HASH},
        arrange=ada(f"!{HASH}"),
        verdict="update",
        check=line("/etc/shadow", f"ada:{HASH}:20000:0:99999:7:::"),
    ),
    case(
        name="nothing to unlock",
        params={"name": "ada", "locked": False},
        arrange=ada("!"),
        verdict="update",
        fails="no password that could be unlocked",
    ),
    case(
        name="to expire",
        params={"name": "ada", "expires": "2030-01-02"},
        arrange=ada(),
        verdict="update",
        check=line("/etc/shadow", f"ada:{HASH}:20000:0:99999:7::21916:"),
    ),
    case(name="to expire no more", params={"name": "ada", "expires": "never"}, arrange=ada(expires="21916"), verdict="update"),
    case(
        name="a secret password",
        params={"name": "ada", "password": f"$6${CANARY}$hash"},
        arrange=ada(),
        verdict="update",
        sensitive=("password",),
        check=never_in_argv,
    ),
    case(
        name="a group that does not exist",
        params={"name": "ada", "groups": ["wheel"]},
        arrange=ada(),
        verdict="update",
        fails="group 'wheel' does not exist",
    ),
    case(name="a number that is taken", params={"name": "ada", "uid": 33}, verdict="create", fails="UID 33 is not unique"),
    case(name="absent already", params={"name": "ada", "ensure": "absent"}, verdict="unchanged"),
    case(
        name="to be absent",
        params={"name": "ada", "ensure": "absent"},
        arrange=ada(groups="adm"),
        verdict="delete",
        says="its home /home/ada stays",
        after={"/home/ada/notes": text(None, 0o644, "1815", "1815")},
        check=member(),
    ),
    case(
        name="to be absent with its home",
        params={"name": "ada", "ensure": "absent", "remove_home": True},
        arrange=ada(),
        verdict="delete",
        says="is removed with all that is in it",
        after={"/home/ada": None},
    ),
    case(name="without root", params={"name": "grace"}, user="ada", verdict="blocked", says="only root may manage users"),
    case(name="without root, as wanted", params={"name": "ada", "shell": "/bin/bash"}, user="ada", verdict="unchanged"),
    case(
        name="without root, with a password",
        params={"name": "ada", "password": HASH},
        user="ada",
        verdict="unknown",
        says="only root may read /etc/shadow, so password cannot be compared",
        fails="there is nothing to apply",
    ),
]
