"""Something goes wrong at a request: the deployment completes, or stops with a message and the next run completes it.

A sample of all combinations of requests and faults; `python tests/harness/sweep.py` runs every one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from sweep import KINDS, Point, attempt, cases, new_project, record

SAMPLE, MANY = 5, 40


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Point]]:
    """Return the result of deployments without faults, and every request of one."""
    one, other = (new_project(tmp_path_factory.mktemp("recorded")) for _ in range(2))
    return record(one, other)


def sweep(recorded: tuple[dict[str, Any], list[Point]], directory: Path, count: int, seed: int) -> None:
    """Try some combinations; a failing one names itself."""
    expected, found = recorded
    every = cases(found, KINDS)
    # By a hash and not by place: that one run polls once more than another changes nothing for all the others.
    chosen = sorted(every, key=lambda case: hashlib.sha256(f"{seed} {case[0]} {case[1]}".encode()).digest())[:count]
    print(f"{count} of {len(every)} cases, seed {seed}")
    for number, (point, kind) in enumerate(chosen):
        place = directory / str(number)
        place.mkdir()
        assert not attempt(place, expected, point, kind).wrong, f"{kind} at {point}, seed {seed}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_deployment_survives_a_sample_of_faults(
    recorded: tuple[dict[str, Any], list[Point]], tmp_path: Path
) -> None:
    """The same cases each time; SWEEP_SEED picks others."""
    sweep(recorded, tmp_path, SAMPLE, seed=int(os.environ.get("SWEEP_SEED", "20261124")))


@pytest.mark.slow
@pytest.mark.timeout(4000)
@pytest.mark.parametrize("half", [0, 1])
def test_deployment_survives_many_faults(
    recorded: tuple[dict[str, Any], list[Point]], tmp_path: Path, half: int
) -> None:
    """A larger sample, in two halves so that two cores share it; SWEEP_MANY says how large."""
    sweep(recorded, tmp_path, int(os.environ.get("SWEEP_MANY", MANY)) // 2, seed=1000 + half)
