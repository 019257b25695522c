"""Measures a first deployment and a run in which nothing changed, beside an empty Python program.

    .venv/bin/python benchmarks/first_and_noop.py [--rounds 15]

Everything is measured in one run, in turn, since machines are noisy: read the ratios. Memory is the peak resident set
of the command's own process, without the emulator's.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, str(ROOT / "deploy-azure_v1.py")]
EMPTY = [sys.executable, "-c", "pass"]


def run(command: list[str], directory: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; wall time in seconds and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output.decode()}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def medians(runs: list[tuple[float, float]]) -> list[float]:
    """Median seconds and median memory."""
    return [statistics.median(column) for column in zip(*runs, strict=True)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each kind; the median is shown")
    rounds = parser.parse_args().rounds
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE_", "ARM_"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every module is compiled at every run
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        shutil.copy(ROOT / "config.yaml", directory)
        shutil.copytree(ROOT / "examples", directory / "examples")
        first, first_memory = run(COMMAND, directory, environment)
        run(COMMAND, directory, environment)  # byte code is written now
        empty, noop = [], []
        for _ in range(rounds):
            empty.append(run(EMPTY, directory, environment))
            noop.append(run(COMMAND, directory, environment))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {platform.system()}, {os.cpu_count()} cores")
    ratio = statistics.median(b[0] / a[0] for a, b in zip(empty, noop, strict=True))
    rows = [
        ("empty Python program", *medians(empty), ""),
        ("nothing changed", *medians(noop), f"{ratio:.1f} times empty"),
        ("first deployment, emulator without waits", first, first_memory, ""),
    ]
    for title, seconds, memory, note in rows:
        print(f"{title:42} {seconds * 1000:9.0f} ms {memory:7.0f} MB  {note}")


if __name__ == "__main__":
    main()
