"""Check beforehand that the cloud supports each required type, in a known API version, in its region."""

from __future__ import annotations

import re

from draftgenie_azure.arm import versions
from draftgenie_azure.nearest import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.session import Session

_MOST = 5  # versions that a message names


def problems(session: Session, providers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is not offered; if only an older version is, this run and later ones use it.

    Args:
        providers: namespace -> the live provider.
    """
    wanted = {type_: place for type_, place in _types(session.config).items() if type_.split("/", 1)[0] in providers}
    chosen: dict[str, str] = {}
    for (namespace, pinned), types in versions.groups(wanted).items():
        provider = providers[namespace]
        missing = [type_ for type_ in types if provider.get("resourceTypes") and not versions.served(provider, type_)]
        if missing:
            yield f"{', '.join(missing)}: {_cloud(session)} does not offer it to this subscription"
            continue
        version = versions.usable(provider, types, pinned)
        if version is None:
            yield _in_no_version(session, provider, types, pinned)
            continue
        session.transport.versions.choose(namespace, pinned, version)
        if version != pinned:
            chosen[f"{namespace}@{pinned}"] = version
            session.warn(f"{namespace}: {_cloud(session)} does not support the API version {pinned}; {version} is used")
        for type_ in types:
            yield from _elsewhere(provider, type_, wanted[type_], session.config)
    session.records.keep("api_versions", chosen)


def regions(provider: Mapping[str, Any]) -> set[str]:
    """Return the regions in which a provider supports any of its types, as configured names."""
    types = [item for item in provider.get("resourceTypes") or () if isinstance(item, dict)]
    return {_region(name) for item in types for name in item.get("locations") or ()}


def _region(name: object) -> str:
    """`East US 2` as a configuration has it: `eastus2`."""
    return re.sub(r"[ ()]", "", str(name)).lower()


def _types(config: Config) -> dict[str, str]:
    """Return the required types -> their kind of location, empty if they have none."""
    wanted = {"Microsoft.ManagedIdentity/userAssignedIdentities": "identity"}
    if config.monitoring:
        wanted["Microsoft.OperationalInsights/workspaces"] = "log_analytics"
        wanted["Microsoft.Insights/components"] = "app_insights"
    if config.container_registry:
        wanted["Microsoft.ContainerRegistry/registries"] = "container_registry"
    if config.key_vault:
        wanted |= {"Microsoft.KeyVault/vaults": "key_vault", "Microsoft.KeyVault/vaults/secrets": ""}
    if config.postgresql:
        wanted["Microsoft.DBforPostgreSQL/flexibleServers"] = "postgres_server"
        inside = ("databases", "firewallRules", "configurations")
        wanted |= {f"Microsoft.DBforPostgreSQL/flexibleServers/{name}": "" for name in inside}
    if config.redis and config.redis.managed:
        wanted |= {"Microsoft.Cache/redisEnterprise": "redis", "Microsoft.Cache/redisEnterprise/databases": ""}
    elif config.redis:
        wanted["Microsoft.Cache/redis"] = "redis"
    if config.container_apps:
        wanted |= dict.fromkeys(("Microsoft.App/managedEnvironments", "Microsoft.App/containerApps"), "container_apps")
    if any(service.custom_domains for service in config.services.values()):
        kinds = ("certificates", "managedCertificates")
        wanted |= {f"Microsoft.App/managedEnvironments/{kind}": "" for kind in kinds}
    if config.container_apps and config.migrations:
        wanted["Microsoft.App/jobs"] = "container_apps"
    return wanted


def _in_no_version(session: Session, provider: Mapping[str, Any], types: list[str], pinned: str) -> str:
    namespace = types[0].split("/", 1)[0]
    known = ", ".join((pinned, *versions.FALLBACKS.get((namespace, pinned), ())))
    lines = []
    for type_ in types:
        offer = versions.offered(provider, type_)
        more = f" and {len(offer) - _MOST} older" if len(offer) > _MOST else ""
        lines.append(f"{type_} in {', '.join(offer[:_MOST])}{more}" if offer else type_)
    return (
        f"{_cloud(session)} supports {'; '.join(lines)}, and in none of the API versions that this command knows "
        f"({known}): another release of this command may support it"
    )


def _elsewhere(provider: Mapping[str, Any], type_: str, kind: str, config: Config) -> Iterator[str]:
    """Yield a fault if a type is not offered in its configured region."""
    offer = (versions.served(provider, type_) or {}).get("locations")
    if not kind or not isinstance(offer, list) or not offer:
        return
    region, known = config.location(kind), set(map(_region, offer))
    if region not in known and "global" not in known:
        key = f"locations.{kind}"
        yield f"{type_} is not offered in {region}: set another {key}{did_you_mean(region, known)}"


def _cloud(session: Session) -> str:
    return session.config.endpoints.name
