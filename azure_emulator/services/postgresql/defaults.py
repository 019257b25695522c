"""Bodies as the service fills them in, as data."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SERVER: Json = {
    "replica": {"role": "Primary", "capacity": 5},
    "privateEndpointConnections": [],
    "dataEncryption": {"type": "SystemManaged"},
    "minorVersion": "4",
    "state": "Ready",
    "replicationRole": "Primary",
    "replicaCapacity": 5,
}
# Sections that are filled in key by key.
STORAGE: Json = {"type": "", "autoGrow": "Disabled"}
AUTHENTICATION: Json = {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"}
BACKUP: Json = {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"}
HIGH_AVAILABILITY: Json = {"mode": "Disabled"}
MAINTENANCE: Json = {"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0}
