"""The storages of Container Apps environments."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.services.app import schema
from azure_emulator.services.app.types import STORAGE

Json = dict[str, Any]


class Storages(ResourceType):
    """PUT 200, also if new; the account key is never returned; 404 `ManagedEnvironmentStorageNotFound` (recorded)."""

    type = STORAGE
    tracked = False
    name_pattern = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
    name_error = ("ManagedEnvironmentStorageInvalidName", "Invalid storage name '{name}'.")
    body_rule = schema.STORAGE

    def put(self, call: Call) -> Response:
        sent = self.sent(call)["properties"]
        environment = call.world.store.get(call.target.parent)
        assert environment is not None
        if len([name for name in ("azureFile", "nfsAzureFile") if name in sent]) != 1:
            raise Refusal(
                400, "ManagedEnvironmentStorageInvalid", "Exactly one of azureFile and nfsAzureFile is needed."
            )
        if "nfsAzureFile" in sent and not environment.properties["vnetConfiguration"]:
            raise Refusal(
                400, "ManagedEnvironmentStorageNfsRequiresVnet", "NFS storage needs an environment with a custom VNet."
            )
        if "azureFile" in sent and not (
            sent["azureFile"].get("accountKey") or sent["azureFile"].get("accountKeyVaultProperties")
        ):
            raise Refusal(400, "ManagedEnvironmentStorageAccountKeyRequired", "The account key is required.")
        kept = {
            kind: {key: value for key, value in inner.items() if key != "accountKey"} for kind, inner in sent.items()
        }
        identifier = call.target.id
        shown = {
            "id": identifier,
            "name": call.target.name,
            "type": "Microsoft.App/managedenvironments/storages",
            "properties": kept,
        }
        call.world.store.put(Resource(identifier, STORAGE, shown, call.existing.created if call.existing else call.now))
        return Response(200, shown)

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)

    def missing_error(self, call: Call) -> Refusal:
        return Refusal(
            404, "ManagedEnvironmentStorageNotFound", f"ManagedEnvironment Storage '{call.target.name}' was not found."
        )


register(Storages())
