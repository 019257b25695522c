"""What Ctrl-C, SIGTERM and SIGHUP do: an orderly stop the first time, an immediate end the second time.

Taken over before anything else is imported, so this module imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import time

from draftgenie_azure.constants import INTERRUPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from draftgenie_azure.run.control import RunControl

SAME_REQUEST = 0.5  # seconds; `timeout` sends its signal to the command and then to the group that the command is in
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def end_at_once() -> None:
    """Have a signal end the process at once, for as long as there is nothing to stop in order."""
    _take_over(lambda number, frame: os._exit(INTERRUPTED))


def _take_over(handler: Callable[[int, object], None]) -> None:
    """Handle the signals; a hang-up that somebody (`nohup`) had ignored stays so.

    SIGINT is another matter: a shell without job control ignores it for whatever it starts in the background.
    """
    for number in _SIGNALS:
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


class Interrupts:
    """Turns the first signal into an orderly stop; one that comes later ends the process at once.

    Attributes:
        control: of the run that is to be stopped; without one, the first signal is a KeyboardInterrupt.
    """

    control: RunControl | None = None
    _code: int | None = None
    _first: float | None = None

    @classmethod
    def install(cls) -> None:
        """Take over the signals."""
        cls.control = cls._code = cls._first = None
        _take_over(cls._handle)

    @classmethod
    def decide(cls, code: int) -> None:
        """Nothing is left to be stopped: the first signal changes nothing any more, a later one ends with `code`."""
        cls._code = code

    @classmethod
    def _handle(cls, number: int, frame: object) -> None:
        now = time.monotonic()
        if cls._first is None:
            cls._first = now
            cls._stop()
        elif now - cls._first > SAME_REQUEST:
            os._exit(INTERRUPTED if cls._code is None else cls._code)

    @classmethod
    def _stop(cls) -> None:
        if cls._code is not None:
            return
        if cls.control is None:
            raise KeyboardInterrupt
        cls.control.request_stop()
