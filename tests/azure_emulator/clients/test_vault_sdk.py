"""azure-mgmt-keyvault and azure-keyvault-secrets at their defaults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.keyvault import KeyVaultManagementClient
from emulator_client import AzureClient, Json


@pytest.fixture
def client(subscription: str, credential: DefaultAzureCredential) -> Iterator[KeyVaultManagementClient]:
    with KeyVaultManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def body(azure: AzureClient) -> Json:
    return azure.vault_body()


def test_a_vault_is_made_read_changed_listed_and_deleted(client: KeyVaultManagementClient, body: Json) -> None:
    free = client.vaults.check_name_availability({"name": "vault-1", "type": "Microsoft.KeyVault/vaults"})
    made = client.vaults.begin_create_or_update("rg", "vault-1", body).result()
    changed = client.vaults.update("rg", "vault-1", {"tags": {"a": "b"}})

    assert (free.name_available, made.properties.vault_uri) == (True, "https://vault-1.vault.azure.net/")
    assert changed.tags == {"a": "b"}
    assert [item.name for item in client.vaults.list_by_resource_group("rg")] == ["vault-1"]
    assert [item.name for item in client.vaults.list_by_subscription()] == ["vault-1"]
    assert [item.name for item in client.vaults.list()] == ["vault-1"]
    client.vaults.delete("rg", "vault-1")
    with pytest.raises(ResourceNotFoundError):
        client.vaults.get("rg", "vault-1")


def test_a_deleted_vault_is_listed_and_purged(client: KeyVaultManagementClient, body: Json) -> None:
    client.vaults.begin_create_or_update("rg", "vault-1", body).result()
    client.vaults.delete("rg", "vault-1")

    deleted = list(client.vaults.list_deleted())
    assert [(item.name, item.properties.location) for item in deleted] == [("vault-1", "eastus2")]
    assert client.vaults.get_deleted("vault-1", "eastus2").properties.vault_id.endswith("/vaults/vault-1")
    with pytest.raises(ResourceNotFoundError):
        client.vaults.get_deleted("vault-1", "westus2")
    client.vaults.begin_purge_deleted("vault-1", "eastus2").result()
    assert list(client.vaults.list_deleted()) == []


def test_access_policies_are_added_replaced_and_removed(client: KeyVaultManagementClient, body: Json) -> None:
    body["properties"]["enableRbacAuthorization"] = False
    client.vaults.begin_create_or_update("rg", "vault-1", body).result()
    policy = {
        "tenantId": body["properties"]["tenantId"],
        "objectId": "11111111-2222-4333-8444-555555555555",
        "permissions": {"secrets": ["get"]},
    }

    def policies(kind: str, permissions: list[str]) -> list[list[str]]:
        sent = {"properties": {"accessPolicies": [{**policy, "permissions": {"secrets": permissions}}]}}
        client.vaults.update_access_policy("rg", "vault-1", kind, sent)
        shown = client.vaults.get("rg", "vault-1").properties.access_policies
        return [list(item.permissions.secrets) for item in shown]

    assert policies("add", ["get"]) == [["get"]]
    assert policies("add", ["list"]) == [["get", "list"]]
    assert policies("replace", ["set"]) == [["set"]]
    assert policies("remove", ["set"]) in ([], [[]])


def test_network_rules_that_an_update_leaves_out_stay(client: KeyVaultManagementClient, body: Json) -> None:
    """github.com/hashicorp/terraform-provider-azurerm issue 27609, github.com/Azure/azure-sdk-for-net issue 41355."""
    rules = {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "20.0.0.1/32"}]}
    with_rules = {**body, "properties": {**body["properties"], "networkAcls": rules}}
    client.vaults.begin_create_or_update("rg", "vault-1", with_rules).result()

    client.vaults.begin_create_or_update("rg", "vault-1", body).result()
    client.vaults.update("rg", "vault-1", {"properties": {"enabledForDeployment": True}})

    kept = client.vaults.get("rg", "vault-1").properties.network_acls
    assert (kept.default_action, [item.value for item in kept.ip_rules]) == ("Deny", ["20.0.0.1/32"])


def test_a_secret_is_written_by_arm_without_its_value_coming_back(client: KeyVaultManagementClient, body: Json) -> None:
    client.vaults.begin_create_or_update("rg", "vault-1", body).result()

    made = client.secrets.create_or_update("rg", "vault-1", "one", {"properties": {"value": "1"}, "tags": {"a": "b"}})
    changed = client.secrets.update("rg", "vault-1", "one", {"properties": {"contentType": "text/plain"}})

    assert made.properties.value is None and made.tags == {"a": "b"}
    assert changed.properties.content_type == "text/plain"
    assert client.secrets.get("rg", "vault-1", "one").properties.secret_uri.endswith("/secrets/one")
    assert [item.name for item in client.secrets.list("rg", "vault-1")] == ["one"]


def test_keys_are_not_served_and_say_so(client: KeyVaultManagementClient, body: Json) -> None:
    client.vaults.begin_create_or_update("rg", "vault-1", body).result()

    with pytest.raises(HttpResponseError) as refused:
        client.keys.create_if_not_exist("rg", "vault-1", "key", {"properties": {"kty": "RSA"}})

    assert refused.value.status_code == 404
