"""Refusals that no other module's tests ask for; each names the public source that it was written from."""

from __future__ import annotations

import pytest
from emulator_client import AzureClient, Json, environment_body

from draftgenie_azure.emulator.attach import Attached

ENVIRONMENT = "Microsoft.App/managedEnvironments/env"
CONTAINER: Json = {"name": "c", "image": "docker.io/rabbitmq:3", "resources": {"cpu": 0.5, "memory": "1Gi"}}


def app_body(azure: AzureClient) -> Json:
    environment = f"{azure.group}/providers/{ENVIRONMENT}"
    return {
        "location": "eastus2",
        "properties": {"environmentId": environment, "template": {"containers": [CONTAINER]}},
    }


def test_a_request_without_api_version_is_refused(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors."""
    token = azure.token("https://management.azure.com")

    answer = azure.http("GET", f"https://management.azure.com{azure.group}", Authorization=f"Bearer {token}")

    assert (answer.status, answer.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_an_absent_resource_is_named_with_its_group(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-dev, Test_CLI_VsServer/LiveDeployRefresh."""
    answer = azure.call("GET", "Microsoft.App/containerApps/none")

    assert (answer.status_code, azure.error(answer)) == (404, "ResourceNotFound")
    assert "'Microsoft.App/containerApps/none' under resource group 'rg'" in answer.json()["error"]["message"]


def test_an_app_cannot_go_into_an_environment_that_failed(azure: AzureClient, emulator: Attached) -> None:
    """github.com/microsoft/azure-container-apps issue 868."""
    fault = {"method": "PUT", "path": "*/managedEnvironments/*", "fail": "InternalServerError"}
    emulator.control("POST", "/control/faults", {"faults": [fault]})
    azure.status(azure.call("PUT", ENVIRONMENT, environment_body()))

    answer = azure.call("PUT", "Microsoft.App/containerApps/app", app_body(azure))

    assert (answer.status_code, azure.error(answer)) == (400, "ManagedEnvironmentNotProvisioned")


def test_an_environment_takes_one_change_at_a_time(azure: AzureClient, emulator: Attached) -> None:
    """github.com/microsoft/azure-container-apps issues 701 and 1112."""
    azure.make_environment()
    emulator.control("POST", "/control/settings", {"scale": 1})

    first = azure.call("PATCH", ENVIRONMENT, {"tags": {"a": "1"}})
    second = azure.call("PATCH", ENVIRONMENT, {"tags": {"a": "2"}})

    assert first.status_code == 202
    assert (second.status_code, azure.error(second)) == (409, "ManagedEnvironmentOperationInProgress")


def test_an_image_that_is_not_in_the_registry_never_gets_ready(azure: AzureClient) -> None:
    """github.com/hashicorp/terraform-provider-azurerm issue 22432 and the OCI distribution specification's code."""
    azure.make_environment()
    registry = azure.make_registry()
    identity = azure.make_identity()
    azure.assign(registry["id"], "7f951dda-4ed3-4680-a7ca-43fe172d538d", identity["properties"]["principalId"])
    body = app_body(azure)
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    body["properties"]["configuration"] = {
        "registries": [{"server": "registry1.azurecr.io", "identity": identity["id"]}]
    }
    body["properties"]["template"]["containers"] = [{**CONTAINER, "image": "registry1.azurecr.io/none:1"}]

    status = azure.operation(azure.ok(azure.call("PUT", "Microsoft.App/containerApps/app", body)))

    assert (status["status"], status["error"]["code"]) == ("Failed", "ContainerAppOperationError")
    revision = azure.get("Microsoft.App/containerApps/app/revisions")["value"][0]["properties"]
    assert "MANIFEST_UNKNOWN" in revision["runningStateDetails"]


@pytest.mark.parametrize(
    ("status", "code", "source"),
    [
        (403, "RequestDisallowedByPolicy", "Azure/azure-dev error_suggestions.yaml"),
        (400, "LocationIsOfferRestricted", "terraform-provider-azurerm issue 21306"),
        (409, "InsufficientQuota", "Azure/azure-dev error_suggestions.yaml"),
        (400, "MaxNumberOfEnvsExceeded", "learn.microsoft.com/azure/container-apps/quotas"),
        (429, "SubscriptionRequestsThrottled", "learn.microsoft.com request-limits-and-throttling"),
    ],
)
def test_what_depends_on_a_subscriptions_policy_and_quota_is_declared(
    azure: AzureClient, emulator: Attached, status: int, code: str, source: str
) -> None:
    fault = {"method": "PUT", "path": "*/managedEnvironments/*", "status": status, "code": code, "retry_after": 7}
    emulator.control("POST", "/control/faults", {"faults": [fault]})

    refused = azure.call("PUT", ENVIRONMENT, environment_body())

    assert (refused.status_code, azure.error(refused)) == (status, code), source
    assert refused.headers["Retry-After"] == "7"
    assert azure.call("PUT", ENVIRONMENT, environment_body()).status_code == 201
