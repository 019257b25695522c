"""Bodies of the resource group and its identity."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config

# The resource group's tag with the lineage of the state that manages it.
LINEAGE_TAG = "draftgenie-lineage"


def resource_group(config: Config, lineage: str) -> dict[str, Any]:
    """Return the group, tagged with the lineage of the state that manages it."""
    return {"location": config.location("resource_group"), "tags": tagged(config, **{LINEAGE_TAG: lineage})}


def identity(config: Config) -> dict[str, Any]:
    """Return the user-assigned identity of all apps.

    User-assigned, since a system-assigned one does not exist yet when the first image is pulled and the first secret
    resolved (learn.microsoft.com/azure/container-apps/manage-secrets).
    """
    return {"location": config.location("identity"), "tags": tagged(config)}
