"""Credentials accepted for a pull, and images that cannot be pulled."""

from __future__ import annotations

from typing import Any

from emulator_client import ACR_PULL, AzureClient, Json

from azure_emulator.attach import Attached

APP = "Microsoft.App/containerApps/app"
PUBLIC = "mcr.microsoft.com/k8se/quickstart:latest"


def app_body(azure: AzureClient, image: str, **configuration: Any) -> Json:
    container = {"name": "app", "image": image, "resources": {"cpu": 0.5, "memory": "1Gi"}}
    return {
        "location": "eastus2",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "environmentId": f"{azure.group}/providers/Microsoft.App/managedEnvironments/env",
            "configuration": configuration,
            "template": {"containers": [container], "scale": {"minReplicas": 1}},
        },
    }


def deploy(azure: AzureClient, image: str, **configuration: Any) -> Json:
    return azure.operation(azure.ok(azure.call("PUT", APP, app_body(azure, image, **configuration))))


def prepare(azure: AzureClient) -> str:
    azure.make_environment()
    registry: str = azure.make_registry()["id"]
    azure.build(registry, {"Dockerfile": "FROM alpine\n"})
    return registry


def test_an_apps_own_identity_pulls_once_it_may(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-apps/managed-identity-image-pull: `identity: system`."""
    registry = prepare(azure)
    assert deploy(azure, PUBLIC)["status"] == "Succeeded"
    azure.assign(registry, ACR_PULL, azure.get(APP)["identity"]["principalId"])

    entry = {"server": "registry1.azurecr.io", "identity": "system"}
    status = deploy(azure, "registry1.azurecr.io/app:1", registries=[entry])

    assert status["status"] == "Succeeded"
    assert azure.get(APP)["properties"]["latestReadyRevisionName"] == "app--0000001"


def test_a_registry_that_the_identity_may_not_pull_from_holds_an_update_up(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-cli-extensions: the image is public, the registry's identity has no role."""
    prepare(azure)
    deploy(azure, PUBLIC)

    status = deploy(azure, PUBLIC, registries=[{"server": "registry1.azurecr.io", "identity": "system"}])

    assert status["status"] == "Failed"
    properties = azure.get(APP)["properties"]
    assert (properties["provisioningState"], properties["deploymentErrors"]) == ("Failed", "Operation expired")
    assert properties["runningStatus"] == "Running"


def test_an_image_may_be_declared_as_one_that_no_one_can_pull(azure: AzureClient, emulator: Attached) -> None:
    azure.make_environment()
    words = "TOOMANYREQUESTS: You have reached your unauthenticated pull rate limit."
    emulator.control("POST", "/control/settings", {"images": {"k8se/*": {"pull_error": words}}})

    assert deploy(azure, PUBLIC)["status"] == "Failed"

    revision = azure.get(f"{APP}/revisions")["value"][0]["properties"]
    assert words in revision["runningStateDetails"]
