"""The endpoints of each Azure cloud.

Source: azure-cli-core 2.91.0 `cloud.py`. The emulator answers under the public cloud's names.
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
    """Where a cloud's services are.

    Attributes:
        name: as `azure.cloud` gives it: `emulator`, `AzureCloud`, …
        resource_manager: base address of Azure Resource Manager, without a slash at the end.
        scope: the scope of its tokens; `audience` is the same.
        authority: base address of the token service.
        vault_suffix: host of a vault without its name: `vault.azure.net`. The other suffixes likewise.
        vault_scope: the scope of tokens for the vaults' own interface.
        storage_suffix: `core.windows.net`; a blob account is at `<account>.blob.<storage_suffix>`.
        redis_suffixes: hosts of Redis without its name (and region), as far as they are known.
        stream_suffixes: hosts of regions' log streams without the region.
        ca_file: absolute path of certificates to trust, or None.
        proxy: address of an HTTP proxy, or None.
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
        """The scope of tokens for Azure Resource Manager; another name of `scope`."""
        return self.scope

    @property
    def blob_suffix(self) -> str:
        """`blob.core.windows.net` in the public cloud."""
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
    """The endpoints that `azure.cloud` means.

    Args:
        cloud: the name of a cloud, or a mapping that need not be complete: what it lacks is as in the public cloud.
        directory: what the path of a CA file counts from.
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
