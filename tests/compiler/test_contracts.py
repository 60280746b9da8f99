"""The generated contracts are current, and say what Params say. What they accept is in test_agreement.py."""

from typing import Annotated

import msgspec
import toys
from evaluators import SHIPPED
from msgspec import inspect

from g8r.compiler import contracts
from g8r.stack import META_ARGUMENTS


def test_the_contracts_in_the_tree_are_current():
    generated = contracts.generate()
    present = {f"kinds/{path.name}": path.read_text() for path in (SHIPPED / "kinds").glob("*.ncl")}
    assert present == generated, "contracts/kinds is stale: run `g8r schema --nickel`"


def test_no_kind_has_a_param_named_as_a_meta_argument():
    for kind in contracts.SHIPPED:
        assert not set(contracts.SHIPPED[kind].Params.__struct_fields__) & set(META_ARGUMENTS)


def test_docs_types_and_optionality_are_in_the_contract():
    text = contracts.generate(toys.KINDS)["kinds/file.ncl"]
    assert '  path | Types.AbsolutePath | doc "Where it lives on the host.",' in text
    assert '  mode | Types.MaybeMode | doc "Permission bits." | optional,' in text
    assert "\\%{x}" in text
    assert "default" not in text


def test_a_pattern_and_a_length_are_both_in_the_contract():
    both = inspect.type_info(Annotated[str, msgspec.Meta(pattern="^a*$", min_length=2, max_length=5)])
    assert contracts.contract_of(both) == (
        'std.contract.Sequence [Types.Text "text that matches ^a*$" "^a*$", Types.Text "text that matches ^a*$" "^(?s:.){2,5}$"]'
    )
