"""Refusals of what is in, below or beside the resources of test_refusals.py, each with the source of its rule.

Where a source gives the rule and not the code, the code is the service's own for bad input.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from certificate_files import HOST, certificate_body
from emulator_client import BUILDS, AzureClient, Json, environment_body
from refusal_cases import APP_BODY, APPS, BASIC, EAST, JOB_BODY, LEARN, SERVER_BODY, filled, with_ingress

from azure_emulator.attach import Attached, EmulatorError

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "azure_emulator"
ENV, APP, JOB = "Microsoft.App/managedEnvironments/env", "Microsoft.App/containerApps/app", "Microsoft.App/jobs/job"
SERVER, REGISTRY = "Microsoft.DBforPostgreSQL/flexibleServers/pg-1", "Microsoft.ContainerRegistry/registries/registry1"
NETWORK, ZONE = "Microsoft.Network/virtualNetworks/net", "Microsoft.Network/privateDnsZones/a.example"
ACCOUNT = "Microsoft.Storage/storageAccounts/account1"
AUTHORIZATION = "Microsoft.Authorization"
PACKAGE_OF = "PyPI azure-mgmt-"
VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
ADMINISTRATOR = f"{SERVER}/administrators/00000000-0000-4000-8000-000000000001"
SPACE: Json = {**EAST, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
STORE: Json = {**EAST, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
BODIES: dict[str, Json] = {
    ENV: environment_body(),
    APP: APP_BODY,
    JOB: JOB_BODY,
    SERVER: SERVER_BODY,
    REGISTRY: BASIC,
    NETWORK: SPACE,
    ZONE: {"location": "global"},
    ACCOUNT: STORE,
}


class Refused(NamedTuple):
    """A request that is refused once `before` is there."""

    before: tuple[str, ...]
    method: str
    path: str
    body: Any
    status: int
    code: str
    source: str


def restricted(*rows: tuple[str, str, str]) -> Json:
    keys = ("name", "ipAddressRange", "action")
    return with_ingress(
        external=True, targetPort=5672, ipSecurityRestrictions=[dict(zip(keys, row, strict=True)) for row in rows]
    )


def dapr(**properties: Any) -> Json:
    return {"properties": {"componentType": "state.redis", "version": "v1", **properties}}


STICKY = {
    **EAST,
    "properties": {
        "environmentId": "{env}",
        "configuration": {
            "activeRevisionsMode": "Multiple",
            "ingress": {"external": True, "targetPort": 5672, "stickySessions": {"affinity": "sticky"}},
        },
        "template": APP_BODY["properties"]["template"],
    },
}
IP = APPS + "ip-restrictions"
NAMED = PACKAGE_OF + "appcontainers"
TASK_RUN = {"type": "TaskRunRequest", "taskId": "{g}/providers/" + f"{REGISTRY}/tasks/none-such"}
# fmt: off
CASES = [
    Refused((ENV,), "PUT", APP, restricted(("a", "10.0.0.0/8", "Allow"), ("b", "11.0.0.0/8", "Deny")), 400,
            "ContainerAppInvalidIpSecurityRestrictions", IP),
    Refused((ENV,), "PUT", APP, restricted(("a", "10.0.0.0/8", "Allow"), ("a", "11.0.0.0/8", "Allow")), 400,
            "ContainerAppInvalidIpSecurityRestrictions", IP),
    Refused((ENV,), "PUT", APP, restricted(("a", "ten", "Allow")), 400,
            "ContainerAppInvalidIpSecurityRestrictions", IP),
    Refused((ENV,), "PUT", APP, STICKY, 400, "ContainerAppInvalidStickySessions", APPS + "sticky-sessions"),
    Refused((ENV,), "PUT", APP, {**EAST, "properties": {"template": {}}}, 400, "ContainerAppInvalidEnvironmentId",
            "Azure/azure-dev error_suggestions.yaml"),
    Refused((ENV, APP), "GET", f"{APP}/revisions/{{revision}}/replicas/none", None, 404, "ContainerAppReplicaNotFound",
            NAMED),
    Refused((ENV, APP), "PUT", f"{APP}/authConfigs/other", {"properties": {}}, 400, "InvalidAuthConfigName", NAMED),
    Refused((ENV,), "PUT", f"{ENV}/certificates/-a", certificate_body(), 400, "InvalidCertificateName", NAMED),
    Refused((ENV,), "PUT", f"{ENV}/certificates/a", certificate_body(password="wrong"), 400, "InvalidCertificate",
            APPS + "custom-domains-certificates"),
    Refused((ENV,), "PUT", f"{ENV}/daprComponents/Upper", dapr(), 400, "DaprComponentInvalidName", NAMED),
    Refused((ENV,), "PUT", f"{ENV}/daprComponents/a", dapr(version=None), 400, "DaprComponentInvalid", NAMED),
    Refused((ENV,), "PUT", f"{ENV}/daprComponents/a", dapr(metadata=[{"name": "k", "secretRef": "none"}]), 400,
            "DaprComponentInvalid", APPS + "dapr-components"),
    Refused((SERVER,), "PUT", f"{SERVER}/administrators/somebody",
            {"properties": {"principalName": "a", "principalType": "User"}}, 400, "InvalidAdministratorId",
            PACKAGE_OF + "postgresqlflexibleservers"),
    Refused((SERVER,), "PUT", ADMINISTRATOR, {"properties": {"principalName": "a", "principalType": "User"}}, 400,
            "AadAuthOperationCannotBePerformedWhenAadAuthIsDisabled",
            "terraform-provider-azurerm postgresql_flexible_server_active_directory_administrator"),
    Refused((ACCOUNT,), "PUT", ACCOUNT, {**STORE, "kind": "BlobStorage"}, 400, "AccountPropertyCannotBeUpdated",
            PACKAGE_OF + "storage"),
    Refused((ACCOUNT,), "POST", f"{ACCOUNT}/regenerateKey", {"keyName": "key9"}, 400,
            "InvalidValuesForRequestParameters", PACKAGE_OF + "storage"),
    Refused((), "PUT", "Microsoft.Storage/storageAccounts/Upper-1", STORE, 400, "AccountNameInvalid",
            LEARN + "azure-resource-manager/management/resource-name-rules"),
    Refused((), "PUT", NETWORK, {**EAST, "properties": {}}, 400, "InvalidRequestFormat", PACKAGE_OF + "network"),
    Refused((NETWORK,), "PUT", f"{NETWORK}/subnets/s", {"properties": {}}, 400, "InvalidRequestFormat",
            PACKAGE_OF + "network"),
    Refused((NETWORK,), "PUT", NETWORK, {**EAST, "properties": {**SPACE["properties"], "virtualNetworkPeerings": [{}]}},
            400, "InvalidRequestContent", "left out here: docs/emulator.md"),
    Refused((REGISTRY,), "GET", f"{REGISTRY}/runs?$filter=color eq 'red'", None, 400, "InvalidFilter",
            "learn.microsoft.com/rest/api/containerregistry/runs/list"),
    Refused((REGISTRY,), "POST", f"{REGISTRY}/scheduleRun", TASK_RUN, 404, "TaskNotFound",
            PACKAGE_OF + "containerregistrytasks"),
    Refused((REGISTRY,), "GET", f"{REGISTRY}/providers/{AUTHORIZATION}/locks/none", None, 404, "LockNotFound",
            PACKAGE_OF + "resource-locks"),
    Refused((), "GET", f"{AUTHORIZATION}/roleAssignments/00000000-0000-4000-8000-000000000001", None, 404,
            "RoleAssignmentNotFound", PACKAGE_OF + "authorization"),
    Refused((), "GET", f"{AUTHORIZATION}/roleAssignments?$filter=color eq 'red'", None, 400, "InvalidFilter",
            LEARN + "role-based-access-control/role-assignments-list-rest"),
    Refused((), "GET", "Microsoft.App/containerApps?$top=none", None, 400, "InvalidTopInQueryString",
            "github.com/Azure/azure-resource-manager-rpc resource-api-reference.md"),
    Refused((), "GET", "Microsoft.App/containerApps?$skiptoken=none", None, 400, "InvalidSkipToken",
            "github.com/Azure/azure-resource-manager-rpc resource-api-reference.md"),
    Refused((), "PUT", "{g}/providers/Microsoft.Resources/tags/other", {"properties": {"tags": {}}}, 400,
            "InvalidTagsName", "learn.microsoft.com/rest/api/resources/tags"),
    Refused((SERVER,), "PUT", f"{SERVER}/databases/main/providers/Microsoft.Resources/tags/default",
            {"properties": {"tags": {}}}, 400, "ResourceDoesNotSupportTags",
            LEARN + "azure-resource-manager/management/tag-support"),
    Refused((REGISTRY,), "POST", "{s}/providers/Microsoft.ContainerRegistry/unregister", None, 409,
            "ConflictingProviderUsage", LEARN + "azure-resource-manager/management/resource-providers-and-types"),
]
# fmt: on


def names(azure: AzureClient) -> dict[str, str]:
    return {"s": azure.subscription, "g": azure.group, "env": f"{azure.group}/providers/{ENV}"}


def make(azure: AzureClient, *paths: str) -> None:
    azure.arm.providers.register("Microsoft.Storage")
    for path in paths:
        azure.put(path, filled(BODIES[path], names(azure)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path[-50:]} {case.code}")
def test_a_request_about_a_part_is_refused_with_status_and_code(azure: AzureClient, case: Refused) -> None:
    make(azure, *case.before)
    if "/databases/main" in case.path:
        azure.put(f"{SERVER}/databases/main", {"properties": {}})
    known = names(azure)
    if APP in case.before:
        known["revision"] = azure.get(APP)["properties"]["latestRevisionName"]
    version = BUILDS if "scheduleRun" in case.path or "/runs" in case.path else ""

    answer = azure.call(case.method, filled(case.path, known), filled(case.body, known), version)

    assert (answer.status_code, azure.error(answer)) == (case.status, case.code), f"{case.source}: {answer.text()}"


def with_domain(azure: AzureClient, *hosts: str, **more: Any) -> Json:
    domains = [{"name": host, "bindingType": "Disabled", **more} for host in hosts]
    return filled(with_ingress(external=True, targetPort=5672, customDomains=domains), names(azure))


def declare_proof(azure: AzureClient, emulator: Attached) -> None:
    proof = azure.get(APP)["properties"]["customDomainVerificationId"]
    emulator.control("POST", "/control/settings", {"dns": {f"asuid.{HOST}": {"TXT": [proof]}}})


def test_a_custom_domain_appears_once_in_an_app_and_in_an_environment(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/container-apps/custom-domains-certificates."""
    make(azure, ENV, APP)
    declare_proof(azure, emulator)
    azure.ok(azure.call("PUT", APP, with_domain(azure, HOST)))

    twice = azure.call("PUT", APP, with_domain(azure, HOST, HOST.upper()))
    elsewhere = azure.call("PUT", "Microsoft.App/containerApps/other", with_domain(azure, HOST))

    assert (twice.status_code, azure.error(twice)) == (400, "InvalidCustomDomain")
    assert (elsewhere.status_code, azure.error(elsewhere)) == (409, "CustomDomainInUse")


def test_a_certificate_in_use_stays(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/container-apps/custom-domains-certificates."""
    make(azure, ENV, APP)
    declare_proof(azure, emulator)
    azure.ok(azure.call("PUT", f"{ENV}/certificates/mine", certificate_body()))
    certificate = f"{names(azure)['env']}/certificates/mine"
    bound = with_domain(azure, HOST, bindingType="SniEnabled", certificateId=certificate)
    azure.ok(azure.call("PUT", APP, bound))

    answer = azure.call("DELETE", f"{ENV}/certificates/mine")

    assert (answer.status_code, azure.error(answer)) == (409, "CertificateInUse")


def test_a_managed_certificate_without_records_fails_in_its_operation(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/container-apps/custom-domains-managed-certificates."""
    make(azure, ENV, APP)
    declare_proof(azure, emulator)
    azure.ok(azure.call("PUT", APP, with_domain(azure, HOST)))
    body = {**EAST, "properties": {"subjectName": HOST, "domainControlValidation": "HTTP"}}

    status = azure.operation(azure.ok(azure.call("PUT", f"{ENV}/managedCertificates/auto", body)))

    assert (status["status"], status["error"]["code"]) == ("Failed", "FailedToIssueCertificate")


def test_a_suspended_job_does_not_start(azure: AzureClient) -> None:
    """PyPI azure-mgmt-appcontainers: jobs/suspend, jobs/resume."""
    make(azure, ENV, JOB)
    azure.ok(azure.call("POST", f"{JOB}/suspend"))

    answer = azure.call("POST", f"{JOB}/start")

    assert (answer.status_code, azure.error(answer)) == (409, "JobSuspended")
    azure.ok(azure.call("POST", f"{JOB}/resume"))
    assert azure.call("POST", f"{JOB}/start").status_code == 200


def test_who_gives_an_identity_to_an_app_needs_a_right_on_it(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/container-apps/managed-identity; …/role-based-access-control/troubleshooting."""
    make(azure, ENV)
    other = f"{azure.subscription}/resourceGroups/other"
    azure.ok(azure.call("PUT", other, EAST))
    identity = azure.put(f"{other}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs", EAST)["id"]
    made = emulator.control("POST", "/control/principals", {"roles": []})
    azure.ok(azure.assign(azure.group, "b24988ac-6180-42a0-ab88-20f7382dd24c", made["object_id"]))
    client = AzureClient(emulator, made["client_id"], made["client_secret"])
    body = filled(APP_BODY, names(azure))
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}

    answer = client.call("PUT", APP, body)

    assert (answer.status_code, client.error(answer)) == (403, "LinkedAuthorizationFailed")


def test_a_database_keeps_its_collation(azure: AzureClient) -> None:
    """PyPI azure-mgmt-postgresqlflexibleservers: charset and collation are of the creation."""
    make(azure, SERVER)
    azure.put(f"{SERVER}/databases/main", {"properties": {"collation": "C"}})

    status = azure.operation(azure.call("PUT", f"{SERVER}/databases/main", {"properties": {"collation": "en_US.utf8"}}))

    assert (status["status"], status["error"]["code"]) == ("Failed", "DatabaseAlreadyExists")


def test_a_zone_with_links_stays(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/dns/private-dns-overview; PyPI azure-mgmt-privatedns."""
    make(azure, NETWORK, ZONE)
    link = {"location": "global", "properties": {"virtualNetwork": {"id": f"{azure.group}/providers/{NETWORK}"}}}
    azure.ok(azure.call("PUT", f"{ZONE}/virtualNetworkLinks/one", link))
    azure.get(f"{ZONE}/virtualNetworkLinks/one")

    answer = azure.call("DELETE", ZONE)

    assert (answer.status_code, azure.error(answer)) == (409, "CannotDeleteResource")


def test_a_task_that_is_switched_off_is_not_run(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/container-registry/container-registry-tasks-overview."""
    make(azure, REGISTRY)
    step = {"type": "Docker", "contextPath": "x", "dockerFilePath": "Dockerfile", "imageNames": ["app:1"]}
    task = {**EAST, "properties": {"platform": {"os": "Linux"}, "step": step, "status": "Disabled"}}
    made = azure.ok(azure.call("PUT", f"{REGISTRY}/tasks/build-app", task, BUILDS)).json()

    run = {"type": "TaskRunRequest", "taskId": made["id"]}
    answer = azure.call("POST", f"{REGISTRY}/scheduleRun", run, BUILDS)

    assert (answer.status_code, azure.error(answer)) == (400, "TaskNotEnabled")


def test_the_vaults_own_address_refuses_in_its_own_words(azure: AzureClient) -> None:
    """PyPI azure-keyvault-secrets; learn.microsoft.com/azure/key-vault/general/common-error-codes."""
    azure.make_vault()
    secret, officer = "https://vault-1.vault.azure.net/secrets/none?api-version=7.5", VAULT_ADMINISTRATOR
    vault = f"{azure.group}/providers/Microsoft.KeyVault/vaults/vault-1"
    token = f"Bearer {azure.token('https://vault.azure.net')}"

    foreign = azure.http("GET", secret, Authorization=f"Bearer {azure.token('https://management.azure.com')}")
    forbidden = azure.http("GET", secret, Authorization=token)
    azure.assign(vault, officer, azure.attached.object_id)
    absent = azure.http("GET", secret, Authorization=token)

    assert (foreign.status, foreign.json()["error"]["code"]) == (401, "Unauthorized")
    assert (forbidden.status, forbidden.json()["error"]["code"]) == (403, "Forbidden")
    assert (absent.status, absent.json()["error"]["code"]) == (404, "SecretNotFound")


def test_the_control_address_says_what_is_wrong(emulator: Attached) -> None:
    for path, body, words in (
        ("/control/faults", {"faults": [{"method": "GET"}]}, "exactly one of status, drop and fail"),
        ("/control/settings", {"images": 5}, "a mapping of patterns is expected"),
    ):
        with pytest.raises(EmulatorError, match=words):
            emulator.control("POST", path, body)


@pytest.mark.parametrize("path", ["settings", "reset", "delete", "principals", "password"])
def test_a_look_at_the_control_address_changes_nothing(emulator: Attached, path: str) -> None:
    with pytest.raises(EmulatorError, match=f"/control/{path} takes POST, not GET"):
        emulator.control("GET", f"/control/{path}")


# No refusal without a test

UNREACHED = {
    "VaultNotFound": "a name without a vault is not served at all: CONNECT is refused first",
    "ContainerAppsJobInvalidConfiguration": "the table of the body wants the trigger's type before",
    "BadFault": "of the control address, which its client shows by its message",
    "BadSetting": "likewise",
    "MethodNotAllowed": "likewise",
    "ServerNotReady": "a state between two operations, for which the operation itself is met first",
}
NO_REFUSALS = {"AppId", "AuditEvent", "ConnectedClientList", "ContainerRegistryRepositoryEvents"}
"""Names that look like codes."""


def _codes() -> set[str]:
    """Every code that a refusal is made with, or that an operation ends with."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                words = node.args[:3] if name in ("Refusal", "gateway", "refuse") else []
            elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
                words = node.elts[:1]
            else:
                continue
            texts = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            found |= {text for text in texts if re.fullmatch(r"[A-Z][a-z]+[A-Z][A-Za-z]+", text)}
    return found - NO_REFUSALS


def test_every_code_of_a_refusal_is_in_a_test() -> None:
    texts = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in (TESTS / "azure_emulator", TESTS / "harness")
        for path in folder.rglob("*.py")
    )
    words = set(re.findall(r"\w+", texts.partition("UNREACHED = {")[0] + texts.partition("NO_REFUSALS = {")[2]))

    assert _codes() - words - set(UNREACHED) == set()
