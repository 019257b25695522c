"""Repeats a deployment once for each of its requests with something going wrong there, and looks at what comes out.

    python tests/harness/sweep.py [--part 1/8] [--only 503,drop-after] [--at /jobs/] [--sample N]

prints one line per case that went wrong and the count of all, after Ctrl-C those so far. The suite runs a sample
(`test_sweep.py`).
"""

from __future__ import annotations

import argparse
import email.utils
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from project import ROOT, Project  # noqa: E402 - found by the line above

# What Azure and the way to it do wrong, by name; the emulator does it, once. All but 403 and `failed` may pass.
FAULTS: dict[str, dict[str, Any]] = {
    "408": {"status": 408, "code": "RequestTimeout"},
    "429": {"status": 429, "code": "TooManyRequests", "retry_after": 1},
    "500": {"status": 500, "code": "InternalServerError"},
    "502": {"status": 502, "code": "BadGateway"},
    "503": {"status": 503, "code": "ServiceUnavailable"},
    "503-date": {"status": 503, "code": "ServiceUnavailable", "retry_after": "a date"},
    "504": {"status": 504, "code": "GatewayTimeout"},
    "409": {"status": 409, "code": "AnotherOperationInProgress"},
    "401": {"status": 401, "code": "ExpiredAuthenticationToken"},
    "403": {"status": 403, "code": "RequestDisallowedByPolicy"},
    "drop-before": {"drop": "before"},
    "drop-after": {"drop": "after"},
    "failed": {"fail": "InternalServerError"},
}
# What goes wrong on our side of the network: done by `faulty_client.py`.
NEAR = ("time-out", "no-name")
MET = "the fault was met"  # as it says
SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}
KINDS = [*FAULTS, *NEAR, *SIGNALS]
# After these a build is started again: it failed, or it is unknown (for `drop-before`, except to the log).
MAY_BUILD_AGAIN = ("failed", "drop-before", "drop-after", "time-out", *SIGNALS)
# In a path: ids, digests, numbers; the ends of the names of a migration's job and its execution, and of a revision.
_VARIABLE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32}|[0-9]{4,}(?=/|$)"
    r"|-[0-9a-f]{8}(-[a-z0-9]{7})?(?=/|$)|--[a-z0-9]{7}(?=/|$)"
)
_DOMAIN = re.compile(r"\.[^.]+(?=\.[a-z0-9]+\.azurecontainerapps\.io$)")
# In a resource: times, ids, digests, the environment's domain, addresses; two runs may by chance be given the same.
_MINTED = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z]+-[0-9a-f]{8}(?=\.[a-z0-9]+\.azure)|[0-9a-f]{8,}"
    r"|\b\d+\.\d+\.\d+\.\d+\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Point:
    """One request of a deployment: the n-th with its method and path."""

    method: str
    host: str
    path: str
    number: int

    def fault(self, kind: str) -> dict[str, Any]:
        """The declaration that has this request, and no other one, go wrong."""
        fault = {"method": self.method, "path": f"{self.host}{self.path}", "skip": self.number, **FAULTS[kind]}
        if fault.get("retry_after") == "a date":
            fault["retry_after"] = email.utils.formatdate(time.time() + 2, usegmt=True)
        return fault

    def near_fault(self, kind: str) -> str:
        """The same for `faulty_client.py`."""
        return json.dumps(
            {"method": self.method, "address": f"{self.host}{self.path}", "skip": self.number, "kind": kind}
        )

    def can_meet(self, kind: str) -> bool:
        """Return whether this fault applies to a request: only writes start operations, which may fail."""
        if kind == "failed":
            return self.method != "GET" and self.host == "management.azure.com"
        return kind not in NEAR or not self.host.startswith("login.")  # tokens are azure-identity's own requests

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
        host = _DOMAIN.sub(".*", request["host"])
        key = (request["method"], host, _VARIABLE.sub("*", request["path"]))
        found.append(Point(*key, seen[key]))
        seen[key] += 1
    return found


def outcome(project: Project) -> dict[str, Any]:
    """Return the results in Azure and in the state, without random values."""
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
        "builds": sum(request["path"].endswith("/scheduleRun") and _done(request) for request in project.requests()),
        **live(project),
    }


def _done(request: dict[str, Any]) -> bool:
    """Return whether a request was not refused; one whose reply was lost has no status."""
    return (request["status"] or 200) < 300


def live(project: Project) -> dict[str, Any]:
    """Every resource that was put into Azure, as it is there now: its properties by their paths, ids left open."""
    put = {
        request["path"]: request["api_version"]
        for request in project.requests()
        if request["method"] == "PUT" and request["host"] == "management.azure.com" and _done(request)
    }
    with project.azure() as azure:
        found = {path: azure.send("GET", path, version).json() for path, version in put.items()}
    return {
        _MINTED.sub("*", f"{path} {place}"): _MINTED.sub("*", repr(value))
        for path, body in found.items()
        for place, value in _leaves(body)
        if not place.endswith(".maxInactiveRevisions")  # of an app that was written twice Azure shows none
    }


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{place}.{key}")
    else:
        yield place, value


def record(first: Project, second: Project) -> tuple[dict[str, Any], list[Point]]:
    """Deploy twice without a fault: what both times came out the same, and every request."""
    first.deploy()
    second.deploy()
    found = points(first)  # before the look at what is left makes requests of its own
    one, other = outcome(first), outcome(second)
    expected = {key: value for key, value in one.items() if other.get(key) == value}
    assert not [key for key in one if key not in expected and not key.startswith("/")], "only properties may differ"
    return expected, found


@dataclass
class Verdict:
    """Of one case.

    Attributes:
        met: whether the request came and met the fault; which polls there are differs from run to run.
        wrong: everything that is not as promised.
        seconds: until the command ended after a signal; how fast the machine is decides it, so it is only reported.
    """

    met: bool
    wrong: list[str]
    seconds: float = 0.0


def attempt(directory: Path, expected: dict[str, Any], point: Point, kind: str) -> Verdict:
    """Deploy with one thing going wrong, then twice more without."""
    project = new_project(directory)
    try:
        verdict = _with_signal(project, point, kind) if kind in SIGNALS else _with_fault(project, point, kind)
        verdict.wrong += _next_runs(project, expected, kind)
    except (subprocess.TimeoutExpired, KeyError, ValueError, AssertionError):
        return Verdict(True, [traceback.format_exc()])
    return verdict


def _with_fault(project: Project, point: Point, kind: str) -> Verdict:
    wrong = []
    if kind in NEAR:
        done = project.run(point.near_fault(kind), program=str(ROOT / "tests/harness/faulty_client.py"))
        met = MET in done.err
    else:
        done = project.run(*project.faults(point.fault(kind)))
        counts = project.directory / ".azure-emulator" / "faults.json"
        met = counts.exists() and '"hit": 1' in counts.read_text(encoding="utf-8")
    if done.code not in (0, 1):
        wrong.append(f"the first run ended with {done.code}")
    if "Traceback" in done.err:
        wrong.append(f"a traceback: {done.err[-600:]}")
    if done.code == 1 and "failed: " not in done.err:
        wrong.append(f"no message: {done.err[-300:]}")
    return Verdict(met, wrong)


def _with_signal(project: Project, point: Point, kind: str) -> Verdict:
    """Send a signal as soon as the emulator has seen the request."""
    pattern = re.compile(re.escape(point.path).replace(r"\*", "[^/]+") + "$")
    count, position, began = 0, 0, 0.0
    with project.start("--config", "config.yaml") as process:
        while process.poll() is None and not began:
            lines = project.log_lines(position)
            position += sum(map(len, lines))
            for request in map(json.loads, lines):
                count += request["method"] == point.method and bool(pattern.match(request["path"]))
            if count > point.number:
                process.send_signal(SIGNALS[kind])
                began = time.monotonic()
            time.sleep(0.001)
        process.communicate(timeout=60)
    verdict = Verdict(process.returncode != 0, [], time.monotonic() - began if began else 0.0)
    if process.returncode not in (0, 130 if kind == "interrupt" else -9):
        verdict.wrong.append(f"the first run ended with {process.returncode}")
    return verdict


def _next_runs(project: Project, expected: dict[str, Any], kind: str) -> Iterator[str]:
    """Deploy without a fault, and once more."""
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
        if key == "builds" and kind in MAY_BUILD_AGAIN and value < found[key] <= 2 * value:
            continue
        if found.get(key) != value:
            yield f"{key}: {found.get(key)} instead of {value}"
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


def cases(found: list[Point], kinds: list[str]) -> list[tuple[Point, str]]:
    """All combinations, in an order that is the same for every part of a sweep."""
    return [(point, kind) for point in sorted(found, key=str) for kind in kinds if point.can_meet(kind)]


def main() -> None:
    """Run the sweep, or a part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="which part of how many: 1/8")
    parser.add_argument("--only", default=",".join(KINDS), help="faults, by name")
    parser.add_argument("--at", default="", help="only requests with this in their address")
    parser.add_argument("--sample", type=int, help="only so many, at random")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        expected, found = record(new_project(Path(one)), new_project(Path(other)))
        found = [point for point in found if options.at in str(point)]
        wanted = cases(found, options.only.split(","))[part - 1 :: parts]
        if options.sample:
            wanted = random.sample(wanted, min(options.sample, len(wanted)))
        verdicts: dict[tuple[Point, str], Verdict] = {}
        try:
            for point, kind in wanted:
                # The emulator outlives the command for a moment, and may still write.
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
                    verdict = verdicts[point, kind] = attempt(Path(directory), expected, point, kind)
                for line in verdict.wrong:
                    print(f"{kind} at {point}: {line}", flush=True)
                if len(verdicts) % 100 == 0:
                    print(f"{len(verdicts)} of {len(wanted)} done", flush=True)
        except KeyboardInterrupt:
            print(f"interrupted after {len(verdicts)} of {len(wanted)} cases")
    summary(verdicts, len(found))
    sys.exit(any(verdict.wrong for verdict in verdicts.values()))


def summary(verdicts: dict[tuple[Point, str], Verdict], requests: int) -> None:
    """Print what was tried."""
    print("fault        cases   met  wrong")
    for kind in KINDS:
        chosen = [verdict for (_, its), verdict in verdicts.items() if its == kind]
        if chosen:
            met, wrong = sum(one.met for one in chosen), sum(bool(one.wrong) for one in chosen)
            print(f"{kind:12} {len(chosen):5} {met:5} {wrong:6}")
    wrong = sum(bool(one.wrong) for one in verdicts.values())
    slowest = max((one.seconds for one in verdicts.values()), default=0.0)
    print(f"{len(verdicts)} cases over {requests} requests, {wrong} wrong; after a signal {slowest:.1f} s at most")


if __name__ == "__main__":
    main()
