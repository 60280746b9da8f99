"""What a host refuses, as a user reads it: the real host and the fake one say it in the same words."""

from __future__ import annotations

import errno

from g8r.host import HostError, MissingProgramError, TimedOutError

_NEXT = {
    errno.ENOSPC: ("no space left on device", "free some there, then run again"),
    errno.EDQUOT: ("the disk quota is used up", "free some there, then run again"),
    errno.EROFS: ("the file system is read-only", "mount it read-write first"),
    errno.ELOOP: ("a symbolic link is in the way", "name what it points at instead"),
    errno.ENOTDIR: ("what should be a directory on the way is none", ""),
    errno.EISDIR: ("it is a directory", ""),
    errno.ENOTEMPTY: ("the directory is not empty", ""),
    errno.EEXIST: ("something is there already", ""),
    errno.ENOENT: ("it does not exist", ""),
    errno.ENAMETOOLONG: ("the name is too long", ""),
    errno.EBUSY: ("it is in use", "something is mounted there, or a program holds it"),
    errno.ETXTBSY: ("it is a program that is running", ""),
    errno.EMFILE: ("too many files are open", "raise the agent's limit of open files"),
    errno.ENFILE: ("too many files are open on the host", ""),
    errno.EIO: ("the disk reports an input/output error", "check the disk"),
}


def refusal(number: int, doing: str, path: str, user: str, otherwise: str = "") -> HostError:
    """An errno as a HostError. `doing` fits "while {doing} /path": writing, reading, removing; `otherwise` is said of a rare errno."""
    if number in (errno.EACCES, errno.EPERM):
        advice = "" if user == "root" else "; run it as root, or give that user the permission"
        return HostError(f"permission denied while {doing} {path}: the agent runs as {user}{advice}")
    reason, advice = _NEXT.get(number, (otherwise or errno.errorcode.get(number, f"error {number}"), ""))
    return HostError(f"{reason} while {doing} {path}" + (f": {advice}" if advice else ""))


def no_parent(doing: str, path: str, parent: str) -> HostError:
    return HostError(f"the directory {parent} does not exist while {doing} {path}: declare it, or make it first")


def planted(doing: str, path: str, link: str) -> HostError:
    return HostError(
        f"{link} is a symbolic link that another user could have put there; not followed while {doing} {path}: "
        "use the path it points at, or let root own the link and the directory it is in"
    )


def no_user(name: str) -> HostError:
    return HostError(f'this host has no user "{name}": declare it as a user task, or check the spelling')


def no_group(name: str) -> HostError:
    return HostError(f'this host has no group "{name}": declare it as a group task, or check the spelling')


def other_user(program: str, wanted: str, user: str) -> HostError:
    return HostError(f"cannot run {program} as {wanted}: the agent runs as {user}, and only root may become another user")


def not_a_file(path: str) -> HostError:
    return HostError(f"{path} is no regular file, so it cannot be read: name a file")


def link_mode(path: str) -> HostError:
    return HostError(f"{path} is a symbolic link, and a link has no mode of its own: leave mode out")


def no_blob(digest: str) -> HostError:
    return HostError(f"the content {digest} did not travel with this plan: plan again")


def no_program(program: str) -> MissingProgramError:
    return MissingProgramError(f"this host has no program {program}: declare the package that brings it")


def swapped(path: str) -> HostError:
    return HostError(f"{path} was changed for something else while it was made: others may write in that directory; take that away first")


def hard_linked(path: str) -> HostError:
    return HostError(
        f"{path} has another name somewhere (a hard link), and others may write in its directory, so they could have made it of a file "
        "that is not theirs: its attributes stay; remove it, or take the others' permission away"
    )


def mounted(path: str) -> HostError:
    return HostError(f"something is mounted at {path}, and removing does not leave a file system: unmount it first")


def too_deep(path: str) -> HostError:
    return HostError(f"{path} is too deep to be removed: remove it by hand (rm -r)")


def timed_out(program: str, seconds: float) -> TimedOutError:
    return TimedOutError(f"{program} ran longer than {seconds:g} s and was killed: see what it waits for, or raise the task's timeout")


def not_a_program(program: str) -> HostError:
    return HostError(f"{program} cannot be run: it is no program, or a script without a #! line")


def no_directory_to_run_in(program: str, cwd: str) -> HostError:
    return HostError(f"cannot run {program} in {cwd}: there is no such directory")


def root_removal() -> HostError:
    return HostError("the root directory / is never removed: name what is to go")
