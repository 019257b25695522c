"""The API versions that the emulator accepts, per resource type, and the regions of each provider.

Stable versions of the types that are served (github.com/Azure/bicep-types-az), and what the newest Azure CLI, the typed
management SDKs, Terraform's azurerm and azapi, and the recorded traffic that the tests replay send. A version that is
in no row is refused as Azure refuses an unknown one.
"""

from __future__ import annotations

import re

_APP = (
    "2022-01-01-preview",
    "2022-03-01",
    "2022-06-01-preview",
    "2022-10-01",
    "2022-11-01-preview",
    "2023-04-01-preview",
    "2023-05-01",
    "2023-05-02-preview",
    "2023-08-01-preview",
    "2023-11-02-preview",
    "2024-02-02-preview",
    "2024-03-01",
    "2024-08-02-preview",
    "2024-10-02-preview",
    "2025-01-01",
    "2025-02-02-preview",
    "2025-07-01",
    "2025-10-02-preview",
    "2026-01-01",
    "2026-07-01",
)
_RESOURCES = (
    "2016-09-01",
    "2017-05-10",
    "2018-05-01",
    "2019-05-01",  # what every Go client sends to read and register providers
    "2019-07-01",
    "2019-08-01",
    "2019-10-01",
    "2020-06-01",
    "2020-08-01",
    "2020-10-01",
    "2021-01-01",
    "2021-04-01",
    "2022-09-01",
    "2022-12-01",
    "2023-07-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
    "2025-03-01",
    "2025-04-01",
)
_REGISTRY = (
    "2017-10-01",
    "2019-05-01",
    "2021-09-01",
    "2022-12-01",
    "2023-01-01-preview",
    "2023-07-01",
    "2023-11-01-preview",
    "2024-11-01-preview",
    "2025-03-01-preview",
    "2025-04-01",
    "2025-05-01-preview",
    "2025-06-01-preview",
    "2025-11-01",
    "2026-09-01-preview",
)
_BUILDS = ("2018-09-01", "2019-04-01", "2019-06-01-preview", "2025-03-01-preview")
_NAMED_RUNS = ("2019-06-01-preview", "2025-03-01-preview")
_VAULT = (
    "2019-09-01",
    "2021-10-01",
    "2022-07-01",
    "2023-02-01",
    "2023-07-01",
    "2024-11-01",
    "2025-05-01",
    "2026-02-01",
    "2026-05-15",
)
_POSTGRESQL = (
    "2021-06-01",
    "2022-12-01",
    "2023-03-01-preview",
    "2023-06-01-preview",
    "2023-12-01-preview",
    "2024-03-01-preview",
    "2024-08-01",
    "2024-11-01-preview",
    "2025-01-01-preview",
    "2025-06-01-preview",
    "2025-08-01",
    "2026-01-01-preview",
    "2026-04-01-preview",
    "2026-07-01-preview",
    "2026-10-01",
)
_REDIS = ("2022-06-01", "2023-04-01", "2023-08-01", "2024-03-01", "2024-11-01")
_MANAGED_REDIS = ("2024-10-01", "2025-04-01", "2025-05-01-preview", "2025-07-01")
_AUTHORIZATION = ("2018-01-01-preview", "2018-09-01-preview", "2020-04-01-preview", "2020-10-01-preview", "2022-04-01")
_LOCKS = ("2016-09-01", "2017-04-01", "2020-05-01")
_IDENTITY = (
    "2018-11-30",
    "2022-01-31-preview",
    "2023-01-31",
    "2024-11-30",
    "2025-01-31-preview",
    "2025-05-31-preview",
)
_WORKSPACE = (
    "2020-08-01",
    "2021-06-01",
    "2021-12-01-preview",
    "2022-10-01",
    "2023-09-01",
    "2025-02-01",
    "2025-07-01",
    "2026-03-01",
)
_STORAGE = (
    "2021-09-01",
    "2022-09-01",
    "2023-01-01",
    "2023-05-01",
    "2024-01-01",
    "2025-01-01",
    "2025-06-01",
    "2025-08-01",
    "2026-04-01",
    "2026-06-01",
    "2026-09-01",
)
_NETWORK = (
    "2020-11-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2022-01-01",
    "2022-05-01",
    "2022-07-01",
    "2022-09-01",
    "2022-11-01",
    "2023-02-01",
    "2023-04-01",
    "2023-05-01",
    "2023-06-01",
    "2023-09-01",
    "2023-11-01",
    "2024-01-01",
    "2024-03-01",
    "2024-05-01",
    "2024-07-01",
    "2024-10-01",
    "2025-01-01",
    "2025-03-01",
    "2025-05-01",
    "2025-07-01",
    "2025-09-01",
    "2026-01-01",
    "2026-03-01",
)
_PRIVATE_DNS = ("2018-09-01", "2020-06-01", "2024-06-01")

VERSIONS: dict[str, tuple[str, ...]] = {
    "Microsoft.Resources/subscriptions": ("2016-06-01", "2019-06-01", "2019-11-01", *_RESOURCES),
    "Microsoft.Resources/tenants": ("2016-06-01", "2019-06-01", "2019-11-01", *_RESOURCES),
    "Microsoft.Resources/providers": ("2016-02-01", *_RESOURCES),
    "Microsoft.Resources/resourceGroups": _RESOURCES,
    "Microsoft.Resources/resources": ("2015-11-01", *_RESOURCES),
    "Microsoft.Resources/tags": _RESOURCES,
    "Microsoft.Resources/operationresults": _RESOURCES,
    "Microsoft.Resources/validateResources": ("2020-10-01", "2025-04-01"),
    "Microsoft.Authorization/roleAssignments": _AUTHORIZATION,
    "Microsoft.Authorization/roleDefinitions": ("2018-01-01-preview", "2022-04-01", "2022-05-01-preview"),
    "Microsoft.Authorization/permissions": ("2015-07-01", "2018-01-01-preview", "2018-07-01", "2022-04-01"),
    "Microsoft.Authorization/locks": _LOCKS,
    "Microsoft.ManagedIdentity/userAssignedIdentities": _IDENTITY,
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": _IDENTITY[1:],
    "Microsoft.OperationalInsights/workspaces": _WORKSPACE,
    "Microsoft.OperationalInsights/deletedWorkspaces": _WORKSPACE,
    "Microsoft.OperationalInsights/locations": ("2015-11-01-preview",),
    "Microsoft.Insights/components": ("2015-05-01", "2018-05-01-preview", "2020-02-02-preview", "2020-02-02"),
    "Microsoft.Insights/diagnosticSettings": ("2017-05-01-preview", "2021-05-01-preview"),
    "Microsoft.Insights/diagnosticSettingsCategories": ("2017-05-01-preview", "2021-05-01-preview"),
    "Microsoft.ContainerRegistry/registries": _REGISTRY,
    "Microsoft.ContainerRegistry/registries/replications": _REGISTRY,
    "Microsoft.ContainerRegistry/registries/runs": _BUILDS,
    "Microsoft.ContainerRegistry/registries/tasks": _BUILDS,
    "Microsoft.ContainerRegistry/registries/taskRuns": _NAMED_RUNS,
    "Microsoft.ContainerRegistry/checkNameAvailability": _REGISTRY,
    "Microsoft.ContainerRegistry/locations": _REGISTRY,
    "Microsoft.KeyVault/vaults": ("2015-11-01", *_VAULT),  # the first one for a listing of resources alone
    "Microsoft.KeyVault/vaults/secrets": _VAULT,
    "Microsoft.KeyVault/deletedVaults": _VAULT,
    "Microsoft.KeyVault/deletedManagedHSMs": _VAULT,
    "Microsoft.KeyVault/managedHSMs": _VAULT,
    "Microsoft.KeyVault/checkNameAvailability": _VAULT,
    "Microsoft.KeyVault/locations": _VAULT,
    "Microsoft.DBforPostgreSQL/flexibleServers": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/flexibleServers/administrators": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/locations": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/checkNameAvailability": _POSTGRESQL,
    "Microsoft.DBforPostgreSQL/getPrivateDnsZoneSuffix": _POSTGRESQL,
    "Microsoft.Cache/redis": _REDIS,
    "Microsoft.Cache/redis/firewallRules": _REDIS,
    "Microsoft.Cache/checkNameAvailability": _REDIS,
    "Microsoft.Cache/redisEnterprise": _MANAGED_REDIS,
    "Microsoft.Cache/redisEnterprise/databases": _MANAGED_REDIS,
    "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments": _MANAGED_REDIS,
    "Microsoft.Cache/locations": (*_REDIS, *_MANAGED_REDIS),
    "Microsoft.App/managedEnvironments": _APP,
    "Microsoft.App/managedEnvironments/storages": _APP,
    "Microsoft.App/managedEnvironments/certificates": _APP,
    "Microsoft.App/managedEnvironments/managedCertificates": _APP,
    "Microsoft.App/managedEnvironments/daprComponents": _APP,
    "Microsoft.App/containerApps": _APP,
    "Microsoft.App/containerApps/authConfigs": _APP,
    "Microsoft.App/jobs": _APP,
    "Microsoft.App/locations": _APP,
    "Microsoft.Storage/storageAccounts": _STORAGE,
    "Microsoft.Storage/storageAccounts/blobServices": _STORAGE,
    "Microsoft.Storage/storageAccounts/blobServices/containers": _STORAGE,
    "Microsoft.Storage/storageAccounts/fileServices": _STORAGE,
    "Microsoft.Storage/storageAccounts/fileServices/shares": _STORAGE,
    "Microsoft.Storage/checkNameAvailability": _STORAGE,
    "Microsoft.Storage/locations": _STORAGE,
    "Microsoft.Network/virtualNetworks": _NETWORK,
    "Microsoft.Network/virtualNetworks/subnets": _NETWORK,
    "Microsoft.Network/privateDnsZones": _PRIVATE_DNS,
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": _PRIVATE_DNS,
    **{
        f"Microsoft.Network/privateDnsZones/{kind}": _PRIVATE_DNS
        for kind in ("A", "AAAA", "CNAME", "MX", "PTR", "SOA", "SRV", "TXT")
    },
    "Microsoft.Network/locations": (*_NETWORK, *_PRIVATE_DNS),
}

_BY_LOWER_CASE = {name.lower(): name for name in VERSIONS}

# Actions whose versions are not those of the resource they are called on.
ACTION_VERSIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("microsoft.containerregistry/registries", "listbuildsourceuploadurl"): _BUILDS,
    ("microsoft.containerregistry/registries", "schedulerun"): _BUILDS,
    ("microsoft.containerregistry/registries", "agentpools"): _BUILDS,
    ("microsoft.insights/components", "currentbillingfeatures"): ("2015-05-01",),
    ("microsoft.managedidentity/userassignedidentities", "listassociatedresources"): (
        "2021-09-30-preview",
        "2022-01-31-preview",
    ),
}

REGIONS: dict[str, str] = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "centralus": "Central US",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
    "canadacentral": "Canada Central",
    "brazilsouth": "Brazil South",
    "northeurope": "North Europe",
    "westeurope": "West Europe",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "switzerlandnorth": "Switzerland North",
    "norwayeast": "Norway East",
    "swedencentral": "Sweden Central",
    "polandcentral": "Poland Central",
    "italynorth": "Italy North",
    "eastasia": "East Asia",
    "southeastasia": "Southeast Asia",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "australiaeast": "Australia East",
    "centralindia": "Central India",
    "southindia": "South India",
    "koreacentral": "Korea Central",
    "uaenorth": "UAE North",
    "southafricanorth": "South Africa North",
    # Azure's canary regions, found in recorded traffic of Azure/azure-cli.
    "centraluseuap": "Central US EUAP",
    "eastus2euap": "East US 2 EUAP",
    "northcentralusstage": "North Central US (Stage)",
}


def canonical_type(name: str) -> str | None:
    """Return the type in Azure's spelling, or None if the emulator does not support it."""
    return _BY_LOWER_CASE.get(name.lower())


def accepted(type_name: str) -> tuple[str, ...]:
    return VERSIONS[type_name]


def namespaces() -> list[str]:
    return sorted({name.split("/")[0] for name in VERSIONS})


def region(name: str) -> str | None:
    """Return the region's short name for any spelling ("East US 2" = eastus2), or None."""
    short = re.sub(r"[ ()]", "", name).lower()
    return short if short in REGIONS else None
