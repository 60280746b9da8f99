"""What was expected against what was seen: one Failure for each expectation that does not hold. Pure.

Every function gives failures whose path starts at the expectation's own name, `("params", "web1/file.motd", "mode")`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from g8r.address import Address
from g8r.diagnostics import Diagnostic, DocumentPath, did_you_mean, path_text
from g8r.plan import Plan, Step
from g8r.render.suite import Failure
from g8r.testing import seen as seen_of
from g8r.testing.cases import Content, Expect, Message, PlanAction, texts
from g8r.testing.seen import Run, Seen, step_matches
from g8r.value import MASK, Value

_LISTED: Final = 10


def failures(expect: Expect, seen: Seen) -> list[Failure]:
    """All that does not hold, in the order of the expectations."""
    found = list(_messages("warnings", expect.warnings, seen.warnings)) if expect.warnings is not None else []
    if expect.errors:
        return [*_messages("errors", expect.errors, seen.errors), *found]
    if seen.errors:
        return [Failure((), "the stack has errors", "A test that means them says so with errors.", diagnostics=seen.errors)]
    found += [*_tasks(expect, seen), *_params(expect, seen), *_edges(expect, seen), *_order(expect, seen)]
    found += [*_actions("plan", expect.plan, seen), *_changes(expect, seen), *_outputs(expect, seen), *_contents(expect, seen)]
    return [*found, *(_converges(seen) if expect.converges else ())]


# ---- messages --------------------------------------------------------------------------------------------------------------------------


def _messages(field: str, wanted: Iterable[str | Message], found: Sequence[Diagnostic]) -> Iterator[Failure]:
    one = field.removesuffix("s")
    left = list(found)
    for number, message in enumerate(wanted):
        if not any(_is_meant(message, diagnostic) for diagnostic in found):
            near = did_you_mean(message, {each.code for each in found}) if isinstance(message, str) else ""
            there = f"There is {_codes(found)}.{near}" if found else f"There is no {one} at all."
            yield Failure((field, number), f"no {one} is {_message_text(message)}", there, diagnostics=tuple(found))
        left = [diagnostic for diagnostic in left if not _is_meant(message, diagnostic)]
    if left:
        count = f"an {one} that was not expected" if field == "errors" else f"a {one} that was not expected"
        yield Failure((field,), f"there is {count}: {_codes(left)}", diagnostics=tuple(left))


def _is_meant(message: str | Message, found: Diagnostic) -> bool:
    if isinstance(message, str):
        return message == found.code
    if message.code is not None and message.code != found.code:
        return False
    return message.matches is None or re.search(message.matches, f"{found.summary}\n{found.detail}", re.MULTILINE) is not None


def _message_text(message: str | Message) -> str:
    if isinstance(message, str):
        return f'"{message}"'
    parts = [f'"{message.code}"'] if message.code is not None else []
    parts += [f'like "{message.matches}"'] if message.matches is not None else []
    return " and ".join(parts)


def _codes(found: Sequence[Diagnostic]) -> str:
    return _some([f"{each.code} ({each.summary})" for each in found])


# ---- tasks -----------------------------------------------------------------------------------------------------------------------------


def _tasks(expect: Expect, seen: Seen) -> Iterator[Failure]:
    if expect.tasks is not None:
        wanted = set(expect.tasks)
        missing = {pattern for pattern in wanted if not seen.matching(pattern)}
        meant = {address for pattern in wanted for address in seen.matching(pattern)}
        more = sorted(_short(address, expect.tasks) for address in seen.tasks.keys() - meant)
        if missing or more:
            same = sorted(wanted - missing)
            parts = [
                f"{words}: {_some(names)}" for words, names in (("missing", sorted(missing)), ("not expected", sorted(set(more)))) if names
            ]
            expected, got = _lines(wanted), _lines([*same, *more])
            yield Failure(("tasks",), f"the tasks are not as expected; {'; '.join(parts)}", expected=expected, got=got)
    for number, pattern in enumerate(expect.has):
        if not seen.matching(pattern):
            yield _missing(("has", number), pattern, seen)
    for number, pattern in enumerate(expect.lacks):
        there = seen.matching(pattern)
        if there:
            yield Failure(("lacks", number), f"there is {_some([str(address) for address in there])}", "Expected none.")


def _short(address: Address, patterns: Iterable[str]) -> str:
    """An address as the test writes them."""
    return str(address) if any("/" in pattern for pattern in patterns) else address.task


def _missing(at: DocumentPath, pattern: str, seen: Seen) -> Failure:
    names = seen.names(pattern)
    near = did_you_mean(pattern, names)
    there = f"The stack has {_some(names)}." if names else "The stack has no tasks."
    return Failure(at, f"there is no task {pattern}", near.strip() or there)


def _params(expect: Expect, seen: Seen) -> Iterator[Failure]:
    for pattern, wanted in expect.params.items():
        addresses = seen.matching(pattern)
        if not addresses:
            yield _missing(("params", pattern), pattern, seen)
        for address in addresses:
            task = seen.tasks[address]
            there, masked = seen_of.params(task), seen_of.hidden(task)
            for name, value in wanted.items():
                at: DocumentPath = ("params", pattern, name)
                if name not in there:
                    summary = f'{address.kind} has no param "{name}"'
                    yield Failure(at, summary, did_you_mean(name, there).strip() or f"It has {', '.join(sorted(there))}.")
                    continue
                for path, expected, got in differences(value, there[name], at):
                    yield _different(path, f"{address}: {path_text(path[2:])}", expected, got, secret=name in masked)


def differences(expected: Value, got: Value, at: DocumentPath) -> Iterator[tuple[DocumentPath, Value, Value]]:
    """Where a value is not as expected; a record may have more than is expected of it, a list may not."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            yield from differences(value, got.get(key), (*at, key))
    elif isinstance(expected, bool) != isinstance(got, bool) or expected != got:
        yield at, expected, got


def _different(at: DocumentPath, what: str, expected: Value, got: Value, *, secret: bool = False) -> Failure:
    if secret:
        return Failure(at, f"{what} is not as expected", f"It is sensitive, so it is not shown: {MASK}.")
    if isinstance(expected, str) and isinstance(got, str) and "\n" in expected + got:
        return Failure(at, f"{what} is not as expected", expected=expected, got=got)
    return Failure(at, f"{what} is {_shown(got)}", f"Expected {_shown(expected)}.")


# ---- order -----------------------------------------------------------------------------------------------------------------------------


def _edges(expect: Expect, seen: Seen) -> Iterator[Failure]:
    for number, (first, second) in enumerate(expect.edges):
        for address in _meant(("edges", number), (first, second), seen):
            if isinstance(address, Failure):
                yield address
                continue
            edges = seen.tasks[address].edges
            if not any(edge.before in seen.matching(first) for edge in edges):
                there = _some([f"{edge.before} ({edge.reason})" for edge in edges]) if edges else "nothing"
                yield Failure(("edges", number), f"{address} has no edge from {first}", f"It comes after {there}.")


def _order(expect: Expect, seen: Seen) -> Iterator[Failure]:
    for number, chain in enumerate(expect.order):
        for index in range(1, len(chain)):
            pair = (chain[index - 1], chain[index])
            for address in _meant(("order", number), pair, seen):
                if isinstance(address, Failure):
                    yield address
                    continue
                earlier = seen_of.before(seen, address)
                if not earlier.intersection(seen.matching(pair[0])):
                    there = _some(sorted(map(str, earlier))) if earlier else "nothing"
                    yield Failure(("order", number), f"{address} does not come after {pair[0]}", f"It comes after {there}.")


def _meant(at: DocumentPath, pair: Sequence[str], seen: Seen) -> Iterator[Address | Failure]:
    """The tasks that the second of a pair means; failures where one of the two means none."""
    missing = [pattern for pattern in pair if not seen.matching(pattern)]
    if missing:
        yield from (_missing(at, pattern, seen) for pattern in missing)
    else:
        yield from seen.matching(pair[1])


# ---- the plan --------------------------------------------------------------------------------------------------------------------------


def _actions(field: str, wanted: Mapping[str, PlanAction], seen: Seen) -> Iterator[Failure]:
    assert seen.plan is not None or not wanted  # noqa: S101 it is made where it is asked for
    for pattern, action in wanted.items():
        steps = [step for step in seen.plan.steps if step_matches(pattern, step)] if seen.plan else []
        if not steps and not ("#" in pattern and seen.matching(pattern.partition("#")[0])):
            yield _missing((field, pattern), pattern, seen)
            continue
        if not steps and action != "no-op":
            yield Failure((field, pattern), f"the plan does not fire {pattern}", f"Expected {action}.")
        by_name: dict[str, list[str]] = {}
        reasons: dict[str, str] = {}
        for step in steps:
            by_name.setdefault(seen_of.step_name(step), []).append(step.action)
            reasons[seen_of.step_name(step)] = step.reason.text
        for name, there in by_name.items():
            if action not in there:
                because = f" because {reasons[name]}" if reasons[name] and "blocked" in there else ""
                yield Failure((field, pattern), f"{name}: the plan says {' and '.join(there)}{because}", f"Expected {action}.")


def _changes(expect: Expect, seen: Seen) -> Iterator[Failure]:
    if expect.changes is None or seen.plan is None:
        return
    yield from _actions("changes", expect.changes, seen)
    more = [
        f"{step.action} {seen_of.step_name(step)}"
        for step in seen.plan.steps
        if step.action != "no-op" and not any(step_matches(pattern, step) for pattern in expect.changes)
    ]
    if more:
        what = "has changes" if not expect.changes else "does more than that"
        yield Failure(("changes",), f"the plan {what}: {_some(more)}")


def _outputs(expect: Expect, seen: Seen) -> Iterator[Failure]:
    if not expect.outputs or seen.plan is None:
        return
    known = seen.run.outputs if seen.run is not None else seen.plan.known_outputs
    for name, value in expect.outputs.items():
        at: DocumentPath = ("outputs", name)
        if name not in seen.compiled.outputs:
            near = did_you_mean(name, seen.compiled.outputs) or f" It has {_some(sorted(seen.compiled.outputs))}."
            yield Failure(at, f'the stack has no output "{name}"', near.strip() if seen.compiled.outputs else "It has none.")
        elif name not in known:
            yield Failure(at, f"the output {name} is known only after apply", "Say converges = true, and it is looked at after that.")
        else:
            for path, expected, got in differences(value, known[name], at):
                yield _different(path, f"the output {path_text(path[1:])}", expected, got)


# ---- content ---------------------------------------------------------------------------------------------------------------------------


def _contents(expect: Expect, seen: Seen) -> Iterator[Failure]:
    for pattern, wanted in expect.content.items():
        at: DocumentPath = ("content", pattern)
        addresses = seen.matching(pattern)
        if not addresses:
            yield _missing(at, pattern, seen)
        for address in addresses:
            if not seen_of.has_content(address.kind):
                yield Failure(at, f"{address} has no content", f"A {address.kind} is not about the whole of a file; a file or template is.")
                continue
            found = seen.content(address)
            if found.text is None:
                yield Failure(at, f"the content of {address} is not known", f"{found.reason}.")
            elif isinstance(wanted, str):
                yield from _whole(at, address, wanted, found.text, secret=found.secret)
            else:
                yield from _parts(at, address, wanted, found.text, secret=found.secret)


def _whole(at: DocumentPath, address: Address, wanted: str, text: str, *, secret: bool) -> Iterator[Failure]:
    if wanted != text:
        what = f"the content of {address} is not as expected"
        hidden = f"It is sensitive, so it is not shown: {MASK}."
        yield Failure(at, what, hidden) if secret else Failure(at, what, expected=wanted, got=text)


def _parts(at: DocumentPath, address: Address, wanted: Content, text: str, *, secret: bool) -> Iterator[Failure]:
    there = f"It holds {MASK}." if secret else f"It holds {_shown(text)}." if "\n" not in text.rstrip("\n") else _quoted(text)
    for part in texts(wanted.contains):
        if part not in text:
            yield Failure((*at, "contains"), f"the content of {address} does not contain {_shown(part)}", there)
    for part in texts(wanted.lacks):
        if part in text:
            yield Failure((*at, "lacks"), f"the content of {address} contains {_shown(part)}", there)
    for pattern in texts(wanted.matches):
        if re.search(pattern, text, re.MULTILINE) is None:
            yield Failure((*at, "matches"), f"the content of {address} does not match {_shown(pattern)}", there)


def _quoted(text: str) -> str:
    lines = text.splitlines()
    shown = [f"| {line}" for line in lines[: _LISTED * 2]]
    more = [f"({len(lines) - len(shown)} more lines)"] if len(lines) > len(shown) else []
    return "\n".join(["It holds:", *shown, *more])


# ---- applying --------------------------------------------------------------------------------------------------------------------------


def _converges(seen: Seen) -> Iterator[Failure]:
    if seen.plan is None:
        return
    failed = list(unfinished(seen.plan, seen.run))
    yield from failed
    after = seen.run.after if seen.run is not None else None
    if not failed and after is not None and _pending(after):
        told = [f"{step.action} {seen_of.step_name(step)}: {step.reason.text}" for step in _pending(after)]
        yield Failure(("converges",), "after an apply there is still something to do", "\n".join(told))


def unfinished(plan: Plan, run: Run | None) -> Iterator[Failure]:
    """What of a plan is blocked, or could not be applied."""
    if plan.blocked:
        told = [f"{step.id}: {step.reason.text}" for step in plan.blocked]
        yield Failure(("converges",), f"the plan is blocked in {len(told)} place{'s' if len(told) > 1 else ''}", "\n".join(told))
    elif run is not None:
        failed = [f"{name}: {reason}" for name, end in sorted(run.outcomes.items()) if (reason := seen_of.failure_of(end)) is not None]
        if failed:
            yield Failure(("converges",), "it cannot be applied", "\n".join([*failed, *_advice(failed)]))


def _pending(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.action != "no-op"]


def _advice(failed: Sequence[str]) -> Iterator[str]:
    """What to say to the test where its world lacks something that a real host would have."""
    text = "\n".join(failed)
    if "has no program" in text:
        yield "The fake host has few programs: say what they do with world.HOST.programs.NAME = {}."
    if "not found" in text and ".service" in text:
        yield "No package of the fake host brings this unit: say which does with world.HOST.available.NAME.units, or world.HOST.services."


# ---- words -----------------------------------------------------------------------------------------------------------------------------


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(set(names)))


def _shown(value: Value) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
