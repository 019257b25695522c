"""List existing resources of the earlier script, for a report before anything is written."""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.provision import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.session import Session

_APP = "Microsoft.App/containerApps"
_REGISTRY = "Microsoft.ContainerRegistry/registries"
_SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
_VAULT = "Microsoft.KeyVault/vaults"
_WORLD = ("0.0.0.0", "255.255.255.255")


def lines(session: Session) -> Iterator[str]:
    """Yield what the configuration takes over, restricts with --adopt, creates, and leaves unchanged."""
    group = session.scope.group
    name = ids.last_name(group)
    if session.arm.read(group) is None:
        yield f"Azure has no resource group {name}: everything is created"
        return
    version = ids.API_VERSIONS["Microsoft.Resources/resourceGroups"]
    there = [str(one["id"]) for one in session.arm.listing(f"{group}/resources", api_version=version)]
    listed = {one.lower(): one for one in there}
    yield f"found in Azure, in the resource group {name}:"
    wanted = dict(_wanted(session))
    for resource_id, what in wanted.items():
        if resource_id.lower() in listed:
            yield f"  {what} {ids.last_name(resource_id)}: taken over"
            yield from (f"    {text}" for text in _details(session, resource_id))
        else:
            yield f"  {what} {ids.last_name(resource_id)}: missing, would be created"
    known = {one.lower() for one in wanted}
    for lowered, resource_id in sorted(listed.items()):
        if lowered not in known:
            type_, own = ids.resource_type(resource_id), ids.last_name(resource_id)
            yield f"  {type_} {own}: not in the configuration, unchanged"


def _wanted(session: Session) -> Iterator[tuple[str, str]]:
    """Yield id and kind of each configured top-level resource that the earlier script also created."""
    config, scope = session.config, session.scope
    if config.monitoring:
        yield scope.resource("Microsoft.OperationalInsights/workspaces", config.monitoring.log_workspace), "workspace"
        yield scope.resource("Microsoft.Insights/components", config.monitoring.app_insights), "Application Insights"
    if config.container_registry:
        yield scope.resource(_REGISTRY, config.container_registry.name), "registry"
    if config.key_vault:
        yield scope.resource(_VAULT, config.key_vault.name), "vault"
    if config.postgresql:
        yield scope.resource(_SERVER, config.postgresql.server_name), "PostgreSQL server"
    if config.redis:
        type_ = "Microsoft.Cache/redisEnterprise" if config.redis.managed else "Microsoft.Cache/redis"
        yield scope.resource(type_, config.redis.name), "Redis"
    if config.container_apps:
        name = config.container_apps.environment_name
        yield scope.resource("Microsoft.App/managedEnvironments", name), "environment"
    for service in config.services.values():
        yield scope.resource(_APP, service.name), "container app"


def _details(session: Session, resource_id: str) -> Iterator[str]:
    """Yield settings that are kept against the configuration, and those that --adopt restricts."""
    type_ = ids.resource_type(resource_id)
    if type_ not in (_REGISTRY, _VAULT, _SERVER):
        return
    properties = (session.arm.read(resource_id) or {}).get("properties", {})
    if type_ == _REGISTRY and properties.get("adminUserEnabled"):
        yield "its admin user is on: --adopt turns it off, and apps pull images by identity"
    elif type_ == _VAULT and not properties.get("enableRbacAuthorization"):
        yield "it uses access policies: --adopt switches it to roles; a run without --adopt stops there"
    elif type_ == _SERVER:
        yield from _of_server(session, resource_id, properties)


def _of_server(session: Session, server_id: str, properties: dict[str, Any]) -> Iterator[str]:
    postgresql = session.config.postgresql
    assert postgresql is not None
    login = properties.get("administratorLogin")
    if login and login != postgresql.login:
        yield f"its login remains {login}: Azure cannot change it"
    for rule in _children(session, server_id, "firewallRules"):
        found = rule["properties"]
        if (found["startIpAddress"], found["endIpAddress"]) == _WORLD:
            yield f"its firewall rule {rule['name']} admits every address: --adopt deletes it"
    there = {str(one["name"]) for one in _children(session, server_id, "databases")} - addresses.AZURES_DATABASES
    for name in sorted(there - _used(session.config)):
        yield f"its database {name} is used by no service and is kept: docs/moving.md says how to copy it"
    created = sorted(_used(session.config) - there)
    if created:
        yield f"databases that would be created: {', '.join(created)}"


def _children(session: Session, server_id: str, collection: str) -> list[dict[str, Any]]:
    version = ids.API_VERSIONS[f"{_SERVER}/{collection}"]
    return list(session.arm.listing(f"{server_id}/{collection}", api_version=version))


def _used(config: Config) -> set[str]:
    """Return the names of the databases that services use."""
    return {name for name in map(config.database_of, config.services) if name}
