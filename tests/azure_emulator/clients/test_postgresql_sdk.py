"""azure-mgmt-postgresqlflexibleservers at its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
from emulator_client import server_body

BODY = server_body(
    storage={"storageSizeGB": 32, "autoGrow": "Enabled"},
    backup={"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"},
    highAvailability={"mode": "Disabled"},
)


@pytest.fixture
def client(subscription: str, credential: DefaultAzureCredential) -> Iterator[PostgreSQLManagementClient]:
    with PostgreSQLManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def server(client: PostgreSQLManagementClient) -> Any:
    return client.servers.begin_create_or_update("rg", "server-1", BODY).result()


def test_a_server_is_made_read_changed_listed_and_deleted(client: PostgreSQLManagementClient, server: Any) -> None:
    changed = client.servers.begin_update(
        "rg", "server-1", {"tags": {"a": "b"}, "properties": {"storage": {"storageSizeGB": 64}}}
    ).result()

    assert server.properties.fully_qualified_domain_name == "server-1.postgres.database.azure.com"
    assert (server.properties.storage.auto_grow, server.properties.state) == ("Enabled", "Ready")
    assert (changed.properties.storage.storage_size_gb, changed.tags) == (64, {"a": "b"})
    assert [item.name for item in client.servers.list_by_resource_group("rg")] == ["server-1"]
    assert [item.name for item in client.servers.list_by_subscription()] == ["server-1"]
    client.servers.begin_delete("rg", "server-1").result()
    with pytest.raises(ResourceNotFoundError):
        client.servers.get("rg", "server-1")


def test_databases_and_rules_are_made_read_listed_and_deleted(client: PostgreSQLManagementClient, server: Any) -> None:
    rule = {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}

    made = client.databases.begin_create("rg", "server-1", "users", {"properties": {"charset": "UTF8"}}).result()
    client.firewall_rules.begin_create_or_update("rg", "server-1", "azure", rule).result()

    assert (made.name, made.properties.collation) == ("users", "en_US.utf8")
    assert {item.name for item in client.databases.list_by_server("rg", "server-1")} > {"users", "postgres"}
    assert [item.name for item in client.firewall_rules.list_by_server("rg", "server-1")] == ["azure"]
    client.databases.begin_delete("rg", "server-1", "users").result()
    client.firewall_rules.begin_delete("rg", "server-1", "azure").result()
    with pytest.raises(ResourceNotFoundError):
        client.databases.get("rg", "server-1", "users")
    assert list(client.firewall_rules.list_by_server("rg", "server-1")) == []


def _value(client: PostgreSQLManagementClient, name: str) -> Any:
    return client.configurations.get("rg", "server-1", name).properties


def test_a_dynamic_parameter_works_at_once_and_a_static_one_after_a_restart(
    client: PostgreSQLManagementClient, server: Any
) -> None:
    for name, value in (("work_mem", "8192"), ("max_connections", "60")):
        body = {"properties": {"value": value, "source": "user-override"}}
        client.configurations.begin_update("rg", "server-1", name, body).result()

    dynamic, static = _value(client, "work_mem"), _value(client, "max_connections")
    assert (dynamic.value, dynamic.is_dynamic_config, dynamic.is_config_pending_restart) == ("8192", True, False)
    assert (static.value, static.is_dynamic_config, static.is_config_pending_restart) == ("60", False, True)
    assert static.allowed_values == "25-5000" and static.data_type == "Integer"
    client.servers.begin_restart("rg", "server-1").result()
    assert _value(client, "max_connections").is_config_pending_restart is False
    names = [item.name for item in client.configurations.list_by_server("rg", "server-1")]
    assert {"azure.extensions", "max_connections", "shared_preload_libraries"} <= set(names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("azure.extensions", "UUID-OSSP,NO_SUCH_EXTENSION"),
        ("max_connections", "6000"),
        ("max_connections", "many"),
        ("require_secure_transport", "maybe"),
        ("shared_preload_libraries", "no_such_library"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(
    client: PostgreSQLManagementClient, server: Any, name: str, value: str
) -> None:
    """learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions: only those listed can be allowed."""
    before = _value(client, name).value

    with pytest.raises(HttpResponseError) as refused:
        client.configurations.begin_update("rg", "server-1", name, {"properties": {"value": value}}).result()

    assert "InvalidParameterValue" in str(refused.value)
    assert _value(client, name).value == before


def test_allowed_extensions_are_taken_in_any_case(client: PostgreSQLManagementClient, server: Any) -> None:
    body = {"properties": {"value": "UUID-OSSP,pgcrypto,VECTOR", "source": "user-override"}}

    client.configurations.begin_put("rg", "server-1", "azure.extensions", body).result()

    assert _value(client, "azure.extensions").value == "UUID-OSSP,pgcrypto,VECTOR"


def test_a_stopped_server_takes_no_change_until_it_is_started(client: PostgreSQLManagementClient, server: Any) -> None:
    """github.com/turbot/steampipe-plugin-azure issue 1015: 400 ServerStoppedError, reads of parameters as well."""
    client.servers.begin_stop("rg", "server-1").result()
    assert client.servers.get("rg", "server-1").properties.state == "Stopped"

    refused = []
    for attempt in (
        lambda: client.servers.begin_update("rg", "server-1", {"properties": {"storage": {"storageSizeGB": 64}}}),
        lambda: client.configurations.get("rg", "server-1", "work_mem"),
        lambda: list(client.configurations.list_by_server("rg", "server-1")),
        lambda: client.databases.begin_create("rg", "server-1", "users", {"properties": {}}),
        lambda: client.servers.begin_restart("rg", "server-1"),
    ):
        with pytest.raises(HttpResponseError) as error:
            attempt()
        refused.append(error.value.error.code)

    assert refused == ["ServerStoppedError"] * 5
    client.servers.begin_start("rg", "server-1").result()
    assert client.servers.get("rg", "server-1").properties.state == "Ready"
    assert _value(client, "work_mem").value == "4096"


def test_names_capabilities_and_quota_are_asked(client: PostgreSQLManagementClient, server: Any) -> None:
    kind = "Microsoft.DBforPostgreSQL/flexibleServers"
    free = client.name_availability.check_with_location("eastus2", {"name": "server-2", "type": kind})
    taken = client.name_availability.check_globally({"name": "server-1", "type": kind})
    found = next(iter(client.capabilities_by_location.list("eastus2")))

    assert (free.name_available, taken.name_available) == (True, False)
    assert {item.name for item in found.supported_server_editions} == {
        "Burstable",
        "GeneralPurpose",
        "MemoryOptimized",
    }
    features = {item.name: item.status for item in found.supported_features}
    assert features["OfferRestricted"] == "Disabled"
    cores = {item.name.value: (item.current_value, item.limit) for item in client.quota_usages.list("eastus2")}
    assert cores["cores"][0] == 1


def test_what_a_server_has_by_itself_is_read(client: PostgreSQLManagementClient, server: Any) -> None:
    assert list(client.administrators_microsoft_entra.list_by_server("rg", "server-1")) == []
    assert list(client.replicas.list_by_server("rg", "server-1")) == []
    assert list(client.virtual_endpoints.list_by_server("rg", "server-1")) == []
    assert client.private_dns_zone_suffix.get() == "private.postgres.database.azure.com"


def test_an_entra_administrator_is_added_and_removed(client: PostgreSQLManagementClient) -> None:
    auth = {"activeDirectoryAuth": "Enabled", "passwordAuth": "Enabled"}
    client.servers.begin_create_or_update(
        "rg", "server-1", {**BODY, "properties": {**BODY["properties"], "authConfig": auth}}
    ).result()
    who = "11111111-2222-4333-8444-555555555555"
    body = {"properties": {"principalName": "admins", "principalType": "Group"}}

    made = client.administrators_microsoft_entra.begin_create_or_update("rg", "server-1", who, body).result()

    assert (made.properties.object_id, made.properties.principal_name) == (who, "admins")
    client.administrators_microsoft_entra.begin_delete("rg", "server-1", who).result()
    assert list(client.administrators_microsoft_entra.list_by_server("rg", "server-1")) == []
