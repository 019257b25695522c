"""The first step: later refusals by Azure are reported before anything is created."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from project import Project
from scripted_azure import MISSING, Answer, Request, scripted_azure

from draftgenie_azure.provision import offers

ENVIRONMENTS = {"name": {"value": "ManagedEnvironmentCount"}, "currentValue": 20, "limit": 20}
CAPABILITY = {
    "restricted": "Disabled",
    "supportedServerEditions": [{"name": "Burstable", "supportedServerSkus": [{"name": "Standard_B1ms"}]}],
    "supportedServerVersions": [{"name": "15"}, {"name": "16"}],
}


class Offers:
    """A script for a subscription in which nothing of ours exists yet."""

    def __init__(self, usages: Answer, capabilities: Answer, vaults: Answer = MISSING) -> None:
        self._answers = {"/usages": usages, "/capabilities": capabilities, "/deletedVaults": vaults}

    def __call__(self, request: Request) -> Answer:
        for end, answer in self._answers.items():
            if request.path.endswith(end):
                return answer
        return MISSING


def items(*found: Any) -> Answer:
    return Answer(body={"value": list(found)})


def told(directory: Path, script: Offers) -> list[str]:
    with scripted_azure(directory, script, budget=1.0) as azure:
        return list(offers.problems(azure.session))


def test_sufficient_quota_and_offer_are_accepted(tmp_path: Path) -> None:
    usage = {**ENVIRONMENTS, "currentValue": 19}

    assert told(tmp_path, Offers(items(usage), items(CAPABILITY))) == []


def test_full_environment_quota_is_reported(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, Offers(items(ENVIRONMENTS), items(CAPABILITY)))

    assert "has 20 of 20 Container Apps environments" in problem
    assert "locations.container_apps" in problem


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"restricted": "Enabled"}, "is closed to this subscription"),
        (
            {"supportedServerEditions": [{"supportedServerSkus": [{"name": "Standard_B2ms"}]}]},
            "postgresql.sku: Standard_B1ms is not offered to this subscription in",
        ),
        ({"supportedServerVersions": [{"name": "9"}, {"name": "17"}]}, "offers 9, 17, not 16"),
    ],
)
def test_server_that_the_region_does_not_offer_is_reported(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    (problem,) = told(tmp_path, Offers(items(), items({**CAPABILITY, **change})))

    assert words in problem


ODD = [Answer(403), MISSING, Answer(500), items({}), items({"name": 1, "currentValue": "x"}), Answer(body="<html>")]


@pytest.mark.parametrize("answer", ODD)
def test_failed_query_stops_nothing(tmp_path: Path, answer: Answer) -> None:
    assert told(tmp_path, Offers(answer, answer, answer)) == []


VAULT = {
    "name": "Kept",
    "properties": {
        "vaultId": "/subscriptions/s/resourceGroups/other/providers/Microsoft.KeyVault/vaults/Kept",
        "location": "westeurope", "deletionDate": "2026-11-20T10:00:00Z", "scheduledPurgeDate": "2027-02-18T10:00:00Z",
    },
}  # fmt: skip


def test_vault_is_found_in_whatever_region_it_was_deleted(tmp_path: Path) -> None:
    with scripted_azure(tmp_path, Offers(MISSING, MISSING, items({"name": "x"}, VAULT))) as azure:
        deleted = offers.deleted_vault(azure.session, "kept")
        other = offers.deleted_vault(azure.session, "another")

    assert other is None
    assert deleted is not None
    text = offers.held_by("kept", deleted)
    assert "a vault of other in westeurope, deleted 2026-11-20T10:00:00Z" in text
    assert "az keyvault purge --name kept --location westeurope" in text


def test_vault_that_may_not_be_purged_is_not_advised_to_be() -> None:
    text = offers.held_by("kept", {**VAULT["properties"], "purgeProtectionEnabled": True})  # type: ignore[dict-item]

    assert "purge --name" not in text
    assert "2027-02-18T10:00:00Z" in text


# --- through the command ---


def test_vault_deleted_in_another_region_is_named_with_its_purge_command(deployed: Project) -> None:
    """Its group is gone with its state; the name is still held where it was."""
    name = deployed.config()["key_vault"]["name"]
    vault = deployed.state()["resources"]["key_vault"]["id"]
    with deployed.azure() as azure:
        azure.delete(vault, "2026-02-01")
    deployed.change("locations.key_vault", "northeurope")

    failed = deployed.run("--force-step", "check_prerequisites", "--force-step", "create_key_vault")

    assert failed.code == 1
    assert f"az keyvault purge --name {name} --location" in failed.err


def test_unknown_size_is_reported(project: Project) -> None:
    project.change("postgresql.sku", "Standard_B3ms")

    failed = project.run()

    assert failed.code == 1
    assert "postgresql.sku: Standard_B3ms is not offered to this subscription" in failed.err
    assert not [write for write in project.writes() if write.startswith("PUT")]


ROLES = {"Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c"}


def test_owner_of_another_group_may_not_assign_roles_in_ours(project: Project) -> None:
    """On the subscription it is a contributor, who may do all but that; nothing is made."""
    with project.azure() as azure:
        info = azure.control("GET", "/control/info")
        subscription = f"/subscriptions/{info['subscription_id']}"
        group = f"{subscription}/resourceGroups/another"
        azure.send("PUT", group, "2025-04-01", {"location": "eastus2"})
        for scope, role in ((subscription, "Contributor"), (group, "Owner")):
            role_id = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
            properties = {"roleDefinitionId": role_id, "principalId": info["object_id"]}
            assignments = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
            azure.send("PUT", f"{assignments}/{uuid.uuid4()}", "2022-04-01", {"properties": properties})
        listed = azure.send("GET", f"{subscription}/providers/Microsoft.Authorization/roleAssignments", "2022-04-01")
        (owner,) = (
            one["id"]
            for one in listed.json()["value"]
            if one["properties"]["roleDefinitionId"].endswith(ROLES["Owner"])
            and one["properties"]["scope"].lower() == subscription.lower()
        )
        azure.delete(owner, "2022-04-01")

        failed = project.run()

    assert failed.code == 1
    assert "may not assign roles" in failed.err
    assert not project.state()["resources"]
