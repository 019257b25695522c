"""Has many who wait for resources of one type ask once for all."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOMENT = 0.5  # seconds that somebody who waits gives those who are still writing
_FEW = 2  # of so many, each asks for itself: a listing is longer than two answers


class SharedWait:
    """Resources that are brought side by side to what is wanted: some are being written, some waited for.

    Attributes:
        expected: how many are going to wait at once, where that is known.
    """

    def __init__(self) -> None:
        self.expected = 0
        self._changed = Condition()
        self._writing = 0
        self._waiting = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around looking at a resource and writing it."""
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
        """Around waiting for a resource; begins when nobody writes any longer, or after a moment."""
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
        """Whether so few wait that each had better ask for itself."""
        return max(self._waiting, self.expected) <= _FEW
