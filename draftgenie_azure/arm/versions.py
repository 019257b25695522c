"""Fallback API versions for clouds that do not support the pinned ones yet.

A pin is one of `ids.API_VERSIONS`. Types of one namespace with one pin are switched together. Fallback versions are
those that released clients send for these types, newest first, with bodies like ours:

- Microsoft.App: the Azure CLI 2.91 (2025-07-01), terraform-provider-azurerm 4 (2025-01-01).
- Microsoft.Cache/redis, ContainerRegistry, DBforPostgreSQL, KeyVault, ManagedIdentity: azure-mgmt-redis 14.4,
  -containerregistry 14.0 and 10.3, -postgresqlflexibleservers 1.1, -keyvault 12.0 and 10.3, -msi 7.0, and azurerm 4.
- Microsoft.OperationalInsights: azure-mgmt-loganalytics 14.0 (2025-07-01), the Azure CLI 2.91 (2025-02-01), azurerm 4
  (2022-10-01).

Without a list, older versions do not support our bodies: the builds' `credentials.sourceRegistry.identity`, the
network access of Managed Redis, the log categories of diagnostic settings.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

FALLBACKS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Microsoft.App", "2026-01-01"): ("2025-07-01", "2025-01-01"),
    ("Microsoft.Cache", "2024-11-01"): ("2024-03-01", "2023-08-01"),
    ("Microsoft.ContainerRegistry", "2025-11-01"): ("2025-04-01", "2023-07-01"),
    ("Microsoft.DBforPostgreSQL", "2025-08-01"): ("2024-08-01",),
    ("Microsoft.KeyVault", "2026-02-01"): ("2025-05-01", "2024-11-01", "2023-07-01"),
    ("Microsoft.ManagedIdentity", "2024-11-30"): ("2023-01-31",),
    ("Microsoft.OperationalInsights", "2026-03-01"): ("2025-07-01", "2025-02-01", "2022-10-01"),
}


class Versions:
    """The versions that a run uses instead of the pinned ones."""

    def __init__(self) -> None:
        self._chosen: dict[tuple[str, str], str] = {}

    def choose(self, namespace: str, pinned: str, version: str) -> None:
        """Use another version than the pinned one from now on, or the pinned one again."""
        self._chosen[namespace.lower(), pinned] = version

    def remember(self, recorded: object) -> None:
        """Restore the choice of an earlier run, as far as it is a known version."""
        for text, version in recorded.items() if isinstance(recorded, dict) else ():
            namespace, _, pinned = str(text).partition("@")
            if version in FALLBACKS.get((namespace, pinned), ()):
                self.choose(namespace, pinned, str(version))

    def sent(self, path: str, pinned: str) -> str:
        """Return the version to use for a path in place of the pinned one."""
        lowered = f"{path.split('?', 1)[0].lower()}/"
        _, found, rest = lowered.rpartition("/providers/")
        return self._chosen.get((rest.split("/", 1)[0], pinned), pinned) if found else pinned

    def params(self, path: str, params: Mapping[str, str] | None) -> Mapping[str, str] | None:
        """Return the parameters of a request with the version to use."""
        if params is None or "api-version" not in params or not self._chosen:
            return params
        return {**params, "api-version": self.sent(path, params["api-version"])}


def served(provider: Mapping[str, Any], type_: str) -> Mapping[str, Any] | None:
    """Return a provider's entry for a type, or for its parent type, or None."""
    kinds = {
        str(item.get("resourceType", "")).lower(): item
        for item in provider.get("resourceTypes") or ()
        if isinstance(item, dict)
    }
    kind = type_.split("/", 1)[1].lower()
    while kind:
        if kind in kinds:
            return kinds[kind]
        kind = kind.rpartition("/")[0]
    return None


def usable(provider: Mapping[str, Any], types: Sequence[str], pinned: str) -> str | None:
    """Return the newest known version that supports all these types, or None."""
    namespace = types[0].split("/", 1)[0]
    offers = [offered(provider, type_) for type_ in types]
    known = (pinned, *FALLBACKS.get((namespace, pinned), ()))
    return next((version for version in known if all(not offer or version in offer for offer in offers)), None)


def offered(provider: Mapping[str, Any], type_: str) -> list[str]:
    """Return the versions that support a type, newest first; empty if the provider does not list them."""
    versions = (served(provider, type_) or {}).get("apiVersions")
    return sorted(map(str, versions), reverse=True) if isinstance(versions, list) else []


def groups(types: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Return the types by namespace and pinned version."""
    found: dict[tuple[str, str], list[str]] = {}
    for type_ in types:
        found.setdefault((type_.split("/", 1)[0], ids.API_VERSIONS[type_]), []).append(type_)
    return found
