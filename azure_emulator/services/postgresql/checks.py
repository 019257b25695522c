"""Checks of a server's properties: each returns the error of the operation's status, or None."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)
PERFORMANCE = {
    32: ("P4", 120),
    64: ("P6", 240),
    128: ("P10", 500),
    256: ("P15", 1100),
    512: ("P20", 2300),
    1024: ("P30", 5000),
    2048: ("P40", 7500),
    4095: ("P50", 7500),
    4096: ("P50", 7500),
    8192: ("P60", 16000),
    16384: ("P70", 18000),
    32767: ("P80", 20000),
}
VERSIONS = ("11", "12", "13", "14", "15", "16", "17", "18")


# Checks: each returns the error of the operation's status

Problem = tuple[str, str]
TIER_PAUSE = 12 * 3600
"""Minimum time between changes of the storage tier (learn.microsoft.com/azure/postgresql/flexible-server, storage)."""


def invalid(parameter: str) -> Problem:
    return "InvalidParameterValue", f"Invalid value given for parameter {parameter}. Specify a valid parameter value."


def check_sku(sku: Json | None) -> Problem | None:
    if sku is None:
        return None
    series = {"Standard_B": "Burstable", "Standard_D": "GeneralPurpose", "Standard_E": "MemoryOptimized"}
    tier = next((value for start, value in series.items() if sku.get("name", "").startswith(start)), None)
    if tier is None:
        return invalid(f"sku.name: {sku.get('name')}")
    if tier != sku.get("tier"):
        return (
            "ServerEditionIncompatibleWithSkuSize",
            "The requested server edition is incompatible with requested Sku Size. Please refer "
            "https://learn.microsoft.com/en-us/azure/postgresql/flexible-server/concepts-compute-storage#compute-tiers-"
            "vcores-and-server-types.",
        )
    return None


def check_password(password: str, login: str) -> Problem | None:
    """Require 8 to 128 characters of three kinds, without the login's name."""
    kinds = sum(bool(re.search(pattern, password)) for pattern in ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]"))
    low, name = password.lower(), login.lower()
    if not 8 <= len(password) <= 128 or kinds < 3 or (name and name in low):
        return (
            "PasswordNotComplex",
            "Password validation failed. The password does not meet policy requirements because "
            "it is not complex enough.",
        )
    return None


def check_login(login: str) -> Problem | None:
    reserved = {"azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public", "sa"}
    if (
        not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", login)
        or login.lower() in reserved
        or login.lower().startswith("pg_")
    ):
        return "AdministratorLoginNotAllowed", f"The administrator login name '{login}' is not allowed."
    return None


def check_values(properties: Json, sku: Json) -> Problem | None:
    storage, backup = properties.get("storage") or {}, properties.get("backup") or {}
    size = storage.get("storageSizeGB")
    if size is not None and storage.get("type", "") in ("", "Premium_LRS") and size not in SIZES:
        return invalid(f"storageSizeGB: {size}")
    days = backup.get("backupRetentionDays")
    if days is not None and not 7 <= days <= 35:
        return invalid(f"backupRetentionDays: {days}")
    if properties.get("version") is not None and properties["version"] not in VERSIONS:
        return (
            "ParameterOutOfRange",
            f"The value of parameter version '{properties['version']}' should be in [{','.join(VERSIONS)}].",
        )
    high = (properties.get("highAvailability") or {}).get("mode", "Disabled")
    if high != "Disabled" and sku.get("tier") == "Burstable":
        return "", "High availiability not supported for burstable server."
    return None
