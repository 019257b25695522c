"""Measure loading and saving of the state, and how long its lock outlives a killed holder.

    python benchmarks/state.py [--locks]     the lock in a blob takes a minute to measure

A state of 14 steps is one of a whole deployment of the shipped configuration; the large one has 2,000 resources. A save
is what the command does: the document as text, then a temporary file, two flushes and a rename, or one conditional PUT
under a lease. Azurite is started on loopback where Node is there.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/harness")]

from azurite import Azurite, Missing  # noqa: E402

from draftgenie_azure.state import document as state_document  # noqa: E402
from draftgenie_azure.steps import STEP_NAMES  # noqa: E402

ROUNDS = 30
HOLDER = (
    "import importlib, sys, time; sys.path.insert(0, sys.argv[1])\n"
    "state = importlib.import_module('deploy-azure_v1').StateManager({'advanced': {'state_file': sys.argv[2]}})\n"
    "state.lock(); state.save(); print('locked', flush=True); time.sleep(600)"
)


def document(resources: int, lines: int) -> dict[str, Any]:
    """A state of 14 completed steps with so many dependencies in all, and so many resources."""
    names = [f"file:services/some-service/app/module_{number}.py" for number in range(lines // 14)]
    step = {
        "status": "completed",
        "timestamp": "2026-11-24T10:30:00Z",
        "started_at": "2026-11-24T10:21:12Z",
        "duration_seconds": 528.4,
        "dependency_hash": "0" * 64,
        "dependencies": dict.fromkeys(names, "1" * 64),
        "outputs": {"host": "draftgenie-pg.postgres.database.azure.com", "port": 5432},
        "metadata": {"reasons": ["forced"]},
    }
    prefix = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/draftgenie-rg/providers/Microsoft.App"
    record = {"name": "app", "api_version": "2025-01-01", "step": "x", "created": True, "body": "2" * 64}
    apps = {f"container_app/{n}": {**record, "id": f"{prefix}/containerApps/{n}"} for n in range(resources)}
    return state_document.empty() | {"steps": dict.fromkeys(STEP_NAMES, step), "resources": apps}


def manager(directory: str) -> Any:
    """The command's StateManager on a state in the directory, or in a container of that name."""
    module = importlib.import_module("deploy-azure_v1")
    container = os.path.basename(directory).lower().replace("_", "-")
    path = os.path.join(directory, "state.json")
    return module.StateManager({"advanced": {"state_file": path, "state_blob_container": container}})


def milliseconds(function: Any) -> str:
    """Median and worst of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - began))
    return f"{statistics.median(times):6.1f} ms (worst {max(times):6.1f})"


def load_and_save(storage: str) -> None:
    """Measure both states."""
    os.environ["AZURE_STATE_STORAGE"] = storage
    for title, wanted in (("14 steps", document(45, 700)), ("2,000 resources", document(2000, 700))):
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            state = manager(directory)
            state.lock()
            state.state |= {key: wanted[key] for key in ("steps", "resources")}
            state.save()
            size = len(state_document.dump(state.state)) / 1024
            say(
                f"{storage:6} {title:16} {size:6.0f} KB  save {milliseconds(state.save)}  "
                f"load {milliseconds(state._load_state)}"
            )
            state.unlock()


def lock_after_kill(storage: str) -> None:
    """Return how long a waiting run waits after the holder was killed."""
    os.environ["AZURE_STATE_STORAGE"] = storage
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        path = os.path.join(directory, "state.json")
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(ROOT), path], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        holder.stdout.readline()
        state = importlib.import_module("deploy-azure_v1").StateManager({"advanced": {"state_file": path}})
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        began = time.monotonic()
        state.lock(timeout=120)
        say(f"{storage:6} lock taken {time.monotonic() - began:.2f} s after its holder was killed")
        state.unlock()


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locks", action="store_true", help="also measure the lock in a blob, which takes a minute")
    arguments = parser.parse_args()
    load_and_save("local")
    lock_after_kill("local")
    with tempfile.TemporaryDirectory() as directory:
        try:
            azurite = Azurite(Path(directory))
        except Missing as reason:
            say(str(reason))
            return
        os.environ["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
        try:
            load_and_save("blob")
            if arguments.locks:
                lock_after_kill("blob")
        finally:
            azurite.stop()


if __name__ == "__main__":
    main()
