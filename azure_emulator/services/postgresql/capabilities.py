"""What a region offers, and whether a name is free."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.versions import REGIONS, region
from azure_emulator.core.world import World
from azure_emulator.services.postgresql.checks import PERFORMANCE, VERSIONS
from azure_emulator.services.postgresql.servers import Servers, find

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


_SKUS = {
    "Burstable": ("Standard_B1ms", "Standard_B2s", "Standard_B2ms", "Standard_B4ms", "Standard_B8ms"),
    "GeneralPurpose": (
        "Standard_D2s_v3",
        "Standard_D4s_v3",
        "Standard_D2ds_v5",
        "Standard_D4ds_v5",
        "Standard_D4ads_v5",
    ),
    "MemoryOptimized": ("Standard_E2s_v3", "Standard_E2ds_v4", "Standard_E2ds_v5", "Standard_E4ds_v5"),
}


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
        "supportedServerEditions": [_edition(tier, names) for tier, names in _SKUS.items()],
        "supportedServerVersions": versions,
        "supportedFeatures": [{"name": "FastProvisioning", "status": "Enabled"}],
        "supportedFastProvisioningEditions": [
            {
                "supportedTier": "Burstable",
                "supportedSku": "standard_b1ms",
                "supportedStorageGb": 32,
                "supportedServerVersions": "16",
                "serverCount": 0,
            }
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


def _edition(tier: str, names: tuple[str, ...]) -> Json:
    sizes = [
        {
            "storageSizeMb": size * 1024,
            "supportedIops": iops,
            "defaultIopsTier": name,
            "supportedIopsTiers": tiers(iops),
        }
        for size, (name, iops) in PERFORMANCE.items()
    ]
    storage = {"name": "ManagedDisk", "defaultStorageSizeMb": 32768, "supportedStorageMb": sizes}
    skus = [
        {
            "name": name,
            "supportedIops": 640 if tier == "Burstable" else 3200,
            "vCores": 1 if name == "Standard_B1ms" else int(name.split("_")[1][1]),
            "supportedMemoryPerVcoreMb": 2048,
            "supportedZones": ["1", "2", "3"],
            "supportedHaMode": ["SameZone", "ZoneRedundant"],
            "supportedFeatures": [],
        }
        for name in names
    ]
    return {
        "name": tier,
        "defaultSkuName": names[0],
        "supportedStorageEditions": [storage, SSD_V2],
        "supportedServerSkus": skus,
    }


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
]
