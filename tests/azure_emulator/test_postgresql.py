"""PostgreSQL flexible servers: 202 for everything, refusals in the operation's status."""

from __future__ import annotations

import pytest
from azure.core.rest import HttpResponse
from emulator_client import AzureClient, Json, server_body

from azure_emulator.attach import Attached

SERVER = "Microsoft.DBforPostgreSQL/flexibleServers/pg-1"


def failure(azure: AzureClient, answer: HttpResponse) -> str:
    """The code with which an accepted operation failed."""
    assert answer.status_code == 202, answer.text()
    status = azure.operation(answer)
    assert status["status"] == "Failed"
    return str(status["error"]["code"])


def test_a_server_is_accepted_made_and_shown_without_provisioning_state(azure: AzureClient) -> None:
    created = azure.call("PUT", SERVER, server_body())

    assert (created.status_code, set(created.json())) == (202, {"operation", "startTime"})
    assert {"Azure-AsyncOperation", "Location"} <= set(created.headers)
    assert set(azure.operation(created)) == {"name", "status", "startTime"}
    shown = azure.get(SERVER)
    assert shown["properties"]["state"] == "Ready"
    assert "provisioningState" not in shown["properties"]
    assert "administratorLoginPassword" not in shown["properties"]
    assert shown["properties"]["fullyQualifiedDomainName"] == "pg-1.postgres.database.azure.com"
    assert shown["location"] == "East US 2"


def test_while_it_is_made_it_is_not_there_and_a_second_operation_finds_it_busy(
    azure: AzureClient, emulator: Attached
) -> None:
    """github.com/Azure/bicep-registry-modules issue 4451; github.com/Azure/azure-resource-manager-rpc."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    created = azure.call("PUT", SERVER, server_body())

    assert created.headers["Retry-After"] == "60"
    assert azure.call("GET", SERVER).status_code == 404
    second = azure.call("PUT", SERVER, server_body())
    assert (second.status_code, azure.error(second)) == (409, "ServerBusy")
    emulator.control("POST", "/control/clock", {"advance": 400})
    assert azure.operation(created)["status"] == "Succeeded"
    rule = {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}
    azure.ok(azure.call("PUT", f"{SERVER}/firewallRules/azure", rule))
    busy = azure.call("PUT", f"{SERVER}/databases/one", {"properties": {}})
    assert (busy.status_code, azure.error(busy)) == (409, "ServerBusy")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"properties": {"administratorLoginPassword": "short"}}, "PasswordNotComplex"),
        ({"properties": {"administratorLoginPassword": "draftgenie1A"}}, "PasswordNotComplex"),
        ({"properties": {"administratorLogin": "pg_me"}}, "AdministratorLoginNotAllowed"),
        ({"properties": {"version": "9"}}, "ParameterOutOfRange"),
        ({"properties": {"storage": {"storageSizeGB": 33}}}, "InvalidParameterValue"),
        ({"sku": {"name": "Standard_B1ms", "tier": "GeneralPurpose"}}, "ServerEditionIncompatibleWithSkuSize"),
        ({"sku": {"name": "B_Standard_B1ms", "tier": "Burstable"}}, "InvalidParameterValue"),
        ({"properties": {"highAvailability": {"mode": "ZoneRedundant"}}}, ""),
    ],
)
def test_a_creation_that_is_refused_fails_in_its_status_and_leaves_nothing(
    azure: AzureClient, change: Json, code: str
) -> None:
    """Recorded traffic of Azure/azure-cli; terraform-provider-azurerm, postgresql_flexible_server."""
    sent = server_body(**change.get("properties", {}))
    sent["sku"] = change.get("sku", sent["sku"])

    assert failure(azure, azure.call("PUT", SERVER, sent)) == code
    assert azure.call("GET", SERVER).status_code == 404


@pytest.mark.parametrize(
    "properties",
    [
        {"storage": {"storageSizeGB": 32}},
        {"version": "15"},
        {"administratorLogin": "other"},
        {"administratorLoginPassword": "x"},
        {"network": {"delegatedSubnetResourceId": "/subscriptions/x/subnets/y"}},
    ],
)
def test_a_change_that_is_refused_leaves_the_server_ready(azure: AzureClient, properties: Json) -> None:
    """learn.microsoft.com/azure/postgresql/flexible-server, storage; terraform-provider-azurerm."""
    azure.put(SERVER, server_body(storage={"storageSizeGB": 64}))

    failure(azure, azure.call("PATCH", SERVER, {"properties": properties}))

    shown = azure.get(SERVER)["properties"]
    assert (shown["state"], shown["storage"]["storageSizeGB"], shown["version"]) == ("Ready", 64, "16")


def test_storage_grows_and_version_rises(azure: AzureClient) -> None:
    azure.put(SERVER, server_body())

    change = azure.call("PATCH", SERVER, {"properties": {"storage": {"storageSizeGB": 128}, "version": "17"}})

    assert azure.status(change) == "Succeeded"
    shown = azure.get(SERVER)["properties"]
    assert (shown["storage"]["storageSizeGB"], shown["storage"]["tier"], shown["version"]) == (128, "P10", "17")


def test_names_are_taken_in_the_whole_world(azure: AzureClient) -> None:
    """terraform-provider-azurerm issue 16622; PyPI azure-mgmt-postgresqlflexibleservers."""
    azure.put(SERVER, server_body())
    azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", {"location": "eastus2"}))
    elsewhere = f"{azure.subscription}/resourceGroups/other/providers/{SERVER}"
    check = f"{azure.subscription}/providers/Microsoft.DBforPostgreSQL/locations/eastus2/checkNameAvailability"

    answer = azure.call("POST", check, {"name": "pg-1", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}).json()

    assert (answer["nameAvailable"], answer["reason"]) == (False, "AlreadyExists")
    assert failure(azure, azure.call("PUT", elsewhere, server_body())) == "ServerNameAlreadyExists"


def test_databases_rules_and_configurations_come_and_go(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-cli; learn.microsoft.com/azure/postgresql/flexible-server, extensions."""
    azure.put(SERVER, server_body())
    database = azure.put(f"{SERVER}/databases/speaker", {"properties": {"charset": "utf8", "collation": "en_US.utf8"}})
    rule = azure.put(
        f"{SERVER}/firewallRules/azure", {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}
    )
    extensions = azure.put(f"{SERVER}/configurations/azure.extensions", {"properties": {"value": "UUID-OSSP"}})
    static = azure.put(f"{SERVER}/configurations/max_connections", {"properties": {"value": "100"}})

    assert database["properties"]["charset"] == "UTF8"
    assert rule["properties"]["endIpAddress"] == "0.0.0.0"
    assert (extensions["properties"]["value"], extensions["properties"]["source"]) == ("UUID-OSSP", "user-override")
    assert static["properties"]["isConfigPendingRestart"] is True
    assert azure.status(azure.call("POST", f"{SERVER}/restart")) == "Succeeded"
    assert azure.get(f"{SERVER}/configurations/max_connections")["properties"]["isConfigPendingRestart"] is False
    unknown = azure.call("PUT", f"{SERVER}/configurations/nope", {"properties": {"value": "1"}})
    assert failure(azure, unknown) == "ConfigurationNotExists"
    deletion = azure.call("DELETE", f"{SERVER}/databases/speaker")
    assert (deletion.status_code, azure.status(deletion)) == (202, "Succeeded")
    assert azure.call("DELETE", f"{SERVER}/databases/speaker").status_code == 204


def test_a_deleted_server_is_gone_with_its_children(azure: AzureClient) -> None:
    azure.put(SERVER, server_body())
    azure.put(f"{SERVER}/databases/one", {"properties": {}})

    deletion = azure.call("DELETE", SERVER)

    assert (deletion.status_code, azure.status(deletion)) == (202, "Succeeded")
    assert azure.call("GET", SERVER).status_code == 404
    assert azure.call("DELETE", SERVER).status_code == 204
    azure.put(SERVER, server_body())
    assert azure.call("GET", f"{SERVER}/databases/one").status_code == 404


def test_capabilities_name_sizes_and_versions(azure: AzureClient) -> None:
    path = f"{azure.subscription}/providers/Microsoft.DBforPostgreSQL/locations/eastus2/capabilities"

    found = azure.get(path)["value"][0]

    burstable = next(item for item in found["supportedServerEditions"] if item["name"] == "Burstable")
    assert "Standard_B1ms" in {sku["name"] for sku in burstable["supportedServerSkus"]}
    assert "16" in {version["name"] for version in found["supportedServerVersions"]}
