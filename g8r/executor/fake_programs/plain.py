"""true, false, echo, cat, test, touch, mkdir, rm, id: what commands in tests are made of."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from g8r.executor.fake_host import FakeHost, Invocation, Program, always
from g8r.host import HostError, Ran


def _true(_host: FakeHost, _call: Invocation) -> Ran:
    return Ran(0, b"", b"")


def _false(_host: FakeHost, _call: Invocation) -> Ran:
    return Ran(1, b"", b"")


def _echo(_host: FakeHost, call: Invocation) -> Ran:
    words = call.argv[1:]
    newline = "\n"
    if words and words[0] == "-n":
        words, newline = words[1:], ""
    return Ran(0, (" ".join(words) + newline).encode(), b"")


def _cat(host: FakeHost, call: Invocation) -> Ran:
    paths = _operands(call)
    if not paths:
        return Ran(0, call.stdin, b"")
    out, errors = [], []
    for path in paths:
        try:
            out.append(host.read(path))
        except HostError as error:
            errors.append(f"cat: {error}\n")
    return Ran(1 if errors else 0, b"".join(out), "".join(errors).encode())


_TYPES = {"-f": "file", "-d": "directory"}


def _test(host: FakeHost, call: Invocation) -> Ran:
    words = list(call.argv[1:])
    if call.argv[0].endswith("[") and words and words[-1] == "]":
        words.pop()
    wanted = True
    while words and words[0] == "!":
        words.pop(0)
        wanted = not wanted
    return Ran(0 if _holds(host, call, words) is wanted else 1, b"", b"")


def _holds(host: FakeHost, call: Invocation, words: Sequence[str]) -> bool:
    match words:
        case [] | [_] | ["-n", _]:
            return bool(words and words[-1])
        case ["-z", text]:
            return not text
        case [left, ("=" | "==" | "!=") as operator, right]:
            return (left == right) is (operator != "!=")
        case ["-L" | "-h", path]:
            there = host.stat(_absolute(call, path))
            return there is not None and there.type == "link"
        case [flag, path] if flag in {"-e", "-f", "-d", "-s", "-x"}:
            there = host.follow(_absolute(call, path))
            if there is None or there.type != _TYPES.get(flag, there.type):
                return False
            return (flag != "-s" or there.size > 0) and (flag != "-x" or bool(there.mode & 0o111))
        case _:
            message = f"the fake test does not know {' '.join(words)!r}"
            raise HostError(message)


def _touch(host: FakeHost, call: Invocation) -> Ran:
    for path in _operands(call):
        if host.follow(path) is None:
            host.write(path, b"", mode=0o644)
    return Ran(0, b"", b"")


def _mkdir(host: FakeHost, call: Invocation) -> Ran:
    parents = any("p" in word for word in call.argv[1:] if word.startswith("-"))
    for path in _operands(call):
        if parents:
            _make_parents(host, path)
        else:
            host.make_directory(path, mode=0o755)
    return Ran(0, b"", b"")


def _make_parents(host: FakeHost, path: str) -> None:
    there = host.follow(path)
    if there is not None and there.type == "directory":
        return
    _make_parents(host, posixpath.dirname(path))
    host.make_directory(path, mode=0o755)


def _rm(host: FakeHost, call: Invocation) -> Ran:
    flags = "".join(word for word in call.argv[1:] if word.startswith("-"))
    for path in _operands(call):
        there = host.stat(path)
        if there is None:
            if "f" not in flags:
                return Ran(1, b"", f"rm: cannot remove '{path}': No such file or directory\n".encode())
        elif there.type == "directory":
            if "r" not in flags and "R" not in flags:
                return Ran(1, b"", f"rm: cannot remove '{path}': Is a directory\n".encode())
            host.remove_tree(path)
        else:
            host.remove(path)
    return Ran(0, b"", b"")


def _id(host: FakeHost, call: Invocation) -> Ran:
    operands = [word for word in call.argv[1:] if not word.startswith("-")]
    name = operands[0] if operands else host.user
    account = host.accounts().get(name)
    if account is None:
        return Ran(1, b"", f"id: '{name}': no such user\n".encode())
    flags = "".join(word[1:] for word in call.argv[1:] if word.startswith("-"))
    if "u" in flags:
        text = account.name if "n" in flags else str(account.uid)
    elif "g" in flags:
        text = account.group if "n" in flags else str(account.gid)
    else:
        text = f"uid={account.uid}({account.name}) gid={account.gid}({account.group})"
    return Ran(0, f"{text}\n".encode(), b"")


def _operands(call: Invocation) -> list[str]:
    return [_absolute(call, word) for word in call.argv[1:] if not word.startswith("-")]


def _absolute(call: Invocation, path: str) -> str:
    return posixpath.normpath(posixpath.join(call.cwd, path))


PROGRAMS: dict[str, Program] = {
    "true": Program(_true, reads=always),
    "false": Program(_false, reads=always),
    "echo": Program(_echo, reads=always),
    "cat": Program(_cat, reads=always),
    "test": Program(_test, reads=always),
    "[": Program(_test, reads=always),
    "id": Program(_id, reads=always),
    "touch": Program(_touch),
    "mkdir": Program(_mkdir),
    "rm": Program(_rm),
}
