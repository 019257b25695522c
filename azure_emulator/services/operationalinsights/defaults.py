"""Bodies as the service fills them in, as data."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

WORKSPACE: Json = {
    "retentionInDays": 30,
    "publicNetworkAccessForIngestion": "Enabled",
    "publicNetworkAccessForQuery": "Enabled",
}
SKU: Json = {"name": "PerGB2018"}
FEATURES: Json = {"legacy": 0, "searchVersion": 1, "enableLogAccessUsingOnlyResourcePermissions": True}
CAPPING: Json = {"dailyQuotaGb": -1.0, "dataIngestionStatus": "RespectQuota"}
