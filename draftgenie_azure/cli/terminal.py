"""Output on a terminal: lines wrapped between words, and below them, during a run, a live display.

The display is imported when a run begins: a command without changes needs none.
"""

from __future__ import annotations

import os
import re
import sys
import time

from draftgenie_azure import cli
from draftgenie_azure.cli.views import Lines, behind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from draftgenie_azure.cli.events import Event
    from draftgenie_azure.cli.live import Live

_SHOWN_LIVE = ("step_run", "step_waits", "step_skip", "step_disabled")
_BARE = re.compile(r"  ran     \w+ \([^()]*\)")  # in the summary: says no more than the line of the step above
_ADDRESS = re.compile(r"https?://[^\s\x1b]+")
_FOLDED = ("step_skip", "step_disabled", "runs")  # counted at the end
_WORTH_SAYING = ("  pinned", "  left in Azure", "  warning", "  note")  # shown for a run without changes
_STYLES = {"done": "2", "failed": "1;31"}  # styles of whole lines


class Terminal(Lines):
    """The view for a terminal.

    Args:
        color: use colours.
        clock: seconds since the epoch.
    """

    def __init__(self, *, color: bool = False, clock: Callable[[], float] = time.time) -> None:
        super().__init__(color=color)
        self._clock = clock
        self._live: Live | None = None
        self._held: list[Event] = []  # the target and notes, shown as soon as there is anything else to say
        self._new: list[Event] = []  # planned steps that have not run before

    def show(self, event: Event) -> None:
        """Show one event."""
        kind = str(event["type"])
        if _is_first_time(event):
            self._new.append(event)
            return
        if self._new:
            self._show_new()
        if kind == "expected":
            self._live = cli.live.Live(event, sys.stderr, color=self._color, clock=self._clock)
        elif self._live is not None:
            self._show_live(self._live, event, kind)
        elif kind == "end" and _is_nothing(event):
            self._print(sys.stdout, _nothing(event))
        elif _may_wait(event):
            self._held.append(event)
        elif kind not in _FOLDED or _is_for_a_file(event):
            self._show_held()
            super().show(event)

    def _show_held(self) -> None:
        """Show the target, and below it what was said before it was known."""
        held, self._held = self._held, []
        for event in sorted(held, key=lambda event: event["type"] != "target"):
            super().show(event)

    def _show_new(self) -> None:
        """Show planned steps that never ran: of a first deployment they are one line."""
        self._show_held()
        new, self._new = self._new, []
        if len(new) == new[0]["of"]:
            names = ", ".join(event["step"] for event in new)
            self._print(sys.stdout, [f"All {len(new)} steps are to run, since none ever ran: {names}"])
        else:
            for event in new:
                super().show(event)

    def draw(self) -> None:
        """Draw the live display without waiting for the next event."""
        if self._live is not None:
            self._live.refresh()

    def tick(self) -> None:
        """Draw what has changed, once a second."""
        if self._live is not None:
            self._live.tick()

    def _show_live(self, live: Live, event: Event, kind: str) -> None:
        live.take(event)
        if kind == "end":
            live.stop()
            self._live = None
            if live.folded:
                self._print(sys.stderr, [self._in_style(live.folded, "2")])
        if kind == "end" and event.get("lines"):
            event = {**event, "lines": [line for line in event["lines"] if not _BARE.fullmatch(line)]}
        if kind == "target":
            self._held.append(event)
            self._show_held()
        elif kind not in _SHOWN_LIVE:
            self._show_held()
            super().show(event)

    def _step(self, event: Event, what: str) -> list[str]:
        if event.get("planned"):
            return super()._step(event, what)
        # The reason of a failure is shown in full at the end.
        # The same holds for what happens to a step that was stopped.
        message = "" if what in ("failed", "stopped") else event["message"]
        lines = behind(f"{event['number']:2}/{event['of']} {event['step']} {what} ", message)
        return [self._in_style(line.rstrip(), _STYLES.get(what, "")) for line in lines]

    def _in_style(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._color and style else text

    def _print(self, stream: Any, lines: Sequence[str]) -> None:
        if stream.isatty():
            width = _width_of(stream)
            lines = [shown for line in lines for shown in cli.columns.wrapped(line, width)]
        if self._color and stream.isatty():
            lines = [_ADDRESS.sub(lambda match: f"\x1b[1;36m{match[0]}\x1b[0m", line) for line in lines]
        if self._live is None:
            super()._print(stream, lines)
        else:
            with self._live.hidden():
                super()._print(stream, lines)


def _width_of(stream: Any) -> int:
    """Return the columns of a terminal; lines are not wrapped if unknown."""
    return os.get_terminal_size(stream.fileno()).columns or 10_000


def _may_wait(event: Event) -> bool:
    """Return whether an event is shown together with the next one, so that the target comes first."""
    return event["type"] == "target" or event.get("level") == "note"


def _is_first_time(event: Event) -> bool:
    """Return whether the only reason for a planned step is that it never ran."""
    is_planned = bool(event.get("planned")) and not _is_for_a_file(event)
    return is_planned and event["type"] == "step_run" and event["reasons"] == ["never ran"]


def _is_for_a_file(event: Event) -> bool:
    """Return whether an event is part of a result that is redirected, and so shown line by line."""
    return bool(event.get("planned")) and not sys.stdout.isatty()


def _is_nothing(event: Event) -> bool:
    """Return whether an event is the end of a command without anything to do."""
    return event.get("event") == "summary" and event["result"] == "succeeded" and not event.get("asked_azure", True)


def _nothing(event: Event) -> list[str]:
    """Return one line, and the notes that matter."""
    text = "Up to date according to the state; Azure was not queried (--refresh queries it)."
    return [text, *(line for line in event["lines"] if line.startswith(_WORTH_SAYING))]
