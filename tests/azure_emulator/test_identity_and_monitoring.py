"""Identities, Log Analytics, Application Insights and diagnostic settings."""

from __future__ import annotations

from emulator_client import AzureClient, Json

from azure_emulator.attach import Attached

WORKSPACE = "Microsoft.OperationalInsights/workspaces/logs"


def test_an_identity_is_made_at_once_with_ids_that_stay(azure: AzureClient) -> None:
    path = "Microsoft.ManagedIdentity/userAssignedIdentities/app-id"

    created = azure.call("PUT", path, {"location": "eastus2"})
    again = azure.call("PUT", path, {"location": "eastus2", "tags": {"a": "b"}})

    assert (created.status_code, again.status_code) == (201, 200)
    assert "/resourcegroups/" in created.json()["id"]
    assert created.headers["Location"] == created.json()["id"]
    assert again.json()["properties"] == created.json()["properties"]
    assert azure.call("DELETE", path).status_code == 200
    assert azure.make_identity()["properties"]["principalId"] != created.json()["properties"]["principalId"]


def test_a_workspace_is_created_by_an_operation_and_its_sku_comes_back_with_a_date(azure: AzureClient) -> None:
    body = {"location": "eastus2", "properties": {"sku": {"name": "PerGB2018"}, "retentionInDays": 30}}

    created = azure.call("PUT", WORKSPACE, body)

    assert (created.status_code, created.json()["properties"]["provisioningState"]) == (201, "Creating")
    assert "api-version=2015-11-01-preview" in created.headers["Azure-AsyncOperation"]
    assert azure.status(created) == "Succeeded"
    shown = azure.get(WORKSPACE)["properties"]
    assert (shown["provisioningState"], shown["retentionInDays"]) == ("Succeeded", 30)
    assert "lastSkuUpdate" in shown["sku"]
    assert azure.call("PUT", WORKSPACE, body).status_code == 200
    keys = azure.call("POST", f"{WORKSPACE}/sharedKeys").json()
    assert keys == azure.call("POST", f"{WORKSPACE}/sharedKeys").json()


def test_a_deleted_workspace_comes_back_with_its_properties_unless_forced(
    azure: AzureClient, emulator: Attached
) -> None:
    first = azure.make_workspace()["properties"]["customerId"]
    assert azure.call("DELETE", WORKSPACE).status_code == 200

    restored = azure.call("PUT", WORKSPACE, {"location": "eastus2"})

    assert restored.json()["properties"]["provisioningState"] == "Restoring"
    assert restored.json()["properties"]["customerId"] == first
    assert azure.status(restored) == "Succeeded"
    forced = azure.call("DELETE", f"{WORKSPACE}?force=true")
    assert forced.status_code == 202
    assert azure.operation(forced)["status"] == "Succeeded"
    assert azure.make_workspace()["properties"]["customerId"] != first


def test_application_insights_needs_a_workspace_that_exists(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-monitor/app/create-workspace-resource; PyPI azure-mgmt-applicationinsights."""
    path = "Microsoft.Insights/components/ai"
    body: Json = {"location": "eastus2", "kind": "web", "properties": {"Application_Type": "web"}}
    assert azure.call("PUT", path, body).status_code == 400
    body["properties"]["WorkspaceResourceId"] = f"{azure.group}/providers/{WORKSPACE}"
    assert azure.call("PUT", path, body).status_code == 400
    azure.make_workspace()

    created = azure.call("PUT", path, body)

    assert created.status_code == 200
    assert created.json()["properties"]["ConnectionString"].startswith("InstrumentationKey=")
    assert azure.get(path)["properties"]["ConnectionString"] == created.json()["properties"]["ConnectionString"]
    assert azure.get(path)["type"] == "microsoft.insights/components"


def test_a_diagnostic_setting_lists_every_category_and_refuses_unknown_ones(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-cli; github.com/Azure/bicep-registry-modules, avm/res."""
    workspace, environment = azure.make_workspace(), azure.make_environment()
    path = f"{environment['id']}/providers/Microsoft.Insights/diagnosticSettings/logs"
    logs = [{"category": "ContainerAppConsoleLogs", "enabled": True}]

    created = azure.call("PUT", path, {"properties": {"workspaceId": workspace["id"], "logs": logs}})
    unknown = azure.call(
        "PUT", path, {"properties": {"workspaceId": workspace["id"], "logs": [{"category": "Nope", "enabled": True}]}}
    )

    assert (created.status_code, created.json()["location"]) == (200, None)
    shown = azure.get(path)
    assert shown["location"] == "eastus2"
    enabled = {item["category"]: item["enabled"] for item in shown["properties"]["logs"]}
    assert enabled["ContainerAppConsoleLogs"] and not enabled["ContainerAppSystemLogs"]
    assert (unknown.status_code, unknown.json()["code"]) == (400, "BadRequest")
    other = path.replace("/logs", "/second")
    same = azure.call("PUT", other, {"properties": {"workspaceId": workspace["id"], "logs": logs}})
    assert (same.status_code, same.json()["code"]) == (409, "Conflict")
