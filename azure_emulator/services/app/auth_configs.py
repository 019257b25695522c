"""Authentication settings of an app."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.services.app import schema
from azure_emulator.services.app.types import APP

Json = dict[str, Any]


class AuthConfigs(ResourceType):
    """The settings that `az containerapp auth` writes: one per app, named `current`. They are kept, not applied."""

    type = f"{APP}/authConfigs"
    tracked = False
    body_rule = schema.AUTH_CONFIG
    name_pattern = r"(?i)current"
    name_error = ("InvalidAuthConfigName", "Invalid auth config name '{name}'. The name must be 'current'.")

    def put(self, call: Call) -> Response:
        sent = self.sent(call)["properties"]
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": "Microsoft.App/containerapps/authconfigs",
            "systemData": system_data(call),
            "properties": sent,
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created))
        return Response(200, shown)

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)


register(AuthConfigs())
