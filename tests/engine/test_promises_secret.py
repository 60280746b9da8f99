"""[S-secret]: no secret in plan, state, event or report; and what a lifecycle and outputs say, which secrets go through."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from acting import file
from fleet import KEY, Fleet, outcomes, shown, site, step

from g8r.executor import plan_file
from g8r.executor.store import SqliteStore
from g8r.plan import Plan
from g8r.render import plan_json, plan_text
from g8r.render.style import PLAIN
from g8r.value import canonical


def files(**tasks: Any) -> dict[str, Any]:
    return site({"file": tasks})


KEEPS = files(keep=file("/etc/keep"))
"""A stack that has lost every other task."""


def with_keep(**tasks: Any) -> dict[str, Any]:
    return files(keep=file("/etc/keep"), **tasks)


# ---- [S-secret] -----------------------------------------------------------------------------------------------------------------------

CANARY = "$6$hunter2canary$" + "x" * 86


def traces(secret: str) -> dict[str, bytes]:
    """What would give the secret away: itself, and any plain digest of it that can be guessed from."""
    texts = {"plain": secret, "with newline": secret + "\n", "key=": f"key={secret}\n"}
    found = {name: text.strip().encode() for name, text in texts.items()}
    for name, text in texts.items():
        for algorithm in ("sha256", "sha1", "md5"):
            found[f"{algorithm} of {name}"] = hashlib.new(algorithm, text.encode()).hexdigest().encode()
    return found


SECRETIVE = {
    "declared by the kind": {"user": {"ann": {"password": CANARY}}},
    "declared by the task": {"file": {"a": {**file("/etc/a", f"{CANARY}\n"), "sensitive": ["content"]}}},
    "a reference": {"file": {"a": {**file("/etc/a", "@{secret.pw}")}}},
    "inside a text": {"file": {"a": {**file("/etc/a", "key=@{secret.pw}\n")}}},
    "in a template": {"template": {"t": {"path": "/etc/t", "content": "key={{ pw }}\n", "vars": {"pw": "@{secret.pw}"}}}},
    "through an output": {
        "file": {"a": {**file("/etc/a", "@{secret.pw}")}, "b": {"path": "/etc/b", "content": "sum @{file.a.checksum}\n"}},
    },
    "printed by a command": {
        "command": {"c": {"argv": ["cat"], "stdin": "@{secret.pw}", "run": "once"}},
        "file": {"b": {"path": "/etc/b", "content": "@{command.c.stdout}"}},
    },
}  # fmt: skip


@pytest.mark.parametrize("way", sorted(SECRETIVE))
@pytest.mark.parametrize("how", ["done", "failed", "killed"])
def test_S_secret_a_canary_appears_in_no_plan_state_event_or_report(  # noqa: C901 one story
    way: str, how: str, tmp_path: Path
) -> None:
    fleet = Fleet(store=SqliteStore(tmp_path / "state.db"), secrets={"pw": CANARY})
    tasks = SECRETIVE[way]
    document = site(tasks)
    sinks: dict[str, bytes] = {}

    def look(label: str, plan: Plan) -> None:
        plan_file.write(tmp_path / f"{label}.g8r", plan, {}, KEY)
        sinks[f"{label} plan"] = canonical(plan)
        sinks[f"{label} plan JSON"] = canonical(plan_json.render(plan, fleet.state().outputs))
        sinks[f"{label} plan text"] = plan_text.render(plan, PLAIN).encode()

    plan = fleet.plan(document)
    look("first", plan)
    if how == "failed":
        for path in ("/etc/a", "/etc/b", "/etc/t", "/etc/passwd"):
            fleet.host.refuse(path, "no", ("write",))
    if how == "killed":
        fleet.host.fail_after(len(fleet.host.calls) and 9)
    try:
        report = fleet.apply(plan)
        sinks["report"] = canonical(report)
        assert (how == "done") <= (report.status == "done"), report.outcomes
    except BaseException:
        if how != "killed":
            raise
    fleet.host.revive()
    for path in ("/etc/a", "/etc/b", "/etc/t", "/etc/passwd"):
        fleet.host.allow(path)
    look("second", fleet.plan(document))
    fleet.host.place("/etc/a", f"{CANARY} drifted")
    look("drifted", fleet.plan(document))
    look("destroying", fleet.plan(document, destroy=True))
    sinks["events"] = b"\n".join(canonical(event) for event in fleet.events)
    sinks["records"] = canonical(list(fleet.state().resources.values()))
    fleet.store.close()
    sinks |= {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for trace, secret in traces(CANARY).items():
        for sink, content in sinks.items():
            assert secret not in content, f"{trace} is in {sink}"
    if how == "done" and way != "declared by the kind":
        written = [fleet.text(path) for path in ("/etc/b", "/etc/t") if fleet.text(path)]
        assert all(CANARY in text or "sha256:" in text for text in written if text), "and it arrived where it was wanted"


def test_S_secret_a_missing_one_blocks_and_is_named() -> None:
    plan = Fleet().plan(files(a=file("/etc/a", "@{secret.nope}")))
    assert step(plan, "file.a").judgement == "blocked"
    assert "nope" in step(plan, "file.a").reason.text


def test_S_secret_a_changed_secret_is_a_change_and_an_equal_one_is_none() -> None:
    fleet = Fleet(secrets={"pw": "one"})
    document = files(a=file("/etc/a", "@{secret.pw}"))
    fleet.converge(document)
    assert shown(fleet.plan(document)) == {}
    fleet.secrets["pw"] = "two"
    assert shown(fleet.plan(document)) == {"file.a": "update"}
    fleet.converge(document)
    assert fleet.text("/etc/a") == "two"


def test_S_secret_a_secret_output_of_the_stack_is_masked() -> None:
    fleet = Fleet(secrets={"pw": CANARY})
    document = site({"file": {"a": file("/etc/a", "@{secret.pw}")}}, outputs={"sum": "@{file.a.checksum}", "mode": "@{file.a.mode}"})
    fleet.converge(document)
    assert fleet.state().outputs["mode"] == "0644"
    leaked = hashlib.sha256(CANARY.encode()).hexdigest()
    assert leaked not in canonical(fleet.state().outputs).decode()


# ---- lifecycle, outputs ---------------------------------------------------------------------------------------------------------------


def test_ignore_changes_drops_a_param_from_diff_digest_and_exactness_once_the_resource_exists() -> None:
    fleet = Fleet()
    document = files(a={**file("/etc/a"), "mode": "0600", "lifecycle": {"ignore_changes": ["content"]}})
    fleet.converge(document)
    assert fleet.text("/etc/a") == "1\n"
    fleet.host.place("/etc/a", "theirs\n", mode=0o600)
    assert shown(fleet.plan(document)) == {}
    fleet.host.set_attributes("/etc/a", mode=0o644)
    plan = fleet.plan(document)
    assert shown(plan) == {"file.a": "update"}
    fleet.host.place("/etc/a", "theirs, later\n", mode=0o644)  # between plan and apply: not what the digest is about
    assert outcomes(fleet.apply(plan)) == {"file.a": "changed"}
    assert fleet.text("/etc/a") == "theirs, later\n"
    assert fleet.host.stat("/etc/a").mode == 0o600  # type: ignore[union-attr]
    assert shown(fleet.plan(document)) == {}


def test_ignore_changes_of_an_unknown_name_is_an_error() -> None:
    refusal = Fleet().refused(files(a={**file("/etc/a"), "lifecycle": {"ignore_changes": ["contnet"]}}))
    assert "contnet" in f"{refusal.diagnostics[0].summary}{refusal.diagnostics[0].detail}"


def test_outputs_are_there_after_an_apply_and_also_when_nothing_changed() -> None:
    fleet = Fleet()
    tasks = {"file": {"a": file("/etc/a")}, "command": {"c": {"argv": ["echo", "hi"], "run": "once"}}}
    fleet.converge(site(tasks))
    document = site(tasks, outputs={"path": "@{file.a.path}", "said": "it said @{command.c.stdout}"})
    plan = fleet.plan(document)
    assert shown(plan) == {}
    report = fleet.apply(plan)
    assert report.outputs == fleet.state().outputs == {"path": "/etc/a", "said": "it said hi"}


def test_outputs_survive_a_partial_plan_and_a_failure() -> None:
    fleet = Fleet()
    document = site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}, outputs={"a": "@{file.a.path}", "b": "@{file.b.path}"})
    fleet.converge(document)
    both = dict(fleet.state().outputs)
    fleet.converge(document, target=("file.a",))
    assert fleet.state().outputs == both
    fleet.converge(site({"file": {"a": file("/etc/a"), "b": file("/etc/b")}}, outputs={"a": "@{file.a.path}"}))
    assert set(fleet.state().outputs) == {"a"}, "what the stack no longer has is gone"


def test_S_crash_a_removal_that_was_done_and_not_acknowledged_is_forgotten_next_time() -> None:
    fleet = Fleet()
    fleet.converge(with_keep(a=file("/etc/a")))
    plan = fleet.plan(KEEPS)
    fleet.host.remove("/etc/a")
    assert msgspec.structs.asdict(plan)["steps"]
    assert fleet.apply(plan).status == "done"
    assert fleet.record("file.a") is None
