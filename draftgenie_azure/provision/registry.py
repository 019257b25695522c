"""The container registry."""

from __future__ import annotations

from draftgenie_azure.arm.client import Resource, creation_id
from draftgenie_azure.provision import access, addresses
from draftgenie_azure.provision.bodies import registry as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "create_container_registry"


def create(session: Session, inputs: Mapping[str, Outputs]) -> Outputs:
    """Ensure the registry without an admin user, and the identity's role to pull from it."""
    if session.config.container_registry is None:
        return {}
    registry_id = addresses.registry(session)
    body = bodies.registry(session.config)
    left_open = access.keep_unrestricted(
        session, "container_registry", registry_id, body, "adminUserEnabled", True
    )
    (live,) = session.arm.ensure([Resource("container_registry", registry_id, body, has_creation_id=True)], step=STEP)
    session.records.note("container_registry", left_open=left_open)
    host = addresses.checked_login_server(session, live["properties"]["loginServer"])
    principal_id = inputs["create_resource_group"]["principal_id"]
    role = access.assign_role(session, STEP, "role/pull-images", registry_id, "AcrPull", principal_id)
    return {
        "id": registry_id,
        "login_server": host,
        "incarnation": creation_id(live),
        "pull_role": role,
    }
