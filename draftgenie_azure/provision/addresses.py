"""Ids and hosts of the configured resources, derived from the configuration and never from recorded values."""

from __future__ import annotations

from draftgenie_azure.arm import hosts
from draftgenie_azure.errors import AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.session import Session

AZURES_DATABASES = frozenset({"azure_maintenance", "azure_sys", "postgres"})  # which every server has
VAULT_TYPE = "Microsoft.KeyVault/vaults"
_REDIS_CLUSTER, _OLDER_REDIS = "Microsoft.Cache/redisEnterprise", "Microsoft.Cache/redis"


def deleted_vault(session: Session) -> str:
    """Return where Azure shows the vault of the configured name after it was deleted."""
    assert session.config.key_vault is not None
    location = session.config.location("key_vault")
    place = f"{session.scope.subscription}/providers/Microsoft.KeyVault/locations/{location}"
    return f"{place}/deletedVaults/{session.config.key_vault.name}"


def identity(session: Session) -> str:
    """Return the resource id of the apps' identity."""
    name = session.config.azure.identity_name
    return session.scope.resource("Microsoft.ManagedIdentity/userAssignedIdentities", name)


def workspace(session: Session) -> str:
    """Return the resource id of the Log Analytics workspace."""
    assert session.config.monitoring is not None
    name = session.config.monitoring.log_workspace
    return session.scope.resource("Microsoft.OperationalInsights/workspaces", name)


def app_insights(session: Session) -> str:
    """Return the resource id of Application Insights."""
    assert session.config.monitoring is not None
    return session.scope.resource("Microsoft.Insights/components", session.config.monitoring.app_insights)


def environment(session: Session) -> str:
    """Return the resource id of the Container Apps environment."""
    assert session.config.container_apps is not None
    name = session.config.container_apps.environment_name
    return session.scope.resource("Microsoft.App/managedEnvironments", name)


def live_domain(session: Session) -> str | None:
    """Return the current default domain of the environment; None if there is none."""
    live = session.arm.current(environment(session))
    return None if live is None else str(live["properties"].get("defaultDomain"))


def redis_keys(session: Session) -> str:
    """Return the id of the resource whose keys give access to Redis."""
    redis = session.config.redis
    assert redis is not None
    if redis.managed:
        return f"{session.scope.resource(_REDIS_CLUSTER, redis.name)}/databases/default"
    return session.scope.resource(_OLDER_REDIS, redis.name)


def vault(session: Session) -> tuple[str, str]:
    """Return the resource id of the vault, and its URL with a trailing slash."""
    assert session.config.key_vault is not None
    name = session.config.key_vault.name
    vault_id = session.scope.resource(VAULT_TYPE, name)
    return vault_id, hosts.vault_address(name, session.transport.endpoints)


def registry(session: Session) -> str:
    """Return the resource id of the registry."""
    assert session.config.container_registry is not None
    return session.scope.resource("Microsoft.ContainerRegistry/registries", session.config.container_registry.name)


def configured(session: Session) -> set[str]:
    """Return the lower-case ids of configured resources, except jobs, roles and settings, which are recreated."""
    config, scope = session.config, session.scope
    found = {scope.group, identity(session)}
    found |= {scope.resource("Microsoft.App/containerApps", service.name) for service in config.services.values()}
    if config.container_registry is not None:
        found.add(registry(session))
    if config.key_vault is not None:
        found.add(vault(session)[0])
    if config.monitoring is not None:
        found |= {workspace(session), app_insights(session)}
    if config.container_apps is not None:
        mounted = [one.name for one in config.services.values() if one.volume and one.volume.type == "azure_file"]
        found |= {environment(session), *(f"{environment(session)}/storages/{name}" for name in mounted)}
    if config.redis is not None:
        found |= {redis_keys(session), redis_keys(session).removesuffix("/databases/default")}
    if config.postgresql is not None:
        server = scope.resource("Microsoft.DBforPostgreSQL/flexibleServers", config.postgresql.server_name)
        found |= {server, *(f"{server}/databases/{name}" for name in config.databases())}
    return {one.lower() for one in found}


def login_server(session: Session, recorded: Mapping[str, Any]) -> str:
    """Return the registry's host: derived from its name, or the live one if another one was recorded.

    Raises:
        AzureError: the live host is not one of this registry.
    """
    assert session.config.container_registry is not None
    host = hosts.registry_host(session.config.container_registry.name, session.transport.endpoints)
    published = str(recorded.get("login_server"))
    if published.lower() == host:
        return published
    live = session.arm.current(registry(session)) or {}  # a registry with a domain name label
    return checked_login_server(session, (live.get("properties") or {}).get("loginServer"))


def checked_login_server(session: Session, host: object) -> str:
    """Return the registry's host as reported by Azure.

    Raises:
        AzureError: it is not a host of this registry.
    """
    assert session.config.container_registry is not None
    name = session.config.container_registry.name
    if not hosts.is_registry(str(host), name, session.transport.endpoints):
        raise AzureError(
            f"the registry {name} is at {host!r}, which is not a host of this cloud; no token was sent there",
            hint="Correct azure.cloud: its registry_suffix is that of another cloud.",
        )
    return str(host)
