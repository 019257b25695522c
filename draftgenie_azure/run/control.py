"""Says whether a run was asked to stop and whether it still holds its lock; `arm` asks before each write."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

from draftgenie_azure.errors import StateError, StopRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARALLELISM = 10
_LOOK_UP = 0.5  # seconds after which whoever waits for a place looks whether the run is to stop


def pace(began: float) -> float:
    """Seconds to the next poll of something that began at this monotonic time: quick first, then slower and slower.

    A twentieth of the wait so far keeps what is lost at the end of it small, and the number of polls as well.
    """
    return min(15.0, max(0.1, (time.monotonic() - began) / 20))


class RunControl:
    """Stop, lock and width of one run; shared by its threads.

    Args:
        parallelism: steps, and resources, in flight at once.

    Attributes:
        lock_held: asked before each write; replaced by whoever holds the lock.
        on_stop: called once when a stop is asked for, from a signal handler: it may only wake somebody up.
        on_wait: called with what is waited for besides our own operations, in the thread that waits.
    """

    def __init__(self, parallelism: int = PARALLELISM) -> None:
        self.parallelism = parallelism
        self.lock_held: Callable[[], bool] = lambda: True
        self.on_stop: Callable[[], None] = lambda: None
        self.on_wait: Callable[[str], None] = lambda text: None
        self._slots = threading.BoundedSemaphore(parallelism)
        self._told: set[str] = set()
        self._to_end: list[None] = []  # one entry each; appending and popping need no lock
        self._stop = threading.Event()

    @property
    def stopping(self) -> bool:
        """Tell whether a stop was asked for."""
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Ask for a stop; may be called from a signal handler."""
        self._stop.set()
        self.on_stop()

    def check(self) -> None:
        """Raise what keeps the run from going on.

        Raises:
            StopRequested: a stop was asked for.
            StateError: the lock is lost, so somebody else may be writing.
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
        """Around something that a stop is to end, such as a build elsewhere: a stopping run waits longer for that."""
        self._to_end.append(None)
        try:
            yield
        finally:
            self._to_end.pop()

    @property
    def is_ending(self) -> bool:
        """Tell whether anything is left that a stop is to end."""
        return bool(self._to_end)

    def tell(self, text: str) -> None:
        """Tell what is waited for, the first time that it is said."""
        if text not in self._told:
            self._told.add(text)
            self.on_wait(text)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """One of the run's `parallelism` places for a resource in flight, whatever step it belongs to.

        Raises:
            StopRequested: a stop was asked for while all were taken.
        """
        while not self._slots.acquire(timeout=_LOOK_UP):
            self.check()
        try:
            yield
        finally:
            self._slots.release()

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up at once when a stop is asked for.

        Raises:
            StopRequested: a stop was asked for.
        """
        self._stop.wait(max(0.0, seconds))
        self.check()
