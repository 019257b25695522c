"""User-assigned identities."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, register
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

Json = dict[str, Any]
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_RULE: Json = {
    **rules.TRACKED,
    "properties": {
        "tenantId": rules.READ_ONLY,
        "principalId": rules.READ_ONLY,
        "clientId": rules.READ_ONLY,
        "isolationScope": rules.OneOf("None", "Regional"),
    },
}


class Identities(ResourceType):
    """PUT 201 with a Location that is a path without host, 200 on an existing one; the id comes with
    `/resourcegroups/`; no systemData (59 recorded identities of Azure/azure-cli)."""

    type = IDENTITY
    body_rule = _RULE
    name_pattern = r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}"
    listed_with = ("tags",)

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        if call.existing is not None:
            call.existing.body["tags"] = body.get("tags", {})
            call.world.store.put(call.existing)
            return Response(200, call.existing.body)
        identifier = call.target.id.replace("/resourceGroups/", "/resourcegroups/")
        shown = {
            "location": body["location"],
            "tags": body.get("tags", {}),
            "id": identifier,
            "name": call.target.name,
            "type": IDENTITY,
            "properties": {
                "tenantId": call.world.identity.tenant_id,
                "principalId": str(uuid.uuid4()),
                "clientId": str(uuid.uuid4()),
            },
        }
        call.world.store.put(Resource(identifier, IDENTITY, shown, call.now))
        return Response(201, shown, {"Location": identifier})

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        body = self.sent(call, patch=True)
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        call.world.store.put(existing)
        return Response(200, existing.body)

    def actions(self) -> dict[str, Callable[[Call], Response]]:
        return {"listassociatedresources": self._associated}

    def _associated(self, call: Call) -> Response:
        """List the resources that the identity is assigned to."""
        identity = call.must_exist()
        value = []
        for item in call.world.store.all():
            block = item.body.get("identity")
            names = (block.get("userAssignedIdentities") or {}) if isinstance(block, dict) else {}
            if identity.key in {name.lower() for name in names}:
                group = item.id.split("/")[4]
                value.append(
                    {
                        "id": item.id,
                        "name": item.name,
                        "type": item.type.lower(),
                        "resourceGroup": group,
                        "subscriptionId": call.world.identity.subscription_id,
                        "subscriptionDisplayName": "Emulator",
                    }
                )
        return Response(200, {"totalCount": len(value), "value": value})

    def delete(self, call: Call) -> Response:
        """Delete the identity; its role assignments remain."""
        delete_now(call.world, call.target.id)
        return Response(200)


def find(world: World, identity_id: str) -> Resource | None:
    found = world.store.get(identity_id)
    return found if found is not None and found.type == IDENTITY else None


def assigned(world: World, sent: Json | None, owner: str = "") -> Json:
    """Return an `identity` block as shown: keys with `/resourcegroups/`, principal and client ids filled in."""
    if not sent or sent.get("type") in (None, "None"):
        return {"type": "None"}
    own: Json = {}
    if "systemassigned" in sent["type"].lower():
        # Created and deleted with the resource.
        made = world.derived_uuid("system identity", owner)
        own = {"principalId": made, "tenantId": world.identity.tenant_id}
    shown: Json = {}
    for identity_id in sent.get("userAssignedIdentities") or {}:
        identity = find(world, identity_id)
        if identity is not None:
            shown[identity.id] = {key: identity.properties[key] for key in ("principalId", "clientId")}
        else:
            shown[identity_id] = {}
    return {"type": sent["type"], **own, **({"userAssignedIdentities": shown} if shown else {})}


register(Identities())
