"""Records the event files of tests and benchmarks: `python tests/harness/record_events.py` writes tests/data/events.

The emulator runs at a fiftieth of Azure's durations; times and durations are then stretched by the same factor, so that
the files are those of runs of several minutes.
"""

from __future__ import annotations

import calendar
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from project import ROOT, Project, new_project, wait_for_end

from draftgenie_azure.printable import duration

EVENTS = ROOT / "tests/data/events"
SCALE = 0.02
FAULT = {"method": "PUT", "path": "*/flexibleServers/*", "fail": "ServerProvisioningFailed"}


def record() -> dict[str, list[dict[str, Any]]]:
    """The events of each run, by name of its file."""
    with tempfile.TemporaryDirectory() as name:
        project = new_project(Path(name))
        project.change("azure.emulator", {"scale": SCALE})
        found = {"interrupt": _interrupted(project)}
        found["failure"] = project.run("--output", "json", *project.faults(FAULT, scale=SCALE)).events()
        wait_for_end(project)
    with tempfile.TemporaryDirectory() as name:
        project = new_project(Path(name))
        project.change("azure.emulator", {"scale": SCALE})
        found["first"] = project.run("--output", "json").events()
        found["noop"] = project.run("--output", "json").events()
        project.change("postgresql.sku", "Standard_D2ds_v5")
        project.change("services.rag_service.environment.LOG_LEVEL", "debug")
        found["change"] = project.run("--output", "json").events()
        wait_for_end(project)
    return {name: _stretched(events) for name, events in found.items()}


def _interrupted(project: Project) -> list[dict[str, Any]]:
    with project.start("--output", "json") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if '"step_run"' in line and "create_databases" in line:
                process.send_signal(signal.SIGTERM)
    return [json.loads(line) for line in lines]


def _stretched(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of a run that takes as much longer as Azure does, at a fixed time, with a fixed name."""
    began = _seconds(events[0])
    for event in events:
        event["time"] = _time(1_800_000_000 + (_seconds(event) - began) / SCALE)
        event["run"] = "0" * 16
        if event["type"] == "expected":
            for step in event["steps"].values():
                step |= {key: round((step[key] - 0.5) / SCALE, 1) for key in ("low", "usual", "high")}
        elif isinstance(event.get("seconds"), int | float):
            _stretch(event)
    return events


def _stretch(event: dict[str, Any]) -> None:
    before = {event["seconds"], *(step["seconds"] for step in event.get("ran", {}).values())}
    event["seconds"] /= SCALE
    for step in event.get("ran", {}).values():
        step["seconds"] = round(step["seconds"] / SCALE, 1)
    longer = {duration(seconds): duration(seconds / SCALE) for seconds in before}
    if "message" in event:
        first, separator, rest = event["message"].partition(":")
        event["message"] = longer.get(first, first) + separator + rest
    for position, line in enumerate(event.get("lines", ())):
        for shorter, text in longer.items():
            if f"({shorter})" in line:
                event["lines"][position] = line.replace(f"({shorter})", f"({text})")
                break


def _seconds(event: dict[str, Any]) -> float:
    whole, part = event["time"].rstrip("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{part}")


def _time(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


if __name__ == "__main__":
    EVENTS.mkdir(parents=True, exist_ok=True)
    for name, events in record().items():
        text = "".join(json.dumps(event, sort_keys=True) + "\n" for event in events)
        (EVENTS / f"{name}.jsonl").write_text(text, encoding="utf-8")
