"""Draws a recorded event file on the terminal that it runs on: `replay_screen.py FILE [SECONDS ...]`.

The clock is that of the events. At each of the given seconds after the first event it stops, says so in the title
of the terminal, and goes on at a key.
"""

from __future__ import annotations

import json
import os
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
    sys.stderr.write(f"\x1b]2;stopped at {seconds:g}\x07")
    sys.stderr.flush()
    os.read(0, 1)
    view.draw()


def _without_echo() -> None:
    """Have a key that is pressed not move the cursor."""
    modes = termios.tcgetattr(0)
    modes[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(0, termios.TCSANOW, modes)


if __name__ == "__main__":
    _without_echo()
    replay(sys.argv[1], [float(text) for text in sys.argv[2:]])
