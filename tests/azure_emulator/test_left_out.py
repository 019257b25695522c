"""Unsupported requests return Azure's errors: never a success."""

from __future__ import annotations

import pytest
from emulator_client import AzureClient

from azure_emulator.core.left_out import FREE, TO_REGISTER
from azure_emulator.core.resource_types import REGISTRY
from azure_emulator.core.versions import namespaces
from azure_emulator.services import catalogue

assert catalogue.MODULES
MACHINE = "Microsoft.Compute/virtualMachines/vm"


def test_a_provider_that_is_not_served_wants_its_registration_first(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-cli: Microsoft.Relay and Microsoft.ApiCenter."""
    refused = azure.call("PUT", MACHINE, {"location": "eastus2"}, "2024-07-01")
    assert (refused.status_code, azure.error(refused)) == (409, "MissingSubscriptionRegistration")
    assert refused.json()["error"]["details"][0]["target"] == "Microsoft.Compute"
    assert azure.arm.providers.get("Microsoft.Compute").registration_state == "NotRegistered"

    azure.arm.providers.register("microsoft.compute")

    assert azure.arm.providers.get("Microsoft.Compute").registration_state == "Registered"
    again = azure.call("PUT", MACHINE, {"location": "eastus2"}, "2024-07-01")
    assert (again.status_code, azure.error(again)) == (404, "InvalidResourceType")
    read = azure.call("GET", "microsoft.compute/virtualMachines", version="2024-07-01")
    assert (read.status_code, azure.error(read)) == (404, "InvalidResourceType")
    azure.arm.providers.unregister("Microsoft.Compute")
    assert azure.arm.providers.get("Microsoft.Compute").registration_state == "NotRegistered"


def test_a_provider_that_needs_no_registration_has_none(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types."""
    query = azure.call("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": "Resources"}, "2021-03-01")

    assert (query.status_code, azure.error(query)) == (404, "InvalidResourceType")
    assert azure.arm.providers.get("Microsoft.ResourceGraph").registration_state == "Registered"


def test_a_preflight_names_the_missing_registration(azure: AzureClient) -> None:
    sent = {
        "provider": "Microsoft.Compute",
        "type": "virtualMachines",
        "location": "eastus2",
        "scope": azure.group,
        "resources": [{"name": "vm", "type": "Microsoft.Compute/virtualMachines", "apiVersion": "2024-07-01"}],
    }

    answer = azure.call("POST", "/providers/Microsoft.Resources/validateResources", sent, "2025-04-01")

    assert "MissingSubscriptionRegistration" in answer.text()


def test_no_provider_is_both_served_and_left_out() -> None:
    assert not {*FREE, *TO_REGISTER} & set(namespaces())
    assert len({name.lower() for name in (*FREE, *TO_REGISTER)}) == len(FREE) + len(TO_REGISTER)
    assert {name.split("/")[0] for name in REGISTRY} <= {name.lower() for name in namespaces()}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "{s}/providers/Microsoft.App/locations/eastus2/usages"),
        ("PUT", "{s}/providers/Microsoft.ContainerRegistry/checkNameAvailability"),
        ("POST", "{s}/resourceGroups"),
        ("DELETE", "{s}/providers/Microsoft.App"),
        ("POST", "{s}/resourceGroups/rg"),
        ("PUT", "{s}/providers/Microsoft.KeyVault/deletedVaults"),
        ("GET", "/providers/Microsoft.Resources/validateResources"),
    ],
)
def test_a_path_that_is_not_a_resource_has_its_own_methods(azure: AzureClient, method: str, path: str) -> None:
    answer = azure.call(method, path.format(s=azure.subscription), {} if method != "GET" else None, "2025-04-01")

    assert (answer.status_code, azure.error(answer)) == (405, "HttpMethodNotSupported")
    assert method not in answer.headers["Allow"].split(", ")
