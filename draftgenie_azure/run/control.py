"""The stop request and the lock of a run; `arm` checks both before each write."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

from draftgenie_azure.errors import StateError, StopRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARALLELISM = 10
_LOOK_UP = 0.5  # seconds between checks for a stop while waiting for a slot


def pace(began: float) -> float:
    """Return the seconds to the next poll of something started at a monotonic time: quick first, then increasing.

    A twentieth of the time waited so far keeps both the final delay and the number of polls small.
    """
    return min(15.0, max(0.1, (time.monotonic() - began) / 20))


class RunControl:
    """Stop request, lock and parallelism of one run; shared by its threads.

    Args:
        parallelism: steps, and resources, in flight at once.

    Attributes:
        lock_held: called before each write; replaced by the lock's holder.
        on_stop: called once when a stop is asked for, from a signal handler: it may only wake up a waiter.
        on_wait: called in the waiting thread with a description of what it waits for, other than its own operations.
    """

    def __init__(self, parallelism: int = PARALLELISM) -> None:
        self.parallelism = parallelism
        self.lock_held: Callable[[], bool] = lambda: True
        self.on_stop: Callable[[], None] = lambda: None
        self.on_wait: Callable[[str], None] = lambda text: None
        self._slots = threading.BoundedSemaphore(parallelism)
        self._reported: set[str] = set()
        self._to_end: list[None] = []  # one entry each; appending and popping need no lock
        self._stop = threading.Event()

    @property
    def stopping(self) -> bool:
        """True if a stop was requested."""
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Request a stop; may be called from a signal handler."""
        self._stop.set()
        self.on_stop()

    def check(self) -> None:
        """Raise an error if the run must not continue.

        Raises:
            StopRequested: a stop was requested.
            StateError: the lock is lost, so another run may be writing.
        """
        if self._stop.is_set():
            raise StopRequested
        if not self.lock_held():
            raise StateError(
                "the lock on the state is lost; another run may have taken it",
                hint="Run again when the other run is over; what was done is recorded.",
            )

    @contextmanager
    def ends_with_the_run(self) -> Iterator[None]:
        """Context for work that a stop must cancel, such as a remote build: a stopping run waits longer for it."""
        self._to_end.append(None)
        try:
            yield
        finally:
            self._to_end.pop()

    @property
    def is_ending(self) -> bool:
        """True while a stop still has work to cancel."""
        return bool(self._to_end)

    def report(self, text: str) -> None:
        """Report what is waited for, once per text."""
        if text not in self._reported:
            self._reported.add(text)
            self.on_wait(text)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the run's `parallelism` slots for a resource in flight, of any step.

        Raises:
            StopRequested: a stop was requested while all were taken.
        """
        while not self._slots.acquire(timeout=_LOOK_UP):
            self.check()
        try:
            yield
        finally:
            self._slots.release()

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up at once when a stop is requested.

        Raises:
            StopRequested: a stop was requested.
        """
        self._stop.wait(max(0.0, seconds))
        self.check()
