"""Permissions of the signed-in principal, as far as they can be read."""

from __future__ import annotations

import fnmatch

from draftgenie_azure.arm import ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from draftgenie_azure.session import Session


def allows(permission: dict[str, Any], action: str) -> bool:
    """Return whether a permission grants an action, with Azure's wildcards."""

    def matches(patterns: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)

    return matches(permission.get("actions") or []) and not matches(permission.get("notActions") or [])


def roles(session: Session) -> list[dict[str, Any]]:
    """Return the principal's role assignments on, above and in the subscription: `roleDefinitionId` and `scope`.

    ARM lists the caller's permissions only for a group; if that is missing or not enough, the roles show them.

    Raises:
        AzureError: reading is not allowed.
    """
    object_id = session.claims.get("oid")
    if not object_id:
        return []
    path = f"{session.scope.subscription}/providers/Microsoft.Authorization/roleAssignments"
    version = ids.API_VERSIONS["Microsoft.Authorization/roleAssignments"]
    listed = session.arm.listing(path, api_version=version, **{"$filter": f"assignedTo('{object_id}')"})
    return [one["properties"] for one in listed]


def permissions(session: Session, role_ids: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the permissions of roles."""
    version = ids.API_VERSIONS["Microsoft.Authorization/roleDefinitions"]
    for role_id in sorted(role_ids):
        yield from (session.arm.read(role_id, api_version=version) or {}).get("properties", {}).get("permissions", [])


def is_in_group(scope: str) -> bool:
    """Return whether a role's scope is a resource group or something in one."""
    return "/resourcegroups/" in scope.lower()
