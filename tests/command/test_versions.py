"""API versions and regions are proved against the live cloud before the first resource is made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from project import Project

from azure_emulator.attach import attach

OLDER = ["2025-07-01", "2025-01-01", "2024-03-01"]
APPS = ("managedEnvironments", "managedEnvironments/storages", "containerApps", "jobs", "locations")


def offers(project: Project, declared: dict[str, Any]) -> None:
    """Have the project's running emulator be a cloud that serves less."""

    with attach(project.directory / ".azure-emulator") as emulator:
        emulator.control("POST", "/control/settings", {"offers": declared})


def older_apps() -> dict[str, Any]:
    return {f"Microsoft.App/{name}": {"versions": OLDER} for name in APPS}


def made(project: Project, since: int = 0) -> list[str]:
    """Writes that make something."""
    writes = project.writes(since)
    return [write for write in writes if not write.endswith("/register") and "checkNameAvailability" not in write]


def versions(project: Project, part: str, since: int = 0) -> set[str]:
    """The API versions of the requests about a type."""
    found = project.requests()[since:]
    paths = [(one["path"].lower().rpartition("/providers/")[2], one["api_version"]) for one in found]
    return {version for path, version in paths if path.startswith(f"{part}/".lower())}


@pytest.mark.slow
def test_older_cloud_is_used_in_a_proved_older_version(project: Project) -> None:
    """It is reported, used by the whole run, including validation, and recorded for the next ones."""
    with project.azure():
        offers(project, older_apps())

        first = project.run()

        assert first.code == 0, first.text
        assert "Microsoft.App: emulator does not support the API version 2026-01-01; 2025-07-01 is used" in first.err
        assert all(versions(project, f"Microsoft.App/{kind}") == {"2025-07-01"} for kind in ("jobs", "containerApps"))
        questions = [one["body"]["resources"] for one in project.requests() if "validateResources" in one["path"]]
        asked = [resource for question in questions for resource in question]
        assert {one["apiVersion"] for one in asked if one["type"].startswith("Microsoft.App/")} == {"2025-07-01"}

        project.change("services.rag_service.max_replicas", 7)
        since = len(project.requests())
        second = project.run()

        assert second.code == 0, second.text
        assert versions(project, "Microsoft.App/containerApps", since) == {"2025-07-01"}

        offers(project, {})
        since = len(project.requests())
        assert project.run("--force-step", "check_prerequisites", "--force-step", "verify_deployment").code == 0
        assert versions(project, "Microsoft.App/containerApps", since) == {"2026-01-01"}


def test_unknown_version_stops_the_run_before_the_first_write(project: Project) -> None:
    """With the type, what the cloud serves, what is known here, and the cloud."""
    with project.azure():
        offers(project, {"Microsoft.DBforPostgreSQL/flexibleServers": {"versions": ["2022-12-01", "2021-06-01"]}})

        failed = project.run()

    assert failed.code == 1
    assert "emulator supports Microsoft.DBforPostgreSQL/flexibleServers in 2022-12-01, 2021-06-01" in failed.err
    assert "(2025-08-01, 2024-08-01)" in failed.err
    assert made(project) == []


def test_type_that_is_not_offered_at_all_stops_the_run(project: Project) -> None:
    """Another cloud may have no such service."""
    with project.azure():
        offers(project, {"Microsoft.App/containerApps": {"versions": []}})

        failed = project.run()

    assert failed.code == 1
    assert "Microsoft.App/containerApps: emulator does not offer it to this subscription" in failed.err
    assert made(project) == []


def test_region_in_which_a_type_is_not_offered_stops_the_run(project: Project) -> None:
    """With the key to set."""
    with project.azure():
        offers(project, {"Microsoft.App/managedEnvironments": {"locations": ["East US", "West US 3"]}})

        failed = project.run()
        dry = project.run("--dry-run")

    assert failed.code == 1
    assert "Microsoft.App/managedEnvironments is not offered in eastus2" in failed.err
    assert "set another locations.container_apps" in failed.err
    assert made(project) == []
    assert dry.code == 1 and "is not offered in eastus2" in dry.text


@pytest.mark.parametrize(
    "recorded", [{"Microsoft.App@2026-01-01": "1999-01-01"}, {"x": "y"}, {"Microsoft.App@2026-01-01": 7}]
)
def test_unproved_version_in_the_state_is_not_sent(deployed: Project, recorded: dict[str, Any]) -> None:
    """The state is not trusted to that extent."""
    deployed.state_file.write_text(json.dumps(deployed.state() | {"api_versions": recorded}), encoding="utf-8")
    deployed.change("services.rag_service.max_replicas", 7)
    since = len(deployed.requests())

    assert deployed.run().code == 0
    assert versions(deployed, "Microsoft.App/containerApps", since) == {"2026-01-01"}
