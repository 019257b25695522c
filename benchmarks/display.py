"""Measure the terminal display: its share of the processor time of a first deployment.

    python benchmarks/display.py

A recorded deployment of a quarter of an hour is drawn on a pseudo-terminal, at every event and every second, as it
would be. Against it stands the processor time of the same deployment, without a display, at a part of Azure's durations
(`--scale 1` for the whole time): fewer polls, so that the share is rather too high.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/harness")]

from project import new_project, wait_for_end  # noqa: E402 - the repository's folders first

from draftgenie_azure.cli.forecast import moment  # noqa: E402
from draftgenie_azure.cli.live import PAUSE, QUIET  # noqa: E402
from draftgenie_azure.cli.terminal import Terminal  # noqa: E402

EVENTS = ROOT / "tests/data/events/first.jsonl"
_IMPORTS = """
import logging, queue, signal, threading, time  # which every deployment imports
import draftgenie_azure.cli.views, draftgenie_azure.steps
began = time.process_time()
import draftgenie_azure.cli.live
print(time.process_time() - began)
"""


def drawing() -> tuple[float, int]:
    """Seconds of the processor for all that is drawn of the recorded run, and how often something is."""
    events = [json.loads(line) for line in EVENTS.read_text(encoding="utf-8").splitlines()]
    ours, theirs = pty.openpty()
    threading.Thread(target=_read, args=(ours,), daemon=True).start()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, redirect_stderr(terminal), redirect_stdout(terminal):
        return _drawn(events)


def _read(descriptor: int) -> None:
    with suppress(OSError):  # nobody writes any longer
        while os.read(descriptor, 65536):
            pass


def _drawn(events: list[dict[str, Any]]) -> tuple[float, int]:
    now = moment(events[0])
    view, count, began = Terminal(color=True, clock=lambda: now), 0, time.process_time()
    for event in events[:-1]:  # the last one takes the display away
        last = now
        while (later := now + (2 * PAUSE if now - last > QUIET else PAUSE)) < moment(event):
            now = later
            view.tick()
            count += 1
        now = moment(event)
        view.show(event)
    view.show(events[-1])
    return time.process_time() - began, count


def importing() -> float:
    """Seconds for the modules that are imported for the display alone."""
    command = [sys.executable, "-c", _IMPORTS]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(7)]
    return min(float(run.stdout) for run in runs)


def deploying(scale: float) -> float:
    """Seconds of the processor of a first deployment as plain lines; the emulator's are not among them."""
    with tempfile.TemporaryDirectory() as name:
        project = new_project(Path(name))
        project.change("azure.emulator", {"scale": scale})
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = project.run("--output", "plain", timeout=3600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wait_for_end(project)
    assert done.code == 0, done.text
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one line for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="of Azure's durations; default 0.1")
    scale = parser.parse_args().scale
    (drawn, count), imported, deployed = drawing(), importing(), deploying(scale)
    print(f"a first deployment without a display, at {scale:g} of Azure's durations: {deployed:.2f} s of the processor")
    print(f"its display, drawn {count} times: {drawn * 1000:.0f} ms; modules for it: {imported * 1000:.0f} ms")
    print(f"share: {(drawn + imported) / (deployed + drawn + imported):.1%}")


if __name__ == "__main__":
    main()
