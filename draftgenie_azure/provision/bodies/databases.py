"""Bodies of PostgreSQL and Redis."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


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
    storage: dict[str, Any] = {"storageSizeGB": config.postgresql.storage_size}
    if config.postgresql.auto_grow is not None:
        storage["autoGrow"] = "Enabled" if config.postgresql.auto_grow else "Disabled"
    return {
        "tags": tagged(config),
        "sku": {"name": config.postgresql.sku, "tier": config.postgresql.tier},
        "properties": {
            "storage": storage,
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
