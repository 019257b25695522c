"""A database that was deleted and created again is empty: its migration runs on it, whatever ran on the earlier one."""

from __future__ import annotations

from typing import Any

import pytest
from project import Project

pytestmark = pytest.mark.slow

JOB = "job/speaker-service"


def _starts(project: Project) -> int:
    return sum(request["path"].endswith("/start") for request in project.requests())


def _without_the_service(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the service that has the migration."""
    services = {key: service for key, service in values["services"].items() if key != "speaker_service"}
    for service in services.values():
        service.get("environment", {}).pop("SPEAKER_SERVICE_URL", None)
    files = {key: path for key, path in values["docker"]["dockerfiles"].items() if key != "speaker_service"}
    return {**values, "services": services, "migrations": [], "docker": {**values["docker"], "dockerfiles": files}}


def _is_settled(project: Project) -> bool:
    """Return whether another run, which looks at everything, does nothing."""
    return "0 ran" in project.run("--refresh").text


def test_migration_runs_on_a_database_that_was_deleted_by_hand(deployed: Project) -> None:
    """The plan says so; the database of a service without a migration has none run."""
    records = deployed.state()["resources"]
    for name, announced in (("draft_service", set()), ("speaker_service", {JOB, f"{JOB}/start"})):
        record = records[f"postgresql_database/{name}"]
        with deployed.azure() as azure:
            azure.delete(record["id"], record["api_version"])
        before = _starts(deployed)

        plan = deployed.run("--dry-run", "--refresh", "--output", "json").events()[-1]["plan"]
        result = deployed.run("--refresh", "--expect-plan", plan["id"])

        assert result.code == 0, result.text
        assert {change["key"] for change in plan["changes"]} >= {f"postgresql_database/{name}", *announced}
        assert _starts(deployed) - before == bool(announced)
        assert _is_settled(deployed)
    assert _starts(deployed) == 2


def test_migration_runs_on_a_database_that_was_pruned(deployed: Project) -> None:
    """Its service left the configuration, and returns; then it has run, also after the server is gone as well."""
    values = deployed.config()
    deployed.write(_without_the_service(deployed.config()))
    deployed.deploy()
    assert deployed.run("--prune", "--include-data", "--auto-approve").code == 0

    deployed.write(values)
    deployed.deploy()

    assert _starts(deployed) == 2
    assert _is_settled(deployed)
    assert deployed.run("--destroy", "--include-data", "--purge", "--auto-approve").code == 0
    assert not deployed.state()["databases_created"]
    deployed.deploy()
    assert _starts(deployed) == 3
    assert _is_settled(deployed)


def test_migration_of_a_kept_database_does_not_run_again(deployed: Project) -> None:
    """It was pruned without its data."""
    values = deployed.config()
    deployed.write(_without_the_service(deployed.config()))
    deployed.deploy()
    assert deployed.run("--prune", "--auto-approve").code == 0

    deployed.write(values)
    deployed.deploy()

    assert _starts(deployed) == 1
