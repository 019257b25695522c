"""Federated credentials of an identity: external tokens accepted as its own."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.services.managedidentity.identities import IDENTITY

Json = dict[str, Any]
_MOST = 20
"""For one identity (learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations)."""
_RULE: Json = {
    **rules.ENVELOPE,
    "properties!": {
        "issuer!": rules.Text(least=1, most=600),
        "subject": rules.Text(most=600),
        "audiences!": [rules.Text(least=1, most=600)],
        "claimsMatchingExpression": rules.OBJECT,
    },
}


class FederatedCredentials(ResourceType):
    """PUT 201, 200 on an existing one; DELETE 200 (PyPI azure-mgmt-msi)."""

    type = f"{IDENTITY}/federatedIdentityCredentials"
    body_rule = _RULE
    tracked = False
    name_pattern = r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}"

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body["properties"]
        others = [
            item
            for item in call.world.store.of_type(self.type, call.target.parent)
            if item.key != call.target.id.lower()
        ]
        if call.existing is None and len(others) >= _MOST:
            raise Refusal(400, "BadRequest", f"An identity has at most {_MOST} federated credentials.")
        if any(_named(item.properties) == _named(sent) for item in others):
            raise Refusal(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
        shown = {
            "id": call.target.id.replace("/resourceGroups/", "/resourcegroups/"),
            "name": call.target.name,
            "type": self.type,
            "properties": sent,
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created))
        return Response(200 if call.existing else 201, shown)

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)


def _named(properties: Json) -> tuple[str, str]:
    return str(properties["issuer"]), str(properties.get("subject"))


register(FederatedCredentials())
