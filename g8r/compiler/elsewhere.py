"""Words of Ansible, Salt, Puppet and Terraform, and what g8r has in their place: hints for those who come from there."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from g8r.diagnostics import DocumentPath

_KINDS: Final = {
    **dict.fromkeys(("copy", "local_file", "managed", "blob"), "file"),
    **dict.fromkeys(("apt", "yum", "dnf", "apk", "pkg", "packages", "apt_package"), "package"),
    **dict.fromkeys(("systemd", "systemd_service", "systemd_unit", "services", "handlers"), "service"),
    **dict.fromkeys(("lineinfile", "replace", "file_line", "augeas"), "line"),
    **dict.fromkeys(("shell", "cmd", "exec", "raw", "script", "run"), "command"),
    **dict.fromkeys(("symlink", "alternatives"), "link"),
    **dict.fromkeys(("folder", "dir", "recurse"), "directory"),
    "jinja": "template",
    "useradd": "user",
    "groupadd": "group",
}
_PARAMS: Final = {
    **dict.fromkeys(("dest", "destination", "filename"), ("path",)),
    **dict.fromkeys(("src", "template"), ("source", "target")),
    **dict.fromkeys(("contents", "text", "body"), ("content",)),
    **dict.fromkeys(("variables", "context"), ("vars",)),
    **dict.fromkeys(("cmd", "command", "_raw_params"), ("argv",)),
    **dict.fromkeys(("chdir", "dir", "directory"), ("cwd",)),
    **dict.fromkeys(("environment",), ("env",)),
    **dict.fromkeys(("require", "requires", "depends_on", "after"), ("needs",)),
    **dict.fromkeys(("hosts", "host", "targets", "delegate_to"), ("on",)),
    **dict.fromkeys(("watch", "subscribe", "onchanges"), ("restart_on", "run_on", "needs")),
    **dict.fromkeys(("retries", "until"), ("retry",)),
    **dict.fromkeys(("no_log", "secret"), ("sensitive",)),
    **dict.fromkeys(("become_user", "runas", "sudo"), ("become",)),
    **dict.fromkeys(("members",), ("groups",)),
    "state": ("ensure", "running"),
}
_IN_NICKEL: Final = {
    **dict.fromkeys(("when", "condition", "if"), "A task that may not be there is written with an `if`, in Nickel."),
    **dict.fromkeys(("loop", "with_items", "for_each", "count", "names"), "Many tasks from a list are made with `each`, in Nickel."),
    **dict.fromkeys(
        ("notify", "listen", "handler", "notifies"),
        "Say it the other way round: `restart_on` or `reload_on` of a service, `run_on` of a command.",
    ),
    "register": "What a task gives is there for others: @{KIND.NAME.OUTPUT}.",
}
_TOP: Final = {
    **dict.fromkeys(("resource", "resources", "task", "roles", "states"), "tasks"),
    **dict.fromkeys(("variable", "variables", "locals", "pillar"), "vars"),
    **dict.fromkeys(("inventory", "nodes", "machines"), "hosts"),
    "output": "outputs",
}


def kind(name: str) -> str:
    """` Here it is "package".`, or nothing."""
    return _here(_KINDS.get(name.rpartition(".")[2], ""))


def param(name: str, known: Container[str]) -> str:
    """What there is in place of a param, among those that are known; or nothing."""
    if name in _IN_NICKEL:
        return f" {_IN_NICKEL[name]}"
    return _here(next((here for here in _PARAMS.get(name, ()) if here in known), ""))


def top(name: str, kinds: Container[str]) -> str:
    """What there is in place of a key of the stack; or nothing."""
    if name in kinds:
        return f" Tasks stand below tasks: tasks.{name}."
    return _here(_TOP.get(name, ""))


def record(at: DocumentPath) -> str:
    """What is expected where tasks are, in words that say how they are written."""
    if len(at) == 1:
        return "a record of kinds, and in each its tasks by their names: tasks.file.motd"
    if len(at) == 2:  # noqa: PLR2004 tasks, kind
        return f"a record of tasks by their names: {at[0]}.{at[1]}.motd"
    return "a record of params"


def _here(name: str) -> str:
    return f' Here it is "{name}".' if name else ""
