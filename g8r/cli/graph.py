"""g8r graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from g8r.cli import console, options
from g8r.diagnostics import RejectedError, errors, reject

if TYPE_CHECKING:
    from g8r.compiler.compile import Compiled


@click.command("graph")
@options.source_argument
@click.option("--format", "form", type=click.Choice(["dot", "mermaid", "svg", "json"]), help="By default what FILE ends in, else dot.")
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there.")
@options.source_options
def command(*, form: str | None, out: Path | None, **chosen: Any) -> int:  # noqa: ANN401 click's
    r"""Draw the task graph: what comes before what, and why. Touches no host; what hangs on facts is left out.

    \b
    Examples:
      g8r graph | dot -Tpng > graph.png
      g8r graph -o graph.svg
      g8r graph --format mermaid

    \b
    Exit codes: 0 done; 1 error.
    """
    session = options.session(chosen)
    loaded = session.load()
    compiled = session.compile(loaded, {})
    found = loaded.located(compiled.diagnostics)
    loaded.close()
    if errors(found):
        raise RejectedError(found)
    console.tell(found)
    text = drawn(compiled, form or _form(out))
    if out is None:
        console.write(text)
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise reject("not-written", f"cannot write {out}", f"{problem.strerror}. Name another place with `-o`.") from problem
    console.write(f"Drew {len(compiled.graph.tasks)} tasks to {out}.\n")
    return 0


def drawn(compiled: Compiled, form: str) -> str:
    """The graph in that form, with a newline at its end."""
    from g8r.render import graph_svg, graph_text  # noqa: PLC0415 imports what only this needs

    graph = {address: task.edges for address, task in compiled.graph.tasks.items()}
    match form:
        case "mermaid":
            return graph_text.mermaid(graph)
        case "svg":
            return graph_svg.render(graph)
        case "json":
            nodes = [
                {"address": str(address), "host": address.host, "kind": address.kind, "name": address.name, "identity": task.identity}
                for address, task in sorted(compiled.graph.tasks.items())
            ]
            edges = [
                {"from": str(edge.before), "to": str(address), "reason": edge.reason, "note": edge.note, "soft": edge.soft}
                for address, task in sorted(compiled.graph.tasks.items())
                for edge in sorted(task.edges)
            ]
            return msgspec.json.format(msgspec.json.encode({"nodes": nodes, "edges": edges}), indent=2).decode() + "\n"
        case _:
            return graph_text.dot(graph)


def _form(out: Path | None) -> str:
    endings = {".svg": "svg", ".json": "json", ".mmd": "mermaid", ".mermaid": "mermaid"}
    return endings.get(out.suffix, "dot") if out is not None else "dot"
