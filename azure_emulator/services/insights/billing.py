"""A component's billing: its daily volume cap (`currentbillingfeatures`, 2015-05-01), which azurerm reads and writes
with every component."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call

Json = dict[str, Any]
_DEFAULT: Json = {
    "Cap": 100.0,
    "WarningThreshold": 90,
    "StopSendNotificationWhenHitThreshold": False,
    "StopSendNotificationWhenHitCap": False,
    "MaxHistoryCap": 1000.0,
    "ResetTime": 0,
}
_RULE: Json = {
    "CurrentBillingFeatures": rules.TEXTS,
    "DataVolumeCap": {
        "Cap": rules.NUMBER,
        "WarningThreshold": rules.Whole(1, 100),
        "StopSendNotificationWhenHitThreshold": rules.FLAG,
        "StopSendNotificationWhenHitCap": rules.FLAG,
        **rules.read_only("MaxHistoryCap", "ResetTime"),
    },
}


def features(call: Call) -> Response:
    """Handle GET, and PUT of changes."""
    component = call.must_exist()
    kept = component.private.get("billing", {"CurrentBillingFeatures": ["Basic"], "DataVolumeCap": _DEFAULT})
    if call.request.method == "PUT":
        sent = rules.clean(call.request.json(), _RULE)
        if sent.get("DataVolumeCap", {}).get("Cap", 0) < 0:
            raise Refusal(400, "BadRequest", "The daily volume cap is no negative number.")
        kept = rules.update(kept, sent)
        component.private["billing"] = kept
        call.world.store.put(component)
    return Response(200, kept)
