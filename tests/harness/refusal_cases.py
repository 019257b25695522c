"""Requests that Azure refuses as they are, in tables: what is sent, the status and code, and who says so."""

from __future__ import annotations

from typing import Any, NamedTuple

from emulator_client import Json, environment_body, server_body

ENVIRONMENT = "Microsoft.App/managedEnvironments/env"
CONTAINER: Json = {"name": "c", "image": "docker.io/rabbitmq:3", "resources": {"cpu": 0.5, "memory": "1Gi"}}


class Case(NamedTuple):
    """A request that is refused. `before` names what is made first; `{…}` in path and body are put in."""

    before: str
    method: str
    path: str
    body: Any
    status: int
    code: str
    source: str


LEARN = "learn.microsoft.com/azure/"
NAMES = LEARN + "azure-resource-manager/management/resource-name-rules"
TAGS = LEARN + "azure-resource-manager/management/tag-resources"
LOCKS = LEARN + "azure-resource-manager/management/lock-resources"
ERRORS = LEARN + "azure-resource-manager/troubleshooting/common-deployment-errors"
RPC = "github.com/Azure/azure-resource-manager-rpc common-api-details.md"
ROLES = LEARN + "role-based-access-control/troubleshooting"
CLI = "recorded traffic of Azure/azure-cli"
AZD = "Azure/azure-dev error_suggestions.yaml"
KEY_VAULT = LEARN + "key-vault/general/common-error-codes"
SOFT_DELETE = LEARN + "key-vault/general/soft-delete-overview"
SECRETS = LEARN + "key-vault/secrets/about-secrets"
POSTGRESQL = "terraform-provider-azurerm website/docs/r/postgresql_flexible_server"
PG_STORAGE = LEARN + "postgresql/flexible-server, storage"
PG_PACKAGE = "PyPI azure-mgmt-postgresqlflexibleservers"
REDIS = "terraform-provider-azurerm website/docs/r/managed_redis"
REDIS_PACKAGE = "PyPI azure-mgmt-redisenterprise"
OLD_REDIS = "PyPI azure-mgmt-redis"
REGISTRY = LEARN + "container-registry/container-registry-skus"
REGISTRY_PACKAGE = "PyPI azure-mgmt-containerregistrytasks"
APPS = LEARN + "container-apps/"
APP_PACKAGE = "PyPI azure-mgmt-appcontainers"
TERRAFORM_APP = "terraform-provider-azurerm internal/services/containerapps"

EAST: Json = {"location": "eastus2"}
BASIC: Json = {**EAST, "sku": {"name": "Basic"}}
CLUSTER_BODY: Json = {
    **EAST,
    "sku": {"name": "Balanced_B0"},
    "properties": {"publicNetworkAccess": "Enabled", "highAvailability": "Enabled"},
}
CACHE_BODY: Json = {**EAST, "properties": {"sku": {"name": "Standard", "family": "C", "capacity": 1}}}
SERVER_BODY = server_body(storage={"storageSizeGB": 64})
RULE_BODY: Json = {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}
VAULT_BODY: Json = {
    **EAST,
    "properties": {"tenantId": "{tenant}", "sku": {"family": "A", "name": "standard"}, "accessPolicies": []},
}
APP_BODY: Json = {**EAST, "properties": {"environmentId": "{env}", "template": {"containers": [CONTAINER]}}}
JOB_BODY: Json = {
    **EAST,
    "properties": {
        "environmentId": "{env}",
        "configuration": {
            "triggerType": "Manual",
            "replicaTimeout": 60,
            "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1},
        },
        "template": {"containers": [CONTAINER]},
    },
}
RUN: Json = {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": {"os": "Linux"}}

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
WORKSPACES = "Microsoft.OperationalInsights/workspaces"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
VAULTS = "Microsoft.KeyVault/vaults"
SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
CLUSTERS = "Microsoft.Cache/redisEnterprise"
CACHES = "Microsoft.Cache/redis"
ENVIRONMENTS = "Microsoft.App/managedEnvironments"
CONTAINER_APPS = "Microsoft.App/containerApps"
JOBS = "Microsoft.App/jobs"
AUTHORIZATION = "Microsoft.Authorization"


def with_template(**changes: Any) -> Json:
    """An app whose template has something else."""
    template = {"containers": [CONTAINER], **changes}
    return {**EAST, "properties": {"environmentId": "{env}", "template": template}}


def with_container(**changes: Any) -> Json:
    return with_template(containers=[{**CONTAINER, **changes}])


def with_size(cpu: float, memory: str) -> Json:
    return with_container(resources={"cpu": cpu, "memory": memory})


def with_probe(**changes: Any) -> Json:
    return with_container(probes=[{"type": "Liveness", "tcpSocket": {"port": 5672}, **changes}])


def with_ingress(**ingress: Any) -> Json:
    return with_configuration(ingress=ingress)


def with_configuration(**configuration: Any) -> Json:
    properties = {
        "environmentId": "{env}",
        "configuration": configuration,
        "template": {"containers": [CONTAINER]},
    }
    return {**EAST, "properties": properties}


def changed(body: Json, **properties: Any) -> Json:
    return {**body, "properties": {**body["properties"], **properties}}


def filled(value: Any, names: dict[str, str]) -> Any:
    """With every `{name}` put in."""
    if isinstance(value, dict):
        return {filled(key, names): filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
    return value


def label(case: Case) -> str:
    return f"{case.method} {case.path.split('/providers/')[-1][:60]} {case.code}"


# fmt: off
ARM_CASES = [
    Case("", "PUT", "{s}/resourceGroups/" + "a" * 91, EAST, 400, "InvalidResourceGroup", NAMES),
    Case("", "PUT", "{s}/resourceGroups/two", {}, 400, "LocationRequired", ERRORS),
    Case("", "GET", "/subscriptions/mine/resourceGroups", None, 400, "InvalidSubscriptionId", ERRORS),
    Case(
        "",
        "PUT",
        "/subscriptions/00000000-0000-4000-8000-000000000009/resourceGroups/two",
        EAST,
        404,
        "SubscriptionNotFound",
        ERRORS,
    ),
    Case("", "PUT", "{s}/resourceGroups/two", {"location": "moon"}, 400, "LocationNotAvailableForResourceGroup",
         ERRORS),
    Case("", "PATCH", "{s}/resourceGroups/two", {"tags": {}}, 404, "ResourceGroupNotFound", ERRORS),
    Case("", "DELETE", "{s}/resourceGroups/two", None, 404, "ResourceGroupNotFound", CLI),
    Case("", "GET", "{s}/resourceGroups/two/resources", None, 404, "ResourceGroupNotFound", ERRORS),
    Case("", "GET", "{s}/resourceGroups/two/providers/" + AUTHORIZATION + "/permissions", None, 404,
         "ResourceGroupNotFound", "PyPI azure-mgmt-authorization"),
    Case("", "PUT", f"{IDENTITIES}/app-id", {**EAST, "tags": {str(n): "" for n in range(51)}}, 400,
         "InvalidTagsCount", TAGS),
    Case("", "PUT", f"{IDENTITIES}/app-id", {**EAST, "tags": {"a" * 513: ""}}, 400, "InvalidTagNameLength", TAGS),
    Case("", "PUT", f"{IDENTITIES}/app-id", {**EAST, "tags": {"a": "b" * 257}}, 400, "InvalidTagValueLength", TAGS),
    Case("", "PUT", f"{IDENTITIES}/app-id", {"location": 7}, 400, "LocationNotAvailableForResourceType", ERRORS),
    Case("", "PATCH", f"{IDENTITIES}/none", {"tags": {}}, 404, "ResourceNotFound", ERRORS),
    Case("", "PATCH", f"{REGISTRIES}/none12", {"tags": {}}, 404, "ResourceNotFound", ERRORS),
    Case("", "PATCH", f"{SERVERS}/none", {"tags": {}}, 404, "ResourceNotFound", ERRORS),
    Case("", "PATCH", f"{CONTAINER_APPS}/none", {"tags": {}}, 404, "ResourceNotFound", ERRORS),
    Case("", "POST", f"{CONTAINER_APPS}/none/listSecrets", None, 404, "ResourceNotFound", ERRORS),
    Case("", "POST", f"{JOBS}/none/start", None, 404, "ResourceNotFound", ERRORS),
    Case("", "PUT", f"{VAULTS}/none/secrets/a", {"properties": {"value": "x"}}, 404, "ParentResourceNotFound", ERRORS),
    Case("", "PUT", f"{SERVERS}/none/databases/a", {"properties": {}}, 404, "ParentResourceNotFound", ERRORS),
    Case("", "PUT", f"{CLUSTERS}/none/databases/default", {"properties": {}}, 404, "ParentResourceNotFound", ERRORS),
    Case("", "PUT", f"{REGISTRIES}/none12/taskRuns/build1", {"properties": {"runRequest": RUN}}, 404,
         "ParentResourceNotFound", ERRORS),
    Case("", "PUT", f"{IDENTITIES}/none/providers/{AUTHORIZATION}/locks/l", {"properties": {"level": "ReadOnly"}}, 404,
         "ResourceNotFound", LOCKS),
    Case("", "PUT", f"{AUTHORIZATION}/locks/l", {"properties": {"level": "Some"}}, 400, "InvalidRequestContent", LOCKS),
    Case("identity", "PATCH", f"{AUTHORIZATION}/roleAssignments/00000000-0000-4000-8000-000000000001", {}, 405,
         "HttpMethodNotSupported", "PyPI azure-mgmt-authorization: there is no such operation"),
    Case("", "PUT", f"{AUTHORIZATION}/roleAssignments/00000000-0000-4000-8000-000000000001",
         {"properties": {"roleDefinitionId": "none", "principalId": "x"}}, 400, "RoleDefinitionDoesNotExist", ROLES),
    Case("identity lock", "DELETE", f"{IDENTITIES}/app-id", None, 409, "ScopeLocked", LOCKS),
    Case("lock", "DELETE", "{g}", None, 409, "ScopeLocked", LOCKS),
    Case("read-only", "PUT", "{g}", EAST, 409, "ScopeLocked", LOCKS),
    Case("read-only", "PUT", f"{IDENTITIES}/app-id", EAST, 409, "ScopeLocked", LOCKS),
    Case("registry read-only", "POST", f"{REGISTRIES}/registry1/listCredentials", None, 409, "ScopeLocked", LOCKS),
    Case("cache read-only", "POST", f"{CACHES}/cache-1/listKeys", None, 409, "ScopeLocked", LOCKS),
    Case("env app read-only", "POST", f"{CONTAINER_APPS}/app/listSecrets", None, 409, "ScopeLocked", LOCKS),
    Case("env job read-only", "POST", f"{JOBS}/job/start", None, 409, "ScopeLocked", LOCKS),
]
NAME_CASES = [
    Case("", "PUT", f"{IDENTITIES}/ab", EAST, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", f"{IDENTITIES}/a.b.c", EAST, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", f"{WORKSPACES}/abc", EAST, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", f"{WORKSPACES}/ends-", EAST, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", "Microsoft.Insights/components/ends.", EAST, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", f"{REGISTRIES}/abcd", BASIC, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", f"{REGISTRIES}/with-hyphen", BASIC, 400, "InvalidResourceName", NAMES),
    Case("", "PUT", f"{SERVERS}/ab", SERVER_BODY, 400, "InvalidServerName", NAMES),
    Case("", "PUT", f"{SERVERS}/Upper", SERVER_BODY, 400, "InvalidServerName", NAMES),
    Case("", "PUT", f"{SERVERS}/ends-", SERVER_BODY, 400, "InvalidServerName", NAMES),
    Case("server", "PUT", f"{SERVERS}/pg-1/databases/1st", {"properties": {}}, 400, "InvalidDatabaseName", POSTGRESQL),
    Case("server", "PUT", f"{SERVERS}/pg-1/firewallRules/a.b", RULE_BODY, 400, "InvalidFirewallRuleName", NAMES),
    Case("", "PUT", f"{CLUSTERS}/a--b", CLUSTER_BODY, 400, "InvalidRequestBody", REDIS_PACKAGE),
    Case("", "PUT", f"{CLUSTERS}/" + "a" * 61, CLUSTER_BODY, 400, "InvalidRequestBody", REDIS_PACKAGE),
    Case("cluster", "PUT", f"{CLUSTERS}/redis-1/databases/other", {"properties": {}}, 400, "InvalidRequestBody",
         REDIS_PACKAGE),
    Case("", "PUT", f"{CACHES}/a--b", CACHE_BODY, 400, "InvalidRequestBody", NAMES),
    Case("", "PUT", f"{ENVIRONMENTS}/a--b", environment_body(), 400, "ManagedEnvironmentInvalidName", AZD),
    Case("", "PUT", f"{ENVIRONMENTS}/1env", environment_body(), 400, "ManagedEnvironmentInvalidName", AZD),
    Case("", "PUT", f"{ENVIRONMENTS}/" + "a" * 61, environment_body(), 400, "ManagedEnvironmentInvalidName", NAMES),
    Case("env", "PUT", ENVIRONMENT + "/storages/Upper", {"properties": {}}, 400,
         "ManagedEnvironmentStorageInvalidName", TERRAFORM_APP),
    Case("env", "PUT", f"{JOBS}/a--b", JOB_BODY, 400, "JobInvalidName", "PyPI azure-cli containerapp"),
    Case("env", "PUT", f"{JOBS}/" + "a" * 33, JOB_BODY, 400, "JobInvalidName", "PyPI azure-cli containerapp"),
    Case("registry", "PUT", f"{REGISTRIES}/registry1/taskRuns/abcd", {"properties": {"runRequest": RUN}}, 400,
         "InvalidResourceName", REGISTRY_PACKAGE),
    Case("vault", "PUT", f"{VAULTS}/vault-1/secrets/" + "a" * 128, {"properties": {"value": "x"}}, 400, "BadRequest",
         SECRETS),
    Case("vault other-group", "PUT", "{s}/resourceGroups/other/providers/" + f"{VAULTS}/VAULT-1", VAULT_BODY, 409,
         "VaultAlreadyExists", KEY_VAULT),
    Case("cluster other-group", "PUT", "{s}/resourceGroups/other/providers/" + f"{CLUSTERS}/redis-1", CLUSTER_BODY,
         409, "NameNotAvailable", CLI),
    Case("cache other-group", "PUT", "{s}/resourceGroups/other/providers/" + f"{CACHES}/cache-1", CACHE_BODY,
         409, "NameNotAvailable", CLI),
    Case("env app other-group", "PUT", "{s}/resourceGroups/other/providers/" + f"{CONTAINER_APPS}/app", APP_BODY,
         409, "ContainerAppNameInUse", NAMES + ": unique in the environment"),
]
LOCATION_CASES = [
    Case(before, "PUT", path, {**body, "location": "westus"}, 409, "InvalidResourceLocation", ERRORS)
    for before, path, body in (
        ("identity", f"{IDENTITIES}/app-id", EAST),
        ("workspace", f"{WORKSPACES}/logs", EAST),
        ("registry", f"{REGISTRIES}/registry1", BASIC),
        ("vault", f"{VAULTS}/vault-1", VAULT_BODY),
        ("server", f"{SERVERS}/pg-1", SERVER_BODY),
        ("cluster", f"{CLUSTERS}/redis-1", CLUSTER_BODY),
        ("cache", f"{CACHES}/cache-1", CACHE_BODY),
        ("env", ENVIRONMENT, environment_body()),
        ("env app", f"{CONTAINER_APPS}/app", APP_BODY),
        ("env job", f"{JOBS}/job", JOB_BODY),
    )
]
STORE_CASES = [
    Case("workspace", "PATCH", f"{WORKSPACES}/logs", {"properties": {"color": 1}}, 400, "InvalidRequestContent", RPC),
    Case("", "PUT", f"{WORKSPACES}/logs", {**EAST, "properties": {"retentionInDays": 8}}, 400, "InvalidParameter",
         LEARN + "azure-monitor/logs/data-retention-configure"),
    # Registries and builds
    Case("", "PUT", f"{REGISTRIES}/registry1", EAST, 400, "InvalidRequestContent", "PyPI azure-mgmt-containerregistry"),
    Case("", "PUT", f"{REGISTRIES}/registry1", {**BASIC, "properties": {"zoneRedundancy": "Enabled"}}, 400,
         "FeatureNotSupportedBySku", REGISTRY),
    Case("", "PUT", f"{REGISTRIES}/registry1", {**BASIC, "properties": {"anonymousPullEnabled": True}}, 400,
         "AnonymousPullNotSupported", REGISTRY),
    Case("registry", "POST", f"{REGISTRIES}/registry1/listCredentials", None, 400,
         "UnAuthorizedForCredentialOperations", CLI),
    Case("registry", "POST", f"{REGISTRIES}/registry1/scheduleRun", {**RUN, "platform": None}, 400,
         "InvalidRequestContent", REGISTRY_PACKAGE),
    Case("registry", "POST", f"{REGISTRIES}/registry1/scheduleRun", {**RUN, "dockerFilePath": ""}, 400,
         "InvalidRequestContent", REGISTRY_PACKAGE),
    Case("registry", "PUT", f"{REGISTRIES}/registry1/taskRuns/build1", {"properties": {}}, 400,
         "InvalidRequestContent", LEARN + "container-registry/container-registry-task-run-template"),
    Case("registry", "GET", f"{REGISTRIES}/registry1/runs/ch9", None, 404, "RunNotFound", REGISTRY_PACKAGE),
    # Vaults
    *(
        Case("", "PUT", f"{VAULTS}/vault-1", changed(VAULT_BODY, **change), 400, "BadRequest", source)
        for change, source in (
            ({"softDeleteRetentionInDays": 6}, SOFT_DELETE),
            ({"softDeleteRetentionInDays": 91}, SOFT_DELETE),
            ({"enableSoftDelete": False}, SOFT_DELETE),
            ({"enablePurgeProtection": False}, SOFT_DELETE),
            ({"tenantId": "00000000-0000-4000-8000-000000000009"}, "PyPI azure-mgmt-keyvault"),
            ({"sku": None}, "PyPI azure-mgmt-keyvault"),
        )
    ),
    Case("", "PUT", f"{VAULTS}/vault-1", changed(VAULT_BODY, createMode="recover"), 404, "DeletedVaultNotFound",
         LEARN + "key-vault/general/key-vault-recovery"),
    Case("vault", "PUT", f"{VAULTS}/vault-1", changed(VAULT_BODY, createMode="recover"), 409, "VaultAlreadyExists",
         KEY_VAULT),
    Case("", "GET", "{s}/providers/Microsoft.KeyVault/locations/eastus2/deletedVaults/none", None, 404,
         "DeletedVaultNotFound", CLI),
    Case("", "POST", "{s}/providers/Microsoft.KeyVault/locations/eastus2/deletedVaults/none/purge", None, 404,
         "DeletedVaultNotFound", CLI),
    Case("vault", "PUT", f"{VAULTS}/vault-1/secrets/a", {"properties": {}}, 400, "BadRequest",
         "PyPI azure-mgmt-keyvault"),
    Case("vault", "PUT", f"{VAULTS}/vault-1/secrets/a", {"properties": {"value": "x" * 25_601}}, 400, "BadParameter",
         SECRETS),
    Case("vault", "PUT", f"{VAULTS}/vault-1/secrets/a",
         {"tags": {str(n): "" for n in range(16)}, "properties": {"value": "x"}}, 400, "BadParameter", SECRETS),
    Case("vault", "PUT", f"{VAULTS}/vault-1/secrets/a", {"tags": {"a": "b" * 513}, "properties": {"value": "x"}}, 400,
         "BadRequest", SECRETS),
    Case("vault secret", "DELETE", f"{VAULTS}/vault-1/secrets/jwt", None, 405, "HttpMethodNotSupported",
         "PyPI azure-mgmt-keyvault: there is no such operation"),
    # PostgreSQL, what is refused before any operation begins
    Case("server", "DELETE", f"{SERVERS}/pg-1/configurations/azure.extensions", None, 405, "HttpMethodNotSupported",
         PG_PACKAGE + ": there is no such operation"),
    Case("server", "PUT", f"{SERVERS}/pg-1/firewallRules/a", {"properties": {"startIpAddress": "0.0.0.0"}}, 400,
         "InvalidRequestContent", PG_PACKAGE),
    Case("", "PUT", f"{SERVERS}/pg-1", {**SERVER_BODY, "colour": 1}, 400, "InvalidRequestContent", RPC),
    Case("", "GET", "{s}/providers/Microsoft.DBforPostgreSQL/locations/moon/capabilities", None, 400,
         "InvalidLocation", PG_PACKAGE),
    # Managed Redis and the older cache
    Case("", "PUT", f"{CLUSTERS}/redis-1", {**CLUSTER_BODY, "properties": {}}, 400, "InvalidRequestBody",
         "hashicorp/terraform issue 37842"),
    *(
        Case("", "PUT", f"{CLUSTERS}/redis-1", {**CLUSTER_BODY, "sku": sku}, 400, code, source)
        for sku, code, source in (
            ({"name": "Enterprise_E10", "capacity": 2}, "BadRequest", "Azure/azure-sdk-for-java pull request 50073"),
            ({"name": "EnterpriseFlash_F300"}, "BadRequest", "Azure/azure-sdk-for-java pull request 50073"),
            ({"name": "Balanced_B2"}, "InvalidRequestBody", REDIS_PACKAGE),
            ({"name": "Balanced_B0", "capacity": 2}, "InvalidRequestBody", REDIS_PACKAGE),
        )
    ),
    Case("cluster", "PATCH", f"{CLUSTERS}/redis-1", {"properties": {"highAvailability": "Disabled"}}, 400,
         "BadRequest", REDIS),
    Case("cluster database", "PATCH", f"{CLUSTERS}/redis-1/databases/default",
         {"properties": {"clusteringPolicy": "NoCluster"}}, 400, "BadRequest", REDIS),
    Case("cluster database", "PATCH", f"{CLUSTERS}/redis-1/databases/default",
         {"properties": {"modules": [{"name": "RedisJSON"}]}}, 400, "BadRequest", REDIS),
    Case("cluster database", "PATCH", f"{CLUSTERS}/redis-1/databases/default", {"properties": {"port": 10001}}, 400,
         "BadRequest", REDIS_PACKAGE),
    Case("cluster database", "POST", f"{CLUSTERS}/redis-1/databases/default/listKeys", None, 400, "BadRequest",
         "hashicorp/terraform issue 37842"),
    Case("", "PUT", f"{CACHES}/cache-1", {**EAST, "properties": {}}, 400, "InvalidRequestBody", OLD_REDIS),
    Case("", "PUT", f"{CACHES}/cache-1",
         {**EAST, "properties": {"sku": {"name": "Premium", "family": "C", "capacity": 1}}}, 400,
         "InvalidRequestBody", OLD_REDIS),
    Case("cache", "PATCH", f"{CACHES}/cache-1",
         {"properties": {"sku": {"name": "Basic", "family": "C", "capacity": 1}}}, 400, "BadRequest",
         LEARN + "azure-cache-for-redis/cache-how-to-scale"),
]
EXTERNAL_TCP: Json = {"external": True, "transport": "tcp", "targetPort": 5672}
APP_CASES = [
    # Environments
    Case("", "PUT", ENVIRONMENT, {**EAST, "properties": {"appLogsConfiguration": {"destination": "log-analytics"}}},
         400, "InvalidRequestParameterWithDetails", "github.com/microsoft/azure-container-apps issue 66"),
    Case("", "PUT", ENVIRONMENT, {**EAST, "properties": {"zoneRedundant": True}}, 400,
         "InvalidRequestParameterWithDetails", LEARN + "reliability/reliability-azure-container-apps"),
    Case("", "PUT", ENVIRONMENT,
         {**EAST, "properties": {"workloadProfiles": [{"name": "x", "workloadProfileType": "D5"}]}}, 400,
         "InvalidRequestParameterWithDetails", "github.com/Azure/azure-cli issue 30526"),
    *(
        Case("", "PUT", ENVIRONMENT, {**EAST, "properties": {"workloadProfiles": profiles}}, 400,
             "InvalidWorkloadProfileName", APPS + "environment")
        for profiles in (
            [{"name": "Consumption", "workloadProfileType": "Consumption"}] * 2,
            [{"name": "big", "workloadProfileType": "D4"}, {"name": "BIG", "workloadProfileType": "E4"}],
        )
    ),
    Case("plain-env", "PUT", ENVIRONMENT, environment_body(), 400, "EnvironmentNotEnabledForWorkloadProfiles",
         TERRAFORM_APP),
    Case("env", "PATCH", ENVIRONMENT, {"properties": {"zoneRedundant": True}}, 400,
         "ManagedEnvironmentPropertyChangeNotAllowed", TERRAFORM_APP),
    Case("env app", "DELETE", ENVIRONMENT, None, 409, "ManagedEnvironmentHasContainerApps",
         "github.com/microsoft/azure-container-apps issue 1012"),
    Case("env job", "DELETE", ENVIRONMENT, None, 409, "ManagedEnvironmentHasJobs",
         "github.com/microsoft/azure-container-apps issue 1012"),
    Case("env", "PUT", ENVIRONMENT + "/storages/data", {"properties": {}}, 400, "ManagedEnvironmentStorageInvalid",
         APP_PACKAGE),
    Case("env", "PUT", ENVIRONMENT + "/storages/data",
         {"properties": {"azureFile": {"accountName": "a", "shareName": "s", "accessMode": "ReadWrite"}}}, 400,
         "ManagedEnvironmentStorageAccountKeyRequired", APPS + "storage-mounts"),
    Case("env", "PUT", ENVIRONMENT + "/storages/data",
         {"properties": {"nfsAzureFile": {"server": "a", "shareName": "s", "accessMode": "ReadWrite"}}}, 400,
         "ManagedEnvironmentStorageNfsRequiresVnet", APPS + "storage-mounts"),
    # Where an app is
    Case("", "PUT", f"{CONTAINER_APPS}/app", APP_BODY, 400, "InvalidEnvironmentId", AZD),
    Case("env", "PUT", f"{CONTAINER_APPS}/app", {**APP_BODY, "location": "westus"}, 400, "LocationMismatch",
         APPS + "environment"),
    Case("plain-env", "PUT", f"{CONTAINER_APPS}/app", changed(APP_BODY, workloadProfileName="Consumption"), 400,
         "EnvironmentNotEnabledForWorkloadProfiles", APPS + "environment"),
    # Sizes
    *(
        Case("env", "PUT", f"{CONTAINER_APPS}/app", body, 400, "ContainerAppInvalidResourceTotal", APPS + "containers")
        for body in (
            with_size(0.5, "2Gi"), with_size(0.3, "0.6Gi"), with_size(0, "0Gi"), with_size(4.25, "8.5Gi"),
            with_template(containers=[CONTAINER, {**CONTAINER, "name": "d", "resources": {"cpu": 4, "memory": "8Gi"}}]),
        )
    ),
    Case("plain-env", "PUT", f"{CONTAINER_APPS}/app", with_size(2.25, "4.5Gi"), 400,
         "ContainerAppInvalidResourceTotal", APPS + "containers"),
    # Probes
    *(
        Case("env", "PUT", f"{CONTAINER_APPS}/app", body, 400, "InvalidRequestContent", APP_PACKAGE)
        for body in (
            with_probe(initialDelaySeconds=61), with_probe(periodSeconds=0),
            with_probe(periodSeconds=241), with_probe(timeoutSeconds=241), with_probe(failureThreshold=11),
            with_probe(successThreshold=11), with_probe(type="Other"), with_probe(tcpSocket={"port": 70_000}),
            with_probe(exec={"command": ["true"]}), with_probe(grpc={"port": 1}),
        )
    ),
    *(
        Case("env", "PUT", f"{CONTAINER_APPS}/app", body, 400, "InvalidParameterValueInContainerTemplate",
             APPS + "health-probes")
        for body in (
            with_probe(httpGet={"path": "/", "port": 80}), with_probe(tcpSocket=None),
            with_container(probes=[{"type": "Liveness", "tcpSocket": {"port": port}} for port in (1, 2)]),
        )
    ),
    # Ports
    *(
        Case("env", "PUT", f"{CONTAINER_APPS}/app", with_ingress(**ingress), 400, code, APPS + "ingress-overview")
        for ingress, code in (
            ({"targetPort": 80, "exposedPort": 8080}, "ContainerAppInvalidIngressExposedPort"),
            ({"transport": "tcp", "targetPort": 1, "exposedPort": 80}, "ContainerAppInvalidIngressExposedPort"),
            ({"transport": "tcp", "targetPort": 1, "exposedPort": 443}, "ContainerAppInvalidIngressExposedPort"),
            ({"transport": "tcp", "targetPort": 80}, "ContainerAppInvalidIngressExposedPort"),
            ({"transport": "tcp", "targetPort": 65_536}, "InvalidRequestContent"),
            ({"transport": "tcp"}, "ContainerAppTcpRequiresTargetPort"),
            ({"transport": "tcp", "targetPort": 1, "allowInsecure": True}, "ContainerAppInvalidAllowInsecure"),
            (EXTERNAL_TCP, "ContainerAppTcpRequiresVnet"),
            ({"targetPort": 80, "traffic": [{"latestRevision": True, "weight": 90}]},
             "ContainerAppInvalidTrafficWeight"),
            ({"targetPort": 80, "traffic": [{"weight": 100}]}, "ContainerAppInvalidTraffic"),
            ({"targetPort": 80, "additionalPortMappings": [{"external": False, "targetPort": n} for n in range(6)]},
             "ContainerAppTooManyPorts"),
        )
    ),
    # Names, suffixes, scale and volumes within
    *(
        Case("env", "PUT", f"{CONTAINER_APPS}/app", body, 400, code, source)
        for body, code, source in (
            (with_container(name="Upper"), "InvalidRequestContent", TERRAFORM_APP),
            (with_container(name="a" * 47), "InvalidRequestContent", TERRAFORM_APP),
            (with_template(containers=[CONTAINER, CONTAINER]), "InvalidParameterValueInContainerTemplate", APP_PACKAGE),
            (with_template(containers=[]), "InvalidParameterValueInContainerTemplate", APP_PACKAGE),
            (with_template(revisionSuffix="a--b"), "InvalidParameterValueInContainerTemplate", TERRAFORM_APP),
            (with_template(revisionSuffix="-a"), "InvalidParameterValueInContainerTemplate", TERRAFORM_APP),
            (with_template(revisionSuffix="Upper"), "InvalidParameterValueInContainerTemplate", TERRAFORM_APP),
            (with_template(scale={"maxReplicas": 1001}), "InvalidRequestContent", APP_PACKAGE),
            (with_template(scale={"minReplicas": 3, "maxReplicas": 2}), "ContainerAppInvalidScaleSpec",
             APPS + "scale-app"),
            (with_template(scale={"rules": [{"name": "r"}]}), "ContainerAppInvalidScaleRule", APPS + "scale-app"),
            (with_template(scale={"rules": [{"name": "r", "tcp": {"metadata": {"concurrentConnections": "5"}}}]}),
             "ContainerAppInvalidScaleRule", APPS + "scale-app"),
            (with_template(scale={"rules": [{"name": "r", "http": {"metadata": {"concurrentRequests": 5}}}]}),
             "InvalidRequestContent", APP_PACKAGE),
            (with_template(volumes=[{"name": "a.b", "storageType": "EmptyDir"}]), "InvalidRequestContent",
             APPS + "storage-mounts"),
            (with_template(volumes=[{"name": "v", "storageType": "AzureFile", "storageName": "none"}]),
             "InvalidParameterValueInContainerTemplate", APPS + "storage-mounts"),
            (with_container(volumeMounts=[{"volumeName": "none", "mountPath": "/d"}]),
             "InvalidParameterValueInContainerTemplate", APPS + "storage-mounts"),
            (with_configuration(secrets=[{"name": "Upper", "value": "x"}]), "InvalidRequestContent", TERRAFORM_APP),
            (with_configuration(secrets=[{"name": "a", "value": "x"}] * 2), "ContainerAppSecretNameDuplicate",
             APPS + "manage-secrets"),
            (with_configuration(secrets=[{"name": "a"}]), "ContainerAppSecretInvalid",
             "github.com/microsoft/azure-container-apps issue 654"),
            (with_configuration(secrets=[{"name": "a", "keyVaultUrl": "https://v.vault.azure.net/secrets/a"}]),
             "ContainerAppSecretInvalid", APPS + "manage-secrets"),
            (with_configuration(registries=[{"server": "r.azurecr.io", "username": "u", "passwordSecretRef": "none"}]),
             "ContainerAppRegistriesPasswordSecretRefNotFound", APPS + "containers"),
            (with_configuration(registries=[{"server": "r.azurecr.io", "identity": "{g}/providers/none"}]),
             "ContainerAppIdentityNotAssigned", APPS + "managed-identity-image-pull"),
            ({**APP_BODY, "identity": {"type": "UserAssigned", "userAssignedIdentities": {
                "{g}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none": {}}}},
             "FailedIdentityOperation", APPS + "managed-identity"),
            ({**EAST, "properties": {"environmentId": "{env}", "color": 1}}, "InvalidRequestContent", RPC),
        )
    ),
    # Jobs
    *(
        Case("env", "PUT", f"{JOBS}/job", body, 400, code, APPS + "jobs")
        for body, code in (
            (changed(JOB_BODY, configuration={"replicaTimeout": 60}), "InvalidRequestContent"),
            (changed(JOB_BODY, configuration={"triggerType": "Schedule", "replicaTimeout": 60}),
             "ContainerAppsJobInvalidTriggerConfig"),
            (changed(JOB_BODY, template={"containers": [{**CONTAINER, "resources": {"cpu": 0.5, "memory": "2Gi"}}]}),
             "ContainerAppInvalidResourceTotal"),
            (changed(JOB_BODY, template={"containers": [CONTAINER], "scale": {}}), "InvalidRequestContent"),
        )
    ),
    Case("env job", "GET", f"{JOBS}/job/executions/none", None, 404, "ContainerAppsJobExecutionNotFound", APP_PACKAGE),
    Case("env app", "GET", f"{CONTAINER_APPS}/app/revisions/none", None, 404, "ContainerAppRevisionNotFound",
         APP_PACKAGE),
]
# fmt: on

# PostgreSQL accepts with 202; its errors are in the operation's status.
CREATIONS = [
    ({"properties": {"administratorLoginPassword": "Abc123!"}}, "PasswordNotComplex", POSTGRESQL),
    ({"properties": {"administratorLoginPassword": "Aa1" * 43}}, "PasswordNotComplex", POSTGRESQL),
    ({"properties": {"administratorLoginPassword": "abcdefgh1234"}}, "PasswordNotComplex", POSTGRESQL),
    ({"properties": {"administratorLoginPassword": "Draftgenie12"}}, "PasswordNotComplex", POSTGRESQL),
    ({"properties": {"administratorLoginPassword": None}}, "InvalidParameterValue", POSTGRESQL),
    *(
        ({"properties": {"administratorLogin": login}}, "AdministratorLoginNotAllowed", POSTGRESQL)
        for login in ("azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public", "pg_x")
    ),
    ({"properties": {"version": "10"}}, "ParameterOutOfRange", "terraform-provider-azurerm issue 21306"),
    ({"properties": {"storage": {"storageSizeGB": 100}}}, "InvalidParameterValue", PG_STORAGE),
    ({"properties": {"backup": {"backupRetentionDays": 6}}}, "InvalidParameterValue", PG_PACKAGE),
    ({"properties": {"backup": {"backupRetentionDays": 36}}}, "InvalidParameterValue", PG_PACKAGE),
    ({"sku": {"name": "Standard_B1ms", "tier": "GeneralPurpose"}}, "ServerEditionIncompatibleWithSkuSize", CLI),
    ({"sku": {"name": "Standard_D2s_v3", "tier": "Burstable"}}, "ServerEditionIncompatibleWithSkuSize", CLI),
    ({"sku": {"name": "Standard_E2s_v3", "tier": "Burstable"}}, "ServerEditionIncompatibleWithSkuSize", CLI),
    ({"sku": {"name": "B_Standard_B1ms", "tier": "Burstable"}}, "InvalidParameterValue", PG_PACKAGE),
]
