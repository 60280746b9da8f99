"""Every contract of contracts/lib accepts its good values, refuses its bad ones, and says what came."""

import re

import pytest
from case_values import NO_TEXT, Nickel
from lib_cases import CASES
from probing import NICKEL, Prober

from g8r.compiler.evaluator import Reported

ANSI = re.compile(r"\x1b\[[0-9;]*m")
FILES = sorted({contract.split(".")[0] for contract in CASES})
PROBES = [
    *((contract, value, None) for contract, cases in CASES.items() for value in cases.good),
    *((contract, value, message) for contract, cases in CASES.items() for value, message in cases.bad),
]
FUNCTIONS = {"make": {"custom", "shown", "kind", "refuse", "refuse_because"}}
"""What is in the files and is no contract."""


@pytest.fixture(scope="module")
def verdicts(prober):
    """What each contract says of each of its values, by its index in PROBES: one evaluation."""
    return prober.judge([(contract, value) for contract, value, _ in PROBES])


@pytest.mark.parametrize("contract", CASES)
def test_a_contract_accepts_and_refuses(verdicts, contract):
    judged = [(value, wanted, said) for (name, value, wanted), said in zip(PROBES, verdicts, strict=True) if name == contract]
    wrong = [
        (value, wanted, said)
        for value, wanted, said in judged
        if (wanted is None and said is not None) or (wanted is not None and (said is None or wanted not in said))
    ]
    assert not wrong, "\n".join(f"{value!r}: wanted {wanted!r}, got {said!r}" for value, wanted, said in wrong)


def test_every_contract_has_good_and_bad_values(prober):
    for file in FILES:
        names = set(prober.evaluate(f'std.record.fields (import "lib/{file}.ncl")')) - FUNCTIONS.get(file, set())
        assert names == {contract.split(".")[1].split(" ")[0] for contract in CASES if contract.startswith(f"{file}.")}
    assert all(cases.good and len(cases.bad) >= 1 for cases in CASES.values())


def test_the_index_has_every_file(prober):
    assert sorted(prober.evaluate('std.record.fields (import "lib/all.ncl")')) == FILES


def test_no_contract_of_text_takes_another_value_or_fails_on_one(prober):
    texts = [
        contract
        for contract, cases in CASES.items()
        if all(isinstance(value, str) and not isinstance(value, Nickel) for value in cases.good)
    ]
    assert len(texts) > 60
    probes = [(contract, value) for contract in texts for value in NO_TEXT]
    for (contract, value), said in zip(probes, prober.judge(probes), strict=True):
        if contract == 'shapes.OneOf ["dev", "prod"]':
            continue
        assert said is not None, f"{contract} accepts {value!r}"
        assert said.startswith("expected "), said


def test_every_message_says_what_was_expected_and_what_came(verdicts):
    ours = [
        said
        for (contract, _, _), said in zip(PROBES, verdicts, strict=True)
        if said and contract.split(" ")[-1] not in {"Number", "String"}
    ]
    assert len(ours) > 300
    assert all(said.startswith("expected ") and ", got " in said for said in ours), [said for said in ours if ", got " not in said]


def test_what_may_be_secret_is_in_no_message(verdicts):
    said = [found for found in verdicts if found]
    assert not [found for found in said if "hunter2" in found or "AAAAC3" in found or "MII" in found]


@pytest.mark.skipif(NICKEL is None, reason="no nickel command: G8R_TEST_NICKEL names one")
def test_the_nickel_command_says_the_same(verdicts, monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", NICKEL)
    command = Prober()
    assert command.judge([(contract, value) for contract, value, _ in PROBES]) == verdicts
    command.child.close()


# ---- as a user meets them: on a field of a record, with a report ----


def report(prober, expression):
    answer = prober.child.evaluate(f'let Lib = import "lib/all.ncl" in {expression}')
    assert isinstance(answer, Reported), answer
    return ANSI.sub("", answer.report)


def test_a_field_is_checked_and_the_report_shows_the_message(prober):
    said = report(prober, "{ server = { port | Lib.net.Port = 70000 } }")
    assert "expected a port number (1-65535), got 70000" in said
    assert "server = { port | Lib.net.Port = 70000 }" in said


def test_good_values_pass_through_unchanged(prober):
    text = '{ port | Lib.net.Port = 80, hosts | Array Lib.net.HostName = ["a"], size | Lib.shapes.Maybe Lib.numbers.Size = null }'
    assert prober.evaluate(f'let Lib = import "lib/all.ncl" in {text}') == {"port": 80, "hosts": ["a"], "size": None}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('["a", "_"] | Array Lib.net.HostName', 'expected a host name such as web1 or web1.example.org, got "_"'),
        ('["a", "_"] | Lib.shapes.OneOrMore Lib.net.HostName', 'got "_"'),
        ('["_"] | Lib.shapes.Filled Lib.net.HostName', 'got "_"'),
        ('"_" | Lib.shapes.Maybe Lib.net.HostName', 'got "_"'),
        ('{ a = "_" } | { _ | Lib.net.HostName }', 'got "_"'),
        ('{ a = 1, b = 2 } | Lib.shapes.ExactlyOne ["a", "b"]', "it has a and b"),
    ],
)
def test_contracts_inside_of_lists_and_records(prober, expression, message):
    assert message in report(prober, expression)


def test_a_contract_of_ones_own_from_the_makers(prober):
    own = 'let Rack = Lib.make.Matching "a rack such as r12" "^r[0-9]+$" in { rack | Rack = "12" }'
    assert 'expected a rack such as r12, got "12"' in report(prober, own)


def test_a_contract_stays_when_records_are_merged(prober):
    assert "got 70000" in report(prober, "{ port | Lib.net.Port | default = 80 } & { port = 70000 }")
