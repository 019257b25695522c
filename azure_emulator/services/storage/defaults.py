"""Bodies as the service fills them in, as data."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ACCOUNT: Json = {
    "dnsEndpointType": "Standard",
    "defaultToOAuthAuthentication": False,
    "allowCrossTenantReplication": False,
    "privateEndpointConnections": [],
    "minimumTlsVersion": "TLS1_2",
    "allowBlobPublicAccess": False,
    "allowSharedKeyAccess": True,
    "networkAcls": {
        "bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow",
    },
    "supportsHttpsTrafficOnly": True,
    "publicNetworkAccess": "Enabled",
}  # fmt: skip
ENCRYPTED = ("file", "blob")  # services whose data is encrypted with the account's own key
