"""Administrators of a server from Microsoft Entra, by object id."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, register
from azure_emulator.services.postgresql.children import Child
from azure_emulator.services.postgresql.operations import child
from azure_emulator.services.postgresql.servers import SERVER

Json = dict[str, Any]


class Administrators(Child):
    """They need a server that takes Entra's sign-ins (learn.microsoft.com/azure/postgresql/security,
    Microsoft Entra authentication)."""

    type = f"{SERVER}/administrators"
    work = child("administrator", "*ServerActiveDirectoryAdministratorManagementOperation", 10)
    name_pattern = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    name_error = ("InvalidAdministratorId", "The administrator is named by its object id, not '{name}'.")
    body_rule = {
        **rules.ENVELOPE,
        "properties!": {
            "principalName!": rules.Text(least=1),
            "principalType!": rules.OneOf("User", "Group", "ServicePrincipal", "Unknown"),
            "tenantId": rules.TEXT,
            "objectId": rules.READ_ONLY,
        },
    }

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        server = self._server(call)
        if server.properties["authConfig"]["activeDirectoryAuth"] != "Enabled":
            raise Refusal(
                400,
                "AadAuthOperationCannotBePerformedWhenAadAuthIsDisabled",
                "Azure Active Directory auth operation cannot be performed when Azure Active Directory auth is "
                "disabled on the server.",
            )
        own = {"objectId": call.target.name, "tenantId": call.world.identity.tenant_id}
        return self._write(call, body, None, own)


register(Administrators())
