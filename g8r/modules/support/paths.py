"""What all kinds with a path share: the words of their params, where a path leads, whose it is, and what only root may do."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Annotated, Final, Literal, Protocol, TypeAlias

from g8r.change import Blocked, Failed, Unreadable
from g8r.claim import normal_path
from g8r.host import FileType, Host, HostError, Stat
from g8r.module import AccountName, Ahead, Mode, Problem, param, parse_mode

# ---- params: the same thing has the same name in every kind -----------------------------------------------------------------

Ensure: TypeAlias = Annotated[
    Literal["present", "absent"],
    param("Whether it is there at all. `absent` removes what is there, whoever made it.", known=True),
]
Owner: TypeAlias = Annotated[
    AccountName | None,
    param(
        "The user that owns it, by name or decimal id. Left out: what is there keeps its owner, what is new is the agent's. "
        "Only root may give a file away.",
        known=True,
        example="www-data",
    ),
]
Group: TypeAlias = Annotated[
    AccountName | None,
    param(
        "The group that owns it, by name or decimal id. Left out: what is there keeps its group, what is new has the primary group "
        "of the agent's user.",
        known=True,
        example="adm",
    ),
]
Follow: TypeAlias = Annotated[
    bool,
    param(
        "What to do about a symbolic link at `path`: true manages what it points at. False leaves links alone, and says so: it is "
        "blocked where one is in the way. With `ensure = absent` it is always the link itself that goes.",
        known=True,
    ),
]
FileMode: TypeAlias = Annotated[
    Mode | None,
    param("The permission bits, octal and in quotes. Left out: what is there keeps its mode, what is new gets 0644.", example="0640"),
]
Backup: TypeAlias = Annotated[
    bool,
    param("Keep what is replaced beside it, as PATH.g8r-DIGEST8, with the same owner and mode. Backups are never removed by g8r."),
]
Validate: TypeAlias = Annotated[
    tuple[str, ...],
    param(
        "A program that must accept the new content before it is put in place; `{}` stands for a file that holds it (beside `path`, "
        "mode 0600). A non-zero exit fails the step and leaves `path` as it was. It must only read.",
        example=["visudo", "-cf", "{}"],
    ),
]

# ---- where a path leads, and whose it is ------------------------------------------------------------------------------------

_LINKS: Final = 40
"""How many links are followed in a row; Linux has the same limit."""


def locate(path: str, host: Host, *, follow: bool) -> tuple[str, Stat | None]:
    """Where a path leads and what is there. Raises HostError for a link that leads nowhere that can be named."""
    place = path
    for _ in range(_LINKS):
        found = host.stat(place)
        if not follow or found is None or found.type != "link":
            if place != path and found != host.follow(path):
                break
            return place, found
        place = normal_path(posixpath.join(posixpath.dirname(place), found.target or ""))
    message = f"{path} is a link that g8r cannot follow safely: use the path it points at"
    raise HostError(message)


def spelled(name: str, wanted: str | None, host: Host, *, group: bool = False) -> str:
    """The name of an owner as the params spell it: `1000` where they say so and the name has that id."""
    if wanted is None or name == wanted or not wanted.isdigit():
        return name
    account = host.groups().get(name) if group else host.accounts().get(name)
    if account is None:
        return name
    number = account.uid if hasattr(account, "uid") else account.gid
    return wanted if number == int(wanted) else name


def named(wanted: str, host: Host, *, group: bool = False) -> str:
    """The name of the account that a decimal id in params means; anything else is a name already."""
    if not wanted.isdigit():
        return wanted
    number = int(wanted)
    if group:
        return next((name for name, found in sorted(host.groups().items()) if found.gid == number), wanted)
    return next((name for name, found in sorted(host.accounts().items()) if found.uid == number), wanted)


def word(type_: FileType) -> str:
    """What a user calls it."""
    return {"link": "symbolic link", "other": "device, socket or pipe"}.get(type_, type_)


class Attributes(Protocol):
    """The States that `settle` takes."""

    @property
    def mode(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def group(self) -> str: ...


def settle(path: str, existing: Attributes, after: Attributes, host: Host) -> None:
    """Change what differs of mode, owner and group."""
    if (existing.mode, existing.owner, existing.group) == (after.mode, after.owner, after.group):
        return
    host.set_attributes(
        path,
        mode=parse_mode(after.mode) if after.mode != existing.mode else None,
        owner=after.owner if after.owner != existing.owner else None,
        group=after.group if after.group != existing.group else None,
    )


def beside(path: str) -> str:
    """Where the candidate for a path is written while it is validated: the same directory and suffix, hidden from `*` patterns."""
    return posixpath.join(posixpath.dirname(path), f".g8r-{posixpath.basename(path)}")


# ---- what only root may do --------------------------------------------------------------------------------------------------


def refused(path: str, owner: str, ahead: Ahead) -> Blocked | None:
    """Why an agent that is not root cannot make `path` be of this owner or change it; a decimal id is left to the host to judge."""
    if ahead.privileged or owner == ahead.user or owner.isdigit():
        return None
    return Blocked(
        f'{path} is or shall be owned by {owner}, and only root may see to that; g8r acts as "{ahead.user}" here: run it as root'
    )


def unreadable(error: HostError) -> Unreadable:
    return Unreadable(str(error))


# ---- validation -------------------------------------------------------------------------------------------------------------


def validate_program(argv: Sequence[str]) -> tuple[Problem, ...]:
    if not argv or any("{}" in word for word in argv):
        return ()
    detail = f"Write {{}} where {argv[0]} expects the file: it is replaced by the path of the candidate."
    return (Problem("validate does not say where the file goes", detail, "validate"),)


def check(argv: Sequence[str], content: bytes, path: str, host: Host, *, secret: bool) -> Failed | None:
    """Have a program judge the content that is to stand at `path`. The candidate is gone afterwards.

    An agent that is killed here leaves the candidate, unreadable for others; the next run writes over it and removes it. Where the
    content is secret, what the program says about it is not repeated.
    """
    if not argv:
        return None
    candidate = beside(path)
    host.write(candidate, content, mode=0o600)
    try:
        ran = host.run(tuple(word.replace("{}", candidate) for word in argv), changes=False)
    finally:
        host.remove(candidate)
    if ran.code == 0:
        return None
    program = " ".join(argv)
    if secret:
        return Failed(
            f"`{program}` refuses the new content of {path} (exit code {ran.code}); what it says may hold secrets and is not shown"
        )
    output = (ran.stdout + ran.stderr).decode("utf-8", "replace").replace(candidate, path)
    return Failed(f"`{program}` refuses the new content of {path}: {ran.complaint.replace(candidate, path)}", output[-65536:])
