"""Terraform's plan format 1.2."""

from __future__ import annotations

import json

import pytest
from render_samples import SECRET, make_plan, make_step

from g8r.render import plan_json
from g8r.value import MASK, canonical, digest


def test_the_whole_document(rich_plan, golden):
    document = plan_json.render(rich_plan)
    golden("render/plan.json", json.dumps(document, indent=2, sort_keys=True) + "\n")
    assert document["format_version"] == "1.2"
    assert document["errored"] is True
    assert document["applyable"] is False
    assert document["timestamp"] == "2026-01-02T03:04:05Z"


def test_it_is_plain_data_and_holds_no_secret(rich_plan):
    text = canonical(plan_json.render(rich_plan)).decode()
    assert SECRET not in text
    assert digest(SECRET.encode()) not in text


def change_of(step):
    return plan_json.render(make_plan(step))["resource_changes"][0]


def test_address_type_and_index():
    found = change_of(make_step("file", "motd", "create", identity="/etc/motd", after={"mode": "0644"}))
    assert (found["address"], found["type"], found["name"], found["index"]) == ("web1/file.motd", "file", "motd", "web1")
    assert found["mode"] == "managed"
    assert found["g8r"]["identity"] == "/etc/motd"
    assert "action_reason" not in found


@pytest.mark.parametrize(
    ("action", "before", "words"),
    [
        ("create", None, ["create"]),
        ("update", {}, ["update"]),
        ("replace", {}, ["delete", "create"]),
        ("delete", {}, ["delete"]),
        ("forget", {}, ["forget"]),
        ("no-op", {}, ["no-op"]),
        ("blocked", None, ["no-op"]),
        ("run", None, ["create"]),
        ("unknown", {}, ["update"]),
    ],
)
def test_actions(action, before, words):
    assert change_of(make_step("file", "a", action, before=before))["change"]["actions"] == words


def test_unknown_and_sensitive_are_marked_and_not_shown():
    step = make_step(
        "file", "a", "update", "changed", unknown=("checksum",), sensitive=("content",),
        before={"content": "a", "checksum": digest(b"a"), "mode": "1"}, after={"content": "b", "checksum": "", "mode": "1"},
    )  # fmt: skip
    found = change_of(step)
    assert found["change"] == {
        "actions": ["update"],
        "before": {"content": MASK, "checksum": MASK, "mode": "1"},
        "after": {"content": MASK, "mode": "1"},
        "after_unknown": {"checksum": True},
        "before_sensitive": {"content": True, "checksum": True},
        "after_sensitive": {"content": True},
    }
    assert found["g8r"]["changed"] == ["checksum", "content"]


def test_a_wholly_unknown_step():
    change = change_of(make_step("service", "a", "unknown", "none", "expected from package.a"))["change"]
    assert change["after_unknown"] is True
    assert change["after"] is None


@pytest.mark.parametrize(
    ("action", "code", "reason"),
    [
        ("replace", "replaced", "replace_because_cannot_update"),
        ("replace", "requested", "replace_by_request"),
        ("delete", "removed", "delete_because_no_resource_config"),
    ],
)
def test_action_reasons_are_terraforms(action, code, reason):
    assert change_of(make_step("file", "a", action, code))["action_reason"] == reason


def test_drift_goes_from_what_was_recorded_to_what_was_read():
    step = make_step("file", "a", "update", "drift", drifted=True, recorded={"mode": "1"}, before={"mode": "2"}, after={"mode": "1"})
    (found,) = plan_json.render(make_plan(step))["resource_drift"]
    assert found["change"]["before"] == {"mode": "1"}
    assert found["change"]["after"] == {"mode": "2"}
    assert found["change"]["actions"] == ["update"]
    gone = make_step("file", "a", "create", "drift", drifted=True, recorded={"mode": "1"}, after={"mode": "1"})
    (found,) = plan_json.render(make_plan(gone))["resource_drift"]
    assert found["change"]["actions"] == ["delete"]


def test_outputs():
    plan = make_plan(stack_outputs={"a": 1, "b": 2, "c": "x"}, known_outputs={"a": 1, "b": 2, "c": "x"}, sensitive_outputs=("c",))
    changes = plan_json.render(plan, {"a": 1, "b": 1, "d": 1, "c": SECRET})["output_changes"]
    assert {name: change["actions"] for name, change in changes.items()} == {
        "a": ["no-op"],
        "b": ["update"],
        "c": ["update"],
        "d": ["delete"],
    }
    assert changes["c"]["before"] == changes["c"]["after"] == MASK


def test_triggers_are_ours_and_no_resource_change():
    step = make_step("service", "a", "trigger", "trigger", verb="reload", waits_for=("web1/file.b",))
    document = plan_json.render(make_plan(step))
    assert document["resource_changes"] == []
    assert document["g8r"]["triggers"][0]["waits_for"] == ["web1/file.b"]
    assert document["applyable"] is True


def test_nothing_to_do_is_not_applyable():
    assert plan_json.render(make_plan(make_step("file", "a", "no-op", "none")))["applyable"] is False
