"""[A-output], [A-fail]: a run as lines, as a live picture, as JSON."""

from __future__ import annotations

import io
import json

import pytest
from render_samples import SECRET, make_plan, make_step
from rich.console import Console

from g8r.diagnostics import warning
from g8r.event import Interrupted, RunEnded, RunStarted, StepEnded, StepRetried, StepRunning, StepStarted
from g8r.outcome import Changed, Failure, InDoubt, NotStarted, Skipped, Stale, Unchanged
from g8r.render.progress import PlainProgress
from g8r.render.progress_json import JsonProgress
from g8r.render.progress_live import LiveProgress

MOTD = make_step("file", "motd", "create", identity="/etc/motd", line=3)
NGINX = make_step("package", "nginx", "create", line=7)
RELOAD = make_step("service", "nginx", "trigger", "trigger", verb="reload", line=9)
OLD = make_step("file", "old", "delete", "removed")


def a_run():
    other = make_step("service", "nginx", "update", line=9)
    return (
        RunStarted("r1", "p1", 8),
        StepStarted(MOTD, 0.0),
        StepEnded(MOTD, 0.1, 0.1, Changed(attempts=2)),
        StepStarted(NGINX, 0.1),
        StepRunning(NGINX, 10.1, 10.0),
        StepRetried(NGINX, 12.0, 1, 2.0, "could not get lock\n/var/lib/dpkg/lock"),
        StepEnded(NGINX, 75.0, 74.9, Failure("no candidate for nginx", "Reading package lists...\nE: no candidate\n", 2)),
        StepEnded(other, 75.0, 0, Skipped("web1/package.nginx")),
        StepEnded(RELOAD, 75.0, 0, Skipped("web1/package.nginx")),
        StepEnded(OLD, 75.1, 0.1, Stale("its mode is 0600, the plan found 0644")),
        StepEnded(make_step("command", "once", "run", line=12), 75.2, 0.1, InDoubt("the host went away while it ran")),
        StepEnded(make_step("file", "same", "update"), 75.2, 0.0, Unchanged(note="it is so already")),
        Interrupted(75.3, False, ("web1/file.big",)),
        Interrupted(75.4, True, ("web1/file.big",)),
        RunEnded("r1", "failed", 76.0, {"changed": 1, "unchanged": 1, "failed": 1, "skipped": 2, "stale": 1, "unknown": 1},
                 {"url": "http://web1", "token": SECRET}, ("token",)),
    )  # fmt: skip


def plain(*events):
    written = []
    listener = PlainProgress(written.append)
    for event in events:
        listener(event)
    return "".join(written)


def test_a_run_in_lines(golden):
    text = plain(*a_run())
    golden("render/progress.txt", text)
    assert SECRET not in text
    assert "main.ncl:7:5" in text


def test_a_good_run_ends_in_one_line():
    text = plain(RunStarted("r", "p", 1), StepEnded(MOTD, 0.1, 0.1, Changed()), RunEnded("r", "done", 0.2, {"changed": 1}, {}))
    assert text == "web1/file.motd: created in 0.1s\n\nDone: 1 changed, in 0.2s.\n"


@pytest.mark.parametrize(("status", "says"), [("interrupted", "apply --resume"), ("abandoned", "g8r plan"), ("failed", "g8r plan")])
def test_what_was_not_started_is_counted(status, says):
    text = plain(RunStarted("r", "p", 5), StepEnded(MOTD, 0.1, 0.1, NotStarted()), RunEnded("r", status, 0.2, {"not-started": 1}, {}))
    assert "5 not started" in text
    assert says in text
    assert "Done" not in text


def test_a_done_run_with_a_stale_step_is_not_called_done():
    text = plain(RunStarted("r", "p", 1), StepEnded(OLD, 0.1, 0.1, Stale("x")), RunEnded("r", "done", 0.2, {"stale": 1}, {}))
    assert "Done:" not in text


def test_many_skipped_for_one_reason_are_told_together():
    steps = [make_step("file", f"f{n}", "create") for n in range(50)]
    ends = [StepEnded(step, 1, 0, Skipped("web1/package.nginx")) for step in steps]
    text = plain(RunStarted("r", "p", 50), *ends, RunEnded("r", "failed", 1, {"skipped": 50}, {}))
    assert "and 30 more: because of web1/package.nginx" in text


def test_hosts_cannot_write_to_the_terminal():
    hostile = "\x1b]0;x\x07\x9b2J\u202e\r"
    events = (
        RunStarted("r", "p", 3),
        StepRetried(MOTD, 1, 1, 1, hostile),
        StepEnded(MOTD, 1, 1, Failure(hostile, f"{hostile}\n{hostile}")),
        StepEnded(MOTD, 1, 1, Stale(hostile)),
        RunEnded("r", "failed", 1, {"failed": 1}, {hostile: hostile}),
    )
    assert all(char.isprintable() or char == "\n" for char in plain(*events))
    text = live(*events)
    assert "\x1b]0;" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text


def live(*events):
    stream = io.StringIO()
    listener = LiveProgress(Console(file=stream, force_terminal=True, width=100, legacy_windows=False, _environ={"TERM": "xterm"}))
    for event in events:
        listener(event)
    return stream.getvalue()


def test_the_live_picture_names_what_runs_and_prints_failures():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, legacy_windows=False, _environ={"TERM": "xterm"})
    listener = LiveProgress(console)
    listener(RunStarted("r", "p", 20))
    for number in range(10):
        listener(StepStarted(make_step("file", f"f{number}", "create"), 0.1))
    listener(StepEnded(make_step("file", "f0", "create"), 0.2, 0.1, Failure("disk full")))
    with console.capture() as captured:
        console.print(listener.picture())
    listener.close()
    assert "1/20" in captured.get()
    assert "web1/file.f1: creating" in captured.get()
    assert "web1/file.f0" not in captured.get()
    assert "and 3 more" in captured.get()
    assert "disk full" in stream.getvalue()


def test_the_live_report_is_the_plain_one():
    text = live(*a_run())
    assert "no candidate for nginx" in text
    assert "Press Ctrl-C again" in text
    assert SECRET not in text
    assert "\x1b[?25h" in text.rsplit("\x1b[?25l", 1)[1], "the cursor is shown again"


def stream_of(*calls):
    written = []
    listener = JsonProgress(written.append, lambda: "2026-01-02T03:04:05Z", "0.1.0")
    listener.version()
    for call in calls:
        call(listener)
    text = "".join(written)
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_the_json_stream_has_terraforms_messages(golden, rich_plan):
    run = [lambda listener, event=event: listener(event) for event in a_run()]
    found = stream_of(lambda listener: listener.planned(rich_plan), *run, lambda listener: listener.diagnostics([warning("x", "odd")]))
    golden("render/progress.jsonl", "".join(json.dumps(message, sort_keys=True) + "\n" for message in found))
    assert found[0] == {
        "@level": "info", "@message": "g8r 0.1.0", "@module": "g8r.ui", "@timestamp": "2026-01-02T03:04:05Z",
        "type": "version", "g8r": "0.1.0", "ui": "1.2",
    }  # fmt: skip
    kinds = [message["type"] for message in found]
    assert {"resource_drift", "planned_change", "change_summary", "apply_start", "apply_progress", "apply_complete"} <= set(kinds)
    assert {"apply_errored", "diagnostic", "outputs"} <= set(kinds)
    outputs = next(message for message in found if message["type"] == "outputs")["outputs"]
    assert outputs == {
        "token": {"sensitive": True, "type": "string"},
        "url": {"sensitive": False, "type": "string", "value": "http://web1"},
    }
    summaries = [message["changes"] for message in found if message["type"] == "change_summary"]
    assert [summary["operation"] for summary in summaries] == ["plan", "apply"]
    assert summaries[1] == {"add": 1, "change": 0, "import": 0, "remove": 0, "operation": "apply"}
    assert SECRET not in json.dumps(found)


def test_a_failure_in_json_has_the_users_line():
    found = stream_of(lambda listener: listener(StepEnded(NGINX, 1, 1, Failure("no candidate", "E: no"))))
    assert [message["type"] for message in found[1:]] == ["apply_errored", "diagnostic"]
    assert found[2]["diagnostic"]["range"]["start"] == {"line": 7, "column": 5}
    assert found[2]["@level"] == "error"


def test_a_replace_counts_twice_in_json():
    found = stream_of(lambda listener: listener.planned(make_plan(make_step("user", "a", "replace", "replaced"))))
    assert found[-1]["changes"] == {"add": 1, "change": 0, "import": 0, "remove": 1, "operation": "plan"}
    assert found[1]["change"]["reason"] == "cannot_update"
