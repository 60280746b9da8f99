"""g8r init."""

from __future__ import annotations

from pathlib import Path

import click

from g8r.cli import console, starter
from g8r.diagnostics import reject

STACKS = tuple(f"{stem}{suffix}" for stem in ("main", "stack") for suffix in (".ncl", ".yaml", ".yml", ".json", ".toml"))


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--yaml", "as_yaml", is_flag=True, help="Write main.yaml instead of main.ncl.")
@click.option("--name", help="The stack's name; the folder's where it is left out.")
def command(*, folder: Path, as_yaml: bool, name: str | None) -> int:
    r"""Write a commented starter stack into DIR, which is made where it is missing. Nothing is overwritten.

    The stack plans cleanly for anybody: it manages a few files in DIR itself, and no root is needed.

    \b
    Examples:
      g8r init mysite
      g8r init mysite --yaml

    \b
    Exit codes: 0 written; 1 error, a folder that has a stack already too.
    """
    there = [stack for stack in STACKS if (folder / stack).exists()]
    if there:
        raise reject(
            "stack-exists", f"{folder / there[0]} is there already", "Nothing was written. Name another folder, or start from that stack."
        )
    written = _write(folder, starter.files(_name(name or folder.resolve().name), str(folder.resolve()), as_yaml=as_yaml))
    console.write("".join(f"Wrote {path}.\n" for path in written))
    cd = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    console.write(f"\nNext: {cd}g8r plan\n")
    return 0


def _name(text: str) -> str:
    """A stack's name out of any text."""
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower())
    return "-".join(filter(None, kept.split("-"))) or "stack"


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    """The files that were not there yet."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            if path.exists():
                continue
            with path.open("x", encoding="utf-8") as opened:
                opened.write(text)
            written.append(path)
    except OSError as problem:
        raise reject("not-written", f"cannot write to {folder}", f"{problem.strerror}. Name another folder.") from problem
    return written
