"""Report the progress of steps: what they wait for, and how long they have been running."""

from __future__ import annotations

import time

from draftgenie_azure import run
from draftgenie_azure.cli import views
from draftgenie_azure.cli.events import shortened
from draftgenie_azure.printable import duration
from draftgenie_azure.steps import STEP_NAMES, USUAL_CHANGE_SECONDS, USUAL_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.changes.decision import Decision
    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.state.store import StateStore

_OUR_OWN = 0.5  # seconds of a step without waiting for Azure
_UNFINISHED = ("never ran", "interrupted", "failed last time")  # prefixes of reasons
FEW_SECONDS = 10.0  # a step is not reported as still running before


class Progress:
    """The progress of one run's steps.

    Args:
        reporter: receives the events.
        state: the loaded state.
    """

    def __init__(self, reporter: Reporter, state: StateStore) -> None:
        self._reporter = reporter
        self._state = state
        self._began: dict[str, float] = {}

    def expected(
        self, decisions: Mapping[str, Decision], past: Iterable[Mapping[str, Any]], *, width: int, scale: float
    ) -> None:
        """Report what will run, and its expected duration: by earlier runs of the same kind, else the usual one.

        Args:
            decisions: by step, in order.
            past: entries of the history.
            width: how many steps run at once.
            scale: factor of Azure's durations; 1 except on the emulator.
        """
        seen = _seen(past)
        steps = {}
        for name, decision in decisions.items():
            kind = _kind(decision.reasons)
            usual = (USUAL_SECONDS if kind == "create" else USUAL_CHANGE_SECONDS)[name] * scale + _OUR_OWN
            spread = run.estimate.spread_of(seen.get((name, kind), ()), usual)
            seconds = {"low": spread.low, "usual": spread.usual, "high": spread.high}
            verdict = decision.verdict.replace(" ", "_")
            steps[name] = {"verdict": verdict, **{key: round(value, 1) for key, value in seconds.items()}}
        self._reporter.expected(steps, width)

    def begin(self, name: str, decision: Decision) -> None:
        """Report the start of a step."""
        self._began[name] = time.monotonic()
        facts = {"reasons": decision.reasons, "changes": decision.changes}
        self._reporter.step(name, "run", shortened(decision.reasons), **facts)

    @property
    def begun(self) -> frozenset[str]:
        """Return the steps that began."""
        return frozenset(self._began)

    def seconds(self, name: str) -> float:
        """Return the seconds since a step began."""
        return round(time.monotonic() - self._began[name], 1)

    def done(self, name: str, seconds: float, *, written: list[str]) -> None:
        """Report a completed step; `written` names the resources it wrote."""
        words = f"{duration(seconds)}: {shortened(written)}" if written else duration(seconds)
        self._reporter.step(name, "done", words, seconds=seconds, written=written)

    def waits(self, text: str) -> None:
        """Report what the current thread's step waits for."""
        self._reporter.step(run.schedule.name_of_thread(), "waits", text)

    def still_running(self, name: str) -> None:
        """Report how long a step has been running, its operations in Azure, and its usual duration."""
        seconds = time.monotonic() - self._began.get(name, time.monotonic())
        if seconds < FEW_SECONDS:
            return
        names = views.under_way(self._state.state, name)
        text = views.still_running(seconds, self.durations().get(name), names)
        self._reporter.step(name, "waits", text, seconds=round(seconds, 1), operations=names)

    def durations(self) -> dict[str, float]:
        """Return the seconds that each step took last time, or usually takes."""
        recorded = {name: (self._state.last_success(name) or {}).get("duration_seconds") for name in STEP_NAMES}
        return {name: seconds or USUAL_SECONDS[name] for name, seconds in recorded.items()}


def _kind(reasons: Sequence[str]) -> str:
    """Return the kind of a step's work: creating takes longer than changing."""
    made = any(reason.startswith(_UNFINISHED) or reason.endswith(" is gone") for reason in reasons)
    return "create" if made else "change"


def _seen(past: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """Return the durations of steps in earlier runs by name and kind, oldest first."""
    seen: dict[tuple[str, str], list[float]] = {}
    for entry in past:
        steps = entry.get("steps")
        for name, step in steps.items() if isinstance(steps, dict) else ():
            if isinstance(step, dict) and isinstance(step.get("seconds"), int | float):
                seen.setdefault((name, _kind(step.get("reasons") or ())), []).append(float(step["seconds"]))
    return seen
