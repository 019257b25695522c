"""Resources that others deleted and created again under the same name are noticed by every run that asks Azure."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import APPS, live, put_by_hand, resource
from project import Azure, Project

IDENTITIES = "2024-11-30"
ROLES = "2022-04-01"
REGISTRIES = "2025-11-01"


def principal(azure: Azure, identity: str) -> str:
    """Return the object id of an identity."""
    return str(live(azure, identity, IDENTITIES)["properties"]["principalId"])


def create_identity_again(project: Project, azure: Azure) -> str:
    """Delete the apps' identity and create it again under its name; return its new object id."""
    identity = resource(project, "identity")
    old = principal(azure, identity)
    body = {key: value for key, value in live(azure, identity, IDENTITIES).items() if key in ("location", "tags")}
    azure.delete(identity, IDENTITIES)
    azure.send("PUT", identity, IDENTITIES, body)
    new = principal(azure, identity)
    assert new != old
    return new


def used_by(project: Project, azure: Azure) -> dict[str, set[str]]:
    """Return the object ids that apps and jobs have of their identities, by key."""
    found = {}
    for key, record in project.state()["resources"].items():
        if key.startswith(("container_app/", "job/")):
            identities = live(azure, record["id"], APPS)["identity"]["userAssignedIdentities"]
            found[key] = {one["principalId"] for one in identities.values()}
    return found


def assigned_to(project: Project, azure: Azure) -> set[str]:
    """Return the object ids that the recorded roles are assigned to, without those that are left over."""
    records = project.state()["resources"]
    roles = [one for key, one in records.items() if key.startswith("role/") and one["step"]]
    return {live(azure, one["id"], ROLES)["properties"]["principalId"] for one in roles if not one.get("orphaned")}


def changes(result: Any) -> dict[str, str]:
    """Return the action that a plan has for each resource."""
    return {change["key"]: change["action"] for change in result.events()[-1]["plan"]["changes"]}


def test_identity_created_again_is_given_its_roles_and_assigned_to_all_that_used_it(deployed: Project) -> None:
    """Its object id and client id are others; a plan says so, and the run does what it says."""
    with deployed.azure() as azure:
        new = create_identity_again(deployed, azure)
        deployed.change("services.api_gateway.environment.MORE", "1")

        plan = deployed.run("--dry-run", "--output", "json")
        result = deployed.deploy()

        apps = [key for key in deployed.state()["resources"] if key.startswith("container_app/")]
        assert {"role/pull-images": "create", "role/read-secrets": "create"}.items() <= changes(plan).items()
        assert {key: changes(plan)[key] for key in apps} == dict.fromkeys(apps, "change")
        assert result.ran()["create_resource_group"] == ["identity was created again by others"]
        assert assigned_to(deployed, azure) == {new}
        assert set().union(*used_by(deployed, azure).values()) == {new}
    assert deployed.state()["steps"]["create_resource_group"]["outputs"]["principal_id"] == new
    assert changes(deployed.run("--dry-run", "--refresh", "--output", "json")) == {}
    assert deployed.deploy().ran() == {}


def test_identity_that_was_only_deleted_is_assigned_again_as_well(deployed: Project) -> None:
    """The run creates it; what used the deleted one follows, although its name is the same."""
    with deployed.azure() as azure:
        azure.delete(resource(deployed, "identity"), IDENTITIES)
        deployed.change("services.api_gateway.environment.MORE", "1")

        plan = deployed.run("--dry-run", "--output", "json")
        deployed.deploy()

        new = principal(azure, resource(deployed, "identity"))
        assert set(used_by(deployed, azure)) <= set(changes(plan))
        assert set().union(*used_by(deployed, azure).values()) == {new}
    assert deployed.deploy().ran() == {}


def test_run_that_failed_after_the_roles_assigns_the_identity_in_the_next(deployed: Project) -> None:
    """The step that deploys an app is not completed before the app has the identity."""
    with deployed.azure() as azure:
        new = create_identity_again(deployed, azure)
        deployed.change("services.api_gateway.environment.MORE", "1")
        refused = {"method": "PATCH", "path": "*/containerApps/*", "status": 400, "code": "Broken", "times": 7}
        assert deployed.run(*deployed.faults(refused)).code == 1

        deployed.deploy()

        assert set().union(*used_by(deployed, azure).values()) == {new}


@pytest.mark.parametrize(
    ("key", "version", "step"),
    [
        ("container_registry", REGISTRIES, "create_container_registry"),
        ("postgresql_server", "2025-08-01", "create_databases"),
        ("container_apps_env", APPS, "create_container_apps_env"),
    ],
)
def test_resource_with_another_creation_id_runs_its_step(
    deployed: Project, key: str, version: str, step: str
) -> None:
    """Another deployment created it under its name: its tag says so, in the listing that is asked for anyway."""
    with deployed.azure() as azure:
        azure.send(
            "PATCH", resource(deployed, key), version,
            {"tags": {**live(azure, resource(deployed, key), version)["tags"], "incarnation": "0" * 32}},
        )  # fmt: skip
        deployed.change("services.api_gateway.environment.MORE", "1")

        result = deployed.deploy()

        assert result.ran()[step] == [f"{key} was created again by others"]
        assert deployed.state()["steps"][step]["outputs"]


def test_tag_that_others_removed_is_no_other_resource(deployed: Project) -> None:
    """Nothing says that it was created again."""
    registry = resource(deployed, "container_registry")
    with deployed.azure() as azure:
        put_by_hand(azure, registry, REGISTRIES, {"tags": None})
        deployed.change("services.api_gateway.environment.MORE", "1")

        result = deployed.deploy()

        assert "create_container_registry" not in result.ran()
