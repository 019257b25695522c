"""Bodies of PostgreSQL and Redis."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


def postgresql_server(config: Config, login: str, password: str) -> dict[str, Any]:
    """Return the body that creates the server. Only this one and a password change contain the password."""
    assert config.postgresql is not None
    body = postgresql_changes(config)
    body["location"] = config.location("postgres_server")
    body["properties"] |= {
        "createMode": "Default",
        "version": config.postgresql.version,
        "administratorLogin": login,
        "administratorLoginPassword": password,
        "network": network(config),
        "authConfig": {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"},
    }
    body["properties"]["backup"]["geoRedundantBackup"] = "Disabled"
    return body


def network(config: Config) -> dict[str, Any]:
    """Return the network settings: public behind a firewall, or inside a network, without public access."""
    assert config.postgresql is not None
    if config.postgresql.subnet_id is None:
        return {"publicNetworkAccess": "Enabled"}
    return {
        "delegatedSubnetResourceId": config.postgresql.subnet_id,
        "privateDnsZoneArmResourceId": config.postgresql.private_dns_zone_id,
    }


def postgresql_changes(config: Config) -> dict[str, Any]:
    """Return what can be changed on an existing server: size, storage, backup, high availability, tags."""
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
    """Return a database in UTF-8."""
    return {"properties": {"charset": "UTF8", "collation": "en_US.utf8"}}


def postgresql_azure_rule() -> dict[str, Any]:
    """Return the rule that admits every address inside Azure, including other customers'.

    Source: learn.microsoft.com, PostgreSQL firewall rules.
    """
    return {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}


def extensions_value(extensions: list[str]) -> str:
    """Return the value of the server parameter `azure.extensions` for the extensions that users may create."""
    return ",".join(sorted(extensions))


def parameter_value(name: str, value: str) -> str:
    """Return a parameter's value in Azure's spelling: true and false become `on` and `off`, except for PgBouncer."""
    if name.startswith("pgbouncer."):
        return value
    return {"true": "on", "false": "off"}.get(value, value)


def parameter(value: str, *, default: object) -> dict[str, Any]:
    """Return a server parameter; one reset to its default leaves the source to Azure."""
    if value == default:
        return {"properties": {"value": value}}
    return {"properties": {"value": value, "source": "user-override"}}


def managed_redis(config: Config) -> dict[str, Any]:
    """Return the Azure Managed Redis cluster; `publicNetworkAccess` must be sent since API 2025-07-01."""
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
    """Return the cluster's database; access keys are off by default since API 2025-07-01, so they are enabled."""
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
    """Return Azure Cache for Redis, retired on 2028-09-30.

    Source: learn.microsoft.com/azure/azure-cache-for-redis/retirement-faq.
    """
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
