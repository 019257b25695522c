"""What others made before the first deployment, which takes it over."""

from __future__ import annotations

import copy
from typing import Any

from by_hand import settle
from hypothesis import strategies as st
from project import Azure

from draftgenie_azure.arm import ids

Json = dict[str, Any]
# The bodies of what others made, by the ids below the group; each is one of several.
FOUND: dict[str, list[Json]] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities/draftgenie-identity": [{"tags": {"theirs": "1"}}],
    "Microsoft.OperationalInsights/workspaces/demo-logs": [
        {"properties": {"retentionInDays": 90, "workspaceCapping": {"dailyQuotaGb": 3}}},
        {"tags": {"Team": "theirs"}, "properties": {"sku": {"name": "PerGB2018"}}},
    ],
    "Microsoft.ContainerRegistry/registries/demoacr": [
        {"sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}},
        {"sku": {"name": "Premium"}, "tags": {"theirs": "1"}, "properties": {"anonymousPullEnabled": False}},
    ],
    "Microsoft.KeyVault/vaults/demo-kv": [
        {"properties": {"sku": {"family": "A", "name": "premium"}, "enableRbacAuthorization": True}},
        {"properties": {
            "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True, "enablePurgeProtection": True,
            "softDeleteRetentionInDays": 7,
        }, "tags": {"theirs": "1"}},
    ],
    "Microsoft.DBforPostgreSQL/flexibleServers/demo-pg": [
        {"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}, "properties": {
            "administratorLogin": "theirs", "administratorLoginPassword": "Theirs-1234", "version": "16",
            "storage": {"storageSizeGB": 64, "autoGrow": "Enabled"}, "backup": {"backupRetentionDays": 21},
        }},
        {"sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}, "tags": {"theirs": "1"}, "properties": {
            "administratorLogin": "theirs", "administratorLoginPassword": "Theirs-1234", "version": "16",
            "storage": {"storageSizeGB": 32}, "highAvailability": {"mode": "SameZone"},
        }},
    ],
    "Microsoft.App/managedEnvironments/demo-env": [
        {"properties": {"workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}},
        {"properties": {
            "workloadProfiles": [
                {"name": "Consumption", "workloadProfileType": "Consumption"},
                {"name": "theirs", "workloadProfileType": "D4", "minimumCount": 0, "maximumCount": 2},
            ],
            "peerAuthentication": {"mtls": {"enabled": True}},
        }, "tags": {"theirs": "1"}},
    ],
}  # fmt: skip
APP: list[Json] = [
    {"configuration": {
        "ingress": {"external": True, "targetPort": 80, "ipSecurityRestrictions": [
            {"name": "theirs", "ipAddressRange": "198.51.100.0/24", "action": "Allow"},
        ]},
        "secrets": [{"name": "theirs", "value": "x"}],
    }, "template": {"containers": [
        {"name": "theirs", "image": "nginx:0", "env": [
            {"name": "A", "value": "theirs"}, {"name": "S", "secretRef": "theirs"},
        ]},
    ]}},
    {"configuration": {"activeRevisionsMode": "Multiple", "ingress": {"external": False, "targetPort": 8080}},
     "template": {"containers": [{"name": "web", "image": "nginx:0", "env": [{"name": "A", "value": "theirs"}]}],
                  "scale": {"minReplicas": 0, "maxReplicas": 9}}},
]  # fmt: skip
CHOSEN = st.fixed_dictionaries({path: st.sampled_from([None, *range(len(found))]) for path, found in FOUND.items()})
CHOSEN_APP = st.sampled_from([None, *range(len(APP))])


def make(azure: Azure, chosen: dict[str, int | None], app: int | None) -> list[Json]:
    """Have others make these; records of what they made."""
    subscription = azure.send("GET", "/subscriptions", "2022-12-01").json()["value"][0]
    base = subscription["id"]
    for namespace in sorted({path.partition("/")[0] for path in FOUND}):
        azure.send("POST", f"{base}/providers/{namespace}/register", "2022-09-01")
    group = f"{base}/resourceGroups/demo-rg"
    azure.send("PUT", group, "2025-04-01", {"location": "eastus2", "tags": {"theirs": "1"}})
    made = [{"id": group, "api_version": "2025-04-01"}]
    for path, number in chosen.items():
        if number is not None:
            body = copy.deepcopy(FOUND[path][number])
            if "/vaults/" in path:
                body["properties"] |= {"tenantId": subscription["tenantId"], "accessPolicies": []}
            made.append(_put(azure, f"{group}/providers/{path}", body))
    environment = "Microsoft.App/managedEnvironments/demo-env"
    if app is not None and chosen[environment] is not None:
        body = {"properties": {**copy.deepcopy(APP[app]), "environmentId": f"{group}/providers/{environment}"}}
        made.append(_put(azure, f"{group}/providers/Microsoft.App/containerApps/web", body))
    return made


def _put(azure: Azure, resource_id: str, body: Json) -> Json:
    version = ids.api_version(resource_id)
    settle(azure, azure.send("PUT", resource_id, version, {"location": "eastus2", **body}), version)
    return {"id": resource_id, "api_version": version}
