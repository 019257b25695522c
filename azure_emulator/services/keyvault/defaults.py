"""Bodies as the service fills them in, as data."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

VAULT: Json = {
    "accessPolicies": [],
    "enabledForDeployment": False,
    "enableSoftDelete": True,
    "softDeleteRetentionInDays": 90,
    "publicNetworkAccess": "Enabled",
}
# From 2024-11-01 on, too (recorded traffic of Azure/azure-cli).
VAULT_SINCE_2024: Json = {"enabledForDiskEncryption": False, "enabledForTemplateDeployment": False}
# What a new vault keeps of what was sent; everything else is set by the service.
VAULT_TAKES = (
    "sku", "tenantId", "accessPolicies", "enabledForDeployment", "enabledForDiskEncryption",
    "enabledForTemplateDeployment", "networkAcls", "enablePurgeProtection", "softDeleteRetentionInDays",
    "publicNetworkAccess",
)  # fmt: skip
