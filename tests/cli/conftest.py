"""A user's folder, and the command line run in it: in this process, or as a child."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from g8r.cli import main

ROOT = Path(__file__).parents[2]

STACK = """\
{
  name = "demo",
  vars.place | default = "@PLACE@/out",
  tasks = {
    directory.out = { path = vars.place },
    file.a = { path = "%{vars.place}/a", content = "hello\\n" },
    file.b = { path = "%{vars.place}/b", content = "@{file.a.checksum}\\n" },
    command.count = { argv = ["sh", "-c", "wc -l < a > count"], cwd = vars.place, run_on = ["file.a"] },
  },
  outputs = { sum = "@{file.a.checksum}", list = [1, "two"], size = 7 },
}
"""

FAKES = """\
name: fleet
hosts:
  web1: {connection: fake, labels: {role: web}, vars: {port: 81}}
  web2: {connection: fake, labels: {role: web}}
groups:
  role=web: {vars: {port: 80}}
vars: {port: 1, env: dev}
tasks:
  file:
    conf: {path: /etc/site.conf, content: "@{host.vars.port}\\n"}
  package:
    nginx:
  service:
    nginx: {running: true, reload_on: [file.conf]}
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Folder:
    """A stack's folder. `g8r(...)` runs in this process, `child(...)` in one of its own."""

    def __init__(self, path, capsys):
        self.path = path
        self._capsys = capsys

    def write(self, name, text):
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text.replace("@PLACE@", str(self.path)))
        return self.path / name

    def g8r(self, *arguments) -> Ran:
        self._capsys.readouterr()
        code = main._run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        assert "g8r has a bug" not in out + err
        return Ran(code, out, err)

    def ok(self, *arguments) -> str:
        ran = self.g8r(*arguments)
        assert ran.code == 0, ran
        return ran.out

    def child(self, *arguments, prefix=(), stdin=None, env=None, **options):
        command = (*prefix, sys.executable, "-m", "g8r", *map(str, arguments))
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )

    def start(self, *arguments, **options):
        return subprocess.Popen(
            (sys.executable, "-m", "g8r", *map(str, arguments)),
            cwd=self.path,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def environment(self, more=None):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "G8R_HOME", "G8R_NICKEL") if name in os.environ}
        return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}

    def plain(self, text):
        """A text without what differs from run to run: this folder, run ids, lineages, times, who ran it."""
        text = text.replace(str(self.path), "FOLDER")
        text = re.sub(r"\b20\d{6}-[0-9a-f]{8}\b", "RUN", text)
        text = re.sub(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
        text = re.sub(r"\b\d+\.\ds\b", "0.0s", text)
        text = re.sub(r"(?m)(?<=\S) {3,}", "  ", text) if "IDENTITY" in text else text  # a table is as wide as this folder's name is long
        return re.sub(r"(?m)\b(group|owner):( +)\S+$", r"\1:\2WHO", text)


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("G8R_HOME", str(tmp_path / "home"))
    for name in ("NO_COLOR", "FORCE_COLOR", "G8R_STATE", "G8R_WORKSPACE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.chdir(place)
    return Folder(place, capsys)


@pytest.fixture
def demo(folder):
    folder.write("main.ncl", STACK)
    return folder


@pytest.fixture
def fleet(folder):
    folder.write("main.yaml", FAKES)
    return folder
