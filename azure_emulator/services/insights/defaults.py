"""Bodies as the service fills them in, as data."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

COMPONENT: Json = {
    "Flow_Type": "Bluefield",
    "Request_Source": "rest",
    "provisioningState": "Succeeded",
    "SamplingPercentage": None,
    "RetentionInDays": 90,
    "IngestionMode": "LogAnalytics",
    "publicNetworkAccessForIngestion": "Enabled",
    "publicNetworkAccessForQuery": "Enabled",
    "Ver": "v2",
}
