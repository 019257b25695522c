"""Azure's normalisation, additions and reordering are not drift: one line per variant in recorded traffic.

Sources are recorded exchanges of Azure/azure-dev and Azure/azure-cli, and the REST reference where a line says so.
"""

from __future__ import annotations

from typing import Any

import pytest

from draftgenie_azure.arm.diff import Comparison, compare, leaves
from draftgenie_azure.arm.leaf_digests import Digests

APP, JOB, ENVIRONMENT = "Microsoft.App/containerApps", "Microsoft.App/jobs", "Microsoft.App/managedEnvironments"
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
PARAMETER = f"{SERVER}/configurations"
REDIS, REDIS_DATABASE = "Microsoft.Cache/redisEnterprise", "Microsoft.Cache/redisEnterprise/databases"
CACHE, REGISTRY, VAULT = "Microsoft.Cache/redis", "Microsoft.ContainerRegistry/registries", "Microsoft.KeyVault/vaults"
WORKSPACE, INSIGHTS = "Microsoft.OperationalInsights/workspaces", "Microsoft.Insights/components"
DIAGNOSTICS, ROLE = "Microsoft.Insights/diagnosticSettings", "Microsoft.Authorization/roleAssignments"
IDENTITY, GROUP = "Microsoft.ManagedIdentity/userAssignedIdentities", "Microsoft.Resources/resourceGroups"
ME = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"


def within(path: str, value: Any) -> dict[str, Any]:
    """A body that has one value; `[]` is a list of one item, named `one`."""
    body: Any = value
    for part in reversed(path.split(".")):
        if part.endswith("[]"):
            item = {"name": "one", **body} if isinstance(body, dict) else body
            body = {part.removesuffix("[]"): [item]}
        else:
            body = {part: body}
    found: dict[str, Any] = body
    return found


_INGRESS = "properties.configuration.ingress"
_CONTAINER = "properties.template.containers[]"
# type, path, what is wanted, what a GET shows
ONE_VALUE: list[tuple[str, str, Any, Any]] = [
    *((kind, "location", "eastus2", "East US 2") for kind in (APP, JOB, ENVIRONMENT, SERVER, REDIS, CACHE, GROUP)),
    *((kind, "location", "East US 2", "eastus2") for kind in (REGISTRY, VAULT, WORKSPACE, INSIGHTS, IDENTITY)),
    *((kind, "tags", {}, None) for kind in (APP, JOB, SERVER, REGISTRY, GROUP)),
    *((kind, "tags", None, {}) for kind in (VAULT, WORKSPACE, IDENTITY)),
    (APP, "properties.configuration.activeRevisionsMode", "single", "Single"),
    (APP, f"{_INGRESS}.transport", "http", "Http"),
    (APP, f"{_INGRESS}.transport", "tcp", "Tcp"),
    (APP, f"{_INGRESS}.transport", "auto", "Auto"),
    (APP, f"{_INGRESS}.stickySessions.affinity", "sticky", "Sticky"),
    (APP, f"{_INGRESS}.clientCertificateMode", "ignore", "Ignore"),
    (APP, f"{_INGRESS}.customDomains[].bindingType", "sniEnabled", "SniEnabled"),
    (APP, f"{_INGRESS}.ipSecurityRestrictions[].action", "allow", "Allow"),
    (APP, f"{_INGRESS}.ipSecurityRestrictions", [], None),
    (APP, f"{_INGRESS}.customDomains", [], None),
    (APP, f"{_INGRESS}.corsPolicy.allowedOrigins", ["a", "b"], ["b", "a"]),
    (APP, f"{_INGRESS}.traffic", [{"latestRevision": True, "weight": 100}], [{"weight": 100, "latestRevision": True}]),
    (APP, "properties.environmentId", "/subscriptions/s/resourceGroups/G/e", "/subscriptions/s/resourcegroups/g/e"),
    (APP, "properties.workloadProfileName", "Consumption", "consumption"),
    (APP, "properties.configuration.secrets", [], None),
    (APP, "properties.configuration.registries", [], None),
    (APP, "properties.configuration.registries", [{"server": "a.io", "identity": ME}],
     [{"server": "a.io", "identity": ME.lower(), "username": "", "passwordSecretRef": ""}]),
    (APP, "properties.configuration.registries", [{"server": "A.io", "identity": ME}],
     [{"server": "a.io", "identity": ME}]),
    (APP, "identity.userAssignedIdentities", {ME: {}},
     {ME.replace("resourceGroups", "resourcegroups"): {"principalId": "p", "clientId": "c"}}),
    (APP, "identity.type", "UserAssigned", "SystemAssigned, UserAssigned"),
    (APP, f"{_CONTAINER}.resources", {"cpu": 0.5, "memory": "1Gi"},
     {"cpu": 0.5, "memory": "1Gi", "ephemeralStorage": "2Gi"}),
    (APP, f"{_CONTAINER}.resources.cpu", 1, 1.0),
    (APP, f"{_CONTAINER}.resources.cpu", 0.5, "0.500"),
    (APP, f"{_CONTAINER}.resources.memory", "1Gi", "1.0Gi"),
    (APP, f"{_CONTAINER}.env", [{"name": "A", "value": ""}], [{"name": "A"}]),
    (APP, f"{_CONTAINER}.env", [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
     [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    (APP, f"{_CONTAINER}.probes", [{"type": "Liveness", "httpGet": {"path": "/", "port": 1, "scheme": "HTTP"}}],
     [{"type": "Liveness", "httpGet": {"path": "/", "port": 1, "scheme": "http"}, "successThreshold": 1}]),
    (APP, "properties.template.scale", {"minReplicas": 0, "maxReplicas": 10},
     {"minReplicas": 0, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30, "rules": None}),
    (APP, "properties.template.scale.rules", [], None),
    (JOB, "properties.configuration.triggerType", "manual", "Manual"),
    (JOB, "properties.configuration", {"triggerType": "Manual"},
     {"triggerType": "Manual", "eventTriggerConfig": None, "scheduleTriggerConfig": None, "secrets": None}),
    (JOB, f"{_CONTAINER}.resources", {"cpu": 0.5, "memory": "1Gi"},
     {"cpu": 0.5, "memory": "1Gi", "ephemeralStorage": ""}),
    (ENVIRONMENT, "properties.appLogsConfiguration", {"destination": "azure-monitor"},
     {"destination": "azure-monitor", "logAnalyticsConfiguration": None}),
    (ENVIRONMENT, "properties.workloadProfiles", [{"name": "Consumption", "workloadProfileType": "Consumption"}],
     [{"name": "Consumption", "workloadProfileType": "consumption", "enableFips": False}]),
    (SERVER, "sku", {"name": "Standard_B1ms", "tier": "Burstable"}, {"name": "standard_b1ms", "tier": "burstable"}),
    (SERVER, "properties.storage", {"storageSizeGB": 32},
     {"storageSizeGB": 32, "iops": 120, "tier": "P4", "type": "", "autoGrow": "Disabled"}),
    (SERVER, "properties.storage.autoGrow", "Enabled", "enabled"),
    (SERVER, "properties.storage", {"storageSizeGB": 32, "autoGrow": "Enabled"},
     {"storageSizeGB": 64, "autoGrow": "Enabled"}),
    (SERVER, "properties.highAvailability", {"mode": "Disabled"}, {"mode": "Disabled", "state": "NotEnabled"}),
    (PARAMETER, "properties.value", "pgcrypto,uuid-ossp", "PGCRYPTO,UUID-OSSP"),
    (REDIS, "sku.name", "Balanced_B0", "balanced_b0"),
    (REDIS, "properties", {"minimumTlsVersion": "1.2"}, {"minimumTlsVersion": "1.2", "redundancyMode": "LR"}),
    (REDIS_DATABASE, "properties.evictionPolicy", "VolatileLRU", "volatilelru"),
    (REDIS_DATABASE, "properties.port", 10000, 10000.0),
    (CACHE, "properties.sku", {"name": "Standard", "family": "C", "capacity": 1},
     {"name": "standard", "family": "c", "capacity": 1}),
    (CACHE, "zones", ["1", "2"], ["2", "1"]),
    (REGISTRY, "sku", {"name": "Basic"}, {"name": "basic", "tier": "Basic"}),
    (REGISTRY, "properties.policies", {"azureADAuthenticationAsArmPolicy": {"status": "enabled"}},
     {"azureADAuthenticationAsArmPolicy": {"status": "Enabled"}, "trustPolicy": {"type": "Notary"}}),
    (VAULT, "properties.sku", {"family": "A", "name": "standard"}, {"family": "a", "name": "Standard"}),
    (VAULT, "properties.accessPolicies", [], None),
    (WORKSPACE, "properties.sku", {"name": "PerGB2018"}, {"name": "pergb2018", "lastSkuUpdate": "2026-01-01"}),
    (WORKSPACE, "properties.workspaceCapping", {"dailyQuotaGb": 2}, {"dailyQuotaGb": 2.0, "quotaNextResetTime": "t"}),
    (INSIGHTS, "kind", "web", "Web"),
    (INSIGHTS, "properties.WorkspaceResourceId", "/s/resourceGroups/g", "/s/resourcegroups/g"),
    (INSIGHTS, "properties.SamplingPercentage", 50, 50.0),
    (DIAGNOSTICS, "properties.workspaceId", "/subscriptions/s/resourceGroups/g", "/subscriptions/s/resourcegroups/g"),
    (DIAGNOSTICS, "properties.logs", [{"category": "A", "enabled": True}],
     [{"category": "B", "enabled": False}, {"category": "A", "enabled": True, "categoryGroup": None}]),
    (ROLE, "properties.roleDefinitionId", "/subscriptions/S/roleDefinitions/r", "/subscriptions/s/roledefinitions/r"),
    (ROLE, "properties.principalType", "ServicePrincipal", "serviceprincipal"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "wanted", "shown"), ONE_VALUE)
def test_another_spelling_is_not_drift(kind: str, path: str, wanted: Any, shown: Any) -> None:
    """Neither after our own write nor where nothing is remembered, and not by a repair either."""
    body, live = within(path, wanted), within(path, shown)
    sent = Digests.of(leaves(kind, body, creating=False), "5a17")
    answered = Digests.of(leaves(kind, live), "5a17")

    assert compare(kind, body, live, sent=sent, baseline=answered, repair=True) == Comparison()
    assert compare(kind, body, live, sent=sent, repair=True).ours == []
    assert compare(kind, body, live).ours == []


@pytest.mark.parametrize(("kind", "path", "wanted", "shown"), ONE_VALUE)
def test_another_spelling_than_in_earlier_replies_is_not_drift(kind: str, path: str, wanted: Any, shown: Any) -> None:
    """The reply to our write had the value as sent, a later GET has not: the configured value is unchanged."""
    body, live = within(path, wanted), within(path, shown)
    sent = Digests.of(leaves(kind, body, creating=False), "5a17")
    answered = Digests.of(leaves(kind, body), "5a17")

    found = compare(kind, body, live, sent=sent, baseline=answered, repair=True)

    assert (found.ours, found.others, found.fixed) == ([], [], [])
