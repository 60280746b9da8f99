"""Values through contracts, many in one evaluation."""

import json
import os
import shutil
from pathlib import Path

from case_values import Nickel

from g8r.compiler import evaluator
from g8r.compiler.evaluator import Evaluated, Limits
from g8r.compiler.nickel_text import string

CONTRACTS = Path(__file__).parents[2] / "contracts"
NICKEL = shutil.which(os.environ.get("G8R_TEST_NICKEL") or "nickel") or shutil.which("nickel")
"""The nickel command to test with; `G8R_TEST_NICKEL` names one that is not on PATH."""
PROBE = """
std.contract.custom (fun label probes =>
  'Ok (std.array.map (fun probe =>
    std.contract.check probe.contract label probe.value |> match { 'Ok _ => null, 'Error { message ? "", .. } => message }
  ) probes))
"""


class Prober:
    """Judges values in one evaluation: None for what a contract accepts, else its message."""

    def __init__(self, library: Path = CONTRACTS):
        self.child = evaluator.start(Limits(), (library,))

    def evaluate(self, text):
        answer = self.child.evaluate(text)
        assert isinstance(answer, Evaluated), answer
        return json.loads(answer.json)

    def judge(self, probes):
        """`probes`: pairs of a contract, FILE.NAME ARGUMENTS, and a value."""
        values = [None if isinstance(value, Nickel) else value for _, value in probes]
        path = self.child.write("values.json", json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        files = sorted({contract.split(".")[0] for contract, _ in probes})
        imports = "".join(f'let {name} = import "lib/{name}.ncl" in ' for name in files)
        names = {contract: f"contract{index}" for index, contract in enumerate(dict.fromkeys(contract for contract, _ in probes))}
        lets = "".join(f"let {name} = {contract} in " for contract, name in names.items())
        listed = ",\n".join(
            f"{{ contract = {names[contract]}, value = {value if isinstance(value, Nickel) else f'std.array.at {index} all'} }}"
            for index, (contract, value) in enumerate(probes)
        )
        return self.evaluate(f"let all = import {string(path)} in {imports}{lets}[\n{listed}\n] | ({PROBE})")

    def accepts(self, contract, values):
        return [found is None for found in self.judge([(contract, value) for value in values])]
