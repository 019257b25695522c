"""Killed at every point, and eight at once: the state is whole, nothing is lost, nothing done runs again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azurite import Azurite
from project import COMMAND, ROOT, STATE, Project

DRIVER = ROOT / "tests/harness/state_driver.py"


def drive(azurite: Azurite | None, *arguments: str, timeout: float = 110) -> dict[str, Any]:
    """Run the driver; what it found."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AZURE_")}
    if azurite is not None:
        environment["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    done = subprocess.run(
        [sys.executable, str(DRIVER), *arguments],
        env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


Say = Callable[[str], None]


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("which", ["fresh", "again"])
def test_local_run_killed_at_any_point_is_finished_by_the_next(
    tmp_path: Path, say: Say, which: str
) -> None:
    """Before, after and in the middle of each system call of saving, locking, keeping and the steps' transitions."""
    found = drive(None, "kill", "local", str(tmp_path), which, timeout=480)

    say(f"local, {which}: killed at {found['killed']} points")
    assert found["wrong"] == []
    assert found["killed"] == found["points"] >= {"fresh": 120, "again": 70}[which]
    assert {"in the middle of write", "after replace", "before fsync", "after flock"} <= set(found["kinds"])


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("which", ["fresh", "again"])
def test_blob_run_killed_at_any_point_is_finished_by_the_next(
    azurite: Azurite, tmp_path: Path, say: Say, which: str
) -> None:
    """Before and after each request is sent, and before and after each reply is read."""
    found = drive(azurite, "kill", "blob", str(tmp_path), which, timeout=480)

    say(f"blob, {which}: killed at {found['killed']} points")
    assert found["wrong"] == []
    assert found["killed"] == found["points"] >= {"fresh": 70, "again": 40}[which]
    assert {"after sendall", "before recv_into", "after recv_into"} <= set(found["kinds"])


@pytest.mark.slow
def test_blob_run_killed_while_it_renews_its_lease_is_finished_by_the_next(azurite: Azurite, tmp_path: Path) -> None:
    """The renewing thread's own requests."""
    found = drive(azurite, "renew", str(tmp_path))

    assert found["wrong"] == []
    assert found["killed"] == 8


@pytest.mark.parametrize("kind", ["local", "blob"])
def test_eight_processes_at_once_do_each_step_once(azurite: Azurite, tmp_path: Path, kind: str) -> None:
    """A few rounds; the fifty are in the slow sweep."""
    assert drive(azurite, "race", kind, str(tmp_path), "5")["wrong"] == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["local", "blob"])
def test_fifty_rounds_of_eight_processes_lose_nothing(
    azurite: Azurite, tmp_path: Path, say: Say, kind: str
) -> None:
    """Started at random, half of them waiting for the lock and half refused and trying again."""
    found = drive(azurite, "race", kind, str(tmp_path), "50", timeout=390)

    say(f"{kind}: 50 rounds of 8 processes in {found['seconds']} s, seed {found['seed']}")
    assert found["wrong"] == []


# Runs the command and kills it right before or after the state is replaced for the n-th time.
CUT = """
import os, runpy, signal, sys
command, state, number, side = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
real, count = os.replace, 0
def replace(source, target):
    global count
    hit = os.path.basename(target) == state
    count += hit
    if hit and count == number and side == 'before':
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
    if hit and count == number:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
sys.path.insert(0, os.path.dirname(command))
sys.argv = [command]
runpy.run_path(command, run_name='__main__')
"""


@pytest.mark.parametrize(
    ("number", "side"), [(1, "before"), (1, "after"), (18, "before"), (33, "after"), (52, "before"), (75, "after")]
)
def test_command_killed_at_a_save_is_finished_by_the_next(project: Project, number: int, side: str) -> None:
    """A whole deployment, killed where the state is replaced: nothing that it says is completed runs again."""
    arguments = [sys.executable, "-c", CUT, str(COMMAND), STATE, str(number), side]
    done = subprocess.run(
        arguments, cwd=project.directory, env=project.env(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    steps = project.state()["steps"] if project.state_file.exists() else {}
    completed = {name for name, record in steps.items() if record["status"] == "completed"}

    again = project.deploy().ran()

    assert not completed & set(again)
    assert project.deploy().ran() == {}
    assert not list(project.directory.glob("*.tmp"))
