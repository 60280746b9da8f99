from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from render_samples import SECRET, make_plan, make_step

from g8r.render import plan_markdown


def test_a_comment(rich_plan, golden):
    text = plan_markdown.render(rich_plan)
    golden("render/plan.md", text)
    assert SECRET not in text


def test_a_big_plan_is_cut_and_says_so():
    plan = make_plan(*(make_step("file", f"f{n}", "create", after={"content": "x\n" * 30}) for n in range(1000)))
    text = plan_markdown.render(plan, 20_000)
    assert 15_000 < len(text) <= 20_000
    shown = text.count("will be created")
    assert f"{1000 - shown} more changes did not fit" in text
    assert "1,000 to create" in text
    assert text.endswith("</details>\n")


def test_one_huge_change_fits_too():
    plan = make_plan(make_step("file", "a", "update", before={"content": "a\nb"}, after={"content": "b\n" + "x" * 1_000_000}))
    assert len(plan_markdown.render(plan)) < 2_000


def test_content_cannot_leave_its_block():
    plan = make_plan(make_step("file", "a", "update", before={"content": "a\n"}, after={"content": "a\n```\n````\n</details>\n# x\n"}))
    text = plan_markdown.render(plan)
    fences = re.findall(r"(?m)^`{3,}(?:diff)?$", text)
    assert fences == ["`````diff", "`````"]


def test_no_changes_are_short():
    assert plan_markdown.render(make_plan(make_step("file", "a", "no-op", "none"))) == (
        "### g8r plan: `site`\n\n**No changes. The machine matches the stack.**\n"
    )


# ---- the limit, whatever is in it ----

HOSTILE = st.sampled_from(
    ["`" * 3000, "x" * 70_000, "ä€😀" * 3000, "a\n" * 9000, "😀", "@team #12 ", "</details>\n", "\u202e", "    ", "~~~\n"]
)


@settings(max_examples=60)
@given(
    st.lists(st.lists(HOSTILE, min_size=1, max_size=4).map("".join), min_size=1, max_size=8),
    st.sampled_from(["create", "update", "delete", "run"]),
    st.integers(1000, 65_000),
)
def test_no_plan_is_longer_than_the_limit(contents, action, limit):
    def one(number, content):
        after = None if action == "delete" else {"content": content, **{f"p{index}": content[:900] for index in range(100)}}
        before = None if action == "create" else {"content": "a\n" * 500, "list": [content[:50]] * 60}
        return make_step("file", f"f{number}", action, before=before, after=after)

    text = plan_markdown.render(make_plan(*(one(number, content) for number, content in enumerate(contents))), limit)
    assert len(text) <= limit
    fences = re.findall(r"(?m)^(`{3,})(?:diff)?$", text)
    assert len(fences) == 2
    assert fences[0] == fences[1]
    inside = text.split(fences[0])[1]
    assert "`" * len(fences[0]) not in inside
    assert text.count("<details>") == text.count("\n</details>\n") <= 1 or "</details>" in "".join(contents)


def test_characters_are_counted_not_bytes():
    steps = (make_step("file", f"f{n}", "create", after={"content": "😀" * 60 + "\n"}) for n in range(1000))
    text = plan_markdown.render(make_plan(*steps))
    assert 55_000 < len(text) <= 60_000
    assert len(text.encode()) < 262_144


def test_of_one_change_that_is_too_large_the_beginning_is_shown():
    plan = make_plan(
        make_step("file", "big", "create", after={f"param{index}": "x" * 60 for index in range(3000)}),
        make_step("file", "small", "create", after={"content": "x"}),
    )
    text = plan_markdown.render(plan)
    assert 50_000 < len(text) <= 60_000
    assert "+ web1/file.big will be created" in text
    assert re.search(r"\(cut here: [\d,]+ more lines\)", text)
    assert "1 more change did not fit here" in text


@pytest.mark.parametrize("text", ["@team", "#12", "https://example.com", "<img src=x>", "[a](b)", "`x`", "~~x~~", "GH-1"])
def test_nothing_that_is_not_ours_pings_links_or_embeds(text):
    step = make_step(
        "file",
        "a",
        "update",
        "changed",
        text,
        identity=text,
        before={"content": text, "mode": text},
        after={"content": "y", "mode": "z"},
        because=(text,),
    )
    plan = make_plan(step, stack=f"s {text}", complete=False, selection={"on": (text,), "target": (text,)})
    shown = plan_markdown.render(plan)
    (fence,) = set(re.findall(r"(?m)^(`{3,})(?:diff)?$", shown))
    head, _, rest = shown.partition(f"\n{fence}diff\n")
    outside = re.sub(r"`[^`\n]*`", "CODE", head + rest.rpartition(f"\n{fence}")[2])
    assert text == "GH-1" or text not in outside
    assert "incomplete" in outside
