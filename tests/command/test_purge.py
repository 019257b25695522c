"""`--purge` after a teardown without it: what this deployment deleted is found again, and nothing else is purged."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from project import Project

pytestmark = pytest.mark.slow

VAULTS = "2026-02-01"
GROUPS = "2025-04-01"
ROLES = "2022-04-01"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ALL = ("--destroy", "--include-data", "--auto-approve")
PURGE = (*ALL, "--purge")


def _deleted(project: Project) -> list[str]:
    """Names of the deleted vaults of the subscription."""
    with project.azure() as azure:
        subscription = f"/subscriptions/{azure.control('GET', '/control/info')['subscription_id']}"
        path = f"{subscription}/providers/Microsoft.KeyVault/deletedVaults"
        return [item["name"] for item in azure.send("GET", path, VAULTS).json()["value"]]


def _deleted_workspaces(project: Project) -> list[str]:
    """Names of the workspaces that Azure keeps for 14 days."""
    with project.azure() as azure:
        subscription = f"/subscriptions/{azure.control('GET', '/control/info')['subscription_id']}"
        path = f"{subscription}/providers/Microsoft.OperationalInsights/deletedWorkspaces"
        return [item["name"] for item in azure.send("GET", path, "2025-07-01").json()["value"]]


def _save(project: Project, document: dict[str, Any]) -> None:
    project.state_file.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize("known_by", ["state", "copies"])
def test_vault_of_an_earlier_destroy_is_purged(deployed: Project, known_by: str) -> None:
    """By what the state remembers, or, where it remembers nothing, by the copies of earlier states."""
    assert deployed.run(*ALL).code == 0
    assert _deleted(deployed) == ["draftgenie-kv"]
    document = deployed.state()
    assert document["resources"] == {}
    if known_by == "copies":
        del document["deleted_vaults"]
        _save(deployed, document)
    before, state = len(deployed.requests()), deployed.state()

    dry = deployed.run(*PURGE, "--dry-run")

    assert "purge  key_vault@draftgenie-kv" in dry.out
    assert "0 to delete, 0 to keep, 1 to purge; about 10 min" in dry.out
    assert "note: the workspace draftgenie-logs was deleted before; Azure keeps it for 14 days" in dry.out
    assert deployed.writes(before) == []
    assert deployed.state() == state
    result = deployed.run(*PURGE)
    assert result.code == 0, result.text
    assert "key_vault@draftgenie-kv purged" in result.text
    assert "Deleted 0, purged 1" in result.out
    assert _deleted(deployed) == []
    assert deployed.state()["resources"] == {}
    again = deployed.run(*PURGE)
    assert again.code == 0
    assert "no deleted vault of this deployment to purge" in again.out
    events = deployed.run(*PURGE, "--output", "json").events()
    assert (events[-1]["event"], events[-1]["deleted"]) == ("destroy", [])


def test_state_that_knows_nothing_purges_nothing(deployed: Project) -> None:
    """A new state under the old names: the owner of the deleted vault is unknown."""
    assert deployed.run(*ALL).code == 0
    deployed.state_file.unlink()
    for copy in (deployed.directory / ".azure-deployment-history").iterdir():
        copy.unlink()

    result = deployed.run(*PURGE)

    assert result.code == 0, result.text
    assert "no deleted vault of this deployment to purge" in result.text
    assert _deleted(deployed) == ["draftgenie-kv"]


def test_deleted_vault_of_somebody_else_under_our_name_is_not_purged(deployed: Project) -> None:
    """In our group as well: it has another creation id, or none."""
    vault = deployed.state()["resources"]["key_vault"]["id"]
    assert deployed.run(*PURGE).code == 0
    document = deployed.state()
    with deployed.azure() as azure:
        azure.send("PUT", vault.split("/providers/")[0], GROUPS, {"location": "eastus2"})
        tenant = azure.control("GET", "/control/info")["tenant_id"]
        properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}}
        azure.send("PUT", vault, VAULTS, {"location": "eastus2", "properties": properties})
        azure.delete(vault, VAULTS)

    result = deployed.run(*PURGE)

    assert result.code == 0, result.text
    assert "no deleted vault of this deployment to purge" in result.text
    assert _deleted(deployed) == ["draftgenie-kv"]
    assert document["resources"] == {}


def test_prune_spares_the_deleted_vault_that_the_next_deployment_recovers(deployed: Project) -> None:
    """It is in the configuration; one that left it is purged."""
    assert deployed.run(*ALL).code == 0

    spared = deployed.run("--prune", "--purge", "--auto-approve")

    assert "no deleted vault of this deployment to purge" in spared.text
    assert _deleted(deployed) == ["draftgenie-kv"]
    deployed.change("key_vault.name", "another-kv")
    assert deployed.run("--prune", "--purge", "--auto-approve").code == 0
    assert _deleted(deployed) == []


@pytest.mark.parametrize("when", ["with the rest", "later"])
def test_purge_that_is_refused_names_the_right_and_is_left_to_do(deployed: Project, when: str) -> None:
    """The state keeps it, and the next run with the right finishes it."""
    if when == "later":
        assert deployed.run(*ALL).code == 0
    fault = {"method": "POST", "path": "*/purge", "status": 403, "code": "AuthorizationFailed"}

    result = deployed.run(*deployed.faults(fault), *PURGE)

    assert result.code == 1
    assert "draftgenie-kv may not be purged" in result.text
    assert "az role assignment create --role 'Key Vault Purge Operator'" in result.text
    assert _deleted(deployed) == ["draftgenie-kv"]
    assert [record["purging"] for record in deployed.state()["resources"].values()] == ["eastus2"]
    finished = deployed.run(*PURGE)
    assert finished.code == 0, finished.text
    assert _deleted(deployed) == []
    assert deployed.state()["resources"] == {}


def test_missing_right_to_purge_forbids_the_whole(deployed: Project) -> None:
    """An owner of the group is not one of the subscription, where a purge takes place."""
    group = deployed.state()["resources"]["resource_group"]["id"]
    subscription = group.split("/resourceGroups/")[0]
    with deployed.azure() as azure:
        me = azure.control("GET", "/control/info")["object_id"]
        path = f"{subscription}/providers/Microsoft.Authorization/roleAssignments?api-version={ROLES}"
        mine = azure.send("GET", f"{path}&$filter=assignedTo('{me}')", ROLES).json()["value"]
        for scope, role in ((group, OWNER), (subscription, "acdd72a7-3385-48ef-bd42-f606fba81ae7")):
            definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
            body = {"roleDefinitionId": definition, "principalId": me, "principalType": "ServicePrincipal"}
            one = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
            azure.send("PUT", one, ROLES, {"properties": body})
        for one in mine:
            if one["id"].lower().startswith(f"{subscription}/providers/microsoft.authorization".lower()):
                azure.send("DELETE", one["id"], ROLES)
    before = len(deployed.requests())

    result = deployed.run(*PURGE)

    assert result.code == 1
    assert "Microsoft.KeyVault/locations/deletedVaults/purge/action on the subscription" in result.text
    assert "az role assignment create --role 'Key Vault Purge Operator'" in result.text
    assert deployed.writes(before) == []


@pytest.mark.parametrize(("arguments", "kept"), [(ALL, ["draftgenie-logs"]), (PURGE, [])])
def test_workspace_is_deleted_for_good_with_purge_alone(
    deployed: Project, arguments: tuple[str, ...], kept: list[str]
) -> None:
    """Without it, Azure keeps the logs for 14 days, and a deployment in that time brings them back."""
    assert deployed.run(*arguments).code == 0

    assert _deleted_workspaces(deployed) == kept
