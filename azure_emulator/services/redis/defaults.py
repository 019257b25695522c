"""Bodies as the services fill them in, as data: the older product, and clusters and databases of the newer one."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CACHE: Json = {
    "provisioningState": "Creating",
    "redisVersion": "6.0",
    "enableNonSslPort": False,
    "instances": [{"sslPort": 15000, "isMaster": False, "isPrimary": False}],
    "publicNetworkAccess": "Enabled",
    "tenantSettings": {},
    "accessKeys": None,
    "port": 6379,
    "sslPort": 6380,
    "linkedServers": [],
    "updateChannel": "Stable",
    "zonalAllocationPolicy": "NoZones",
    "disableAccessKeyAuthentication": False,
}
CACHE_CONFIGURATION: Json = {
    "maxclients": "256",
    "maxmemory-reserved": "30",
    "maxfragmentationmemory-reserved": "30",
    "maxmemory-delta": "30",
}
CLUSTER: Json = {
    "minimumTlsVersion": "1.2",
    "provisioningState": "Creating",
    "resourceState": "Creating",
    "privateEndpointConnections": [],
    "highAvailability": "Enabled",
}
DATABASE: Json = {
    "clientProtocol": "Encrypted",
    "port": 10000,
    "provisioningState": "Creating",
    "resourceState": "Creating",
    "clusteringPolicy": "OSSCluster",
    "evictionPolicy": "VolatileLRU",
    "keySpaceNotification": "",
    "deferUpgrade": "NotDeferred",
    "redisVersion": "7.4",
}
