"""Refusals of the emulator, each with its status and code; each names the public source that it was written from.

The tables hold what one request shows; what needs a history has a test of its own, here or beside the service's other
tests.

What the emulator does not refuse by itself, because Azure's answer depends on what nobody told it. A test declares such
an answer as a fault (path, status, code):

- policies of an organisation: RequestDisallowedByPolicy;
- quota, capacity and offers of a subscription: InsufficientQuota, SubscriptionIsOverQuotaForSku,
  MaxNumberOfEnvsExceeded, LocationIsOfferRestricted, ParameterOutOfRange "in []";
- load: 429 and its Retry-After, 500, 502, 503, 504, dropped connections;
- other words for the same thing, of which no rule says when they come: FlagMustBeSetForRestore, Conflict,
  RequestConflict, AnotherOperationInProgress, ContainerAppLockConflict;
- tenants to which the older Azure Cache for Redis is closed (the code is not known), and clouds that do not have a
  service;
- what would need the networks themselves: the size of a subnet, addresses that overlap, a domain that is not verified.

Nor does it refuse a PostgreSQL password for three characters in a row of the login: that is said of other databases of
Azure alone. The whole login in the password is refused.
"""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.rest import HttpResponse
from emulator_client import ACR_PULL, BUILDS, NAMESPACES, SECRETS_USER, AzureClient, Json, environment_body
from refusal_cases import (
    APP_BODY,
    APP_CASES,
    APPS,
    ARM_CASES,
    AUTHORIZATION,
    BASIC,
    CACHE_BODY,
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
    EXTERNAL_TCP,
    IDENTITIES,
    JOB_BODY,
    JOBS,
    LEARN,
    LOCATION_CASES,
    LOCKS,
    NAME_CASES,
    PG_PACKAGE,
    PG_STORAGE,
    POSTGRESQL,
    REGISTRIES,
    ROLES,
    RULE_BODY,
    RUN,
    SERVER_BODY,
    SERVERS,
    STORE_CASES,
    VAULT_BODY,
    VAULTS,
    WORKSPACES,
    Case,
    changed,
    filled,
    label,
    with_container,
    with_ingress,
    with_template,
)

from azure_emulator.attach import Attached


def app_body(azure: AzureClient) -> Json:
    environment = f"{azure.group}/providers/{ENVIRONMENT}"
    return {
        "location": "eastus2",
        "properties": {"environmentId": environment, "template": {"containers": [CONTAINER]}},
    }


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


def names_of(azure: AzureClient) -> dict[str, str]:
    environment = f"{azure.group}/providers/{ENVIRONMENT}"
    return {"s": azure.subscription, "g": azure.group, "tenant": azure.attached.tenant_id, "env": environment}


def prepare(azure: AzureClient, what: str) -> None:
    """Makes what a case needs, by its words."""
    bodies: dict[str, tuple[str, Json]] = {
        "identity": (f"{IDENTITIES}/app-id", EAST),
        "workspace": (f"{WORKSPACES}/logs", EAST),
        "registry": (f"{REGISTRIES}/registry1", BASIC),
        "vault": (f"{VAULTS}/vault-1", changed(VAULT_BODY, enableRbacAuthorization=True)),
        "secret": (f"{VAULTS}/vault-1/secrets/jwt", {"properties": {"value": "x"}}),
        "server": (f"{SERVERS}/pg-1", SERVER_BODY),
        "cluster": (f"{CLUSTERS}/redis-1", CLUSTER_BODY),
        "database": (f"{CLUSTERS}/redis-1/databases/default", {"properties": {"port": 10000}}),
        "cache": (f"{CACHES}/cache-1", CACHE_BODY),
        "env": (ENVIRONMENT, environment_body()),
        "plain-env": (ENVIRONMENT, {**EAST, "properties": {}}),
        "app": (f"{CONTAINER_APPS}/app", APP_BODY),
        "job": (f"{JOBS}/job", JOB_BODY),
        "lock": (f"{AUTHORIZATION}/locks/keep", {"properties": {"level": "CanNotDelete"}}),
        "read-only": (f"{AUTHORIZATION}/locks/keep", {"properties": {"level": "ReadOnly"}}),
    }
    for word in what.split():
        if word == "other-group":
            azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", EAST))
            continue
        path, body = bodies[word]
        answer = azure.ok(azure.call("PUT", path, filled(body, names_of(azure))))
        assert azure.status(answer) in ("Succeeded", ""), answer.text()


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
def test_a_body_that_is_no_object_is_refused(azure: AzureClient, text: bytes) -> None:
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


# Rights


CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
DELETED_VAULT = "{s}/providers/Microsoft.KeyVault/locations/eastus2/deletedVaults/vault-1"


@pytest.mark.parametrize(
    ("role", "method", "path", "body", "source"),
    [
        ("", "GET", "{g}", None, ROLES),
        (
            "",
            "POST",
            "{s}/providers/Microsoft.App/register",
            None,
            LEARN + "azure-resource-manager/management/resource-providers-and-types",
        ),
        ("", "GET", DELETED_VAULT, None, LEARN + "key-vault/general/key-vault-recovery"),
        (READER, "PUT", f"{IDENTITIES}/other", EAST, ROLES),
        (READER, "PATCH", f"{IDENTITIES}/app-id", {"tags": {}}, ROLES),
        (READER, "DELETE", f"{IDENTITIES}/app-id", None, ROLES),
        (READER, "POST", f"{WORKSPACES}/logs/sharedKeys", None, ROLES),
        (
            READER,
            "POST",
            f"{REGISTRIES}/registry1/scheduleRun",
            RUN,
            LEARN + "container-registry/container-registry-roles",
        ),
        (READER, "POST", DELETED_VAULT + "/purge", None, LEARN + "key-vault/general/key-vault-recovery"),
        (CONTRIBUTOR, "PUT", f"{AUTHORIZATION}/locks/l", {"properties": {"level": "ReadOnly"}}, LOCKS),
        (CONTRIBUTOR, "DELETE", f"{AUTHORIZATION}/roleAssignments/00000000-0000-4000-8000-000000000001", None, ROLES),
    ],
)
def test_who_lacks_the_role_is_refused(
    azure: AzureClient, emulator: Attached, role: str, method: str, path: str, body: Any, source: str
) -> None:
    prepare(azure, "identity")
    made = emulator.control("POST", "/control/principals", {"roles": [role] if role else []})
    client = AzureClient(emulator, made["client_id"], made["client_secret"])

    version = BUILDS if "scheduleRun" in path else "2025-04-01" if path.endswith("/register") else ""
    answer = client.call(method, filled(path, names_of(azure)), body, version)

    assert (answer.status_code, client.error(answer)) == (403, "AuthorizationFailed"), source
    assert made["object_id"] in answer.json()["error"]["message"]


def test_a_vaults_permission_model_is_switched_by_who_may_assign_roles(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/key-vault/general/rbac-guide."""
    prepare(azure, "vault")
    made = emulator.control("POST", "/control/principals", {"roles": [CONTRIBUTOR]})
    client = AzureClient(emulator, made["client_id"], made["client_secret"])

    answer = client.call("PATCH", f"{VAULTS}/vault-1", {"properties": {"enableRbacAuthorization": False}})

    assert (answer.status_code, client.error(answer)) == (403, "InsufficientPermissions")


def test_a_lock_on_a_resource_keeps_the_roles_given_on_it(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/management/lock-resources."""
    prepare(azure, "registry")
    registry = f"{azure.group}/providers/{REGISTRIES}/registry1"
    given = azure.ok(azure.assign(registry, ACR_PULL, azure.attached.object_id)).json()["id"]
    lock = f"{registry}/providers/{AUTHORIZATION}/locks/keep"
    azure.ok(azure.call("PUT", lock, {"properties": {"level": "CanNotDelete"}}))

    answer = azure.call("DELETE", given)

    assert (answer.status_code, azure.error(answer)) == (409, "ScopeLocked")


def test_a_principal_is_named_by_a_guid(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/role-based-access-control/role-assignments-rest."""
    answer = azure.assign(azure.group, READER, "nobody")

    assert (answer.status_code, azure.error(answer)) == (400, "InvalidPrincipalId")


# Secrets and images by the app's identity


class Secret:
    """An app whose secret is in a vault, with an identity that may or may not read it."""

    def __init__(self, azure: AzureClient) -> None:
        self.azure = azure
        prepare(azure, "env vault secret")
        self.identity = azure.make_identity()
        self.vault = f"{azure.group}/providers/{VAULTS}/vault-1"

    def allow(self) -> None:
        self.azure.ok(self.azure.assign(self.vault, SECRETS_USER, self.identity["properties"]["principalId"]))

    def deploy(self, name: str = "jwt") -> HttpResponse:
        identity = self.identity["id"]
        body = app_body(self.azure)
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
        url = f"https://vault-1.vault.azure.net/secrets/{name}"
        body["properties"]["configuration"] = {"secrets": [{"name": "s", "keyVaultUrl": url, "identity": identity}]}
        return self.azure.call("PUT", f"{CONTAINER_APPS}/app", body)

    def refused(self, answer: HttpResponse) -> None:
        assert (answer.status_code, self.azure.error(answer)) == (400, "InvalidParameterValueInContainerTemplate")
        message = answer.json()["error"]["message"]
        assert f"Unable to get value using Managed identity {self.identity['id']}" in message


@pytest.fixture
def secret(azure: AzureClient) -> Secret:
    return Secret(azure)


def test_a_secret_needs_a_role_that_has_spread(secret: Secret, emulator: Attached) -> None:
    """github.com/microsoft/azure-container-apps issue 1174; learn.microsoft.com/azure/role-based-access-control."""
    secret.refused(secret.deploy())
    emulator.control("POST", "/control/settings", {"scale": 1})
    secret.allow()
    secret.refused(secret.deploy())
    emulator.control("POST", "/control/clock", {"advance": 100})
    assert secret.deploy().status_code == 201


def test_a_secret_that_is_missing_or_empty_or_behind_a_firewall_is_not_got(secret: Secret) -> None:
    """github.com/microsoft/azure-container-apps issues 1174, 722 and 739."""
    secret.allow()
    secret.refused(secret.deploy("none"))
    secret.azure.ok(secret.azure.call("PUT", f"{VAULTS}/vault-1/secrets/empty", {"properties": {"value": ""}}))
    secret.refused(secret.deploy("empty"))
    closed = {"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}}
    secret.azure.ok(secret.azure.call("PATCH", f"{VAULTS}/vault-1", closed))
    secret.refused(secret.deploy())


@pytest.mark.parametrize(
    ("properties", "source"),
    [
        ({"policies": {"azureADAuthenticationAsArmPolicy": {"status": "disabled"}}}, APPS + "tutorial-code-to-cloud"),
        (
            {"roleAssignmentMode": "AbacRepositoryPermissions"},
            LEARN + "container-registry/container-registry-rbac-abac-repository-permissions",
        ),
    ],
)
def test_a_registry_may_refuse_an_identity_that_has_acrpull(azure: AzureClient, properties: Json, source: str) -> None:
    prepare(azure, "env registry")
    registry = f"{azure.group}/providers/{REGISTRIES}/registry1"
    azure.build(registry, {"Dockerfile": "FROM python:3.11\n"})
    identity = azure.make_identity()
    azure.assign(registry, ACR_PULL, identity["properties"]["principalId"])
    azure.ok(azure.call("PATCH", registry, {"properties": properties}))
    body = filled(with_container(image="registry1.azurecr.io/app:1"), names_of(azure))
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    entry = {"server": "registry1.azurecr.io", "identity": identity["id"]}
    body["properties"]["configuration"] = {"registries": [entry]}

    status = azure.operation(azure.ok(azure.call("PUT", f"{CONTAINER_APPS}/app", body)))

    assert (status["status"], status["error"]["code"]) == ("Failed", "ContainerAppOperationError"), source
    revision = azure.get(f"{CONTAINER_APPS}/app/revisions")["value"][0]["properties"]
    assert "UNAUTHORIZED" in revision["runningStateDetails"]


def test_a_build_by_repository_permissions_needs_credentials(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions."""
    prepare(azure, "registry")
    registry = f"{azure.group}/providers/{REGISTRIES}/registry1"
    azure.ok(azure.call("PATCH", registry, {"properties": {"roleAssignmentMode": "AbacRepositoryPermissions"}}))
    files = {"Dockerfile": "FROM python:3.11\n"}

    refused = azure.build(registry, files)
    granted = azure.build(registry, files, credentials={"sourceRegistry": {"identity": "[caller]"}})

    assert (refused["properties"]["status"], granted["properties"]["status"]) == ("Failed", "Succeeded")


def test_a_run_that_has_ended_is_not_canceled(azure: AzureClient) -> None:
    """PyPI azure-mgmt-containerregistrytasks."""
    prepare(azure, "registry")
    run = azure.build(f"{azure.group}/providers/{REGISTRIES}/registry1", {"Dockerfile": "FROM python:3.11\n"})

    answer = azure.call("POST", f"{run['id']}/cancel", version=BUILDS)

    assert (answer.status_code, azure.error(answer)) == (400, "RunCancelNotAllowed")


def test_a_closed_registry_builds_nothing(azure: AzureClient) -> None:
    """github.com/Azure/acr issue 762."""
    closed = {**EAST, "sku": {"name": "Premium"}, "properties": {"publicNetworkAccess": "Disabled"}}
    azure.ok(azure.call("PUT", f"{REGISTRIES}/registry1", closed))

    answer = azure.call("POST", f"{REGISTRIES}/registry1/scheduleRun", RUN, BUILDS)

    assert (answer.status_code, azure.error(answer)) == (403, "Denied")


def test_a_suffix_comes_once_and_an_app_stays_in_its_environment(azure: AzureClient) -> None:
    """terraform-provider-azurerm internal/services/containerapps."""
    prepare(azure, "env")
    azure.make_environment("other")
    names, path = names_of(azure), f"{CONTAINER_APPS}/app"
    for suffix, count in (("one", 1), ("two", 2)):
        body = filled(with_template(revisionSuffix=suffix, scale={"maxReplicas": count}), names)
        assert azure.status(azure.ok(azure.call("PUT", path, body))) == "Succeeded"
    again = azure.call("PUT", path, filled(with_template(revisionSuffix="one", scale={"maxReplicas": 9}), names))
    elsewhere = f"{azure.group}/providers/{ENVIRONMENTS}/other"
    moved = azure.call("PUT", path, changed(filled(APP_BODY, names), environmentId=elsewhere))

    assert (again.status_code, azure.error(again)) == (400, "InvalidParameterValueInContainerTemplate")
    assert "already exists" in again.json()["error"]["message"]
    assert (moved.status_code, azure.error(moved)) == (400, "ContainerAppEnvironmentChangeNotAllowed")


def test_the_exposed_port_of_an_external_tcp_app_is_its_own(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-apps/ingress-overview."""
    properties = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "apps", "properties": {"addressPrefix": "10.0.0.0/23"}}],
    }
    network = azure.put("Microsoft.Network/virtualNetworks/net", {**EAST, "properties": properties}, "2025-05-01")
    subnet = {"vnetConfiguration": {"infrastructureSubnetId": f"{network['id']}/subnets/apps"}}
    azure.ok(azure.call("PUT", ENVIRONMENT, {**EAST, "properties": subnet}))
    body = filled(with_ingress(**EXTERNAL_TCP), names_of(azure))
    azure.ok(azure.call("PUT", f"{CONTAINER_APPS}/one", body))

    external = azure.call("PUT", f"{CONTAINER_APPS}/two", body)
    body["properties"]["configuration"]["ingress"]["external"] = False
    internal = azure.call("PUT", f"{CONTAINER_APPS}/two", body)

    assert (external.status_code, azure.error(external)) == (400, "ContainerAppInvalidIngressExposedPort")
    assert internal.status_code == 201


def test_a_deleted_secret_holds_its_name_until_it_is_recovered_or_purged(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/key-vault/general/soft-delete-overview; PyPI azure-keyvault-secrets."""
    prepare(azure, "vault secret")
    vault = f"{azure.group}/providers/{VAULTS}/vault-1"
    azure.ok(azure.assign(vault, "00482a5a-887f-4fb3-b363-3b7fe8e74483", azure.attached.object_id))
    token = f"Bearer {azure.token('https://vault.azure.net')}"

    def own(method: str, path: str, data: bytes | None = None) -> int:
        url = f"https://vault-1.vault.azure.net/{path}?api-version=7.5"
        return azure.http(method, url, data, Authorization=token).status

    def write() -> HttpResponse:
        return azure.call("PUT", f"{vault}/secrets/jwt", {"properties": {"value": "y"}})

    assert own("DELETE", "secrets/none") == 404
    assert own("DELETE", "secrets/jwt") == 200
    refused = write()
    assert (refused.status_code, azure.error(refused)) == (409, "Conflict")
    assert own("PUT", "secrets/jwt", b'{"value": "z"}') == 409
    assert own("GET", "secrets/jwt") == 404
    assert own("GET", "deletedsecrets/jwt") == own("GET", "deletedsecrets") == 200
    assert own("POST", "deletedsecrets/jwt/recover") == 200
    assert (own("GET", "secrets/jwt"), own("GET", "deletedsecrets/jwt"), write().status_code) == (200, 404, 200)
    assert (own("DELETE", "secrets/jwt"), own("DELETE", "deletedsecrets/jwt")) == (200, 204)
    assert (own("GET", "secrets/jwt"), write().status_code) == (404, 201)


def test_a_vault_is_recovered_where_it_was(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/key-vault/general/key-vault-recovery; PyPI azure-cli, keyvault module."""
    prepare(azure, "vault other-group")
    azure.ok(azure.call("DELETE", f"{VAULTS}/vault-1"))
    body = changed(filled(VAULT_BODY, names_of(azure)), createMode="recover")

    group = azure.call("PUT", f"{azure.subscription}/resourceGroups/other/providers/{VAULTS}/vault-1", body)
    region = azure.call("PUT", f"{VAULTS}/vault-1", {**body, "location": "westus"})

    assert (group.status_code, azure.error(group)) == (409, "VaultAlreadyExists")
    assert (region.status_code, azure.error(region)) == (409, "InvalidResourceLocation")


def test_a_protected_vault_is_not_purged(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/key-vault/general/soft-delete-overview."""
    body = changed(filled(VAULT_BODY, names_of(azure)), enablePurgeProtection=True)
    azure.ok(azure.call("PUT", f"{VAULTS}/vault-1", body))
    azure.ok(azure.call("DELETE", f"{VAULTS}/vault-1"))

    answer = azure.call("POST", filled(DELETED_VAULT, names_of(azure)) + "/purge")

    assert (answer.status_code, azure.error(answer)) == (403, "DeletedVaultPurge")


def test_a_job_cannot_go_into_an_environment_that_is_not_ready(azure: AzureClient, emulator: Attached) -> None:
    """Azure/azure-dev error_suggestions.yaml."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.call("PUT", ENVIRONMENT, environment_body()))

    answer = azure.call("PUT", f"{JOBS}/job", filled(JOB_BODY, names_of(azure)))

    assert (answer.status_code, azure.error(answer)) == (400, "ManagedEnvironmentNotReadyForAppCreation")


def test_the_status_of_no_operation_is_not_found(azure: AzureClient) -> None:
    """github.com/Azure/azure-resource-manager-rpc async-api-reference.md: the status could not be read."""
    made = azure.ok(azure.call("PUT", ENVIRONMENT, environment_body()))
    address, _, query = made.headers["Azure-AsyncOperation"].partition("?")

    answer = azure.poll(f"{address.rpartition('/')[0]}/00000000-0000-4000-8000-000000000009?{query}")

    assert (answer.status_code, azure.error(answer)) == (404, "OperationNotFound")


def test_a_repository_that_is_not_there_is_an_unknown_name(azure: AzureClient) -> None:
    """The OCI distribution specification's codes; PyPI azure-cli, acr/_docker_utils.py."""
    prepare(azure, "registry")
    base, service = "https://registry1.azurecr.io", "service=registry1.azurecr.io"
    login = f"grant_type=access_token&{service}&access_token={azure.token('https://management.azure.com')}"
    refresh = azure.http("POST", f"{base}/oauth2/exchange", login.encode()).json()["refresh_token"]
    form = f"grant_type=refresh_token&{service}&scope=repository:none:pull&refresh_token={refresh}"
    token = azure.http("POST", f"{base}/oauth2/token", form.encode()).json()["access_token"]

    answer = azure.http("GET", f"{base}/v2/none/manifests/1", Authorization=f"Bearer {token}")
    foreign = azure.http(
        "POST", f"{base}/oauth2/exchange", f"grant_type=access_token&{service}&access_token=x".encode()
    )

    assert (answer.status, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    assert (foreign.status, foreign.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
