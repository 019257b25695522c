"""Validate the section `postgresql`: size, login, databases, network, server parameters.

Sources: learn.microsoft.com/azure/postgresql/, `network/concepts-networking-private` (delegated subnet, and a private
DNS zone whose name ends with the servers' suffix and differs from the server's own), `server-parameters/`,
`extensions/how-to-load-libraries` (libraries to preload).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from draftgenie_azure.config.validated import naming
from draftgenie_azure.config.validated.found import Found
from draftgenie_azure.config.validated.resource_sections import STORAGE_SIZES, Postgresql
from draftgenie_azure.config.validated.schema import Config

SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/privateDnsZones/([^/]+)", re.IGNORECASE
)
LIBRARIES = "shared_preload_libraries"
EXTENSIONS = "azure.extensions"
# Extension -> the library it needs preloaded; new servers load the first two.
_LOADED = frozenset({"pg_cron", "pg_stat_statements"})
_PRELOADED = {
    "age": "age", "anon": "anon", "pg_duckdb": "pg_duckdb", "pg_hint_plan": "pg_hint_plan",
    "pg_partman": "pg_partman_bgw", "pg_squeeze": "pg_squeeze", "pgaudit": "pgaudit", "pglogical": "pglogical",
    "timescaledb": "timescaledb", "pg_cron": "pg_cron", "pg_stat_statements": "pg_stat_statements",
}  # fmt: skip


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    section = config.postgresql
    if section is None:
        return
    yield from _size(config, section)
    yield from _login(section)
    yield from _databases(section)
    yield from _network(config, section)
    yield from _parameters(section)


def notices(config: Config) -> Iterator[str]:
    """Yield warnings about a valid section."""
    section = config.postgresql
    if section is None:
        return
    if int(section.version) < 14:
        yield f"postgresql.version {section.version} is in paid extended support"
    libraries = _names(section.parameters.get(LIBRARIES, ",".join(_LOADED)))
    for name in section.extensions:
        library = _PRELOADED.get(name.lower())
        if library is not None and library not in libraries:
            yield (
                f"postgresql.extensions: CREATE EXTENSION {name} fails until the server loads {library}: add it to "
                f"postgresql.parameters.{LIBRARIES}"
            )
    environment = config.container_apps
    if section.subnet_id and environment is not None and environment.subnet_id is None:
        yield (
            "postgresql.subnet_id: apps reach the server only from its network or a peered one; "
            "container_apps.subnet_id puts the environment into one"
        )


def _names(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",")}


def _size(config: Config, section: Postgresql) -> Found:
    tier = naming.postgres_tier(section.sku)
    key = "sku" if config.raw.get("postgresql.sku") is not None else "postgres_sku"
    if tier is None:
        parts = section.sku.split("_", 1)
        if parts[0] in ("B", "GP", "MO") and len(parts) > 1 and naming.postgres_tier(parts[1]):
            yield ("postgresql", key), f"is Terraform's spelling; Azure's is `{parts[1]}`"
        else:
            yield ("postgresql", key), "must be a size such as Standard_B1ms, Standard_D2ds_v5 or Standard_E4ds_v5"
    elif section.tier != tier:
        yield ("postgresql", "tier"), f"does not fit the sku: `{section.sku}` is {tier}"
    if section.postgres_sku is not None and section.postgres_sku != section.sku:
        yield (
            ("postgresql", "postgres_sku"),
            "is an older name of `sku`, and both are set to different values; keep sku",
        )
    if section.storage_size not in STORAGE_SIZES:
        larger = next((size for size in STORAGE_SIZES if size >= section.storage_size), STORAGE_SIZES[-1])
        yield (
            ("postgresql", "storage_size"),
            (f"must be one of {', '.join(map(str, STORAGE_SIZES))}; the next is {larger}"),
        )
    if section.high_availability != "Disabled" and section.tier == "Burstable":
        yield ("postgresql", "high_availability"), "is not offered for Burstable sizes (Standard_B…)"


def _login(section: Postgresql) -> Found:
    if fault := naming.login_fault(section.login):
        yield ("postgresql", "admin_user"), fault
    if section.admin_password and (fault := naming.password_fault(section.admin_password, section.login)):
        yield ("postgresql", "admin_password"), fault


def _databases(section: Postgresql) -> Found:
    seen: dict[str, int] = {}
    for position, name in enumerate(section.databases):
        if name in seen:
            yield ("postgresql", "databases", position), f"`{name}` is a duplicate"
        seen[name] = position
        if name in ("postgres", "azure_maintenance", "azure_sys", "template0", "template1"):
            yield ("postgresql", "databases", position), f"`{name}` is a system database"

def _network(config: Config, section: Postgresql) -> Found:
    subnet, zone = section.subnet_id, section.private_dns_zone_id
    if subnet is None:
        if zone is not None:
            yield ("postgresql", "private_dns_zone_id"), "needs `subnet_id`: it applies to a server in a network"
        return
    if not SUBNET.fullmatch(subnet):
        yield ("postgresql", "subnet_id"), "must be the resource id of a subnet: /subscriptions/…/subnets/<name>"
    if zone is None:
        yield ("postgresql", "subnet_id"), "needs `private_dns_zone_id`: the server's name is resolved only there"
        return
    match, suffix = _ZONE.fullmatch(zone), f".{config.endpoints.postgres_suffix}"
    if match is None:
        words = "must be the resource id of a private DNS zone: /subscriptions/…/privateDnsZones/<name>"
        yield ("postgresql", "private_dns_zone_id"), words
    elif not match[1].lower().endswith(suffix):
        yield ("postgresql", "private_dns_zone_id"), f"must be a zone whose name ends with `{suffix}`"
    elif match[1].lower() == f"{section.server_name}{suffix}":
        yield ("postgresql", "private_dns_zone_id"), "must be a zone whose name differs from the server's"


def _parameters(section: Postgresql) -> Found:
    if EXTENSIONS in section.parameters and section.extensions:
        yield ("postgresql", "parameters", EXTENSIONS), "conflicts with `extensions`, which sets it; keep one"
    for name, value in section.parameters.items():
        if name == LIBRARIES and "" in _names(value) and value.strip():
            yield ("postgresql", "parameters", name), "must be names separated by commas"
