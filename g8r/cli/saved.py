"""Saved plans: telling them from stacks, and finding the state that they belong to."""

from __future__ import annotations

from pathlib import Path

import msgspec

from g8r.cli.session import STATE_FOLDER, Session
from g8r.diagnostics import RejectedError
from g8r.plan import Plan


def is_plan(file: Path) -> bool:
    """A zip, or named as one of ours: a damaged plan file must not be taken for a stack."""
    if not file.is_file():
        return False
    if file.suffix == ".g8r":
        return True
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"


def opened(session: Session, file: Path) -> Plan:
    """The plan; the session is in its workspace from here on, has its blobs, and uses the state it was made with.

    That is the chosen one; without a choice the one here, or the one beside the file, whichever has the plan's key.
    """
    from g8r.executor import plan_file, sealing  # noqa: PLC0415 imports what only this needs

    here, beside = Path(STATE_FOLDER).absolute(), file.absolute().parent / STATE_FOLDER
    places = [session.choice.state] if session.choice.state else [beside, here]
    foreign: RejectedError | None = None
    for place in dict.fromkeys(places):
        try:
            plan, blobs = plan_file.read(file, sealing.load_key(place / "key"))
        except RejectedError as refused:
            if refused.diagnostics[0].code != "plan-foreign":
                raise
            foreign = foreign or refused
            continue
        session.choice = msgspec.structs.replace(session.choice, workspace=plan.workspace, state=place)
        session.adopt_blobs(blobs)
        return plan
    assert foreign is not None  # noqa: S101 there is at least one place
    raise foreign
