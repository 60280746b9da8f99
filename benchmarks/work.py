"""The work that all peers do, in each one's own language, as a user of it would write it out."""

from __future__ import annotations

import json
from pathlib import Path


def text(number: int) -> str:
    """The two lines of one file."""
    return f"# file {number}, kept by a benchmark\nvalue = {number * 7919}\n"


def target(folder: Path, number: int) -> Path:
    """Where the file belongs; `prepare` makes the directory."""
    return folder / "out" / f"file-{number:05}.conf"


def done(folder: Path, n: int) -> bool:
    """Whether all files are there, with their content and mode."""
    paths = [target(folder, number) for number in range(n)]
    return all(
        path.is_file() and path.read_text() == text(number) and path.stat().st_mode & 0o7777 == 0o644 for number, path in enumerate(paths)
    )


def g8r(folder: Path, n: int) -> str:
    """A stack in Nickel: plain literal records."""
    lines = [
        f'    f{number:05} = {{ path = "{target(folder, number)}", content = {_nickel(text(number))}, mode = "0644" }},\n'
        for number in range(n)
    ]
    return '{\n  name = "benchmark",\n  tasks.file = {\n' + "".join(lines) + "  },\n}\n"


def g8r_fleet(n: int, hosts: int) -> str:
    """N tasks, each on every one of the simulated hosts."""
    declared = "".join(f'    h{number} = {{ connection = "fake" }},\n' for number in range(hosts))
    tasks = "".join(
        f'    f{number:05} = {{ path = "/srv/app/file-{number:05}.conf", content = {_nickel(text(number))}, mode = "0644" }},\n'
        for number in range(n)
    )
    return (
        '{\n  name = "fleet",\n  hosts = {\n'
        + declared
        + '  },\n  tasks.directory.app = { path = "/srv/app" },\n  tasks.file = {\n'
        + tasks
        + "  },\n}\n"
    )


def g8r_mixed(n: int) -> str:
    """N tasks as a site has them, in fours (a package, a directory, a file that refers to its host, a service that hears of the file), and
    a host for every hundred.
    """
    lines = [
        '{\n  name = "site",\n  vars.env = "prod",\n',
        *(f'  hosts.h{host}.labels.role = "r{host % 3}",\n' for host in range(n // 100)),
    ]
    for number in range(n // 4):
        name, on = f"app{number:05}", f'on = "h{number * 4 // 100}"'
        content = "env = %{vars.env} on @{host.name}\\n"
        lines += [
            f"  tasks.package.{name} = {{ {on} }},\n",
            f'  tasks.directory.{name} = {{ {on}, path = "/srv/{name}", mode = "0755", owner = "root" }},\n',
            f'  tasks.file.{name} = {{ {on}, path = "/srv/{name}/app.conf", mode = "0640", content = "{content}" }},\n',
            f'  tasks.service.{name} = {{ {on}, running = true, enabled = true, restart_on = ["file.{name}"] }},\n',
        ]
    return "".join(lines) + "}\n"


def g8r_mistakes(files: int, mistakes: int) -> dict[str, str]:
    """A stack over several files, by their names, each with its part of the mistakes: of types, values, names, references."""
    wrong = ["mode = 644", 'mod = "0644"', 'owner = "a b"', 'content = "@{vars.nope}"', 'needs = ["file.nope"]']

    def part(number: int) -> str:
        tasks = (f'  f{number}x{index} = {{ path = "/srv/{number}-{index}", {wrong[index % 5]} }},\n' for index in range(mistakes // files))
        return "{\n" + "".join(tasks) + "}"

    others = {f"part{number}.ncl": part(number) + "\n" for number in range(1, files)}
    imports = "".join(f" & (import {_nickel(name)})" for name in others)
    return {"main.ncl": f'{{ name = "wrong", tasks.file = {part(0)}{imports} }}\n', **others}


def salt(folder: Path, n: int) -> str:
    """An SLS file."""
    return "".join(
        f"{target(folder, number)}:\n  file.managed:\n    - contents: {json.dumps(text(number))}\n    - mode: '0644'\n"
        for number in range(n)
    )


def pyinfra(folder: Path, n: int) -> str:
    """A deploy: operations in a loop, as its documentation shows."""
    files = [(str(target(folder, number)), text(number)) for number in range(n)]
    lines = "".join(f"    ({path!r}, {content!r}),\n" for path, content in files)
    loop = 'for path, content in FILES:\n    files.put(name=path, src=StringIO(content), dest=path, mode="644")\n'
    return f"from io import StringIO\n\nfrom pyinfra.operations import files\n\nFILES = [\n{lines}]\n{loop}"


def ansible(folder: Path, n: int) -> str:
    """A playbook (YAML holds JSON) of one task per file."""
    tasks = [
        {"name": f"file {number}", "ansible.builtin.copy": {"dest": str(target(folder, number)), "content": text(number), "mode": "0644"}}
        for number in range(n)
    ]
    return json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], indent=1)


def terraform(n: int) -> str:
    """The same text kept in its state."""
    return "".join(f'resource "terraform_data" "f{number:05}" {{\n  input = {json.dumps(text(number))}\n}}\n' for number in range(n))


def _nickel(content: str) -> str:
    return json.dumps(content).replace("%{", "%%{")
