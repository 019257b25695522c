"""Access to resources: role assignments, and unrestricted access of resources created by others."""

from __future__ import annotations

from draftgenie_azure.arm.client import Resource
from draftgenie_azure.provision.bodies.roles import role_assignment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.session import Session


def assign_role(session: Session, step: str, key: str, scope_id: str, role: str, principal_id: str) -> str:
    """Assign a role to the apps' identity; return the assignment's id."""
    role_id = session.scope.role_assignment(scope_id, principal_id, role)
    body = role_assignment(session.scope.role_definition(role), principal_id, "ServicePrincipal")
    session.arm.ensure([Resource(key, role_id, body, create_only=True)], step=step)
    return role_id


def keep_unrestricted(
    session: Session, key: str, resource_id: str, body: dict[str, Any], name: str, unrestricted: bool
) -> str | None:
    """Keep unrestricted access of a resource created by others: restricting it may lock its users out.

    Args:
        body: updated to match the live resource.
        name: the property that restricts access.
        unrestricted: its value for unrestricted access.

    Returns:
        A description of the unrestricted access, or None.
    """
    record = session.records.resources.get(key, {})
    if record.get("created") or session.adopt:
        return None
    live = session.arm.current(resource_id)
    if live is None or live["properties"].get(name, unrestricted) is not unrestricted:
        return None
    body["properties"][name] = unrestricted
    if name == "enableRbacAuthorization":
        body["properties"]["accessPolicies"] = live["properties"].get("accessPolicies", [])
    return f"{name} is {unrestricted} on a resource that this deployment did not create (--adopt restricts it)"
