"""What a snapshot of a test holds: the tasks with their params and edges, or the plan. Sorted, and nothing that is secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from g8r import modules, parameters
from g8r.catalog import CatalogTask
from g8r.plan import Plan
from g8r.render import attributes, plan_text, style
from g8r.render.style import PLAIN


def tasks(listed: Iterable[CatalogTask]) -> str:
    """Every task on every host: its params as they are compiled, and what it comes after."""
    blocks = ["\n".join(_task(task)) for task in sorted(listed, key=lambda task: task.address)]
    return "\n\n".join(blocks or ["no tasks"]) + "\n"


def plan(made: Plan) -> str:
    """The plan as a reviewer sees it, whole."""
    return plan_text.render(made, full=True)


def _task(task: CatalogTask) -> Iterator[str]:
    yield style.clean(str(task.address))
    hidden = parameters.sensitive_fields(modules.load(task.address.kind), task.sensitive)
    yield from (f"  {line}" for line in attributes.present(task.params, hidden, PLAIN, full=True))
    for edge in sorted(task.edges):
        yield f"  after {edge.before}, {edge.reason}{f' {edge.note}' if edge.note else ''}"
    if task.after_packages:
        yield f"  after every package of {task.address.host}"
    for trigger, sources in sorted(task.triggers.items()):
        yield f"  {trigger} on {', '.join(sorted(map(str, sources)))}"
