"""Draws a recorded event file on the terminal that it runs on: `replay_screen.py FILE [SECONDS ...]`.

The clock is that of the events. At each of the given seconds after the first event it stops, says so in the title
of the terminal, and goes on at a key.
"""

from __future__ import annotations

import json
import os
import select
import sys
import termios
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from draftgenie_azure.cli.forecast import moment
from draftgenie_azure.cli.outputs import is_coloured
from draftgenie_azure.cli.terminal import Terminal


class Clock:
    """The time of what is replayed."""

    now = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


def replay(path: str, stops: list[float]) -> None:
    """Show the events, each at its time."""
    clock = Clock()
    view = Terminal(color=is_coloured(False, os.environ), clock=clock)
    events = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    began = moment(events[0])
    for event in events:
        while stops and moment(event) > began + stops[0]:
            clock.now = began + stops[0]
            _stop(view, stops.pop(0))
        clock.now = moment(event)
        view.show(event)


def _stop(view: Terminal, seconds: float) -> None:
    view.draw()
    _set_title(f"stopped at {seconds:g}")
    was_behind = False
    while not _is_key_pressed():
        if _is_in_front() and (_without_echo() or was_behind):  # a shell that had stopped us may have set its own modes
            _set_title(f"continued at {seconds:g}")
        was_behind = not _is_in_front()
    os.read(0, 1)
    view.draw()


def _is_in_front() -> bool:
    return os.tcgetpgrp(0) == os.getpgrp()


def _is_key_pressed() -> bool:
    """Look for a tenth of a second; what is typed while we are in the background is the shell's."""
    return bool(select.select([0], [], [], 0.1)[0]) and _is_in_front()


def _set_title(title: str) -> None:
    sys.stderr.write(f"\x1b]2;{title}\x07")
    sys.stderr.flush()


def _without_echo() -> bool:
    """Have a key that is pressed not move the cursor; tell whether it would have."""
    modes = termios.tcgetattr(0)
    before, modes[3] = modes[3], modes[3] & ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(0, termios.TCSANOW, modes)
    return bool(before != modes[3])


if __name__ == "__main__":
    before = termios.tcgetattr(0)
    _without_echo()
    try:
        replay(sys.argv[1], [float(text) for text in sys.argv[2:]])
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)  # a shell would go on without echo
