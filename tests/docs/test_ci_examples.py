"""The files in examples/ci: they fit their schemas, and every line of shell in them runs, in a repository of its own, on a stack that is
good and on one that is not.

What the platforms have is stood in for: their variables, `gh`, `pip` (which would install the g8r that is tested here), GitLab's API.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
GITHUB = yaml.safe_load((CI / "github-actions.yml").read_text("utf-8"))
GITLAB = yaml.safe_load((CI / "gitlab-ci.yml").read_text("utf-8"))
PRE_COMMIT = yaml.safe_load((CI / "pre-commit-config.yaml").read_text("utf-8"))
ACTIONLINT = shutil.which(os.environ.get("G8R_TEST_ACTIONLINT", "actionlint"))

GOOD = """{
  name = "site",
  vars.name | default = "world",
  hosts.web1.connection = "fake",
  tasks.file.greeting = { path = "/etc/greeting", content = "Hello, %{vars.name}!\\n" },
}
"""
BAD = GOOD.replace("path =", "pth =")
TEST = '{ tests."it greets" = { vars.name = "Ada", expect.content."file.greeting" = "Hello, Ada!\\n" } }\n'


class Place:
    """A repository with a stack, and a shell in it with g8r on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repo"
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.variables: dict[str, str] = {}
        self.folder.mkdir()
        self.bin.mkdir()
        self.log.write_text("")
        self.program("g8r", f'PYTHONPATH={ROOT} exec {sys.executable} -m g8r "$@"')
        for name in ("pip", "gh"):
            self.program(name, f'echo {name} "$@" >> {self.log}')
        self.write("main.ncl", GOOD)
        self.write("main.test.ncl", TEST)
        self.shell("git init -q . && git add -A", "bash -e -c")

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def shell(self, script: str, shell: str) -> subprocess.CompletedProcess[str]:
        base = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.bin.parent),
            "G8R_HOME": str(self.bin.parent / "home"),
            "CI": "true",
        }
        base |= {"G8R_NICKEL": "embedded", "PRE_COMMIT_HOME": str(self.bin.parent / "pre-commit"), "PRE_COMMIT_COLOR": "never"}
        environment = base | self.variables
        return subprocess.run(
            [*shell.split(), script], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# ---- GitHub Actions ----


def steps(job: str) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in GITHUB["jobs"][job]["steps"] if "run" in step}


def github(place: Place, job: str, name: str) -> subprocess.CompletedProcess[str]:
    """One `run` as Actions runs it: `bash -e`, with the variables of the workflow and of the step."""
    step = steps(job)[name]
    outside = place.bin.parent
    place.variables |= {**GITHUB["env"], **step.get("env", {}), "G8R_STATE": str(outside / "state"), "GITHUB_REPOSITORY": "a/b"}
    place.variables |= {"GITHUB_OUTPUT": str(outside / "output"), "GITHUB_STEP_SUMMARY": str(outside / "summary"), "PULL_REQUEST": "7"}
    return place.shell(step["run"], "bash -e -c")


def test_the_workflow_fits_its_schema() -> None:
    schema(["--builtin-schema", "vendor.github-workflows", str(CI / "github-actions.yml")])


@pytest.mark.skipif(
    ACTIONLINT is None,
    reason="NO ACTIONLINT: `go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7`, or name it in G8R_TEST_ACTIONLINT",
)
def test_actionlint_finds_nothing() -> None:
    found = subprocess.run([str(ACTIONLINT), str(CI / "github-actions.yml")], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("job", GITHUB["jobs"])
def test_every_step_of_a_workflow_runs(place: Place, job: str) -> None:
    for name in steps(job):
        ran = github(place, job, name)
        assert ran.returncode == 0, (name, ran)
    assert "pip install g8r==0.1.0" in place.log.read_text()


def test_a_mistake_is_annotated_and_in_the_sarif(place: Place) -> None:
    place.write("main.ncl", BAD)
    ran = github(place, "validate", "Validate, with annotations at the lines")
    assert ran.returncode == 1
    assert re.search(r"^::error file=main\.ncl,line=5,col=\d+.*pth", ran.stdout, re.MULTILINE)
    assert github(place, "validate", "Write SARIF").returncode == 0
    (result,) = json.loads(place.read("g8r.sarif"))["runs"][0]["results"][:1]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "main.ncl"


def test_the_plan_becomes_a_comment(place: Place) -> None:
    assert github(place, "plan", "Plan").returncode == 0
    assert (place.bin.parent / "output").read_text() == "exitcode=2\n"
    assert github(place, "plan", "Show the plan as a comment, one that is kept up to date").returncode == 0
    assert "+ web1/file.greeting will be created" in place.read("comment.md")
    assert (place.bin.parent / "summary").read_text() == place.read("comment.md")
    assert "gh pr comment 7 --repo a/b --body-file comment.md --edit-last --create-if-none" in place.log.read_text()


def test_a_plan_that_fails_fails_the_job(place: Place) -> None:
    place.write("main.ncl", BAD)
    assert github(place, "plan", "Plan").returncode == 1
    assert (place.bin.parent / "output").read_text() == "exitcode=1\n"


def test_nothing_that_others_write_is_put_into_a_script() -> None:
    scripts = [step["run"] for job in GITHUB["jobs"] for step in steps(job).values()]
    assert len(scripts) >= 9
    assert [script for script in scripts if "${{" in script] == []


def test_what_writes_is_kept_from_forks() -> None:
    assert GITHUB["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in GITHUB[True], "`on`, in YAML 1.1"
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert own in GITHUB["jobs"]["plan"]["if"]
    assert "permissions" not in GITHUB["jobs"]["test"]
    checkouts = [step for job in GITHUB["jobs"].values() for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * 3


# ---- GitLab CI ----


def gitlab(place: Place, job: str) -> subprocess.CompletedProcess[str]:
    """A job as GitLab's runner runs it: all its lines in one shell, which ends at the first that fails."""
    lines = [*GITLAB["default"]["before_script"], *GITLAB[job]["script"]]
    place.variables |= {**GITLAB["variables"], "G8R_STATE": str(place.bin.parent / "state")}
    return place.shell("\n".join(lines), "sh -e -c")


JOBS = [name for name, job in GITLAB.items() if isinstance(job, dict) and "script" in job]


def test_the_pipeline_fits_its_schema() -> None:
    schema(["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(CI / "gitlab-ci.yml")])


@pytest.mark.parametrize("job", JOBS)
def test_every_job_of_a_pipeline_runs(place: Place, job: str) -> None:
    ran = gitlab(place, job)
    assert ran.returncode == 0, ran
    artifacts = GITLAB[job]["artifacts"]
    for name in [*artifacts.get("paths", []), *artifacts.get("reports", {}).values()]:
        assert (place.folder / name).stat().st_size > 0


def test_a_mistake_is_in_the_quality_report_and_fails_the_job(place: Place) -> None:
    place.write("main.ncl", BAD)
    ran = gitlab(place, "g8r-validate")
    assert ran.returncode == 1
    assert "pth" in ran.stderr
    first = json.loads(place.read("g8r-quality.json"))[0]
    assert first["location"] == {"path": "main.ncl", "lines": {"begin": 5}}


def test_a_plan_that_fails_fails_the_pipeline(place: Place) -> None:
    place.write("main.ncl", BAD)
    assert gitlab(place, "g8r-plan").returncode == 1


def test_the_plan_becomes_a_note(place: Place) -> None:
    received: list[tuple[str, str | None, Any]] = []

    class Api(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append((self.path, self.headers["PRIVATE-TOKEN"], body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place.variables = {"CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4", "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7"}
    place.variables |= {"G8R_GITLAB_TOKEN": "t", "no_proxy": "*"}
    ran = gitlab(place, "g8r-plan")
    server.shutdown()
    server.server_close()
    assert ran.returncode == 0, ran
    assert received == [("/api/v4/projects/5/merge_requests/7/notes", "t", {"body": place.read("plan.md")})]


# ---- pre-commit ----


def pre_commit(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CI / "pre-commit-config.yaml", place.folder / ".pre-commit-config.yaml")
    place.shell("git add -A", "bash -e -c")
    return place.shell(f"{sys.executable} -m pre_commit {' '.join(arguments)}", "bash -e -c")


def test_the_hooks_are_a_valid_configuration(place: Place) -> None:
    ran = pre_commit(place, "validate-config")
    assert ran.returncode == 0, ran


def test_a_good_stack_passes_the_hooks(place: Place) -> None:
    ran = pre_commit(place, "run", "--all-files")
    assert ran.returncode == 0, ran
    assert re.search(r"g8r validate\.+Passed", ran.stdout)


def test_a_mistake_fails_them_with_its_line(place: Place) -> None:
    place.write("main.ncl", BAD)
    ran = pre_commit(place, "run", "--all-files")
    assert ran.returncode == 1
    assert re.search(r"g8r validate\.+Failed", ran.stdout)
    assert "--> main.ncl:5:" in ran.stdout


def test_the_tests_run_before_a_push(place: Place) -> None:
    ran = pre_commit(place, "run", "--all-files", "--hook-stage", "pre-push")
    assert ran.returncode == 0, ran
    assert re.search(r"g8r test\.+Passed", ran.stdout)
    place.write("main.test.ncl", TEST.replace("Hello, Ada", "Goodbye, Ada"))
    assert pre_commit(place, "run", "--all-files", "--hook-stage", "pre-push").returncode == 1


def schema(arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", "check_jsonschema", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
