"""[P-readable], [P-reason], [P-verdict]."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_samples import SECRET, every_action, make_plan, make_step

from g8r.change import Action
from g8r.plan import ReasonCode, StepAction
from g8r.render import plan_text
from g8r.render.style import COLOUR
from g8r.value import digest


def test_every_action_reads_well(rich_plan, golden):
    golden("render/plan.txt", plan_text.render(rich_plan))
    golden("render/plan_full.txt", plan_text.render(rich_plan, full=True))


def test_colour_changes_nothing_but_colour(rich_plan):
    coloured = plan_text.render(rich_plan, COLOUR)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plan_text.render(rich_plan)


def test_danger_comes_first(rich_plan):
    text = plan_text.render(rich_plan)
    words = ["is blocked", "be destroyed", "be replaced", "be changed", "be created", "be run", "be fired", "be forgotten", "not known yet"]
    places = [text.index(word) for word in words]
    assert places == sorted(places)


def test_the_summary_is_last_and_counts(rich_plan):
    assert plan_text.render(rich_plan).splitlines()[-1] == (
        "Plan: 2 to create, 2 to change, 1 to replace, 2 to destroy, 1 to run, 1 to forget; 1 reload, 1 restart. 1 unknown. 1 blocked."
    )


def test_a_secret_is_nowhere(rich_plan):
    for full in (False, True):
        text = plan_text.render(rich_plan, full=full)
        assert SECRET not in text
        assert digest(SECRET.encode())[7:19] not in text
        assert "(sensitive) -> (sensitive)" in text


def test_equal_changes_on_many_hosts_once(fleet_plan, golden):
    text = plan_text.render(fleet_plan)
    golden("render/plan_fleet.txt", text)
    assert "on 3,999 hosts (web1, web2, web3 and 3,996 more)" in text
    assert "web7/file.motd will be changed" in text
    assert "web4000" in plan_text.render(fleet_plan, full=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("web1/file.a comes first", "file.a comes first"),
        ("after web1/file.a, web2/file.a", "after file.a, web2/file.a"),
        ("/srv/web1/file.txt", "/srv/web1/file.txt"),
        ("the-web1/file.a", "the-web1/file.a"),
        ("web1/README", "web1/README"),
    ],
)
def test_a_hosts_own_addresses_lose_it_and_paths_do_not(text, told):
    assert plan_text.without_host(text, "web1") == told


def test_no_changes():
    same = make_step("file", "a", "no-op", "none")
    assert plan_text.render(make_plan(same)) == "No changes. The machine matches the stack.\n"
    other = make_step("file", "a", "no-op", "none", host="web2")
    assert plan_text.render(make_plan(same, other)) == "No changes. All 2 hosts match the stack.\n"
    assert "nothing left" in plan_text.render(make_plan(destroy=True))


def test_an_incomplete_plan_says_so():
    plan = make_plan(make_step("file", "a", "create"), complete=False, selection={"target": ("file.a",), "on": ("role=web",)})
    assert "incomplete (--on role=web, --target file.a)" in plan_text.render(plan)


def test_blocked_alone_is_no_success():
    text = plan_text.render(make_plan(make_step("file", "a", "blocked", "none", "no such user")))
    assert "1 blocked." in text
    assert "No changes" not in text
    assert "--skip-blocked" in text


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x08\u202egnp.exe\u2028\x9b31m\ud800"


@pytest.mark.parametrize("where", ["identity", "because", "reason", "content", "field", "value", "pulled_in", "moved_from", "params"])
def test_nothing_unprintable_reaches_the_terminal(where):
    more = {
        "identity": {"identity": HOSTILE},
        "because": {"because": (HOSTILE,)},
        "reason": {"text": HOSTILE},
        "content": {"before": {"content": "a\n"}, "after": {"content": f"{HOSTILE}\nb\n"}},
        "field": {"before": {"x": 1}, "after": {HOSTILE: 1}},
        "value": {"before": {"x": HOSTILE}, "after": {"x": [HOSTILE]}},
        "pulled_in": {"pulled_in": (HOSTILE,)},
        "moved_from": {"moved_from": HOSTILE},
        "params": {"params": {"argv": [HOSTILE, f"a\n{HOSTILE}"]}},
    }[where]
    action = "run" if where == "params" else "update"
    text = plan_text.render(make_plan(make_step("file", "a", action, **more)), full=True)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[2J" in text or "\\u001b[2J" in text


@given(st.text(), st.text())
def test_any_text_renders_clean_and_a_change_is_shown(before, after):
    step = make_step("file", "a", "update", before={"content": before}, after={"content": after})
    text = plan_text.render(make_plan(step), full=True)
    assert all(char.isprintable() or char in "\n\t" for char in text)
    assert ("content" in text) == (before != after)


def test_every_reason_and_action_has_words():
    assert set(plan_text.REASONS) == set(get_args(ReasonCode))
    assert set(plan_text.LOOKS) == {*get_args(Action), *get_args(get_args(StepAction)[-1])}


def test_what_a_text_shows_is_not_said_twice():
    before = {"path": "/etc/motd", "content": "a\n", "checksum": digest(b"a\n"), "size": 2, "mode": "0644"}
    after = before | {"content": "bb\n", "checksum": digest(b"bb\n"), "size": 3}
    made = plan_text.render(make_plan(make_step("file", "motd", "create", identity="/etc/motd", after=after)))
    assert "+bb" in made
    assert "mode" in made
    assert not any(word in made for word in ("path", "checksum", "size"))
    changed = plan_text.render(make_plan(make_step("file", "motd", "update", identity="/etc/motd", before=before, after=after)))
    assert "checksum" not in changed
    assert "checksum" in plan_text.render(make_plan(make_step("file", "motd", "update", before=before, after=after)), full=True)


def test_what_is_adopted_as_it_is_is_told():
    steps = [make_step("file", f"f{n}", "no-op", "adopted", "it is as wanted already") for n in range(5)]
    text = plan_text.render(make_plan(*steps))
    assert "5 resources are as wanted already and will be managed: web1/file.f0, web1/file.f1, web1/file.f2 and 2 more." in text
    assert text.splitlines()[-1] == "No changes. The machine matches the stack."


def test_sealed_params_of_a_run_are_masked():
    step = make_step("command", "a", "run", params={"stdin": "sealed:abc", "argv": ["x"]}, sealed=("stdin",))
    text = plan_text.render(make_plan(step))
    assert "sealed:abc" not in text
    assert "stdin: (sensitive)" in text


def test_a_long_text_says_how_much_is_left_out():
    step = make_step("file", "a", "create", after={"content": "x\n" * 500})
    text = plan_text.render(make_plan(step))
    assert "(488 more lines, --full shows all)" in text
    assert len(text.splitlines()) < 30
    assert plan_text.render(make_plan(step), full=True).count("+x") == 500


def test_the_order_of_steps_does_not_matter_across_sections():
    steps = every_action()
    first, second = plan_text.render(make_plan(*steps)), plan_text.render(make_plan(*sorted(steps, key=lambda s: s.action)))
    assert sorted(first.splitlines()) == sorted(second.splitlines())
