"""The endpoints of each Azure cloud.

Source: azure-cli-core 2.91.0 `cloud.py`. The emulator uses the public cloud's host names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAMES = ("emulator", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud")


@dataclass(frozen=True)
class Endpoints:
    """The service endpoints of one cloud.

    Attributes:
        name: the value of `azure.cloud`: `emulator`, `AzureCloud`, …
        resource_manager: base URL of Azure Resource Manager, without a trailing slash.
        scope: OAuth scope of its tokens; `audience` is an alias.
        authority: base URL of the token service.
        vault_suffix: host name of a vault without the vault's name (`vault.azure.net`); likewise the other suffixes.
        vault_scope: OAuth scope for the data plane of Key Vault.
        storage_suffix: `core.windows.net`; the blob endpoint is `<account>.blob.<storage_suffix>`.
        redis_suffixes: host names of Redis without its name (and region), where known.
        stream_suffixes: host names of the log streams without the region.
        ca_file: absolute path of a CA bundle to trust, or None.
        proxy: URL of an HTTP proxy, or None.
    """

    name: str
    resource_manager: str
    scope: str
    authority: str
    vault_suffix: str
    vault_scope: str
    registry_suffix: str
    storage_suffix: str
    postgres_suffix: str
    redis_suffixes: tuple[str, ...] = ()
    stream_suffixes: tuple[str, ...] = ()
    ca_file: str | None = None
    proxy: str | None = None

    @property
    def audience(self) -> str:
        """Alias of `scope`: the OAuth scope for Azure Resource Manager."""
        return self.scope

    @property
    def blob_suffix(self) -> str:
        """The suffix of blob endpoints: `blob.core.windows.net` in the public cloud."""
        return f"blob.{self.storage_suffix}"


_PUBLIC = Endpoints(
    name="AzureCloud",
    resource_manager="https://management.azure.com",
    scope="https://management.azure.com/.default",
    authority="https://login.microsoftonline.com",
    vault_suffix="vault.azure.net",
    vault_scope="https://vault.azure.net/.default",
    registry_suffix="azurecr.io",
    storage_suffix="core.windows.net",
    postgres_suffix="postgres.database.azure.com",
    redis_suffixes=("redis.azure.net", "redis.cache.windows.net"),
    stream_suffixes=("azurecontainerapps.dev",),
)
CLOUDS = {
    "emulator": replace(_PUBLIC, name="emulator"),
    "AzureCloud": _PUBLIC,
    "AzureUSGovernment": Endpoints(
        name="AzureUSGovernment",
        resource_manager="https://management.usgovcloudapi.net",
        scope="https://management.usgovcloudapi.net/.default",
        authority="https://login.microsoftonline.us",
        vault_suffix="vault.usgovcloudapi.net",
        vault_scope="https://vault.usgovcloudapi.net/.default",
        registry_suffix="azurecr.us",
        storage_suffix="core.usgovcloudapi.net",
        postgres_suffix="postgres.database.usgovcloudapi.net",
        stream_suffixes=("azurecontainerapps-dev.us", "azurecontainerapps.us"),
    ),
    "AzureChinaCloud": Endpoints(
        name="AzureChinaCloud",
        resource_manager="https://management.chinacloudapi.cn",
        scope="https://management.chinacloudapi.cn/.default",
        authority="https://login.chinacloudapi.cn",
        vault_suffix="vault.azure.cn",
        vault_scope="https://vault.azure.cn/.default",
        registry_suffix="azurecr.cn",
        storage_suffix="core.chinacloudapi.cn",
        postgres_suffix="postgres.database.chinacloudapi.cn",
        stream_suffixes=("azurecontainerapps-dev.cn", "azurecontainerapps.cn"),
    ),
}


def endpoints_of(cloud: str | Mapping[str, Any], directory: str) -> Endpoints:
    """Return the endpoints for a value of `azure.cloud`.

    Args:
        cloud: the name of a cloud, or a mapping of endpoints; missing ones default to the public cloud's.
        directory: base directory of a relative CA file path.
    """
    if isinstance(cloud, str):
        return CLOUDS.get(cloud, _PUBLIC)
    given = {key: str(value) for key, value in cloud.items() if value}
    manager = given.get("resource_manager", _PUBLIC.resource_manager).rstrip("/")
    vault = given.get("vault_suffix", _PUBLIC.vault_suffix).lstrip(".")
    ca_file = given.get("ca_file")
    return Endpoints(
        name=given.get("name", "custom"),
        resource_manager=manager,
        scope=given.get("audience") or f"{manager}/.default",
        authority=given.get("authority", _PUBLIC.authority).rstrip("/"),
        vault_suffix=vault,
        vault_scope=given.get("vault_scope") or f"https://{vault}/.default",
        registry_suffix=given.get("registry_suffix", _PUBLIC.registry_suffix).lstrip("."),
        storage_suffix=given.get("storage_suffix", _PUBLIC.storage_suffix).lstrip("."),
        postgres_suffix=given.get("postgres_suffix", _PUBLIC.postgres_suffix).lstrip("."),
        ca_file=os.path.join(directory, os.path.expanduser(ca_file)) if ca_file else None,
        proxy=given.get("proxy"),
    )
