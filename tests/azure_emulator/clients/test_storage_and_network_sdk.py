"""azure-mgmt-storage, azure-mgmt-network and azure-mgmt-privatedns at their defaults."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.privatedns import PrivateDnsManagementClient
from azure.mgmt.storage import StorageManagementClient
from emulator_client import AzureClient, Json, server_body

ACCOUNT: dict[str, Any] = {"location": "eastus2", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"


@pytest.fixture
def storage(subscription: str, credential: DefaultAzureCredential, azure: AzureClient) -> Iterator[Any]:
    azure.arm.providers.register("Microsoft.Storage")
    with StorageManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def network(subscription: str, credential: DefaultAzureCredential, azure: AzureClient) -> Iterator[Any]:
    azure.arm.providers.register("Microsoft.Network")
    with NetworkManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def dns(subscription: str, credential: DefaultAzureCredential, azure: AzureClient) -> Iterator[Any]:
    azure.arm.providers.register("Microsoft.Network")
    with PrivateDnsManagementClient(credential, subscription) as found:
        yield found


def test_an_account_is_made_read_changed_listed_and_deleted(storage: Any) -> None:
    accounts = storage.storage_accounts
    free = accounts.check_name_availability({"name": "account1", "type": "Microsoft.Storage/storageAccounts"})

    made = accounts.begin_create("rg", "account1", ACCOUNT).result()
    changed = accounts.update("rg", "account1", {"tags": {"a": "b"}, "properties": {"allowBlobPublicAccess": False}})

    assert (free.name_available, made.properties.provisioning_state) == (True, "Succeeded")
    assert made.properties.primary_endpoints.file == "https://account1.file.core.windows.net/"
    assert changed.tags == {"a": "b"}
    assert [item.name for item in accounts.list()] == ["account1"]
    assert [item.name for item in accounts.list_by_resource_group("rg")] == ["account1"]
    keys = accounts.list_keys("rg", "account1").keys_property
    renewed = accounts.regenerate_key("rg", "account1", {"keyName": "key1"}).keys_property
    assert [len(base64.b64decode(item.value)) for item in keys] == [64, 64]
    assert renewed[0].value != keys[0].value and renewed[1].value == keys[1].value
    assert next(iter(storage.usages.list_by_location("eastus2"))).current_value == 1
    accounts.delete("rg", "account1")
    with pytest.raises(ResourceNotFoundError):
        accounts.get_properties("rg", "account1")


def test_names_of_accounts_are_taken_in_the_whole_world(storage: Any, azure: AzureClient) -> None:
    azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", {"location": "eastus2"}))
    storage.storage_accounts.begin_create("other", "account1", ACCOUNT).result()

    with pytest.raises(ResourceExistsError) as taken:
        storage.storage_accounts.begin_create("rg", "account1", ACCOUNT)
    with pytest.raises(HttpResponseError) as invalid:
        storage.storage_accounts.begin_create("rg", "Account-1", ACCOUNT)

    assert taken.value.error.code == "StorageAccountAlreadyTaken"
    assert invalid.value.status_code == 400


def test_shares_and_containers_are_made_changed_listed_and_deleted(storage: Any) -> None:
    storage.storage_accounts.begin_create("rg", "account1", ACCOUNT).result()

    share = storage.file_shares.create("rg", "account1", "data", {"properties": {"shareQuota": 10}})
    changed = storage.file_shares.update("rg", "account1", "data", {"properties": {"shareQuota": 20}})
    storage.blob_containers.create("rg", "account1", "state", {})

    assert (share.file_share_properties.share_quota, changed.file_share_properties.share_quota) == (10, 20)
    assert storage.file_shares.get("rg", "account1", "data").file_share_properties.enabled_protocols == "SMB"
    assert [item.name for item in storage.file_shares.list("rg", "account1")] == ["data"]
    assert [item.name for item in storage.blob_containers.list("rg", "account1")] == ["state"]
    assert storage.file_services.get_service_properties("rg", "account1").name == "default"
    storage.file_shares.delete("rg", "account1", "data")
    storage.blob_containers.delete("rg", "account1", "state")
    assert list(storage.file_shares.list("rg", "account1")) == []
    with pytest.raises(HttpResponseError):
        storage.file_shares.create("rg", "account1", "No_Share", {})


def _network(subnets: list[Json] | None = None) -> Json:
    space = {"addressPrefixes": ["10.0.0.0/16"]}
    return {"location": "eastus2", "properties": {"addressSpace": space, **({"subnets": subnets} if subnets else {})}}


def _subnet(prefix: str, service: str = "") -> Json:
    delegations = [{"name": "it", "properties": {"serviceName": service}}] if service else []
    return {"properties": {"addressPrefix": prefix, "delegations": delegations}}


def test_a_network_and_its_subnets_are_made_read_changed_and_deleted(network: Any) -> None:
    made = network.virtual_networks.begin_create_or_update("rg", "net", _network()).result()
    subnet = network.subnets.begin_create_or_update("rg", "net", "apps", _subnet("10.0.0.0/23")).result()
    tagged = network.virtual_networks.update_tags("rg", "net", {"tags": {"a": "b"}})

    assert (made.properties.provisioning_state, subnet.properties.address_prefix) == ("Succeeded", "10.0.0.0/23")
    assert (tagged.tags, [item.name for item in tagged.properties.subnets]) == ({"a": "b"}, ["apps"])
    assert [item.name for item in network.subnets.list("rg", "net")] == ["apps"]
    assert [item.name for item in network.virtual_networks.list("rg")] == ["net"]
    assert [item.name for item in network.virtual_networks.list_all()] == ["net"]
    network.subnets.begin_delete("rg", "net", "apps").result()
    assert list(network.subnets.list("rg", "net")) == []
    network.virtual_networks.begin_delete("rg", "net").result()
    with pytest.raises(ResourceNotFoundError):
        network.virtual_networks.get("rg", "net")


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.0.0.0/160", "InvalidAddressPrefixFormat"),
        ("10.1.0.0/24", "NetcfgInvalidSubnet"),
        ("10.0.0.128/25", "NetcfgSubnetRangesOverlap"),
    ],
)
def test_a_subnet_lies_in_its_network_beside_the_others(network: Any, prefix: str, code: str) -> None:
    """github.com/Azure/aztfpreflight; learn.microsoft.com/azure/virtual-network, subnets."""
    network.virtual_networks.begin_create_or_update("rg", "net", _network()).result()
    network.subnets.begin_create_or_update("rg", "net", "one", _subnet("10.0.0.0/24")).result()

    with pytest.raises(HttpResponseError) as refused:
        network.subnets.begin_create_or_update("rg", "net", "two", _subnet(prefix))

    assert refused.value.error.code == code


def test_a_zone_and_its_links_are_made_read_listed_and_deleted(dns: Any, network: Any) -> None:
    vnet = network.virtual_networks.begin_create_or_update("rg", "net", _network()).result()
    link = {"location": "global", "properties": {"virtualNetwork": {"id": vnet.id}, "registrationEnabled": False}}

    made = dns.private_zones.begin_create_or_update("rg", "a.private.test", {"location": "global"}).result()
    linked = dns.virtual_network_links.begin_create_or_update("rg", "a.private.test", "net", link).result()

    assert (made.location, linked.properties.virtual_network_link_state) == ("global", "Completed")
    assert dns.private_zones.get("rg", "a.private.test").properties.number_of_virtual_network_links == 1
    assert [item.name for item in dns.private_zones.list()] == ["a.private.test"]
    assert [item.name for item in dns.virtual_network_links.list("rg", "a.private.test")] == ["net"]
    with pytest.raises(ResourceExistsError):
        dns.private_zones.begin_delete("rg", "a.private.test")
    dns.virtual_network_links.begin_delete("rg", "a.private.test", "net").result()
    dns.private_zones.begin_delete("rg", "a.private.test").result()
    with pytest.raises(ResourceNotFoundError):
        dns.private_zones.get("rg", "a.private.test")


def _server(azure: AzureClient, network: Json) -> str:
    """Return the outcome of creating a server in a network."""
    answer = azure.ok(azure.call("PUT", f"{SERVERS}/server-1", server_body(network=network)))
    return str((azure.operation(answer).get("error") or {}).get("code", "Succeeded"))


def test_a_server_goes_into_a_subnet_that_is_delegated_to_it(azure: AzureClient, network: Any, dns: Any) -> None:
    """learn.microsoft.com/azure/postgresql/network, private access."""
    subnets = [
        {"name": "plain", **_subnet("10.0.0.0/24")},
        {"name": "data", **_subnet("10.0.1.0/24", SERVERS)},
    ]
    vnet = network.virtual_networks.begin_create_or_update("rg", "net", _network(subnets)).result()
    zone = dns.private_zones.begin_create_or_update(
        "rg", "dg.private.postgres.database.azure.com", {"location": "global"}
    ).result()
    other = dns.private_zones.begin_create_or_update("rg", "a.private.test", {"location": "global"}).result()
    data, plain = f"{vnet.id}/subnets/data", f"{vnet.id}/subnets/plain"

    assert _server(azure, {"delegatedSubnetResourceId": data}) == "InvalidParameterValue"
    for subnet, chosen in ((plain, zone.id), (f"{vnet.id}/subnets/none", zone.id), (data, other.id)):
        wanted = {"delegatedSubnetResourceId": subnet, "privateDnsZoneArmResourceId": chosen}
        assert _server(azure, wanted) == "InvalidParameterValue"
    assert _server(azure, {"delegatedSubnetResourceId": data, "privateDnsZoneArmResourceId": zone.id}) == "Succeeded"
    assert azure.get(f"{SERVERS}/server-1")["properties"]["network"]["publicNetworkAccess"] == "Disabled"

    with pytest.raises(HttpResponseError) as refused:
        network.subnets.begin_delete("rg", "net", "data")
    assert refused.value.error.code == "InUseSubnetCannotBeDeleted"
