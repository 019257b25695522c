"""Bodies of what keeps data: registry, vault, PostgreSQL, Redis."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.foundation import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


def registry(config: Config) -> dict[str, Any]:
    """The container registry, without admin user.

    Container Apps pulls with a token made for ARM, hence `azureADAuthenticationAsArmPolicy`
    (learn.microsoft.com/azure/container-apps/tutorial-code-to-cloud). The role-assignment mode is sent because its
    default is announced to change, and AcrPull means nothing in the other mode
    (learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions).
    """
    assert config.container_registry is not None
    return {
        "location": config.location("container_registry"),
        "tags": tagged(config),
        "sku": {"name": config.container_registry.sku},
        "properties": {
            "adminUserEnabled": False,
            "roleAssignmentMode": "LegacyRegistryPermissions",
            "policies": {"azureADAuthenticationAsArmPolicy": {"status": "enabled"}},
        },
    }


def vault(config: Config, tenant_id: str) -> dict[str, Any]:
    """The key vault, governed by roles alone.

    `softDeleteRetentionInDays` is fixed at creation; purge protection can only be switched on, so it is left out when
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
    """What brings a deleted vault back; the rest is sent afterwards, as the Azure CLI does."""
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
    """A secret's value; the digest in the tags tells a person (not the tool) which value it is."""
    return {"tags": {"digest": digest[:16]}, "properties": {"value": value, "contentType": "text/plain"}}


def postgresql_server(config: Config, login: str, password: str) -> dict[str, Any]:
    """The body that creates the server. Its password is in no other body but a change of password."""
    assert config.postgresql is not None
    body = postgresql_changes(config)
    body["location"] = config.location("postgres_server")
    body["properties"] |= {
        "createMode": "Default",
        "version": config.postgresql.version,
        "administratorLogin": login,
        "administratorLoginPassword": password,
        "network": {"publicNetworkAccess": "Enabled"},
        "authConfig": {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"},
    }
    body["properties"]["backup"]["geoRedundantBackup"] = "Disabled"
    return body


def postgresql_changes(config: Config) -> dict[str, Any]:
    """What may be changed on a server that exists: size, storage, backup, high availability, tags."""
    assert config.postgresql is not None
    return {
        "tags": tagged(config),
        "sku": {"name": config.postgresql.sku, "tier": config.postgresql.tier},
        "properties": {
            "storage": {"storageSizeGB": config.postgresql.storage_size},
            "backup": {"backupRetentionDays": config.postgresql.backup_retention_days},
            "highAvailability": {"mode": config.postgresql.high_availability},
        },
    }


def postgresql_database() -> dict[str, Any]:
    """A database in UTF-8."""
    return {"properties": {"charset": "UTF8", "collation": "en_US.utf8"}}


def postgresql_azure_rule() -> dict[str, Any]:
    """Admits every address inside Azure, other customers' too (learn.microsoft.com, PostgreSQL firewall rules)."""
    return {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}


def postgresql_extensions(extensions: list[str]) -> dict[str, Any]:
    """The extensions that users may create, as the server parameter `azure.extensions`."""
    return {"properties": {"value": ",".join(extensions), "source": "user-override"}}


def managed_redis(config: Config) -> dict[str, Any]:
    """The Azure Managed Redis cluster; `publicNetworkAccess` must be sent since API 2025-07-01."""
    assert config.redis is not None
    return {
        "location": config.location("redis"),
        "tags": tagged(config),
        "sku": {"name": config.redis.sku},
        "properties": {
            "publicNetworkAccess": "Enabled",
            "minimumTlsVersion": "1.2",
            "highAvailability": "Enabled" if config.redis.high_availability else "Disabled",
        },
    }


def managed_redis_database(config: Config) -> dict[str, Any]:
    """The cluster's one database; access keys are off by default since API 2025-07-01, so they are asked for."""
    assert config.redis is not None
    return {
        "properties": {
            "clientProtocol": "Encrypted",
            "port": 10000,
            "clusteringPolicy": config.redis.clustering_policy,
            "evictionPolicy": config.redis.eviction_policy,
            "accessKeysAuthentication": "Enabled",
        }
    }


def older_redis(config: Config) -> dict[str, Any]:
    """Azure Cache for Redis; it ends on 2028-09-30 (learn.microsoft.com/azure/azure-cache-for-redis/retirement-faq)."""
    assert config.redis is not None
    size = config.redis.vm_size.upper()
    return {
        "location": config.location("redis"),
        "tags": tagged(config),
        "properties": {
            "sku": {"name": config.redis.sku, "family": size[0], "capacity": int(size[1:])},
            "minimumTlsVersion": "1.2",
            "enableNonSslPort": False,
        },
    }
