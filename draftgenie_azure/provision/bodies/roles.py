"""Body of a role assignment."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def role_assignment(role_definition_id: str, principal_id: str, principal_type: str) -> dict[str, Any]:
    """Return the assignment of a role to a principal.

    `principalType` saves ARM a lookup in a directory that may not have a new identity yet
    (learn.microsoft.com/azure/role-based-access-control/role-assignments-rest).
    """
    return {
        "properties": {
            "roleDefinitionId": role_definition_id,
            "principalId": principal_id,
            "principalType": principal_type,
        }
    }
