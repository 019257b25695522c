"""Concurrent steps: the state document is changed only under its lock, since another step may be writing it."""

from __future__ import annotations

from pathlib import Path

import hash_format_1
import pytest
from project import ROOT, Project, Result

GUARDED = str(ROOT / "tests/harness/guarded_state.py")


def _run(project: Project, *arguments: str) -> Result:
    result = project.run(*arguments, program=GUARDED)
    assert result.code == 0, result.text
    return result


def test_first_deployment_changes_the_document_only_with_its_lock(project: Project) -> None:
    """Every step runs, and records what it makes."""
    _run(project)

    assert project.deploy().ran() == {}


def test_state_of_an_earlier_format_changes_only_with_the_lock(tmp_path: Path) -> None:
    """Its sections are not all there yet: they are made by whichever step needs one first."""
    _run(hash_format_1.unpacked(tmp_path))


@pytest.mark.slow
def test_changes_repairs_rotations_and_removals_change_the_document_only_with_its_lock(deployed: Project) -> None:
    """Each in turn, with threads of their own."""
    deployed.change("services.api_gateway.environment.LOG_LEVEL", "debug")
    deployed.change("services.api_gateway.revision_mode", "Multiple")
    source = next((deployed.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))
    source.write_text(source.read_text(encoding="utf-8") + "\n# another\n", encoding="utf-8")
    _run(deployed, "--auto-approve")
    _run(deployed, "--force-all")
    _run(deployed, "--refresh")
    _run(deployed, "--rotate-secret", "rabbitmq-password", "--auto-approve")
    _run(deployed, "--adopt")
    _run(deployed, "--rollback", "1", "--auto-approve")
    values = deployed.config()
    del values["services"]["evaluation_service"]
    del values["services"]["api_gateway"]["environment"]["EVALUATION_SERVICE_URL"]
    deployed.write(values)
    _run(deployed)
    _run(deployed, "--prune", "--auto-approve")
    _run(deployed, "--destroy", "--include-data", "--purge", "--auto-approve")
