"""Says whether a run was asked to stop and whether it still holds its lock; `arm` asks before each write."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from draftgenie_azure.errors import StateError, StopRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class RunControl:
    """Stop and lock of one run.

    A signal handler calls `request_stop()`. Where the main thread is busy with anything but a save, the handler's
    exception ends it at once; inside `uninterrupted()` it waits for the end of the block.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._shields = 0
        self.lock_held: Callable[[], bool] = lambda: True

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Ask for a stop; called from a signal handler.

        Raises:
            StopRequested: unless the run is inside `uninterrupted()`.
        """
        self._stop.set()
        if not self._shields:
            raise StopRequested

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """A block that a first signal does not cut in two, such as saving the state."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1

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

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up at once when a stop is asked for.

        Raises:
            StopRequested: a stop was asked for.
        """
        self._stop.wait(max(0.0, seconds))
        self.check()
