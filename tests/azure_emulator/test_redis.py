"""Azure Managed Redis and the older Azure Cache for Redis."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import AzureClient, Json

from azure_emulator.attach import Attached

CLUSTER = "Microsoft.Cache/redisEnterprise/redis-1"
DATABASE = f"{CLUSTER}/databases/default"
CACHE = "Microsoft.Cache/redis/cache-1"


def cluster(**properties: Any) -> Json:
    own = {"publicNetworkAccess": "Enabled", "minimumTlsVersion": "1.2", "highAvailability": "Enabled", **properties}
    return {"location": "eastus2", "sku": {"name": "Balanced_B0"}, "properties": own}


def cache(**properties: Any) -> Json:
    sku = {"name": "Basic", "family": "C", "capacity": 0}
    return {"location": "eastus2", "properties": {"sku": sku, **properties}}


def test_a_cluster_has_two_states_and_its_database_waits_for_the_second(azure: AzureClient, emulator: Attached) -> None:
    """Recorded traffic of Azure/azure-cli; terraform-provider-azurerm internal/services/managedredis."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    created = azure.call("PUT", CLUSTER, cluster())

    assert created.status_code == 201
    assert {"Azure-AsyncOperation", "Location"} <= set(created.headers)
    shown = created.json()["properties"]
    assert (shown["provisioningState"], shown["resourceState"]) == ("Creating", "Creating")
    early = azure.call("PUT", DATABASE, {"properties": {}})
    assert early.status_code == 409
    emulator.control("POST", "/control/clock", {"advance": 400})
    assert azure.operation(created)["status"] == "Succeeded"
    assert azure.get(CLUSTER)["properties"]["resourceState"] == "Running"
    assert azure.call("PUT", DATABASE, {"properties": {}}).status_code == 201


def test_access_keys_are_off_unless_asked_for(azure: AzureClient) -> None:
    """github.com/hashicorp/terraform issue 37842."""
    made = azure.put(CLUSTER, cluster())
    assert made["properties"]["hostName"] == "redis-1.eastus2.redis.azure.net"
    database = azure.put(DATABASE, {"properties": {"port": 10000}})
    assert database["properties"]["accessKeysAuthentication"] == "Disabled"
    assert azure.call("POST", f"{DATABASE}/listKeys").status_code == 400

    azure.put(DATABASE, {"properties": {"accessKeysAuthentication": "Enabled"}})

    keys = azure.call("POST", f"{DATABASE}/listKeys").json()
    assert keys["primaryKey"] != keys["secondaryKey"]
    assert keys == azure.call("POST", f"{DATABASE}/listKeys").json()


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"publicNetworkAccess": None}},
        {"sku": {"name": "Enterprise_E10", "capacity": 2}},
        {"sku": {"name": "Balanced_B2"}},
        {"sku": {"name": "Balanced_B0", "capacity": 2}},
    ],
)
def test_a_cluster_that_azure_would_not_make_is_refused(azure: AzureClient, change: Json) -> None:
    """Azure/azure-sdk-for-java pull request 50073; PyPI azure-mgmt-redisenterprise."""
    sent = cluster(**change.get("properties", {}))
    sent["sku"] = change.get("sku", sent["sku"])

    assert azure.call("PUT", CLUSTER, sent).status_code == 400


def test_what_cannot_change_is_refused(azure: AzureClient) -> None:
    """terraform-provider-azurerm website/docs/r/managed_redis; PyPI azure-mgmt-redisenterprise."""
    azure.put(CLUSTER, cluster())
    azure.put(DATABASE, {"properties": {"port": 10000, "clusteringPolicy": "EnterpriseCluster"}})

    assert azure.call("PATCH", CLUSTER, {"properties": {"highAvailability": "Disabled"}}).status_code == 400
    assert azure.call("PATCH", DATABASE, {"properties": {"clusteringPolicy": "NoCluster"}}).status_code == 400
    assert azure.call("PUT", f"{CLUSTER}/databases/other", {"properties": {}}).status_code == 400


def test_deletion_of_a_cluster_answers_with_the_whole_body(azure: AzureClient) -> None:
    azure.put(CLUSTER, cluster())
    azure.put(DATABASE, {"properties": {}})

    deletion = azure.call("DELETE", CLUSTER)

    assert (deletion.status_code, deletion.json()["properties"]["resourceState"]) == (202, "Deleting")
    assert azure.status(deletion) == "Succeeded"
    assert azure.call("GET", DATABASE).status_code == 404


def test_the_older_cache_gives_its_keys_and_ends_its_deletion_by_location(azure: AzureClient) -> None:
    created = azure.call("PUT", CACHE, cache())
    assert created.status_code == 201
    assert created.json()["properties"]["accessKeys"]["primaryKey"]
    assert azure.status(created) == "Succeeded"
    shown = azure.get(CACHE)
    assert (shown["type"], shown["properties"]["accessKeys"]) == ("Microsoft.Cache/Redis", None)
    assert azure.call("POST", f"{CACHE}/listKeys").json() == created.json()["properties"]["accessKeys"]

    deletion = azure.call("DELETE", CACHE)

    assert deletion.status_code == 202
    assert azure.poll(deletion.headers["Location"]).json()["status"] == "Succeeded"
    assert azure.call("GET", CACHE).status_code == 404


def test_a_premium_cache_needs_its_family(azure: AzureClient) -> None:
    """PyPI azure-mgmt-redis."""
    sku = {"name": "Premium", "family": "C", "capacity": 1}

    assert azure.call("PUT", CACHE, cache(sku=sku)).status_code == 400
