"""Replies about every type match Azure's official description, including computed properties.

`AzureClient.call` compares each answer of every test; here each type is made once with as much as it takes, at the
version of its description, then read, listed, written again, patched and asked for what its actions return.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import answer_types
import pytest
from certificate_files import pfx
from emulator_client import AzureClient, Json

from azure_emulator.attach import Attached
from azure_emulator.core.resource_types import REGISTRY
from azure_emulator.services import catalogue

assert catalogue.MODULES
pytestmark = pytest.mark.skipif(
    not answer_types.TYPES.is_dir(), reason="Azure's official types are not beside this checkout"
)
TAGS = {"location": "eastus2", "tags": {"owner": "somebody"}}
ENV, REG = "Microsoft.App/managedEnvironments/env", "Microsoft.ContainerRegistry/registries/reg00"
SERVER, REDIS = "Microsoft.DBforPostgreSQL/flexibleServers/server-1", "Microsoft.Cache/redisEnterprise/redis-1"
ACCOUNT, VAULT = "Microsoft.Storage/storageAccounts/account1", "Microsoft.KeyVault/vaults/vault-1"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/app-id"
LOGS = "Microsoft.OperationalInsights/workspaces/logs"
CONTAINER: Json = {
    "name": "c",
    "image": "qdrant/qdrant:v1",
    "command": ["run"],
    "args": ["-v"],
    "resources": {"cpu": 0.5, "memory": "1Gi"},
    "env": [{"name": "A", "value": "b"}, {"name": "S", "secretRef": "s"}],
    "volumeMounts": [{"volumeName": "v", "mountPath": "/data"}],
}
PROBES = [
    {"type": "Liveness", "httpGet": {"port": 6333, "path": "/healthz", "scheme": "HTTP"}, "initialDelaySeconds": 1},
    {"type": "Readiness", "tcpSocket": {"port": 6333}},
]
SCALE = {
    "minReplicas": 1,
    "maxReplicas": 2,
    "rules": [
        {"name": "http", "http": {"metadata": {"concurrentRequests": "5"}}},
        {"name": "queue", "custom": {"type": "rabbitmq", "metadata": {"queueLength": "1"},
                                     "auth": [{"secretRef": "s", "triggerParameter": "host"}]}},
    ],
}  # fmt: skip
INGRESS = {
    "external": True,
    "targetPort": 6333,
    "ipSecurityRestrictions": [{"name": "office", "ipAddressRange": "203.0.113.0/24", "action": "Allow"}],
    "corsPolicy": {"allowedOrigins": ["https://x.example"], "maxAge": 60},
    "stickySessions": {"affinity": "sticky"},
    "traffic": [{"latestRevision": True, "weight": 100}],
}


def group(azure: AzureClient) -> str:
    return f"{azure.group}/providers/"


def made(azure: AzureClient) -> Iterator[tuple[str, Json]]:
    """Each resource by its path, in an order in which they can be made."""
    at = group(azure)
    yield azure.group, TAGS
    yield IDENTITY, TAGS
    yield LOGS, {**TAGS, "properties": {"sku": {"name": "PerGB2018"}, "workspaceCapping": {"dailyQuotaGb": 1}}}
    yield "Microsoft.Insights/components/ai", {
        **TAGS, "kind": "web",
        "properties": {"Application_Type": "web", "WorkspaceResourceId": at + LOGS, "SamplingPercentage": 50},
    }  # fmt: skip
    network = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "dhcpOptions": {"dnsServers": ["10.0.0.4"]}}
    subnet = {"name": "one", "properties": {"addressPrefix": "10.0.0.0/24"}}
    yield "Microsoft.Network/virtualNetworks/net", {**TAGS, "properties": {**network, "subnets": [subnet]}}
    yield "Microsoft.Network/privateDnsZones/x.postgres.database.azure.com", {**TAGS, "location": "global"}
    yield from _stores(azure, at)
    yield from _registry()
    yield from _apps(at)
    yield f"{at}{ENV}/providers/Microsoft.Insights/diagnosticSettings/logs", {
        "properties": {"workspaceId": at + LOGS, "logs": [{"category": "ContainerAppConsoleLogs", "enabled": True}]}
    }
    definition = f"{azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/"
    yield f"{at}{REG}/providers/Microsoft.Authorization/roleAssignments/11111111-1111-4111-8111-111111111111", {
        "properties": {"roleDefinitionId": f"{definition}7f951dda-4ed3-4680-a7ca-43fe172d538d",
                       "principalId": azure.get(IDENTITY)["properties"]["principalId"],
                       "principalType": "ServicePrincipal"}
    }  # fmt: skip
    yield "Microsoft.Authorization/locks/keep", {"properties": {"level": "CanNotDelete", "notes": "ours"}}


def _stores(azure: AzureClient, at: str) -> Iterator[tuple[str, Json]]:
    yield VAULT, {**azure.vault_body(), "tags": {"a": "b"}}
    yield f"{VAULT}/secrets/one", {"tags": {"a": "b"}, "properties": {"value": "x", "contentType": "text/plain"}}
    yield SERVER, {
        **TAGS, "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
        "properties": {
            "version": "16", "administratorLogin": "dg", "administratorLoginPassword": "Abcdef123456",
            "storage": {"storageSizeGB": 32, "autoGrow": "Enabled"}, "backup": {"backupRetentionDays": 7},
            "highAvailability": {"mode": "Disabled"}, "network": {"publicNetworkAccess": "Enabled"},
            "authConfig": {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"}, "createMode": "Default",
        },
    }  # fmt: skip
    yield f"{SERVER}/databases/main", {"properties": {"charset": "UTF8", "collation": "en_US.utf8"}}
    yield f"{SERVER}/firewallRules/all", {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}
    yield f"{SERVER}/configurations/azure.extensions", {"properties": {"value": "PGCRYPTO", "source": "user-override"}}
    cluster = {"publicNetworkAccess": "Enabled", "minimumTlsVersion": "1.2", "highAvailability": "Enabled"}
    yield REDIS, {**TAGS, "sku": {"name": "Balanced_B0"}, "properties": cluster}
    database = {"clientProtocol": "Encrypted", "port": 10000, "accessKeysAuthentication": "Enabled"}
    yield f"{REDIS}/databases/default", {"properties": {**database, "clusteringPolicy": "NoCluster"}}
    cache = {"sku": {"name": "Basic", "family": "C", "capacity": 0}}
    policy = {"redisConfiguration": {"maxmemory-policy": "noeviction"}}
    yield "Microsoft.Cache/redis/cache-1", {**TAGS, "properties": {**cache, **policy}}
    storage = {"allowBlobPublicAccess": False, "minimumTlsVersion": "TLS1_2"}
    yield ACCOUNT, {**TAGS, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": storage}
    yield f"{ACCOUNT}/blobServices/default", {"properties": {"isVersioningEnabled": True}}
    yield f"{ACCOUNT}/blobServices/default/containers/state", {"properties": {"metadata": {"a": "b"}}}
    retention = {"shareDeleteRetentionPolicy": {"enabled": True, "days": 7}}
    yield f"{ACCOUNT}/fileServices/default", {"properties": retention}
    yield f"{ACCOUNT}/fileServices/default/shares/data", {"properties": {"shareQuota": 10}}


def _registry() -> Iterator[tuple[str, Json]]:
    policy = {"azureADAuthenticationAsArmPolicy": {"status": "enabled"}}
    yield REG, {**TAGS, "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": True, "policies": policy}}
    run = {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": {"os": "Linux"}}
    yield f"{REG}/taskRuns/named", {"location": "eastus2", "properties": {"runRequest": run, "forceUpdateTag": "1"}}
    step = {"type": "Docker", "contextPath": "x", "dockerFilePath": "Dockerfile", "imageNames": ["app:1"]}
    yield f"{REG}/tasks/build-app", {**TAGS, "properties": {"platform": {"os": "Linux"}, "step": step}}


def _apps(at: str) -> Iterator[tuple[str, Json]]:
    certificate = {"dnsSuffix": "a.example", "certificateValue": pfx("a.example"), "certificatePassword": "test12"}
    profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"},
                {"name": "big", "workloadProfileType": "D4", "minimumCount": 0, "maximumCount": 1}]  # fmt: skip
    logs = {"destination": "log-analytics", "logAnalyticsConfiguration": {"customerId": "x", "sharedKey": "k"}}
    yield ENV, {
        **TAGS,
        "identity": {"type": "SystemAssigned"},
        "properties": {"workloadProfiles": profiles, "appLogsConfiguration": logs,
                       "customDomainConfiguration": certificate, "peerAuthentication": {"mtls": {"enabled": True}}},
    }  # fmt: skip
    file = {"accountName": "acc", "accountKey": "k", "shareName": "share", "accessMode": "ReadOnly"}
    yield f"{ENV}/storages/data", {"properties": {"azureFile": file}}
    identity = {"type": "UserAssigned", "userAssignedIdentities": {at + IDENTITY: {}}}
    private = {"server": "x.example", "username": "u", "passwordSecretRef": "s"}
    shared = {"secrets": [{"name": "s", "value": "b"}], "registries": [private]}
    volumes = [{"name": "v", "storageType": "AzureFile", "storageName": "data"}]
    dapr = {"enabled": True, "appId": "app", "appPort": 6333}
    yield "Microsoft.App/containerApps/app", {
        **TAGS, "identity": identity,
        "properties": {
            "environmentId": at + ENV, "workloadProfileName": "Consumption",
            "configuration": {**shared, "ingress": INGRESS, "dapr": dapr},
            "template": {"containers": [{**CONTAINER, "probes": PROBES}], "scale": SCALE, "volumes": volumes,
                         "initContainers": [{**CONTAINER, "name": "i"}]},
        },
    }  # fmt: skip
    trigger = {"triggerType": "Manual", "replicaTimeout": 60, "manualTriggerConfig": {"parallelism": 1}}
    yield "Microsoft.App/jobs/job", {
        **TAGS, "identity": identity,
        "properties": {
            "environmentId": at + ENV, "configuration": {**trigger, **shared},
            "template": {"containers": [CONTAINER], "volumes": volumes},
        },
    }  # fmt: skip


NOT_MADE = {
    "Microsoft.KeyVault/vaults/accessPolicies": "an action of vaults, which answers as its own test says",
    "Microsoft.Network/privateEndpoints": "not served",
    "Microsoft.Resources/deployments": "not served",
}
UNSERVED_ACTIONS = {
    "Microsoft.ContainerRegistry/registries": {"generateCredentials"},  # of tokens, which are not served
    "Microsoft.DBforPostgreSQL/flexibleServers": {
        "checkMigrationNameAvailability", "ltrPreBackup", "startLtrBackup",  # nothing runs that could be moved or kept
    },
    "Microsoft.Network/virtualNetworks": {
        "ddosProtectionStatus", "listDnsForwardingRulesets", "listDnsResolverPolicies", "listDnsResolvers",
        "listNetworkManagerEffectiveConnectivityConfigurations", "listNetworkManagerEffectiveSecurityAdminRules",
    },
    "Microsoft.OperationalInsights/workspaces": {"schema"},  # of tables, in which nothing is recorded
    "Microsoft.Storage/storageAccounts": {"listAccountSas", "listServiceSas", "restoreBlobRanges"},
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"clearLegalHold", "lease", "setLegalHold"},
    "Microsoft.Storage/storageAccounts/fileServices/shares": {"lease"},
}  # fmt: skip
"""Blobs and files are Azurite's matter."""
INPUTS: dict[str, Json] = {
    "regeneratekey": {"keyType": "Primary", "keyName": "key1"},
    "regeneratecredential": {"name": "password"},
    "forcereboot": {"rebootType": "AllNodes"},
    "checknameavailability": {"name": "free", "type": "Microsoft.App/containerApps"},
    "schedulerun": {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": {"os": "Linux"}},
}
QUERIES = {"listcustomhostnameanalysis": "customHostname=www.example.com"}


@pytest.fixture(scope="module")
def everything(emulator: Attached) -> dict[str, tuple[str, Json]]:
    """Path and body of each type that was made."""
    emulator.control("POST", "/control/reset")
    azure = AzureClient(emulator)
    azure.make_group()
    azure.arm.providers.register("Microsoft.Storage")
    found = {}
    for path, body in made(azure):
        resource = azure.put(path, body, _version(path))
        found[str(_document(path)["resourceType"])] = (path, resource)
        found.setdefault("bodies", ("", {}))[1][path] = body
    return found


def _document(path: str) -> Json:
    if "/providers/" not in path and path.startswith("/"):
        return dict(answer_types.documents()["Microsoft.Resources/resourceGroups"])
    parts = path.rpartition("/providers/")[2].split("/")
    return dict(answer_types.documents()["/".join([parts[0], *parts[1::2]])])


def _version(path: str) -> str:
    return str(_document(path)["apiVersion"])


def test_every_described_type_is_made_here_or_named_with_a_reason(everything: dict[str, Any]) -> None:
    assert set(answer_types.documents()) - set(everything) == set(NOT_MADE)
    assert not set(NOT_MADE) & set(everything)


@pytest.mark.parametrize("kind", [kind for kind in answer_types.documents() if kind not in NOT_MADE])
def test_a_type_reads_lists_writes_and_acts_as_it_is_described(
    everything: dict[str, tuple[str, Json]], client: AzureClient, kind: str
) -> None:
    path, version = everything[kind][0], _version(everything[kind][0])
    body = everything["bodies"][1][path]
    served = REGISTRY.get(kind.lower())

    shown = client.get(path, version)
    assert answer_types.problems(shown, version) == []
    rows = client.get(path.rpartition("/")[0], version)["value"]
    assert str(shown["id"]).lower() in {str(row["id"]).lower() for row in rows}
    again = client.ok(client.call("PUT", path, body, version))
    assert answer_types.problems(again.json(), version) == [] or again.status_code == 202
    if (served is None or "PATCH" in served.methods("")) and "tags" in body:
        client.ok(client.call("PATCH", path, {"tags": {"owner": "nobody"}}, version))
    for function in answer_types.documents()[kind].get("functions") or []:
        name = function["name"].lower()
        if function["name"] in UNSERVED_ACTIONS.get(kind, set()):
            assert served is not None and name not in served.actions()
            continue
        asked = f"{path}/{function['name']}" + (f"?{QUERIES[name]}" if name in QUERIES else "")
        answer = client.ok(client.call("POST", asked, INPUTS.get(name), function.get("apiVersion", version)))
        assert answer.status_code == 202 or answer_types.action_problems(kind, name, answer.json()) == []
