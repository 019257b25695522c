"""Records the event files of tests and benchmarks: `python tests/harness/record_events.py` writes tests/data/events.

The emulator takes Azure's own durations, so that the files are those of real runs: this takes 20 minutes, of waiting.
"""

from __future__ import annotations

import calendar
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from project import ROOT, Project, new_project, wait_for_end

from draftgenie_azure.cli.forecast import moment

EVENTS = ROOT / "tests/data/events"
FAULT = {"method": "PUT", "path": "*/flexibleServers/*", "fail": "ServerProvisioningFailed"}
DIRECTORY = "/home/user/draftgenie"  # instead of the temporary one
AS_IF = calendar.timegm((2026, 11, 2, 9, 0, 0))  # when each run began

Runs = dict[str, list[dict[str, Any]]]


def _first_and_changed() -> Runs:
    """A first deployment, nothing to do, and a change."""
    with _project() as project:
        found = {"first": _recorded(project, "--auto-approve"), "noop": _recorded(project)}
        project.change("postgresql.sku", "Standard_D2ds_v5")
        project.change("services.rag_service.environment.LOG_LEVEL", "debug")
        return found | {"change": _recorded(project)}


def _interrupted_and_failed() -> Runs:
    """A first deployment that is interrupted, and the next run, which fails."""
    with _project() as project:
        return {"interrupt": _interrupted(project), "failure": _recorded(project, *project.faults(FAULT, scale=1))}


@contextmanager
def _project() -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as name:
        project = new_project(Path(name))
        project.change("azure.emulator", {"scale": 1})
        yield project
        wait_for_end(project)


def _recorded(project: Project, *arguments: str) -> list[dict[str, Any]]:
    return _as_if(project.run("--output", "json", *arguments, timeout=3600).out.splitlines(), project)


def _interrupted(project: Project) -> list[dict[str, Any]]:
    with project.start("--output", "json") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if '"step_waits"' in line and "create_databases" in line:
                process.send_signal(signal.SIGTERM)
    return _as_if(lines, project)


def _as_if(lines: list[str], project: Project) -> list[dict[str, Any]]:
    """The events of a run at a fixed time, with a fixed name, in a directory of a person."""
    events = [json.loads(line.replace(str(project.directory), DIRECTORY)) for line in lines]
    began = moment(events[0])
    for event in events:
        seconds = AS_IF + moment(event) - began
        event["time"] = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"
        event["run"] = "0" * 16
    return events


def record() -> Runs:
    """The events of each run, by name of its file."""
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(kind) for kind in (_first_and_changed, _interrupted_and_failed)]
        return {name: events for run in runs for name, events in run.result().items()}


if __name__ == "__main__":
    EVENTS.mkdir(parents=True, exist_ok=True)
    for name, events in record().items():
        text = "".join(json.dumps(event, sort_keys=True) + "\n" for event in events)
        (EVENTS / f"{name}.jsonl").write_text(text, encoding="utf-8")
