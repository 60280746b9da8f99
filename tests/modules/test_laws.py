"""The seven laws of the design, over every case of every kind, on the fake host."""

from __future__ import annotations

import importlib.util

import laws
import pytest
from case import Case

from g8r.modules import KINDS

CASES = laws.cases()
AWAITED = {"command", "group", "package", "service", "user"}
"""Kinds whose tables are still to be written: take a kind out when its table is there."""

CHANGES = [case for case in CASES if laws.changes(case)]


def test_every_kind_has_cases() -> None:
    written = {kind for kind in KINDS if importlib.util.find_spec(f"g8r.modules.{kind}")}
    assert written - AWAITED == {case.kind for case in CASES} - AWAITED
    assert len({str(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [case for case in CHANGES if not case.repeats], ids=str)
def test_law_1_the_second_plan_is_empty(case: Case) -> None:
    laws.second_plan_is_empty(case, laws.fake_host(case))


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_law_2_what_is_read_after_apply_is_what_was_predicted(case: Case) -> None:
    laws.prediction_holds(case, laws.fake_host(case))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_law_3_planning_leaves_the_machine_as_it_was(case: Case) -> None:
    laws.planning_writes_nothing(case, laws.fake_host(case))


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_law_4_removal_undoes(case: Case) -> None:
    laws.removal_undoes(case, laws.fake_host(case))


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_law_5_a_crash_between_any_two_calls_loses_nothing(case: Case) -> None:
    laws.a_crash_loses_nothing(case, laws.fake_host(case))


@pytest.mark.parametrize(("first", "second"), laws.unrelated_pairs(CASES), ids=str)
def test_law_6_unrelated_tasks_in_any_order_or_at_once(first: Case, second: Case) -> None:
    laws.order_does_not_matter(first, second)


@pytest.mark.parametrize("case", [case for case in CASES if case.sensitive], ids=str)
def test_law_7_secrets_stay_inside(case: Case) -> None:
    laws.secrets_stay_inside(case, laws.fake_host(case))
