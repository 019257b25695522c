"""Bodies of the key vault and its secrets."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


def vault(config: Config, tenant_id: str) -> dict[str, Any]:
    """Return the key vault, with role-based access only.

    `softDeleteRetentionInDays` is fixed at creation; purge protection can only be turned on, so it is left out when
    it is off (learn.microsoft.com/azure/key-vault/general/soft-delete-overview).
    """
    assert config.key_vault is not None
    properties: dict[str, Any] = {
        "tenantId": tenant_id,
        "sku": {"family": "A", "name": config.key_vault.sku},
        "enableRbacAuthorization": True,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": config.key_vault.soft_delete_retention_days,
        "accessPolicies": [],
    }
    if config.key_vault.purge_protection:
        properties["enablePurgeProtection"] = True
    return {"location": config.location("key_vault"), "tags": tagged(config), "properties": properties}


def recovered_vault(config: Config, tenant_id: str) -> dict[str, Any]:
    """Return the body that recovers a deleted vault; the rest is sent afterwards, as the Azure CLI does."""
    assert config.key_vault is not None
    return {
        "location": config.location("key_vault"),
        "properties": {
            "tenantId": tenant_id,
            "sku": {"family": "A", "name": config.key_vault.sku},
            "createMode": "recover",
        },
    }


def vault_secret(value: str, digest: str) -> dict[str, Any]:
    """Return a secret with its value; the digest in its tags is for users, not read by the tool."""
    return {"tags": {"digest": digest[:16]}, "properties": {"value": value, "contentType": "text/plain"}}
