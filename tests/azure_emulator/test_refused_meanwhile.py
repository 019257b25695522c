"""Refusals of the emulator during other operations."""

from __future__ import annotations

import pytest
from emulator_client import AzureClient
from refusal_bodies import prepare
from refusal_cases import (
    CACHE_BODY,
    CACHES,
    CLI,
    CLUSTER_BODY,
    CLUSTERS,
    CONTAINER_APPS,
    ENVIRONMENT,
    JOBS,
)

from azure_emulator.attach import Attached

# While something else goes on


@pytest.mark.parametrize(
    ("before", "first", "path", "second", "code", "source"),
    [
        ("cluster", "PATCH", f"{CLUSTERS}/redis-1", "PATCH", "Conflict", CLI),
        ("cluster database", "PATCH", f"{CLUSTERS}/redis-1/databases/default", "PATCH", "Conflict", CLI),
        (
            "env",
            "PATCH",
            ENVIRONMENT,
            "DELETE",
            "ManagedEnvironmentOperationInProgress",
            "github.com/microsoft/azure-container-apps issue 1112",
        ),
        (
            "env app",
            "PATCH",
            f"{CONTAINER_APPS}/app",
            "PATCH",
            "ContainerAppOperationInProgress",
            "github.com/microsoft/azure-container-apps issue 1731",
        ),
        (
            "env app",
            "PATCH",
            f"{CONTAINER_APPS}/app",
            "DELETE",
            "ContainerAppOperationInProgress",
            "github.com/microsoft/azure-container-apps issue 1731",
        ),
        (
            "env job",
            "PATCH",
            f"{JOBS}/job",
            "PATCH",
            "ContainerAppsJobOperationInProgress",
            "PyPI azure-cli containerapp",
        ),
        (
            "env job",
            "PATCH",
            f"{JOBS}/job",
            "DELETE",
            "ContainerAppsJobOperationInProgress",
            "PyPI azure-cli containerapp",
        ),
        (
            "env job",
            "PATCH",
            f"{JOBS}/job",
            "POST",
            "ContainerAppsJobOperationInProgress",
            "PyPI azure-cli containerapp",
        ),
    ],
)
def test_a_second_change_during_the_first_is_a_conflict(
    azure: AzureClient, emulator: Attached, before: str, first: str, path: str, second: str, code: str, source: str
) -> None:
    prepare(azure, before)
    emulator.control("POST", "/control/settings", {"scale": 1})
    change = {"properties": {"evictionPolicy": "NoEviction"}} if "databases" in path else {"tags": {"a": "b"}}
    azure.ok(azure.call(first, path, change))

    again = f"{path}/start" if second == "POST" else path
    answer = azure.call(second, again, change if second == "PATCH" else None)

    assert (answer.status_code, azure.error(answer)) == (409, code), source


def test_a_cache_that_is_being_made_takes_no_change(azure: AzureClient, emulator: Attached) -> None:
    """Recorded traffic of Azure/azure-cli, test_redis_cache_*.yaml."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.call("PUT", f"{CACHES}/cache-1", CACHE_BODY))

    answer = azure.call("PATCH", f"{CACHES}/cache-1", {"tags": {}})

    assert (answer.status_code, azure.error(answer)) == (409, "Conflict")


def test_a_database_waits_until_its_cluster_runs(azure: AzureClient, emulator: Attached) -> None:
    """terraform-provider-azurerm internal/services/managedredis waits for resourceState, too."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.call("PUT", f"{CLUSTERS}/redis-1", CLUSTER_BODY))

    answer = azure.call("PUT", f"{CLUSTERS}/redis-1/databases/default", {"properties": {}})

    assert (answer.status_code, azure.error(answer)) == (409, "Conflict")


def test_without_cluster_a_database_has_up_to_25_gigabytes(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-cache-for-redis/retirement-faq."""
    large = {**CLUSTER_BODY, "sku": {"name": "Balanced_B50"}}
    azure.ok(azure.call("PUT", f"{CLUSTERS}/redis-1", large))
    body = {"properties": {"port": 10000, "clusteringPolicy": "NoCluster"}}

    answer = azure.call("PUT", f"{CLUSTERS}/redis-1/databases/default", body)

    assert (answer.status_code, azure.error(answer)) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("before", "path", "state"),
    [
        ("cluster", f"{CLUSTERS}/redis-1", "Deleting"),
        ("cache", f"{CACHES}/cache-1", "Deleting"),
        ("env", ENVIRONMENT, "ScheduledForDelete"),
        ("env app", f"{CONTAINER_APPS}/app", "Deleting"),
        ("env job", f"{JOBS}/job", "Deleting"),
    ],
)
def test_what_is_being_deleted_is_still_shown(
    azure: AzureClient, emulator: Attached, before: str, path: str, state: str
) -> None:
    """github.com/Azure/azure-resource-manager-rpc async-api-reference.md."""
    prepare(azure, before)
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.call("DELETE", path))

    assert azure.get(path)["properties"]["provisioningState"] == state
    emulator.control("POST", "/control/clock", {"advance": 3000})
    gone = azure.call("GET", path)
    emulator.control("POST", "/control/clock", {"advance": -3000})
    assert gone.status_code == 404
