"""Measures how long a first deployment takes on the emulator with Azure's durations scaled down by 100.

    .venv/bin/python benchmarks/wall_time.py [--services 7,50,200] [--scale 0.01]

For each number of services: wall time side by side and one after another (`--parallelism 1`), the longest road through
the steps by the durations that the run recorded, the number of requests, and the peak memory of the command's process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from first_and_noop import COMMAND, ROOT, run

sys.path.insert(0, str(ROOT))

from deployer import STEPS


def project(directory: Path, services: int, scale: float) -> None:
    """The shipped configuration, with so many services in all."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    values["azure"]["emulator"] = {"scale": scale}
    for number in range(services - len(values["services"])):
        values["services"][f"extra_{number}"] = {
            "image": "ghcr.io/example/echo:1",
            "transport": "auto",
            "port": 8080,
            "environment": {"NUMBER": number},
            "secrets": {"KEY": "{{ secrets.jwt_secret }}"},
        }
    (directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    shutil.copytree(ROOT / "examples", directory / "examples")


def longest_road(directory: Path) -> float:
    """Seconds of the longest chain of steps that need one another, as recorded."""
    state = json.loads((directory / ".azure-deployment-state-v1.json").read_text(encoding="utf-8"))
    road: dict[str, float] = {}
    for step in STEPS:
        before = max((road[need] for need in step.needs), default=0.0)
        road[step.name] = before + state["steps"][step.name]["duration_seconds"]
    return max(road.values())


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", default="7,50,200")
    parser.add_argument("--scale", type=float, default=0.01)
    options = parser.parse_args()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE_", "ARM_"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {os.cpu_count()} cores, scale {options.scale}")
    print("services  side by side  longest road  one by one  requests  memory")
    for count in map(int, options.services.split(",")):
        seconds = {}
        road = requests = memory = 0.0
        for parallelism in ("10", "1"):
            with tempfile.TemporaryDirectory() as name:
                directory = Path(name)
                project(directory, count, options.scale)
                seconds[parallelism], peak = run([*COMMAND, "--parallelism", parallelism], directory, environment)
                if parallelism == "10":
                    log = directory / ".azure-emulator" / "requests.jsonl"
                    road, memory = longest_road(directory), peak
                    requests = len(log.read_text(encoding="utf-8").splitlines())
        print(
            f"{count:8} {seconds['10']:11.1f} s {road:11.1f} s {seconds['1']:9.1f} s {requests:9.0f} {memory:5.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
