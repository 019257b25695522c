"""The offers of PostgreSQL: sizes by tier, storage, versions and features, as recorded (Azure/azure-cli)."""

from __future__ import annotations

from typing import Any

from azure_emulator.services.postgresql.checks import PERFORMANCE, VERSIONS

Json = dict[str, Any]


def _family(pattern: str, *cores: int) -> list[tuple[str, int]]:
    return [(pattern.format(count), count) for count in cores]


_V3, _V5 = (2, 4, 8, 16, 32, 48, 64), (2, 4, 8, 16, 32, 48, 64, 96)
SKUS: dict[str, tuple[str, int, list[tuple[str, int]]]] = {
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
"""OfferRestricted tells whether the region is closed to the subscription; az requires it to create a server."""


def capability() -> Json:
    """Return the capabilities of a region or a server."""
    versions = [
        {
            "supportedFeatures": [],
            "name": version,
            "supportedVersionsToUpgrade": [later for later in VERSIONS if int(later) > int(version)],
        }
        for version in VERSIONS
    ]
    return {
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": [_edition(tier, *offered) for tier, offered in SKUS.items()],
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
    """Return the performance tiers of a storage size: its own and every faster one."""
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
