"""Checks of Azure Resource Manager itself, for any service."""

from __future__ import annotations

import uuid

import pytest
from emulator_client import AzureClient, Json

from azure_emulator.attach import Attached

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/app-id"
BODY: Json = {"location": "eastus2"}


def test_a_write_to_an_unregistered_namespace_is_refused_until_it_is_registered(bare: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types;
    recorded traffic of Azure/azure-cli."""
    bare.ok(bare.call("PUT", bare.group, BODY))

    refused = bare.call("PUT", IDENTITY, BODY)

    assert (refused.status_code, bare.error(refused)) == (409, "MissingSubscriptionRegistration")
    assert refused.json()["error"]["message"].split("'")[1] == "Microsoft.ManagedIdentity"
    assert bare.arm.providers.get("Microsoft.ManagedIdentity").registration_state == "NotRegistered"
    bare.arm.providers.register("Microsoft.ManagedIdentity")
    assert bare.call("PUT", IDENTITY, BODY).status_code == 201
    assert bare.arm.providers.get("Microsoft.ManagedIdentity").registration_state == "Registered"


@pytest.mark.parametrize(
    ("version", "code"),
    [("2019-13", "InvalidApiVersionParameter"), ("2019-01-01", "NoRegisteredProviderFound")],
)
def test_an_unknown_api_version_is_refused(azure: AzureClient, version: str, code: str) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors."""
    answer = azure.call("GET", IDENTITY, version=version)

    assert (answer.status_code, azure.error(answer)) == (400, code)
    assert answer.headers["x-ms-failure-cause"] == "gateway"


def test_requests_without_or_with_a_foreign_token_are_refused(azure: AzureClient) -> None:
    """Azure/azure-dev error_suggestions.yaml; azure-mgmt-core's ARMChallengeAuthenticationPolicy reads the header."""
    url = f"https://management.azure.com{azure.group}?api-version=2025-04-01"

    missing, foreign = azure.http("GET", url), azure.http("GET", url, Authorization="Bearer a.b.c")

    assert (missing.status, missing.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert "authorization_uri" in missing.headers["WWW-Authenticate"]
    assert (foreign.status, foreign.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_an_expired_token_is_refused(azure: AzureClient, emulator: Attached) -> None:
    """Azure/azure-dev error_suggestions.yaml."""
    emulator.control("POST", "/control/clock", {"advance": 7200})

    answer = azure.call("GET", azure.group)

    emulator.control("POST", "/control/clock", {"advance": -7200})
    assert (answer.status_code, azure.error(answer)) == (401, "ExpiredAuthenticationToken")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("{s}/resourceGroups/none/providers/" + IDENTITY, BODY, 404, "ResourceGroupNotFound"),
        ("{g}/providers/" + IDENTITY, {}, 400, "LocationRequired"),
        ("{g}/providers/" + IDENTITY, {"location": "moon"}, 400, "LocationNotAvailableForResourceType"),
        ("{g}/providers/" + IDENTITY, {"location": "eastus2", "color": 1}, 400, "InvalidRequestContent"),
        ("{g}/providers/" + IDENTITY, {"location": "eastus2", "tags": {"a<b": "c"}}, 400, "InvalidTagNameCharacters"),
        ("{g}/providers/Microsoft.App/managedEnvironments/e/storages/s", {}, 404, "ParentResourceNotFound"),
        ("{g}/providers/Microsoft.Nothing/things/x", BODY, 404, "InvalidResourceNamespace"),
        ("{g}/providers/Microsoft.App/things/x", BODY, 404, "InvalidResourceType"),
        ("{s}/resourceGroups/ends-with-dot.", BODY, 400, "InvalidResourceGroup"),
    ],
)
def test_arm_refuses_what_no_service_would_see(
    azure: AzureClient, path: str, body: Json, status: int, code: str
) -> None:
    """learn.microsoft.com/azure/azure-resource-manager: troubleshooting/common-deployment-errors,
    management/resource-name-rules, management/tag-resources."""
    answer = azure.call("PUT", path.format(s=azure.subscription, g=azure.group), body)

    assert (answer.status_code, azure.error(answer)) == (status, code)


def test_another_subscription_is_not_found(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors."""
    answer = azure.call("GET", f"/subscriptions/{uuid.uuid4()}/resourceGroups/rg")

    assert (answer.status_code, azure.error(answer)) == (404, "SubscriptionNotFound")


def test_a_name_that_exists_elsewhere_in_the_group_keeps_its_location(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors."""
    azure.make_identity()

    answer = azure.call("PUT", IDENTITY, {"location": "westus"})

    assert (answer.status_code, azure.error(answer)) == (409, "InvalidResourceLocation")


def test_paths_compare_without_case_and_with_double_slashes(azure: AzureClient) -> None:
    made = azure.make_identity("Mixed")

    path = f"{azure.group.lower()}/providers/microsoft.managedidentity//USERASSIGNEDIDENTITIES/mixed"

    assert azure.get(path)["id"] == made["id"]


def test_a_group_is_made_changed_found_and_deleted(bare: AzureClient) -> None:
    """Recorded traffic of Azure/azure-dev; learn.microsoft.com/azure/azure-resource-manager/troubleshooting."""
    assert bare.call("HEAD", bare.group).status_code == 404
    created = bare.call("PUT", bare.group, {"location": "eastus2", "tags": {"a": "1"}})
    assert created.status_code == 201
    assert created.json()["properties"] == {"provisioningState": "Succeeded"}
    assert bare.call("PUT", bare.group, BODY).status_code == 200
    assert "tags" not in bare.get(bare.group)
    assert bare.call("HEAD", bare.group).status_code == 204
    elsewhere = bare.call("PUT", bare.group, {"location": "westus"})
    assert (elsewhere.status_code, bare.error(elsewhere)) == (409, "InvalidResourceGroupLocation")

    deletion = bare.call("DELETE", bare.group)

    assert (deletion.status_code, deletion.text()) == (202, "")
    end = bare.poll(deletion.headers["Location"])
    assert (end.status_code, end.text()) == (200, "")
    assert bare.error(bare.call("GET", bare.group)) == "ResourceGroupNotFound"


def test_deleting_a_group_takes_all_along_and_leaves_what_azure_keeps(azure: AzureClient) -> None:
    vault, customer = azure.make_vault(), azure.make_workspace()["properties"]["customerId"]
    azure.make_environment()
    deletion = azure.call("DELETE", azure.group)
    azure.poll(deletion.headers["Location"])

    deleted = f"{azure.subscription}/providers/Microsoft.KeyVault/locations/eastus2/deletedVaults/vault-1"
    assert azure.get(deleted)["properties"]["vaultId"] == vault["id"]
    azure.make_group()
    assert azure.get(f"{azure.group}/resources")["value"] == []
    assert azure.make_workspace()["properties"]["customerId"] == customer


def test_a_group_that_is_being_deleted_takes_no_writes(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.call("DELETE", azure.group))

    assert azure.get(azure.group)["properties"]["provisioningState"] == "Deleting"
    assert azure.error(azure.call("PUT", IDENTITY, BODY)) == "ResourceGroupBeingDeleted"


def test_a_lock_stops_deletion_of_what_it_covers_and_of_the_group(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/lock-resources;
    terraform-provider-azurerm issues 17478 and 11770."""
    identity = azure.make_identity()
    lock = f"{identity['id']}/providers/Microsoft.Authorization/locks/keep"
    assert azure.call("PUT", lock, {"properties": {"level": "CanNotDelete"}}).status_code == 201

    for path in (identity["id"], azure.group):
        answer = azure.call("DELETE", path)
        assert (answer.status_code, azure.error(answer)) == (409, "ScopeLocked")

    assert azure.call("DELETE", lock).status_code == 200
    assert azure.call("DELETE", identity["id"]).status_code == 200


def test_a_read_only_lock_stops_writes_and_actions(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/lock-resources."""
    workspace = azure.make_workspace()
    azure.ok(
        azure.call(
            "PUT", f"{azure.group}/providers/Microsoft.Authorization/locks/l", {"properties": {"level": "ReadOnly"}}
        )
    )

    for method, path in (("PATCH", workspace["id"]), ("POST", f"{workspace['id']}/sharedKeys")):
        assert azure.error(azure.call(method, path, {})) == "ScopeLocked"


def test_listings_filter_by_type_name_group_and_tag_and_expand(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-dev; PyPI azure-mgmt-resource."""
    azure.make_identity()
    azure.put("Microsoft.OperationalInsights/workspaces/logs", {"location": "eastus2", "tags": {"env": "x"}})
    base = f"{azure.subscription}/resources?$filter="

    by_type = azure.get(base + "resourceType eq 'Microsoft.OperationalInsights/workspaces' and name eq 'LOGS'")["value"]
    by_tag = azure.get(base + "tagName eq 'env' and tagValue eq 'x'")["value"]
    expanded = azure.get(f"{base}resourceGroup eq 'RG'&$expand=createdTime,provisioningState")["value"]

    assert [row["name"] for row in by_type] == ["logs"]
    assert by_tag[0]["managedBy"] == ""
    assert {row["name"] for row in expanded} == {"app-id", "logs"}
    assert all(row["provisioningState"] == "Succeeded" and "createdTime" in row for row in expanded)
    assert len(azure.get(f"{azure.group}/resources?$top=1")["value"]) == 1
    assert azure.error(azure.call("GET", base + "plan eq 3")) == "InvalidFilterInQueryString"


def test_ids_and_remaining_calls_come_in_headers(azure: AzureClient) -> None:
    read = azure.call("GET", azure.group, x_ms_correlation_request_id="abc")
    write = azure.call("PUT", IDENTITY, BODY)

    assert read.headers["x-ms-correlation-request-id"] == "abc"
    assert int(read.headers["x-ms-ratelimit-remaining-subscription-reads"]) > 0
    assert int(write.headers["x-ms-ratelimit-remaining-subscription-writes"]) > 0
    assert write.headers["x-ms-operation-identifier"].startswith(f"tenantId={azure.attached.tenant_id}")


def test_poll_addresses_are_signed_and_longer_than_three_thousand_characters(azure: AzureClient) -> None:
    """github.com/Azure/azure-resource-manager-rpc async-api-reference.md; recorded traffic of Azure/azure-dev."""
    answer = azure.call("PUT", "Microsoft.App/managedEnvironments/env", {"location": "eastus2", "properties": {}})

    assert len(answer.headers["Azure-AsyncOperation"]) > 3000
    bad = azure.poll(answer.headers["Azure-AsyncOperation"].replace("2026-01-01", "2020-01-01"))
    assert azure.error(bad) == "NoRegisteredProviderFound"


def test_operations_take_their_scaled_time_and_say_when_to_come_back(azure: AzureClient, emulator: Attached) -> None:
    emulator.control("POST", "/control/settings", {"scale": 1})

    answer = azure.call("PUT", "Microsoft.App/managedEnvironments/env", {"location": "eastus2", "properties": {}})

    assert answer.headers["Retry-After"] == "15"
    assert azure.operation(answer)["status"] == "InProgress"
    emulator.control("POST", "/control/clock", {"advance": 200})
    assert azure.operation(answer)["status"] == "Succeeded"


def test_a_request_for_a_host_that_is_not_azure_is_refused(azure: AzureClient) -> None:
    with pytest.raises(OSError, match="403"):
        azure.http("GET", "https://example.com/")
