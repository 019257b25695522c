"""Check beforehand for quotas, offers, and names held by deleted vaults.

A check that fails to run stops nothing: Azure then reports it later. Sources: the operations `usages` of Microsoft.App,
`capabilities` of Microsoft.DBforPostgreSQL and `deletedVaults` of Microsoft.KeyVault.
"""

from __future__ import annotations

from functools import partial

from draftgenie_azure.arm import ids
from draftgenie_azure.errors import AzureError
from draftgenie_azure.nearest import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from draftgenie_azure.session import Session

_ENVIRONMENTS = "Microsoft.App/managedEnvironments"
_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
_VAULTS = "Microsoft.KeyVault/vaults"


def problems(session: Session) -> Iterator[str]:
    """Yield what the subscription has no quota or offer for in the configured regions."""
    if session.config.container_apps and session.config.container_apps.environment_name:
        yield from _asked(session, "quota of Container Apps", partial(_environment_quota, session))
    if session.config.postgresql:
        yield from _asked(session, "sizes of PostgreSQL", partial(_server_offer, session))


def deleted_vault(session: Session, name: str) -> dict[str, Any] | None:
    """Return the deleted vault that holds a name, in any region; None if there is none or listing is not allowed."""
    path = f"{session.scope.subscription}/providers/Microsoft.KeyVault/deletedVaults"
    try:
        for item in session.arm.listing(path, api_version=ids.API_VERSIONS[_VAULTS]):
            if str(item.get("name")).lower() == name.lower() and isinstance(item.get("properties"), dict):
                return dict(item["properties"])
    except AzureError as error:
        session.logger.info("deleted vaults could not be listed: %s", error.message)
    return None


def held_by(name: str, deleted: dict[str, Any]) -> str:
    """Return a message about the deleted vault that holds a name, with a remedy."""
    place, vault = str(deleted.get("location")), str(deleted.get("vaultId"))
    group = vault.split("/")[4] if vault.count("/") >= 4 else "another group"
    text = f"it is held by a vault of {group} in {place}, deleted {deleted.get('deletionDate')}. Choose another name"
    if deleted.get("purgeProtectionEnabled"):
        return f"{text}, or wait until {deleted.get('scheduledPurgeDate')}: it is protected from being purged"
    return f"{text}, or purge it permanently: az keyvault purge --name {name} --location {place}"


def _asked(session: Session, what: str, ask: Callable[[], Iterator[str]]) -> list[str]:
    try:
        return list(ask())
    except AzureError as error:
        session.logger.info("%s could not be checked: %s", what, error.message)
        return []


def _environment_quota(session: Session) -> Iterator[str]:
    assert session.config.container_apps is not None
    name = session.config.container_apps.environment_name
    if session.arm.current(session.scope.resource(_ENVIRONMENTS, name)) is not None:
        return
    place = session.config.location("container_apps")
    path = f"{session.scope.subscription}/providers/Microsoft.App/locations/{place}/usages"
    for usage in session.arm.listing(path, api_version=ids.API_VERSIONS[_ENVIRONMENTS]):
        known = usage.get("name")
        kind = known.get("value") if isinstance(known, dict) else None
        used, limit = usage.get("currentValue"), usage.get("limit")
        if kind != "ManagedEnvironmentCount" or not isinstance(used, int | float) or not isinstance(limit, int | float):
            continue
        if used >= limit:
            yield (
                f"container_apps: the subscription has {used:.0f} of {limit:.0f} Container Apps environments in {place}"
                ": delete one, request quota, or set another locations.container_apps"
            )


def _server_offer(session: Session) -> Iterator[str]:
    wanted = session.config.postgresql
    assert wanted is not None
    if session.arm.current(session.scope.resource(_SERVERS, wanted.server_name)) is not None:
        return  # it exists; Azure checks changes of its size
    place = session.config.location("postgres_server")
    path = f"{session.scope.subscription}/providers/Microsoft.DBforPostgreSQL/locations/{place}/capabilities"
    offers = list(session.arm.listing(path, api_version=ids.API_VERSIONS[_SERVERS]))
    if not offers:
        return
    if any(offer.get("restricted") == "Enabled" for offer in offers):
        yield f"postgresql: {place} is closed to this subscription: set another locations.postgres_server"
        return
    editions = _named(offers, "supportedServerEditions")
    sizes = {str(item.get("name")) for item in _named(editions, "supportedServerSkus")}
    versions = {str(item.get("name")) for item in _named(offers, "supportedServerVersions")}
    if sizes and wanted.sku.lower() not in {size.lower() for size in sizes}:
        near = did_you_mean(wanted.sku, sorted(sizes))
        yield f"postgresql.sku: {wanted.sku} is not offered to this subscription in {place}{near}"
    if versions and wanted.version not in versions:
        offered = ", ".join(sorted(versions, key=lambda version: (len(version), version)))
        yield f"postgresql.version: {place} offers {offered}, not {wanted.version}"


def _named(items: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return the items of all lists of that name."""
    lists = [item.get(key) for item in items]
    return [entry for found in lists if isinstance(found, list) for entry in found if isinstance(entry, dict)]
