"""The resource group and the apps' identity."""

from __future__ import annotations

from draftgenie_azure.arm.client import Resource
from draftgenie_azure.errors import OtherLineageError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies import foundation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "create_resource_group"


def create(session: Session) -> Outputs:
    """Ensure group and identity. The group's tag carries the state's lineage, so no two states manage one group."""
    lineage = str(session.records.document["lineage"])
    check_owner(session)
    group = Resource("resource_group", session.scope.group, foundation.resource_group(session.config, lineage))
    identity = Resource("identity", addresses.identity(session), foundation.identity(session.config))
    session.arm.ensure([group], step=STEP)
    (live,) = session.arm.ensure([identity], step=STEP)
    return {
        "group_id": session.scope.group,
        "identity_id": addresses.identity(session),
        "principal_id": live["properties"]["principalId"],
        "client_id": live["properties"]["clientId"],
    }


def check_owner(session: Session) -> bool:
    """Fail if another state manages the group, unless it is adopted.

    Returns:
        True if the group exists without this lineage's tag.
    """
    live = session.arm.current(session.scope.group)
    if live is None:
        return False
    lineage = str(session.records.document["lineage"])
    group = f"the resource group {session.config.azure.resource_group}"
    owner = (live.get("tags") or {}).get(foundation.LINEAGE_TAG)
    if owner == lineage:
        return False
    if owner is not None and not session.adopt:
        raise OtherLineageError(
            f"{group} is managed by another state (its lineage is {owner}, this one's {lineage})",
            hint="Use that state, or another azure.resource_group; or adopt the group: --adopt.",
        )
    session.warn(f"{group} exists and is taken over" + (f" from the state of lineage {owner}" if owner else ""))
    return True
