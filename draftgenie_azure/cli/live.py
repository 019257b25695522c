"""The live lines at the bottom of a terminal during a run: running steps, times, waits, and the time left."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from draftgenie_azure import printable
from draftgenie_azure.cli import columns
from draftgenie_azure.cli.forecast import Forecast
from draftgenie_azure.cli.views import print_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from draftgenie_azure.cli.events import Event

    Part = tuple[str, str]  # a text and its style
    Row = tuple[str, float | None]  # a line as it is written, and since when the clock in it runs

PAUSE = 1.0  # seconds after which the clocks are drawn again; an event is shown at once
QUIET = 30.0  # seconds without an event after which the clocks are drawn half as often
OLD = 5.0  # seconds after which all but the clocks is made again, if nothing happens
FREQUENT = 0.1  # minimum seconds between drawings
_NARROW = 72  # columns below which step numbers and waits are omitted in favour of names
_CLOCK = "\0"  # its place in a line
_STYLES = {"bold": "1", "dim": "2", "green": "32", "yellow": "33", "cyan": "36"}
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
        self._color = color
        self._is_ascii = not _can_show("━•–…", stream.encoding or "utf-8")
        self._lock = threading.RLock()
        self._wake: SimpleQueue[None] = SimpleQueue()  # a signal handler may put into it at any time
        self._is_over = self._is_foreign = False
        self._last = time.monotonic()  # when there was an event
        self._drawn = ""
        self._widths: list[int] = []  # of the lines that are drawn
        self._rows: list[Row] = []
        self._made = (0.0, (0, 0))  # when the rows were made, and for which size
        self._handlers = self._take_over_log()
        self._is_stopped = self._was_behind = False
        self._before = self._take_over_signals()
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
            self._last = time.monotonic()
            self._forecast.take(event)
            self._made = (0.0, (0, 0))
        self._wake.put(None)

    def tick(self) -> None:
        """Draw what has changed since the last drawing."""
        with self._lock:
            if not self._is_over:
                self._draw()

    def refresh(self) -> None:
        """Recompute the estimate and draw at once."""
        with self._lock:
            self._made = (0.0, (0, 0))
            self._erase()
            self._draw()

    def stop(self) -> None:
        """Remove the lines permanently."""
        with self._lock:
            self._is_over = True
            self._erase()
            for handler, stream in self._handlers:
                handler.setStream(stream)
        if threading.current_thread() is threading.main_thread():
            for number, action in self._before.items():
                signal.signal(number, action or signal.SIG_DFL)
        self._wake.put(None)

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

    def _take_over_signals(self) -> dict[int, Any]:
        """Handle Ctrl-Z, `fg` and resizes, in the main thread on POSIX; return the previous handlers."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGTSTP"):
            return {}
        handlers = {signal.SIGTSTP: self._pause, signal.SIGCONT: self._go_on, signal.SIGWINCH: self._resize}
        ours = {number: handler for number, handler in handlers.items() if signal.getsignal(number) != signal.SIG_IGN}
        return {number: signal.signal(number, handler) for number, handler in ours.items()}

    def _pause(self, number: int, frame: object) -> None:
        """Stop on Ctrl-Z. Nothing is drawn until `fg`; after that, the lines on the screen are the shell's.

        No lock is taken: a signal handler may interrupt its holder.
        """
        self._is_stopped = True
        os.kill(os.getpid(), signal.SIGSTOP)
        self._is_foreign, self._is_stopped = True, False

    def _go_on(self, number: int, frame: object) -> None:
        """Note that the process was stopped, possibly by another one; coming to the foreground alone does not count."""
        self._is_foreign |= not self._was_behind

    def _resize(self, number: int, frame: object) -> None:
        """Redraw after a resize."""
        self._wake.put(None)

    def _redraw_until_over(self) -> None:
        while not self._is_over:
            self._wait()
            self.tick()

    def _wait(self) -> None:
        """Wait for an event, a resize, or the next time to draw the clocks."""
        is_quiet = time.monotonic() - self._last > QUIET
        with suppress(Empty):
            self._wake.get(timeout=2 * PAUSE if is_quiet else PAUSE)
            time.sleep(FREQUENT)  # there may be more to come
            while True:
                self._wake.get_nowait()

    def _erase(self) -> None:
        if self._widths and not self._is_foreign:
            self._write(self._erasing())
        self._drawn, self._widths, self._is_foreign = "", [], False

    def _erasing(self) -> str:
        """Return the sequence that moves to the first of the lines and clears the screen from there.

        A terminal that became narrower has wrapped longer lines.
        """
        width = self._size()[0]
        rows = sum(max(1, -(-drawn // width)) for drawn in self._widths)
        return f"\r\x1b[{rows}A\x1b[J"

    def _draw(self) -> None:
        if self._is_stopped:
            return
        if not self._is_in_front():
            self._is_foreign = self._was_behind = True  # in the background, the screen is the shell's
            return
        now, size = self._clock(), self._size()
        if self._made[1] != size or not 0 <= now - self._made[0] < OLD:
            self._rows, self._made = [self._row(*line) for line in self._lines(now, *size)], (now, size)
        drawn = "".join(_at(now, *row) for row in self._rows)
        if drawn == self._drawn and not self._is_foreign:
            return
        before = self._erasing() if self._widths and not self._is_foreign else ""
        self._is_foreign = False
        self._drawn, self._widths = drawn, [columns.width_of(line) for line in drawn.splitlines()]
        self._write(before + drawn)

    def _row(self, line: list[Part], began: float | None = None) -> Row:
        """Return a line as written except for its clock: the rest is valid for seconds and costs more to make."""
        if self._is_ascii:
            line = [(text.translate(_IN_ASCII), style) for text, style in line]
        return f"{self._painted(line)}\n", began

    def _write(self, text: str) -> None:
        """Write text unchanged; ignore a closed terminal."""
        print_text(self._stream, text, end="")

    def _is_in_front(self) -> bool:
        """Return whether the command is in the foreground of the terminal; after Ctrl-Z and `bg` it is not."""
        try:
            return os.name != "posix" or os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except OSError:  # not a controlling terminal
            return True

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 80, 24
        return max(size.columns or 80, 20), max(size.lines or 24, 4)  # a terminal may report 0

    def _painted(self, line: list[Part]) -> str:
        if not self._color:
            return "".join(text for text, _ in line)
        return "".join(f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style else text for text, style in line)

    # --- content of the lines ---

    def _lines(self, now: float, width: int, height: int) -> Iterator[tuple[list[Part], float | None]]:
        """Yield the lines, each shorter than the screen width, with the start of the clock in it."""
        width -= 1  # a full last column makes some terminals wrap
        forecast = self._forecast
        if self.folded:
            yield [(self.folded, "dim")], None
        running = sorted(forecast.running, key=lambda name: forecast.running[name].began)  # longest running first
        most = max(1, height - bool(self.folded) - 3)
        longest = max(map(len, running), default=0)
        for name in running[:most]:
            yield self._step(name, longest, now, width), forecast.running[name].began
        if len(running) > most:
            yield [(f"and {len(running) - most} more steps", "dim")], None
        if running:
            yield self._bar(now, width), None

    def _step(self, name: str, longest: int, now: float, width: int) -> list[Part]:
        step = self._forecast.running[name]
        if width < _NARROW:
            return [(f"{name:{longest}}", "bold"), (f" {_CLOCK}", "cyan")]
        late = self._forecast.is_late(name, now)
        head = f"{step.number:2}/{self._forecast.of} "
        usual = self._forecast.usual(name)
        text = f"longer than usual ({usual})" if late else f"usually {usual}"
        waits = printable.escaped(self._forecast.waits_for(name))
        text += f": {waits}" if waits else ""
        left = width - len(head) - longest - 9
        parts = [(head, "dim"), (f"{name:{longest}}", "bold"), (f" {_CLOCK}  ", "cyan")]
        return [*parts, (columns.fitted(text, left), "yellow" if late else "")]

    def _bar(self, now: float, width: int) -> list[Part]:
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


def _at(now: float, row: str, began: float | None) -> str:
    """Return a line with its clock."""
    return row if began is None else row.replace(_CLOCK, clock(now - began).rjust(6))


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
