"""Refusals of the emulator, each with its status and code; each names the public source that it was written from.

The tables hold what one request shows; what needs a history has a test of its own, here or beside the service's other
tests.

The emulator does not refuse what depends on facts it does not have. A test declares such
a reply as a fault (path, status, code):

- policies of an organisation: RequestDisallowedByPolicy;
- quota, capacity and offers of a subscription: InsufficientQuota, SubscriptionIsOverQuotaForSku,
  LocationIsOfferRestricted, ParameterOutOfRange "in []";
- load: 429 and its Retry-After, 500, 502, 503, 504, dropped connections;
- other words for the same thing, of which no rule says when they come: FlagMustBeSetForRestore, Conflict,
  RequestConflict, AnotherOperationInProgress, ContainerAppLockConflict;
- tenants to which the older Azure Cache for Redis is closed (the code is not known), and clouds that do not have a
  service.

Nor does it refuse a PostgreSQL password for three characters in a row of the login: that is said of other databases of
Azure alone. The whole login in the password is refused.
"""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.rest import HttpResponse
from emulator_client import BUILDS, NAMESPACES, AzureClient, Json, environment_body
from refusal_bodies import app_body, names_of, prepare
from refusal_cases import (
    APP_CASES,
    ARM_CASES,
    AUTHORIZATION,
    BASIC,
    CACHES,
    CLI,
    CLUSTER_BODY,
    CLUSTERS,
    CONTAINER,
    CONTAINER_APPS,
    CREATIONS,
    EAST,
    ENVIRONMENT,
    ENVIRONMENTS,
    ERRORS,
    IDENTITIES,
    JOBS,
    LOCATION_CASES,
    NAME_CASES,
    PG_PACKAGE,
    PG_STORAGE,
    POSTGRESQL,
    REGISTRIES,
    RULE_BODY,
    SERVER_BODY,
    SERVERS,
    STORE_CASES,
    VAULT_BODY,
    VAULTS,
    WORKSPACES,
    Case,
    filled,
    label,
)

from azure_emulator.attach import Attached


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
        (400, "ManagedEnvironmentNoAvailableCapacityInRegion", "github.com/microsoft/azure-container-apps issue 1272"),
        (400, "SubscriptionIsOverQuotaForSku", "Azure/azure-dev error_suggestions.yaml"),
        (409, "FlagMustBeSetForRestore", "Azure/azure-dev error_suggestions.yaml"),
        (409, "AnotherOperationInProgress", "Azure/azure-dev error_suggestions.yaml"),
        (409, "RequestConflict", "Azure/azure-dev error_suggestions.yaml"),
        (409, "ContainerAppLockConflict", "Azure/azure-dev error_suggestions.yaml"),
        (500, "InternalServerError", "PyPI azure-core pipeline/policies/_retry.py"),
        (502, "BadGateway", "PyPI azure-core pipeline/policies/_retry.py"),
        (503, "ServiceUnavailable", "PyPI azure-core pipeline/policies/_retry.py"),
        (504, "GatewayTimeout", "github.com/Azure/azure-resource-manager-rpc common-api-details.md"),
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


def send(azure: AzureClient, case: Case) -> HttpResponse:
    names = names_of(azure)
    version = BUILDS if "taskRuns" in case.path or "/runs/" in case.path or "scheduleRun" in case.path else ""
    return azure.call(case.method, filled(case.path, names), filled(case.body, names), version)


@pytest.mark.parametrize("case", [*ARM_CASES, *NAME_CASES, *LOCATION_CASES, *STORE_CASES, *APP_CASES], ids=label)
def test_a_request_is_refused_with_status_and_code(azure: AzureClient, case: Case) -> None:
    prepare(azure, case.before)

    answer = send(azure, case)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (case.status, case.code), f"{case.source}: {answer.text()}"
    assert error["message"]


ABSENT = [
    f"{IDENTITIES}/none",
    f"{WORKSPACES}/none",
    "Microsoft.Insights/components/none",
    f"{REGISTRIES}/none12",
    f"{VAULTS}/none",
    f"{SERVERS}/none",
    f"{CLUSTERS}/none",
    f"{CACHES}/none",
    f"{ENVIRONMENTS}/none",
    f"{CONTAINER_APPS}/none",
    f"{JOBS}/none",
    f"{AUTHORIZATION}/locks/none",
    f"{AUTHORIZATION}/roleAssignments/00000000-0000-4000-8000-000000000001",
]


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_there_is_404_to_read_and_204_to_delete(azure: AzureClient, path: str) -> None:
    """github.com/Azure/azure-resource-manager-rpc resource-api-reference.md; recorded traffic of Azure/azure-cli."""
    read, deleted = azure.call("GET", path), azure.call("DELETE", path)

    assert read.status_code == 404
    assert azure.error(read).endswith("NotFound")
    assert (deleted.status_code, deleted.text()) == (204, "")


@pytest.mark.parametrize("path", ["databases/one", "firewallRules/azure"])
def test_a_servers_absent_child_is_204_to_delete(azure: AzureClient, path: str) -> None:
    """Recorded traffic of Azure/azure-cli, test_flexible_server_*.yaml."""
    prepare(azure, "server")

    assert azure.call("GET", f"{SERVERS}/pg-1/{path}").status_code == 404
    assert azure.call("DELETE", f"{SERVERS}/pg-1/{path}").status_code == 204


@pytest.mark.parametrize(
    ("path", "code", "source"),
    [
        (f"{REGISTRIES}/registry1/listCredentials", "NoRegisteredProviderFound", ERRORS),
        (f"{CACHES}/cache-1/listKeys", "NoRegisteredProviderFound", ERRORS),
        (f"{CONTAINER_APPS}/app/listSecrets", "NoRegisteredProviderFound", ERRORS),
        ("{s}/providers/Microsoft.KeyVault/checkNameAvailability", "NoRegisteredProviderFound", ERRORS),
        ("{s}/providers/Microsoft.App/register", "InvalidApiVersionParameter", ERRORS),
    ],
)
def test_actions_have_their_versions_too(azure: AzureClient, path: str, code: str, source: str) -> None:
    answer = azure.call("POST", filled(path, names_of(azure)), {}, "2001-01-01")

    assert (answer.status_code, azure.error(answer)) == (400, code), source


@pytest.mark.parametrize("text", [b"{", b"[]", b"7", b"\xff\xfe", b""])
def test_a_body_that_is_not_an_object_is_refused(azure: AzureClient, text: bytes) -> None:
    """github.com/Azure/azure-resource-manager-rpc common-api-details.md."""
    token = f"Bearer {azure.token('https://management.azure.com')}"
    url = f"https://management.azure.com{azure.group}/providers/{IDENTITIES}/app-id?api-version=2024-11-30"

    answer = azure.http("PUT", url, text, Authorization=token, Content_Type="application/json")

    assert answer.status == 400
    assert answer.json()["error"]["code"] in ("InvalidRequestContent", "LocationRequired")


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_nothing_is_registered_in_a_new_subscription(bare: AzureClient, namespace: str) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types."""
    path, body = {
        "App": (ENVIRONMENT, environment_body()),
        "Cache": (f"{CLUSTERS}/redis-1", CLUSTER_BODY),
        "ContainerRegistry": (f"{REGISTRIES}/registry1", BASIC),
        "DBforPostgreSQL": (f"{SERVERS}/pg-1", SERVER_BODY),
        "Insights": ("Microsoft.Insights/components/ai", EAST),
        "KeyVault": (f"{VAULTS}/vault-1", VAULT_BODY),
        "ManagedIdentity": (f"{IDENTITIES}/app-id", EAST),
        "Network": ("Microsoft.Network/virtualNetworks/net", EAST),
        "OperationalInsights": (f"{WORKSPACES}/logs", EAST),
        "Storage": ("Microsoft.Storage/storageAccounts/account1", EAST),
    }[namespace]
    bare.ok(bare.call("PUT", bare.group, EAST))

    answer = bare.call("PUT", path, filled(body, names_of(bare)))

    assert (answer.status_code, bare.error(answer)) == (409, "MissingSubscriptionRegistration")
    assert answer.json()["error"]["message"].split("'")[1] == f"Microsoft.{namespace}"


# PostgreSQL accepts with 202 and refuses in the operation's status


@pytest.mark.parametrize(("change", "code", "source"), CREATIONS)
def test_a_servers_creation_fails_in_its_status(azure: AzureClient, change: Json, code: str, source: str) -> None:
    body = {**SERVER_BODY, **change, "properties": {**SERVER_BODY["properties"], **change.get("properties", {})}}

    assert failure(azure, azure.call("PUT", f"{SERVERS}/pg-1", body)) == code, source
    assert azure.call("GET", f"{SERVERS}/pg-1").status_code == 404


@pytest.mark.parametrize(
    ("properties", "code", "source"),
    [
        ({"storage": {"storageSizeGB": 32}}, "InvalidParameterValue", PG_STORAGE),
        ({"version": "15"}, "InvalidParameterValue", POSTGRESQL),
        ({"administratorLogin": "other"}, "AdministratorLoginChangeNotAllowed", POSTGRESQL),
        ({"administratorLoginPassword": "short"}, "PasswordNotComplex", POSTGRESQL),
        ({"network": {"delegatedSubnetResourceId": "/subscriptions/x/y"}}, "NetworkModeChangeNotAllowed", POSTGRESQL),
        ({"backup": {"backupRetentionDays": 40}}, "InvalidParameterValue", PG_PACKAGE),
    ],
)
def test_a_servers_change_fails_in_its_status(azure: AzureClient, properties: Json, code: str, source: str) -> None:
    prepare(azure, "server")

    assert failure(azure, azure.call("PATCH", f"{SERVERS}/pg-1", {"properties": properties})) == code, source
    assert azure.get(f"{SERVERS}/pg-1")["properties"]["state"] == "Ready"


def test_the_storage_tier_changes_once_in_twelve_hours(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/postgresql/flexible-server, storage."""
    prepare(azure, "server")

    def to(tier: str, client: AzureClient) -> HttpResponse:
        return client.call("PATCH", f"{SERVERS}/pg-1", {"properties": {"storage": {"tier": tier}}})

    assert azure.status(to("P10", azure)) == "Succeeded"
    assert failure(azure, to("P15", azure)) == "InvalidParameterValue"
    emulator.control("POST", "/control/clock", {"advance": 12 * 3600 + 1})
    later = AzureClient(emulator)  # the other's token has expired
    status = later.status(to("P15", later))
    emulator.control("POST", "/control/clock", {"advance": -12 * 3600 - 1})
    assert status == "Succeeded"


@pytest.mark.parametrize(
    ("path", "properties", "code", "source"),
    [
        (
            "firewallRules/a",
            {"startIpAddress": "9.0.0.0", "endIpAddress": "1.0.0.0"},
            "InvalidParameterValue",
            PG_PACKAGE,
        ),
        (
            "firewallRules/a",
            {"startIpAddress": "1.0.0.0", "endIpAddress": "1.0.0.999"},
            "InvalidParameterValue",
            PG_PACKAGE,
        ),
        ("configurations/none", {"value": "1"}, "ConfigurationNotExists", CLI),
    ],
)
def test_a_servers_child_fails_in_its_status(
    azure: AzureClient, path: str, properties: Json, code: str, source: str
) -> None:
    prepare(azure, "server")

    assert failure(azure, azure.call("PUT", f"{SERVERS}/pg-1/{path}", {"properties": properties})) == code, source


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", SERVER_BODY),
        ("PATCH", "", {"tags": {}}),
        ("DELETE", "", None),
        ("POST", "/restart", None),
        ("PUT", "/databases/one", {"properties": {}}),
        ("PUT", "/firewallRules/azure", RULE_BODY),
        ("PUT", "/configurations/azure.extensions", {"properties": {"value": "PGCRYPTO"}}),
    ],
)
def test_a_server_does_one_thing_at_a_time(
    azure: AzureClient, emulator: Attached, method: str, path: str, body: Any
) -> None:
    """github.com/Azure/bicep-registry-modules issue 4451."""
    prepare(azure, "server")
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.call("PATCH", f"{SERVERS}/pg-1", {"tags": {"a": "b"}}))

    answer = azure.call(method, f"{SERVERS}/pg-1{path}", body)

    assert (answer.status_code, azure.error(answer)) == (409, "ServerBusy")


def failure(azure: AzureClient, answer: HttpResponse) -> str:
    """The code with which an accepted operation failed."""
    assert answer.status_code == 202, answer.text()
    status = azure.operation(answer)
    assert status["status"] == "Failed"
    return str(status["error"]["code"])
