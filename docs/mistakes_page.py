"""docs/mistakes.md: the mistakes that people make who come from other tools, each with the exact words that g8r has for it.

The messages are what `g8r validate` says. `make docs` writes the page; tests/docs/test_mistakes_page.py fails where it is stale.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from g8r.compiler import evaluate
from g8r.compiler.compile import compile_stack
from g8r.compiler.sources import folder_reader
from g8r.diagnostics import Diagnostic, RejectedError, Span
from g8r.render import diagnostic_text

PAGE: Final = "mistakes.md"
_INTRO: Final = """<!-- Generated from docs/mistakes_page.py: `make docs`. Do not edit. -->

# Common mistakes

What people write first who come from Ansible, Salt or Terraform, and what `g8r validate` says to it. All of this is found without
touching a host, all mistakes of a stack at once. By code: [troubleshooting](troubleshooting.md).
"""


class Case(NamedTuple):
    """A stack with a mistake in it. `name` ends in the language's suffix."""

    title: str
    used_to: str
    name: str
    text: str


CASES: Final = (
    Case(
        "A mode without quotes",
        "Ansible, Salt",
        "main.yaml",
        """
name: site
tasks:
  file:
    motd:
      path: /etc/motd
      mode: 0644
""",
    ),
    Case(
        "A play",
        "Ansible",
        "main.yaml",
        """
- hosts: all
  tasks:
    - name: web server
      apt: {name: nginx}
""",
    ),
    Case(
        "Tasks as a list",
        "Ansible",
        "main.yaml",
        """
name: site
tasks:
  - name: motd
    file: {path: /etc/motd}
""",
    ),
    Case(
        "A module of another tool",
        "Ansible",
        "main.yaml",
        """
name: site
tasks:
  apt:
    nginx:
""",
    ),
    Case(
        "Params of another tool",
        "Ansible",
        "main.yaml",
        """
name: site
tasks:
  file:
    motd:
      dest: /etc/motd
      src: motd.txt
      state: absent
""",
    ),
    Case(
        "A handler",
        "Ansible",
        "main.yaml",
        """
name: site
tasks:
  file:
    conf:
      path: /etc/nginx/nginx.conf
      source: nginx.conf
      notify: restart nginx
""",
    ),
    Case(
        "Jinja in a stack",
        "Ansible, Salt",
        "main.yaml",
        """
name: site
vars: {env: dev}
tasks:
  file:
    conf:
      path: {{ conf }}
""",
    ),
    Case(
        "A state file",
        "Salt",
        "main.yaml",
        """
nginx:
  pkg.installed: []
  service.running: []
""",
    ),
    Case(
        "Yes for true",
        "Ansible, YAML 1.1",
        "main.yaml",
        """
name: site
tasks:
  service:
    nginx:
      enabled: yes
""",
    ),
    Case(
        "A version that is a number",
        "any YAML",
        "main.yaml",
        """
name: site
tasks:
  package:
    nginx:
      version: 1.10
""",
    ),
    Case(
        "A condition",
        "Ansible",
        "main.yaml",
        """
name: site
tasks:
  package:
    nginx:
      when: ansible_os_family == "Debian"
""",
    ),
    Case(
        "A command line in one piece",
        "Ansible, Salt",
        "main.ncl",
        """
{
  name = "site",
  tasks.command.build = {
    argv = "make install",
    creates = "/usr/local/bin/app",
  },
}
""",
    ),
    Case(
        "A command that does not say when",
        "Ansible, Salt",
        "main.ncl",
        """
{
  name = "site",
  tasks.command.build = { argv = ["make", "install"] },
}
""",
    ),
    Case(
        "The state of a service",
        "Ansible",
        "main.ncl",
        """
{
  name = "site",
  tasks.service.nginx = { state = 'started },
}
""",
    ),
    Case(
        "Tasks at the top",
        "Terraform, Puppet",
        "main.ncl",
        """
{
  name = "site",
  file.motd = { path = "/etc/motd" },
}
""",
    ),
    Case(
        "A comma that is missing",
        "Terraform",
        "main.ncl",
        """
{
  name = "site",
  tasks.file.motd = {
    path = "/etc/motd"
    mode = "0644",
  },
}
""",
    ),
    Case(
        "depends_on",
        "Terraform",
        "main.ncl",
        """
{
  name = "site",
  tasks.package.nginx = {},
  tasks.file.motd = {
    path = "/etc/motd",
    depends_on = ["package.nginx"],
  },
}
""",
    ),
    Case(
        "A task by its name alone",
        "Ansible, Salt",
        "main.ncl",
        """
{
  name = "site",
  tasks.package.nginx = {},
  tasks.file.motd = { path = "/etc/motd", needs = ["nginx"] },
}
""",
    ),
    Case(
        "A group of hosts in place of labels",
        "Ansible",
        "main.ncl",
        """
{
  name = "site",
  hosts.web1.labels.role = "web",
  tasks.package.nginx = { on = "web" },
}
""",
    ),
    Case(
        "A var that is misspelt",
        "any",
        "main.ncl",
        """
{
  name = "site",
  vars.env | default = "dev",
  tasks.file.motd = { path = "/etc/motd", content = "@{vars.evn}" },
}
""",
    ),
    Case(
        "An output that does not exist",
        "Terraform",
        "main.ncl",
        """
{
  name = "site",
  tasks.file.conf = { path = "/etc/app.conf" },
  tasks.file.sum = {
    path = "/etc/app.sum",
    content = "@{file.conf.sha256}",
  },
}
""",
    ),
    Case(
        "A path that is known too late",
        "Terraform",
        "main.ncl",
        """
{
  name = "site",
  tasks.command.find = { argv = ["find-home"], run = 'always },
  tasks.file.motd = { path = "@{command.find.stdout}" },
}
""",
    ),
    Case(
        "One file, two tasks",
        "any",
        "main.ncl",
        """
{
  name = "site",
  tasks.file.motd = { path = "/etc/motd", content = "Hello." },
  tasks.line.motd = { path = "/etc/motd", line = "Hello." },
}
""",
    ),
    Case(
        "Tasks that wait for each other",
        "Salt, Puppet",
        "main.ncl",
        """
{
  name = "site",
  tasks.file.a = { path = "/etc/a", needs = ["file.b"] },
  tasks.file.b = {
    path = "/etc/b",
    content = "@{file.a.checksum}",
  },
}
""",
    ),
    Case(
        "A password in plain text",
        "any",
        "main.ncl",
        """
{
  name = "site",
  tasks.user.deploy = { password = "hunter2" },
}
""",
    ),
)
_FENCES: Final = {"main.ncl": "ncl", "main.yaml": "yml"}
"""The short names of the languages: what stands in blocks with the long ones is held to be right (tests/docs)."""


def page() -> str:
    """The page: a table of the first words of each, then each with its stack and all that is said."""
    messages = {case: said(case) for case in CASES}
    rows = "".join(f"| [{case.title}](#{_anchor(case.title)}) | {case.used_to} | {_cell(messages[case])} |\n" for case in CASES)
    table = f"| what | used to | g8r validate says |\n| --- | --- | --- |\n{rows}"
    sections = (
        f"## {case.title}\n\n```{_FENCES[case.name]}\n{case.text.lstrip()}```\n\n```text\n{messages[case].rstrip()}\n```\n"
        for case in CASES
    )
    return "\n".join([_INTRO, table, *sections])


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-").replace(",", "")


def _cell(message: str) -> str:
    """The summaries of all errors, without places."""
    summaries = [line.removeprefix("error: ") for line in message.splitlines() if line.startswith("error: ")]
    return "; ".join(f"`{summary}`" if "`" not in summary else f"`` {summary} ``" for summary in summaries).replace("|", "\\|")


def said(case: Case) -> str:
    """What `g8r validate` says, in plain text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / case.name).write_text(case.text.lstrip(), encoding="utf-8")
        (folder / "nginx.conf").write_text("events {}\n", encoding="utf-8")
        sources = {case.name: case.text.lstrip().splitlines()}
        found = [_here(one) for one in _diagnostics(folder, case.name)]
    return diagnostic_text.render(found, sources)


def _here(diagnostic: Diagnostic) -> Diagnostic:
    """With places as somebody sees them who is in the stack's folder."""
    related = tuple(replace(one, span=_near(one.span)) for one in diagnostic.related)
    return replace(diagnostic, span=_near(diagnostic.span), related=related)


def _near(span: Span | None) -> Span | None:
    return None if span is None else replace(span, file=Path(span.file).name)


def _diagnostics(folder: Path, name: str) -> tuple[Diagnostic, ...]:
    try:
        with evaluate.start(folder / name).finish() as loaded:
            compiled = compile_stack(loaded.stack, {}, folder_reader(folder), mistakes=loaded.diagnostics)
            return loaded.located(compiled.diagnostics)
    except RejectedError as rejected:
        return rejected.diagnostics
