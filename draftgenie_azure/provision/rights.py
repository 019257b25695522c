"""What the signed-in principal may do, as far as Azure Resource Manager lets it be read."""

from __future__ import annotations

import fnmatch

from draftgenie_azure.arm import ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from draftgenie_azure.session import Session


def allows(permission: dict[str, Any], action: str) -> bool:
    """Whether a permission grants an action; wildcards as Azure writes them."""

    def matches(patterns: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)

    return matches(permission.get("actions") or []) and not matches(permission.get("notActions") or [])


def roles(session: Session) -> list[dict[str, Any]]:
    """Each role that the principal has on the subscription, above it or in it: `roleDefinitionId` and `scope`.

    ARM lists the caller's permissions for a group only; where that is not there, or not enough, the roles say it.

    Raises:
        AzureError: they may not be read.
    """
    object_id = session.claims.get("oid")
    if not object_id:
        return []
    path = f"{session.scope.subscription}/providers/Microsoft.Authorization/roleAssignments"
    version = ids.API_VERSIONS["Microsoft.Authorization/roleAssignments"]
    listed = session.arm.listing(path, api_version=version, **{"$filter": f"assignedTo('{object_id}')"})
    return [one["properties"] for one in listed]


def permissions(session: Session, role_ids: set[str]) -> Iterator[dict[str, Any]]:
    """What roles allow."""
    version = ids.API_VERSIONS["Microsoft.Authorization/roleDefinitions"]
    for role_id in sorted(role_ids):
        yield from (session.arm.read(role_id, api_version=version) or {}).get("properties", {}).get("permissions", [])


def is_in_group(scope: str) -> bool:
    """Return whether a role's scope is a resource group or something in one."""
    return "/resourcegroups/" in scope.lower()
