"""Resource ids, API versions and names derived from the configuration alone.

A rerun reaches the same resource because every id is computed from the configuration.
"""

from __future__ import annotations

import uuid

# One version per type, pinned: the newest that has published types (github.com/Azure/bicep-types-az, August 2026), so
# that every body can be checked against them, and that a released client sends: azure-mgmt-appcontainers 5.0,
# -containerregistry 15.0, -keyvault 14.0 (the Azure CLI), -msi 7.1, -postgresqlflexibleservers 2.0 (and azurerm 4),
# -redis 14.5, -redisenterprise 3.1. That of workspaces azapi alone sends, by those types; `versions` has what others
# send, for a cloud that does not serve it yet. The build API is the first that knows
# `credentials.sourceRegistry.identity`; it is what the Azure CLI sends.
API_VERSIONS = {
    "Microsoft.App/containerApps": "2026-01-01",
    "Microsoft.App/jobs": "2026-01-01",
    "Microsoft.App/managedEnvironments": "2026-01-01",
    "Microsoft.App/managedEnvironments/certificates": "2026-01-01",
    "Microsoft.App/managedEnvironments/managedCertificates": "2026-01-01",
    "Microsoft.App/managedEnvironments/storages": "2026-01-01",
    "Microsoft.Authorization/locks": "2020-05-01",
    "Microsoft.Authorization/permissions": "2022-04-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Authorization/roleDefinitions": "2022-04-01",
    "Microsoft.Cache/redis": "2024-11-01",
    "Microsoft.Cache/redisEnterprise": "2025-07-01",
    "Microsoft.Cache/redisEnterprise/databases": "2025-07-01",
    "Microsoft.ContainerRegistry/registries": "2025-11-01",
    "Microsoft.ContainerRegistry/registries/runs": "2025-03-01-preview",
    "Microsoft.DBforPostgreSQL/flexibleServers": "2025-08-01",
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": "2025-08-01",
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": "2025-08-01",
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": "2025-08-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.KeyVault/locations/deletedVaults": "2026-02-01",
    "Microsoft.KeyVault/vaults": "2026-02-01",
    "Microsoft.KeyVault/vaults/secrets": "2026-02-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.OperationalInsights/workspaces": "2026-03-01",
    "Microsoft.Resources/providers": "2025-04-01",
    "Microsoft.Resources/resourceGroups": "2025-04-01",
    "Microsoft.Resources/subscriptions": "2022-12-01",
    "Microsoft.Resources/validateResources": "2020-10-01",
}

# Built-in roles; learn.microsoft.com/azure/role-based-access-control/built-in-roles.
ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
}


def resource_type(resource_id: str) -> str:
    """Return the type in a resource id: that of its last `/providers/` part, or of the group or subscription."""
    parts = resource_id.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    if "providers" not in lowered:
        return "Microsoft.Resources/resourceGroups" if len(parts) == 4 else "Microsoft.Resources/subscriptions"
    start = len(parts) - 1 - lowered[::-1].index("providers")
    return "/".join([parts[start + 1], *parts[start + 2 :: 2]])


def api_version(resource_id: str) -> str:
    """Return the pinned API version for a resource id. Raises KeyError for an unknown type."""
    return API_VERSIONS[resource_type(resource_id)]


class Scope:
    """One resource group of one subscription, the prefix of every id.

    Args:
        subscription_id: the subscription's GUID.
        resource_group: the group's name, as the configuration spells it.
    """

    def __init__(self, subscription_id: str, resource_group: str) -> None:
        self.subscription = f"/subscriptions/{subscription_id}"
        self.group = f"{self.subscription}/resourceGroups/{resource_group}"

    def resource(self, type_: str, *names: str) -> str:
        """Return the id of a resource in the group, e.g. `resource("Microsoft.App/containerApps", "api")`."""
        namespace, *kinds = type_.split("/")
        pairs = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
        return f"{self.group}/providers/{namespace}/{pairs}"

    def role_definition(self, role: str) -> str:
        """Return the id of a built-in role by its name."""
        return f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"

    def role_assignment(self, scope: str, principal_id: str, role: str) -> str:
        """Return the id of an assignment, whose name is derived from scope, principal and role.

        The principal id, not the identity's name: a recreated identity has a new one, and the old name would
        then be refused (RoleAssignmentUpdateNotPermitted; learn.microsoft.com, RBAC troubleshooting).
        """
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}|{principal_id}|{ROLES[role]}")
        return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


def last_name(resource_id: str) -> str:
    """Return the resource's own name, the last part of its id."""
    return resource_id.rstrip("/").rsplit("/", 1)[-1]


def shown(path: str) -> str:
    """A resource's id or a path of Resource Manager for people: without subscription, group and namespaces."""
    parts = path.strip("/").split("/")
    if not path.startswith("/subscriptions/") or len(parts) < 3:
        return path
    parts = parts[2:]
    if len(parts) > 2 and parts[0].lower() == "resourcegroups":
        parts = parts[2:]
    short: list[str] = []
    while parts:
        if parts[0].lower() == "providers" and len(parts) > 2:
            parts = parts[2:]
        else:
            short.append(parts.pop(0))
    return "/".join(short)


def is_top_level(resource_id: str) -> bool:
    """Return whether a resource appears in its group's listing: one provider, one type and one name."""
    return len(resource_id.strip("/").split("/")) == 8
