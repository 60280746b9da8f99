"""The kind `user`: an account of /etc/passwd, with its groups, its password hash and its expiry.

What is left out is left as it is, or as `useradd` makes it. Choices where two people would differ:

- `groups` adds to the supplementary groups; with `groups_only` it is all of them.
- Without `group`, a new user gets a group of its own name. Where a task of kind `group` makes that, say `group = "NAME"`.
- `create_home` speaks of a new user only; a home that is changed stays where it is unless `move_home` says so, and no home is ever
  removed unless `remove_home` does.
- A password is its hash, as crypt(3) writes it. It reaches chpasswd on stdin, and a State holds only a digest of it: so plans can tell
  that it differs, and nobody can read it there. Without root it cannot be compared, and the task is unknown, never "ok".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from g8r.change import ABSENT, Absent, Applied, Blocked, Change, Failed, NoChange, Undecided, Unreadable, Verdict
from g8r.claim import Claims, normal_path
from g8r.host import AccountGroup, Host
from g8r.module import AbsolutePath, AccountName, Ahead, Module, Params, Problem, State, Wanted, Work, param
from g8r.modules.support import accounts
from g8r.modules.support.accounts import AccountNumber, digest_of_hash
from g8r.modules.support.programs import needs_root

Comment: TypeAlias = Annotated[str, Meta(pattern=r"^[^:\n]*$", extra={"expected": "text without colons"})]
PasswordHash: TypeAlias = Annotated[
    str, Meta(pattern=r"^(\$[!-9;-~]+|\*)$", extra={"expected": "a password hash as `mkpasswd` prints it ($y$..., $6$...), or *"})
]
Expiry: TypeAlias = Annotated[
    str, Meta(pattern=r"^(never|[0-9]{4}-[0-9]{2}-[0-9]{2})$", extra={"expected": 'a date such as "2030-12-31", or "never"'})
]


class UserParams(Params, frozen=True, kw_only=True):
    name: Annotated[AccountName, param("The account; the task's name where it is left out.", known=True)]
    ensure: Annotated[Literal["present", "absent"], param("Whether it shall be there.", known=True)] = "present"
    uid: Annotated[AccountNumber | None, param("Its number. Left out, the host chooses one.", example=2000)] = None
    group: Annotated[
        AccountName | None, param("Its primary group. Left out, a new user gets a group of its own name.", known=True, example="www-data")
    ] = None
    groups: Annotated[
        tuple[AccountName, ...] | None, param("Supplementary groups that it shall be in.", known=True, example=["adm", "sudo"])
    ] = None
    groups_only: Annotated[bool, param("Whether `groups` are all that it shall be in: it leaves the others.")] = False
    home: Annotated[AbsolutePath | None, param("Its home. Left out, that of a new user is /home/NAME.", known=True)] = None
    create_home: Annotated[
        bool | None,
        param("Whether the home of a new user is made, from /etc/skel. Left out: yes, but not for a system account.", known=True),
    ] = None
    move_home: Annotated[bool, param("Whether a changed `home` takes what is in the old one along.")] = False
    shell: Annotated[AbsolutePath | None, param("Its login shell. Left out, the host chooses that of a new user.")] = None
    comment: Annotated[Comment | None, param("The comment, mostly the full name.")] = None
    system: Annotated[
        bool,
        param("Make a new user a system account: a low number, no expiry. Of a user that exists it means nothing.", known=True),
    ] = False
    password: Annotated[
        PasswordHash | None,
        param("The hash of its password, as `mkpasswd` prints it; `*` for a password that never fits.", sensitive=True, stand_in=""),
    ] = None
    locked: Annotated[bool | None, param("Whether logging in with the password is off for now; keys still work.")] = None
    expires: Annotated[Expiry | None, param("The day from which on the account is closed, or `never`.", example="2030-12-31")] = None
    remove_home: Annotated[bool, param("Whether the home goes with the user when it is removed.")] = False


class UserState(State, frozen=True, kw_only=True):
    """uid is None only in a prediction. password is a digest of the hash, and None where it is not managed or cannot be read; so are
    locked and expires.
    """

    name: str
    uid: int | None
    group: str
    groups: tuple[str, ...]
    home: str
    shell: str
    comment: str
    password: str | None = None
    locked: bool | None = None
    expires: str | None = None


class UserOutputs(msgspec.Struct, frozen=True):
    name: str
    uid: int | None
    group: str
    home: str
    shell: str


class User(Module[UserParams, UserState]):
    kind = "user"
    summary = "An account: groups, home, shell, password hash, expiry"
    Params: ClassVar[type[Any]] = UserParams
    State: ClassVar[type[Any]] = UserState
    Outputs: ClassVar[type[Any]] = UserOutputs
    natural = "name"
    determines: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("create_home", "move_home", "remove_home", "system", "ensure"), ()),
        "groups_only": ("groups",),
    }
    batch = 50

    def validate(self, params: UserParams, triggers: frozenset[str]) -> Sequence[Problem]:  # noqa: ARG002 the protocol's
        problems = []
        if params.name.isdigit():
            problems.append(Problem(f"{params.name} is a number, not a name", "Name the user, and give the number as uid.", "name"))
        if params.groups_only and params.groups is None:
            problems.append(
                Problem("groups_only says that groups are all, and there are none", "Give groups; `[]` for none.", "groups_only")
            )
        if params.locked is False and params.password is None and params.ensure == "present":
            detail = "A new user has no password, and only one with a password can be unlocked. Give password, or leave out locked."
            problems.append(Problem("locked = false without a password", detail, "locked"))
        if params.expires is not None and not _is_day(params.expires):
            problems.append(
                Problem(f"{params.expires} is no day of the calendar", "Write it as year, month and day: 2030-12-31.", "expires")
            )
        return problems

    def identity(self, params: UserParams) -> str:
        return params.name

    def claims(self, params: UserParams) -> Claims:
        """A new user brings its home, and its own group where it is given no other."""
        provides = [f"user:{params.name}"]
        if params.group is None:
            provides.append(f"group:{params.name}")
        if _makes_home(params):
            provides.append(f"path:{_home(params)}")
        if params.ensure == "absent":
            return Claims(tuple(provides), locks=("lock:passwd",), removes=True)
        groups = {name for name in (params.group, *(params.groups or ())) if name and not name.isdigit()}
        groups -= set() if params.group else {params.name}
        return Claims(tuple(provides), tuple(f"group:{name}" for name in sorted(groups)), locks=("lock:passwd",))

    def read(self, wanted: Sequence[Wanted[UserParams, UserState]], host: Host) -> Sequence[UserState | Absent | Unreadable]:
        known, shadow = host.accounts(), accounts.read_shadow(host)
        memberships = accounts.memberships(host.groups())
        states: list[UserState | Absent | Unreadable] = []
        for params in (each.params for each in wanted):
            account = known.get(params.name)
            if account is None:
                states.append(ABSENT)
                continue
            secret = None if shadow is None else shadow.get(account.name, accounts.NO_SHADOW)
            numeric = params.group is not None and params.group.isdigit() and int(params.group) == account.gid
            state = UserState(
                name=account.name,
                uid=account.uid,
                group=str(account.gid) if numeric else account.group,
                groups=tuple(name for name in memberships.get(account.name, ()) if name != account.group),
                home=account.home,
                shell=account.shell,
                comment=account.comment,
                password=digest_of_hash(secret.hash) if secret and params.password is not None else None,
                locked=secret.locked if secret else None,
                expires=secret.expires if secret else None,
            )
            states.append(state)
        return states

    def diff(self, params: UserParams, before: UserState | Absent, ahead: Ahead) -> Verdict[UserState]:
        refused = needs_root(ahead, "manage users")
        if params.ensure == "absent":
            return NoChange() if isinstance(before, Absent) else refused or _removal(params, before)
        if isinstance(before, Absent):
            return refused or _creation(params)
        after = _after(params, before)
        if after != before:
            return refused or Change("update", before, after, because=_because(params, before, after))
        hidden = [name for name in ("password", "locked", "expires") if getattr(params, name) is not None and getattr(before, name) is None]
        if hidden:
            return Undecided(f"only root may read /etc/shadow, so {', '.join(hidden)} cannot be compared: run g8r as root")
        return NoChange()

    def remove(self, params: UserParams, before: UserState) -> Change[UserState]:
        return _removal(params, before)

    def restore(
        self,
        params: UserParams,
        before: UserState | Absent,
        original: UserState,
    ) -> Change[UserState] | NoChange | Blocked:
        lost = not original.locked if isinstance(before, Absent) else before.password != original.password
        if lost:
            return Blocked(f"the password that {original.name} had before is not kept by g8r; set on_remove = 'forget")
        return super().restore(params, before, original)

    def rehearse(
        self, work: Sequence[Work[UserParams, UserState]], host: Host
    ) -> Sequence[Change[UserState] | Undecided[UserState] | Blocked]:
        """The shell that `useradd` gives a new user where none is asked for; blocked where its own group is there already."""
        groups = host.groups()
        shell = accounts.default_shell(host) if any("shell" in each.change.unknown for each in work) else None
        return [_group_taken(each, groups) or _with_shell(each.change, shell) for each in work]

    def apply(self, work: Sequence[Work[UserParams, UserState]], host: Host) -> Iterator[Applied[UserState] | Failed]:
        for each in work:
            yield _apply(each, host)


def _is_day(expires: str) -> bool:
    """Whether it is never, or a day of the calendar."""
    if expires == "never":
        return True
    try:
        dt.date.fromisoformat(expires)
    except ValueError:
        return False
    return True


def _home(params: UserParams) -> str:
    return normal_path(params.home or f"/home/{params.name}")


def _makes_home(params: UserParams) -> bool:
    return not params.system if params.create_home is None else params.create_home


# ---- diff -------------------------------------------------------------------------------------------------------------------


def _creation(params: UserParams) -> Change[UserState]:
    group = params.group or params.name
    after = UserState(
        name=params.name,
        uid=params.uid,
        group=group,
        groups=tuple(sorted(set(params.groups or ()) - {group})),
        home=_home(params),
        shell=params.shell or "",
        comment=params.comment or "",
        password=None if params.password is None else digest_of_hash(params.password),
        locked=params.password is None if params.locked is None else params.locked,
        expires=params.expires or "never",
    )
    return Change("create", ABSENT, after, tuple(name for name in ("shell", "uid") if getattr(params, name) is None))


def _after(params: UserParams, before: UserState) -> UserState:
    group = params.group or before.group
    groups = before.groups
    if params.groups is not None:
        groups = tuple(sorted({*params.groups, *(() if params.groups_only else before.groups)} - {group}))
    locked = before.locked
    if locked is not None:
        locked = (locked and before.password != "") if params.locked is None else params.locked
    return UserState(
        name=before.name,
        uid=before.uid if params.uid is None else params.uid,
        group=group,
        groups=tuple(name for name in groups if name != group),
        home=before.home if params.home is None else normal_path(params.home),
        shell=params.shell or before.shell,
        comment=before.comment if params.comment is None else params.comment,
        password=before.password if params.password is None or before.password is None else digest_of_hash(params.password),
        locked=locked,
        expires=before.expires if params.expires is None or before.expires is None else params.expires,
    )


def _because(params: UserParams, before: UserState, after: UserState) -> tuple[str, ...]:
    because = []
    if after.uid != before.uid:
        because.append(f"files outside its home that belong to {before.uid} keep that number")
    if after.home != before.home and not params.move_home:
        because.append(f"what is in {before.home} stays there; move_home = true takes it along")
    if left := sorted(set(before.groups) - set(after.groups) - {after.group}):
        because.append(f"leaves {', '.join(left)}")
    return tuple(because)


def _removal(params: UserParams, before: UserState) -> Change[UserState]:
    fate = "is removed with all that is in it" if params.remove_home else "stays"
    return Change("delete", before, ABSENT, because=(f"its home {before.home} {fate}",))


def _group_taken(work: Work[UserParams, UserState], groups: Mapping[str, AccountGroup]) -> Blocked | None:
    """A user that is to bring its own group cannot where there is one; and taking it over would take it away with the user later."""
    if not isinstance(work.change.before, Absent) or work.params.group is not None or work.params.name not in groups:
        return None
    name = work.params.name
    return Blocked(f'there is a group {name} already: say group = "{name}" to make it the primary group of the user')


def _with_shell(change: Change[UserState], shell: str | None) -> Change[UserState]:
    if shell is None or isinstance(change.after, Absent) or "shell" not in change.unknown:
        return change
    after = msgspec.structs.replace(change.after, shell=shell)
    return msgspec.structs.replace(change, after=after, unknown=tuple(name for name in change.unknown if name != "shell"))


# ---- apply ------------------------------------------------------------------------------------------------------------------


def _apply(work: Work[UserParams, UserState], host: Host) -> Applied[UserState] | Failed:
    params, before, after = work.params, work.change.before, work.change.after
    if isinstance(after, Absent):
        return _delete(params, host) or Applied()
    if isinstance(before, Absent):
        taken = _group_taken(work, host.groups())
        failure = Failed(taken.reason) if taken else accounts.run(_useradd(work, after), host)
    else:
        options = _usermod(params, before, after)
        failure = accounts.run(("usermod", *options, after.name), host) if options else None
    if failure is None and after.password is not None and (isinstance(before, Absent) or _secret(before) != _secret(after)):
        return _set_password(params, after, host) or Applied()
    locked = True if isinstance(before, Absent) else before.locked
    if failure is None and after.password is None and after.locked is not None and after.locked != locked:
        failure = accounts.set_lock(after.name, host, locked=after.locked)
    return failure or Applied()


def _delete(params: UserParams, host: Host) -> Failed | None:
    """Userdel takes the primary group along where it has the user's name and no other members.

    Where the task named that group, it is not the user's to take: root is its member for the moment, which gives root nothing new.
    """
    account = host.accounts().get(params.name)
    keeps_group = account is not None and params.group is not None and account.group == params.name
    if keeps_group:
        failure = accounts.run(("gpasswd", "-a", "root", params.name), host)
        if failure is not None:
            return failure
    failure = accounts.run(("userdel", *(("--remove",) if params.remove_home else ()), params.name), host)
    if keeps_group:
        failure = failure or accounts.run(("gpasswd", "-d", "root", params.name), host)
    return failure


def _secret(state: UserState) -> tuple[str | None, bool | None]:
    return state.password, state.locked


def _useradd(work: Work[UserParams, UserState], after: UserState) -> tuple[str, ...]:
    params, unknown = work.params, work.change.unknown
    argv = ["useradd", "--home-dir", after.home, "--create-home" if _makes_home(params) else "--no-create-home"]
    argv += ["--user-group"] if params.group is None and after.group == after.name else ["--gid", after.group]
    argv += ["--system"] if params.system else []
    argv += ["--uid", str(after.uid)] if after.uid is not None and "uid" not in unknown else []
    argv += ["--groups", ",".join(after.groups)] if after.groups else []
    argv += ["--shell", after.shell] if after.shell and "shell" not in unknown else []
    argv += ["--comment", after.comment] if after.comment else []
    argv += ["--expiredate", after.expires] if after.expires not in {None, "never"} else []
    return (*argv, after.name)


def _usermod(params: UserParams, before: UserState, after: UserState) -> list[str]:
    options: list[str] = []
    options += ["--uid", str(after.uid)] if after.uid != before.uid else []
    options += ["--gid", after.group] if after.group != before.group else []
    options += ["--groups", ",".join(after.groups)] if after.groups != before.groups else []
    options += ["--home", after.home, *(["--move-home"] if params.move_home else [])] if after.home != before.home else []
    options += ["--shell", after.shell] if after.shell != before.shell else []
    options += ["--comment", after.comment] if after.comment != before.comment else []
    if after.expires != before.expires:
        options += ["--expiredate", "" if after.expires in {None, "never"} else str(after.expires)]
    return options


def _set_password(params: UserParams, after: UserState, host: Host) -> Failed | None:
    if params.password is None or digest_of_hash(params.password) != after.password:
        return Failed(f"the password that {after.name} shall have is not at hand: g8r keeps no copy of it")
    return accounts.set_password(after.name, params.password, host, locked=bool(after.locked))
