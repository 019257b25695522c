"""Built-in roles that templates give beside ours, by id: name, actions, data actions, what is taken out of the actions.

Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles; roles of services that are not served here
are left out, and actions of such services too.
"""

from __future__ import annotations

_READ = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
)
_VAULT = (
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
)
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_DELEGATION = f"{_BLOBS}/generateUserDelegationKey/action"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_ENVIRONMENT = ("read", "*/read", "join/action", "checknameavailability/action")

FURTHER: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "17d1049b-9a84-46fb-8f53-869881c3d3ab": (
        "Storage Account Contributor",
        (*_READ, "Microsoft.Insights/diagnosticSettings/*", "Microsoft.Storage/storageAccounts/*"),
        (),
        (),
    ),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": (
        "Storage Blob Data Contributor",
        (*(f"{_BLOBS}/containers/{what}" for what in ("delete", "read", "write")), _DELEGATION),
        tuple(f"{_BLOBS}/containers/blobs/{what}" for what in ("delete", "read", "write", "move/action", "add/action")),
        (),
    ),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": (
        "Storage Blob Data Reader",
        (f"{_BLOBS}/containers/read", _DELEGATION),
        (f"{_BLOBS}/containers/blobs/read",),
        (),
    ),
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": (
        "Storage Blob Data Owner",
        (f"{_BLOBS}/containers/*", _DELEGATION),
        (f"{_BLOBS}/containers/blobs/*",),
        (),
    ),
    "21090545-7ca7-4776-b22c-e363652d74d2": (
        "Key Vault Reader",
        (*_READ, *_VAULT),
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
        (),
    ),
    "f25e0fa2-a7c8-4377-a976-943a77a395ec": (
        "Key Vault Contributor",
        (*_READ, "Microsoft.KeyVault/*"),
        (),
        (
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/hsmPools/*",
            "Microsoft.KeyVault/managedHsms/*",
        ),
    ),
    "f1a07417-d97a-45cb-824c-7a7467783830": (
        "Managed Identity Operator",
        (*_READ, f"{_IDENTITY}/*/read", f"{_IDENTITY}/*/assign/action"),
        (),
        (),
    ),
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": (
        "Managed Identity Contributor",
        (*_READ, *(f"{_IDENTITY}/{what}" for what in ("read", "write", "delete"))),
        (),
        (),
    ),
    "4d97b98b-1d4f-4787-a291-c67834d212e7": ("Network Contributor", (*_READ, "Microsoft.Network/*"), (), ()),
    "b12aa53e-6015-4669-85d0-8515ebb3ae7f": (
        "Private DNS Zone Contributor",
        (
            *_READ,
            "Microsoft.Network/privateDnsZones/*",
            "Microsoft.Network/privateDnsOperationResults/*",
            "Microsoft.Network/privateDnsOperationStatuses/*",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/join/action",
        ),
        (),
        (),
    ),
    "73c42c96-874c-492b-b04d-ab87d138a893": (
        "Log Analytics Reader",
        (
            "*/read",
            "Microsoft.OperationalInsights/workspaces/analytics/query/action",
            "Microsoft.OperationalInsights/workspaces/search/action",
            "Microsoft.Support/*",
        ),
        (),
        ("Microsoft.OperationalInsights/workspaces/sharedKeys/read",),
    ),
    "43d0d8ad-25c7-4714-9337-8ba259a9fe05": (
        "Monitoring Reader",
        ("*/read", "Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.Support/*"),
        (),
        (),
    ),
    "3913510d-42f4-4e42-8a64-420c390055eb": (
        "Monitoring Metrics Publisher",
        (
            "Microsoft.Insights/Register/Action",
            "Microsoft.Support/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        ("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
        (),
    ),
    "c2f4ef07-c644-48eb-af81-4b1b4947fb11": (
        "AcrDelete",
        ("Microsoft.ContainerRegistry/registries/artifacts/delete",),
        (),
        (),
    ),
    "358470bc-b998-42bd-ab17-a7e34c199c0f": (
        "Container Apps Contributor",
        (
            *_READ,
            *(f"Microsoft.App/containerApps/{what}" for what in ("*/read", "*/write", "*/delete", "*/action")),
            *(f"Microsoft.App/containerApps/{what}" for what in ("read", "write", "delete")),
            *(f"Microsoft.App/managedEnvironments/{what}" for what in _ENVIRONMENT),
        ),
        (),
        (),
    ),
    "4e3d2b60-56ae-4dc6-a233-09c8e5a82e68": (
        "Container Apps Jobs Contributor",
        (
            *_READ,
            *(f"Microsoft.App/jobs/{what}" for what in ("*/read", "*/write", "*/delete", "*/action")),
            *(f"Microsoft.App/jobs/{what}" for what in ("read", "write", "delete", "start/action", "stop/action")),
            *(f"Microsoft.App/managedEnvironments/{what}" for what in _ENVIRONMENT),
        ),
        (),
        (),
    ),
}
