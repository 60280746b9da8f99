"""docs/contracts.md: every contract of contracts/lib with its doc, a value that it takes, and the message that a wrong one gets.

The docs are read from the Nickel files, the values are the first ones of tests/contracts/lib_cases.py, and the messages are what the
evaluator says. `make docs` writes the page; tests/contracts/test_lib_page.py fails where it is stale.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
LIBRARY: Final = ROOT / "contracts" / "lib"
PAGE: Final = "contracts.md"
_ENTRY: Final = re.compile(r'^  (?:include )?(\w+)\s*\| doc ("(?:[^"\\]|\\.)*")', re.MULTILINE)
_LONGEST: Final = 48
_INTRO: Final = """<!-- Generated from contracts/lib: `make docs`. Do not edit. -->

# Contracts

Types that infrastructure needs, for any Nickel program: nothing here knows of stacks or of g8r. A value that is refused gets a
message that says what was expected and what came; what may be secret is not repeated in it. `g8r schema --nickel DIR` writes the files
to a folder of yours; in a stack they can be imported as they are.

```nickel
let Lib = import "lib/all.ncl" in
{
  name = "site",
  vars = {
    port | Lib.net.Port | default = 8080,
    allowed | Array Lib.net.CIDR = ["192.0.2.0/24"],
    upstream | Lib.shapes.ExactlyOne ["url", "socket"] = { url = "http://127.0.0.1:9000" },
    backup_at | Lib.time.Cron = "30 3 * * *",
    log_limit | Lib.numbers.Size = "64MiB",
  },
}
```

`lib/net.ncl` and the others can also be imported alone. A contract of your own is one line, and its errors read like these:

```text
let Make = import "lib/make.ncl" in
let Rack = Make.Matching "a rack such as r12" "^r[0-9]+$" in
{ rack | Rack = "12" }   # expected a rack such as r12, got "12"
```

The params of the kinds are checked with `lib/types.ncl`, which also takes references such as `@{host.vars.port}`. To let a contract of
this library take a whole reference too, wrap it: `Types.Ref Lib.net.Port`.

Contracts for every stack of an organisation, and predicates over stacks and plans, are [policies](policy.md).
"""


def entries(file: str) -> dict[str, str]:
    """The names that a file of the library has, with their docs."""
    return {name: json.loads(doc) for name, doc in _ENTRY.findall((LIBRARY / f"{file}.ncl").read_text(encoding="utf-8"))}


def page() -> str:
    """The whole page."""
    sys.path.append(str(ROOT / "tests" / "contracts"))
    from lib_cases import CASES  # noqa: PLC0415 found through the path that was just given
    from probing import Prober  # noqa: PLC0415 as above

    firsts = [(contract, cases.bad[0][0]) for contract, cases in CASES.items()]
    prober = Prober()
    said = dict(zip(CASES, prober.judge(firsts), strict=True))
    prober.child.close()
    parts = [_INTRO]
    for file, title in entries("all").items():
        parts.append(f"\n## lib/{file}.ncl\n\n{title}.\n\n| contract | is | such as | else |\n| --- | --- | --- | --- |\n")
        docs = entries(file)
        for contract, cases in CASES.items():
            where, _, written = contract.partition(".")
            if where == file:
                text = re.sub(r"^[A-Z]\w+( [A-Z]+)*: ", "", docs[written.split(" ")[0]])
                message = said[contract] or "Nickel's own message"
                parts.append(f"| {_code(written)} | {_cell(text)} | {_code(_literal(cases.good[0]))} | {_code(message)} |\n")
    return "".join(parts)


def _literal(value: Any) -> str:  # noqa: ANN401 any value of the cases
    from case_values import Nickel  # noqa: PLC0415 as in page

    text = str(value) if isinstance(value, Nickel) else json.dumps(value, ensure_ascii=False)
    text = re.sub(r'"(\w+)": ', r"\1 = ", text).replace("\\n", " ") if isinstance(value, (dict, list)) else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
