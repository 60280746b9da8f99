"""The starter stack of `g8r init`."""

from __future__ import annotations

import json

_IGNORED = """\
# The ledger of this stack, with its key: of this machine, and not for others.
.g8r/
# Saved plans.
*.g8r
"""

_NICKEL = """\
# A g8r stack. `g8r validate` checks it, `g8r plan` shows what would change, `g8r apply` does exactly that.
# Kinds of tasks and their params: `g8r modules list`, `g8r modules show file`.
{
  name = @NAME@,

  # Vars can be set from outside: `g8r plan --var greeting=Hi`.
  vars = {
    place | default = @PLACE@,
    greeting | default = "Hello",
  },

  # Tasks stand under their kind: this one is `directory.place`.
  tasks.directory.place = { path = vars.place, mode = "0755" },

  # It comes after the directory without being told so: a path comes after the path it is in.
  tasks.file.greeting = {
    path = "%{vars.place}/greeting.txt",
    content = "%{vars.greeting} from @{host.name}.\\n",
  },

  # `@{...}` is known later than Nickel runs: here, an output of another task. So this one comes after it.
  tasks.file.checksum = {
    path = "%{vars.place}/greeting.sha256",
    content = "@{file.greeting.checksum}\\n",
  },

  tasks.link.latest = { path = "%{vars.place}/latest.txt", target = "greeting.txt" },

  # A command says itself when there is something to do, and may wait for others to change.
  tasks.command.count = {
    argv = ["wc", "-c", "greeting.txt"],
    cwd = vars.place,
    run_on = ["file.greeting"],
  },

  # Shown after an apply, and by `g8r output`.
  outputs.greeting = "@{file.greeting.checksum}",

  # With root you might go on like this:
  #   tasks.package.nginx = {},
  #   tasks.service.nginx = { running = true, enabled = true, reload_on = ["file.site"] },
  #   tasks.file.site = { path = "/etc/nginx/conf.d/site.conf", source = "site.conf" },
}
"""

_YAML = """\
# A g8r stack. `g8r validate` checks it, `g8r plan` shows what would change, `g8r apply` does exactly that.
# Kinds of tasks and their params: `g8r modules list`, `g8r modules show file`.
name: @NAME@

# Vars can be set from outside: `g8r plan --var greeting=Hi`.
vars:
  place: @PLACE@
  greeting: Hello

# Tasks stand under their kind: the first one is `directory.place`.
tasks:
  directory:
    place: {path: "@{vars.place}", mode: "0755"}
  file:
    # It comes after the directory without being told so: a path comes after the path it is in.
    greeting:
      path: "@{vars.place}/greeting.txt"
      content: "@{vars.greeting} from @{host.name}.\\n"
    # It refers to an output of another task. So this one comes after it.
    checksum:
      path: "@{vars.place}/greeting.sha256"
      content: "@{file.greeting.checksum}\\n"
  link:
    latest: {path: "@{vars.place}/latest.txt", target: greeting.txt}
  command:
    # A command says itself when there is something to do, and may wait for others to change.
    count:
      argv: [wc, -c, greeting.txt]
      cwd: "@{vars.place}"
      run_on: [file.greeting]

# Shown after an apply, and by `g8r output`.
outputs:
  greeting: "@{file.greeting.checksum}"

# With root you might go on like this:
#   package:
#     nginx:
#   service:
#     nginx: {running: true, enabled: true, reload_on: [file.site]}
"""


def files(name: str, folder: str, *, as_yaml: bool) -> dict[str, str]:
    """The files by name: a stack that manages files in `folder`/out, and what keeps the state out of version control."""
    place = f"{folder}/out"
    if as_yaml:
        main = {"main.yaml": _YAML.replace("@NAME@", name).replace("@PLACE@", json.dumps(place, ensure_ascii=False))}
    else:
        quoted = json.dumps(place, ensure_ascii=False).replace("%{", "\\%{")
        main = {"main.ncl": _NICKEL.replace("@NAME@", json.dumps(name)).replace("@PLACE@", quoted)}
    return {**main, ".gitignore": _IGNORED}
