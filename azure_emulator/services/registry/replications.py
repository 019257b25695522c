"""Replications of a Premium registry in other regions, and empty lists of a registry's unsupported children.
"""

from __future__ import annotations

from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.effects import EFFECTS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.registry.registries import REGISTRY_TYPE

Json = dict[str, Any]
REPLICATION = f"{REGISTRY_TYPE}/replications"
_CREATE = Work(
    "replication.ready",
    ("registry", "create"),
    "registry",
    answers=201,
    sends="A",
    pace=10,
    status="{resource}/operationStatuses/{id}",
    word="Creating",
    name="replications-{uuid}",
)
_DELETE = Work(
    "replication.deleted",
    ("registry", "update"),
    "registry",
    sends="L",
    pace=10,
    result="{resource}/operationResults/{id}",
    final="empty",
    word="Deleting",
    name="replications-{uuid}",
)
_RULE: Json = {
    **rules.TRACKED,
    "properties": {
        "regionEndpointEnabled": rules.FLAG,
        "zoneRedundancy": rules.OneOf("Enabled", "Disabled"),
        "provisioningState": rules.READ_ONLY,
        "status": rules.READ_ONLY,
    },
}


class Replications(ResourceType):
    """PUT 201 with Azure-AsyncOperation, for Premium only (learn.microsoft.com/azure/container-registry/
    container-registry-geo-replication)."""

    type = REPLICATION
    body_rule = _RULE
    name_pattern = r"[A-Za-z0-9]{5,50}"

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        registry = call.world.store.get(call.target.parent)
        assert registry is not None
        if registry.body["sku"]["name"] != "Premium":
            raise Refusal(
                400,
                "FeatureNotSupportedBySku",
                f"The sku {registry.body['sku']['name']} does not support replications: Premium is needed.",
            )
        if region(body["location"]) == region(registry.body["location"]):
            raise Refusal(409, "Conflict", f"The registry {registry.name} is in {registry.body['location']} already.")
        sent = {"regionEndpointEnabled": True, "zoneRedundancy": "Disabled", **body.get("properties", {})}
        now = stamp(call.now)
        shown = {
            "type": REPLICATION,
            "id": call.target.id,
            "name": call.target.name,
            "location": body["location"],
            "tags": body.get("tags", {}),
            "systemData": system_data(call, "+00:00"),
            "properties": {
                **sent,
                "provisioningState": "Creating",
                "status": {"displayStatus": "Syncing", "message": "The replica is syncing.", "timestamp": now},
            },
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, REPLICATION, shown, created))
        return call.accept(_CREATE, call.target.id, shown)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        existing.properties["provisioningState"] = "Deleting"
        call.world.store.put(existing)
        return call.accept(_DELETE, existing.id, existing.body)


@effect("replication.ready")
def _ready(world: World, operation: Json) -> None:
    found = world.store.get(operation["resource"])
    if found is not None:
        failed = operation["error"] is not None
        found.properties["provisioningState"] = "Failed" if failed else "Succeeded"
        found.properties["status"] = {
            "displayStatus": "Failed" if failed else "Ready",
            "message": "" if failed else "The replica is ready.",
            "timestamp": stamp(operation["ends"]),
        }
        world.store.put(found)


EFFECTS.update({"replication.deleted": endings.removed})
register(Replications())
