"""The live lines at the bottom of a terminal during a run: running steps, times, waits, and the time left."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from draftgenie_azure import printable
from draftgenie_azure.cli import columns
from draftgenie_azure.cli.forecast import Forecast
from draftgenie_azure.cli.views import print_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from draftgenie_azure.cli.events import Event

    Part = tuple[str, str]  # a text and its style

PAUSE = 1.0  # seconds after which the clocks are looked at again; an event is shown at once
OLD = 5.0  # seconds after which the estimate is made again, if nothing happens
FREQUENT = 0.1  # seconds in which the screen is drawn at most once
_NARROW = 72  # columns below which numbers of steps and what they wait for give way to their names
_NAME = 31  # columns of the longest name
_IN_ASCII = str.maketrans({"–": "-", "…": "~", "•": "*", "━": "#", "─": "-"})


class Live:
    """Draws a few lines at the bottom, and redraws them when they change.

    One lock guards all output meanwhile: the live lines are erased while lines above are printed.

    Args:
        event: of the type `expected`.
        stream: stream of the terminal.
        color: use colours.
        clock: seconds since the epoch.
    """

    def __init__(self, event: Event, stream: Any, *, color: bool, clock: Callable[[], float] = time.time) -> None:
        self._forecast = Forecast(event)
        self._stream = stream
        self._clock = clock
        self._console = Console(
            file=stream, force_terminal=True, color_system="standard" if color else None, no_color=not color,
            markup=False, emoji=False, highlight=False, legacy_windows=False,
        )  # fmt: skip
        self._is_ascii = not _can_show("━•–…", stream.encoding or "utf-8")
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._is_over = self._is_foreign = False
        self._drawn: list[list[Part]] = []
        self._estimate: tuple[float, int, list[Part]] = (0.0, 0, [])  # time, columns and parts of the last estimate
        self._widths: list[int] = []
        self._handlers = self._take_over_log()
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCONT"):
            signal.signal(signal.SIGCONT, self._go_on)
        self._thread = threading.Thread(target=self._redraw_until_over, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no further thread is allowed: drawn only at events
            self._is_over = True

    @property
    def folded(self) -> str:
        """Return how many steps were up to date; empty if none."""
        skipped = self._forecast.skipped
        return f"{skipped} of {self._forecast.of} up to date" if skipped else ""

    def take(self, event: Event) -> None:
        """Process an event, and show its effect."""
        with self._lock:
            self._forecast.take(event)
            self._estimate = (0.0, 0, [])
        self._wake.set()

    def refresh(self) -> None:
        """Recompute the estimate and draw at once."""
        with self._lock:
            self._estimate = (0.0, 0, [])
            self._erase()
            self._draw()

    def stop(self) -> None:
        """Remove the lines permanently."""
        with self._lock:
            self._is_over = True
            self._erase()
            for handler, stream in self._handlers:
                handler.setStream(stream)
        self._wake.set()

    def _take_over_log(self) -> list[tuple[logging.StreamHandler[Any], Any]]:
        """Redirect terminal log handlers above the lines; return them with their previous streams."""
        found = []
        for handler in (*logging.getLogger("draftgenie").handlers, *logging.getLogger().handlers):
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                handler.setStream(_Above(self, self._stream))
                found.append((handler, self._stream))
        return found

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the lines while something is printed above them."""
        with self._lock:
            self._erase()
            yield
            if not self._is_over:
                self._draw()

    def _go_on(self, number: int, frame: object) -> None:
        """After Ctrl-Z and `fg` the lines above are the shell's: what was drawn before stays where it is."""
        self._is_foreign = True  # and nothing else: a signal handler may interrupt whoever holds the lock

    def _redraw_until_over(self) -> None:
        while not self._is_over:
            self._wake.wait(PAUSE)
            self._wake.clear()
            with self._lock:
                if not self._is_over:
                    self._draw()
            time.sleep(FREQUENT)

    def _erase(self) -> None:
        if self._widths and not self._is_foreign:
            self._write(self._erasing())
        self._drawn, self._widths, self._is_foreign = [], [], False

    def _erasing(self) -> str:
        """Return the sequence that moves to the first of the lines and clears the screen from there.

        A terminal that became narrower has wrapped longer lines.
        """
        width = self._size()[0]
        rows = sum(max(1, -(-drawn // width)) for drawn in self._widths)
        return f"\r\x1b[{rows}A\x1b[J"

    def _draw(self) -> None:
        width, height = self._size()
        lines = self._lines(self._clock(), width, height)
        if lines == self._drawn and not self._is_foreign:
            return
        before = self._erasing() if self._widths and not self._is_foreign else ""
        self._is_foreign = False
        self._drawn, self._widths = lines, [columns.width_of("".join(text for text, _ in line)) for line in lines]
        self._write(before + "".join(f"{self._painted(line)}\n" for line in lines))

    def _write(self, text: str) -> None:
        """Write text unchanged; ignore a closed terminal."""
        print_text(self._stream, text, end="")

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 80, 24
        return max(size.columns or 80, 20), max(size.lines or 24, 4)  # a terminal may report 0

    def _painted(self, line: list[Part]) -> str:
        with self._console.capture() as captured:
            self._console.print(Text.assemble(*line), end="", no_wrap=True, overflow="ignore", crop=False)
        return captured.get()

    # --- what stands there ---

    def _lines(self, now: float, width: int, height: int) -> list[list[Part]]:
        """Return the lines, each shorter than the screen width."""
        width -= 1  # a full last column makes some terminals wrap
        forecast = self._forecast
        lines: list[list[Part]] = [[(self.folded, "dim")]] if self.folded else []
        running = sorted(forecast.running, key=lambda name: forecast.running[name].began)  # the longest first
        most = max(1, height - len(lines) - 3)
        lines += [self._step(name, now, width) for name in running[:most]]
        if len(running) > most:
            lines.append([(f"and {len(running) - most} more steps", "dim")])
        if running:
            lines.append(self._bar(now, width))
        if self._is_ascii:
            return [[(text.translate(_IN_ASCII), style) for text, style in line] for line in lines]
        return lines

    def _step(self, name: str, now: float, width: int) -> list[Part]:
        step = self._forecast.running[name]
        passed = clock(now - step.began)
        if width < _NARROW:
            return [(name, "bold"), (f" {passed}", "cyan")]
        late = self._forecast.is_late(name, now)
        head = f"{step.number:2}/{self._forecast.of} "
        usual = self._forecast.usual(name)
        text = f"longer than usual ({usual})" if late else f"usually {usual}"
        waits = printable.escaped(self._forecast.waits_for(name))
        text += f": {waits}" if waits else ""
        left = width - len(head) - _NAME - 9
        parts = [(head, "dim"), (f"{name:{_NAME}}", "bold"), (f" {passed:>6}  ", "cyan")]
        return [*parts, (columns.fitted(text, left), "yellow" if late else "")]

    def _bar(self, now: float, width: int) -> list[Part]:
        """Return the overall estimate, cached because a simulation costs more than drawing."""
        made, of, bar = self._estimate
        if of != width or not 0 <= now - made < OLD:
            bar = self._new_bar(now, width)
            self._estimate = (now, width, bar)
        return bar

    def _new_bar(self, now: float, width: int) -> list[Part]:
        fraction = self._forecast.fraction(now)
        size = max(6, min(40, width // 5))
        done = int(size * fraction)
        percent = f" {int(fraction * 100):3} %  "
        text = ""
        for part in self._forecast.in_words(now).split(", "):
            longer = f"{text}, {part}" if text else part
            if columns.width_of(longer) > width - size - len(percent):
                break
            text = longer
        return [("━" * done, "green"), ("─" * (size - done), "dim"), (percent, ""), (text, "")]


class _Above:
    """A stream that prints above the lines."""

    def __init__(self, live: Live, stream: Any) -> None:
        self._live = live
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text."""
        with self._live.hidden():
            self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def clock(seconds: float) -> str:
    """Format seconds as a clock: `0:05`, `12:34`, `1:02:03`."""
    whole = max(0, int(seconds))
    minutes = f"{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}"
    return (f"{whole // 3600}:" if whole >= 3600 else "") + f"{minutes}:{whole % 60:02}"


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
