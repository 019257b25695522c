"""Handle Ctrl-C, SIGTERM and SIGHUP: an orderly stop the first time, an immediate exit the second time.

Installed before anything else is imported, so this module imports almost nothing.
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

SAME_REQUEST = 0.5  # seconds; `timeout` signals the command and then its process group
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def end_at_once() -> None:
    """Make signals end the process at once while there is nothing to stop in order."""
    _take_over(lambda number, frame: os._exit(INTERRUPTED))


def _take_over(handler: Callable[[int, object], None]) -> None:
    """Handle the signals; a hang-up ignored by `nohup` stays ignored.

    Not so SIGINT: a shell without job control ignores it for its background processes.
    """
    for number in _SIGNALS:
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


class Interrupts:
    """Turns the first signal into an orderly stop; a later one ends the process at once.

    Attributes:
        control: control of the run to stop; without one, the first signal raises KeyboardInterrupt.
    """

    control: RunControl | None = None
    _code: int | None = None
    _first: float | None = None

    @classmethod
    def install(cls) -> None:
        """Install the handlers."""
        cls.control = cls._code = cls._first = None
        _take_over(cls._handle)

    @classmethod
    def decide(cls, code: int) -> None:
        """Note that nothing is left to stop: the first signal has no effect, a later one exits with `code`."""
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
