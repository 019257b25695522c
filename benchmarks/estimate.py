"""Measure the estimate of a run's end: its mean error at 25, 50 and 75 % of recorded and of simulated runs.

    python benchmarks/estimate.py

The simulated runs draw the duration of each step from the spreads that the estimate itself assumes, so their error is
what remains where these spreads are right; recorded runs, of the emulator, come from tests/data/events.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from draftgenie_azure.cli.forecast import Forecast, moment  # noqa: E402 - the repository's folder first
from draftgenie_azure.run.estimate import simulate, spread_of  # noqa: E402
from draftgenie_azure.steps import STEPS, USUAL_SECONDS  # noqa: E402

SHARES = (0.25, 0.5, 0.75)
RUNS = 300


def errors(events: list[dict[str, Any]]) -> dict[float, float]:
    """Share of the run that is over -> error of the estimate, as a share of the whole run."""
    begin = next(position for position, event in enumerate(events) if event["type"] == "expected")
    began, ended = moment(events[begin]), moment(events[-1])
    forecast, found, waiting = Forecast(events[begin]), {}, list(SHARES)
    for event in events[begin + 1 :]:
        while waiting and moment(event) > began + waiting[0] * (ended - began):
            now = began + waiting[0] * (ended - began)
            found[waiting.pop(0)] = abs(forecast.left(now)[0] - (ended - now)) / (ended - began)
        forecast.take(event)
    return found


def simulated(chance: random.Random) -> list[dict[str, Any]]:
    """The events of a first deployment whose steps take as long as chance has it."""
    spreads = {name: spread_of((), usual) for name, usual in USUAL_SECONDS.items()}
    seconds = {name: spread.at(chance.random()) for name, spread in spreads.items()}
    steps = {name: {"verdict": "run", "low": s.low, "usual": s.usual, "high": s.high} for name, s in spreads.items()}
    found, ends = [], {}
    for step in STEPS:
        begin = max((ends[need] for need in step.needs), default=0.0)
        ends[step.name] = begin + seconds[step.name]
        found += [(begin, "step_run", step.name), (ends[step.name], "step_done", step.name)]
    assert abs(simulate({s.name: s.needs for s in STEPS}, seconds, (), 14)[0] - max(ends.values())) < 1e-6
    events = [{"type": "expected", "time": _time(0), "steps": steps, "width": 10}]
    events += [{"type": kind, "time": _time(at), "step": name, "number": 1} for at, kind, name in sorted(found)]
    return [*events, {"type": "end", "time": _time(max(ends.values()))}]


def _time(seconds: float) -> str:
    whole = 1_800_000_000 + seconds
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int(whole % 1 * 1000):03d}Z"


def main() -> None:
    """Print one line for each recorded run, and one for all simulated ones."""
    head = "error of the estimate, in % of the whole run"
    print(head.ljust(48) + "".join(f"at {share:.0%}".rjust(9) for share in SHARES))
    for path in sorted((ROOT / "tests/data/events").glob("*.jsonl")):
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if any(event["type"] == "expected" for event in events) and events[-1]["result"] != "interrupted":
            _print(f"recorded: {path.stem}", errors(events))
    chance = random.Random(1)
    results = [errors(simulated(chance)) for _ in range(RUNS)]
    means = {share: sum(result[share] for result in results) / RUNS for share in SHARES}
    _print(f"simulated: {RUNS} first deployments, mean", means)


def _print(name: str, found: dict[float, float]) -> None:
    print(name.ljust(48) + "".join(f"{found[share]:9.0%}" for share in SHARES))


if __name__ == "__main__":
    main()
