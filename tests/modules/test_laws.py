"""The seven laws of the design, over every case of every kind, on the fake host."""

from __future__ import annotations

import importlib.util

import laws
import msgspec
import pytest
from case import Case

from g8r import parameters
from g8r.change import Absent, Unreadable
from g8r.modules import KINDS, load
from g8r.stack import META_ARGUMENTS
from g8r.value import Unknown

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


# ---- what every kind keeps, beside the laws ---------------------------------------------------------------------------------

WRITTEN = sorted({case.kind for case in CASES})


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_param_says_what_it_is(kind: str) -> None:
    undocumented = [field.name for field in parameters.fields(load(kind)) if not field.doc.strip().endswith((".", ":"))]
    assert undocumented == []


@pytest.mark.parametrize("kind", WRITTEN)
def test_no_param_has_the_name_of_a_meta_argument(kind: str) -> None:
    assert not {field.name for field in parameters.fields(load(kind))} & set(META_ARGUMENTS)


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_params_determine_is_in_the_state(kind: str) -> None:
    module = load(kind)
    states = set(module.State.__struct_fields__)
    assert {name for name in module.determines if name not in module.Params.__struct_fields__} == set()
    assert {field for fields in module.determines.values() for field in fields} <= states


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_state_survives_the_ledger(case: Case) -> None:
    task, host = laws.Task(case), laws.fake_host(case)
    state = task.read(host)
    if not isinstance(state, Absent | Unreadable):
        assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(state)), task.module.State) == state
        assert set(task.module.outputs(task.params, state)) == set(task.module.Outputs.__struct_fields__)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_claims_hang_on_known_params_alone(case: Case) -> None:
    """Identity, claims and a read are the same while a param is known only later, or `validate` refuses it to be so."""
    task, host = laws.Task(case), laws.fake_host(case)
    later = {field.name: Unknown("later") for field in parameters.fields(task.module) if not field.known and field.name in case.params}
    stood_in = laws.Task(case, parameters.build(task.module, {**case.params, **later}).params)
    if stood_in.module.validate(stood_in.params, frozenset()):
        return
    assert stood_in.module.claims(stood_in.params) == task.module.claims(task.params)
    assert stood_in.module.identity(stood_in.params) == task.module.identity(task.params)
    assert stood_in.read(host) == task.read(host)
