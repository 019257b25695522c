"""User-assigned identities."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from .. import rules
from ..messages import Response
from ..store import Resource
from .base import Call, ResourceType, delete_now, register

if TYPE_CHECKING:
    from ..world import World

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
    name_pattern = r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}"
    listed_with = ("tags",)

    def put(self, call: Call) -> Response:
        body = rules.clean(call.request.json(), _RULE, new=call.existing is None)
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
        body = rules.clean(call.request.json(), _RULE, new=False, patch=True)
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        call.world.store.put(existing)
        return Response(200, existing.body)

    def delete(self, call: Call) -> Response:
        """Its role assignments stay behind."""
        delete_now(call.world, call.target.id)
        return Response(200)


def find(world: World, identity_id: str) -> Resource | None:
    found = world.store.get(identity_id)
    return found if found is not None and found.type == IDENTITY else None


def assigned(world: World, sent: Json | None) -> Json:
    """An `identity` block as services show it: keys with `/resourcegroups/`, principal and client ids filled in."""
    if not sent or sent.get("type") in (None, "None"):
        return {"type": "None"}
    shown: Json = {}
    for identity_id in sent.get("userAssignedIdentities") or {}:
        identity = find(world, identity_id)
        if identity is not None:
            shown[identity.id] = {key: identity.properties[key] for key in ("principalId", "clientId")}
        else:
            shown[identity_id] = {}
    return {"type": sent["type"], **({"userAssignedIdentities": shown} if shown else {})}


register(Identities())
