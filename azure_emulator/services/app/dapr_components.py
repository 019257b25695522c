"""Dapr components of an environment."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.services.app import bodies, schema
from azure_emulator.services.app.types import ENVIRONMENT

Json = dict[str, Any]


class DaprComponents(ResourceType):
    """PUT 200, also if new; GET shows names of secrets, listSecrets their values."""

    type = f"{ENVIRONMENT}/daprComponents"
    tracked = False
    body_rule = schema.DAPR_COMPONENT
    name_pattern = r"[a-z0-9]([-a-z0-9]{0,58}[a-z0-9])?"
    name_error = ("DaprComponentInvalidName", "Invalid Dapr component name '{name}'.")

    def put(self, call: Call) -> Response:
        sent = self.sent(call)["properties"]
        for name in ("componentType", "version"):
            if not sent.get(name):
                raise Refusal(
                    400, "DaprComponentInvalid", f"The property '{name}' of a Dapr component is required.", target=name
                )
        secrets = bodies.given(sent.get("secrets"))
        names = {item["name"] for item in secrets}
        for item in sent.get("metadata") or []:
            if item.get("secretRef") and item["secretRef"] not in names and not sent.get("secretStoreComponent"):
                raise Refusal(
                    400, "DaprComponentInvalid", f"SecretRef '{item['secretRef']}' of '{item['name']}' not found."
                )
        properties = {"ignoreErrors": False, "initTimeout": "", "metadata": None, "scopes": None, **sent}
        properties["secretStoreComponent"] = sent.get("secretStoreComponent", "")
        properties["secrets"] = bodies.shown_secrets(secrets)
        kept = bodies.keep_values(call.world, call.target.id.lower(), secrets)
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": self.type,
            "systemData": system_data(call),
            "properties": properties,
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created, {"secrets": kept}))
        return Response(200, shown)

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)

    def actions(self) -> dict[str, Any]:
        return {"listsecrets": self._list_secrets}

    def _list_secrets(self, call: Call) -> Response:
        existing = call.must_exist()
        return Response(200, bodies.secret_values(call.world, existing.key, existing.private["secrets"]))


register(DaprComponents())
