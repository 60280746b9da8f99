"""`python -m g8r`."""

from __future__ import annotations

from g8r.cli.main import run

if __name__ == "__main__":
    run()
