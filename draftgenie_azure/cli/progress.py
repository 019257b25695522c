"""Tells how the steps of a run go: what they wait for, and how long they have been running."""

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

_OUR_OWN = 0.5  # seconds that a step takes without waiting for Azure
_UNFINISHED = ("never ran", "interrupted", "failed last time")  # beginnings of reasons
FEW_SECONDS = 10.0  # nobody needs to be told that a step is still running before


class Progress:
    """The steps of one run.

    Args:
        reporter: told of what happens.
        state: the loaded state.
    """

    def __init__(self, reporter: Reporter, state: StateStore) -> None:
        self._reporter = reporter
        self._state = state
        self._began: dict[str, float] = {}

    def expected(
        self, decisions: Mapping[str, Decision], past: Iterable[Mapping[str, Any]], *, width: int, scale: float
    ) -> None:
        """Tell what will run, and how long each of it takes: by earlier runs of the same kind, else as a rule.

        Args:
            decisions: by step, in order.
            past: entries of the history.
            width: how many steps run at once.
            scale: of Azure's durations; 1 but on the emulator.
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
        """A step begins."""
        self._began[name] = time.monotonic()
        facts = {"reasons": decision.reasons, "changes": decision.changes}
        self._reporter.step(name, "run", shortened(decision.reasons), **facts)

    def seconds(self, name: str) -> float:
        """Seconds since a step began."""
        return round(time.monotonic() - self._began[name], 1)

    def done(self, name: str, seconds: float, *, written: list[str]) -> None:
        """A step completed; `written` names the resources that it wrote."""
        words = f"{duration(seconds)}: {shortened(written)}" if written else duration(seconds)
        self._reporter.step(name, "done", words, seconds=seconds, written=written)

    def waits(self, text: str) -> None:
        """Tell what the step waits for in whose thread this is called."""
        self._reporter.step(run.schedule.name_of_thread(), "waits", text)

    def still_running(self, name: str) -> None:
        """Tell how long a step has been running, what Azure is at work on, and how long it takes as a rule."""
        seconds = time.monotonic() - self._began.get(name, time.monotonic())
        if seconds < FEW_SECONDS:
            return
        names = views.under_way(self._state.state, name)
        text = views.still_running(seconds, self.durations().get(name), names)
        self._reporter.step(name, "waits", text, seconds=round(seconds, 1), operations=names)

    def durations(self) -> dict[str, float]:
        """Seconds that each step took last time, or usually takes."""
        recorded = {name: (self._state.last_success(name) or {}).get("duration_seconds") for name in STEP_NAMES}
        return {name: seconds or USUAL_SECONDS[name] for name, seconds in recorded.items()}


def _kind(reasons: Sequence[str]) -> str:
    """The kind of work of a step: to create what is not there takes longer than to change it."""
    made = any(reason.startswith(_UNFINISHED) or reason.endswith(" is gone") for reason in reasons)
    return "create" if made else "change"


def _seen(past: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """Seconds that the steps of earlier runs took, by name and kind, the last run last."""
    seen: dict[tuple[str, str], list[float]] = {}
    for entry in past:
        steps = entry.get("steps")
        for name, step in steps.items() if isinstance(steps, dict) else ():
            if isinstance(step, dict) and isinstance(step.get("seconds"), int | float):
                seen.setdefault((name, _kind(step.get("reasons") or ())), []).append(float(step["seconds"]))
    return seen
