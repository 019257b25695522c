"""A state of the version before, whose hashes have another format, is taken over without a write."""

from __future__ import annotations

from pathlib import Path

import hash_format_1
import pytest
from project import Project

from draftgenie_azure.digests import HASH_FORMAT
from draftgenie_azure.steps import STEP_NAMES

REASON = [f"hash format 1 → {HASH_FORMAT}"]


@pytest.fixture
def earlier(tmp_path: Path) -> Project:
    """A deployment by the last version with format 1."""
    return hash_format_1.unpacked(tmp_path)


def test_state_of_an_earlier_hash_format_is_planned_with_that_one_reason(earlier: Project) -> None:
    """It does not list every renamed line."""
    before = earlier.state_file.read_bytes()

    result = earlier.run("--dry-run", "--output", "json")

    assert result.code == 0, result.text
    steps = result.events()[-1]["steps"]
    assert steps == {name: {"verdict": "run", "reasons": REASON} for name in STEP_NAMES}
    assert earlier.state_file.read_bytes() == before


def test_state_of_an_earlier_hash_format_is_taken_over_without_a_write(earlier: Project) -> None:
    """Every step looks, finds everything as wanted, and records its hashes again; the next run does nothing."""
    writes = earlier.writes()

    taken_over = earlier.deploy()

    assert taken_over.ran() == dict.fromkeys(STEP_NAMES, REASON)
    assert earlier.writes() == writes
    assert {record["hash_format"] for record in earlier.state()["steps"].values()} == {HASH_FORMAT}
    assert earlier.deploy().ran() == {}
    assert earlier.writes() == writes


@pytest.mark.slow
def test_interrupted_takeover_goes_on_with_the_steps_that_it_did_not_reach(earlier: Project) -> None:
    """Each record says which format its hashes have."""
    fault = {"method": "GET", "path": "*/databases/*", "status": 403, "code": "AuthorizationFailed", "times": 99}
    assert earlier.run(*earlier.faults(fault, scale=0)).code == 1
    after = earlier.state()["steps"]
    assert after["create_resource_group"]["hash_format"] == HASH_FORMAT
    assert after["create_databases"]["last_completed"]["hash_format"] == 1

    ran = earlier.deploy().ran()

    assert "create_resource_group" not in ran
    assert set(REASON) < set(ran["create_databases"])
    assert ran["verify_deployment"] == REASON
    assert earlier.deploy().ran() == {}
