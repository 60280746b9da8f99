"""g8r schema."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from g8r.cli import console
from g8r.diagnostics import reject


@click.command("schema")
@click.option("--nickel", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write the contracts there.")
@click.option("--json-schema", "as_schema", is_flag=True, help="Print a JSON Schema of a stack.")
def command(*, folder: Path | None, as_schema: bool) -> int:
    r"""Write what editors check a stack with: the contracts in Nickel, or a JSON Schema.

    With the contracts in DIR, the Nickel language server completes params where a stack says `| (import "DIR/g8r.ncl").Stack`.
    With the JSON Schema in g8r.schema.json, a YAML stack that begins with `# yaml-language-server: $schema=g8r.schema.json` is
    completed and checked as it is typed.

    \b
    Examples:
      g8r schema --nickel contracts
      g8r schema --json-schema > g8r.schema.json
    """
    if (folder is None) != as_schema:
        raise reject("usage", "say which: --nickel DIR or --json-schema", "See `g8r schema --help`.")
    from g8r.compiler import contracts, json_schema  # noqa: PLC0415 imports what only this needs

    if folder is None:
        console.write_json(json_schema.of_stack())
        return 0
    from g8r.compiler.evaluate import contracts_folder  # noqa: PLC0415 as above

    written = contracts.generate()
    shipped = contracts_folder()
    if folder.resolve() != shipped.resolve():
        for path in sorted(shipped.rglob("*.ncl")):
            place = folder / path.relative_to(shipped)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    for name, text in written.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    console.write(f"Wrote the contracts of {len(written) - 1} kinds to {folder}.\n")
    return 0
