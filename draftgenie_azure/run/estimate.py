"""Estimate the remaining time of a run: steps by past durations, the whole by simulation."""

from __future__ import annotations

import heapq

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

LOW, USUAL, HIGH = 0.2, 0.5, 0.85  # quantiles
_SHORT, _LONG = 0.6, 1.6  # factors of the usual duration, if nothing else is known
_WIDER = (0.85, 1.25)  # a few samples underestimate the variation
_FEW = 3
_RECENT = 10  # older runs are not representative
_BEYOND = 0.1  # remaining share of a step that exceeds all samples: a tenth of the time so far


class Spread:
    """A distribution of durations: seconds within which 10, 50 and 90 of 100 cases end."""

    __slots__ = ("_points", "high", "low", "usual")

    def __init__(self, low: float, usual: float, high: float) -> None:
        self.low, self.usual, self.high = low, max(low, usual), max(low, usual, high)
        self._points = (
            (0.0, self.low * 0.8), (0.1, self.low), (0.5, self.usual), (0.9, self.high), (1.0, self.high * 2),
        )  # fmt: skip

    def at(self, share: float) -> float:
        """Return the seconds within which this share of cases ends."""
        for (below, low), (above, high) in zip(self._points, self._points[1:], strict=False):
            if share <= above:
                return low + (high - low) * (share - below) / (above - below)
        return self._points[-1][1]

    def share(self, seconds: float) -> float:
        """Return the share of cases that end within these seconds."""
        for (below, low), (above, high) in zip(self._points, self._points[1:], strict=False):
            if seconds < high:
                return below + (above - below) * max(0.0, seconds - low) / (high - low)
        return 1.0

    def left(self, elapsed: float, share: float) -> float:
        """Return the seconds left after `elapsed`, for this share of the cases still running then; always positive."""
        ended = self.share(elapsed)
        rest = self.at(ended + (1 - ended) * share) - elapsed if ended < 1 else 0.0
        return max(rest, elapsed * _BEYOND * share * 2, 0.05)


def spread_of(seconds: Sequence[float], usual: float) -> Spread:
    """Return the distribution of a step's duration, from earlier durations (latest last) and the usual one.

    With only one or two earlier durations, the usual one counts as another: otherwise a run with almost nothing to do
    would determine the estimate for one that changes a server.
    """
    seen = sorted([*seconds[-_RECENT:], *([usual] if len(seconds) < _FEW else [])])
    if len(seen) == 1:
        return Spread(usual * _SHORT, usual, usual * _LONG)
    middle = (seen[(len(seen) - 1) // 2] + seen[len(seen) // 2]) / 2
    return Spread(seen[0] * _WIDER[0], middle, seen[-1] * _WIDER[1])


def simulate(
    needs: Mapping[str, Collection[str]], seconds: Mapping[str, float], running: Collection[str], width: int
) -> tuple[float, str | None]:
    """Simulate the remaining run: each step starts once its needs are done and a slot is free, critical path first.

    Args:
        needs: name -> names that must be done first; names missing from `seconds` are done.
        seconds: name -> remaining seconds.
        running: names that have started.
        width: maximum number of concurrent names.

    Returns:
        Seconds until the last one ends, and the running name that is on the critical path.
    """
    waiting = {name: {need for need in needs.get(name, ()) if need in seconds} for name in seconds}
    ways = _ways(waiting, seconds)
    ends: list[tuple[float, str]] = []
    cause: dict[str, str | None] = {}
    now, last = 0.0, None

    def begin(cause_of_it: str | None) -> None:
        ready = sorted((name for name in waiting if not waiting[name]), key=lambda name: -ways[name])
        for name in ready[: max(0, width - len(ends))]:
            del waiting[name]
            cause[name] = cause_of_it
            heapq.heappush(ends, (now + seconds[name], name))

    for name in [name for name in waiting if name in running]:
        del waiting[name]
        cause[name] = None
        heapq.heappush(ends, (seconds[name], name))
    begin(None)
    while ends:
        now, last = heapq.heappop(ends)
        for missing in waiting.values():
            missing.discard(last)
        begin(last)
    while last is not None and cause[last] is not None:
        last = cause[last]
    return now, last if last in running else None


def _ways(needs: Mapping[str, Collection[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the longest path from the start of each name to the end of the run."""
    after: dict[str, list[str]] = {name: [] for name in needs}
    for name, before in needs.items():
        for need in before:
            after[need].append(name)
    ways: dict[str, float] = {}

    def way(name: str) -> float:
        if name not in ways:
            ways[name] = seconds[name] + max(map(way, after[name]), default=0.0)
        return ways[name]

    for name in needs:
        way(name)
    return ways


def in_words(low: float, high: float) -> str:
    """Format a range of seconds for display: `6–11 min`, `about 40 s`, `less than 10 s`."""
    if high < 10:
        return "less than 10 s"
    if high < 90:
        return f"about {_rounded(max(low, 1) / 2 + high / 2, 10)} s"
    first, last = int(low // 60), max(1, round(high / 60))
    if last >= 120:
        hours = (max(1, first // 60), -(-last // 60))
        return f"{hours[0]}–{hours[1]} h" if hours[0] < hours[1] else f"about {hours[1]} h"
    if first < 1:
        return f"up to {last} min"
    return f"{first}–{last} min" if first < last else f"about {last} min"


def _rounded(seconds: float, step: int) -> int:
    return max(step, round(seconds / step) * step)
