"""Poll until a condition is met."""

from __future__ import annotations

import time

from draftgenie_azure.run.control import pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from draftgenie_azure.run.control import RunControl

    T = TypeVar("T")


def poll(
    look: Callable[[], T | None],
    *,
    control: RunControl,
    limit: float,
    pause: Callable[[float], float] = pace,
    after: float | None = None,
) -> T | None:
    """Call `look` until it returns a result.

    Args:
        control: ends the waiting when a stop is requested.
        limit: seconds; `look` is called once more afterwards.
        pause: returns the seconds to the next call, given the monotonic start time; called after each `look`.
        after: seconds to the first call; None calls at once, even if a stop was requested.

    Returns:
        The result of `look`; None if there was none within `limit`.

    Raises:
        StopRequested: a stop was requested.
    """
    began = time.monotonic()
    if after is not None:
        control.wait(after)
    while (found := look()) is None:
        left = began + limit - time.monotonic()
        if left <= 0:
            return None
        control.wait(min(pause(began), left))
    return found
