"""azure-mgmt-redis and azure-mgmt-redisenterprise at their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.redis import RedisManagementClient
from azure.mgmt.redis.models import (
    CheckNameAvailabilityParameters,
    RedisCreateParameters,
    RedisFirewallRule,
    RedisRegenerateKeyParameters,
    RedisUpdateParameters,
    Sku,
)
from azure.mgmt.redisenterprise import RedisEnterpriseManagementClient


@pytest.fixture
def caches(subscription: str, credential: DefaultAzureCredential) -> Iterator[RedisManagementClient]:
    with RedisManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def clusters(subscription: str, credential: DefaultAzureCredential) -> Iterator[RedisEnterpriseManagementClient]:
    with RedisEnterpriseManagementClient(credential, subscription) as found:
        yield found


def test_a_cache_is_made_read_changed_listed_and_deleted(caches: RedisManagementClient) -> None:
    body = RedisCreateParameters(location="eastus2", sku=Sku(name="Basic", family="C", capacity=0))
    caches.redis.check_name_availability(CheckNameAvailabilityParameters(name="cache-1", type="Microsoft.Cache/Redis"))

    made = caches.redis.begin_create("rg", "cache-1", body).result()
    changed = caches.redis.begin_update("rg", "cache-1", RedisUpdateParameters(tags={"a": "b"})).result()
    keys = caches.redis.list_keys("rg", "cache-1")
    renewed = caches.redis.regenerate_key("rg", "cache-1", RedisRegenerateKeyParameters(key_type="Primary"))

    assert (made.host_name, made.ssl_port) == ("cache-1.redis.cache.windows.net", 6380)
    assert changed.tags == {"a": "b"}
    assert renewed.primary_key != keys.primary_key and renewed.secondary_key == keys.secondary_key
    assert [item.name for item in caches.redis.list_by_resource_group("rg")] == ["cache-1"]
    assert [item.name for item in caches.redis.list_by_subscription()] == ["cache-1"]
    caches.redis.begin_delete("rg", "cache-1").result()
    with pytest.raises(ResourceNotFoundError):
        caches.redis.get("rg", "cache-1")


def test_a_caches_firewall_rules_are_made_read_and_deleted(caches: RedisManagementClient) -> None:
    body = RedisCreateParameters(location="eastus2", sku=Sku(name="Standard", family="C", capacity=1))
    caches.redis.begin_create("rg", "cache-1", body).result()

    rule = RedisFirewallRule(start_ip="10.0.0.1", end_ip="10.0.0.9")
    made = caches.firewall_rules.create_or_update("rg", "cache-1", "office", rule)

    assert (made.start_ip, made.end_ip) == ("10.0.0.1", "10.0.0.9")
    assert len(list(caches.firewall_rules.list("rg", "cache-1"))) == 1
    caches.firewall_rules.delete("rg", "cache-1", "office")
    assert list(caches.firewall_rules.list("rg", "cache-1")) == []


CLUSTER: dict[str, Any] = {
    "location": "eastus2",
    "sku": {"name": "Balanced_B0"},
    "properties": {"publicNetworkAccess": "Enabled", "minimumTlsVersion": "1.2", "highAvailability": "Enabled"},
}
DATABASE: dict[str, Any] = {
    "properties": {"clientProtocol": "Encrypted", "port": 10000, "accessKeysAuthentication": "Enabled"}
}


def test_a_cluster_and_its_database_are_made_read_changed_and_deleted(
    clusters: RedisEnterpriseManagementClient,
) -> None:
    made = clusters.redis_enterprise.begin_create("rg", "cluster-1", CLUSTER).result()
    database = clusters.databases.begin_create("rg", "cluster-1", "default", DATABASE).result()
    changed = clusters.redis_enterprise.begin_update("rg", "cluster-1", {"tags": {"a": "b"}}).result()
    evicting = clusters.databases.begin_update(
        "rg", "cluster-1", "default", {"properties": {"evictionPolicy": "NoEviction"}}
    ).result()

    assert (made.host_name, made.kind) == ("cluster-1.eastus2.redis.azure.net", "v2")
    assert database.resource_state == "Running"
    assert (changed.tags, evicting.eviction_policy) == ({"a": "b"}, "NoEviction")
    assert [item.name for item in clusters.redis_enterprise.list()] == ["cluster-1"]
    assert [item.name for item in clusters.redis_enterprise.list_by_resource_group("rg")] == ["cluster-1"]
    assert [item.name for item in clusters.databases.list_by_cluster("rg", "cluster-1")] == ["default"]
    keys = clusters.databases.list_keys("rg", "cluster-1", "default")
    renewed = clusters.databases.begin_regenerate_key("rg", "cluster-1", "default", {"keyType": "Primary"}).result()
    assert renewed.primary_key != keys.primary_key and renewed.secondary_key == keys.secondary_key
    assert clusters.redis_enterprise.list_skus_for_scaling("rg", "cluster-1").skus
    clusters.databases.begin_flush("rg", "cluster-1", "default", {"ids": []}).result()
    clusters.databases.begin_delete("rg", "cluster-1", "default").result()
    clusters.redis_enterprise.begin_delete("rg", "cluster-1").result()
    with pytest.raises(ResourceNotFoundError):
        clusters.redis_enterprise.get("rg", "cluster-1")


def test_an_access_policy_assignment_is_made_and_deleted(clusters: RedisEnterpriseManagementClient) -> None:
    clusters.redis_enterprise.begin_create("rg", "cluster-1", CLUSTER).result()
    clusters.databases.begin_create("rg", "cluster-1", "default", DATABASE).result()
    body = {
        "properties": {
            "accessPolicyName": "default",
            "user": {"objectId": "11111111-2222-4333-8444-555555555555"},
        }
    }

    made = clusters.access_policy_assignment.begin_create_update("rg", "cluster-1", "default", "app", body).result()

    assert made.access_policy_name == "default"
    assert len(list(clusters.access_policy_assignment.list("rg", "cluster-1", "default"))) == 1
    clusters.access_policy_assignment.begin_delete("rg", "cluster-1", "default", "app").result()
    assert list(clusters.access_policy_assignment.list("rg", "cluster-1", "default")) == []
