"""Management locks."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.locks import LOCK
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource

Json = dict[str, Any]


class Locks(ResourceType):
    """Created with 201, changed with 200, deleted with 200; no systemData (recorded traffic of Azure/azure-cli)."""

    type = LOCK
    tracked = False
    extension = True
    body_rule = {
        **rules.ENVELOPE,
        "properties!": {
            "level!": rules.OneOf("CanNotDelete", "ReadOnly"),
            "notes": rules.Text(most=512),
            "owners": [{"applicationId": rules.TEXT}],
        },
    }

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        shown = {"properties": body["properties"], "id": call.target.id, "type": self.type, "name": call.target.name}
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created))
        return Response(200 if call.existing else 201, shown)

    def delete(self, call: Call) -> Response:
        if call.existing is None:
            return Response(204)
        call.world.store.drop(call.existing.id)
        return Response(200)

    def missing_error(self, call: Call) -> Refusal:
        return Refusal(404, "LockNotFound", f"The lock '{call.target.name}' could not be found.")

    def list(self, call: Call, scope: str) -> Response:
        """At the scope and below; with `atScope()` at the scope and above (learn.microsoft.com, Get-AzResourceLock)."""
        start = scope.lower().rstrip("/") + "/"
        found = call.world.store.of_type(self.type)
        if call.request.query.get("$filter", "").lower() == "atscope()":
            shown = [item.body for item in found if start.startswith(item.key.rsplit("/providers/", 1)[0] + "/")]
        else:
            shown = [item.body for item in found if item.key.startswith(start)]
        return Response(200, {"value": shown})


register(Locks())
