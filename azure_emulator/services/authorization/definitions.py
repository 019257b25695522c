"""Role definitions, and a caller's permissions at a scope."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.roles import ROLES, Role
from azure_emulator.core.world import World

Json = dict[str, Any]
DEFINITION = "Microsoft.Authorization/roleDefinitions"


class RoleDefinitions(ResourceType):
    """The built-in roles, the same at every scope."""

    type = DEFINITION
    tracked = False
    extension = True
    stored = False

    def get(self, call: Call) -> Response:
        return get_definition(call.world, call.request, [call.target.name])

    def list(self, call: Call, scope: str) -> Response:
        text = call.request.query.get("$filter", "")
        match = re.search(r"roleName\s+eq\s+'([^']*)'", text, flags=re.IGNORECASE)
        found = [role for role in ROLES.values() if match is None or role.name.lower() == match[1].lower()]
        return Response(200, {"value": [definition(call.world, role) for role in found]})


def definition(world: World, role: Role) -> Json:
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.name,
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": list(role.actions),
                    "notActions": list(role.not_actions),
                    "dataActions": list(role.data_actions),
                    "notDataActions": [],
                }
            ],
            "createdOn": "2020-05-19T17:52:46.2349235Z",
            "updatedOn": "2021-11-11T20:14:30.2542755Z",
            "createdBy": None,
            "updatedBy": None,
        },
        "id": f"{world.subscription}/providers/{DEFINITION}/{role.id}",
        "type": DEFINITION,
        "name": role.id,
    }


def get_definition(world: World, request: Request, segments: list[str]) -> Response:
    """By its id at the root of the tenant or, through RoleDefinitions, at any scope."""
    role = ROLES.get(segments[-1].lower())
    if role is None:
        raise _no_definition(segments[-1])
    return Response(200, definition(world, role))


def _no_definition(name: str) -> Refusal:
    return Refusal(
        404,
        "RoleDefinitionDoesNotExist",
        f"The specified role definition with ID '{name.replace('-', '')}' does not exist.",
    )


class Permissions(ResourceType):
    """Return the caller's permissions at a scope; 404 before the group exists."""

    type = "Microsoft.Authorization/permissions"
    tracked = False
    extension = True

    def list(self, call: Call, scope: str) -> Response:
        principal = call.request.principal
        roles = call.world.roles.roles(principal.object_id, scope) if principal else []
        return Response(
            200,
            {
                "value": [
                    {
                        "actions": list(role.actions),
                        "notActions": list(role.not_actions),
                        "dataActions": list(role.data_actions),
                        "notDataActions": [],
                    }
                    for role in roles
                ]
            },
        )


PATHS = [("GET", ("providers", "microsoft.authorization", "roledefinitions", "*"), get_definition, DEFINITION, "")]


register(RoleDefinitions(), Permissions())
