"""The emulator's clock: real time plus an offset that tests may set."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_FIRST, _LAST = 0.0, 221_845_392_000.0


class Clock:
    """Time as Azure sees it; `advance` lets tests skip waits, soft-delete periods and token lifetimes."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        self._move(self.offset + seconds)

    def set(self, moment: float) -> None:
        self._move(moment - time.time())

    def _move(self, offset: float) -> None:
        """Raises ValueError if the time would be one that cannot be shown."""
        moment = time.time() + offset
        if not _FIRST <= moment <= _LAST:
            raise ValueError(f"{moment} is no time from 1970 to 9000")
        self.offset = offset


def stamp(moment: float, *, digits: int = 7, zone: str = "Z") -> str:
    """Format a time as Azure does: seven decimals and Z, unless the service is known to differ."""
    when = datetime.fromtimestamp(moment, UTC)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    if digits:
        text += "." + f"{when.microsecond:06d}0"[:digits]
    return text + zone
