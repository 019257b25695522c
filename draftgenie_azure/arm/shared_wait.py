"""Let threads that wait for resources of one type share requests."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOMENT = 0.5  # seconds that a waiting thread allows those still writing
_FEW = 2  # up to this number, each polls itself: a listing is longer than two replies


class SharedWait:
    """Resources that are ensured concurrently: some are being written, some waited for.

    Attributes:
        expected: number of resources that will wait at once, if known.
    """

    def __init__(self) -> None:
        self.expected = 0
        self._changed = Condition()
        self._writing = 0
        self._waiting = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Context for reading and writing a resource."""
        with self._changed:
            self._writing += 1
        try:
            yield
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify_all()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Context for waiting for a resource; entered when no thread is writing, or after a moment."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._writing, timeout=_MOMENT)
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1

    @property
    def is_small(self) -> bool:
        """Return whether so few wait that each should poll itself."""
        return max(self._waiting, self.expected) <= _FEW
