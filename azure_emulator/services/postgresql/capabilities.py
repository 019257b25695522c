"""What a region offers, and whether a name is free."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.versions import REGIONS, region
from azure_emulator.core.world import World
from azure_emulator.services.postgresql.checks import PERFORMANCE, VERSIONS
from azure_emulator.services.postgresql.servers import SERVER, Servers, find

Json = dict[str, Any]


# Location paths


def check_name(world: World, request: Request, segments: list[str]) -> Response:
    sent = request.json()
    name, kind = str(sent.get("name", "")), str(sent.get("type", ""))
    answer: Json = {"name": name, "type": kind, "nameAvailable": True, "message": ""}
    if not re.fullmatch(Servers.name_pattern, name):
        answer |= {"nameAvailable": False, "reason": "Invalid", "message": Servers.name_error[1].format(name=name)}
    elif find(world, name) is not None or any(
        key.endswith(f"/{name.lower()}") for key, _ in world.store.records("server plan")
    ):
        answer |= {
            "nameAvailable": False,
            "reason": "AlreadyExists",
            "message": f"Specified server name is already used: {name}.",
        }
    return Response(200, answer)


def _family(pattern: str, *cores: int) -> list[tuple[str, int]]:
    return [(pattern.format(count), count) for count in cores]


_V3, _V5 = (2, 4, 8, 16, 32, 48, 64), (2, 4, 8, 16, 32, 48, 64, 96)
_SKUS: dict[str, tuple[str, int, list[tuple[str, int]]]] = {
    "Burstable": (
        "Standard_B2s",
        32768,
        [("Standard_B1ms", 1), ("Standard_B2s", 2), *_family("Standard_B{}ms", 2, 4, 8, 12, 16, 20)],
    ),
    "GeneralPurpose": (
        "Standard_D4ads_v5",
        65536,
        [
            *_family("Standard_D{}s_v3", *_V3),
            *_family("Standard_D{}ds_v4", *_V3),
            *_family("Standard_D{}ds_v5", *_V5),
            *_family("Standard_D{}ads_v5", *_V5),
        ],
    ),
    "MemoryOptimized": (
        "Standard_E4ads_v5",
        131072,
        [
            *_family("Standard_E{}s_v3", *_V3),
            *_family("Standard_E{}ds_v4", *_V3),
            *_family("Standard_E{}ds_v5", *_V5),
            *_family("Standard_E{}ads_v5", *_V5),
        ],
    ),
}
"""Default size, default storage in MB, and sizes with their cores, by tier (recorded for the first two)."""
_FEATURES = {
    "FastProvisioning": "Enabled",
    "ZoneRedundantHa": "Enabled",
    "GeoBackup": "Enabled",
    "ZoneRedundantHaAndGeoBackup": "Enabled",
    "StorageAutoGrowth": "Enabled",
    "OnlineResize": "Enabled",
    "OfferRestricted": "Disabled",
    "IndexTuning": "Enabled",
}
"""OfferRestricted says whether the region is closed to the subscription; az makes no server where it is missing."""


def capabilities(world: World, request: Request, segments: list[str]) -> Response:
    """What a region offers: no more of it than deployers look at."""
    if region(segments[5]) is None:
        raise Refusal(400, "InvalidLocation", f"The location '{segments[5]}' is not one of {', '.join(REGIONS)}.")
    versions = [
        {
            "supportedFeatures": [],
            "name": version,
            "supportedVersionsToUpgrade": [later for later in VERSIONS if int(later) > int(version)],
        }
        for version in VERSIONS
    ]
    found = {
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": [_edition(tier, *offered) for tier, offered in _SKUS.items()],
        "supportedServerVersions": versions,
        "supportedFeatures": [{"name": name, "status": status} for name, status in _FEATURES.items()],
        "supportedFastProvisioningEditions": [
            {
                "supportedTier": "Burstable",
                "supportedSku": sku,
                "supportedStorageGb": 32,
                "supportedServerVersions": version,
                "serverCount": 0,
            }
            for version in VERSIONS[1:]
            for sku in ("standard_b1ms", "standard_b2s")
        ],
        **dict.fromkeys(_CAPABILITIES, "Enabled"),
        "restricted": "Disabled",
    }
    return Response(200, {"value": [found]})


_CAPABILITIES = (
    "fastProvisioningSupported",
    "geoBackupSupported",
    "zoneRedundantHaSupported",
    "zoneRedundantHaAndGeoBackupSupported",
    "storageAutoGrowthSupported",
    "onlineResizeSupported",
    "indexTuningSupported",
)


SSD_V2: Json = {
    "name": "ManagedDiskV2",
    "defaultStorageSizeMb": 32768,
    "supportedStorageMb": [
        {
            "supportedIops": 3000,
            "supportedMaximumIops": 80000,
            "storageSizeMb": 32768,
            "maximumStorageSizeMb": 67108864,
            "supportedThroughput": 125,
            "supportedMaximumThroughput": 1200,
            "defaultIopsTier": "None",
            "supportedIopsTiers": [{"name": "None", "iops": 0}],
        }
    ],
}


def tiers(least: int) -> list[Json]:
    """The performance tiers that a size of storage can have: its own and every faster one."""
    return [{"name": name, "iops": iops} for name, iops in PERFORMANCE.values() if iops >= least]


def _edition(tier: str, default: str, storage_mb: int, offered: list[tuple[str, int]]) -> Json:
    sizes = [
        {
            "storageSizeMb": size * 1024,
            "supportedIops": iops,
            "defaultIopsTier": name,
            "supportedIopsTiers": tiers(iops),
        }
        for size, (name, iops) in PERFORMANCE.items()
    ]
    storage = {"name": "ManagedDisk", "defaultStorageSizeMb": storage_mb, "supportedStorageMb": sizes}
    return {
        "name": tier,
        "defaultSkuName": default,
        "supportedStorageEditions": [storage, {**SSD_V2, "defaultStorageSizeMb": storage_mb}],
        "supportedServerSkus": [_sku(tier, name, cores) for name, cores in offered],
    }


def _sku(tier: str, name: str, cores: int) -> Json:
    small = name in ("Standard_B1ms", "Standard_B2s")
    memory = {"Burstable": 2048 if small else 4096, "GeneralPurpose": 4096, "MemoryOptimized": 8192}[tier]
    return {
        "supportedFeatures": [],
        "name": name,
        "vCores": cores,
        "supportedIops": min(640 * cores if tier == "Burstable" else 1600 * cores, 80000),
        "supportedMemoryPerVcoreMb": memory,
        "supportedZones": ["1", "2", "3"],
        "supportedHaMode": ["SameZone", "ZoneRedundant"],
    }


_CORES = 100
"""Cores of a subscription in a region, before more are asked for."""


def usages(world: World, request: Request, segments: list[str]) -> Response:
    """How many cores of the region's quota are in use."""
    place = region(segments[5])
    if place is None:
        raise Refusal(400, "InvalidLocation", f"The location '{segments[5]}' is not one of {', '.join(REGIONS)}.")
    cores = {name: count for _, _, offered in _SKUS.values() for name, count in offered}
    servers = [item for item in world.store.of_type(SERVER) if region(item.body["location"]) == place]
    used = sum(cores.get(item.body["sku"]["name"], 0) for item in servers)
    identifier = f"{world.subscription}/providers/Microsoft.DBforPostgreSQL/locations/{place}/usages/cores"
    value = {
        "name": {"value": "cores", "localizedValue": "Total Regional vCores"},
        "limit": _CORES,
        "unit": "Count",
        "currentValue": used,
        "id": identifier,
    }
    return Response(200, {"value": [value]})


def dns_suffix(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, "private.postgres.database.azure.com")


_L = ("subscriptions", "*", "providers", "microsoft.dbforpostgresql", "locations", "*")
PATHS = [
    (
        "POST",
        (*_L, "checknameavailability"),
        check_name,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/checkNameAvailability/action",
    ),
    (
        "POST",
        ("subscriptions", "*", "providers", "microsoft.dbforpostgresql", "checknameavailability"),
        check_name,
        "Microsoft.DBforPostgreSQL/checkNameAvailability",
        "Microsoft.DBforPostgreSQL/checkNameAvailability/action",
    ),
    (
        "GET",
        (*_L, "capabilities"),
        capabilities,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/capabilities/read",
    ),
    (
        "GET",
        (*_L, "resourcetype", "flexibleservers", "usages"),
        usages,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/resourceType/usages/read",
    ),
    (
        "POST",
        ("providers", "microsoft.dbforpostgresql", "getprivatednszonesuffix"),
        dns_suffix,
        "Microsoft.DBforPostgreSQL/getPrivateDnsZoneSuffix",
        "",
    ),
]
