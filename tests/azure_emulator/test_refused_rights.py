"""Refusals of the emulator for missing permissions, secrets or images."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.rest import HttpResponse
from emulator_client import ACR_PULL, BUILDS, AzureClient, Json, environment_body
from refusal_bodies import Secret, names_of, prepare
from refusal_cases import (
    APP_BODY,
    APPS,
    AUTHORIZATION,
    CONTAINER_APPS,
    EAST,
    ENVIRONMENT,
    ENVIRONMENTS,
    EXTERNAL_TCP,
    IDENTITIES,
    JOB_BODY,
    JOBS,
    LEARN,
    LOCKS,
    REGISTRIES,
    ROLES,
    RUN,
    VAULT_BODY,
    VAULTS,
    WORKSPACES,
    changed,
    filled,
    with_container,
    with_ingress,
    with_template,
)

from azure_emulator.attach import Attached

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
