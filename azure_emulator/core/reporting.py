"""Reports of the emulator's own faults to standard error, which is emulator.log."""

from __future__ import annotations

import sys
from contextlib import suppress


def report(text: str) -> None:
    """Write a report. Where it cannot be written, as on a full disk, requests are answered all the same."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
