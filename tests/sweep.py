"""Repeats a deployment once for each of its requests with something going wrong there, and looks at what comes out.

    python tests/sweep.py [--part 1/8] [--only 503,drop-after] [--sample N]

prints one line per case that went wrong and the count of all. The suite runs a sample (`test_sweep.py`).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from project import ROOT, Project  # noqa: E402 - found by the line above

# Every fault of the wire, by name. Those that pass by themselves are hit once; one that does not is an error of 403.
FAULTS: dict[str, dict[str, Any]] = {
    "408": {"status": 408, "code": "RequestTimeout"},
    "429": {"status": 429, "code": "TooManyRequests", "retry_after": 1},
    "500": {"status": 500, "code": "InternalServerError"},
    "502": {"status": 502, "code": "BadGateway"},
    "503": {"status": 503, "code": "ServiceUnavailable"},
    "504": {"status": 504, "code": "GatewayTimeout"},
    "409": {"status": 409, "code": "AnotherOperationInProgress"},
    "401": {"status": 401, "code": "ExpiredAuthenticationToken"},
    "403": {"status": 403, "code": "RequestDisallowedByPolicy"},
    "drop-before": {"drop": "before"},
    "drop-after": {"drop": "after"},
}
SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}
_VARIABLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{64}|[0-9]{4,}")


@dataclass(frozen=True)
class Point:
    """One request of a deployment: the n-th with its method and path."""

    method: str
    host: str
    path: str
    number: int

    def fault(self, kind: str) -> dict[str, Any]:
        """The declaration that has this request, and no other one, go wrong."""
        return {"method": self.method, "path": f"{self.host}{self.path}", "skip": self.number, **FAULTS[kind]}

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path} #{self.number}"


def new_project(directory: Path) -> Project:
    """The shipped configuration, the application by a link."""
    shutil.copy(ROOT / "config.yaml", directory / "config.yaml")
    (directory / "examples").symlink_to(ROOT / "examples")
    return Project(directory)


def points(project: Project) -> list[Point]:
    """Every request of a project's first deployment, what is random in its path left open."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for request in project.requests():
        key = (request["method"], request["host"], _VARIABLE.sub("*", request["path"]))
        found.append(Point(*key, seen[key]))
        seen[key] += 1
    return found


def outcome(project: Project) -> dict[str, Any]:
    """What is left in Azure and in the state, without what is random."""
    state = project.state()
    writes = project.writes()
    return {
        # A second run may have to read a secret that the first one generated, and takes the role for it.
        "resources": sorted(set(state["resources"]) - {"role/deployer-secrets"}),
        "secrets": sorted(state["secrets"]),
        "steps": {name: record["status"] for name, record in state["steps"].items()},
        "checks": state["steps"]["verify_deployment"]["outputs"]["checks"],
        "operations": state["operations"],
        "password agrees": project.password_agrees(),
        "tables": sorted({write.split(" ")[1].rsplit("/", 1)[-1] for write in writes if "/databases/" in write}),
    }


def problems(directory: Path, expected: dict[str, Any], point: Point, kind: str) -> Iterator[str]:
    """Deploy with one thing going wrong, then once more without; everything that is not as promised."""
    project = new_project(directory)
    if kind in SIGNALS:
        first = _interrupted(project, point, SIGNALS[kind])
        allowed = {0, 130 if kind == "interrupt" else -9}
    else:
        done = project.run(*project.faults(point.fault(kind)))
        first, allowed = done.code, {0, 1}
        if "Traceback" in done.err:
            yield f"a traceback: {done.err[-600:]}"
        if done.code == 1 and "failed: " not in done.err:
            yield f"no message: {done.err[-300:]}"
    if first not in allowed:
        yield f"the first run ended with {first}"
    completed = _completed(project)
    second = project.run("--output", "json")
    if second.code != 0:
        yield f"the second run ended with {second.code}: {second.text[-600:]}"
        return
    again = {name for name, reasons in second.ran().items() if name in completed}
    if again:
        yield f"completed steps ran again: {sorted(again)}"
    found = outcome(project)
    for key, value in expected.items():
        if found[key] != value:
            yield f"{key}: {found[key]} instead of {value}"
    executions = project.executions()
    if len(executions) != 1:
        yield f"the migration ran {len(executions)} times"
    third = project.run("--output", "json")
    if third.ran():
        yield f"a third run ran {third.ran()}"


def _completed(project: Project) -> set[str]:
    if not project.state_file.exists():
        return set()
    return {name for name, record in project.state()["steps"].items() if record["status"] == "completed"}


def _interrupted(project: Project, point: Point, number: signal.Signals) -> int:
    """Start a deployment, and send it a signal as soon as the emulator has seen the request."""
    process = project.start("--config", "config.yaml")
    log = project.directory / ".azure-emulator" / "requests.jsonl"
    pattern = re.compile(re.escape(point.path).replace(r"\*", "[^/]+") + "$")
    count, position = 0, 0
    while process.poll() is None:
        if log.exists():
            with log.open("rb") as file:
                file.seek(position)
                lines = file.readlines()
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                position += len(line)
                request = json.loads(line)
                if request["method"] == point.method and pattern.match(request["path"]):
                    count += 1
            if count > point.number:
                process.send_signal(number)
                break
        time.sleep(0.001)
    process.communicate(timeout=60)
    return process.returncode


def cases(found: list[Point], kinds: list[str]) -> list[tuple[Point, str]]:
    """All combinations."""
    return [(point, kind) for point in found for kind in kinds]


def main() -> None:
    """Run the sweep, or a part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="which part of how many: 1/8")
    parser.add_argument("--only", default=",".join([*FAULTS, *SIGNALS]), help="faults, by name")
    parser.add_argument("--sample", type=int, help="only so many, at random")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    with tempfile.TemporaryDirectory() as name:
        base = new_project(Path(name))
        base.deploy()
        expected, found = outcome(base), points(base)
        wanted = cases(found, options.only.split(","))[part - 1 :: parts]
        if options.sample:
            wanted = random.sample(wanted, min(options.sample, len(wanted)))
        wrong = 0
        for number, (point, kind) in enumerate(wanted):
            with tempfile.TemporaryDirectory() as directory:
                try:
                    lines = list(problems(Path(directory), expected, point, kind))
                except (subprocess.TimeoutExpired, KeyError, ValueError) as error:
                    lines = [f"{type(error).__name__}: {error}"]
            wrong += bool(lines)
            for line in lines:
                print(f"{number}: {kind} at {point}: {line}", flush=True)
    print(f"{len(wanted)} cases over {len(found)} requests, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
