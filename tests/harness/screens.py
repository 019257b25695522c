"""Recorded runs that are drawn on terminals: where they stop, at which widths, and what was drawn before."""

from __future__ import annotations

import os
import re

from project import ROOT

EVENTS = ROOT / "tests/data/events"
GOLDEN = ROOT / "tests/cli/golden"
REPLAY = str(ROOT / "tests/harness/replay_screen.py")
STOPS: dict[str, list[str]] = {
    "first": ["10", "120", "300"], "change": ["60", "135"], "failure": ["60", "500"], "interrupt": ["40"], "noop": [],
}
WIDTHS = (40, 80, 120, 200, 400)
BAR = re.compile(r"^[━─#-]+ +\d+ %", re.MULTILINE)


def environment(**variables: str) -> dict[str, str]:
    """The variables of a person's shell."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "tests/harness"), "PYTHONUTF8": "1", **variables}
