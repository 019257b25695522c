"""Looks at something again and again until it is as wanted."""

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
    """Call `look` until it gives something.

    Args:
        control: ends the waiting when a stop is asked for.
        limit: seconds; `look` is called once more when they are over.
        pause: seconds to the next look, from the monotonic time at which the waiting began; asked after each look.
        after: seconds to the first look; None looks at once, although a stop was asked for.

    Returns:
        What `look` gave; None where it gave nothing within `limit`.

    Raises:
        StopRequested: a stop was asked for.
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
