"""Something goes wrong at a request: the deployment completes, or stops with a message and the next run completes it.

A sample of all combinations of requests and faults; `python tests/sweep.py` runs every one.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from sweep import FAULTS, SIGNALS, Point, cases, new_project, outcome, points, problems

SAMPLE, MANY = 14, 120


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Point]]:
    """What a deployment without faults leaves, and every request that it makes."""
    project = new_project(tmp_path_factory.mktemp("recorded"))
    project.deploy()
    return outcome(project), points(project)


def sweep(recorded: tuple[dict[str, Any], list[Point]], directory: Path, count: int, seed: int) -> None:
    """Try some combinations; a failing one names itself."""
    expected, found = recorded
    chosen = random.Random(seed).sample(cases(found, [*FAULTS, *SIGNALS]), count)
    print(f"{count} of {len(found) * len([*FAULTS, *SIGNALS])} cases, seed {seed}")
    for number, (point, kind) in enumerate(chosen):
        place = directory / str(number)
        place.mkdir()
        assert not list(problems(place, expected, point, kind)), f"{kind} at {point}, seed {seed}"


@pytest.mark.timeout(240)
def test_deployment_survives_a_sample_of_faults(
    recorded: tuple[dict[str, Any], list[Point]], tmp_path: Path
) -> None:
    """The same cases each time; SWEEP_SEED picks others."""
    sweep(recorded, tmp_path, SAMPLE, seed=int(os.environ.get("SWEEP_SEED", "20261124")))


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("half", [0, 1])
def test_deployment_survives_many_faults(
    recorded: tuple[dict[str, Any], list[Point]], tmp_path: Path, half: int
) -> None:
    """A larger sample, in two halves so that two cores share it."""
    sweep(recorded, tmp_path, MANY // 2, seed=1000 + half)
