from __future__ import annotations

import re

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
