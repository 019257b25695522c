"""Body of a role assignment."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def role_assignment(role_definition_id: str, principal_id: str, principal_type: str) -> dict[str, Any]:
    """A role for a principal.

    `principalType` spares ARM the look into a directory that may not know a fresh identity yet
    (learn.microsoft.com/azure/role-based-access-control/role-assignments-rest).
    """
    return {
        "properties": {
            "roleDefinitionId": role_definition_id,
            "principalId": principal_id,
            "principalType": principal_type,
        }
    }
