"""Runs inside a booted Debian: package, service, user, group and command over the real machine, by the protocol alone.

Reads steps as JSON lines on stdin, each `{"kind", "params", "undo"?, "pulled_in"?}`; answers each with one JSON line: the verdict, what
apply said, whether what was read afterwards is what was predicted, whether a second plan is empty, and what was pulled in.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from g8r import parameters
from g8r.change import Absent, Applied, Change, Failed, NoChange, Unreadable
from g8r.executor.local_host import LocalHost
from g8r.host import HostError
from g8r.module import Ahead, AnyModule, Wanted, Work
from g8r.modules import load

HOST = LocalHost()


def main() -> None:
    for line in sys.stdin:
        step = json.loads(line)
        module = load(step["kind"])
        params = parameters.build(module, step["params"]).params
        if "verb" in step:
            result = module.trigger(step["verb"], params, HOST)
            answer = {"applied": isinstance(result, Applied), "reason": getattr(result, "reason", "")}
        else:
            answer = perform(module, params, undo=step.get("undo", False), pulled_in=tuple(step.get("pulled_in", ())))
        print(json.dumps(answer), flush=True)


def perform(module: AnyModule, params: Any, *, undo: bool, pulled_in: tuple[str, ...]) -> dict[str, Any]:
    (before,) = module.read([Wanted(params)], HOST)
    if isinstance(before, Unreadable):
        return {"verdict": "unreadable", "reason": before.reason}
    verdict = module.remove(params, before) if undo else module.diff(params, before, Ahead())
    if isinstance(verdict, Change):
        (verdict,) = module.rehearse([Work(params, verdict, pulled_in)], HOST)
    if not isinstance(verdict, Change):
        return {"verdict": type(verdict).__name__, "reason": getattr(verdict, "reason", "")}
    answer: dict[str, Any] = {"verdict": verdict.action, "because": verdict.because, "unknown": verdict.unknown}
    try:
        (result,) = module.apply([Work(params, verdict, pulled_in)], HOST)
    except HostError as error:
        result = Failed(str(error))
    if isinstance(result, Failed):
        return {**answer, "applied": False, "reason": result.reason}
    (after,) = module.read([Wanted(params, result.state)], HOST)
    second = undo or isinstance(module.diff(params, after, Ahead()), NoChange)
    return {**answer, "applied": True, "pulled_in": result.pulled_in, "predicted": predicted(verdict, after), "second_is_empty": second}


def predicted(change: Change[Any], after: Any) -> bool:
    if isinstance(change.after, Absent) or isinstance(after, Absent):
        return isinstance(change.after, Absent) and isinstance(after, Absent)
    names = [name for name in change.after.__struct_fields__ if name not in change.unknown]
    return all(getattr(change.after, name) == getattr(after, name) for name in names)


main()
