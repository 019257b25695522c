"""Role assignments and definitions, permissions and locks."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.roles import ASSIGNMENT, ROLES
from azure_emulator.core.store import Resource
from azure_emulator.services.authorization.definitions import DEFINITION
from azure_emulator.services.managedidentity.identities import IDENTITY

Json = dict[str, Any]
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ASSIGNMENT_RULE: Json = {
    **rules.ENVELOPE,
    "properties!": {
        "roleDefinitionId!": rules.TEXT,
        "principalId!": rules.TEXT,
        "principalType": rules.OneOf(
            "User", "Group", "ServicePrincipal", "ForeignGroup", "Device", "AgentUser", "AgentServicePrincipal"
        ),
        "description": rules.TEXT,
        "condition": rules.TEXT,
        "conditionVersion": rules.TEXT,
        "delegatedManagedIdentityResourceId": rules.TEXT,
        "scope": rules.READ_ONLY,
        "createdOn": rules.READ_ONLY,
        "updatedOn": rules.READ_ONLY,
        "createdBy": rules.READ_ONLY,
        "updatedBy": rules.READ_ONLY,
    },
}


class RoleAssignments(ResourceType):
    """learn.microsoft.com/azure/role-based-access-control/role-assignments-rest and …/troubleshooting."""

    type = ASSIGNMENT
    body_rule = _ASSIGNMENT_RULE
    tracked = False
    extension = True
    name_pattern = _GUID
    name_error = (
        "InvalidRoleAssignmentId",
        "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
    )

    def put(self, call: Call) -> Response:
        """201 also on one that exists (recorded traffic of Azure/azure-cli)."""
        body = self.sent(call)
        sent = body["properties"]
        role = sent["roleDefinitionId"].rsplit("/", 1)[-1].lower()
        if role not in ROLES:
            raise Refusal(
                400,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{role.replace('-', '')}' does not exist.",
            )
        if call.existing is not None:
            return self._again(call, call.existing, sent)
        self._refuse_same(call, sent)
        kind = self._principal_type(call, sent)
        now = stamp(call.now)
        who = call.request.principal.object_id if call.request.principal else None
        properties = {
            "roleDefinitionId": f"{call.world.subscription}/providers/{DEFINITION}/{role}",
            "principalId": sent["principalId"],
            "principalType": kind,
            "scope": call.target.scope or "/",
            "condition": sent.get("condition"),
            "conditionVersion": sent.get("conditionVersion"),
            "createdOn": now,
            "updatedOn": now,
            "createdBy": who,
            "updatedBy": who,
            "delegatedManagedIdentityResourceId": sent.get("delegatedManagedIdentityResourceId"),
            "description": sent.get("description"),
        }
        shown = {"properties": properties, "id": call.target.id, "type": ASSIGNMENT, "name": call.target.name}
        effective = call.now + call.world.seconds("role", "effective")
        call.world.store.put(Resource(call.target.id, ASSIGNMENT, shown, call.now, {"effective": effective}))
        # createdBy is null in the reply to PUT and set in GET (90 recorded assignments of Azure/azure-cli).
        return Response(201, {**shown, "properties": {**properties, "createdBy": None}})

    def _again(self, call: Call, existing: Resource, sent: Json) -> Response:
        current = existing.properties
        same_role = current["roleDefinitionId"].rsplit("/", 1)[1] == sent["roleDefinitionId"].rsplit("/", 1)[-1].lower()
        if not same_role or current["principalId"].lower() != sent["principalId"].lower():
            raise Refusal(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        current["description"] = sent.get("description")
        current["updatedOn"] = stamp(call.now)
        call.world.store.put(existing)
        return Response(201, {**existing.body, "properties": {**current, "createdBy": None}})

    def _refuse_same(self, call: Call, sent: Json) -> None:
        for other in call.world.store.of_type(ASSIGNMENT):
            properties = other.properties
            if (
                properties["scope"].lower() == (call.target.scope or "/").lower()
                and properties["principalId"].lower() == sent["principalId"].lower()
                and properties["roleDefinitionId"].rsplit("/", 1)[1]
                == sent["roleDefinitionId"].rsplit("/", 1)[-1].lower()
            ):
                raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")

    def _principal_type(self, call: Call, sent: Json) -> str:
        """Without principalType, look the principal up in the directory, where a new identity is missing at first."""
        world, principal = call.world, sent["principalId"]
        if not re.fullmatch(_GUID, principal):
            raise Refusal(
                400,
                "InvalidPrincipalId",
                f"A valid principal ID must be provided for role assignment, not '{principal}'.",
            )
        if "principalType" in sent:
            return str(sent["principalType"])
        if any(item["object_id"].lower() == principal.lower() for item in world.principals().values()):
            return "ServicePrincipal"
        for identity in world.store.of_type(IDENTITY):
            replicated = identity.created + world.seconds("identity", "replicated") <= call.now
            if identity.properties["principalId"] == principal.lower() and replicated:
                return "ServicePrincipal"
        raise Refusal(
            400,
            "PrincipalNotFound",
            f"Principal {principal.replace('-', '')} does not exist in the directory "
            f"{world.identity.tenant_id}. Check that you have the correct principal ID. If you are creating "
            "this principal and then immediately assigning a role, this error might be related to a "
            "replication delay. In this case, set the role assignment principalType property to a value, "
            "such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
        )

    def delete(self, call: Call) -> Response:
        if call.existing is None:
            return Response(204)
        call.world.store.drop(call.existing.id)
        return Response(200, call.existing.body)

    def missing_error(self, call: Call) -> Refusal:
        return Refusal(404, "RoleAssignmentNotFound", f"The role assignment '{call.target.name}' is not found.")

    def list(self, call: Call, scope: str) -> Response:
        """List at the scope, above it and, without `atScope()`, below it."""
        found = [item for item in call.world.store.of_type(ASSIGNMENT) if _seen(item, scope, call)]
        return Response(200, {"value": [item.body for item in found]})


def _seen(item: Resource, scope: str, call: Call) -> bool:
    text = call.request.query.get("$filter", "")
    own, target = item.properties["scope"].lower().rstrip("/") + "/", scope.lower().rstrip("/") + "/"
    above, below = target.startswith(own), own.startswith(target)
    at_scope = "atscope()" in text.lower()
    if not above and (at_scope or not below):
        return False
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else []:
        match = re.fullmatch(
            r"(?:assignedTo\('([^']*)'\)|principalId\s+eq\s+'([^']*)'|atScope\(\))", part.strip(), flags=re.IGNORECASE
        )
        if match is None:
            raise gateway(400, "InvalidFilter", f"The filter '{text}' is not supported.")
        wanted = match[1] or match[2]
        if wanted and item.properties["principalId"].lower() != wanted.lower():
            return False
    return True


register(RoleAssignments())
